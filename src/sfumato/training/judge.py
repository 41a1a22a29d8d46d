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
from PIL import Image

from sfumato.errors import StorageError
from sfumato.training.corpus import Corpus
from sfumato.training.data.pictures import premultiply

SIDE = 64
WEIGHTS = "judge.npz"

_FILL = 58  # pixels of the 64 that the drawing's longer side takes
_BINS = 9  # orientations from 0 to 180 degrees
_CELLS = ((8, 1.0), (16, 0.8))  # side of a cell in pixels, weight of its histogram
_OUTLINE, _OUTLINE_WEIGHT = 16, 0.5  # the silhouette, 16 x 16 means of alpha
_QUIET = 0.5  # gradient energy below which a cell is not brought up to full contrast
_SHRINKAGE = 0.2  # of the mean variance, added to every direction
_DIRECTIONS = 128  # discriminants kept
_BATCH = 256

Pixels = NDArray[np.uint8]


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
        return _unit(both)

    def rank(self, embedded: NDArray[np.float32], best: int = 5) -> NDArray[np.int64]:
        """(N, 128) embeddings to (N, best) numbers of the closest concepts, closest first."""
        cosines = embedded @ self.prototypes.T
        return np.argsort(-cosines, axis=1, kind="stable")[:, :best]

    def _directions_of(self, pictures: Pixels) -> NDArray[np.float32]:
        return _unit((describe(pictures) - self.mean) @ self.projection)


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
    embedded = _unit((features - mean) @ projection)
    prototypes = _unit(_means(embedded, labels).astype(np.float32))
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


def fit_discriminants(
    features: NDArray[np.float32], labels: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean (D,) and projection (D, 128 or fewer) that tell the labels apart best.

    Whitens the variation within a label, shrunk towards a sphere since there are few pictures of
    each, then keeps the directions in which the labels' means differ most.
    """
    mean = features.mean(axis=0)
    means = _means(features, labels)  # (C, D)
    within = features - means[labels]
    scatter = within.T @ within / len(within)  # (D, D)
    scatter += _SHRINKAGE * np.trace(scatter) / len(scatter) * np.eye(len(scatter))
    variance, axes = np.linalg.eigh(scatter)
    whiten = axes / np.sqrt(variance)
    spread = (means - mean) @ whiten
    _, strongest = np.linalg.eigh(spread.T @ spread)  # rising order
    projection = whiten @ strongest[:, ::-1][:, :_DIRECTIONS]
    return mean.astype(np.float32), projection.astype(np.float32)


# ---------------------------------------------------------------- features


def describe(pictures: Pixels, rng: np.random.Generator | None = None) -> NDArray[np.float32]:
    """(N, 64, 64, 4) straight alpha to (N, 976) features; varied copies with ``rng``."""
    parts = []
    for start in range(0, len(pictures), _BATCH):
        batch = [_centred(picture, rng) for picture in pictures[start : start + _BATCH]]
        planes = np.stack(batch).astype(np.float32) / 255.0  # (B, 64, 64, 4) premultiplied
        histograms = _gradient_histograms(planes)
        alpha = _block_means(planes[..., 3:], SIDE // _OUTLINE).reshape(len(planes), -1)
        parts.append(np.concatenate([*histograms, alpha * _OUTLINE_WEIGHT], axis=1))
    if not parts:
        cells = sum((SIDE // cell) ** 2 * _BINS for cell, _ in _CELLS)
        return np.zeros((0, cells + _OUTLINE**2), np.float32)
    return np.concatenate(parts)


def _centred(picture: Pixels, rng: np.random.Generator | None) -> Pixels:
    """The drawing in the middle and as large as fits; with ``rng``, turned, stretched, moved."""
    rows, columns = np.nonzero(picture[..., 3] >= 64)
    if len(rows) == 0:
        return np.zeros((SIDE, SIDE, 4), np.uint8)
    top, bottom = rows.min(), rows.max() + 1
    left, right = columns.min(), columns.max() + 1
    scale = max(bottom - top, right - left) / _FILL
    angle, stretch, mirror, moved = 0.0, 1.0, 1, np.zeros(2)
    if rng is not None:
        angle, stretch = rng.uniform(-0.2, 0.2), rng.uniform(0.9, 1.11)
        scale, mirror = scale * rng.uniform(0.88, 1.12), rng.choice([-1, 1])
        moved = rng.uniform(-3, 3, 2)
    # where each pixel of the result comes from
    xx, xy = np.cos(angle) * scale * mirror * stretch, -np.sin(angle) * scale
    yx, yy = np.sin(angle) * scale * mirror * stretch, np.cos(angle) * scale
    from_x, from_y = SIDE / 2 + moved
    x0 = (left + right) / 2 - xx * from_x - xy * from_y
    y0 = (top + bottom) / 2 - yx * from_x - yy * from_y
    planes = np.rint(premultiply(picture) * 255.0).astype(np.uint8)
    return np.stack(
        [
            np.asarray(
                Image.fromarray(np.ascontiguousarray(planes[..., i])).transform(
                    (SIDE, SIDE),
                    Image.Transform.AFFINE,
                    (xx, xy, x0, yx, yy, y0),
                    Image.Resampling.BILINEAR,
                )
            )
            for i in range(4)
        ],
        axis=-1,
    )


def _gradient_histograms(planes: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """(B, 64, 64, 4) to one (B, cells * 9) array for each size of cell, contrast evened out."""
    down, across = np.zeros_like(planes), np.zeros_like(planes)
    down[:, 1:-1] = planes[:, 2:] - planes[:, :-2]
    across[:, :, 1:-1] = planes[:, :, 2:] - planes[:, :, :-2]
    strongest = (down**2 + across**2).argmax(axis=-1)[..., None]  # of the four channels
    down = np.take_along_axis(down, strongest, -1)[..., 0]  # (B, 64, 64)
    across = np.take_along_axis(across, strongest, -1)[..., 0]
    strength = np.hypot(down, across)
    # without a sign: light on dark is the same as dark on light
    place = (np.arctan2(down, across) % np.pi) / np.pi * _BINS
    lower = np.floor(place).astype(np.int64) % _BINS
    share = place - np.floor(place)
    votes = np.zeros((*strength.shape, _BINS), np.float32)
    np.put_along_axis(votes, lower[..., None], (strength * (1 - share))[..., None], -1)
    np.put_along_axis(votes, ((lower + 1) % _BINS)[..., None], (strength * share)[..., None], -1)
    result = []
    for cell, weight in _CELLS:
        count = SIDE // cell
        cells = _block_means(votes, cell) * cell**2  # (B, count, count, 9)
        energy = np.pad((cells**2).sum(axis=-1), ((0, 0), (1, 1), (1, 1)), mode="edge")
        around = sum(energy[:, i : i + count, j : j + count] for i in range(3) for j in range(3))
        cells = np.minimum(cells / np.sqrt(around / 9 + _QUIET)[..., None], 1.0)
        result.append(np.sqrt(cells).reshape(len(planes), -1) * np.float32(weight))
    return result


def _block_means(values: NDArray[np.float32], block: int) -> NDArray[np.float32]:
    count, side, _, channels = values.shape
    blocks = values.reshape(count, side // block, block, side // block, block, channels)
    return blocks.mean(axis=(2, 4))


def _means(values: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    sums = np.zeros((labels.max() + 1, values.shape[1]))
    np.add.at(sums, labels, values)
    return sums / np.bincount(labels)[:, None]


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(lengths, 1e-9)
