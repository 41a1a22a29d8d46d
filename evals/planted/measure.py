"""How often each check speaks: on what it should find, and on what is clean."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from planted.clean import GROUNDS, on_ground
from planted.registry import Plant, Sample
from sfumato.checks import Look, why_skipped
from sfumato.colours import rgb_of
from sfumato.registry import CHECKS, Entry

__all__ = ["measure", "speaks"]


def measure(
    samples: Sequence[Sample],
    plants: Sequence[Plant],
    *,
    only: Sequence[str] | None = None,
    each: int = 60,
) -> dict[str, Any]:
    """Figures of every check: planted, found, by strength; clean, false alarms."""
    figures: dict[str, Any] = {}
    for entry in CHECKS:
        if (only is not None and entry.name not in only) or why_skipped(entry, named=True):
            continue
        own = [one for one in plants if one.check == entry.name]
        found = [_planted(entry, one, samples, each) for one in own]
        alarms, seen = _false_alarms(entry, samples)
        for one in found:  # strength 0 plants nothing: what was demanded is there
            for row in one["strengths"]:
                if row["strength"] == 0:
                    alarms += [f"{one['name']} at 0"] * row["found"]
                    seen += row["planted"]
        figures[entry.name] = {"plants": found, "clean": seen, "false_alarms": alarms}
        figures[entry.name] |= _summary(found, len(alarms), seen)
        print(f"{entry.name}: {figures[entry.name]}", file=sys.stderr)
    return figures


def speaks(entry: Entry, looks: Sequence[Look]) -> bool:
    """Whether the check says anything about the last picture."""
    check = entry.resolve()
    if why_skipped(entry, looks[-1], named=True):
        return False
    return bool(check(looks, len(looks) - 1) if "batch" in entry.capabilities else check(looks[-1]))


def _planted(entry: Entry, one: Plant, samples: Sequence[Sample], each: int) -> dict[str, Any]:
    strengths = []
    for strength in one.strengths:
        planted = heard = 0
        for sample in _shuffled(samples, one.name):
            rng = np.random.default_rng(zlib.crc32(f"{one.name} {sample.name}".encode()))
            broken = one.make(sample, strength, rng)
            if broken is None:
                continue
            planted += 1
            heard += speaks(entry, [broken] if isinstance(broken, Look) else broken)
            if planted == each:
                break
        strengths.append({"strength": strength, "planted": planted, "found": heard})
    return {"name": one.name, "unit": one.unit, "visible": one.visible, "strengths": strengths}


def _false_alarms(entry: Entry, samples: Sequence[Sample]) -> tuple[list[str], int]:
    """Names of the clean pictures that the check speaks about, and how many it saw."""
    alarms = []
    seen = 0
    for number, sample in enumerate(samples):
        look = clean_look(sample, number)
        if why_skipped(entry, look, named=True):
            continue
        if entry.name == "vanishes" and sample.style == "glyph":
            continue  # black by default: on a dark page such a glyph does vanish
        seen += 1
        if speaks(entry, [look]):
            alarms.append(sample.name)
    return alarms, seen


def clean_look(sample: Sample, number: int) -> Look:
    """A clean picture as people keep them: with a plan, alone, or alone on a ground."""
    if sample.source == "chiaro" or number % 2 == 0:
        return Look(sample.pixels, sample.plan_with())
    if number % 4 == 1:
        return Look(sample.pixels)
    ground = rgb_of(GROUNDS[number // 4 % len(GROUNDS)])
    if _mean_gap(sample, ground) < 40:
        return Look(sample.pixels)  # a black glyph on navy is not clean
    return Look(on_ground(sample.pixels, ground))


def _mean_gap(sample: Sample, ground: tuple[int, int, int]) -> float:
    solid = sample.pixels[..., :3][sample.pixels[..., 3] >= 128]
    return float(np.abs(solid.astype(np.float64) - ground).mean()) if len(solid) else 255.0


def _shuffled(samples: Sequence[Sample], salt: str) -> list[Sample]:
    return sorted(samples, key=lambda sample: zlib.crc32(f"{salt} {sample.name}".encode()))


def _summary(found: list[dict[str, Any]], alarms: int, clean: int) -> dict[str, Any]:
    """Recall from the visible strength on; precision where half the pictures are broken."""
    visible = [
        row for one in found for row in one["strengths"] if _is_visible(row["strength"], one)
    ]
    planted = sum(row["planted"] for row in visible)
    if planted == 0:
        return {"planted": 0, "recall": None, "precision": None}
    recall = sum(row["found"] for row in visible) / planted
    rate = alarms / clean if clean else 0.0
    precision = recall / (recall + rate) if recall + rate else None
    return {"planted": planted, "recall": recall, "precision": precision}


def _is_visible(strength: float, one: dict[str, Any]) -> bool:
    """Strengths grow with the defect, except where a high number is a good one."""
    order = [row["strength"] for row in one["strengths"]]
    falling = order[0] > order[-1]
    return bool(strength <= one["visible"] if falling else strength >= one["visible"])
