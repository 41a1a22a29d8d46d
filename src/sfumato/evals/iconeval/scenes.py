"""The scene a prompt asks for, laid out of real icons: right by construction.

The judge is calibrated and its ceiling measured on such scenes, and the baseline ``oracle`` draws
them. Icons stand apart, as in flat art; sizes, places and grounds vary with the generator.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from sfumato.colours import dominant_colours, parse_colour, rgb_of, srgb_to_oklab
from sfumato.evals.iconeval.prompts import IconPrompt
from sfumato.evals.shapes import Pixels, resized
from sfumato.finish.tint import make_tint
from sfumato.oklab import evenly

__all__ = ["compose_scene", "recoloured", "trimmed"]

SIDE = 512

_FILL = (0.72, 0.92)  # of a cell, that the longer side of an icon takes
_GROUNDS = ("white", "cream", "light blue", "pale green", "light grey", "navy", "charcoal")
_CONTRAST = 0.12  # distance in evened Oklab between a ground and every large colour on it
_LARGE = 0.08  # share of an icon from which a colour must not vanish in the ground

Draw = Callable[[str], Pixels]  # a concept to one picture of it, (H, W, 4) straight alpha


def compose_scene(
    prompt: IconPrompt, draw: Draw, rng: np.random.Generator, side: int = SIDE
) -> Pixels:
    """(side, side, 4) straight alpha: what ``prompt`` asks for, and nothing else.

    Half of the scenes are transparent; the others get a plain ground that their icons stand out
    from, where there is one.
    """
    pictures = []
    for wanted in prompt.wanted:
        own = trimmed(draw(wanted.concept))
        own = recoloured(own, wanted.colour) if wanted.colour else own
        pictures += [own] * wanted.count
    cells = _cells(prompt, len(pictures), rng)
    scene = np.zeros((side, side, 4), np.uint8)
    for picture, (left, top, right, bottom) in zip(pictures, cells, strict=True):
        width, height = (right - left) * side, (bottom - top) * side
        scale = rng.uniform(*_FILL) * min(width / picture.shape[1], height / picture.shape[0])
        size = (
            max(1, int(picture.shape[1] * scale)),
            max(1, int(picture.shape[0] * scale)),
        )
        x = int(left * side + rng.uniform(0.3, 0.7) * (width - size[0]))
        y = int(top * side + rng.uniform(0.3, 0.7) * (height - size[1]))
        scene[y : y + size[1], x : x + size[0]] = resized(picture, size)
    return _on_ground(scene, rng) if rng.random() < 0.5 else scene


def trimmed(picture: Pixels) -> Pixels:
    """The picture without its clear margins; unchanged where all of it is clear."""
    solid = picture[..., 3] >= 64
    if not solid.any():
        return picture
    rows, columns = np.flatnonzero(solid.any(axis=1)), np.flatnonzero(solid.any(axis=0))
    return picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def recoloured(picture: Pixels, colour: str) -> Pixels:
    """The picture with its main family of colours moved to the named one."""
    found = dominant_colours(picture, k=8)
    if not found:
        return picture
    colours = np.array([rgb for rgb, _ in found], np.uint8)
    shares = np.array([share for _, share in found])
    # named otherwise than a basic term, so that a gold padlock does not pass for an orange one
    tint = make_tint(colours, shares, parse_colour(colour), f"plain {colour}")
    if tint is None:
        return picture
    moved: Pixels = picture.copy()
    moved[..., :3] = tint.apply(np.ascontiguousarray(picture[..., :3]))
    return moved


def _cells(
    prompt: IconPrompt, count: int, rng: np.random.Generator
) -> Sequence[tuple[float, float, float, float]]:
    """A rectangle (left, top, right, bottom) in 0..1 for each icon; they do not overlap."""
    if count == 1:
        return [(0.05, 0.05, 0.95, 0.95)]
    if count == 2:
        beside = [(0.02, 0.1, 0.5, 0.9), (0.5, 0.1, 0.98, 0.9)]
        stacked = [(0.1, 0.02, 0.9, 0.5), (0.1, 0.5, 0.9, 0.98)]
        if prompt.relation:
            cells = beside if prompt.relation in ("left of", "right of") else stacked
            return cells if prompt.relation in ("left of", "above") else cells[::-1]
        return beside if rng.random() < 0.5 else stacked
    quarters = [(x, y, x + 0.48, y + 0.48) for y in (0.02, 0.5) for x in (0.02, 0.5)]
    row = [(i / count, 0.1, (i + 1) / count, 0.9) for i in range(count)]
    return row if rng.random() < 0.4 else [quarters[i] for i in rng.permutation(4)[:count]]


def _on_ground(scene: Pixels, rng: np.random.Generator) -> Pixels:
    """The scene on a plain colour that none of its large colours comes close to."""
    rgb = np.array([c for c, share in dominant_colours(scene, k=8) if share >= _LARGE], np.uint8)
    if len(rgb) == 0:
        return scene
    inside = evenly(srgb_to_oklab(rgb))
    for i in rng.permutation(len(_GROUNDS)):
        ground = np.array(rgb_of(parse_colour(_GROUNDS[i])), np.uint8)
        apart = np.sqrt(((inside - evenly(srgb_to_oklab(ground))) ** 2).sum(axis=-1)).min()
        if apart >= _CONTRAST:
            return _over(scene, ground)
    return scene


def _over(scene: Pixels, ground: NDArray[np.uint8]) -> Pixels:
    alpha = scene[..., 3:].astype(np.float32) / np.float32(255.0)
    blended = scene[..., :3] * alpha + ground * (1 - alpha)
    whole: Pixels = np.full_like(scene, 255)
    whole[..., :3] = np.rint(blended)
    return whole
