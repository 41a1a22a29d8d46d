"""Clean drawings to break, the plans they came from, and what breaks them."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from plans import plan_of
from sfumato.colours import parse_colour, rgb_of
from sfumato.request import GenerationPlan
from sfumato.svg import render_svg

__all__ = [
    "Pixels",
    "as_jpeg",
    "blurred",
    "disc",
    "laid_on",
    "over",
    "owl",
    "plan_of",
    "squared",
    "tinted",
]

Pixels = NDArray[np.uint8]

_OWL = b"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100">
<path d="M50 10 C80 10 88 40 84 62 C80 84 66 90 50 90 C34 90 20 84 16 62 C12 40 20 10 50 10z"
 fill="#8a5432"/>
<ellipse cx="50" cy="66" rx="22" ry="20" fill="#cba77b"/>
<circle cx="36" cy="38" r="13" fill="#fdf3d8"/><circle cx="64" cy="38" r="13" fill="#fdf3d8"/>
<circle cx="38" cy="39" r="6" fill="#1d1d21"/><circle cx="62" cy="39" r="6" fill="#1d1d21"/>
<path d="M45 48 L55 48 L50 58z" fill="#f58a1f"/>
<path d="M16 30 L26 22 L22 12z M84 30 L74 22 L78 12z" fill="#5f3720"/></svg>"""


def tinted(name: str, **changes: Any) -> GenerationPlan:
    return plan_of(tint=parse_colour(name), tint_name=name, **changes)


def disc(
    radius: float = 180, x: float = 256, y: float = 256, colour: str = "orange", side: int = 512
) -> Pixels:
    """A disc with an antialiased edge on a clear canvas."""
    rows, columns = np.mgrid[:side, :side] + 0.5
    edge = np.clip(radius - np.hypot(columns - x, rows - y) + 0.5, 0, 1)
    pixels = np.zeros((side, side, 4), np.uint8)
    pixels[..., :3] = rgb_of(parse_colour(colour))
    pixels[..., 3] = np.rint(255 * edge)
    return pixels


def owl(side: int = 512) -> Pixels:
    """(side, side, 4) on a clear canvas: several shapes, colours, and edges of every direction."""
    pixels, _ = render_svg(_OWL, longest=side)
    return np.array(pixels)


def laid_on(pixels: Pixels, ground: tuple[int, int, int]) -> Pixels:
    alpha = pixels[..., 3:] / 255.0
    mixed = pixels[..., :3] * alpha + np.array(ground) * (1 - alpha)
    return np.dstack([np.rint(mixed), np.full(mixed.shape[:2], 255)]).astype(np.uint8)


def blurred(pixels: Pixels, sigma: float) -> Pixels:
    clear = Image.fromarray(pixels).convert("RGBa")
    bands = [band.filter(ImageFilter.GaussianBlur(sigma)) for band in clear.split()]
    return np.array(Image.merge("RGBa", bands).convert("RGBA"))


def as_jpeg(pixels: Pixels, quality: int) -> Pixels:
    buffer = io.BytesIO()
    Image.fromarray(laid_on(pixels, (255, 255, 255))[..., :3]).save(buffer, "JPEG", quality=quality)
    return np.array(Image.open(buffer).convert("RGBA"))


def squared(height: int, width: int, tile: float, light: int, dark: int) -> Pixels:
    """The squares by which editors show transparency."""
    y, x = (np.arange(n) // tile for n in (height, width))
    level = np.where((y[:, None] + x[None]) % 2 == 0, light, dark)
    return np.dstack([level, level, level, np.full_like(level, 255)]).astype(np.uint8)


def over(ground: Pixels, pixels: Pixels) -> Pixels:
    alpha = pixels[..., 3:] / 255.0
    mixed = pixels[..., :3] * alpha + ground[..., :3] * (1 - alpha)
    return np.dstack([np.rint(mixed), np.full(mixed.shape[:2], 255)]).astype(np.uint8)
