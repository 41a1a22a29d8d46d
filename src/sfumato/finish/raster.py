"""The finish without paths: the drawing itself, resampled onto its ground.

For models whose pictures have texture that tracing would flatten.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sfumato.finish.compose import Canvas, Placement
from sfumato.finish.trace import FRAME

__all__ = ["paste"]

_BORDER = 4  # clear pixels around the drawing, so that the filter sees its edge end


def paste(
    drawing: NDArray[np.float32],
    ground: NDArray[np.uint8],
    placement: Placement,
    canvas: Canvas,
) -> NDArray[np.uint8]:
    """Lay (s, s, 4) float32 straight-alpha pixels over a (H, W, 4) uint8 ground.

    Resampling is Lanczos on premultiplied values, so that clear pixels lend no colour to edges.
    """
    height, width = ground.shape[:2]
    unit = width / canvas.width  # pixels a unit of the document
    side = drawing.shape[0]
    scale = placement.scale * unit * FRAME / side  # pixels a pixel of the drawing
    left, top = placement.shift[0] * unit, placement.shift[1] * unit

    reach = (_BORDER - 1) * scale
    x0, y0 = max(0, math.floor(left - reach)), max(0, math.floor(top - reach))
    x1 = min(width, math.ceil(left + side * scale + reach))
    y1 = min(height, math.ceil(top + side * scale + reach))
    # the same rectangle in the drawing's pixels, held inside its border
    edge = float(side + 2 * _BORDER)
    box = (
        max(0.0, (x0 - left) / scale + _BORDER),
        max(0.0, (y0 - top) / scale + _BORDER),
        min(edge, (x1 - left) / scale + _BORDER),
        min(edge, (y1 - top) / scale + _BORDER),
    )
    alpha = drawing[..., 3:] / np.float32(255.0)
    premultiplied = np.concatenate([drawing[..., :3] * alpha, drawing[..., 3:]], axis=2)
    padded = np.pad(premultiplied, ((_BORDER, _BORDER), (_BORDER, _BORDER), (0, 0)))
    size = (x1 - x0, y1 - y0)
    layer = np.stack(
        [
            np.asarray(
                Image.fromarray(np.ascontiguousarray(padded[..., channel])).resize(
                    size, Image.Resampling.LANCZOS, box=box
                )
            )
            for channel in range(4)
        ],
        axis=2,
    )
    result: NDArray[np.uint8] = ground.copy()
    result[y0:y1, x0:x1] = _over(layer, ground[y0:y1, x0:x1])
    return result


def _over(layer: NDArray[np.float32], ground: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Porter and Duff's "over": a premultiplied layer on straight-alpha pixels."""
    cover = np.clip(layer[..., 3:] / 255.0, 0.0, 1.0)
    below = ground[..., 3:].astype(np.float32) / 255.0 * (1.0 - cover)
    alpha = cover + below
    colour = np.clip(layer[..., :3], 0.0, 255.0 * cover) + ground[..., :3] * below
    straight = colour / np.maximum(alpha, 1e-6)
    pixels = np.concatenate([straight, alpha * 255.0], axis=2)
    return np.asarray(np.rint(np.clip(pixels, 0.0, 255.0)), np.uint8)
