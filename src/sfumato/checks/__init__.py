"""What is wrong with a picture: the registered checks, on one picture or on many.

A check is ``def name(look: Look) -> list[Finding]`` and one line in ``CHECKS``. Its capabilities:

- ``plan``: only for pictures that carry their plan; ``prompt``: a plan or words are enough.
- ``words``: what it finds follows from the words: drawing again with another seed mends nothing.
- ``once``: several pictures of a run may share what it finds: people are told once.
- ``each``: of a picture of several things laid out, asked of each thing alone.
- ``batch``: called ``name(look, earlier)``; compares the picture with those before it.
- ``opt-in``: slow or seldom wanted; only run when named.

``details={"extra": "ocr", "modules": ("rapidocr",)}`` names an optional package; where it is not
installed the check is skipped, and ``why_skipped`` says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sfumato.checks.copies import Earlier
from sfumato.checks.look import Asked, Look
from sfumato.checks.pieces import of_each
from sfumato.errors import MissingExtraError
from sfumato.registry import CHECKS, Entry
from sfumato.request import Finding, GenerationPlan

if TYPE_CHECKING:
    from sfumato.models import Conditioning

__all__ = [
    "SEVERITIES",
    "Asked",
    "Earlier",
    "Look",
    "check_one",
    "check_pictures",
    "require_extras",
    "run_checks",
    "why_skipped",
]

SEVERITIES = ("note", "warning", "error")  # mildest first


def run_checks(
    pixels: NDArray[np.uint8], plan: GenerationPlan, conds: Sequence[Conditioning] = ()
) -> tuple[Finding, ...]:
    """Everything the default checks say about (H, W, 4) uint8 pixels, worst first."""
    return check_one(Look(pixels, plan, conds))


def check_pictures(
    looks: Sequence[Look], names: Iterable[str] | None = None
) -> list[tuple[Finding, ...]]:
    """For each picture what the checks called ``names`` say, worst first; None: the default ones.

    Raises: RequestError: there is no such check.
    """
    chosen = None if names is None else tuple(names)
    earlier = Earlier()
    return [check_one(look, chosen, earlier) for look in looks]


def check_one(
    look: Look, names: Sequence[str] | None = None, earlier: Earlier | None = None
) -> tuple[Finding, ...]:
    """What the checks say about one picture, worst first.

    ``earlier``: the pictures of its batch that were checked before; this one is added to them,
    where a check compares pictures at all.

    Raises: RequestError: there is no such check.
    """
    findings: list[Finding] = []
    compared = False
    for entry in CHECKS if names is None else [CHECKS.get(name) for name in names]:
        if why_skipped(entry, look, named=names is not None):
            continue
        check = entry.resolve()
        if "batch" in entry.capabilities:
            findings += [] if earlier is None else check(look, earlier)
            compared = True
        elif "each" in entry.capabilities and look.asked is not None and look.asked.parts:
            findings += of_each(check, look)
        else:
            findings += check(look)
    if earlier is not None and compared:
        earlier.add(look)
    return tuple(sorted(findings, key=lambda finding: -SEVERITIES.index(finding.severity)))


def require_extras(names: Iterable[str]) -> None:
    """Whoever names a check means it to run.

    Raises: RequestError: there is no such check; MissingExtraError: one's package is missing.
    """
    for entry in map(CHECKS.get, names):
        if _missing_modules(entry):
            raise MissingExtraError(f"The check {entry.name!r}", entry.details["extra"])


def why_skipped(entry: Entry, look: Look | None = None, *, named: bool = False) -> str:
    """Why a check does not run, as half a sentence; "" when it does.

    Without ``look`` only what holds for every picture counts. ``named``: asked for by name.
    """
    if _missing_modules(entry):
        return f"needs pip install 'sfumato[{entry.details['extra']}]'"
    if "opt-in" in entry.capabilities and not named:
        return "to be named"
    if look is None:
        return ""
    if "plan" in entry.capabilities and look.plan is None:
        return "needs the recipe that sfumato writes into its pictures"
    if "prompt" in entry.capabilities and look.asked is None:
        return "needs the words that the picture should show"
    return ""


def _missing_modules(entry: Entry) -> bool:
    return any(find_spec(name) is None for name in entry.details.get("modules", ()))
