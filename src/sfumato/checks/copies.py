"""Is this drawing somebody's picture, or one drawn before?

The training pictures of the built-in model ship as fingerprints, quantised to one byte a number,
with names, packs and licences (``data/near-copies.npz``, built by ``evals/near_copies.py``). A
heart resembles every heart: what several training pictures share is a common shape and no copy,
so a copy must be much closer to one picture than to the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sfumato.checks.likeness import DIMENSIONS, distances, fingerprints
from sfumato.checks.look import Look
from sfumato.request import Finding

__all__ = ["INDEX", "Earlier", "Known", "load_index", "near_copy", "near_duplicate"]

INDEX = Path(__file__).parent / "data" / "near-copies.npz"

_COPY = 0.17  # closer than 98 % of icons of other packs come to any training picture
_COMMON = 1.5  # times the distance within which
_COMMON_AT = 4  # this many others mean that the shape is everybody's
_FLOOR = 0.08  # quantisation and redrawing: closer than this is the same for ``_COMMON``
_ONE_COLOUR = 16  # levels of 255 around the median colour,
_EDGES = 0.04  # in all but this share of the drawing, which antialiasing mixes
_CONVEX = 0.96  # of the convex hull's area: a disc on a grid of pixels
_TWICE = 0.1  # distance of two pictures of one batch that are the same drawing,
_SAME_COLOURS = 0.08  # when also their pixels differ by less, root mean square of 0..1
_THUMBNAIL = 32
_COLOURS = np.array([True, True, True, False])


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The training pictures, as the package carries them. N pictures."""

    vectors: NDArray[np.float32]  # (N, DIMENSIONS), unit length
    name_of: NDArray[np.uint16]  # (N,) into ``names``
    pack_of: NDArray[np.uint8]  # (N,) into ``packs``
    names: tuple[str, ...]
    packs: tuple[str, ...]  # "twemoji"
    licences: tuple[str, ...]  # of each pack: "CC-BY-4.0"
    authors: tuple[str, ...]  # of each pack


@lru_cache(maxsize=1)
def load_index(path: Path = INDEX) -> Known:
    """Read the index; its file is part of the package."""
    with np.load(path, allow_pickle=False) as file:
        step = float(file["step"])
        vectors = file["vectors"].T.astype(np.float32) * np.float32(step)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)  # rounding changed the lengths
        texts = {key: tuple(str(file[key]).split("\n")) for key in _TEXTS}
        return Known(
            vectors=np.ascontiguousarray(vectors.reshape(-1, DIMENSIONS)),
            name_of=file["name_of"],
            pack_of=file["pack_of"],
            **texts,
        )


class Earlier:
    """The pictures of a batch so far, as later ones are compared with them: 5 KiB of each.

    Fingerprints lie in one matrix that doubles when it is full, so that a folder of thousands
    costs one product a picture.
    """

    def __init__(self) -> None:
        self._thumbnails: list[NDArray[np.uint8] | None] = []  # of each picture; None: empty
        self._rows = np.empty((16, DIMENSIONS), np.float32)
        self._picture_of: list[int] = []  # of each row in use

    def __len__(self) -> int:
        return len(self._thumbnails)

    def add(self, look: Look) -> None:
        """Remember a picture; it is the next by number, from 0."""
        readings = fingerprints(look)
        used = len(self._picture_of)
        if used + len(readings) > len(self._rows):
            self._rows = np.concatenate([self._rows, np.empty_like(self._rows)])
        self._rows[used : used + len(readings)] = readings
        self._picture_of += [len(self)] * len(readings)
        self._thumbnails.append(_thumbnail(look) if len(readings) else None)

    def twin_of(self, look: Look) -> tuple[int, float] | None:
        """The nearest picture that shows the same in the same colours, and its distance."""
        own = fingerprints(look)
        if not len(own) or not self._picture_of:
            return None
        apart = distances(own, self._rows[: len(self._picture_of)])
        near = np.nonzero(apart <= _TWICE)[0]
        for row in near[np.argsort(apart[near], kind="stable")]:
            picture = self._picture_of[row]
            thumbnail = self._thumbnails[picture]
            if thumbnail is not None and _colour_gap(_thumbnail(look), thumbnail) <= _SAME_COLOURS:
                return picture, float(apart[row])
        return None


_TEXTS = ("names", "packs", "licences", "authors")


