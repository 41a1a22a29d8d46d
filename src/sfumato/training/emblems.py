"""The grounds that an emblem's subject stands on, as coverage masks."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

# shape -> side of the square that fits well inside it, as a share of the picture
INSIDE = {
    "circle": 0.62,
    "rounded square": 0.64,
    "shield": 0.5,
    "hexagon": 0.58,
    "ring": 0.52,
    "sunburst": 0.56,
}
EMBLEMS = tuple(INSIDE)


@lru_cache(maxsize=64)
def emblem_mask(shape: str, side: int) -> NDArray[np.uint8]:
    """(side, side) uint8 coverage of one of EMBLEMS, its edge one pixel soft."""
    at = (np.arange(side) + 0.5) / side * 2.0 - 1.0
    x, y = np.meshgrid(at, at)  # -1..1, y downwards
    radius = np.hypot(x, y)
    if shape == "circle":
        gap = radius - 0.94
    elif shape == "ring":
        gap = np.abs(radius - 0.87) - 0.075
    elif shape == "hexagon":
        gap = np.maximum(np.abs(x), 0.5 * np.abs(x) + 0.8660254 * np.abs(y)) - 0.83
    elif shape == "rounded square":
        ax, ay = np.abs(x) - 0.62, np.abs(y) - 0.62
        outside = np.hypot(np.maximum(ax, 0.0), np.maximum(ay, 0.0))
        gap = outside + np.minimum(np.maximum(ax, ay), 0.0) - 0.28
    elif shape == "shield":
        # a flat top; below the shoulders two arcs meet in a point
        arc = np.hypot(np.abs(x) + 0.62, np.maximum(y + 0.15, 0.0)) - 1.42
        gap = np.maximum.reduce([arc, np.abs(x) - 0.8, -y - 0.9])
    else:  # sunburst: sixteen rays, all of the same width at their foot
        ray = np.cos(np.arctan2(y, x) * 16.0)
        gap = radius - (0.82 + 0.12 * np.clip(ray * 3.0, -1.0, 1.0))
    covered = np.clip(0.5 - gap * side / 2.0, 0.0, 1.0)
    return np.rint(covered * 255.0).astype(np.uint8)
