"""Prompts, subjects and icons made in code."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

import numpy as np
import pytest

# the scripts of the evaluation are run as files, so their folder is what they import from
sys.path.insert(0, str(Path(__file__).parents[3] / "evals"))
sys.path.insert(0, str(Path(__file__).parents[3] / "evals" / "iconeval"))

from sfumato.evals.iconeval.judge import Subject
from sfumato.evals.iconeval.prompts import IconPrompt, Wanted, load_concepts


def prompt_for(
    task: str, *wanted: Wanted, relation: str = "", id: int = 0, seen: bool = True
) -> IconPrompt:
    """A prompt with the given clauses."""
    return IconPrompt(
        id=id, task=task, text="words", wanted=wanted, relation=relation, seen=seen, seeds=(1, 2)
    )


def found(
    name: str, x: float = 0.5, y: float = 0.5, *, size: float = 0.2, colour: str = "red"
) -> Subject:
    """A subject whose centre is at (x, y)."""
    half = size / 2
    return Subject(
        name=name,
        confidence=0.9,
        box=(x - half, y - half, x + half, y + half),
        colour=colour,
        area=0.3,
    )


@pytest.fixture(scope="session")
def icon_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with one icon of every concept: a polygon, the corners differ."""
    folder = tmp_path_factory.mktemp("icons")
    rows, drawings = [], []
    for number, concept in enumerate(load_concepts()):
        angles = np.linspace(0, 2 * np.pi, 3 + number % 5, endpoint=False)
        points = " ".join(f"{50 + 40 * np.cos(a):.1f},{50 + 40 * np.sin(a):.1f}" for a in angles)
        drawings.append(
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100">'
            f'<polygon points="{points}" fill="#dc2f2f"/></svg>'
        )
        rows.append(
            {
                "id": concept.labels[0],
                "pack": "drawn-here",
                "concept": concept.labels[0],
                "group": "",
                "style": "flat",
                "captions": [concept.name],
                "split": "train",
            }
        )
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "manifest.jsonl").write_text(lines, "utf-8")
    with gzip.open(folder / "svg.jsonl.gz", "wt", encoding="utf-8") as out:
        for svg in drawings:
            out.write(json.dumps({"svg": svg}) + "\n")
    return folder
