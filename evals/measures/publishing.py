"""How a script that measures ends: its record is kept and printed, its page written on wish."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from measures.record import ROOT, append_record

__all__ = ["add_publishing", "publish"]

RESULTS = ROOT / "benchmarks" / "results"


def add_publishing(parser: argparse.ArgumentParser, benchmark: str) -> None:
    """The options that say where records and pages go: ``results``, ``write_docs``, ``docs``."""
    parser.add_argument("--results", type=Path, default=RESULTS / f"{benchmark}.jsonl")
    parser.add_argument("--write-docs", action="store_true")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs")


def publish(
    record: dict[str, Any],
    asked: argparse.Namespace,
    name: str,
    page_of: Callable[[dict[str, Any]], str],
) -> None:
    """Add a record to the results, write its page where that was asked for, and print it.

    Args:
        asked: with the options of ``add_publishing``. name: the page's, below ``asked.docs``.
    """
    append_record(record, asked.results)
    if asked.write_docs:
        asked.docs.mkdir(parents=True, exist_ok=True)
        (asked.docs / name).write_text(page_of(record), "utf-8")
    print(json.dumps(record, ensure_ascii=False))
