"""Build the index of training pictures that the check ``near_copy`` ships, and calibrate it.

    python evals/near_copies.py --train-data data/curated --judge-data data/judge

Writes ``src/sfumato/checks/data/near-copies.npz`` and prints one JSON line: the file's size, how
often icons that no model saw come that close, and how many planted copies are recognised.
"""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sfumato.atomic import write_durably
from sfumato.checks import Look
from sfumato.checks.copies import INDEX, load_index, near_copy
from sfumato.checks.likeness import DIMENSIONS, fingerprint

STEP = 0.016  # of a unit vector: the distance of a picture to itself grows to 0.05
SAMPLE = 400


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--train-data", type=Path, required=True, help="what the model saw")
    parser.add_argument("--judge-data", type=Path, help="icons that no model saw")
    parser.add_argument("--out", type=Path, default=INDEX)
    asked = parser.parse_args(arguments)
    rows, pictures = load_pictures(asked.train_data)
    seen = [at for at, row in enumerate(rows) if row["split"] == "train"]
    write_index([rows[at] for at in seen], pictures[seen], asked.out)
    load_index.cache_clear()
    figures: dict[str, Any] = {"pictures": len(seen), "bytes": asked.out.stat().st_size}
    unseen = [at for at, row in enumerate(rows) if row["split"] != "train"]
    figures["heldout_close"] = share_close(pictures[unseen])
    if asked.judge_data:
        figures["judge_close"] = share_close(load_pictures(asked.judge_data)[1])
    sources = [rows[at] for at in seen]
    figures["recognised"] = {
        name: recognised(sources, pictures[seen], change) for name, change in CHANGES.items()
    }
    print(json.dumps(figures))
    return 0


def load_pictures(folder: Path) -> tuple[list[dict[str, Any]], NDArray[np.uint8]]:
    """The manifest's rows and (N, 64, 64, 4) uint8 pictures, straight alpha."""
    text = (folder / "manifest.jsonl").read_text("utf-8")
    rows = [json.loads(line) for line in text.splitlines()]
    premultiplied = np.load(folder / "pictures-64.npy", allow_pickle=False)
    alpha = premultiplied[..., 3:].astype(np.float32) / 255
    straight = premultiplied.astype(np.float32)
    straight[..., :3] /= np.maximum(alpha, 1e-6)
    return rows, np.clip(np.rint(straight), 0, 255).astype(np.uint8)


def write_index(rows: Sequence[dict[str, Any]], pictures: NDArray[np.uint8], path: Path) -> None:
    """Write the fingerprints of the pictures with their names, packs, licences and authors."""
    vectors = np.stack(
        [fingerprint(picture, picture[..., 3].astype(np.float32) / 255) for picture in pictures]
    )
    assert vectors.shape == (len(rows), DIMENSIONS)
    names = sorted({row["concept"] for row in rows})
    packs = sorted({row["pack"] for row in rows})
    first = {pack: next(row for row in rows if row["pack"] == pack) for pack in packs}
    columns = {
        # numbers of one frequency lie together: they are alike and compress better
        "vectors": np.clip(np.rint(vectors / STEP), -127, 127).astype(np.int8).T.copy(),
        "step": np.float64(STEP),
        "name_of": np.array([names.index(row["concept"]) for row in rows], np.uint16),
        "pack_of": np.array([packs.index(row["pack"]) for row in rows], np.uint8),
        "names": np.array("\n".join(names)),
        "packs": np.array("\n".join(packs)),
        "licences": np.array("\n".join(first[pack]["licence"] for pack in packs)),
        "authors": np.array("\n".join(first[pack]["author"] for pack in packs)),
    }
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **columns)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_durably(path, buffer.getvalue())


def share_close(pictures: NDArray[np.uint8]) -> float:
    """Of pictures that no model saw, how many are called close to one that it saw."""
    return round(float(np.mean([bool(near_copy(Look(picture))) for picture in pictures])), 4)


def mirrored(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Left and right exchanged."""
    return np.ascontiguousarray(picture[:, ::-1])


def resized(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """At a size of its own, off the middle of a larger canvas."""
    canvas = np.zeros((150, 150, 4), np.uint8)
    canvas[20:117, 31:128] = np.asarray(Image.fromarray(picture).resize((97, 97)))
    return canvas


def recoloured(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Every hue turned by a third of the circle."""
    return np.ascontiguousarray(picture[..., [2, 0, 1, 3]])


def compressed(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Enlarged, as a JPEG on white: white parts of the drawing are lost in the ground."""
    large = Image.fromarray(picture).resize((256, 256))
    sheet = Image.new("RGBA", large.size, "white")
    sheet.alpha_composite(large)
    file = io.BytesIO()
    sheet.convert("RGB").save(file, "JPEG", quality=80)
    return np.asarray(Image.open(file).convert("RGBA"))


CHANGES: dict[str, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    "mirrored": mirrored,
    "resized and shifted": resized,
    "recoloured": recoloured,
    "JPEG on white": compressed,
}


def recognised(
    rows: Sequence[dict[str, Any]],
    pictures: NDArray[np.uint8],
    change: Callable[[NDArray[np.uint8]], NDArray[np.uint8]],
) -> float:
    """Of training pictures, changed, how many are called by their own name."""
    known = load_index()
    chosen = np.random.default_rng(0).choice(len(rows), min(SAMPLE, len(rows)), replace=False)
    hits = 0
    for at in chosen:
        found = near_copy(Look(change(pictures[at])))
        own = f"{rows[at]['concept']!r} of {rows[at]['pack']}"
        hits += bool(found) and own in found[0].message
    assert len(known.vectors) == len(rows)
    return round(hits / len(chosen), 4)


if __name__ == "__main__":
    raise SystemExit(main())
