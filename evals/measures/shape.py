"""Which outline does an emblem have? Read from the alpha channel by geometry, no network.

The silhouette becomes its radial signature (distance from the centre to the edge in every
direction, in units of its mean), and is named by the nearest signature of an ideal shape.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

SHAPES = ("circle", "square", "rounded", "shield", "hexagon", "ring", "sunburst", "diamond")

_SIDE = 192
_DIRECTIONS = 180
_TOLERANCE = 0.04  # of the mean radius: root mean square distance to the nearest ideal shape
_HOLE = 0.06  # share of the disc that is clear inside a ring
_RAYS = 8  # a sunburst has at least so many points

_SAME = 40  # levels: closer to the rim's colour than this is the emblem itself

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]


def outline_of(pixels: NDArray[np.uint8]) -> str:
    """Which of ``SHAPES`` the silhouette of (H, W, 4) pixels is; ``""`` for none of them."""
    alpha = Image.fromarray(pixels[..., 3]).resize((_SIDE, _SIDE), Image.Resampling.BOX)
    solid = np.asarray(alpha) >= 128
    if solid.sum() < 0.02 * _SIDE * _SIDE:
        return ""
    filled = fill_holes(solid)
    signature = radial_signature(filled)
    if _count_rays(signature) >= _RAYS:
        return "sunburst"
    names, ideals = _ideal_signatures()
    errors = np.sqrt(((ideals - signature) ** 2).mean(axis=1))
    best = int(errors.argmin())
    if errors[best] > _TOLERANCE:
        return ""
    clear = 1.0 - solid.sum() / filled.sum()
    return "ring" if names[best] == "circle" and clear > _HOLE else names[best]


def without_emblem(pixels: Pixels) -> Pixels:
    """(H, W, 4) pixels with the emblem behind the drawing made transparent.

    What has the colour of the silhouette's rim is the emblem. Pixels in which nothing else is
    left come back as they were.
    """
    filled = fill_holes(pixels[..., 3] >= 128)
    inner = np.asarray(Image.fromarray(filled).convert("L").filter(ImageFilter.MinFilter(7))) > 0
    rim = filled & ~inner & (pixels[..., 3] == 255)
    if not rim.any():
        return pixels
    colour = np.median(pixels[rim][:, :3], axis=0)
    far = np.abs(pixels[..., :3] - colour).max(axis=2) > _SAME
    drawing = far & inner & (pixels[..., 3] > 0)
    if drawing.sum() < 0.01 * filled.sum():
        return pixels
    bare: Pixels = pixels.copy()
    bare[~drawing] = 0
    return bare


def fill_holes(solid: Mask) -> Mask:
    """The mask with everything filled that the outside cannot reach."""
    height, width = solid.shape
    canvas = Image.new("L", (width + 2, height + 2), 0)
    canvas.paste(Image.fromarray(solid.astype(np.uint8) * 255), (1, 1))
    ImageDraw.floodfill(canvas, (0, 0), 128)
    filled: Mask = np.asarray(canvas)[1:-1, 1:-1] != 128
    return filled


def radial_signature(solid: Mask) -> NDArray[np.float64]:
    """(180,) distance from the centroid to the edge, clockwise from the right, mean 1."""
    y, x = np.nonzero(solid)
    centre_y, centre_x = y.mean(), x.mean()
    angle = np.linspace(0, 2 * np.pi, _DIRECTIONS, endpoint=False)
    steps = np.arange(0, _SIDE, 0.5)
    at_x = np.rint(centre_x + np.cos(angle)[:, None] * steps).astype(int)  # (180, R)
    at_y = np.rint(centre_y + np.sin(angle)[:, None] * steps).astype(int)
    inside = (at_x >= 0) & (at_x < solid.shape[1]) & (at_y >= 0) & (at_y < solid.shape[0])
    hit = np.zeros_like(inside)
    hit[inside] = solid[at_y[inside], at_x[inside]]
    radius = steps[hit.shape[1] - 1 - hit[:, ::-1].argmax(axis=1)]  # outermost hit
    signature: NDArray[np.float64] = radius / max(float(radius.mean()), 1e-6)
    return signature


def _count_rays(signature: NDArray[np.float64]) -> int:
    """Peaks around the outline that stand clear of both neighbouring valleys.

    The strongest frequency of the signature is the number of rays when it carries most of the
    variation.
    """
    power = np.abs(np.fft.rfft(signature - signature.mean())) ** 2
    strongest = int(power.argmax())
    is_regular = power[strongest] > 0.4 * power.sum()
    return strongest if is_regular and signature.std() > 0.02 else 0


@lru_cache(maxsize=1)
def _ideal_signatures() -> tuple[tuple[str, ...], NDArray[np.float64]]:
    drawn = [
        ("circle", draw_shape("circle")),
        ("square", draw_shape("square")),
        ("rounded", draw_shape("rounded", 0.14)),
        ("rounded", draw_shape("rounded", 0.2)),
        ("rounded", draw_shape("rounded", 0.27)),
        ("hexagon", draw_shape("hexagon")),
        ("hexagon", np.ascontiguousarray(draw_shape("hexagon").T)),
        ("diamond", draw_shape("diamond")),
        *(("shield", draw_shape("shield", waist)) for waist in (0.35, 0.5, 0.65)),
        *(("shield", draw_shape("crest", waist)) for waist in (0.35, 0.5, 0.65)),
    ]
    return tuple(name for name, _ in drawn), np.stack([radial_signature(m) for _, m in drawn])


def draw_shape(name: str, parameter: float = 0.2) -> Mask:
    """An ideal shape as a (192, 192) mask.

    ``parameter`` is the corner radius of "rounded" (share of the side), the height at which a
    "shield" or a "crest" (a shield with a peaked top) begins to narrow (share of its height), the
    thickness of a "ring" (share of its radius).

    Raises: ValueError: no such shape.
    """
    scale = 4  # drawn large and averaged, as edges of real drawings are smooth
    size = _SIDE * scale
    canvas = Image.new("L", (size, size), 0)
    pen = ImageDraw.Draw(canvas)
    low, high, middle, radius = 0.1 * size, 0.9 * size, size / 2, 0.4 * size
    if name in ("circle", "ring"):
        pen.ellipse((low, low, high, high), fill=255)
        if name == "ring":
            gap = parameter * radius
            pen.ellipse((low + gap, low + gap, high - gap, high - gap), fill=0)
    elif name == "square":
        pen.rectangle((low, low, high, high), fill=255)
    elif name == "rounded":
        pen.rounded_rectangle((low, low, high, high), parameter * (high - low), fill=255)
    elif name == "hexagon":
        pen.regular_polygon((middle, middle, radius), 6, fill=255)
    elif name == "diamond":
        pen.regular_polygon((middle, middle, radius), 4, rotation=45, fill=255)
    elif name == "sunburst":
        angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
        reach = radius * np.where(np.arange(48) % 2, 0.86, 1.0)
        tips = np.stack([middle + reach * np.cos(angle), middle + reach * np.sin(angle)], axis=1)
        pen.polygon([(float(px), float(py)) for px, py in tips], fill=255)
    elif name in ("shield", "crest"):
        pen.polygon(_shield(low, high, parameter, 0.14 if name == "crest" else 0.0), fill=255)
    else:
        raise ValueError(f"no shape called {name!r}")
    mask: Mask = np.asarray(canvas.resize((_SIDE, _SIDE), Image.Resampling.BOX)) >= 128
    return mask


def _shield(low: float, high: float, waist: float, peak: float) -> list[tuple[float, float]]:
    """Flat or peaked top, straight sides to the waist, then curving to a point at the bottom."""
    side = high - low
    half, middle = 0.43 * side, (low + high) / 2
    turn, shoulder = low + waist * side, low + peak * side
    points = [(middle, low), (middle + half, shoulder), (middle + half, turn)]
    for t in np.linspace(0, 1, 24):
        # quadratic Bézier from the waist to the tip, pulled outwards
        x = half * (1 - t) ** 2 + 2 * half * 0.86 * t * (1 - t)
        y = turn * (1 - t) ** 2 + 2 * (turn + 0.72 * (high - turn)) * t * (1 - t) + high * t**2
        points.append((middle + x, y))
    return points + [(2 * middle - x, y) for x, y in reversed(points)]
