"""Is it as asked? GenEval's rules over the subjects that the judge found.

Source: Ghosh et al. 2023 (arXiv:2310.11513), section 3.2. Where ours differ is listed in the
docstring of the package.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sfumato.evals.iconeval.judge import Subject
from sfumato.evals.iconeval.prompts import IconPrompt, Wanted

__all__ = ["OFFSET", "Verdict", "check", "relations_of"]

OFFSET = 0.1  # of both sizes together: less of an offset is none
_WITHIN = 0.5  # cosine: an offset belongs to the directions within 60 degrees


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether a picture is as asked; a sentence says why not."""

    correct: bool
    reason: str = ""


def check(prompt: IconPrompt, subjects: Sequence[Subject]) -> Verdict:
    """Hold ``subjects``, surest first, against every clause of the prompt."""
    matched: list[list[Subject]] = []
    for wanted in prompt.wanted:
        own = [one for one in subjects if one.name == wanted.concept]
        reason = _miscounted(wanted, own, exact=prompt.task == "counting")
        reason = reason or _miscoloured(wanted, own)
        if reason:
            return Verdict(correct=False, reason=reason)
        matched.append(own[: wanted.count])
    if prompt.relation:
        first, second = matched[0][0], matched[1][0]
        found = relations_of(first.box, second.box)
        if prompt.relation not in found:
            where = " and ".join(sorted(found)) or "on"
            return Verdict(
                correct=False,
                reason=f"the {first.name} is {where} the {second.name}, not {prompt.relation} it",
            )
    return Verdict(correct=True)


def relations_of(
    first: tuple[float, float, float, float], second: tuple[float, float, float, float]
) -> frozenset[str]:
    """Where ``first`` is as seen from ``second``, both (left, top, right, bottom).

    None of the four where the centres are too close, two of them where it is diagonal.
    """
    cut = []
    offsets = []
    for axis in (0, 1):
        centres = [(box[axis] + box[axis + 2]) / 2 for box in (first, second)]
        sizes = [box[axis + 2] - box[axis] for box in (first, second)]
        offset = centres[0] - centres[1]
        offsets.append(offset)
        cut.append(math.copysign(max(abs(offset) - OFFSET * sum(sizes), 0.0), offset))
    length = math.hypot(*offsets)
    if length == 0.0:
        return frozenset()
    across, down = cut[0] / length, cut[1] / length
    found = {
        "left of": across < -_WITHIN,
        "right of": across > _WITHIN,
        "above": down < -_WITHIN,
        "below": down > _WITHIN,
    }
    return frozenset(name for name, holds in found.items() if holds)


def _miscounted(wanted: Wanted, own: Sequence[Subject], *, exact: bool) -> str:
    if len(own) < wanted.count or (exact and len(own) > wanted.count):
        least = "" if exact or wanted.count == 1 else "at least "
        return f"asked for {least}{wanted.count} {wanted.concept}, found {len(own)}"
    return ""


def _miscoloured(wanted: Wanted, own: Sequence[Subject]) -> str:
    if not wanted.colour:
        return ""
    wrong = [one.colour for one in own[: wanted.count] if one.colour != wanted.colour]
    return f"asked for a {wanted.colour} {wanted.concept}, found {wrong[0]}" if wrong else ""
