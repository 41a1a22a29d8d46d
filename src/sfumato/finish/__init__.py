"""From the model's soft little picture to one a designer accepts at any size.

Each drawing is cleaned (transparency, mirrored halves, soft borders), taken apart into its flat
colours, tinted and traced; then all are placed on the canvas and rendered together. The plan
decides; nothing here is random.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sfumato.colours import rgb_of
from sfumato.errors import BackendError
from sfumato.finish.alpha import clean_alpha
from sfumato.finish.arrange import arrange, assemble
from sfumato.finish.bend import bend_of
from sfumato.finish.compose import (
    Canvas,
    Laid,
    Placement,
    are_pale,
    document,
    glyph_colour,
    keyline_colour,
    opposite,
    pale_keyline_colour,
    place,
    render,
)
from sfumato.finish.crisp import crisp
from sfumato.finish.mirror import evened
from sfumato.finish.palette import Layers, separate_colours
from sfumato.finish.raster import paste
from sfumato.finish.tint import Tint, is_glyph, make_tint
from sfumato.finish.trace import FRAME, Shape, bounding_box, trace
from sfumato.request import Box, GenerationPlan

__all__ = ["Finished", "assemble", "finish"]

_BLEED = 0.97  # of the square covered: the drawing is a scene that fills its frame


@dataclass(frozen=True, slots=True)
class Finished:
    """The picture, and the paths it was rendered from.

    ``pixels`` is (plan.height, plan.width, 4) uint8 sRGB, straight alpha; ``svg`` is ``None``
    for a raster finish.
    """

    pixels: NDArray[np.uint8]
    svg: str | None


def finish(drawings: Sequence[NDArray[np.uint8]], plan: GenerationPlan) -> Finished:
    """Finish (s, s, 4) uint8 sRGB drawings with straight alpha as ``plan`` says.

    ``drawings`` are those of ``plan.drawings``, in order: several where the plan has parts.

    Raises: BackendError: the pixels have another shape, or there are not as many as the plan has;
        RequestError: unknown emblem shape.
    """
    if len(drawings) != len(plan.drawings):
        raise BackendError(f"{len(drawings)} drawings for a plan of {len(plan.drawings)}.")
    canvas = Canvas.of(plan)
    traced = [_trace(*pair) for pair in zip(drawings, plan.drawings, strict=True)]
    laid = [
        Laid(one.shapes, placements, one.keyline)
        for one, placements in zip(traced, _placements(traced, plan, canvas), strict=True)
    ]
    svg = document(laid, canvas, plan)
    rendered = render(svg, plan.width, plan.height)
    if plan.finish == "vector":
        return Finished(rendered, svg)
    for one, where in zip(traced, laid, strict=True):
        for placement in where.placements:
            rendered = paste(one.cleaned, rendered, placement, canvas)
    return Finished(rendered, None)


@dataclass(frozen=True, slots=True)
class _Traced:
    """One drawing, clean and in its colours, not yet placed."""

    cleaned: NDArray[np.float32]  # (s, s, 4)
    shapes: list[Shape]  # none for a raster finish
    box: Box  # around what was drawn, in the frame of 256 units a side
    bleed: bool  # a scene that fills its frame
    keyline: Shape | None


def _trace(pixels: NDArray[np.uint8], plan: GenerationPlan) -> _Traced:
    """Clean, separate, tint and trace one drawing; ``plan`` is of this drawing alone."""
    if pixels.ndim != 3 or pixels.shape[0] != pixels.shape[1] or pixels.shape[2] != 4:
        raise BackendError(f"The model returned pixels of shape {pixels.shape}, not (s, s, 4).")
    cleaned = crisp(evened(clean_alpha(pixels)))  # (s, s, 4) float32
    layers = separate_colours(cleaned)
    tint = _tint_for(layers, plan)
    if tint is not None:
        layers = layers.recoloured(tint.apply(layers.colours))
    shapes = trace(layers) if plan.finish == "vector" else []
    box = bounding_box(shapes or trace(layers.silhouette()))
    bleed = float(layers.cover.sum()) > _BLEED * pixels[..., 3].size
    keyline = _keyline(layers, plan)
    bend = None if bleed or not shapes or box is None else bend_of(plan, box)
    if bend is not None:
        shapes = bend.shapes(shapes)
        keyline = None if keyline is None else bend.shapes([keyline])[0]
        box = bounding_box(shapes)
    if tint is not None and plan.finish != "vector":
        cleaned[..., :3] = tint.apply(np.rint(cleaned[..., :3]).astype(np.uint8))
    return _Traced(
        cleaned=cleaned,
        shapes=shapes,
        box=box or (0.0, 0.0, FRAME, FRAME),
        bleed=bleed,
        keyline=keyline,
    )


def _placements(
    traced: Sequence[_Traced], plan: GenerationPlan, canvas: Canvas
) -> list[tuple[Placement, ...]]:
    """Where each drawing goes: one in the middle, or several where the plan lays them out."""
    if plan.parts:
        return arrange(plan.parts, [one.box for one in traced], canvas)
    return [(place(traced[0].box, canvas, plan.emblem, bleed=traced[0].bleed),)]


def _tint_for(layers: Layers, plan: GenerationPlan) -> Tint | None:
    """The asked tint; without one, a black glyph on a dark emblem or ground becomes white."""
    if plan.tint is not None:
        return make_tint(layers.colours, layers.shares, plan.tint, plan.tint_name)
    if plan.emblem is not None and is_glyph(layers.colours, layers.shares):
        colour = glyph_colour(plan.emblem, plan.background)
        return make_tint(layers.colours, layers.shares, colour, None)
    if plan.background != "transparent" and is_glyph(layers.colours, layers.shares):
        return make_tint(layers.colours, layers.shares, opposite(plan.background), None)
    return None


def _keyline(layers: Layers, plan: GenerationPlan) -> Shape | None:
    """The silhouette that gets a line around it, in the line's colour, where one is needed."""
    around, colour = layers, None
    if plan.emblem is not None and plan.emblem.shape != "ring":
        colour = keyline_colour(layers.colours, layers.shares, plan.emblem)
    elif plan.background == "transparent" and plan.tint is not None:
        # a coloured stalk below white petals shows on any page: the line is the petals' alone
        around = layers.only(are_pale(layers.colours))
        colour = pale_keyline_colour(layers.colours, layers.shares, plan.tint)
    if colour is None:
        return None
    silhouette = trace(around.silhouette())
    return replace(silhouette[0], colour=rgb_of(colour)) if silhouette else None
