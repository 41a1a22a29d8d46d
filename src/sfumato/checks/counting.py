"""How many subjects a flat drawing shows, by its connected parts.

Parts are joined and parted again by growing and shrinking what was drawn: an owl's two eyes in a
line drawing join at the first step, two apples that touch part after a few. The asked number is
taken as right when any plausible reading of the picture shows it, so that what is reported is
wrong by every reading. Subjects that overlap widely stay one; that cannot be told from a shape.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sfumato.checks.demands import asked_count
from sfumato.checks.look import Look, spread
from sfumato.checks.pieces import find_copies
from sfumato.regions import find_regions
from sfumato.request import Finding, Severity

__all__ = ["count_subjects", "wrong_count"]

_GRID = 128  # cells on the longer side: parts closer than two of them are one to the eye
_GROW, _SHRINK = 6, 9  # cells
_DECORATION = 0.15  # of the largest part's square: smaller parts are leaves, sparks and shadows
_ALIKE = 0.5  # smallest over largest square of subjects drawn in a row
_KEPT = 0.3  # of the drawing's area that must be left when shrinking parts it
_FILLED = 0.97  # of the canvas: a scene, not subjects on a ground


def wrong_count(look: Look) -> list[Finding]:
    """Not as many subjects as the words ask for."""
    if look.asked is not None and look.asked.parts:
        return _missing(look)
    wanted = None if look.asked is None else asked_count(look.asked.prompt)
    if wanted is None or not look.drawn.any() or look.drawn.mean() > _FILLED:
        return []
    found, plausible = count_subjects(look.drawn)
    if wanted in plausible:
        return []
    touching = " Subjects that overlap count as one." if found < wanted else ""
    # a model that was given one thing to draw draws one, whatever the seed
    hopeless = look.plan is not None and asked_count(look.plan.subject) != wanted
    return [_miscounted(look, wanted, found, "note" if hopeless else "warning", touching)]


def _missing(look: Look) -> list[Finding]:
    """Things that were laid out, but cannot be told apart in the room they were given.

    Where each one is to stand is known, so nothing has to be guessed from shapes.
    """
    copies = [box for boxes in find_copies(look) for box in boxes]
    found = sum(box is not None for box in copies)
    if found in (0, len(copies)):  # ``blank`` says that nothing was drawn
        return []
    return [_miscounted(look, len(copies), found, "warning")]


def _miscounted(look: Look, wanted: int, found: int, severity: Severity, more: str = "") -> Finding:
    return Finding(
        check="wrong_count",
        severity=severity,
        message=f"Asked for {wanted}, but {found} can be told apart.{more}",
        box=look.box(look.drawn),
        measure=float(found),
    )


def count_subjects(drawn: NDArray[np.bool_]) -> tuple[int, set[int]]:
    """The likeliest number of subjects in an (H, W) mask, not empty, and every plausible one."""
    cells = _on_grid(drawn)
    squares, _ = _parts(cells, cells)
    apart = squares[squares >= _DECORATION * squares.max()]
    plausible = {len(apart)}
    if squares.min() < _ALIKE * squares.max():
        # parts of very different size may well be one thing: an exclamation mark, a cup's steam
        plausible.add(1)
    found = len(apart)

    grown = cells
    for step in range(1, _GROW + 1):
        grown = spread(grown)
        squares, _ = _parts(grown, cells)
        large = squares[squares >= _DECORATION * squares.max()]
        if step == 1:
            found = len(large)
            plausible.add(found)
        elif _are_alike(large):
            plausible.add(len(large))

    shrunk = cells
    for _ in range(_SHRINK):
        shrunk = ~spread(~np.pad(shrunk, 1))[1:-1, 1:-1]
        if shrunk.sum() < _KEPT * cells.sum():
            break
        squares, _ = _parts(shrunk, shrunk)
        large = squares[squares >= _DECORATION * squares.max()]
        if _are_alike(large):
            plausible.add(len(large))
    return found, plausible


def _on_grid(drawn: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The mask on a grid of about 128 cells around what was drawn; a cell is set when half is."""
    rows, columns = np.nonzero(drawn.any(axis=1))[0], np.nonzero(drawn.any(axis=0))[0]
    inner = drawn[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    step = max(1, round(max(inner.shape) / _GRID))
    height, width = (-(-side // step) for side in inner.shape)
    padded = np.zeros((height * step, width * step), np.bool_)
    padded[: inner.shape[0], : inner.shape[1]] = inner
    share = padded.reshape(height, step, width, step).mean(axis=(1, 3))
    cells: NDArray[np.bool_] = np.pad(share >= min(0.5, share.max()), _GROW + 1)
    return cells


def _parts(
    joined: NDArray[np.bool_], cells: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Area of the box around each connected part of ``joined``, as drawn in ``cells``, and boxes.

    A part whose box lies inside another's belongs to it.
    """
    regions = find_regions(joined)
    rows, columns = np.nonzero(cells)
    owner = regions.labels[rows, columns]
    boxes = np.empty((len(regions.areas), 4), np.int64)
    boxes[:, :2], boxes[:, 2:] = max(cells.shape), -1
    np.minimum.at(boxes[:, 0], owner, columns)
    np.minimum.at(boxes[:, 1], owner, rows)
    np.maximum.at(boxes[:, 2], owner, columns + 1)
    np.maximum.at(boxes[:, 3], owner, rows + 1)
    boxes = boxes[1:][boxes[1:, 2] >= 0]
    inside = (boxes[:, None, :2] >= boxes[None, :, :2]).all(axis=2)
    inside &= (boxes[:, None, 2:] <= boxes[None, :, 2:]).all(axis=2)
    same = (boxes[:, None] == boxes[None]).all(axis=2)
    inside &= ~same | np.tri(len(boxes), k=-1, dtype=np.bool_)  # of equal boxes keep the first
    boxes = boxes[~inside.any(axis=1)]
    squares = ((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])).astype(np.float64)
    return squares, boxes


def _are_alike(squares: NDArray[np.float64]) -> bool:
    return bool(squares.min() >= _ALIKE * squares.max())
