"""Outlines of many points to few Bézier curves.

Corners are found first and sharpened; between them, cubic curves are fitted within a tolerance.
Few long curves are what makes a tracing look drawn: they pass through the wobble of the pixels
instead of following it. A loop that is an ellipse within the tolerance becomes one: eyes, wheels
and dots are round.

Source: Schneider 1990, "An algorithm for automatically fitting digitized curves", Graphics Gems.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Outline", "fit_outline"]

Points = NDArray[np.float64]  # (n, 2)

# Lengths are in the frame of 256 units a side that drawings are traced in.
_ARM = 2.6  # units to each side over which the turn at a point is measured
_CORNER = np.radians(46.0)  # a smooth loop of radius 3 turns less than this over the arms
_STEP = 0.5  # units between the points an outline is resampled to
_CIRCLE = 0.5522847498  # handle length of the cubic closest to a quarter circle
_MOST_SPLITS = 10  # halvings of one section; noise ends here


@dataclass(frozen=True, slots=True)
class Outline:
    """A closed path: a start and cubic pieces; a piece of one point is a straight line.

    ``start`` is (2,); each of ``pieces`` is (3, 2) (two handles and the end) or (1, 2).
    """

    start: Points
    pieces: tuple[Points, ...]

    def moved(self, scale: float, shift: tuple[float, float]) -> Outline:
        """The outline scaled about the origin, then shifted."""
        offset = np.asarray(shift)
        return Outline(
            self.start * scale + offset, tuple(piece * scale + offset for piece in self.pieces)
        )

    def sampled(self) -> Points:
        """(n, 2) points along the path, close enough for measuring it."""
        here = self.start
        found = [here[None]]
        at = np.linspace(0.125, 1.0, 8)
        for piece in self.pieces:
            found.append(piece if len(piece) == 1 else _bezier(np.vstack([here, piece]), at))
            here = piece[-1]
        return np.concatenate(found)


def fit_outline(loop: Points, tolerance: float) -> Outline | None:
    """A closed loop of (n, 2) points as curves that stay within ``tolerance`` of it.

    ``None`` where the loop is too short to have a shape.
    """
    points = _resampled(loop)
    if len(points) < 6:
        return None
    ellipse = _as_ellipse(points, tolerance * 1.25)
    if ellipse is not None:
        return ellipse
    corners = _corners(points)
    if len(corners) == 0:
        knots = _extremes(points)
    else:
        points = _sharpened(points, corners)
        knots = corners
    sharp = len(corners) > 0
    closed = np.concatenate([points, points])
    pieces: list[Points] = []
    for here, there in zip(knots, [*knots[1:], knots[0] + len(points)], strict=True):
        section = closed[here : there + 1]
        if sharp:
            ends = _leaving(section), _leaving(section[::-1])
        else:
            ends = _across(closed, here), _turned(_across(closed, there % len(points)))
        pieces.extend(_fit(section, *ends, tolerance, _MOST_SPLITS))
    return Outline(points[knots[0]], tuple(pieces))


# ---------------------------------------------------------------- preparing the points


def _resampled(loop: Points) -> Points:
    """Points half a unit apart along the closed loop, lightly smoothed."""
    closed = np.concatenate([loop, loop[:1]])
    length = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(closed, axis=0).T))])
    count = int(length[-1] / _STEP)
    if count < 6:
        return closed[:0]
    at = np.arange(count) * (length[-1] / count)
    points = np.stack([np.interp(at, length, closed[:, i]) for i in (0, 1)], axis=1)
    for _ in range(2):
        points = (np.roll(points, 1, axis=0) + 2.0 * points + np.roll(points, -1, axis=0)) / 4.0
    return np.asarray(points)


def _corners(points: Points) -> list[int]:
    """Indices of sharp turns, in order."""
    arm = max(2, min(round(_ARM / _STEP), len(points) // 6))
    back = points - np.roll(points, arm, axis=0)
    ahead = np.roll(points, -arm, axis=0) - points
    cross = back[:, 0] * ahead[:, 1] - back[:, 1] * ahead[:, 0]
    turn = np.abs(np.arctan2(cross, (back * ahead).sum(axis=1)))
    sharpest = turn.copy()
    for shift in range(1, arm + 1):
        sharpest = np.maximum(sharpest, np.maximum(np.roll(turn, shift), np.roll(turn, -shift)))
    found = np.nonzero((turn > _CORNER) & (turn >= sharpest))[0]
    corners: list[int] = []
    for index in found.tolist():
        if not corners or index - corners[-1] > arm // 2:
            corners.append(index)
    return corners


def _sharpened(points: Points, corners: list[int]) -> Points:
    """Corners moved out to where their two sides, continued straight, would meet.

    Soft edges and smoothing round a corner off by a unit or so; the sides just beyond know
    where it was.
    """
    count = len(points)
    sharpened: Points = points.copy()
    for corner in corners:
        # the nearest point on each side that the rounding has not moved, and one further out
        near, far = 3, 7
        if count < 4 * far:
            continue
        a, b = points[(corner - far) % count], points[(corner - near) % count]
        c, d = points[(corner + far) % count], points[(corner + near) % count]
        u, v = b - a, d - c
        turn = u[0] * v[1] - u[1] * v[0]
        if abs(turn) < 0.35 * np.hypot(*u) * np.hypot(*v):
            continue
        part = ((c - a)[0] * v[1] - (c - a)[1] * v[0]) / turn
        meeting = a + part * u
        if np.hypot(*(meeting - points[corner])) < 1.6:
            sharpened[corner] = meeting
            for side in (-1, 1):
                anchor = points[(corner + side * near) % count]
                for step in range(1, near):
                    part = step / near
                    sharpened[(corner + side * step) % count] = meeting + part * (anchor - meeting)
    return sharpened


def _extremes(points: Points) -> list[int]:
    """Where a smooth loop is split: its leftmost, topmost, rightmost and lowest points."""
    x, y = points.T
    found = sorted({int(x.argmin()), int(y.argmin()), int(x.argmax()), int(y.argmax())})
    return found if len(found) > 1 else [0, len(points) // 2]


def _as_ellipse(points: Points, tolerance: float) -> Outline | None:
    """Four cubic arcs where the loop is an ellipse, from its second moments."""
    ahead = np.roll(points, -1, axis=0)
    cross = points[:, 0] * ahead[:, 1] - points[:, 1] * ahead[:, 0]
    area = cross.sum() / 2.0
    if abs(area) < 3.0:
        return None
    centre = ((points + ahead) * cross[:, None]).sum(axis=0) / (6.0 * area)
    p, q = points - centre, ahead - centre
    cross = p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0]
    xx, yy = ((p * p + p * q + q * q) * cross[:, None]).sum(axis=0) / (12.0 * area)
    xy = ((p[:, 0] * (2 * p[:, 1] + q[:, 1]) + q[:, 0] * (p[:, 1] + 2 * q[:, 1])) * cross).sum()
    xy /= 24.0 * area
    values, axes = np.linalg.eigh(np.array([[xx, xy], [xy, yy]]))
    if values[0] <= 0.0:
        return None
    radii = 2.0 * np.sqrt(values)
    if radii[1] > 6.0 * radii[0]:
        return None
    if radii[1] < 1.1 * radii[0]:  # nearly a circle: make it one
        radii[:] = np.sqrt(radii[0] * radii[1])
        axes = np.eye(2)
    local = (p @ axes) / radii
    # along the normal the distance is at most the radial one times the smaller radius
    miss = np.abs(np.hypot(*local.T) - 1.0) * radii[0]
    if miss.max() > tolerance:
        return None
    unit = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    if np.linalg.det(axes) * area < 0.0:  # keep the direction, it says island or hole
        unit = unit[[0, 3, 2, 1]]
    pieces = []
    for here, there in zip(unit, np.roll(unit, -1, axis=0), strict=True):
        arc = np.array([here + _CIRCLE * there, there + _CIRCLE * here, there])
        pieces.append((arc * radii) @ axes.T + centre)
    return Outline((unit[0] * radii) @ axes.T + centre, tuple(pieces))


# ---------------------------------------------------------------- Schneider's fit
# Sections are short, so that calling NumPy costs more than its arithmetic: positions along a curve
# are kept as powers, from which one product each gives the points and both derivatives.

# (4, 4): the Bernstein polynomials as powers of the position, 1 first
_BERNSTEIN = np.array(
    [[1.0, -3.0, 3.0, -1.0], [0.0, 3.0, -6.0, 3.0], [0.0, 0.0, 3.0, -3.0], [0.0, 0.0, 0.0, 1.0]]
)

Direction = tuple[float, float]  # of length 1


def _unit(vector: Points) -> Direction:
    x, y = vector.tolist()
    length = math.hypot(x, y)
    return (x / length, y / length) if length > 1e-9 else (1.0, 0.0)


def _turned(direction: Direction) -> Direction:
    return -direction[0], -direction[1]


def _leaving(section: Points) -> Direction:
    """Direction in which a section leaves its first point."""
    reach = min(len(section) - 1, 5)
    return _unit(section[reach] - section[0])


def _across(closed: Points, index: int) -> Direction:
    """Direction of a smooth outline at a point, from its neighbours on both sides."""
    reach = 4
    count = len(closed) // 2
    return _unit(closed[(index + reach) % count] - closed[(index - reach) % count])


def _fit(
    section: Points, first: Direction, last: Direction, tolerance: float, splits: int
) -> list[Points]:
    """Cubic pieces through a section with given directions at its two ends."""
    end = section[-1]
    if len(section) < 3:
        return [end[None]]
    across, down = (end - section[0]).tolist()
    length = math.hypot(across, down)
    if length > 1e-6:
        offset = (section - section[0]) @ np.array([-down / length, across / length])
        if max(offset.max(), -offset.min()) < 0.6 * tolerance:
            return [end[None]]
    at = _chord_lengths(section)
    worst = len(section) // 2
    for attempt in range(4):
        powers = _powers(at)  # (4, n)
        curve = _least_squares(section, _BERNSTEIN @ powers, first, last)
        polynomial = curve.T @ _BERNSTEIN  # (2, 4): x and y by powers of the position
        gap = polynomial @ powers - section.T
        miss = (gap * gap).sum(axis=0)
        worst = int(miss.argmax())
        if miss[worst] < tolerance**2:
            return [curve[1:]]
        if attempt == 3 or miss[worst] > 36.0 * tolerance**2:
            break
        at = _nearer(polynomial, gap, powers)
    if splits == 0 or len(section) < 8:
        return [end[None]]
    worst = min(max(worst, 3), len(section) - 4)
    reach = min(4, worst, len(section) - 1 - worst)
    middle = _unit(section[worst + reach] - section[worst - reach])
    return [
        *_fit(section[: worst + 1], first, _turned(middle), tolerance, splits - 1),
        *_fit(section[worst:], middle, last, tolerance, splits - 1),
    ]


def _chord_lengths(section: Points) -> NDArray[np.float64]:
    """(n,) how far along the section each point lies, from 0 to 1."""
    steps = section[1:] - section[:-1]
    steps *= steps
    total = np.zeros(len(section))
    np.cumsum(np.sqrt(steps.sum(axis=1)), out=total[1:])
    total /= max(total[-1], 1e-9)
    return total


def _powers(at: NDArray[np.float64]) -> NDArray[np.float64]:
    """(4, n): 1, t, t^2, t^3."""
    powers = np.ones((4, len(at)))
    powers[1] = at
    np.multiply(at, at, out=powers[2])
    np.multiply(powers[2], at, out=powers[3])
    return powers


def _bezier(curve: Points, at: NDArray[np.float64]) -> Points:
    points: Points = (curve.T @ _BERNSTEIN @ _powers(at)).T
    return points


def _least_squares(
    section: Points, basis: NDArray[np.float64], first: Direction, last: Direction
) -> Points:
    """(4, 2) control points whose handles lie on the end directions.

    The handle lengths p and q minimise ``|section - (fixed + p b1 first + q b2 last)|^2``, where
    b0 to b3 are the rows of ``basis``, (4, n), and ``fixed`` holds the ends.
    """
    _, (g10, g11, g12, g13), (g20, _, g22, g23), _ = (basis @ basis.T).tolist()
    _, (x1, y1), (x2, y2), _ = (basis @ section).tolist()
    (sx, sy), (ex, ey) = section[0].tolist(), section[-1].tolist()
    (ux, uy), (vx, vy) = first, last
    from_start, from_end = g10 + g11, g12 + g13
    r1 = (x1 - from_start * sx - from_end * ex) * ux + (y1 - from_start * sy - from_end * ey) * uy
    from_start, from_end = g20 + g12, g22 + g23
    r2 = (x2 - from_start * sx - from_end * ex) * vx + (y2 - from_start * sy - from_end * ey) * vy
    g12 *= ux * vx + uy * vy
    det = g11 * g22 - g12 * g12
    length = math.hypot(ex - sx, ey - sy)
    p = q = 0.0
    if abs(det) > 1e-9:
        p, q = (r1 * g22 - r2 * g12) / det, (g11 * r2 - g12 * r1) / det
    if not (0.02 * length < p < 4.0 * length + 1.0 and 0.02 * length < q < 4.0 * length + 1.0):
        p = q = length / 3.0  # Wu and Barsky's guess
    return np.array([[sx, sy], [sx + p * ux, sy + p * uy], [ex + q * vx, ey + q * vy], [ex, ey]])


def _nearer(polynomial: Points, gap: Points, powers: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) positions after one Newton step of each towards the closest point of the curve.

    ``polynomial`` is (2, 4), ``gap`` (2, n) leads from the section's points to the curve's.
    """
    first = polynomial[:, 1:] * np.array([1.0, 2.0, 3.0])
    second = first[:, 1:] * np.array([1.0, 2.0])
    speed, turn = first @ powers[:3], second @ powers[:2]  # (2, n)
    below = (speed * speed + gap * turn).sum(axis=0)
    below[np.abs(below) <= 1e-9] = np.inf  # there is no way to tell: stay
    moved = powers[1] - (gap * speed).sum(axis=0) / below
    np.maximum(moved, 0.0, out=moved)
    return np.asarray(np.maximum.accumulate(np.minimum(moved, 1.0, out=moved)))
