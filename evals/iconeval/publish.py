"""Record runs of ``sfumato eval iconeval --json`` and write them into ``docs/quality.md``.

    sfumato eval iconeval --json > chiaro.json
    python evals/iconeval/publish.py chiaro.json oracle.json retrieval.json

Each run is one line of ``benchmarks/results/iconeval.jsonl``. The page is composed anew from the
last line of ``quality.jsonl`` and the last run of each model and baseline.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from measures.iconeval import last_runs
from measures.page import quality_page
from measures.record import ROOT, append_record, make_record

from sfumato.evals.iconeval.prompts import SEEDS

RESULTS = ROOT / "benchmarks" / "results"


def command_of(figures: dict[str, Any]) -> str:
    """The command that makes such a run."""
    who = f"--model {figures['model']}" if "model" in figures else ""
    who = who or f"--baseline {figures['baseline']} --data data/curated"
    seeds = "" if figures["seeds"] == SEEDS else f" --seeds {figures['seeds']}"
    return f"sfumato eval iconeval {who}{seeds} --json"


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("runs", type=Path, nargs="*", help="what --json printed")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--docs", type=Path, default=ROOT / "docs")
    asked = parser.parse_args(arguments)
    for path in asked.runs:
        figures = json.loads(path.read_text("utf-8"))
        if not figures["is_whole"]:
            print(f"{path}: a run of some prompts only is not published", file=sys.stderr)
            return 2
        record = make_record("iconeval", command_of(figures), figures)
        append_record(record, asked.results / "iconeval.jsonl")
    quality = (asked.results / "quality.jsonl").read_text("utf-8").splitlines()[-1]
    page = quality_page(json.loads(quality), last_runs(asked.results / "iconeval.jsonl"))
    (asked.docs / "quality.md").write_text(page, "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
