"""Place drawings on their canvas: ground, emblem, keylines, shapes, as one SVG document."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import resvg_py
from numpy.typing import NDArray
from PIL import Image

from sfumato.colours import rgb_of, to_hex
from sfumato.errors import BackendError
from sfumato.finish.curves import Outline
from sfumato.finish.emblem import SHAPES
from sfumato.finish.trace import FRAME, Shape
from sfumato.oklab import evenly, srgb_to_oklab
from sfumato.prompt.layout import EMBLEM_MARGIN, MARGIN
from sfumato.request import Box, Emblem, GenerationPlan

__all__ = [
    "MOST_ENLARGED",
    "SHORT_SIDE",
    "Canvas",
    "Laid",
    "Placement",
    "are_pale",
    "document",
    "glyph_colour",
    "keyline_colour",
    "opposite",
    "pale_keyline_colour",
    "place",
    "render",
]

SHORT_SIDE = 1024.0  # units of the document along the canvas' shorter side
_OVERSHOOT = 1.01  # a scene goes a little past the edges, so that no soft border shows
MOST_ENLARGED = 1.8  # a drawing that is meant to be small stays small
_PAPER, _INK = "#ffffff", "#24262b"
_KEYLINE = 26.0  # units: half of it shows around the drawing
_PENCIL = "#8a9099"  # around white: WCAG contrast 3.2 with white pages, 5.9 with dark ones
_WHITISH = 0.9  # Oklab lightness from which a colour hardly shows on a white page
_SHADED, _COLOURLESS = 0.75, 0.05  # Oklab lightness and chroma of white's own shades
_RUNS_OUT = 0.12  # of the drawing's area: less, in the ground's colour, is a detail
_ALIKE = 0.14  # Oklab distance below which two neighbouring areas run together


@dataclass(frozen=True, slots=True)
class Canvas:
    """The document's size in its own units; the shorter side is 1024."""

    width: float
    height: float

    @classmethod
    def of(cls, plan: GenerationPlan) -> Canvas:
        """The canvas of the plan's proportions."""
        unit = SHORT_SIDE / min(plan.width, plan.height)
        return cls(round(plan.width * unit, 3), round(plan.height * unit, 3))


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the drawing goes: units of the document a unit of the frame, then a shift."""

    scale: float
    shift: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Laid:
    """A traced drawing and every place on the canvas that it goes to."""

    shapes: Sequence[Shape]  # bottom first
    placements: tuple[Placement, ...]
    keyline: Shape | None = None  # the silhouette, drawn below with a wide line around it


def place(box: Box | None, canvas: Canvas, emblem: Emblem | None, *, bleed: bool) -> Placement:
    """Centre a drawing by its bounding box, with even margins.

    Args:
        box: the drawing's bounding box in the frame of 256 units a side it was traced in;
            ``None`` stands for the whole frame.
        bleed: the drawing fills its square to the edges, as a scene does; it keeps doing so.
    """
    box = box or (0.0, 0.0, FRAME, FRAME)
    width, height = max(box[2] - box[0], 1.0), max(box[3] - box[1], 1.0)
    rise = 0.0
    if emblem is not None:
        shape = SHAPES[emblem.shape]
        full = SHORT_SIDE * (1.0 - 2.0 * EMBLEM_MARGIN)
        scale = full * min(
            shape.room.side / max(width, height),
            shape.room.diagonal / float(np.hypot(width, height)),
        )
        rise = shape.room.rise * full
    elif bleed:
        box, scale = (0.0, 0.0, FRAME, FRAME), _OVERSHOOT * SHORT_SIDE / FRAME
    else:
        scale = SHORT_SIDE * (1.0 - 2.0 * MARGIN) / max(width, height)
    scale = min(scale, MOST_ENLARGED * SHORT_SIDE / FRAME)
    middle = (canvas.width / 2, canvas.height / 2 - rise)
    shift = (
        middle[0] - scale * (box[0] + box[2]) / 2,
        middle[1] - scale * (box[1] + box[3]) / 2,
    )
    return Placement(scale, shift)


def keyline_colour(
    colours: NDArray[np.uint8], shares: NDArray[np.float64], emblem: Emblem
) -> str | None:
    """The colour of a thin line around a drawing that would run into its emblem, else ``None``.

    Args:
        colours: (k, 3) sRGB of the drawing. shares: (k,) of its area.
    """
    if emblem.shape == "ring" or len(colours) == 0:
        return None  # inside a ring the drawing stands on the ground
    ground = evenly(srgb_to_oklab(np.array(rgb_of(emblem.colour), np.uint8)))
    distance = np.sqrt(((evenly(srgb_to_oklab(colours)) - ground) ** 2).sum(axis=1))
    if float(shares[distance < _ALIKE].sum()) < _RUNS_OUT:
        return None
    return opposite(emblem.colour)


def pale_keyline_colour(
    colours: NDArray[np.uint8], shares: NDArray[np.float64], tint: str
) -> str | None:
    """The colour of a thin line around a drawing asked for in white on a clear canvas, or ``None``.

    Args:
        colours: (k, 3) sRGB of the drawing. shares: (k,) of its area. tint: the asked colour.
    """
    if _lightness(np.array(rgb_of(tint), np.uint8)) < _WHITISH:
        return None
    return _PENCIL if float(shares[_lightness(colours) > _WHITISH].sum()) > _RUNS_OUT else None


def are_pale(colours: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which of (k, 3) colours are white or its shades, which a line around white includes."""
    lab = srgb_to_oklab(colours)
    return np.asarray((lab[..., 0] > _SHADED) & (np.hypot(lab[..., 1], lab[..., 2]) < _COLOURLESS))


