"""Several drawings on one canvas: as large as their boxes allow, with even gaps.

A plan gives each copy a box, without knowing how slender its drawing will be. Boxes that stand in
rows are a grid whose cells take the shape of the drawings: three bottles in a row become as tall
as the canvas allows, and a row of a cat and a car has one gap, not two margins. All drawings have
one size, measured along their longer sides, as icons of a set have. What stands, rests on the
ground line of its row; a sun or a heart beside it is centred.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sfumato.finish.compose import MOST_ENLARGED, SHORT_SIDE, Canvas, Placement
from sfumato.finish.trace import FRAME
from sfumato.request import Box, GenerationPlan, Part

__all__ = ["arrange", "assemble", "rows_of"]

GAP = 0.22  # of a drawing's mean side, between it and its neighbours
_ONE_ROW = 0.01  # share of the canvas by which the tops and bottoms of a row may differ

Sizes = NDArray[np.float64]  # (n, 2): width and height
Point = tuple[float, float]


def arrange(
    parts: Sequence[Part], extents: Sequence[Box], canvas: Canvas
) -> list[tuple[Placement, ...]]:
    """Where each copy of each part goes, in the order of the parts and of their boxes.

    Args:
        extents: the bounding box of each part's drawing in the frame of 256 units a side.
    """
    owners = [number for number, part in enumerate(parts) for _ in part.boxes]
    rooms = [_in_units(box, canvas) for part in parts for box in part.boxes]
    sides = np.array([(box[2] - box[0], box[3] - box[1]) for box in extents])
    sides = np.maximum(sides, 1.0)  # (parts, 2)
    longest = sides.max(axis=1)
    most = MOST_ENLARGED * SHORT_SIDE / FRAME * longest  # units: what is drawn small stays so
    rows, area = rows_of(rooms, canvas), _around(rooms)
    shapes = (sides / longest[:, None])[owners]  # (copies, 2), the longer side is 1
    stand = [parts[number].stands for number in owners]
    if rows is None:
        spans = np.array([(room[2] - room[0], room[3] - room[1]) for room in rooms])
        length = float((spans / shapes).min())
    else:
        across, down = _in_rows(rows, shapes, stand)[0]
        length = min((area[2] - area[0]) / across, (area[3] - area[1]) / down)

    scales = np.minimum(min(length, float(most.max())), most) / longest
    sizes = (sides * scales[:, None])[owners]
    if rows is None:
        middles = [((room[0] + room[2]) / 2, (room[1] + room[3]) / 2) for room in rooms]
    else:
        middles = _in_rows(rows, sizes, stand)[1]
    placed: list[list[Placement]] = [[] for _ in parts]
    for number, (x, y) in zip(owners, _centred(middles, sizes, area), strict=True):
        left, top, right, bottom = extents[number]
        scale = float(scales[number])
        shift = (x - scale * (left + right) / 2, y - scale * (top + bottom) / 2)
        placed[number].append(Placement(scale, shift))
    return [tuple(placements) for placements in placed]


def assemble(drawings: Sequence[NDArray[np.uint8]], plan: GenerationPlan) -> NDArray[np.uint8]:
    """A quick look at a picture in the making, (s, s, 4) uint8, s as that of the drawings.

    ``drawings`` are the first of ``plan.drawings``, (s, s, 4) each; the others are not there yet.
    """
    side = drawings[0].shape[0]
    if not plan.parts:
        return drawings[0]
    unit = side / max(plan.width, plan.height)  # the whole canvas fits into the square
    width, height = plan.width * unit, plan.height * unit
    canvas = Image.new("RGBA", (side, side))
    for pixels, part in zip(drawings, plan.parts, strict=False):
        picture = Image.fromarray(pixels)
        for left, top, right, bottom in part.boxes:
            room = min((right - left) * width, (bottom - top) * height)
            length = max(1, round(room))
            x = (side - width) / 2 + (left + right) / 2 * width - room / 2
            y = (side - height) / 2 + (top + bottom) / 2 * height - room / 2
            small = picture.resize((length, length), Image.Resampling.BOX)
            canvas.paste(small, (round(x), round(y)))
    return np.array(canvas)


def rows_of(rooms: Sequence[Box], canvas: Canvas) -> list[list[int]] | None:
    """The rows that boxes stand in, top row first, each from left to right; None where they do not.

    Boxes of one row share top and bottom, and rows do not overlap.
    """
    slack = _ONE_ROW * canvas.height
    rows: list[list[int]] = []
    for index in sorted(range(len(rooms)), key=lambda index: (rooms[index][1], rooms[index][0])):
        room = rooms[index]
        if rows:
            first = rooms[rows[-1][0]]
            if max(abs(room[1] - first[1]), abs(room[3] - first[3])) <= slack:
                rows[-1].append(index)
                continue
            if room[1] < first[3] - slack:
                return None
        rows.append([index])
    return [sorted(row, key=lambda index: rooms[index][0]) for row in rows]


def _in_rows(
    rows: Sequence[Sequence[int]], sizes: Sizes, stand: Sequence[bool]
) -> tuple[tuple[float, float], list[Point]]:
    """How far drawings of these sizes reach across and down, and the middle of each."""
    gap = GAP * float(np.sqrt(sizes.mean(axis=0).prod()))
    widths = [[float(sizes[index, 0]) for index in row] for row in rows]
    if len(rows) > 1:  # columns stand under one another
        widest = max(max(row) for row in widths)
        widths = [[widest] * len(row) for row in widths]
    heights = [max(float(sizes[index, 1]) for index in row) for row in rows]
    middles = [(0.0, 0.0)] * len(sizes)
    y = 0.0
    for row, row_widths, height in zip(rows, widths, heights, strict=True):
        x = -(sum(row_widths) + gap * (len(row) - 1)) / 2
        for index, width in zip(row, row_widths, strict=True):
            lower = (height - float(sizes[index, 1])) / 2 if stand[index] else 0.0
            middles[index] = x + width / 2, y + height / 2 + lower
            x += width + gap
        y += height + gap
    across = max(sum(row) + gap * (len(row) - 1) for row in widths)
    return (across, y - gap), middles


def _centred(middles: Sequence[Point], sizes: Sizes, area: Box) -> list[Point]:
    """All moved together, so that what is drawn stands in the middle of the area."""
    at = np.array(middles)
    covered = ((at - sizes / 2).min(axis=0) + (at + sizes / 2).max(axis=0)) / 2
    wanted = np.array([(area[0] + area[2]) / 2, (area[1] + area[3]) / 2])
    return [(float(x), float(y)) for x, y in at + (wanted - covered)]


def _in_units(box: Box, canvas: Canvas) -> Box:
    """A box of shares of the canvas in units of the document."""
    left, top, right, bottom = box
    width, height = canvas.width, canvas.height
    return left * width, top * height, right * width, bottom * height


def _around(rooms: Sequence[Box]) -> Box:
    every = np.array(rooms)
    left, top = every[:, :2].min(axis=0).tolist()
    right, bottom = every[:, 2:].max(axis=0).tolist()
    return left, top, right, bottom
