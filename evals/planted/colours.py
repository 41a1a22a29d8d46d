"""Planted: other colours than asked for, and colours that cannot be seen."""

from __future__ import annotations

import numpy as np

from planted.clean import on_ground
from planted.registry import Broken, Pixels, Sample, exempt, plant
from sfumato.checks import Look
from sfumato.checks.look import colour_distance
from sfumato.colours import basic_name, dominant_colours, to_hex
from sfumato.oklab import evenly, from_evenly, oklab_to_srgb, srgb_to_oklab

_SEEN = 8  # levels of 255 that are left of the contrast of most of the drawing

exempt(
    "vanishes",
    "icons that are black in their files do vanish on dark pages",
    lambda sample: sample.style in ("glyph", "icon"),
)


def main_colour(pixels: Pixels) -> tuple[tuple[int, int, int], float] | None:
    """The colour of most of the drawing, and its share."""
    found = dominant_colours(pixels[::4, ::4])
    return found[0] if found else None


def squeezed(pixels: Pixels, towards: tuple[int, int, int], keep: float) -> Pixels:
    """Every colour moved towards one, ``keep`` of the difference left."""
    out = pixels.copy()
    goal = np.array(towards, np.float64)
    out[..., :3] = np.rint(goal + (pixels[..., :3] - goal) * keep)
    return out


@plant("wrong_colour", "another colour asked", unit="", strengths=(1.0,), visible=1.0)
def other_name(sample: Sample, strength: float, rng: np.random.Generator) -> Broken:
    main = main_colour(sample.pixels)
    if main is None or main[1] < 0.5:
        return None
    choices = ["#dc2f2f", "#3aa652", "#2f6fde", "#8542c4", "#fcd12a"]
    used = {basic_name(rgb) for rgb, share in dominant_colours(sample.pixels[::4, ::4])}
    free = [hex_ for hex_ in choices if _name(hex_) not in used]
    if not free:
        return None
    return sample.look(tint=str(rng.choice(free)), background="transparent", emblem=None)


def _name(colour: str) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return basic_name((red, green, blue))


@plant(
    "palette_drift",
    "asked colours moved",
    unit="distance in Oklab",
    strengths=(0.02, 0.04, 0.08, 0.16),
    visible=0.04,
)
def drifted(sample: Sample, strength: float, rng: np.random.Generator) -> Broken:
    """The ground comes out in another shade than the one that was asked for."""
    ground = rng.integers(40, 216, 3).astype(np.uint8)
    lab = evenly(srgb_to_oklab(ground))
    way = rng.normal(size=3)
    lab = lab + way / np.sqrt((way**2).sum()) * strength
    other = oklab_to_srgb(from_evenly(lab))
    if not sample.free or colour_distance(to_hex(ground), to_hex(other)) < 0.8 * strength:
        return None  # screens have no such colour
    return sample.look(
        on_ground(sample.pixels, [int(n) for n in other]), background=to_hex(ground), emblem=None
    )


@plant(
    "low_contrast",
    "fades into its ground",
    unit="share of the contrast gone",
    strengths=(0.8, 0.9, 0.95),
    visible=0.9,
)
def pale(sample: Sample, strength: float, rng: np.random.Generator) -> Broken:
    ground = [(255, 255, 255), (253, 243, 216), (29, 47, 99), (20, 20, 20)][int(rng.integers(4))]
    if not sample.free:
        return None
    faint = squeezed(sample.pixels, ground, 1 - strength)
    solid = faint[..., :3][faint[..., 3] >= 128]
    if np.percentile(np.abs(solid.astype(int) - ground).max(axis=1), 50) < _SEEN:
        return None  # nothing is left to see: ``blank`` says so
    return Look(on_ground(faint, ground))


@plant(
    "vanishes",
    "near white or near black",
    unit="share of the contrast gone",
    strengths=(0.8, 0.9, 0.95),
    visible=0.9,
)
def ghostly(sample: Sample, strength: float, rng: np.random.Generator) -> Broken:
    """A drawing that only shows on one kind of page."""
    if not sample.free:
        return None
    goal = (255, 255, 255) if rng.random() < 0.5 else (17, 17, 17)
    return sample.look(squeezed(sample.pixels, goal, 1 - strength), background="transparent")


@plant(
    "palette_drift",
    "drawing moved",
    unit="distance in Oklab",
    strengths=(0.03, 0.04, 0.06, 0.08),
    visible=0.04,
)
def moved(sample: Sample, strength: float, rng: np.random.Generator) -> Broken:
    """The whole drawing comes out lighter, darker or turned in hue."""
    main = main_colour(sample.pixels)
    if main is None or main[1] < 0.35 or not sample.free:
        return None
    way = rng.normal(size=3) * (1.0, 0.7, 0.7)
    way *= strength / np.sqrt((way**2).sum())
    colours, inverse = np.unique(sample.pixels[..., :3].reshape(-1, 3), axis=0, return_inverse=True)
    after = oklab_to_srgb(from_evenly(evenly(srgb_to_oklab(np.array(main[0], np.uint8))) + way))
    if colour_distance(to_hex(main[0]), to_hex(after)) < 0.8 * strength:
        return None  # screens have no such colour
    shifted = from_evenly(evenly(srgb_to_oklab(colours)) + way)
    pixels = sample.pixels.copy()
    pixels[..., :3] = oklab_to_srgb(shifted)[inverse.ravel()].reshape(pixels[..., :3].shape)
    return sample.look(pixels, tint=to_hex(main[0]), tint_name=None)