def _lightness(colours: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Oklab lightness of (..., 3) sRGB."""
    return np.asarray(srgb_to_oklab(colours)[..., 0])


def glyph_colour(emblem: Emblem, background: str) -> str:
    """The colour of a one-colour drawing on an emblem: white on dark, nearly black on light.

    Inside a ring it lies on the ground: ``background`` is "transparent" or #rrggbb.
    """
    if emblem.shape != "ring":
        return opposite(emblem.colour)
    return _INK if background == "transparent" else opposite(background)


def opposite(colour: str) -> str:
    """White on a dark ``colour``, nearly black on a light one."""
    light = srgb_to_oklab(np.array(rgb_of(colour), np.uint8))[0]
    return _PAPER if light < 0.82 else _INK


def document(laid: Sequence[Laid], canvas: Canvas, plan: GenerationPlan) -> str:
    """The whole picture as SVG: ground, emblem, then each drawing wherever it was laid."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {canvas.width:g} {canvas.height:g}">'
    ]
    if plan.background != "transparent":
        parts.append(
            f'<rect width="{canvas.width:g}" height="{canvas.height:g}" fill="{plan.background}"/>'
        )
    if plan.emblem is not None:
        reach = round(SHORT_SIDE * (0.5 - EMBLEM_MARGIN), 1)
        path = SHAPES[plan.emblem.shape].path(
            round(canvas.width / 2, 1), round(canvas.height / 2, 1), reach
        )
        parts.append(f'<path fill="{plan.emblem.colour}" d="{path}"/>')
    keyline = _KEYLINE / plan.num_things**0.5  # thinner around smaller drawings
    for one in laid:
        for placement in one.placements:
            if one.keyline is not None:
                colour = to_hex(one.keyline.colour)
                parts.append(
                    f'<path fill="{colour}" stroke="{colour}" stroke-width="{keyline:.3g}" '
                    f'stroke-linejoin="round" d="{_path_data(one.keyline.outlines, placement)}"/>'
                )
            parts.extend(
                f'<path fill="{to_hex(shape.colour)}" d="{_path_data(shape.outlines, placement)}"/>'
                for shape in one.shapes
            )
    parts.append("</svg>")
    return "\n".join(parts)


def render(svg: str, width: int, height: int) -> NDArray[np.uint8]:
    """The document as (height, width, 4) uint8 sRGB, straight alpha.

    Raises: BackendError: the renderer refused the document.
    """
    # the document is free of scale; a size written into it is met to the pixel, while one given
    # to the renderer is rounded by the proportions
    sized = svg.replace(
        "<svg ", f'<svg width="{width}" height="{height}" preserveAspectRatio="none" ', 1
    )
    try:
        encoded = resvg_py.svg_to_bytes(svg_string=sized, skip_system_fonts=True)
    except ValueError as error:
        raise BackendError(f"The picture could not be rendered: {error}.") from error
    with Image.open(io.BytesIO(encoded)) as image:
        return np.array(image.convert("RGBA"))


def _path_data(outlines: tuple[Outline, ...], placement: Placement) -> str:
    """SVG path data in tenths of a unit, relative, so that numbers stay short.

    Differences are taken between rounded positions: rounding does not add up along a path.
    """
    text = []
    for outline in outlines:
        moved = outline.moved(placement.scale, placement.shift)
        here = np.rint(moved.start * 10.0).astype(np.int64)
        text.append(f"M{_numbers(here)}")
        command = "M"
        for piece in moved.pieces:
            points = np.rint(piece * 10.0).astype(np.int64)
            wanted = "l" if len(points) == 1 else "c"
            if wanted == "l" and (points[0] == here).all():
                continue
            numbers = _numbers((points - here).ravel())
            join = "" if wanted == command and numbers.startswith("-") else " "
            text.append(f"{join}{numbers}" if wanted == command else f"{wanted}{numbers}")
            command, here = wanted, points[-1]
        text.append("z")
    return "".join(text)


def _numbers(tenths: NDArray[np.int64]) -> str:
    words = [f"{value / 10:g}" for value in tenths.tolist()]
    return "".join(
        word if index == 0 or word.startswith("-") else f" {word}"
        for index, word in enumerate(words)
    )
