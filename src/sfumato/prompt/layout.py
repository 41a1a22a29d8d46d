"""Where several things stand: balanced rows, relations kept, as large as the canvas allows.

Rules, no network: the same scene on the same canvas always gives the same boxes. Boxes are room,
not outlines; ``sfumato.finish.arrange`` lays the drawings into them once their shapes are known.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from sfumato.prompt.build import proportions, stands
from sfumato.prompt.scene import Scene
from sfumato.request import Box, Emblem, Part

__all__ = [
    "EMBLEM_MARGIN",
    "EMBLEM_ROOMS",
    "MARGIN",
    "EmblemRoom",
    "Room",
    "lay_out",
    "say_layout",
]

Rows = tuple[int, ...]  # how many things stand in each row, top row first

MARGIN = 0.06  # of the canvas' shorter side; the spacing icon sets agree on
EMBLEM_MARGIN = 0.03  # of the same, around an emblem
_GAP = 0.22  # of a cell, between two of them
_BLOCK_GAP = 0.5  # between two groups that the words hold apart
_ROW_IS_CLEARER = 0.8  # share of the largest cell from which all in one row is preferred
_LINE_IS_CLEARER = 0.88  # the same for one line along the canvas' longer side
_KINDS_ARE_CLEARER = 0.7  # the same for a row of each kind
_DIGITS = 6  # of a share; the longest canvas is 256 times as long as wide
_IN_A_ROW = 3  # so many stand in one row or column, whatever would be larger


@dataclass(frozen=True, slots=True)
class EmblemRoom:
    """How much of an emblem what stands on it may take, as shares of the emblem's side."""

    side: float  # the longer side
    diagonal: float
    rise: float = 0.0  # how far above the middle it stands


EMBLEM_ROOMS = {
    "circle": EmblemRoom(0.64, 0.8),
    "rounded": EmblemRoom(0.66, 0.95),
    "square": EmblemRoom(0.68, 1.0),
    "shield": EmblemRoom(0.56, 0.7, rise=0.04),
    "hexagon": EmblemRoom(0.6, 0.76),
    "ring": EmblemRoom(0.58, 0.72),
    "sunburst": EmblemRoom(0.58, 0.72),
    "diamond": EmblemRoom(0.52, 0.66),
}


@dataclass(frozen=True, slots=True)
class Cell:
    """What one thing takes of a grid; lengths in its longer side."""

    width: float = 1.0
    height: float = 1.0

    @classmethod
    def of(cls, scene: Scene) -> Cell:
        """As slender or broad as all things of the scene are."""
        widths, heights = zip(*(proportions(thing.subject) for thing in scene.things), strict=True)
        return cls(max(widths), max(heights))

    @property
    def gap(self) -> float:
        """Between two of them, as ``sfumato.finish.arrange`` leaves it."""
        return _GAP * math.sqrt(self.width * self.height)

    def span(self, rows: Rows) -> tuple[float, float]:
        """How far so many of them in rows reach across and down, gaps counted in."""
        across = self.width * max(rows) + self.gap * (max(rows) - 1)
        return across, self.height * len(rows) + self.gap * (len(rows) - 1)


@dataclass(frozen=True, slots=True)
class Room:
    """What a layout may fill: a canvas, lengths in its shorter sides, or an emblem on it."""

    width: float
    height: float
    emblem: EmblemRoom | None = None

    @classmethod
    def of(cls, width: int, height: int, emblem: Emblem | None) -> Room:
        """The room on a canvas of so many pixels."""
        side = min(width, height)
        shape = None if emblem is None else EMBLEM_ROOMS[emblem.shape]
        return cls(width / side, height / side, shape)

    def cell(self, across: float, down: float) -> float:
        """The largest cell when so many cells, gaps counted in, must fit across and down."""
        if self.emblem is None:
            inner_width, inner_height = self.width - 2 * MARGIN, self.height - 2 * MARGIN
            return min(inner_width / across, inner_height / down)
        side, diagonal = self.emblem.side / max(across, down), math.hypot(across, down)
        return (1 - 2 * EMBLEM_MARGIN) * min(side, self.emblem.diagonal / diagonal)

    def area(self, across: float, down: float) -> tuple[float, float, float]:
        """Width, height and the middle's height of what so many cells may fill."""
        if self.emblem is None:
            return self.width - 2 * MARGIN, self.height - 2 * MARGIN, self.height / 2
        cell = self.cell(across, down)
        rise = self.emblem.rise * (1 - 2 * EMBLEM_MARGIN)
        return across * cell, down * cell, self.height / 2 - rise


