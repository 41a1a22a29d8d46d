"""What can be measured on a flat picture without any network: ground, colours, count, shape.

Everything is read from a copy of at most 256 pixels a side, where outlines are still exact to half
a percent of the picture and no measure takes longer than some milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sfumato.colours import basic_name, dominant_colours, to_hex
from sfumato.regions import fill_holes, find_regions

__all__ = ["Appearance", "Colour", "measure"]

_SIDE = 256  # pixels of the longer side that is looked at
_CLEAR = 0.5  # of the border: more transparency than this is a transparent ground
_EVEN = 0.6  # of the border: less in one colour is a scene, not a ground
_NEAR = 24  # levels of 255: within this of the ground in every channel is ground (JPEG wavers)
_PEER = 0.35  # of the largest island's area: a smaller one is a part, a spark or a shadow
_REACH = 0.012  # of the longer side: islands closer than this belong together
_LEAST_SHARE = 0.04  # of the drawing: colours below this are edges and glints
_SAME_SHAPE = 0.9  # overlap (intersection over union) with the ideal shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Colour:
    """One of a picture's main colours."""

    name: str  # one of the eleven basic terms
    hex: str
    share: float  # of what it is a colour of


@dataclass(frozen=True)
class Appearance:
    """A small copy of a picture, its ground, and what follows from them."""

    pixels: NDArray[np.uint8]  # (h, w, 4), longest side <= 256
    ground: Colour | None  # None: transparent, or a scene that runs to the edges
    transparent: bool  # the ground is
    drawn: NDArray[np.bool_]  # (h, w): what stands before the ground; all of a scene

    @property
    def is_empty(self) -> bool:
        """Nothing stands before the ground."""
        return float(self.drawn.mean()) < 0.001

    @cached_property
    def colours(self) -> tuple[Colour, ...]:
        """Main colours of the drawing, named, largest share first; shades of one name together."""
        visible = self.pixels.copy()
        visible[..., 3] = np.where(self.drawn, 255, 0)
        shares: dict[str, float] = {}
        shades: dict[str, tuple[int, int, int]] = {}
        for rgb, share in dominant_colours(visible, 8):
            name = basic_name(rgb)
            shares[name] = shares.get(name, 0.0) + share
            shades.setdefault(name, rgb)  # the largest shade comes first
        order = sorted(shares, key=lambda name: -shares[name])
        return tuple(
            Colour(name=name, hex=to_hex(shades[name]), share=shares[name])
            for name in order
            if shares[name] >= _LEAST_SHARE
        )

    @cached_property
    def count(self) -> int:
        """How many separate subjects of similar size: islands of the drawing, parts joined."""
        if self.is_empty:
            return 0
        reach = max(1, round(_REACH * max(self.drawn.shape)))
        areas = find_regions(_grown(self.drawn, reach)).areas[1:]
        return int((areas >= _PEER * areas.max()).sum())

    @cached_property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom of the drawing as shares of width and height."""
        rows, columns = (np.nonzero(self.drawn.any(axis=axis))[0] for axis in (1, 0))
        height, width = self.drawn.shape
        if not len(rows):
            return 0.0, 0.0, 0.0, 0.0
        left, right = columns[0] / width, (columns[-1] + 1) / width
        top, bottom = rows[0] / height, (rows[-1] + 1) / height
        return float(left), float(top), float(right), float(bottom)

    @cached_property
    def silhouette(self) -> NDArray[np.bool_]:
        """The drawing's outline filled and cropped, (h', w')."""
        filled = fill_holes(self.drawn)
        rows, columns = np.nonzero(filled.any(axis=1))[0], np.nonzero(filled.any(axis=0))[0]
        if not len(rows):
            return filled[:0, :0]
        return filled[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]

    @cached_property
    def shape(self) -> str | None:
        """The plain shape that the silhouette is: "circle", "square", ...; None for any other."""
        outline = self.silhouette
        if outline.size < 16 * 16:
            return None
        height, width = outline.shape
        y, x = np.mgrid[:height, :width]
        across, down = (x + 0.5) / width * 2 - 1, (y + 0.5) / height * 2 - 1
        best, most = "", 0.0
        for name, inside in _SHAPES:
            ideal = inside(across, down)
            overlap = float((ideal & outline).sum() / (ideal | outline).sum())
            if overlap > most:
                best, most = name, overlap
        if most < _SAME_SHAPE:
            return None
        if 0.87 < width / height < 1.15:
            return best
        return {"circle": "oval", "square": "rectangle"}.get(best, best)

    @cached_property
    def symmetry(self) -> float:
        """How alike the left half and the mirrored right half of the drawing are, 0 to 1."""
        left, top, right, bottom = self.box
        height, width = self.drawn.shape
        part = np.s_[
            round(top * height) : round(bottom * height), round(left * width) : round(right * width)
        ]
        rgba = self.pixels[part].astype(np.float32)
        rgba[..., :3] *= self.drawn[part][..., None]
        rgba[..., 3] = 255.0 * self.drawn[part]
        if not rgba.size:
            return 0.0
        apart = np.abs(rgba - rgba[:, ::-1]).max(axis=2)
        either = self.drawn[part] | self.drawn[part][:, ::-1]
        return float(1 - (apart > 48).sum() / max(int(either.sum()), 1))


