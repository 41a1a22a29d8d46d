"""The clean pictures: icons as their designers drew them, and drawings that were found clean.

The drawings were looked at once, as thumbnails on one contact sheet.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from planted.registry import Sample
from sfumato import generate
from sfumato.errors import StorageError
from sfumato.svg import render_svg

ACCEPTED = Path(__file__).parent / "accepted.txt"
GROUNDS = ("#ffffff", "#fdf3d8", "#dbeafe", "#1d2f63")  # every fourth icon lies on one of them
SIDES = (512, 1024, 640)


def icons(folder: Path, count: int, split: str | None = None) -> Iterator[Sample]:
    """``count`` icons of a data folder, the same ones every time, spread over its packs.

    Those of ``split``; where none is named, the held-out ones if there are any.

    Raises: StorageError: the folder was not made by ``sfumato train data icons``.
    """
    try:
        manifest = (folder / "manifest.jsonl").read_text("utf-8")
        rows = [json.loads(line) for line in manifest.splitlines()]
        with gzip.open(folder / "svg.jsonl.gz", "rt", encoding="utf-8") as file:
            paths = [json.loads(line)["svg"] for line in file]
    except (OSError, ValueError, KeyError) as error:
        raise StorageError(
            f"{folder} holds no icons: {error}.", hint="Make it: sfumato train data icons"
        ) from None
    heldout = any(row["split"] == "heldout" for row in rows)
    split = split or ("heldout" if heldout else "train")
    wanted = [pair for pair in zip(rows, paths, strict=True) if pair[0]["split"] == split]
    packs: dict[str, list[tuple[dict[str, str], str]]] = {}
    for row, path in sorted(wanted, key=lambda pair: zlib.crc32(pair[0]["id"].encode())):
        packs.setdefault(row["pack"], []).append((row, path))
    turns = [
        pair for turn in range(count) for own in packs.values() for pair in own[turn : turn + 1]
    ]
    for number, (row, path) in enumerate(turns[:count]):
        side = SIDES[number % len(SIDES)]
        pixels, _ = render_svg(path.encode(), longest=side)
        yield Sample(
            name=row["id"],
            source="icons",
            pixels=pixels,
            caption=row["concept"],
            style=row["style"],
        )


def shown(folder: Path, count: int) -> Iterator[Sample]:
    """``count`` icons of a data folder that the built-in model was trained on.

    None of a folder that holds nothing back: it was made for judging.

    Raises: StorageError: the folder was not made by ``sfumato train data icons``.
    """
    if any(True for _ in icons(folder, 1, "heldout")):
        yield from icons(folder, count, "train")


def drawings(side: int = 1024, limit: int | None = None) -> Iterator[Sample]:
    """chiaro's drawings of the accepted prompts and seeds, drawn now."""
    for line in accepted()[:limit]:
        prompt, seed = line
        image = generate(prompt, seed=seed, width=side, height=side).images[0]
        yield Sample(
            name=f"{prompt} #{seed}",
            source="chiaro",
            pixels=image.pixels,
            caption=image.plan.subject,
            style=image.plan.styles[0],
            plan=image.plan,
        )


def accepted() -> list[tuple[str, int]]:
    """(prompt, seed) of the drawings that were looked at, on a contact sheet, and found clean."""
    lines = ACCEPTED.read_text("utf-8").splitlines()
    pairs = [line.split("\t") for line in lines if line and not line.startswith("#")]
    return [(prompt, int(seed)) for prompt, seed in pairs]


def on_ground(pixels: NDArray[np.uint8], ground: Sequence[int]) -> NDArray[np.uint8]:
    """The picture laid on a colour, opaque."""
    alpha = pixels[..., 3:] / 255.0
    mixed = pixels[..., :3] * alpha + np.asarray(ground, np.float64) * (1 - alpha)
    return np.dstack([np.rint(mixed), np.full(mixed.shape[:2], 255)]).astype(np.uint8)
