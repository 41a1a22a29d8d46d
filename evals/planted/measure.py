"""How often each check speaks: on what it should find, and on what is clean."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from planted.clean import GROUNDS, on_ground
from planted.registry import EXEMPT, UNPLANTED, Plant, Sample
from sfumato.checks import SEVERITIES, Earlier, Look, why_skipped
from sfumato.colours import rgb_of
from sfumato.registry import CHECKS, Entry
from sfumato.request import Finding, Severity

__all__ = ["clean_look", "measure", "said"]

_SLOW = 4  # checks with a network of their own see every fourth clean picture


def measure(
    samples: Sequence[Sample],
    plants: Sequence[Plant],
    *,
    trained: Sequence[Sample] = (),
    only: Sequence[str] | None = None,
    each: int = 60,
) -> dict[str, Any]:
    """Figures of every check: planted, found, by strength; clean, false alarms.

    ``trained`` are pictures that the built-in model was shown, for the plants that break those. The
    checks of ``UNPLANTED`` are only asked about clean pictures.
    """
    by_check: dict[str, list[Plant]] = {}
    for one in plants:
        by_check.setdefault(one.check, []).append(one)
    entries = [
        entry
        for entry in CHECKS
        if (entry.name in by_check or entry.name in UNPLANTED)
        and (only is None or entry.name in only)
        and not why_skipped(entry, named=True)
    ]
    on_clean = _false_alarms(entries, samples)
    figures: dict[str, Any] = {}
    for entry in entries:
        spoken: set[Severity] = set()
        found = [
            _planted(entry, one, trained if one.trained else samples, each, spoken)
            for one in by_check.get(entry.name, ())
        ]
        alarms, seen = on_clean[entry.name]
        for one in found:  # strength 0 plants nothing: what was demanded is there
            for row in one["strengths"]:
                if row["strength"] == 0:
                    alarms += [f"{one['name']} at 0"] * row["found"]
                    seen += row["planted"]
        figures[entry.name] = {
            "severity": max(spoken, key=SEVERITIES.index, default=None),
            "plants": found,
            "clean": seen,
            "false_alarms": alarms,
            **_summary(found, len(alarms), seen),
        }
        shown = {key: figures[entry.name][key] for key in ("recall", "precision", "false_alarms")}
        print(f"{entry.name}: {shown}", file=sys.stderr, flush=True)
    return figures


def said(entry: Entry, looks: Sequence[Look]) -> list[Finding]:
    """What the check says about the last picture."""
    if why_skipped(entry, looks[-1], named=True):
        return []
    check = entry.resolve()
    if "batch" not in entry.capabilities:
        return list(check(looks[-1]))
    earlier = Earlier()
    for look in looks[:-1]:
        earlier.add(look)
    return list(check(looks[-1], earlier))


def _planted(
    entry: Entry, one: Plant, samples: Sequence[Sample], each: int, spoken: set[Severity]
) -> dict[str, Any]:
    strengths = []
    for strength in one.strengths:
        planted = heard = 0
        for sample in _shuffled(samples, one.name):
            rng = np.random.default_rng(zlib.crc32(f"{one.name} {sample.name}".encode()))
            broken = one.make(sample, strength, rng)
            if broken is None:
                continue
            planted += 1
            found = said(entry, [broken] if isinstance(broken, Look) else broken)
            heard += bool(found)
            spoken.update(finding.severity for finding in found)
            if planted == each:
                break
        strengths.append({"strength": strength, "planted": planted, "found": heard})
    return {"name": one.name, "unit": one.unit, "visible": one.visible, "strengths": strengths}


def _false_alarms(
    entries: Sequence[Entry], samples: Sequence[Sample]
) -> dict[str, tuple[list[str], int]]:
    """For each check the clean pictures that it speaks about, and how many it saw."""
    alarms: dict[str, list[str]] = {entry.name: [] for entry in entries}
    seen = dict.fromkeys(alarms, 0)
    for number, sample in enumerate(samples):
        look = clean_look(sample, number)
        for entry in entries:
            if why_skipped(entry, look, named=True):
                continue
            if entry.name in EXEMPT and EXEMPT[entry.name][0](sample):
                continue
            if "modules" in entry.details and number % _SLOW:
                continue
            seen[entry.name] += 1
            if said(entry, [look]):
                alarms[entry.name].append(sample.name)
    return {name: (alarms[name], seen[name]) for name in alarms}


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
