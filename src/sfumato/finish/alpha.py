"""Clean transparency: haze and specks go, eyes, sparkles and rain drops stay.

A network's alpha channel is nearly right: soft where it should be sharp, a few per cent where it
should be nothing. Later stages need a body with one sharp edge and a colour under every pixel.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from sfumato.regions import Regions, find_regions

__all__ = ["clean_alpha"]

# A ramp from clear to solid is steepened around one half, which leaves the outline where it is.
_CLEAR, _SOLID = 0.22, 0.78

_KEEP = 0.0015  # of the canvas: an island this large is part of the drawing
_SIBLING = 0.0003  # of the canvas: a smaller one down to here is, if it has brothers like it
_HOLE = 0.0002  # of the canvas: a clear hole smaller than this is damage


def clean_alpha(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(s, s, 4) uint8 straight alpha to (s, s, 4) float32, same ranges, cleaned.

    Alpha is 0 or 255 but for a rim about one pixel wide; colour continues under that rim.
    """
    alpha = pixels[..., 3].astype(np.float32) / 255.0
    # a median takes single stray pixels without moving the outline
    middle = Image.fromarray(pixels[..., 3]).filter(ImageFilter.MedianFilter(3))
    steady = np.asarray(middle, np.float32) / 255.0
    body = steady > 0.5
    keep = _without_specks(body)
    filled = keep | _small_holes(keep)

    level = np.clip((alpha - _CLEAR) / (_SOLID - _CLEAR), 0.0, 1.0)
    near = _grown(filled, 1)  # the rim: whatever alpha lies beside the body
    inside = ~_grown(~filled, 1)
    level = np.where(inside, 1.0, np.where(near, level, 0.0))

    result = np.empty(pixels.shape, np.float32)
    result[..., :3] = _colour_under_rim(pixels, (alpha > 0.85) & filled)
    result[..., 3] = level * 255.0
    return result


def _without_specks(body: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The islands that belong to the drawing."""
    islands = find_regions(body)
    share = islands.areas / body.size
    keep = share >= _KEEP
    small = (share >= _SIBLING) & ~keep
    if small.any():
        # rain, sparkles, freckles come in groups of about one size; dirt comes in all sizes
        sizes = islands.areas[(share >= _SIBLING)].astype(np.float64)
        for island in np.nonzero(small)[0]:
            ratio = sizes / islands.areas[island]
            keep[island] = ((ratio > 0.4) & (ratio < 2.5)).sum() >= 2
    if not keep.any() and len(islands.areas) > 1:
        keep[int(islands.areas.argmax())] = True  # a tiny drawing is better than none
    keep[0] = False
    return islands.mask_of(keep)


def _small_holes(body: NDArray[np.bool_]) -> NDArray[np.bool_]:
    gaps: Regions = find_regions(~body)
    small = gaps.areas < max(2, _HOLE * body.size)
    small[0] = False
    return gaps.mask_of(small)


def _grown(mask: NDArray[np.bool_], radius: int) -> NDArray[np.bool_]:
    grown = Image.fromarray(mask.astype(np.uint8)).filter(ImageFilter.MaxFilter(2 * radius + 1))
    return np.asarray(grown) > 0


def _colour_under_rim(pixels: NDArray[np.uint8], solid: NDArray[np.bool_]) -> NDArray[np.float32]:
    """(s, s, 3) colours; where alpha is not solid, the mean of solid pixels within 2 pixels."""
    colour = pixels[..., :3].astype(np.float32)
    planes = np.empty((4, *solid.shape), np.int32)
    planes[:3] = pixels[..., :3].transpose(2, 0, 1)
    planes[3] = 1
    planes *= solid
    sums = _box_sum(planes, 2)
    weight = sums[3]
    hidden = ~solid & (weight > 0)
    means = sums[:3, hidden] / weight[hidden]
    colour[hidden] = means.T
    return colour


def _box_sum(planes: NDArray[np.int32], radius: int) -> NDArray[np.int32]:
    """Sums of (c, h, w) over square windows of 2 radius + 1 pixels, zeros beyond the border."""
    for _ in range(2):  # along the last axis, then, the axes exchanged, along the other
        wide = np.pad(planes, ((0, 0), (0, 0), (radius, radius)))
        length = planes.shape[2]
        total = wide[..., :length].copy()
        for start in range(1, 2 * radius + 1):
            total += wide[..., start : start + length]
        planes = total.transpose(0, 2, 1)
    return planes
