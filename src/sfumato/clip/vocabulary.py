"""Names of things with their vectors: what a picture is compared with when nobody names labels.

The names are the subjects the built-in model was shown. Embedding two thousand of them takes a few
seconds, so the vectors are kept in the cache folder, one file for each picture-text model.
"""

from __future__ import annotations

import io
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sfumato.atomic import replacing
from sfumato.clip.base import PictureTextModel
from sfumato.clip.labels import TEMPLATES, embed_labels
from sfumato.models.catalogue import WEIGHTS, read_sheet, weight_bytes

__all__ = ["Vocabulary", "load_vocabulary", "subject_names"]

_SOURCE = "chiaro"  # whose list of subjects is used
_VERSION = 1  # of the cached files: raise it when names or phrasings change their meaning


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Names and their unit vectors, (N, D) float32, row for row."""

    names: tuple[str, ...]
    vectors: NDArray[np.float32]

    def nearest(self, vector: NDArray[np.float32], limit: int) -> list[tuple[str, float]]:
        """The names closest to a unit vector (D,), with their cosines, closest first."""
        cosines = self.vectors @ vector
        best = np.argsort(-cosines, kind="stable")[:limit]
        return [(self.names[i], float(cosines[i])) for i in best]


def subject_names() -> tuple[str, ...]:
    """What the built-in model was shown, in alphabetical order.

    Raises: ModelError: the list is missing or damaged.
    """
    folder = WEIGHTS / _SOURCE
    content = weight_bytes(folder, read_sheet(folder), "concepts.npz")
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        return tuple(str(stored["concepts"]).split("\n"))


def load_vocabulary(model: PictureTextModel) -> Vocabulary:
    """Every subject's vector in this model's space, from the cache where it is there."""
    names = subject_names()
    path = _cache_folder() / f"{model.spec.sha256[:24]}-{_VERSION}.npz"
    stored = _read(path, names)
    if stored is None:
        stored = embed_labels(names, model, TEMPLATES)
        _keep(path, names, stored)
    return Vocabulary(names, stored)


def _cache_folder() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "sfumato" / "vocabularies"


def _read(path: Path, names: tuple[str, ...]) -> NDArray[np.float32] | None:
    """The cached vectors, or None where the file is missing, damaged or of other names."""
    with suppress(Exception):  # a cache that cannot be read is made again, whatever is wrong
        with np.load(path, allow_pickle=False) as stored:
            vectors: NDArray[np.float32] = stored["vectors"].astype(np.float32)
            same = tuple(str(stored["names"]).split("\n")) == names
        if same and vectors.ndim == 2 and len(vectors) == len(names):
            return vectors
    return None


def _keep(path: Path, names: tuple[str, ...], vectors: NDArray[np.float32]) -> None:
    """Write the cache file whole or not at all; a full or read-only disk only costs time."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.savez(file, names=np.array("\n".join(names)), vectors=vectors)
