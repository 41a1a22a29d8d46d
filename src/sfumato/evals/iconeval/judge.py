"""The judge: which of the 80 concepts stand in a picture, where, and in which colour.

Each branch of the tree of pieces is described by its shape and compared with prototypes: those of
the 80 concepts and those of some 800 other subjects, which together mean "none of them". The
branches that explain most of the picture by the surest names are the subjects.

It was fitted to OpenMoji, EmojiOne v1 and Noto v1, which no drawing or ranking model of ours was
trained on, by ``evals/iconeval/make_judge.py``; NumPy alone runs it.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import IO

import numpy as np
from numpy.typing import NDArray

from sfumato.errors import StorageError
from sfumato.evals.colour import main_colour
from sfumato.evals.iconeval.segment import Piece, cut_out, find_pieces, reduced
from sfumato.evals.shapes import SIDE, Pixels, describe, resized, unit

__all__ = ["IconJudge", "Subject", "load_judge", "tile_of"]

WEIGHTS = "judge.npz"
NONE = -1  # owner of a prototype of something else

_ALIKE = 0.4  # ratio of areas from which two parts are of like size
_TOGETHER = 0.6  # weight of their joint name


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One thing that the judge found."""

    name: str  # a concept; "" where it is none of them
    confidence: float  # 0..1, of the name, or that it is none
    box: tuple[float, float, float, float]  # left, top, right, bottom; the longer side is 1
    colour: str  # a basic colour term
    area: float  # share of the foreground


@dataclass(frozen=True, slots=True)
class IconJudge:
    """A fitted judge."""

    mean: NDArray[np.float32]  # (D,) of the features
    projection: NDArray[np.float32]  # (D, d)
    prototypes: NDArray[np.float32]  # (P, d) unit vectors
    owner: NDArray[np.int64]  # (P,) number of the concept, or NONE
    concepts: Sequence[str]
    sharpness: float  # of the softmax over cosines
    doubt: float  # added to the logit of "none"
    threshold: float  # confidence from which a name counts

    def embed(self, tiles: Pixels) -> NDArray[np.float32]:
        """(N, 64, 64, 4) straight alpha to (N, d) unit vectors, the same for a mirror image."""
        ways = [
            unit(np.asarray((describe(turned) - self.mean) @ self.projection, np.float32))
            for turned in (tiles, tiles[:, :, ::-1])
        ]
        return unit(np.asarray(ways[0] + ways[1], np.float32))

    def probabilities(self, embedded: NDArray[np.float32]) -> NDArray[np.float64]:
        """(N, d) to (N, C + 1): each concept, then none. Rows add up to 1."""
        logits = self.sharpness * np.asarray(embedded @ self.prototypes.T, np.float64)
        logits[:, self.owner == NONE] += self.doubt
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        sums = np.zeros((len(self.concepts) + 1, len(shares)))
        np.add.at(sums, self.owner, shares.T)  # NONE is the last row
        totals: NDArray[np.float64] = (sums / sums.sum(axis=0)).T
        return totals

    def find_subjects(self, pixels: Pixels) -> tuple[Subject, ...]:
        """The subjects of (H, W, 4) pixels, surest first."""
        cut = cut_out(reduced(pixels))
        root = find_pieces(cut)
        if root is None:
            return ()
        nodes = list(_walk(root))
        chances = self.probabilities(self.embed(np.stack([tile_of(cut, n.mask) for n in nodes])))
        surest = {id(node): row for node, row in zip(nodes, chances, strict=True)}
        chosen = _best_cut(root, {key: float(row[:-1].max()) for key, row in surest.items()})[1]
        found = [self._subject(cut, node, surest[id(node)], root) for node in chosen]
        return tuple(sorted(found, key=lambda one: (one.name == "", -one.confidence)))

    def _subject(
        self, cut: Pixels, node: Piece, chances: NDArray[np.float64], root: Piece
    ) -> Subject:
        best = int(chances[:-1].argmax())
        named = chances[best] >= self.threshold
        own = cut.copy()
        own[~node.mask, 3] = 0
        longer = max(cut.shape[:2])
        left, top, right, bottom = (round(side / longer, 4) for side in node.box)
        return Subject(
            name=self.concepts[best] if named else "",
            confidence=round(float(chances[best] if named else chances[-1]), 4),
            box=(left, top, right, bottom),
            colour=main_colour(own),
            area=round(float(node.mask.sum() / root.mask.sum()), 4),
        )


def load_judge(file: IO[bytes] | None = None) -> IconJudge:
    """The judge that ships in the package, or the one in ``file``.

    Raises: StorageError: not a judge's file.
    """
    return _shipped() if file is None else _read(file)


@lru_cache(maxsize=1)
def _shipped() -> IconJudge:
    data = resources.files("sfumato.evals.iconeval").joinpath(WEIGHTS).read_bytes()
    return _read(io.BytesIO(data))


def _read(file: IO[bytes]) -> IconJudge:
    try:
        with np.load(file, allow_pickle=False) as stored:
            scales = stored["projection_scales"].astype(np.float32)  # (d,)
            sharpness, doubt, threshold = (float(value) for value in stored["calibration"])
            return IconJudge(
                mean=stored["mean"].astype(np.float32),
                projection=stored["projection"].astype(np.float32) * scales,
                prototypes=unit(stored["prototypes"].astype(np.float32)),
                owner=stored["owner"].astype(np.int64),
                concepts=str(stored["concepts"]).split("\n"),
                sharpness=sharpness,
                doubt=doubt,
                threshold=threshold,
            )
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise StorageError(
            f"The judge of iconeval cannot be read ({error}).",
            hint="Reinstall sfumato: pip install --force-reinstall sfumato",
        ) from None


def tile_of(cut: Pixels, mask: NDArray[np.bool_]) -> Pixels:
    """The masked part of (H, W, 4) pixels alone, averaged into (64, 64, 4), centred.

    Half-covered pixels at the border belong to it, so that outlines stay smooth.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    part = cut[top:bottom, left:right].copy()
    part[~mask[top:bottom, left:right], 3] = 0
    scale = (SIDE - 4) / max(part.shape[:2])
    width, height = (max(1, round(part.shape[axis] * scale)) for axis in (1, 0))
    tile = np.zeros((SIDE, SIDE, 4), np.uint8)
    y, x = (SIDE - height) // 2, (SIDE - width) // 2
    tile[y : y + height, x : x + width] = resized(part, (width, height))
    return tile


def _walk(piece: Piece) -> Sequence[Piece]:
    """The piece and everything below it."""
    below = [] if piece.parts is None else [node for part in piece.parts for node in _walk(part)]
    return [piece, *below]


def _best_cut(piece: Piece, surest: dict[int, float]) -> tuple[float, list[Piece]]:
    """The branches whose names explain most: pixels times the chance of the best name, summed.

    A piece is left whole when cutting it explains no more. Two parts of like size are rather two
    subjects than one: what comes loose in a drawing is small, such as drops over an umbrella.
    """
    whole = float(piece.mask.sum()) * surest[id(piece)]
    if piece.parts is None:
        return whole, [piece]
    smaller, larger = sorted(int(part.mask.sum()) for part in piece.parts)
    if smaller >= _ALIKE * larger:
        whole *= _TOGETHER
    first, second = (_best_cut(part, surest) for part in piece.parts)
    apart = first[0] + second[0]
    return (apart, first[1] + second[1]) if apart > whole else (whole, [piece])
