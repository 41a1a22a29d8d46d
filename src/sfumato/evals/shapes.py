"""What an icon's shape is in numbers, and which of those numbers tell subjects apart.

Oriented gradients and the silhouette describe a drawing; linear discriminants, fitted in closed
form, weigh them. Nothing here sees colour: gradients have no sign and no hue, size and place are
normalised, and turned, stretched and mirrored copies say what does not matter. A blue fox is a fox.

Source: Dalal & Triggs 2005 (histograms of oriented gradients); Fisher 1936 and Rao 1948 (linear
discriminants).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = [
    "SIDE",
    "Pixels",
    "describe",
    "discriminants_of",
    "fit_discriminants",
    "label_means",
    "premultiplied",
    "resized",
    "unit",
]

SIDE = 64

_FILL = 58  # pixels of the 64 that the drawing's longer side takes
_BINS = 9  # orientations from 0 to 180 degrees
_CELLS = ((8, 1.0), (16, 0.8))  # side of a cell in pixels, weight of its histogram
_OUTLINE, _OUTLINE_WEIGHT = 16, 0.5  # the silhouette, 16 x 16 means of alpha
_QUIET = 0.5  # gradient energy below which a cell is not brought up to full contrast
_SHRINKAGE = 0.2  # of the mean variance, added to every direction
_DIRECTIONS = 128  # discriminants kept
_BATCH = 256

Pixels = NDArray[np.uint8]


def fit_discriminants(
    features: NDArray[np.float32], labels: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean (D,) and projection (D, 128 or fewer) that tell the labels apart best.

    Whitens the variation within a label, shrunk towards a sphere since there are few pictures of
    each, then keeps the directions in which the labels' means differ most.
    """
    mean = features.mean(axis=0)
    means = label_means(features, labels)  # (C, D)
    within = features - means[labels]
    return mean.astype(np.float32), discriminants_of(mean, means, within.T @ within / len(within))


def discriminants_of(
    mean: NDArray[np.floating], means: NDArray[np.floating], within: NDArray[np.floating]
) -> NDArray[np.float32]:
    """The (D, 128 or fewer) directions that part ``means`` (C, D) best, spread alike otherwise.

    ``within`` (D, D) is the scatter inside a label; it is shrunk towards a sphere.
    """
    sphere = _SHRINKAGE * np.trace(within) / len(within) * np.eye(len(within))
    variance, axes = np.linalg.eigh(within + sphere)
    whiten = axes / np.sqrt(variance)
    spread = (means - mean) @ whiten
    _, strongest = np.linalg.eigh(spread.T @ spread)  # rising order
    directions: NDArray[np.float32] = (whiten @ strongest[:, ::-1][:, :_DIRECTIONS]).astype(
        np.float32
    )
    return directions


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
    planes = np.rint(premultiplied(picture) * 255.0).astype(np.uint8)
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
        around = np.zeros((len(planes), count, count), np.float32)
        for i, j in np.ndindex(3, 3):
            around += energy[:, i : i + count, j : j + count]
        cells = np.minimum(cells / np.sqrt(around / 9 + _QUIET)[..., None], 1.0)
        result.append(np.sqrt(cells).reshape(len(planes), -1) * np.float32(weight))
    return result


def _block_means(values: NDArray[np.float32], block: int) -> NDArray[np.float32]:
    count, side, _, channels = values.shape
    blocks = values.reshape(count, side // block, block, side // block, block, channels)
    means: NDArray[np.float32] = blocks.mean(axis=(2, 4))
    return means


def premultiplied(pictures: Pixels) -> NDArray[np.float32]:
    """(..., 4) uint8 straight alpha to float32 in 0..1, colour times alpha."""
    values: NDArray[np.float32] = pictures.astype(np.float32) / np.float32(255.0)
    values[..., :3] *= values[..., 3:]
    return values


def resized(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """(H, W, 4) straight alpha at ``size`` = (width, height), averaged where it gets smaller."""
    planes = np.rint(premultiplied(pixels) * 255.0).astype(np.uint8)
    shrinks = size[0] < pixels.shape[1]
    how = Image.Resampling.BOX if shrinks else Image.Resampling.BICUBIC
    values = np.stack(
        [
            np.asarray(Image.fromarray(np.ascontiguousarray(planes[..., i])).resize(size, how))
            for i in range(4)
        ],
        axis=-1,
    ).astype(np.float32)
    alpha = values[..., 3:]
    values[..., :3] = np.where(alpha > 0, values[..., :3] * 255.0 / np.maximum(alpha, 1.0), 0.0)
    straight: Pixels = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return straight


def label_means(values: NDArray[np.floating], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """(C, D) means of the rows of ``values`` (N, D) that share a label, 0 to C - 1."""
    sums = np.zeros((int(labels.max()) + 1, values.shape[1]))
    np.add.at(sums, labels, values)
    means: NDArray[np.float64] = sums / np.bincount(labels)[:, None]
    return means


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, D) vectors at length 1; those of length 0 stay."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    result: NDArray[np.float32] = vectors / np.maximum(lengths, np.float32(1e-9))
    return result
