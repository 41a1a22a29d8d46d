"""From the model's soft little picture to one a designer accepts at any size.

``finish`` reads top to bottom: clean the transparency, even out mirrored halves, steepen soft
borders, find the flat colours, tint, trace, place on the canvas, render. The plan decides;
nothing here is random.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sfumato.colours import rgb_of
from sfumato.errors import BackendError
from sfumato.finish.alpha import clean_alpha
from sfumato.finish.compose import (
    Canvas,
    document,
    glyph_colour,
    keyline_colour,
    opposite,
    place,
    render,
)
from sfumato.finish.crisp import crisp
from sfumato.finish.mirror import evened
from sfumato.finish.palette import Layers, separate_colours
from sfumato.finish.raster import paste
from sfumato.finish.tint import Tint, is_glyph, make_tint
from sfumato.finish.trace import Shape, bounding_box, trace
from sfumato.request import GenerationPlan

__all__ = ["Finished", "finish"]

_BLEED = 0.97  # of the square covered: the drawing is a scene that fills its frame


@dataclass(frozen=True, slots=True)
class Finished:
    """The picture, and the paths it was rendered from.

    ``pixels`` is (plan.height, plan.width, 4) uint8 sRGB, straight alpha; ``svg`` is ``None``
    for a raster finish.
    """

    pixels: NDArray[np.uint8]
    svg: str | None


def finish(pixels: NDArray[np.uint8], plan: GenerationPlan) -> Finished:
    """Finish (s, s, 4) uint8 sRGB pixels with straight alpha as ``plan`` says.

    Raises: BackendError: the pixels have another shape; RequestError: unknown emblem shape.
    """
    if pixels.ndim != 3 or pixels.shape[0] != pixels.shape[1] or pixels.shape[2] != 4:
        raise BackendError(f"The model returned pixels of shape {pixels.shape}, not (s, s, 4).")
    cleaned = crisp(evened(clean_alpha(pixels)))  # (s, s, 4) float32
    layers = separate_colours(cleaned)
    tint = _tint_for(layers, plan)
    if tint is not None:
        layers = layers.recoloured(tint.apply(layers.colours))

    shapes = trace(layers) if plan.finish == "vector" else []
    canvas = Canvas.of(plan)
    box = bounding_box(shapes or trace(layers.silhouette()))
    bleed = float(layers.cover.sum()) > _BLEED * pixels[..., 3].size
    placement = place(box, canvas, plan.emblem, bleed=bleed)
    svg = document(shapes, placement, canvas, plan, keyline=_keyline(layers, plan))
    rendered = render(svg, plan.width, plan.height)
    if plan.finish == "vector":
        return Finished(rendered, svg)
    if tint is not None:
        cleaned[..., :3] = tint.apply(np.rint(cleaned[..., :3]).astype(np.uint8))
    return Finished(paste(cleaned, rendered, placement, canvas), None)


def _tint_for(layers: Layers, plan: GenerationPlan) -> Tint | None:
    """The asked tint; without one, a black glyph on a dark emblem or ground becomes white."""
    if plan.tint is not None:
        return make_tint(layers.colours, layers.shares, plan.tint, plan.tint_name)
    if plan.emblem is not None and is_glyph(layers.colours, layers.shares):
        return make_tint(layers.colours, layers.shares, glyph_colour(plan.emblem), None)
    if plan.background != "transparent" and is_glyph(layers.colours, layers.shares):
        return make_tint(layers.colours, layers.shares, opposite(plan.background), None)
    return None


def _keyline(layers: Layers, plan: GenerationPlan) -> Shape | None:
    """The drawing's silhouette in the colour of the line around it, where one is needed."""
    if plan.emblem is None:
        return None
    colour = keyline_colour(layers.colours, layers.shares, plan.emblem)
    if colour is None:
        return None
    silhouette = trace(layers.silhouette())
    return replace(silhouette[0], colour=rgb_of(colour)) if silhouette else None
