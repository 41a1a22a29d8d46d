"""The shapes of a drawing as absolute lines and curves, for formats other than SVG.

Reads what the finishing room writes: rectangles and paths in plain colours, on a view box. Anything
else (a gradient, a transformation, text) makes the whole drawing unreadable here, so that a caller
falls back to pixels and never writes a picture with parts missing.

Source: Scalable Vector Graphics (SVG) 2, sections 9.3 (path data) and B.2 (elliptical arcs).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from xml.parsers import expat

from sfumato.colours import rgb_of
from sfumato.errors import StorageError
from sfumato.files.metadata import hardened_parser, parse_xml

__all__ = ["Drawing", "Painted", "read_drawing"]

Point = tuple[float, float]
# a move and a line have one point, a curve two handles and its end, a closing none
Segment = tuple[str, tuple[Point, ...]]

_TOKEN = re.compile(r"[MmLlHhVvCcAaZz]|[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_NUMBERS = {"M": 2, "L": 2, "H": 1, "V": 1, "C": 6, "A": 7, "Z": 0}
_COLOUR = re.compile(r"#[0-9a-f]{6}")
_KNOWN = {
    "rect": {"width", "height", "fill"},
    "path": {"fill", "d", "stroke", "stroke-width", "stroke-linejoin"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Painted:
    """One shape: filled by the nonzero rule, then drawn around with round corners."""

    segments: tuple[Segment, ...]  # "M", "L", "C" or "Z" with absolute points
    fill: tuple[int, int, int]
    stroke: tuple[int, int, int] | None = None
    stroke_width: float = 0.0  # units of the drawing


@dataclass(frozen=True, slots=True)
class Drawing:
    """Shapes from the bottom up on a canvas of so many units, its origin at the top left."""

    width: float
    height: float
    shapes: tuple[Painted, ...]


def read_drawing(svg: str) -> Drawing | None:
    """The shapes of an SVG document; ``None`` where it holds what cannot be said in these words."""
    elements: list[tuple[str, dict[str, str]]] = []
    parser = hardened_parser()
    parser.StartElementHandler = lambda name, attributes: elements.append((name, attributes))
    try:
        parse_xml(parser, svg.encode(), "The drawing")
        (_, root), *rest = elements
        left, top, width, height = map(float, root["viewBox"].split())
        if (left, top) != (0.0, 0.0) or root.keys() - {"xmlns", "viewBox"}:
            return None
        return Drawing(width, height, tuple(_painted(*element) for element in rest))
    except (StorageError, KeyError, ValueError, expat.ExpatError):
        return None


def _painted(name: str, attributes: dict[str, str]) -> Painted:
    """Raises: KeyError, ValueError: an element or an attribute that is not known here."""
    if attributes.keys() - _KNOWN[name]:
        raise ValueError("an attribute that is not known here")
    if name == "rect":
        width, height = float(attributes["width"]), float(attributes["height"])
        corners = [(0.0, 0.0), (width, 0.0), (width, height), (0.0, height)]
        lines = [("M" if at == 0 else "L", (corner,)) for at, corner in enumerate(corners)]
        return Painted(segments=(*lines, ("Z", ())), fill=_colour(attributes["fill"]))
    stroke = attributes.get("stroke")
    if stroke is not None and attributes["stroke-linejoin"] != "round":
        raise ValueError("corners of another kind")
    return Painted(
        segments=tuple(_segments(attributes["d"])),
        fill=_colour(attributes["fill"]),
        stroke=None if stroke is None else _colour(stroke),
        stroke_width=float(attributes.get("stroke-width", 0.0)),
    )


def _colour(text: str) -> tuple[int, int, int]:
    if not _COLOUR.fullmatch(text):
        raise ValueError("no plain colour")
    return rgb_of(text)


def _segments(data: str) -> Iterator[Segment]:
    """Path data, any of ``M L H V C A Z`` and their relative forms, made absolute."""
    tokens = _TOKEN.findall(data)
    if _TOKEN.sub("", data).strip(" ,\n\t"):
        raise ValueError("a command that is not known here")
    at, command = 0, ""
    here = start = (0.0, 0.0)
    while at < len(tokens):
        if tokens[at].isalpha():
            command, at = tokens[at], at + 1
        kind, count = command.upper(), _NUMBERS[command.upper()]
        given = [float(token) for token in tokens[at : at + count]]
        if len(given) < count:
            raise ValueError("the path ends in the middle")
        at += count
        x, y = here if command.islower() else (0.0, 0.0)
        if kind == "Z":
            yield "Z", ()
            here, command = start, ""
        elif kind == "A":
            end = given[5] + x, given[6] + y
            yield from _arc(here, end, given)
            here = end
        elif kind in "HV":
            here = (given[0] + x, here[1]) if kind == "H" else (here[0], given[0] + y)
            yield "L", (here,)
        else:
            pairs = zip(given[::2], given[1::2], strict=True)
            points = tuple((px + x, py + y) for px, py in pairs)
            here = points[-1]
            yield kind, points
            if kind == "M":  # more points after a move are lines
                start, command = here, "l" if command == "m" else "L"


def _arc(start: Point, end: Point, given: list[float]) -> Iterator[Segment]:
    """An elliptical arc as cubic curves of a quarter turn at most; a circle is met to 0.03 %."""
    rx, ry, turn, large, sweep = abs(given[0]), abs(given[1]), math.radians(given[2]), *given[3:5]
    if rx == 0.0 or ry == 0.0 or start == end:
        yield "L", (end,)
        return
    cosine, sine = math.cos(turn), math.sin(turn)
    half_x, half_y = (start[0] - end[0]) / 2, (start[1] - end[1]) / 2
    px, py = cosine * half_x + sine * half_y, cosine * half_y - sine * half_x
    # radii that do not reach grow until they do
    short = (px / rx) ** 2 + (py / ry) ** 2
    rx, ry = rx * max(1.0, math.sqrt(short)), ry * max(1.0, math.sqrt(short))
    spread = (px / rx) ** 2 + (py / ry) ** 2
    away = math.sqrt(max(0.0, 1.0 / spread - 1.0)) * (1.0 if bool(large) != bool(sweep) else -1.0)
    cx, cy = away * rx * py / ry, -away * ry * px / rx  # the centre, in the ellipse's own axes
    first = math.atan2((py - cy) / ry, (px - cx) / rx)
    angle = (math.atan2((-py - cy) / ry, (-px - cx) / rx) - first) % (2 * math.pi)
    if not sweep:
        angle -= 2 * math.pi
    middle = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2

    def placed(u: float, v: float) -> Point:
        """From the unit circle to the drawing."""
        x, y = cx + rx * u, cy + ry * v
        return middle[0] + cosine * x - sine * y, middle[1] + sine * x + cosine * y

    count = max(1, math.ceil(abs(angle) / (math.pi / 2) - 1e-9))
    step = angle / count
    handle = 4.0 / 3.0 * math.tan(step / 4)
    for number in range(count):
        a = first + number * step
        b = a + step
        last = end if number + 1 == count else placed(math.cos(b), math.sin(b))
        yield (
            "C",
            (
                placed(math.cos(a) - handle * math.sin(a), math.sin(a) + handle * math.cos(a)),
                placed(math.cos(b) + handle * math.sin(b), math.sin(b) - handle * math.cos(b)),
                last,
            ),
        )
