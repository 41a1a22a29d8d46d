"""Where a defect is: masks that travel in JSON.

A finding's mask covers the whole picture with a coarse grid, at most 128 cells on the longer
side, as run lengths. That is fine enough to point at a speck and small enough to print.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sfumato.request import Mask

__all__ = ["from_mask", "to_mask"]

_GRID = 128  # cells on the longer side


def to_mask(where: NDArray[np.bool_]) -> Mask:
    """(H, W) pixels as a ``Mask``; a cell is set when any of its pixels is.

    The last row and column of cells may stand for fewer pixels than the others.
    """
    step = max(1, -(-max(where.shape) // _GRID))
    height, width = (-(-side // step) for side in where.shape)
    padded = np.zeros((height * step, width * step), np.bool_)
    padded[: where.shape[0], : where.shape[1]] = where
    cells = padded.reshape(height, step, width, step).any(axis=(1, 3))
    changes = np.flatnonzero(np.diff(cells.ravel(), prepend=np.False_))
    runs = np.diff(np.concatenate([[0], changes, [cells.size]]))
    return Mask(width=width, height=height, runs=tuple(int(run) for run in runs))


def from_mask(mask: Mask, height: int | None = None, width: int | None = None) -> NDArray[np.bool_]:
    """The cells as (mask.height, mask.width), or enlarged to (height, width) pixels."""
    inside = np.arange(len(mask.runs)) % 2 == 1
    cells = np.repeat(inside, mask.runs).reshape(mask.height, mask.width)
    if height is None or width is None:
        return cells
    # the inverse of ``to_mask``: each cell stands for ``step`` pixels, the last for what is left
    step = -(-max(height, width) // max(mask.height, mask.width))
    return cells.repeat(step, axis=0).repeat(step, axis=1)[:height, :width]
