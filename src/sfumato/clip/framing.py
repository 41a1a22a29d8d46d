"""Any picture to the small square that sguardo looks at: the drawing found, centred, made small.

What is drawn fills the same share of the square wherever and however large it was, so a picture
with wide margins is the same to the network as one without. A plain ground counts as margin; it
stays visible around the drawing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 64
FILL = 58 / 64  # share of the square that the drawing's longer side takes
_WORKING = 4 * SIDE  # pixels a side that finding the drawing and shrinking it start from
_INKED = 16  # alpha from which a pixel counts as drawn
_SAME = 24  # difference of a channel up to which a pixel still belongs to the ground
_PLAIN = 0.95  # share of an opaque border that must agree for it to be a ground


def frame(picture: NDArray[np.uint8], side: int = SIDE) -> NDArray[np.uint8]:
    """One picture, framed.

    Args:
        picture: (H, W, 4) uint8 sRGB, straight alpha, any size from 1x1.

    Returns: (side, side, 4) uint8, premultiplied.
    """
    small = _reduce(picture)
    (left, top, right, bottom), ground = _find_drawing(np.asarray(small))
    length = max(right - left, bottom - top) / FILL
    x, y = (left + right - length) / 2, (top + bottom - length) / 2  # the square's upper left
    beyond = max(-x, -y, x + length - small.width, y + length - small.height)
    reach = max(0, int(np.ceil(beyond)))
    if reach:
        canvas = Image.new("RGBa", (small.width + 2 * reach, small.height + 2 * reach), ground)
        canvas.paste(small, (reach, reach))
        small = canvas
    square = (x + reach, y + reach, x + reach + length, y + reach + length)
    # Hamming: as sharp as bilinear is soft, without Lanczos' rings around flat shapes
    return np.asarray(small.resize((side, side), Image.Resampling.HAMMING, box=square))


def _reduce(picture: NDArray[np.uint8]) -> Image.Image:
    """Premultiplied, in mode RGBa, with the longer side between 256 and 512 unless it was less."""
    image = Image.fromarray(np.ascontiguousarray(picture))
    opaque = bool((picture[..., 3] == 255).all())
    factor = max(image.size) // _WORKING
    if opaque and factor > 1:  # nothing hides under full alpha: shrink first, it is cheaper
        image = image.reduce((min(factor, image.width), min(factor, image.height)))
        return image.convert("RGBa")
    image = image.convert("RGBa")
    if factor > 1:
        image = image.reduce((min(factor, image.width), min(factor, image.height)))
    return image


def _find_drawing(
    pixels: NDArray[np.uint8],
) -> tuple[tuple[int, int, int, int], tuple[int, int, int, int]]:
    """Left, top, right, bottom of what is drawn, and the colour around it (transparent: zeros)."""
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])  # (n, 4)
    ground = np.median(border, axis=0).astype(np.uint8)
    if ground[3] < 128:
        ground = np.zeros(4, np.uint8)
        inked = pixels[..., 3] >= _INKED
    else:
        apart = np.abs(border.astype(np.int16) - ground).max(axis=1) > _SAME
        plain = apart.mean() <= 1 - _PLAIN
        away = np.abs(pixels.astype(np.int16) - ground).max(axis=2) > _SAME
        inked = away if plain else np.ones(away.shape, bool)
        if not plain:
            ground = np.zeros(4, np.uint8)  # a full picture: nothing is known of what is outside
    rows, columns = np.flatnonzero(inked.any(axis=1)), np.flatnonzero(inked.any(axis=0))
    around = tuple(int(value) for value in ground)
    colour = (around[0], around[1], around[2], around[3])
    if len(rows) == 0:
        return (0, 0, pixels.shape[1], pixels.shape[0]), colour
    return (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1), colour
