"""Join colours that only fade into each other.

Shading and blotches fall into bands of neighbouring colours whose border is no edge: the colour
changes as slowly across it as anywhere else. A designer would have used one colour.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["without_bands"]

_FAR = 0.09  # distance in evened Oklab: colours further apart are both meant
_STEP = 0.58  # of the whole difference, met within three pixels: an edge has 0.65 or more
_LONG = 30  # border pixels at 256 x 256 needed to judge a border


def without_bands(
    seen: NDArray[np.float64], labels: NDArray[np.int64], centres: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Labels (s, s) and their colours (k, 3) after joining; -1 stays clear.

    The pair of colours nearest to each other is joined first, then everything is measured anew.
    A joined label's number is that of the larger area; the other one is no longer used.

    Args:
        seen: (s, s, 3) evened Oklab of the picture, not flattened.
    """
    labels, centres = labels.copy(), centres.copy()
    area = np.bincount(labels[labels >= 0], minlength=len(centres)).astype(np.float64)
    while True:
        step, length = _borders(seen, labels, centres)
        gap = np.sqrt(((centres[:, None] - centres[None]) ** 2).sum(axis=2))
        long_enough = length >= _LONG * labels.shape[0] / 256
        candidates = np.where((gap < _FAR) & (step < _STEP) & long_enough, gap, np.inf)
        if not np.isfinite(candidates).any():
            return labels, centres
        first, second = np.unravel_index(int(candidates.argmin()), candidates.shape)
        keep, drop = (first, second) if area[first] >= area[second] else (second, first)
        weight = area[drop] / (area[keep] + area[drop])
        centres[keep] += weight * (centres[drop] - centres[keep])
        area[keep] += area[drop]
        labels[labels == drop] = keep


def _borders(
    seen: NDArray[np.float64], labels: NDArray[np.int64], centres: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(k, k) share of the colour difference met across each border, and its length in pixels.

    The step is measured between the pixels one further out on each side, along the line between
    the two colours, and averaged over the border, so that noise cancels.
    """
    count = len(centres)
    total, length = np.zeros(count * count), np.zeros(count * count)
    for rows, colours in ((labels, seen), (labels.T, seen.transpose(1, 0, 2))):
        before, after = rows[1:-2], rows[2:-1]
        border = (before != after) & (rows[:-3] >= 0) & (before >= 0) & (after >= 0)
        border &= rows[3:] >= 0
        i, j = before[border], after[border]
        whole = centres[j] - centres[i]
        met = ((colours[3:][border] - colours[:-3][border]) * whole).sum(axis=1)
        part = met / np.maximum((whole**2).sum(axis=1), 1e-9)
        total += np.bincount(i * count + j, part, count * count)
        length += np.bincount(i * count + j, minlength=count * count)
    square = (count, count)
    met_both = total.reshape(square) + total.reshape(square).T
    both = length.reshape(square) + length.reshape(square).T
    return met_both / np.maximum(both, 1.0), both
