"""Colour layers to stacked shapes.

Shapes are painted largest colour first. Each one reaches a few pixels under those painted after
it, so that no light shows through a seam, but never past the drawing's own outline, where a
lower colour would show as a fringe.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from sfumato.finish.contours import find_contours
from sfumato.finish.curves import Outline, fit_outline
from sfumato.finish.palette import Layers

__all__ = ["FRAME", "Shape", "bounding_box", "trace"]

FRAME = 256.0  # units a side of the square that outlines are measured in, whatever its pixels

_SMOOTHING = 1.4  # units (sigma): takes the wobble of a drawn edge out, keeps teeth and claws
_GRID = 512  # points a side outlines are found on: finer than the pixels where those are few
_UNDERLAP = 3  # units a shape reaches under later ones
_TOLERANCE = 0.8  # units a curve may stay away from the outline
_SMALLEST = 5.0  # square units: a smaller loop is dust
_BUSY = 30.0  # sides of the square: borders between colours; busy icons have 20, noise 60


@dataclass(frozen=True, slots=True)
class Shape:
    """One colour and its outlines, in a frame of 256 units a side."""

    colour: tuple[int, int, int]
    outlines: tuple[Outline, ...]


def trace(layers: Layers) -> list[Shape]:
    """The shapes that paint ``layers``, bottom first."""
    count, size = len(layers.colours) + 1, layers.cover.shape[1]
    if count == 1:
        return []
    sigma = _SMOOTHING * max(1.0, size / FRAME)
    cover = np.concatenate([1.0 - layers.cover.sum(axis=0, keepdims=True), layers.cover])
    smooth = np.stack([_blurred(layer, sigma) for layer in cover])  # the first is "clear"
    dust = _SMALLEST
    while _border(smooth) > _BUSY * size and sigma < size / 16:
        # noise would become thousands of shapes: blur until shapes are left, drop the small ones
        sigma, dust = 1.5 * sigma, 2.0 * dust
        smooth = np.stack([_blurred(layer, sigma) for layer in smooth])
    busy = dust > _SMALLEST
    fields = _refined(smooth)  # (k + 1, S, S)
    # clear where more than half is clear, however many colours share the other half
    fields[0] = fields[1:].max(axis=0) + 2.0 * fields[0] - 1.0

    later = fields.copy()  # the strongest of this colour and all painted after it
    for k in range(count - 2, 0, -1):
        np.maximum(later[k], later[k + 1], out=later[k])
    earlier = fields[0].copy()  # the strongest of what was painted before, or "clear"
    shapes = []
    for k in range(1, count):
        # (under noise the first shape reaches everywhere, because dropped dust would leave holes)
        if k + 1 < count and not (busy and k == 1):
            field = _within_reach(fields[k], later[k], earlier)
        else:
            field = later[k] - earlier
        np.maximum(earlier, fields[k], out=earlier)
        outlines = _outlines(field, dust)
        if outlines:
            red, green, blue = layers.colours[k - 1].tolist()
            shapes.append(Shape((red, green, blue), outlines))
    return shapes


def bounding_box(shapes: list[Shape]) -> tuple[float, float, float, float] | None:
    """Left, top, right, bottom of all outlines; ``None`` where there are none."""
    points = [outline.sampled() for shape in shapes for outline in shape.outlines]
    if not points:
        return None
    every = np.concatenate(points)
    left, top = every.min(axis=0).tolist()
    right, bottom = every.max(axis=0).tolist()
    return left, top, right, bottom


def _border(smooth: NDArray[np.float32]) -> int:
    """How many neighbouring pixels belong to different colours."""
    owner = smooth.argmax(axis=0)
    return int((owner[1:] != owner[:-1]).sum() + (owner[:, 1:] != owner[:, :-1]).sum())


def _refined(smooth: NDArray[np.float32]) -> NDArray[np.float32]:
    """The same cover on a grid at least as fine as ``_GRID``."""
    size = smooth.shape[1]
    if size >= _GRID:
        return smooth
    fine: NDArray[np.float32] = np.empty((len(smooth), _GRID, _GRID), np.float32)
    for target, layer in zip(fine, smooth, strict=True):
        target[:] = Image.fromarray(layer).resize((_GRID, _GRID), Image.Resampling.BICUBIC)
    return fine


def _blurred(cover: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """A Gaussian blur that holds the border's values beyond the border."""
    radius = max(2, round(2.5 * sigma))
    offsets = np.arange(-radius, radius + 1)
    kernel = np.exp(-0.5 * (offsets / sigma) ** 2)
    kernel /= kernel.sum()
    layer: NDArray[np.float32] = cover
    for axis in (0, 1):
        width = [(0, 0), (0, 0)]
        width[axis] = (radius, radius)
        padded = np.pad(layer, width, mode="edge")
        length = layer.shape[axis]
        layer, part = np.zeros_like(layer), np.empty_like(layer)
        for start, weight in enumerate(kernel.tolist()):
            rows = (
                padded[start : start + length] if axis == 0 else padded[:, start : start + length]
            )
            layer += np.multiply(rows, np.float32(weight), out=part)
    return layer


def _within_reach(
    own: NDArray[np.float32], later: NDArray[np.float32], earlier: NDArray[np.float32]
) -> NDArray[np.float32]:
    """``later - earlier`` up to the underlap around a shape's visible pixels, -1 beyond."""
    visible = (own >= later) & (own > earlier)
    field = np.full_like(own, -1.0)
    rows, columns = np.nonzero(visible.any(axis=1))[0], np.nonzero(visible.any(axis=0))[0]
    if len(rows) == 0:
        return field
    radius = round(_UNDERLAP * own.shape[0] / FRAME)
    top, left = max(int(rows[0]) - radius - 1, 0), max(int(columns[0]) - radius - 1, 0)
    window = np.s_[top : rows[-1] + radius + 2, left : columns[-1] + radius + 2]
    mask = Image.fromarray(visible[window].astype(np.uint8) * 255)
    # a box blur is above zero as far as a maximum filter would reach, and much quicker
    near = np.asarray(mask.filter(ImageFilter.BoxBlur(radius))) > 0
    reached = np.minimum(later[window] - earlier[window], np.float32(1.0))
    np.copyto(field[window], reached, where=near)
    return field


def _outlines(field: NDArray[np.float32], dust: float) -> tuple[Outline, ...]:
    outlines = []
    for loop in find_contours(field):
        loop = loop * (FRAME / field.shape[0])
        ahead = np.roll(loop, -1, axis=0)
        area = 0.5 * (loop[:, 0] * ahead[:, 1] - loop[:, 1] * ahead[:, 0]).sum()
        if abs(area) < dust:
            continue
        outline = fit_outline(loop, _TOLERANCE)
        if outline is not None:
            outlines.append(outline)
    return tuple(outlines)
