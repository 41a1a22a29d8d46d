"""How long the first and the later searches of a folder take, and whether they are exact.

    python benchmarks/search.py [--pictures 10000] [--model sguardo] [--runs 7] [--folder DIR]

The folder is made once, of flat drawings from 256 to 1024 pixels as PNG, JPEG and WebP, and may be
kept with ``--folder``. The command is run as people run it, a new process each time. The answers
are then compared with every cosine computed in double precision.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from record import ROOT, median, record, seconds_of, spread

sys.path.insert(0, str(ROOT / "src"))

FORMATS = ("png", "jpg", "webp")
SIDES = (256, 512, 768, 1024)
WORDS = ("a red fox", "blue circles", "a green leaf", "something yellow", "a black and white sign")


def make_picture(place: tuple[Path, int]) -> None:
    """One flat drawing, the same for a number every time."""
    from PIL import Image, ImageDraw

    folder, number = place
    path = folder / f"{number // 1000:03}" / f"{number:06}.{FORMATS[number % len(FORMATS)]}"
    if path.exists():
        return
    dice = random.Random(number)
    side = dice.choice(SIDES)
    picture = Image.new("RGB", (side, side), tuple(dice.randrange(256) for _ in range(3)))
    canvas = ImageDraw.Draw(picture)
    for _ in range(dice.randint(2, 9)):
        left, top = dice.randrange(side), dice.randrange(side)
        box = (left, top, left + dice.randrange(10, side), top + dice.randrange(10, side))
        draw = canvas.ellipse if dice.random() < 0.5 else canvas.rectangle
        draw(box, fill=tuple(dice.randrange(256) for _ in range(3)))
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)


def call(arguments: list[str]) -> tuple[float, dict[str, Any]]:
    """Seconds and answer of one run of the command."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, "-m", "sfumato", "search", *arguments, "--json"]
    answers: list[str] = []

    def run() -> None:
        done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE)
        answers.append(done.stdout.decode())

    seconds = seconds_of(run)
    return seconds, json.loads(answers[0])


def count_differences(index: Path, model_name: str) -> int:
    """How many of the queries are answered differently by an exhaustive search."""
    import numpy as np

    from sfumato import clip
    from sfumato.clip.index import Index
    from sfumato.clip.labels import embed_labels
    from sfumato.clip.nearest import DECIMALS

    model = clip.load(model_name)
    database = sqlite3.connect(index)
    rows = database.execute(
        "SELECT path, vector FROM files JOIN vectors USING (content)"
    ).fetchall()
    database.close()
    matrix = np.frombuffer(b"".join(row[1] for row in rows), "<f4").reshape(len(rows), -1)
    differences = 0
    with Index.open(index, model) as opened:
        pictures = matrix[:: max(1, len(rows) // 20)]
        for query in (*embed_labels(list(WORDS), model), *pictures):
            scores = (matrix.astype(np.float64) @ query.astype(np.float64)).round(DECIMALS)
            wanted = sorted(zip((-scores).tolist(), (row[0] for row in rows), strict=True))[:20]
            found = [(-hit.score, os.fsencode(hit.path)) for hit in opened.search(query, 20)]
            differences += found != wanted
    return differences


def measure(folder: Path, index: Path, pictures: int, model: str, runs: int) -> dict[str, Any]:
    """Every figure of one folder."""
    with ProcessPoolExecutor() as pool:
        list(pool.map(make_picture, ((folder, i) for i in range(pictures)), chunksize=50))
    options = [str(folder), "--model", model, "--index", str(index)]
    first, answer = call([WORDS[0], *options])
    later = [call([WORDS[run % len(WORDS)], *options])[0] for run in range(runs)]
    empty = [
        seconds_of(lambda: subprocess.run([sys.executable, "-c", "pass"])) for _ in range(runs)
    ]
    return {
        "pictures": answer["pictures"],
        "picture_text_model": model,
        "first_s": median([first]),
        "pictures_per_s": median([pictures / first]),
        "later_s": median(later),
        "later_s_range": spread(later),
        "empty_python_s": median(empty),
        "index_mb": round(index.stat().st_size / 1e6, 1),
        "queries_answered_differently": count_differences(index, model),
    }


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--model", default="sguardo")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--folder", type=Path)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = chosen.folder or Path(scratch, "pictures")
        index = Path(scratch, "index.sqlite")
        figures = measure(folder, index, chosen.pictures, chosen.model, chosen.runs)
    record("search", figures)


if __name__ == "__main__":
    main()
