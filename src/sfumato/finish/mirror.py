"""Make a drawing that is nearly its own mirror image exactly that, where it nearly is.

Faces, shields, cups and butterflies are drawn symmetrical, and a small network draws them so but
for noise. Noise becomes visible when colours are made flat: one eye keeps its shape, the other
loses a corner. Where both halves agree, each pixel takes the mean of the two, which halves the
noise and makes both sides come out alike; where they really differ (the hands of a clock, a
winking eye) everything stays as it was drawn.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["evened"]

T = TypeVar("T", np.float32, np.bool_)

_ALIKE = 0.94  # overlap of the silhouette with its mirror image, as intersection over union
_SAME, _OTHER = 0.10, 0.22  # difference of premultiplied colour below and above which it is one
_MOST_OTHER = 0.25  # of the drawing: more than this differs by intention
_REACH = 4  # pixels that twice the axis may lie from the middle of the silhouette's box
_LEAST = 500  # pixels: smaller drawings have no halves worth comparing


def evened(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """(s, s, 4) float32 pixels (0..255, straight alpha) with noise evened out across the axis.

    A drawing without a vertical axis comes back as it is.
    """
    colour = pixels / np.float32(255)
    colour[..., :3] *= colour[..., 3:]  # premultiplied: what is clear has no colour to differ in
    drawn = colour[..., 3] > 0.5
    columns = np.nonzero(drawn.any(axis=0))[0]
    if int(drawn.sum()) < _LEAST:
        return pixels
    # every fourth row is enough to find the axis
    axis = _axis(colour[::4], drawn[::4], int(columns[0] + columns[-1]))
    if axis is None:
        return pixels
    mirrored = _mirrored(colour, axis)
    apart = np.abs(colour - mirrored).max(axis=2)
    if float((apart[drawn] > _OTHER).mean()) > _MOST_OTHER:
        return pixels
    weight = np.clip((_OTHER - apart) / (_OTHER - _SAME), 0.0, 1.0)[..., None] / np.float32(2)
    evened_out = colour + weight * (mirrored - colour)
    alpha = evened_out[..., 3:]
    evened_out[..., :3] /= np.maximum(alpha, np.float32(1 / 512))
    result: NDArray[np.float32] = np.clip(evened_out * np.float32(255), 0, 255)
    return result


def _axis(colour: NDArray[np.float32], drawn: NDArray[np.bool_], middle: int) -> int | None:
    """Twice the column of the best axis near ``middle`` / 2; None where no half matches."""
    best, least = None, np.inf
    for axis in range(middle - _REACH, middle + _REACH + 1):
        other = _mirrored(drawn, axis)
        if float((drawn & other).sum()) < _ALIKE * float((drawn | other).sum()):
            continue
        # differences beyond doubt count no more than clear ones: the most agreement wins
        apart = np.abs(colour - _mirrored(colour, axis)).max(axis=2)
        error = float(np.minimum(apart, np.float32(0.3)).sum())
        if error < least:
            best, least = axis, error
    return best


def _mirrored(plane: NDArray[T], axis: int) -> NDArray[T]:
    """Column x moves to column ``axis`` - x; what comes from outside is empty."""
    width = plane.shape[1]
    mirrored = np.zeros_like(plane)
    left, right = max(0, axis - width + 1), min(width - 1, axis)
    mirrored[:, left : right + 1] = plane[:, axis - right : axis - left + 1][:, ::-1]
    return mirrored