def measure(pixels: NDArray[np.uint8]) -> Appearance:
    """Look at (H, W, 4) uint8 pixels with straight alpha."""
    small = _reduced(pixels)
    solid = small[..., 3] >= 128
    border = np.concatenate([small[0], small[-1], small[1:-1, 0], small[1:-1, -1]])  # (n, 4)
    opaque = border[border[:, 3] >= 128]
    if len(opaque) < (1 - _CLEAR) * len(border):
        return Appearance(small, None, True, solid)
    colour = _commonest(opaque[:, :3])
    apart = np.abs(small[..., :3].astype(np.int16) - colour).max(axis=2)
    near_border = np.abs(opaque[:, :3].astype(np.int16) - colour).max(axis=1) <= _NEAR
    if near_border.mean() < _EVEN:
        return Appearance(small, None, False, solid)
    r, g, b = (int(value) for value in colour)
    ground = Colour(name=basic_name((r, g, b)), hex=to_hex((r, g, b)), share=1.0)
    return Appearance(small, ground, False, solid & (apart > _NEAR))


def _reduced(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    scale = _SIDE / max(height, width)
    if scale >= 1:
        return pixels
    size = max(1, round(width * scale)), max(1, round(height * scale))
    # premultiplied, so that colours under full transparency do not bleed
    small = Image.fromarray(pixels, "RGBA").convert("RGBa").resize(size, Image.Resampling.BOX)
    return np.asarray(small.convert("RGBA"))


def _commonest(colours: NDArray[np.uint8]) -> NDArray[np.int16]:
    """The median of the fullest of 4096 bins of (N, 3) colours."""
    keys = (colours >> 4).astype(np.int64) @ np.array([256, 16, 1])
    fullest = np.bincount(keys).argmax()
    middle: NDArray[np.int16] = np.median(colours[keys == fullest], axis=0).astype(np.int16)
    return middle


def _grown(mask: NDArray[np.bool_], reach: int) -> NDArray[np.bool_]:
    """The mask with every pixel within ``reach`` steps added, by rows and then by columns."""
    grown = mask
    for axis in (0, 1):
        padded = np.pad(grown, [(reach, reach) if a == axis else (0, 0) for a in (0, 1)])
        windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=axis)
        grown = np.asarray(windows.any(axis=-1))
    return grown


_Plane = NDArray[np.float64]


def _star(x: _Plane, y: _Plane) -> NDArray[np.bool_]:
    """Five points, one up, in its own bounding box."""
    angles = np.pi / 2 + np.arange(10) * np.pi / 5
    radii = np.where(np.arange(10) % 2 == 0, 1.0, 0.382)
    corners = np.stack([radii * np.cos(angles), -radii * np.sin(angles)], axis=1)
    low, high = corners.min(axis=0), corners.max(axis=0)
    corners = (corners - low) / (high - low) * 2 - 1
    inside = np.zeros(x.shape, bool)
    for (x1, y1), (x2, y2) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        crosses = (y1 > y) != (y2 > y)
        slope = (x2 - x1) / (y2 - y1) if y1 != y2 else 0.0
        inside ^= crosses & (x < x1 + slope * (y - y1))
    return inside


def _heart(x: _Plane, y: _Plane) -> NDArray[np.bool_]:
    """The curve (x^2 + y^2 - 1)^3 = x^2 y^3, fitted to its bounding box."""
    u, v = x * 1.139, -(y * 1.118 - 0.118)
    return np.asarray((u**2 + v**2 - 1) ** 3 <= u**2 * v**3)


_SHAPES: tuple[tuple[str, Callable[[_Plane, _Plane], NDArray[np.bool_]]], ...] = (
    ("circle", lambda x, y: np.asarray(x**2 + y**2 <= 1)),
    ("square", lambda x, y: np.ones(x.shape, bool)),
    ("triangle", lambda x, y: np.asarray(np.abs(x) <= (y + 1) / 2)),
    ("triangle", lambda x, y: np.asarray(np.abs(x) <= (1 - y) / 2)),  # on its tip
    ("diamond", lambda x, y: np.asarray(np.abs(x) + np.abs(y) <= 1)),
    ("hexagon", lambda x, y: np.asarray(np.abs(x) <= 1 - np.abs(y) / 2)),
    ("hexagon", lambda x, y: np.asarray(np.abs(y) <= 1 - np.abs(x) / 2)),
    ("star", _star),
    ("heart", _heart),
)
