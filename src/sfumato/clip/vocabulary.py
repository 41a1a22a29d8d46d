"""Names of things with their vectors: what a picture is compared with when nobody names labels.

The names are the subjects the built-in model was shown. Embedding two thousand of them in several
phrasings takes many seconds, so the built-in model's vectors ship with the package, and those of
any other picture-text model are kept in the cache folder, one file each. ``evals/vocabulary.py``
makes the file that ships.
"""

from __future__ import annotations

import io
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sfumato.atomic import replacing
from sfumato.clip.base import PictureTextModel
from sfumato.clip.labels import TEMPLATES, embed_labels
from sfumato.errors import StorageError
from sfumato.models.catalogue import WEIGHTS, read_sheet, weight_bytes
from sfumato.registry import cache_folder

__all__ = [
    "SHIPPED",
    "Vocabulary",
    "file_name",
    "load_vocabulary",
    "subject_names",
    "write_vectors",
]

SHIPPED = Path(__file__).with_name("data")
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
    file = file_name(model)
    stored = _read(SHIPPED / file, names)
    path = None if stored is not None else _cached(file)
    if stored is None and path is not None:
        stored = _read(path, names)
    if stored is None:
        stored = embed_labels(names, model, TEMPLATES).astype(np.float16).astype(np.float32)
        if path is not None:
            with suppress(OSError):  # a full or read-only disk only costs time
                write_vectors(path, names, stored)
    return Vocabulary(names, stored)


def file_name(model: PictureTextModel) -> str:
    """What a file with this model's vectors is called: another model's never fits."""
    return f"{model.spec.sha256[:24]}-{_VERSION}.npz"


def write_vectors(path: Path, names: tuple[str, ...], vectors: NDArray[np.float32]) -> None:
    """Write a file of vectors, (N, D), as 16-bit floats: a cosine keeps three digits.

    Raises: OSError: it cannot be written; nothing of it is left.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, names=np.array("\n".join(names)), vectors=vectors.astype(np.float16))


def _cached(file: str) -> Path | None:
    """Where a file is kept between runs; None where there is no place for it."""
    try:
        return cache_folder() / "vocabularies" / file
    except StorageError:
        return None


def _read(path: Path, names: tuple[str, ...]) -> NDArray[np.float32] | None:
    """The cached vectors, or None where the file is missing, damaged or of other names."""
    with suppress(Exception):  # a cache that cannot be read is made again, whatever is wrong
        with np.load(path, allow_pickle=False) as stored:
            vectors: NDArray[np.float32] = stored["vectors"].astype(np.float32)
            same = tuple(str(stored["names"]).split("\n")) == names
        if same and vectors.ndim == 2 and len(vectors) == len(names):
            return vectors
    return None
