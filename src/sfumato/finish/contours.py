"""Outlines of a soft mask, placed between pixels.

Marching squares (Lorensen & Cline 1987, in two dimensions): the mask crosses zero somewhere
along an edge of the pixel grid, and linear interpolation says where. Every step is NumPy; only
the walk along the finished loops is Python.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["find_contours"]

# The four corners of a cell are numbered 1, 2, 4, 8 from the top left, clockwise; its edges are
# top, right, bottom, left. A case is the sum of the corners inside; an outline enters the cell
# by one edge and leaves by another with the inside on its left. The two saddles (5 and 10) join
# the inside corners, as 4-connected holes ask for.
_TOP, _RIGHT, _BOTTOM, _LEFT = 0, 1, 2, 3
_STEPS: dict[int, tuple[tuple[int, int], ...]] = {
    1: ((_LEFT, _TOP),),
    2: ((_TOP, _RIGHT),),
    3: ((_LEFT, _RIGHT),),
    4: ((_RIGHT, _BOTTOM),),
    5: ((_LEFT, _BOTTOM), (_RIGHT, _TOP)),
    6: ((_TOP, _BOTTOM),),
    7: ((_LEFT, _BOTTOM),),
    8: ((_BOTTOM, _LEFT),),
    9: ((_BOTTOM, _TOP),),
    10: ((_TOP, _LEFT), (_BOTTOM, _RIGHT)),
    11: ((_BOTTOM, _RIGHT),),
    12: ((_RIGHT, _LEFT),),
    13: ((_RIGHT, _TOP),),
    14: ((_TOP, _LEFT),),
}


def find_contours(field: NDArray[np.float32]) -> list[NDArray[np.float64]]:
    """Closed outlines of the part of (H, W) ``field`` that is above zero.

    Returns loops of (n, 2) points x, y in pixels, where pixel (0, 0) has its centre at
    (0.5, 0.5); the last point is not a repeat of the first. Outer outlines run anticlockwise on
    screen, holes clockwise.
    """
    above = field > 0.0
    lines, columns_used = np.nonzero(above.any(axis=1))[0], np.nonzero(above.any(axis=0))[0]
    if len(lines) == 0:
        return []
    # nothing happens away from what is above zero: one step around it is all that is read
    top, left = max(int(lines[0]) - 1, 0), max(int(columns_used[0]) - 1, 0)
    window = np.s_[top : lines[-1] + 2, left : columns_used[-1] + 2]
    padded = np.pad(field[window], 1, constant_values=-1.0)
    # exactly zero has no inside: push it to the outside so that every crossing is well defined
    padded[padded == 0.0] = -1e-6
    height, width = padded.shape
    inside = (padded > 0.0).view(np.uint8)
    case = inside[:-1, :-1] + 2 * inside[:-1, 1:] + 4 * inside[1:, 1:] + 8 * inside[1:, :-1]

    # edges get one number each: first the horizontal ones, then the vertical ones
    horizontal = height * (width - 1)
    cells = np.flatnonzero((case > 0) & (case < 15))
    kinds = case.ravel()[cells]
    rows, columns = np.divmod(cells, width - 1)
    begins, ends = [], []
    for kind, steps in _STEPS.items():
        of_kind = kinds == kind
        y, x = rows[of_kind], columns[of_kind]
        edges = (
            y * (width - 1) + x,
            horizontal + y * width + x + 1,
            (y + 1) * (width - 1) + x,
            horizontal + y * width + x,
        )
        for enter, leave in steps:
            begins.append(edges[enter])
            ends.append(edges[leave])

    begin, end = np.concatenate(begins), np.concatenate(ends)
    order = np.argsort(begin)
    used = begin[order]
    points = _crossings(padded, used, horizontal, (left, top))
    successor: list[int] = np.searchsorted(used, end[order]).tolist()
    return [points[loop] for loop in _walk(successor)]


def _crossings(
    field: NDArray[np.float32], edges: NDArray[np.int64], horizontal: int, corner: tuple[int, int]
) -> NDArray[np.float64]:
    """(n, 2) points where the field, which begins at ``corner``, is zero on the numbered edges."""
    width = field.shape[1]
    flat = field.ravel()
    along = edges < horizontal
    vertical = edges - horizontal
    y = np.where(along, edges // (width - 1), vertical // width)
    x = np.where(along, edges % (width - 1), vertical % width)
    near = flat[y * width + x].astype(np.float64)
    far = flat[np.where(along, y * width + x + 1, (y + 1) * width + x)].astype(np.float64)
    part = near / (near - far)
    # minus the padding, plus half a pixel: grid points are pixel centres
    across, down = corner[0] + x, corner[1] + y
    found = [across + np.where(along, part, 0.0), down + np.where(along, 0.0, part)]
    return np.stack(found, axis=1) - 0.5


def _walk(successor: list[int]) -> list[list[int]]:
    """The cycles of a permutation, in the order of their smallest member."""
    seen = bytearray(len(successor))
    loops = []
    for start in range(len(successor)):
        if seen[start]:
            continue
        loop = []
        here = start
        while not seen[here]:
            seen[here] = 1
            loop.append(here)
            here = successor[here]
        loops.append(loop)
    return loops