def near_copy(look: Look) -> list[Finding]:
    """Close to one picture that the built-in model was trained on: which, whose, under what."""
    readings = fingerprints(look)
    if not len(readings):
        return []
    known = load_index()
    apart = distances(readings, known.vectors)
    order = np.argpartition(apart, _COMMON_AT)[: _COMMON_AT + 1]
    order = order[np.argsort(apart[order])]
    nearest, common = float(apart[order[0]]), float(apart[order[_COMMON_AT]])
    if nearest > _COPY or common < _COMMON * max(nearest, _FLOOR) or _is_plain(look):
        return []
    at = int(order[0])
    pack = int(known.pack_of[at])
    name = known.names[int(known.name_of[at])]
    licence, author = known.licences[pack], known.authors[pack]
    asks = f"asks to name {author}" if _asks_for_credit(licence) else "asks for no credit"
    return [
        Finding(
            check="near_copy",
            severity="note",
            message=f"Close to {name!r} of {known.packs[pack]}; its licence, {licence}, {asks}.",
            box=look.box(look.drawn),
            measure=nearest,
        )
    ]


def _asks_for_credit(licence: str) -> bool:
    """Whether who shows the picture has to name its author: ``licence`` is an SPDX identifier.

    MIT, ISC and Apache ask that their text travels with the files, which is no credit line.
    """
    return licence.upper().startswith("CC-BY")


def near_duplicate(look: Look, earlier: Earlier) -> list[Finding]:
    """The same drawing as an earlier picture of the batch, shifted, scaled or mirrored at most."""
    twin = earlier.twin_of(look)
    if twin is None:
        return []
    return [
        Finding(
            check="near_duplicate",
            severity="note",
            message=f"Nearly the same drawing as picture {twin[0] + 1} of this batch.",
            measure=twin[1],
        )
    ]


def _is_plain(look: Look) -> bool:
    """Whether the drawing is one convex shape in one colour: geometry, nobody's design."""
    colours = look.small[look.drawn][:, :3].astype(np.int16)
    middle = np.median(colours, axis=0)
    if (np.abs(colours - middle).max(axis=1) > _ONE_COLOUR).mean() > _EDGES:
        return False
    rows = np.nonzero(look.drawn.any(axis=1))[0]
    left = look.drawn[rows].argmax(axis=1)
    right = look.drawn.shape[1] - look.drawn[rows, ::-1].argmax(axis=1)
    # each row's width within the convex hull
    hull = _chain(rows, right) + _chain(rows, -left)
    return float(look.drawn.sum()) > _CONVEX * float(hull.sum())


def _chain(rows: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.float64]:
    """How far the convex hull of the points (row, end) reaches in each row.

    Source: Andrew 1979, the monotone chain.
    """
    kept: list[tuple[int, int]] = []
    for point in zip(rows.tolist(), ends.tolist(), strict=True):
        while len(kept) > 1 and _turn(kept[-2], kept[-1], point) >= 0:
            kept.pop()
        kept.append(point)
    at, where = zip(*kept, strict=True)
    return np.asarray(np.interp(rows, at, where))


def _turn(first: tuple[int, int], second: tuple[int, int], third: tuple[int, int]) -> int:
    """Negative where the path through three points bulges at the second."""
    return (second[0] - first[0]) * (third[1] - first[1]) - (second[1] - first[1]) * (
        third[0] - first[0]
    )


def _colour_gap(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Root mean square difference of two thumbnails, or of the mirrored one, 0..1."""
    first, second = (_premultiplied(thumbnail) for thumbnail in (one, other))
    return min(
        float(np.sqrt(((first - candidate) ** 2).mean())) for candidate in (second, second[:, ::-1])
    )


def _premultiplied(thumbnail: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(32, 32, 4), 0..1."""
    cells = thumbnail.astype(np.float32) / np.float32(255)
    premultiplied: NDArray[np.float32] = cells * np.where(_COLOURS, cells[..., 3:], 1)
    return premultiplied


def _thumbnail(look: Look) -> NDArray[np.uint8]:
    """(32, 32, 4), straight alpha: the box around the drawing, filled."""
    left, top, right, bottom = look.box(look.drawn)
    image = Image.fromarray(look.pixels[top:bottom, left:right])
    return np.asarray(image.resize((_THUMBNAIL, _THUMBNAIL), Image.Resampling.BOX))
