"""What the built-in model was shown: nearest subject to any words, and how near.

A small network draws what it has seen. For words it has not, the closest words it has are found
among the training captions, and the sentence vector leans their way: the idea of DALL-E 2's prior
(Ramesh et al. 2022, arXiv:2204.06125, section 2.1) with a nearest neighbour in place of a network.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sized
from dataclasses import dataclass
from typing import IO

import numpy as np
from numpy.typing import NDArray

from sfumato.errors import ModelError

# what reading a file of other bytes than were written can end in
_DAMAGE = (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True, slots=True)
class Match:
    """The nearest caption, the subject it names, the styles it was shown in, and the cosine."""

    caption: str
    concept: str
    styles: frozenset[str]
    similarity: float


class Concepts:
    """Captions of the training pictures with int8 sentence vectors."""

    def __init__(self, file: IO[bytes]) -> None:
        """Read ``concepts.npz``.

        Raises: ModelError: not the file that ``training/export.py`` writes.
        """
        try:
            with np.load(file, allow_pickle=False) as stored:
                self._captions = str(stored["captions"]).split("\n")
                self._concept_of = stored["concept_of"]
                self.names = str(stored["concepts"]).split("\n")
                self._styles = [
                    frozenset(line.split(",")) for line in str(stored["styles"]).split("\n")
                ]
                self._directions = stored["directions"].astype(np.float32)  # (192, 384)
                vectors = stored["vectors"].astype(np.float32)  # (N, 192)
            _require_one_each(self._captions, self._concept_of, self._styles, vectors)
        except _DAMAGE as error:
            raise ModelError(
                f"concepts.npz is damaged ({error}).",
                hint="Install or export the model again.",
            ) from None
        self._vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def nearest(self, vector: NDArray[np.float32], style: str | None = None) -> Match:
        """The closest caption to a unit sentence vector (384,).

        Only captions that were shown in ``style`` count; all of them where none was.
        """
        small = self._directions @ vector
        small /= max(float(np.linalg.norm(small)), 1e-6)
        scores = self._vectors @ small
        if style is not None:
            shown = np.array([style in styles for styles in self._styles])
            scores = np.where(shown, scores, -2.0) if shown.any() else scores
        best = int(np.argmax(scores))
        concept = int(self._concept_of[best])
        return Match(
            caption=self._captions[best],
            concept=self.names[concept],
            styles=self._styles[best],
            similarity=float(np.clip(scores[best], 0.0, 1.0)),
        )


def _require_one_each(*columns: Sized) -> None:
    if len({len(column) for column in columns}) != 1:
        raise ValueError("its columns differ in length")


def lean_towards(
    vector: NDArray[np.float32], known: NDArray[np.float32], similarity: float
) -> NDArray[np.float32]:
    """``vector`` moved towards a ``known`` one, both unit (384,); unit again.

    Nothing moves where the two are the same words or strangers to each other; in between the known
    words get up to nine tenths of the say.
    """
    weight = np.clip((similarity - 0.35) / 0.2, 0.0, 0.9)
    mixed = vector + np.float32(weight) * (known - vector)
    unit: NDArray[np.float32] = mixed / max(float(np.linalg.norm(mixed)), 1e-6)
    return unit
