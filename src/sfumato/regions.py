"""Connected regions of a mask, with NumPy alone.

A mask is cut into horizontal runs; runs that touch in neighbouring rows are joined by passing the
smallest label along until nothing changes. The cost grows with the number of runs, not pixels,
so flat drawings are quick and noise stays bounded.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Regions", "fill_holes", "find_regions"]


@dataclass(frozen=True, slots=True)
class Regions:
    """Which region each pixel belongs to, and how large the regions are.

    ``labels`` is (H, W) int64, 0 outside the mask and 1..n inside; ``areas`` is (n + 1,) int64
    with ``areas[0]`` = 0, in pixels; ``boxes`` is (n + 1, 4) int64: left, top, right, bottom,
    right and bottom exclusive.
    """

    labels: NDArray[np.int64]
    areas: NDArray[np.int64]
    boxes: NDArray[np.int64]

    def mask_of(self, chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """(H, W) pixels of the regions for which ``chosen``, (n + 1,), is true."""
        return chosen[self.labels]


def fill_holes(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The mask and every patch that it encloses: all that the outside of (H, W) does not reach."""
    around = find_regions(~np.pad(mask, 1))
    outside = np.zeros(len(around.areas), np.bool_)
    outside[around.labels[0, 0]] = True
    filled: NDArray[np.bool_] = ~around.mask_of(outside)[1:-1, 1:-1]
    return filled


def find_regions(mask: NDArray[np.bool_]) -> Regions:
    """The 4-connected regions of (H, W) ``mask``, numbered from the top left."""
    height, width = mask.shape
    stride = width + 1  # one empty column, so that no run wraps into the next row
    padded = np.zeros((height, stride + 1), np.int8)
    padded[:, 1:stride] = mask
    rows, columns = np.nonzero(np.diff(padded, axis=1))  # starts and ends alternate
    position = rows * stride + columns
    starts, ends = position[0::2], position[1::2]
    count = len(starts)
    if count == 0:
        return Regions(
            np.zeros(mask.shape, np.int64), np.zeros(1, np.int64), np.zeros((1, 4), np.int64)
        )

    # runs of the row above that overlap run i are first[i] .. last[i] - 1
    first = np.searchsorted(ends, starts - stride, side="right")
    last = np.searchsorted(starts, ends - stride, side="left")
    touching = np.maximum(last - first, 0)
    below = np.repeat(np.arange(count), touching)
    offset = np.arange(len(below)) - np.repeat(np.cumsum(touching) - touching, touching)
    above = first[below] + offset

    root = np.arange(count)
    while True:
        low = np.minimum(root[below], root[above])
        before = root.copy()
        np.minimum.at(root, before[below], low)
        np.minimum.at(root, before[above], low)
        while not np.array_equal(root, root[root]):
            root = root[root]
        if np.array_equal(root, before):
            break

    _, label = np.unique(root, return_inverse=True)
    label = label.reshape(-1) + 1
    total = int(label.max())
    length = ends - starts
    areas = np.bincount(label, length, total + 1).astype(np.int64)

    flat = np.zeros(height * stride + 1, np.int64)
    flat[starts] = label
    flat[ends] -= label  # two runs never share a column: a pixel of the empty mask lies between
    labels = np.cumsum(flat)[: height * stride].reshape(height, stride)[:, :width]

    boxes = np.zeros((total + 1, 4), np.int64)
    boxes[1:, :2] = max(height, width)
    y, left = starts // stride, starts % stride
    np.minimum.at(boxes[:, 0], label, left)
    np.minimum.at(boxes[:, 1], label, y)
    np.maximum.at(boxes[:, 2], label, left + length)
    np.maximum.at(boxes[:, 3], label, y + 1)
    return Regions(labels, areas, boxes)
