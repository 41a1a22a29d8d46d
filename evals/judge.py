"""Fit the independent judge and say how good it is.

    python evals/judge.py --data data/judge --out runs/judge --real data/curated

The judge sees OpenMoji, EmojiOne v1 and Noto v1 alone. Its ceiling is its accuracy on the real
icons of other packs, which a drawing model is trained on and the judge is not; its floor is the
same pictures with the names shuffled. The report goes to ``OUT/report.json``.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from measures.naming import Answers, floor_accuracy, judge_pictures
from measures.statistics import estimate_mean

from sfumato.errors import SfumatoError
from sfumato.training.corpus import read_corpus
from sfumato.training.judge import Judge, train_judge

REAL_PICTURES = 1000


def report_on_real(judge: Judge, folder: Path, most: int = REAL_PICTURES) -> dict[str, Any]:
    """Ceiling and floor on up to ``most`` real pictures of the set in ``folder``, pack by pack.

    Only subjects that the judge knows by name are counted.
    """
    corpus = read_corpus(folder, split=None)
    known = set(judge.concepts)
    rows = [i for i, row in enumerate(corpus.rows) if row["concept"] in known]
    picks = np.random.default_rng(0).permutation(rows)[:most]
    expected = [(corpus.rows[i]["concept"],) for i in picks]
    answers = judge_pictures(judge, corpus.pictures[picks], expected)
    packs = np.array([corpus.rows[i]["pack"] for i in picks])
    return {
        "ceiling": _figures(answers),
        "floor": floor_accuracy(judge, answers, expected),
        "by_pack": {
            str(pack): _figures(answers.where(packs == pack)) for pack in sorted(set(packs))
        },
    }


def _figures(answers: Answers) -> dict[str, Any]:
    return {
        "top1": asdict(estimate_mean(answers.top1)),
        "top5": asdict(estimate_mean(answers.top5)),
        "group": asdict(estimate_mean(answers.group)),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the packs to learn from")
    parser.add_argument("--out", type=Path, required=True, help="where weights and report go")
    parser.add_argument("--real", type=Path, help="a set of other packs, for the ceiling")
    parser.add_argument("--copies", type=int, default=7, help="varied copies of each picture")
    asked = parser.parse_args(arguments)
    try:
        judge = train_judge(read_corpus(asked.data, split=None), asked.out, copies=asked.copies)
        report: dict[str, Any] = {"judge_sha256": judge.sha256, "concepts": len(judge.concepts)}
        if asked.real is not None:
            report |= report_on_real(judge, asked.real)
    except SfumatoError as error:
        print(error.one_line(), file=sys.stderr)
        return error.exit_code
    (asked.out / "report.json").write_text(json.dumps(report, indent=2) + "\n", "utf-8")
    print(json.dumps(report))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
