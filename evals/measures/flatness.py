"""Is a flat drawing flat? Counts colours, measures unevenness inside areas, looks for seams."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_EDGE = 24  # levels: neighbours further apart than this belong to two areas
_COVER = 0.95  # of the opaque pixels, which the palette must explain
SEAM_SIDE, SEAM_PERIOD = 128, 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Flatness:
    """How flat one drawing is."""

    palette: int  # colours (5 bits a channel) that cover 95 % of the opaque pixels
    unevenness: float  # mean step between neighbours inside an area, 0..255 levels
    seam: float  # step across the borders of 8-px patches over the step elsewhere; 1 is no seam


def measure_flatness(pixels: NDArray[np.uint8]) -> Flatness | None:
    """Of (H, W, 4) pixels; ``None`` where nothing opaque is drawn."""
    if (pixels[..., 3] == 255).sum() < 64:
        return None
    return Flatness(
        palette=palette_size(pixels), unevenness=unevenness(pixels), seam=seam_ratio(pixels)
    )


def palette_size(pixels: NDArray[np.uint8]) -> int:
    """The fewest colours, 32 levels a channel, that cover 95 % of the opaque pixels."""
    solid = (pixels[pixels[..., 3] == 255][:, :3] >> 3).astype(np.int64)
    _, counts = np.unique(solid @ np.array([1024, 32, 1]), return_counts=True)
    cover = np.cumsum(np.sort(counts)[::-1]) / counts.sum()
    return int(np.searchsorted(cover, _COVER) + 1)


def unevenness(pixels: NDArray[np.uint8]) -> float:
    """Mean absolute step between opaque neighbours that belong to one area, in 0..255 levels.

    Exactly 0 for areas of constant colour; gradients, noise and ghosts raise it.
    """
    colour, solid = pixels[..., :3].astype(np.int16), pixels[..., 3] == 255
    steps: list[NDArray[np.int16]] = []
    for axis in (0, 1):
        step = np.abs(np.diff(colour, axis=axis)).max(axis=2)
        both = solid.take(range(1, solid.shape[axis]), axis) & solid.take(
            range(solid.shape[axis] - 1), axis
        )
        steps.append(step[both & (step <= _EDGE)])
    inside = np.concatenate(steps)
    return float(inside.mean()) if len(inside) else 0.0


def seam_ratio(pixels: NDArray[np.uint8]) -> float:
    """Mean step across patch borders over the mean step between other columns and rows.

    Taken on the drawing over grey at 128 px, the grid of a token model with 8-px patches.
    """
    image = Image.fromarray(pixels).resize((SEAM_SIDE, SEAM_SIDE), Image.Resampling.BOX)
    values = np.asarray(image, np.float64)
    alpha = values[..., 3:] / 255.0
    flat = values[..., :3] * alpha + 127.5 * (1 - alpha)
    border = elsewhere = 0.0
    at_border = (np.arange(SEAM_SIDE - 1) + 1) % SEAM_PERIOD == 0
    for axis in (0, 1):
        other = tuple(a for a in range(3) if a != axis)
        profile = np.abs(np.diff(flat, axis=axis)).mean(axis=other)  # (127,)
        border += profile[at_border].mean()
        elsewhere += profile[~at_border].mean()
    return float(border / elsewhere) if elsewhere > 0 else 1.0
