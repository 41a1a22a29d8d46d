"""The page about the checks, made from a recorded run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any

from planted.registry import EXEMPT, UNPLANTED
from sfumato.registry import CHECKS

__all__ = ["checks_page"]

_PAGE = Path(__file__).parent.parent / "checks-page.md"


def checks_page(record: Mapping[str, Any]) -> str:
    """Markdown with the figures of a record of ``evals/checks.py`` filled in."""
    figures = record["figures"]
    return Template(_PAGE.read_text("utf-8")).substitute(
        summary=_summary(figures["checks"]),
        strengths=_strengths(figures["checks"]),
        alarms=_alarms(figures["checks"]),
        exempt="\n".join(f"- `{name}`: {reason}." for name, (_, reason) in EXEMPT.items())
        or "None.",
        unplanted="\n".join(f"- `{name}`: {reason}." for name, reason in UNPLANTED.items())
        or "None.",
        icons=figures["icons"],
        drawings=figures["drawings"],
        command=record["command"],
        commit=record["commit"],
        date=record["date"],
    )


def _summary(checks: Mapping[str, Any]) -> str:
    rows = [
        "| check | what is wrong | needs | worst | planted | recall | clean | false alarms | "
        "precision |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    needs = {
        "plan": "recipe",
        "prompt": "recipe or words",
        "batch": "several pictures",
        "opt-in": "to be named",
    }
    for entry in CHECKS:
        own = checks.get(entry.name)
        need = next((text for key, text in needs.items() if key in entry.capabilities), "")
        if "extra" in entry.details:
            need = f"{need}, `[{entry.details['extra']}]`".lstrip(", ")
        if own is None:
            rows.append(
                f"| `{entry.name}` | {entry.summary} | {need} | | | not measured here | | | |"
            )
            continue
        rows.append(
            f"| `{entry.name}` | {entry.summary} | {need} | {own['severity'] or '–'} | "
            f"{own['planted'] or 'none'} | {_percent(own['recall'])} | {own['clean'] or '–'} | "
            f"{len(own['false_alarms'])} | {_percent(own['precision'])} |"
        )
    return "\n".join(rows)


def _strengths(checks: Mapping[str, Any]) -> str:
    rows = ["| check | planted | found of those planted, by strength |", "|---|---|---|"]
    for name, own in checks.items():
        for one in own["plants"]:
            cells = [
                f"{row['strength']:g}: {row['found']}/{row['planted']}"
                for row in one["strengths"]
                if row["planted"]
            ]
            unit = f" ({one['unit']}; visible from {one['visible']:g})" if one["unit"] else ""
            rows.append(f"| `{name}` | {one['name']}{unit} | {' · '.join(cells)} |")
    return "\n".join(rows)


def _alarms(checks: Mapping[str, Any]) -> str:
    lines = []
    for name, own in checks.items():
        if own["false_alarms"]:
            shown = ", ".join(own["false_alarms"][:8])
            more = len(own["false_alarms"]) - 8
            lines.append(f"- `{name}`: {shown}" + (f" and {more} more" if more > 0 else ""))
    return "\n".join(lines) or "None."


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"
