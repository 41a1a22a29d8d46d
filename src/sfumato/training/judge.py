"""The judge: names the subject of an icon, for scoring the models that draw them.

It is fitted to packs that no drawing model of ours ever sees (OpenMoji, EmojiOne v1, Noto v1), so
that its opinion is independent. There are three pictures of a concept at most, too few to learn
features from; so the features are given (oriented gradients and the silhouette) and only their
weighting is learned, in closed form, from how the packs' drawings of one concept differ.

It sees shape alone: gradients have no sign and no hue, size and place are normalised, and turned,
stretched and mirrored copies say what does not matter. A blue fox is a fox.

Source: Dalal & Triggs 2005 (histograms of oriented gradients); Fisher 1936 and Rao 1948 (linear
discriminants).
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sfumato.errors import StorageError
from sfumato.evals.shapes import SIDE, Pixels, describe, fit_discriminants, label_means, unit
from sfumato.training.corpus import Corpus

__all__ = ["SIDE", "WEIGHTS", "Judge", "describe", "fit_discriminants", "train_judge"]

WEIGHTS = "judge.npz"


@dataclass(frozen=True, slots=True)
class Judge:
    """A fitted judge: names for pictures, and an embedding to compare sets of pictures in."""

    mean: NDArray[np.float32]  # (D,) of the features
    projection: NDArray[np.float32]  # (D, 128): within a concept, all directions vary alike
    prototypes: NDArray[np.float32]  # (C, 128) unit vectors
    concepts: Sequence[str]
    groups: Sequence[str]  # of each concept, such as "animals-nature/animal-mammal"
    sha256: str = ""

    @classmethod
    def load(cls, folder: Path) -> Judge:
        """The judge that ``train_judge`` left in ``folder``.

        Raises: StorageError: there is none, or it is damaged.
        """
        path = folder / WEIGHTS
        try:
            content = path.read_bytes()
            with np.load(io.BytesIO(content)) as arrays:
                return cls(
                    mean=arrays["mean"],
                    projection=arrays["projection"],
                    prototypes=arrays["prototypes"],
                    concepts=[str(name) for name in arrays["concepts"]],
                    groups=[str(name) for name in arrays["groups"]],
                    sha256=hashlib.sha256(content).hexdigest(),
                )
        except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
            raise StorageError(
                f"{path} is not a judge ({error}).",
                hint="Train one with: python evals/judge.py --data data/judge --out runs/judge",
            ) from None

    def embed(self, pictures: Pixels) -> NDArray[np.float32]:
        """(N, 64, 64, 4) straight-alpha pictures to (N, 128) unit vectors.

        A picture and its mirror image have one embedding.
        """
        mirrored = pictures[:, :, ::-1]
        both = self._directions_of(pictures) + self._directions_of(mirrored)
        return unit(both)

    def rank(self, embedded: NDArray[np.float32], best: int = 5) -> NDArray[np.int64]:
        """(N, 128) embeddings to (N, best) numbers of the closest concepts, closest first."""
        cosines = embedded @ self.prototypes.T
        return np.argsort(-cosines, axis=1, kind="stable")[:, :best]

    def _directions_of(self, pictures: Pixels) -> NDArray[np.float32]:
        return unit((describe(pictures) - self.mean) @ self.projection)


def train_judge(corpus: Corpus, out: Path, *, copies: int = 7, seed: int = 0) -> Judge:
    """Fit to every picture of ``corpus`` and write ``out/judge.npz``. A minute on one core.

    ``copies`` varied versions of each picture are added to it.

    Raises: StorageError: ``out`` cannot be written.
    """
    concepts = sorted({row["concept"] for row in corpus.rows})
    group_of = {row["concept"]: str(row["group"] or "") for row in corpus.rows}
    number = {concept: i for i, concept in enumerate(concepts)}
    own = np.array([number[row["concept"]] for row in corpus.rows])
    rng = np.random.default_rng(seed)
    features = np.concatenate(
        [describe(corpus.pictures), *(describe(corpus.pictures, rng) for _ in range(copies))]
    )  # (N, D)
    labels = np.tile(own, copies + 1)  # (N,)
    mean, projection = fit_discriminants(features, labels)
    embedded = unit((features - mean) @ projection)
    prototypes = unit(label_means(embedded, labels).astype(np.float32))
    buffer = io.BytesIO()
    groups = [group_of[concept] for concept in concepts]
    np.savez_compressed(
        buffer,
        mean=mean,
        projection=projection,
        prototypes=prototypes,
        concepts=np.array(concepts),
        groups=np.array(groups),
    )
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / WEIGHTS).write_bytes(buffer.getvalue())
    except OSError as error:
        raise StorageError(f"{out / WEIGHTS} cannot be written ({error.strerror}).") from None
    return Judge.load(out)
