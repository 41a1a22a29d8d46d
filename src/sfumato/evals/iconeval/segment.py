"""What stands apart in a flat picture: its foreground, the pieces of it, which belong together.

Flat art lays subjects on a plain or transparent ground. The foreground is what the alpha channel
keeps, or, in an opaque picture, what is not the colour that its border has. A subject may be drawn
in several pieces (the drops over an umbrella), so pieces are joined into a tree, nearest first;
the judge decides at which branches the subjects are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sfumato.colours import srgb_to_oklab
from sfumato.evals.shapes import Pixels, resized
from sfumato.oklab import evenly
from sfumato.regions import find_regions

__all__ = ["Piece", "cut_out", "find_pieces", "reduced"]

CANVAS = 256  # pixels: the longer side of what is looked at
MOST_PIECES = 16  # the largest; smaller ones are joined to the nearest of them

_SOLID = 128  # alpha from which a pixel belongs to the drawing; shadows are fainter
_SEE_THROUGH = 0.02  # share of clear pixels that makes alpha, not the border, decide
_SAME = 0.06  # distance in evened Oklab within which a pixel has the ground's colour
_PLAIN = 0.6  # share of the border that one colour must have to be a ground
_BORDER = 2  # pixels
_SPECK = 0.001  # of the canvas: smaller pieces are dirt
_OUTLINE_POINTS = 96  # of a piece, for distances


@dataclass(frozen=True, slots=True)
class Piece:
    """A node of the tree: a connected area, or two pieces joined."""

    mask: NDArray[np.bool_]  # (H, W)
    parts: tuple[Piece, Piece] | None = None  # None: one connected area

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, right, bottom in pixels; right and bottom exclusive."""
        rows, columns = np.flatnonzero(self.mask.any(axis=1)), np.flatnonzero(self.mask.any(axis=0))
        return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def reduced(pixels: Pixels) -> Pixels:
    """(H, W, 4) straight alpha, the longer side brought to 256 pixels by averaging."""
    height, width = pixels.shape[:2]
    scale = CANVAS / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    if size == (width, height):
        return pixels
    return resized(pixels, size)


def cut_out(pixels: Pixels) -> Pixels:
    """(H, W, 4) with everything that is ground made clear.

    An opaque picture without a plain border stays whole: it has no ground to tell from a subject.
    """
    alpha = pixels[..., 3]
    if (alpha < _SOLID).mean() >= _SEE_THROUGH:
        return pixels
    lab = evenly(srgb_to_oklab(np.ascontiguousarray(pixels[..., :3])))
    edge = np.zeros(alpha.shape, np.bool_)
    edge[:_BORDER], edge[-_BORDER:], edge[:, :_BORDER], edge[:, -_BORDER:] = True, True, True, True
    ground = np.median(lab[edge], axis=0)
    near: NDArray[np.bool_] = np.sqrt(((lab - ground) ** 2).sum(axis=-1)) < _SAME
    if near[edge].mean() < _PLAIN:
        return pixels
    regions = find_regions(near)
    outside = np.zeros(len(regions.areas), np.bool_)
    outside[np.unique(regions.labels[edge])] = True
    outside[0] = False
    cleared: Pixels = pixels.copy()
    cleared[regions.mask_of(outside), 3] = 0
    return cleared


def find_pieces(cut: Pixels) -> Piece | None:
    """The tree over the solid pieces of a picture that ``cut_out`` returned; None where blank.

    Single linkage: the two pieces with the smallest gap between them are joined, again and again.
    """
    mask = cut[..., 3] >= _SOLID
    regions = find_regions(mask)
    order = np.argsort(-regions.areas[1:], kind="stable") + 1
    order = order[regions.areas[order] >= _SPECK * mask.size]
    if len(order) == 0:
        return None
    masks = [regions.labels == number for number in order[:MOST_PIECES]]
    points = [_outline_points(one) for one in masks]
    for number in order[MOST_PIECES:]:
        crumb = regions.labels == number
        gaps = [_gap(_outline_points(crumb), other) for other in points]
        nearest = int(np.argmin(gaps))
        masks[nearest] = masks[nearest] | crumb
    pieces = [Piece(one) for one in masks]
    gaps_between = np.full((len(pieces), len(pieces)), np.inf)
    for i in range(len(pieces)):
        for j in range(i):
            gaps_between[i, j] = gaps_between[j, i] = _gap(points[i], points[j])
    while len(pieces) > 1:
        i, j = sorted(int(k) for k in np.unravel_index(gaps_between.argmin(), gaps_between.shape))
        pieces[i] = Piece(pieces[i].mask | pieces[j].mask, (pieces[i], pieces[j]))
        gaps_between[i] = np.minimum(gaps_between[i], gaps_between[j])
        gaps_between[:, i] = gaps_between[i]
        gaps_between[i, i] = np.inf
        gaps_between = np.delete(np.delete(gaps_between, j, axis=0), j, axis=1)
        del pieces[j]
    return pieces[0]


def _outline_points(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Up to 96 points (n, 2) of the area's outline, evenly taken."""
    inner = mask.copy()
    inner[1:] &= mask[:-1]
    inner[:-1] &= mask[1:]
    inner[:, 1:] &= mask[:, :-1]
    inner[:, :-1] &= mask[:, 1:]
    points = np.argwhere(mask & ~inner | mask & _at_edge(mask.shape)).astype(np.float64)
    return points[:: max(1, len(points) // _OUTLINE_POINTS)]


def _at_edge(shape: tuple[int, ...]) -> NDArray[np.bool_]:
    edge = np.zeros(shape, np.bool_)
    edge[0], edge[-1], edge[:, 0], edge[:, -1] = True, True, True, True
    return edge


def _gap(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """The smallest distance between two sets of points, pixels."""
    squares = ((first[:, None] - second[None]) ** 2).sum(axis=-1)
    return float(np.sqrt(squares.min()))
