"""The solid shapes a drawing can stand on: badges, shields, app icons.

Each is an SVG path around a centre, together with how much room it leaves for drawings.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from sfumato.prompt.layout import EMBLEM_ROOMS, EmblemRoom

__all__ = ["SHAPES", "EmblemShape"]

Path = Callable[[float, float, float], str]


@dataclass(frozen=True, slots=True)
class EmblemShape:
    """``path(x, y, r)`` draws it inside the square of half side ``r`` around (x, y)."""

    path: Path
    room: EmblemRoom


def _circle(x: float, y: float, r: float) -> str:
    return f"M{x - r:g} {y:g}a{r:g} {r:g} 0 1 1 {2 * r:g} 0a{r:g} {r:g} 0 1 1 {-2 * r:g} 0z"


def _square(x: float, y: float, r: float) -> str:
    return f"M{x - r:g} {y - r:g}h{2 * r:g}v{2 * r:g}h{-2 * r:g}z"


def _rounded(x: float, y: float, r: float) -> str:
    corner = round(0.45 * r, 1)  # the proportion of an app icon
    edge = round(2 * (r - corner), 1)
    arc = f"a{corner:g} {corner:g} 0 0 1 "
    return (
        f"M{x - r + corner:g} {y - r:g}h{edge:g}{arc}{corner:g} {corner:g}v{edge:g}"
        f"{arc}{-corner:g} {corner:g}h{-edge:g}{arc}{-corner:g} {-corner:g}v{-edge:g}"
        f"{arc}{corner:g} {-corner:g}z"
    )


def _ring(x: float, y: float, r: float) -> str:
    hole = round(0.84 * r, 1)
    # the inner circle runs the other way round, so that it is a hole under either fill rule
    inner = (
        f"M{x - hole:g} {y:g}a{hole:g} {hole:g} 0 1 0 {2 * hole:g} 0"
        f"a{hole:g} {hole:g} 0 1 0 {-2 * hole:g} 0z"
    )
    return _circle(x, y, r) + inner


def _shield(x: float, y: float, r: float) -> str:
    def at(px: float, py: float) -> str:
        return f"{x + px * r:.1f} {y + py * r:.1f}"

    return (
        f"M{at(0, -1)}C{at(0.3, -0.82)} {at(0.6, -0.74)} {at(0.88, -0.72)}"
        f"V{y - 0.02 * r:.1f}C{at(0.88, 0.48)} {at(0.46, 0.8)} {at(0, 1)}"
        f"C{at(-0.46, 0.8)} {at(-0.88, 0.48)} {at(-0.88, -0.02)}V{y - 0.72 * r:.1f}"
        f"C{at(-0.6, -0.74)} {at(-0.3, -0.82)} {at(0, -1)}z"
    )


def _polygon(radii: list[float], turn: float = -90.0) -> Path:
    """Corners evenly spaced around the centre, at the given shares of the half side."""

    def path(x: float, y: float, r: float) -> str:
        corners = []
        for index, share in enumerate(radii):
            angle = math.radians(turn + 360.0 * index / len(radii))
            corners.append(
                f"{x + share * r * math.cos(angle):.1f} {y + share * r * math.sin(angle):.1f}"
            )
        return f"M{'L'.join(corners)}z"

    return path


_PATHS = {
    "circle": _circle,
    "rounded": _rounded,
    "square": _square,
    "shield": _shield,
    "hexagon": _polygon([1.0] * 6),
    "ring": _ring,
    "sunburst": _polygon([1.0, 0.86] * 16),
    "diamond": _polygon([1.0] * 4),
}
SHAPES = {name: EmblemShape(path, EMBLEM_ROOMS[name]) for name, path in _PATHS.items()}
