"""The section of the quality page about IconEval, from recorded runs of ``sfumato eval``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

_NOT_YET = "Not measured yet: `sfumato eval iconeval --json`, then `evals/iconeval/publish.py`."
_NAMES = {
    "single": "one subject",
    "two": "two subjects",
    "counting": "counting 2 to 4",
    "colours": "colour",
    "position": "position",
    "attribution": "colours of two",
}


def last_runs(path: Path) -> list[dict[str, Any]]:
    """The newest whole run of each model and baseline in a results file, models first."""
    newest: dict[str, dict[str, Any]] = {}
    if path.exists():
        for line in path.read_text("utf-8").splitlines():
            record = json.loads(line)
            newest[who(record["figures"])] = record
    return sorted(newest.values(), key=lambda record: "baseline" in record["figures"])


def who(figures: Mapping[str, Any]) -> str:
    """A model's or baseline's name."""
    return str(figures.get("model") or figures["baseline"])


def iconeval_section(records: Sequence[Mapping[str, Any]]) -> str:
    """Tables of every run, beside what the judge says of real icons and of shuffled prompts."""
    if not records:
        return _NOT_YET
    runs = {who(record["figures"]): record["figures"] for record in records}
    newest = records[0]
    judge = newest["figures"]["judge"]
    return "\n\n".join(
        [
            _scores(runs, judge),
            f"Seen and unseen: {_seen(runs)}",
            _judge_table(judge),
            f"Runs: {'; '.join(_run(record) for record in records)}.",
        ]
    )


def _scores(runs: Mapping[str, Mapping[str, Any]], judge: Mapping[str, Any]) -> str:
    foreign = judge["foreign_packs"].values()
    head = ["task", "prompts", *runs, "real icons", "luck"]
    rows = []
    first = next(iter(runs.values()))
    for task, name in _NAMES.items():
        cells = [_share(figures["tasks"][task]) for figures in runs.values()]
        real = fmean(pack["tasks"][task]["value"] for pack in foreign)
        luck = first["tasks"][task]["floor"]
        prompts = str(first["tasks"][task]["prompts"])
        rows.append([name, prompts, *cells, f"{real:.0%}", f"{luck:.1%}"])
    means = [f"**{_share(figures['score'])}**" for figures in runs.values()]
    real = fmean(pack["score"]["value"] for pack in foreign)
    rows.append(["**mean of the tasks**", "553", *means, f"{real:.0%}", f"{first['floor']:.1%}"])
    return _table(head, rows)


def _seen(runs: Mapping[str, Mapping[str, Any]]) -> str:
    parts = []
    for name, figures in runs.items():
        colours = figures["tasks"]["colours"]
        parts.append(
            f"{name} {_share(colours['seen'])} in a colour that a training picture of the subject "
            f"has, {_share(colours['unseen'])} in another"
        )
    return f"colour prompts, {'; '.join(parts)}."


def _judge_table(judge: Mapping[str, Any]) -> str:
    rows = []
    for group, label in (
        ("unseen_drawings", "judge packs, held out of the judge in turn"),
        ("foreign_packs", "no part of the judge"),
    ):
        for pack, own in judge[group].items():
            tasks = [f"{own['tasks'][task]['value']:.0%}" for task in _NAMES]
            rows.append(
                [
                    f"{pack} ({label})",
                    f"{own['subjects_named']:.0%}",
                    *tasks,
                    _share(own["score"]),
                    f"{own['floor']:.1%}",
                ]
            )
    return _table(["scenes of real icons", "named", *_NAMES.values(), "mean", "luck"], rows)


def _run(record: Mapping[str, Any]) -> str:
    figures = record["figures"]
    return (
        f"{who(figures)} with `{record['command']}`, {figures['pictures']} pictures, "
        f"{record['date']}, commit `{record['commit']}`"
    )


def _share(estimate: Mapping[str, float]) -> str:
    return f"{estimate['value']:.0%} ({estimate['low']:.0%} to {estimate['high']:.0%})"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
