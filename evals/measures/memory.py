"""Memorisation: how close a drawing comes to its nearest training picture.

A distance alone says nothing, since one icon of a fox resembles another. It is set against the
same distance for real icons that were held out of training: a model that learned the subject
lies about as far from the training set as those do, a model that learned the pictures lies
closer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sfumato.training.data.pictures import premultiply

PIXEL_SIDE = 32


@dataclass(frozen=True, slots=True)
class Nearest:
    """For each picture: the closest training picture and how far it is."""

    index: NDArray[np.int64]  # (N,)
    distance: NDArray[np.float64]  # (N,)


def shrink(pictures: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """(N, S, S, 4) straight alpha to (N, side, side, 4) by averaging premultiplied blocks.

    Raises: ValueError: S is not a multiple of ``side``.
    """
    count, size = pictures.shape[:2]
    if size % side:
        raise ValueError(f"{size} is not a multiple of {side}")
    block = size // side
    out = np.empty((count, side, side, 4), np.uint8)
    for start in range(0, count, 256):  # floats of a whole set of large pictures would not fit
        part = premultiply(pictures[start : start + 256])
        means = part.reshape(len(part), side, block, side, block, 4).mean(axis=(2, 4))
        means[..., :3] /= np.maximum(means[..., 3:], 1e-6)
        out[start : start + 256] = np.clip(np.rint(means * 255.0), 0, 255)
    return out


def nearest_by_pixels(pictures: NDArray[np.uint8], training: NDArray[np.uint8]) -> Nearest:
    """Root mean square difference at 32 px over premultiplied red, green, blue and alpha, 0..1."""
    ours = premultiply(shrink(pictures, PIXEL_SIDE)).reshape(len(pictures), -1)
    theirs = premultiply(shrink(training, PIXEL_SIDE)).reshape(len(training), -1)
    squares = (theirs**2).sum(axis=1)
    index = np.empty(len(ours), np.int64)
    for start in range(0, len(ours), 256):
        cost = squares - 2.0 * ours[start : start + 256] @ theirs.T
        index[start : start + 256] = cost.argmin(axis=1)
    # the expansion above loses digits where the distance is small, which is where it matters
    distance = np.sqrt(((ours - theirs[index]).astype(np.float64) ** 2).mean(axis=1))
    return Nearest(index, distance)


def nearest_by_embedding(embedded: NDArray[np.float32], training: NDArray[np.float32]) -> Nearest:
    """One minus the cosine, 0..2, between unit vectors (N, d) and (M, d)."""
    cosines = embedded @ training.T
    index = cosines.argmax(axis=1)
    distance = 1.0 - cosines[np.arange(len(embedded)), index].astype(np.float64)
    return Nearest(index, np.maximum(distance, 0.0))


def is_closer_than(
    distance: NDArray[np.float64], real: NDArray[np.float64], share: float = 0.05
) -> NDArray[np.bool_]:
    """Which distances lie below the one that only ``share`` of held-out real icons undercut."""
    close: NDArray[np.bool_] = distance < np.quantile(real, share)
    return close