def lay_out(scene: Scene, room: Room) -> tuple[Part, ...]:
    """The things of a scene with a box for each copy."""
    blocks = scene.blocks_of_copies
    order = [thing for block in blocks for thing in block]
    cell = Cell.of(scene) if scene.is_free else Cell()  # where places were said, room to spare
    grids = _grids(scene, room, cell)
    is_one_row = scene.axis == "across" and all(len(rows) == 1 for rows in grids)
    if len(grids) > 1 and scene.axis == "across" and not is_one_row:
        boxes = list(_side_by_side(grids, room))
    else:
        rows = (len(order),) if is_one_row else tuple(n for grid in grids for n in grid)
        boxes = list(_stacked(rows, room, cell))
    return tuple(
        Part(
            subject=thing.subject,
            tint=thing.tint,
            tint_name=thing.tint_name,
            stands=stands(thing.subject),
            boxes=tuple(
                _shares(box, room) for box, owner in zip(boxes, order, strict=True) if owner == at
            ),
        )
        for at, thing in enumerate(scene.things)
    )


def say_layout(scene: Scene, parts: Sequence[Part]) -> str:
    """A sentence for people: what stands where."""
    if scene.axis:
        way = "left to right" if scene.axis == "across" else "top to bottom"
        groups = (scene.words_of(block) for block in scene.blocks)
        return f"Laid out from {way}: {'; '.join(groups)}."
    boxes = [box for part in parts for box in part.boxes]
    rows = len({box[1] for box in boxes})
    columns = len({box[0] for box in boxes})
    if rows == 1:
        how = "side by side" if len(boxes) == 2 else "in a row"
    else:
        shape = "in a triangle" if len(boxes) == 3 else f"in {rows} rows"
        how = "one above the other" if columns == 1 else shape
    return f"Laid out as {scene.words} {how}."


# ---------------------------------------------------------------- how many in each row


def _grids(scene: Scene, room: Room, cell: Cell) -> list[Rows]:
    """The rows of each block."""
    sizes = [len(block) for block in scene.blocks_of_copies]
    if scene.axis == "down":
        return [
            (size,) if size <= _IN_A_ROW + 1 else _best_rows(size, room, cell) for size in sizes
        ]
    if scene.axis == "across":
        return _best_beside(sizes, room)
    (size,) = sizes
    if scene.shape == "row":
        return [(size,)]
    if scene.shape == "column":
        return [(1,) * size]
    if scene.shape == "grid":
        return [_best_rows(size, room, cell, fewest=2)]
    return [_freely(scene, room, cell)]


def _freely(scene: Scene, room: Room, cell: Cell) -> Rows:
    """The rows of things of which nothing was said but what they are, and how many."""
    size_of = _sizer(room, cell)
    (block,) = scene.blocks
    kinds = tuple(count for _, count in block)
    size = sum(kinds)
    best = _best_rows(size, room, cell)
    along = (1,) * size if room.height > room.width else (size,)
    if room.width != room.height and size_of(along) >= _LINE_IS_CLEARER * size_of(best):
        best = along
    if size <= _IN_A_ROW and len(best) in (1, size):
        return best
    apart = 1 < len(kinds) < size and size_of(kinds) >= _KINDS_ARE_CLEARER * size_of(best)
    return kinds if apart else best


def _sizer(room: Room, cell: Cell) -> Callable[[Rows], float]:
    """How large the cells of so many rows are in this room."""

    def size_of(rows: Rows) -> float:
        return room.cell(*cell.span(rows))

    return size_of


