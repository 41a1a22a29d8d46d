"""Planted: a picture of the batch drawn twice, and training pictures drawn once more."""

from __future__ import annotations

import numpy as np
from PIL import Image

from planted.registry import Broken, Pixels, Sample, exempt, plant
from sfumato.checks import Look

exempt(
    "near_copy",
    "chiaro's drawings are often close to a training picture, and the check is right about those",
    lambda sample: sample.source == "chiaro",
)


@plant(
    "near_duplicate",
    "drawn again",
    unit="pixels of 512 shifted, per cent scaled",
    strengths=(1, 4, 8),
    visible=1,
)
def drawn_again(sample: Sample, strength: float, rng: np.random.Generator) -> Broken:
    if not sample.free:
        return None
    height, width = sample.pixels.shape[:2]
    scale = 1 - strength / 100
    size = round(width * scale), round(height * scale)
    again = np.zeros_like(sample.pixels)
    small = np.asarray(Image.fromarray(sample.pixels).resize(size, Image.Resampling.BICUBIC))
    shift = round(strength * min(height, width) / 512)
    down, across = shift, min(width - size[0], shift)
    down = min(height - size[1], down)
    again[down : down + size[1], across : across + size[0]] = small
    return [Look(sample.pixels), Look(redrawn(again, rng))]


@plant(
    "near_copy",
    "drawn after it",
    unit="per cent of its size by which lines wander",
    strengths=(8, 4, 2, 1),
    visible=2,
    trained=True,
)
def drawn_after(sample: Sample, strength: float, rng: np.random.Generator) -> Broken:
    """A training picture by another hand: mirrored or not, moved, and no line quite the same."""
    pixels = sample.pixels if rng.random() < 0.5 else sample.pixels[:, ::-1]
    height, width = pixels.shape[:2]
    size = round(width * 0.9), round(height * 0.9)
    smaller = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))
    canvas = np.zeros_like(pixels)
    top, left = (int(rng.integers(0, room + 1)) for room in (height - size[1], width - size[0]))
    canvas[top : top + size[1], left : left + size[0]] = smaller
    return Look(redrawn(wandering(canvas, strength / 100, rng), rng))


@plant("near_copy", "in other colours", unit="", strengths=(1,), visible=1, trained=True)
def recoloured(sample: Sample, strength: float, rng: np.random.Generator) -> Broken:
    """A training picture with every hue turned by a third of the circle."""
    channels = [[1, 2, 0, 3], [2, 0, 1, 3]][int(rng.integers(2))]
    return Look(np.ascontiguousarray(sample.pixels[..., channels]))


def wandering(pixels: Pixels, share: float, rng: np.random.Generator) -> Pixels:
    """The picture with its lines led astray, smoothly, by up to ``share`` of its size."""
    height, width = pixels.shape[:2]
    astray = []
    for length in (height, width):
        grid = Image.fromarray(rng.uniform(-1, 1, (6, 6)).astype(np.float32))
        field = np.asarray(grid.resize((width, height), Image.Resampling.BICUBIC))
        astray.append(np.rint(field * share * length).astype(np.int64))
    y, x = np.mgrid[:height, :width]
    rows = np.clip(y + astray[0], 0, height - 1)
    columns = np.clip(x + astray[1], 0, width - 1)
    return np.ascontiguousarray(pixels[rows, columns])


def redrawn(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """The same with each colour a few levels off, as another pass of a model leaves it."""
    out = pixels.copy()
    off = rng.integers(-6, 7, 3)
    out[..., :3] = np.clip(pixels[..., :3].astype(np.int16) + off, 0, 255)
    return out
