"""The evaluation scripts are run as files, so their folder is what they import from."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[3] / "evals"))

from sfumato.training.corpus import read_corpus
from sfumato.training.data.pictures import render_clean
from sfumato.training.judge import train_judge

SUBJECTS = ("fox", "owl", "rocket", "house")
STYLES = ("flat", "cartoon")


def draw_subject(number: int, style: int) -> str:
    """A coloured polygon with ``number`` + 3 corners (or a rounder one), as an SVG."""
    angle = np.linspace(0, 2 * np.pi, number + 3, endpoint=False)
    points = " ".join(f"{50 + 38 * np.cos(a):.1f},{50 + 38 * np.sin(a):.1f}" for a in angle)
    colour = ("#dc2f2f", "#3aa652", "#2f6fde", "#8a5432")[number]
    stroke = f' stroke="#222" stroke-width="{style * 6}"'
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100">'
        f'<polygon points="{points}" fill="{colour}"{stroke}/></svg>'
    )


@pytest.fixture(scope="session")
def picture_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training set of 4 subjects in 2 packs, 4 pictures of each, one of each held out."""
    folder = tmp_path_factory.mktemp("pictures")
    rows, svgs = [], []
    for number, subject in enumerate(SUBJECTS):
        for style, name in enumerate(STYLES):
            for copy in range(4):
                svgs.append(draw_subject(number, style))
                rows.append(
                    {
                        "id": f"{name}:{subject}:{copy}",
                        "pack": f"pack-{name}",
                        "concept": subject,
                        "group": "animals" if number < 2 else "things",
                        "style": name,
                        "captions": [subject],
                        "split": "heldout" if copy == 3 else "train",
                    }
                )
    pictures = np.stack([render_clean(svg, 64) for svg in svgs])
    np.save(folder / "pictures-64.npy", pictures)
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "manifest.jsonl").write_text(lines, "utf-8")
    with gzip.open(folder / "svg.jsonl.gz", "wt", encoding="utf-8") as out:
        for svg in svgs:
            out.write(json.dumps({"svg": svg}) + "\n")
    return folder


@pytest.fixture(scope="session")
def judge_folder(picture_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A judge of those subjects."""
    out = tmp_path_factory.mktemp("judge")
    train_judge(read_corpus(picture_set, split=None), out, copies=1)
    return out
