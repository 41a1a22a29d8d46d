"""Measure a model on the fixed prompts and write the quality page.

    python evals/quality.py --judge runs/judge --train-data data/curated --model chiaro --write-docs

Draws every prompt of ``prompts.txt`` several times, and one picture for every held-out icon (the
same subject in the same style), through ``sfumato.generate``. Prints one JSON line, adds it to
``benchmarks/results/quality.jsonl``, and with ``--write-docs`` writes ``docs/quality.md`` and
``docs/nearest.png`` from it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from measures.evaluation import Evaluation
from measures.iconeval import last_runs
from measures.page import quality_page
from measures.prompts import PROMPTS
from measures.record import ROOT, append_record, make_record

from sfumato.errors import SfumatoError
from sfumato.training.judge import SIDE, Judge

RESULTS = ROOT / "benchmarks" / "results" / "quality.jsonl"


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--judge", type=Path, required=True, help="folder of evals/judge.py")
    parser.add_argument("--train-data", type=Path, required=True, help="what the model saw")
    parser.add_argument("--model", default="chiaro")
    parser.add_argument("--prompts", type=Path, default=PROMPTS)
    parser.add_argument("--seeds", type=int, default=2, help="drawings of each prompt")
    parser.add_argument("--side", type=int, default=256, help="pixels, a multiple of 64")
    parser.add_argument("--keep", type=Path, help="file that keeps the drawings for another run")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--write-docs", action="store_true")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs")
    asked = parser.parse_args(arguments)
    if asked.side % SIDE or asked.seeds < 1:
        parser.error("--side must be a multiple of 64 and --seeds at least 1")
    try:
        judge = Judge.load(asked.judge)
        run = Evaluation(
            asked.model,
            judge,
            asked.train_data,
            asked.prompts,
            seeds=asked.seeds,
            side=asked.side,
            kept=asked.keep,
        )
        figures, nearest = run.figures()
    except SfumatoError as error:
        print(error.one_line(), file=sys.stderr)
        return error.exit_code
    command = (
        f"python evals/quality.py --judge runs/judge --train-data data/curated "
        f"--model {asked.model} --seeds {asked.seeds} --write-docs"
    )
    report = asked.judge / "report.json"
    figures["judge"] = json.loads(report.read_text("utf-8")) if report.exists() else {}
    record = make_record("quality", command, figures)
    append_record(record, asked.results)
    if asked.write_docs:
        asked.docs.mkdir(parents=True, exist_ok=True)
        nearest.save(asked.docs / "nearest.png", optimize=True)
        (asked.docs / "quality.md").write_text(
            quality_page(record, last_runs(asked.results.with_name("iconeval.jsonl"))), "utf-8"
        )
    print(json.dumps(record, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
