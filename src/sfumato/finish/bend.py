"""Other proportions for a variation: a wider brow, a longer body, a lower waist.

A model that remembers one drawing of a subject draws it again from whatever noise, so a variation
that differed by its noise alone would hardly differ. Its outlines are bent as well, all by one
smooth map that the variation's seed decides. The map is even across the drawing's middle, so what
was its own mirror image stays so; it never folds, so shapes that nest or touch go on doing so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sfumato.finish.curves import Outline
from sfumato.finish.trace import Shape
from sfumato.request import Box, GenerationPlan

__all__ = ["Bend", "bend_of"]

_FARTHEST = 0.28  # share of its place that a full variation moves a point by, about
_PART = 12.0  # units of 256: between the ends of a shorter piece the map is nearly straight
_STREAM = 1  # of the variation's seed: stream 0 made the noise


@dataclass(frozen=True, slots=True)
class Bend:
    """A smooth map of the frame onto itself, made for one drawing.

    ``widths`` are the amplitudes of three waves down the drawing (everywhere, top against bottom,
    middle against ends) by which it gets wider; ``fall`` is how far its middle sinks.
    """

    box: Box  # left, top, right, bottom of the drawing, in units of the frame
    widths: tuple[float, float, float]
    fall: float

    def points(self, places: NDArray[np.float64]) -> NDArray[np.float64]:
        """(..., 2) places to where they go."""
        left, top, right, bottom = self.box
        middle, height = (left + right) / 2.0, max(bottom - top, 1e-6)
        down = np.clip((places[..., 1] - top) / height, 0.0, 1.0)
        wider = 1.0 + sum(
            amplitude * np.cos(math.pi * wave * down) for wave, amplitude in enumerate(self.widths)
        )
        sunk = self.fall * np.sin(math.pi * down) / math.pi
        across = middle + (places[..., 0] - middle) * wider
        return np.stack([across, places[..., 1] + height * sunk], axis=-1)

    def outline(self, outline: Outline) -> Outline:
        """The outline bent; long pieces are cut, so that straight sides bend with the rest."""
        here = outline.start
        pieces: list[NDArray[np.float64]] = []
        for piece in outline.pieces:
            pieces += [self.points(part) for part in _parts(here, piece)]
            here = piece[-1]
        return Outline(self.points(outline.start), tuple(pieces))

    def shapes(self, shapes: Sequence[Shape]) -> list[Shape]:
        """The shapes, each with its outlines bent."""
        return [
            replace(shape, outlines=tuple(map(self.outline, shape.outlines))) for shape in shapes
        ]


def _parts(start: NDArray[np.float64], piece: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """A piece from ``start`` cut into equal parts of at most ``_PART`` units, of its own kind."""
    places = np.vstack([start, piece])
    length = float(np.linalg.norm(np.diff(places, axis=0), axis=1).sum())
    count = max(1, math.ceil(length / _PART))
    if len(piece) == 1:
        return list((start + (piece - start) * np.arange(1, count + 1)[:, None] / count)[:, None])
    parts = []
    for left in range(count, 1, -1):  # de Casteljau, at 1 / left of what is left
        first = places[:-1] + np.diff(places, axis=0) / left
        second = first[:-1] + np.diff(first, axis=0) / left
        third = second[0] + (second[1] - second[0]) / left
        parts.append(np.stack([first[0], second[0], third]))
        places = np.stack([third, second[1], first[2], places[3]])
    return [*parts, places[1:]]


def bend_of(plan: GenerationPlan, box: Box) -> Bend | None:
    """The bend of the one picture of ``plan``; ``None`` where it is no variation."""
    if not plan.variation_seeds or plan.variation_strength == 0.0:
        return None
    key = np.array([plan.variation_seeds[0], _STREAM], np.uint64)
    lots = np.random.Generator(np.random.Philox(key=key)).uniform(-1.0, 1.0, 4)
    # lots near nothing would leave the picture as it was
    lots = np.sign(lots) * (0.35 + 0.65 * np.abs(lots)) * _FARTHEST * plan.variation_strength
    overall, ends, waist, fall = lots.tolist()
    return Bend(box, (0.6 * overall, ends, 0.6 * waist), 1.5 * fall)
