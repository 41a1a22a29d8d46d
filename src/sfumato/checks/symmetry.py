"""Is a drawing the same on both sides, or after a turn?

The drawing is compared with its own mirror image on a coarse grid, axis through the middle of
what was drawn and a few cells beside it. Cells may lie one off, and differ by a shade: a highlight
from the left is not asymmetry, a missing ear is.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sfumato.checks.demands import Symmetry, asked_symmetry
from sfumato.checks.look import Look
from sfumato.request import Finding

__all__ = ["asymmetry", "difference", "symmetrical"]

_GRID = 96  # cells on the drawing's longer side
_MARGIN = 6  # cells around it, so that a turned corner stays on the grid
_OFFSETS = range(-3, 4)  # cells: a thin tail moves the middle of the box, not the axis
_SHADE = 0.2  # of full scale: a smaller difference is light and shadow
_VISIBLE = 0.03  # of the drawing's area that must differ
_VISIBLE_TURNED = 0.06  # a turned grid meets itself less exactly than a mirrored one
_TURNS = (2, 3, 4, 5, 6, 7, 8, 9, 10, 12)  # petals that people draw

_SAID = {
    "left-right": "its left and right halves differ",
    "top-bottom": "its upper and lower halves differ",
    "both": "its halves differ",
    "rotational": "no turn brings it back onto itself",
}


def asymmetry(look: Look) -> list[Finding]:
    """A drawing that should be symmetrical is not; only where the words ask for symmetry."""
    wanted = None if look.asked is None else asked_symmetry(look.asked.prompt)
    return [] if wanted is None else _findings(look, wanted, "asymmetry")


def symmetrical(look: Look) -> list[Finding]:
    """Whether any drawing is the same left and right, asked or not."""
    return _findings(look, "left-right", "symmetrical")


def difference(cells: NDArray[np.float32], wanted: Symmetry) -> tuple[float, NDArray[np.bool_]]:
    """How far (n, n, 4) premultiplied cells, 0..1, are from being symmetrical.

    Returns: the share of drawn cells that have no counterpart, 0..1, and (n, n) which those are.
    """
    if wanted == "both":
        first, one = difference(cells, "left-right")
        second, other = difference(cells, "top-bottom")
        return max(first, second), one | other
    if wanted == "rotational":
        return _least(cells, (_turned(cells, turns) for turns in _TURNS))
    axis = 1 if wanted == "left-right" else 0
    mirrored = np.flip(cells, axis=axis)
    return _least(cells, (np.roll(mirrored, offset, axis=axis) for offset in _OFFSETS))


def _least(
    cells: NDArray[np.float32], counterparts: Iterable[NDArray[np.float32]]
) -> tuple[float, NDArray[np.bool_]]:
    found = [_unlike(cells, counterpart) for counterpart in counterparts]
    return min(found, key=lambda share_and_mask: share_and_mask[0])


def _unlike(
    cells: NDArray[np.float32], counterpart: NDArray[np.float32]
) -> tuple[float, NDArray[np.bool_]]:
    """Cells that neither their counterpart nor one beside it resembles, in both directions."""
    missing = _gap(cells, counterpart) > _SHADE
    missing |= _gap(counterpart, cells) > _SHADE
    drawn = np.maximum(cells[..., 3], counterpart[..., 3]) > 0.5
    return float(missing.sum() / max(1, drawn.sum())), missing


def _gap(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, n) difference to the most alike of the 9 cells around each one's counterpart."""
    side = one.shape[0]
    wide = np.pad(other, ((1, 1), (1, 1), (0, 0)))
    least = np.full(one.shape[:2], np.inf, np.float32)
    for down in range(3):
        for across in range(3):
            beside = wide[down : down + side, across : across + side]
            np.minimum(least, np.abs(one - beside).max(axis=2), out=least)
    return least


def _turned(cells: NDArray[np.float32], turns: int) -> NDArray[np.float32]:
    """The cells turned by a ``turns``-th of a circle about their centre of mass."""
    weight = cells[..., 3]
    total = max(float(weight.sum()), 1e-6)
    middle = np.arange(len(cells)) + 0.5
    centre = (
        float((weight.sum(axis=0) * middle).sum()) / total,
        float((weight.sum(axis=1) * middle).sum()) / total,
    )
    planes = [
        Image.fromarray(np.ascontiguousarray(cells[..., channel])).rotate(
            360.0 / turns, Image.Resampling.BILINEAR, center=centre
        )
        for channel in range(4)
    ]
    return np.stack([np.asarray(plane) for plane in planes], axis=2)


def _findings(look: Look, wanted: Symmetry, check: str) -> list[Finding]:
    if not look.drawn.any():
        return []
    cells, inner, box = _cells(look)
    share, missing = difference(cells, wanted)
    if share <= (_VISIBLE_TURNED if wanted == "rotational" else _VISIBLE):
        return []
    left, top, right, bottom = box
    size = (right - left, bottom - top)
    found = np.asarray(Image.fromarray(missing[inner]).resize(size, Image.Resampling.NEAREST))
    mask = np.zeros(look.drawn.shape, np.bool_)
    mask[top:bottom, left:right] = found
    if not mask.any():  # only beyond the drawing's own box
        mask[top:bottom, left:right] = True
    return [
        Finding(
            check=check,
            severity="warning",
            message=f"Not symmetrical: {_SAID[wanted]} on {share:.0%} of the drawing.",
            box=look.box(mask),
            mask=look.mask_of(mask),
            measure=share,
        )
    ]


def _cells(
    look: Look,
) -> tuple[NDArray[np.float32], tuple[slice, slice], tuple[int, int, int, int]]:
    """The drawing on a square grid, where on it, and its box in ``small``."""
    drawn = look.drawn
    rows, columns = np.nonzero(drawn.any(axis=1))[0], np.nonzero(drawn.any(axis=0))[0]
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    solid = drawn[top:bottom, left:right, None].astype(np.float32)
    colours = look.small[top:bottom, left:right, :3].astype(np.float32) / 255 * solid
    planes = np.concatenate([colours, solid], axis=2)
    scale = _GRID / max(planes.shape[:2])
    height, width = (max(1, round(side * scale)) for side in planes.shape[:2])
    reduced = [
        np.asarray(
            Image.fromarray(np.ascontiguousarray(planes[..., channel])).resize(
                (width, height), Image.Resampling.BOX
            )
        )
        for channel in range(4)
    ]
    side = _GRID + 2 * _MARGIN
    cells = np.zeros((side, side, 4), np.float32)
    # of an odd difference one half cell is left over: the offsets of the axis take it up
    down, across = (side - height) // 2, (side - width) // 2
    inner = (slice(down, down + height), slice(across, across + width))
    cells[inner] = np.stack(reduced, axis=2)
    return cells, inner, (int(left), int(top), int(right), int(bottom))
