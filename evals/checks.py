"""Measure every check on planted defects and on clean pictures, and write the page about them.

    sfumato train data icons --preset judge --out data/judge
    python evals/checks.py --data data/curated --data data/judge --write-docs

Clean pictures are icons as their designers drew them (where a data folder has held-out icons,
only those) and chiaro's drawings that looked clean on a sheet. Each plant breaks clean pictures at
several strengths; copies are planted of training pictures. Recall is measured from the strength on
that people see; false alarms on every clean picture. Prints one JSON line and adds it to
``benchmarks/results/checks.jsonl``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from measures.publishing import add_publishing, publish
from measures.record import make_record
from planted import clean, load_themes
from planted.measure import measure
from planted.page import checks_page

from sfumato.errors import SfumatoError


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--data", type=Path, action="append", required=True, help="folder of icons; repeatable"
    )
    parser.add_argument("--icons", type=int, default=133, help="icons of each folder")
    parser.add_argument("--drawings", type=int, help="of chiaro; all accepted ones if not given")
    parser.add_argument("--plants", type=int, default=60, help="pictures broken at each strength")
    parser.add_argument("--split", help="take icons of this split, not the held-out ones")
    parser.add_argument("--only", help="checks, with commas between")
    add_publishing(parser, "checks")
    asked = parser.parse_args(arguments)
    only = None if asked.only is None else asked.only.split(",")
    try:
        samples = [
            sample
            for folder in asked.data
            for sample in clean.icons(folder, asked.icons, asked.split)
        ]
        trained = [sample for folder in asked.data for sample in clean.shown(folder, asked.plants)]
        drawn = list(clean.drawings(limit=asked.drawings))
        figures = {
            "icons": len(samples),
            "drawings": len(drawn),
            "checks": measure(
                [*samples, *drawn], load_themes(), trained=trained, only=only, each=asked.plants
            ),
        }
    except SfumatoError as error:
        print(error.one_line(), file=sys.stderr)
        return error.exit_code
    drawings = "" if asked.drawings is None else f"--drawings {asked.drawings} "
    command = (
        "python evals/checks.py --data data/curated --data data/judge "
        f"--icons {asked.icons} {drawings}--plants {asked.plants} --write-docs"
    )
    publish(make_record("checks", command, figures), asked, "checks.md", checks_page)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