def _best_rows(size: int, room: Room, cell: Cell, fewest: int = 1) -> Rows:
    """The rows that leave the largest cells; among equals the fewest."""
    choices = (_balanced(size, count, room) for count in range(fewest, size + 1))
    return max(choices, key=_sizer(room, cell))


def _balanced(size: int, count: int, room: Room) -> Rows:
    """``size`` things in ``count`` rows that differ by one at most, and look even and firm."""
    low, longer = divmod(size, count)
    half, has_middle = divmod(count, 2)
    if has_middle and longer == 1:
        return (low,) * half + (low + 1,) + (low,) * half
    if has_middle and longer == count - 1:
        return (low + 1,) * half + (low,) + (low + 1,) * half
    rows = (low + 1,) * longer + (low,) * (count - longer)
    wide_at_its_top = room.emblem is not None and room.emblem.rise > 0  # a shield
    return rows if wide_at_its_top else rows[::-1]  # broad at the foot


def _best_beside(sizes: Sequence[int], room: Room) -> list[Rows]:
    """Rows for each of several groups that stand side by side, with cells as large as can be."""
    one_row: list[Rows] = [(size,) for size in sizes]
    choices = [[_balanced(size, n, room) for n in range(1, size + 1)] for size in sizes]
    best = max((list(grids) for grids in product(*choices)), key=lambda g: _beside_cell(g, room))
    clear = _ROW_IS_CLEARER * _beside_cell(best, room)
    if sum(sizes) <= _IN_A_ROW:
        return one_row
    return one_row if room.cell(_span(sum(sizes)), 1) >= clear else best


def _beside_cell(grids: Sequence[Rows], room: Room) -> float:
    return room.cell(*_beside_span(grids))


def _beside_span(grids: Sequence[Rows]) -> tuple[float, float]:
    across = sum(_span(max(rows)) for rows in grids) + _BLOCK_GAP * (len(grids) - 1)
    return across, max(_span(len(rows)) for rows in grids)


def _span(count: int) -> float:
    """Cells that ``count`` cells and the gaps between them take."""
    return count + _GAP * (count - 1)


# ---------------------------------------------------------------- boxes, in shorter sides


def _stacked(rows: Rows, room: Room, cell: Cell) -> Iterator[Box]:
    """Rows below one another that fill the room; a shorter row stands in the middle."""
    across, down = cell.span(rows)
    width, height, middle = room.area(across, down)
    gap = cell.gap * room.cell(across, down)
    wide = (width - gap * (max(rows) - 1)) / max(rows)
    high = (height - gap * (len(rows) - 1)) / len(rows)
    for number, count in enumerate(rows):
        top = middle - height / 2 + number * (high + gap)
        left = room.width / 2 - (count * wide + (count - 1) * gap) / 2
        for at in range(count):
            x = left + at * (wide + gap)
            yield x, top, x + wide, top + high


def _side_by_side(grids: Sequence[Rows], room: Room) -> Iterator[Box]:
    """Groups beside one another, each in rows of square cells."""
    across, down = _beside_span(grids)
    cell = room.cell(across, down)
    middle = room.area(across, down)[2]
    left = room.width / 2 - across * cell / 2
    for rows in grids:
        wide = _span(max(rows)) * cell
        top = middle - _span(len(rows)) * cell / 2
        for number, count in enumerate(rows):
            y = top + number * (1 + _GAP) * cell
            start = left + (wide - _span(count) * cell) / 2
            for at in range(count):
                x = start + at * (1 + _GAP) * cell
                yield x, y, x + cell, y + cell
        left += wide + _BLOCK_GAP * cell


def _shares(box: Box, room: Room) -> Box:
    """A box as shares of the canvas, rounded, so that every machine writes the same recipe."""
    left, top, right, bottom = box
    wide, high = room.width, room.height
    return (
        round(left / wide, _DIGITS),
        round(top / high, _DIGITS),
        round(right / wide, _DIGITS),
        round(bottom / high, _DIGITS),
    )
