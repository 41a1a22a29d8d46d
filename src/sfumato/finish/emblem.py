"""The solid shapes a drawing can stand on: badges, shields, app icons.

Each is an SVG path around a centre, together with how much room it leaves for the drawing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["SHAPES", "EmblemShape"]

Path = Callable[[float, float, float], str]


@dataclass(frozen=True, slots=True)
class EmblemShape:
    """``path(x, y, r)`` draws it inside the square of half side ``r`` around (x, y).

    ``room`` is the largest share of the full side the drawing's longer side may take,
    ``room_across`` the same for its diagonal, ``rise`` how far above the middle it is placed,
    as a share of the side.
    """

    path: Path
    room: float
    room_across: float
    rise: float = 0.0


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


SHAPES: dict[str, EmblemShape] = {
    "circle": EmblemShape(_circle, room=0.64, room_across=0.8),
    "rounded": EmblemShape(_rounded, room=0.66, room_across=0.95),
    "square": EmblemShape(_square, room=0.68, room_across=1.0),
    "shield": EmblemShape(_shield, room=0.56, room_across=0.7, rise=0.04),
    "hexagon": EmblemShape(_polygon([1.0] * 6), room=0.6, room_across=0.76),
    "ring": EmblemShape(_ring, room=0.58, room_across=0.72),
    "sunburst": EmblemShape(_polygon([1.0, 0.86] * 16), room=0.58, room_across=0.72),
    "diamond": EmblemShape(_polygon([1.0] * 4), room=0.52, room_across=0.66),
}
