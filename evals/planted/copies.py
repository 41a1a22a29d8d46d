"""Planted: a picture of the batch drawn twice.

Copies of training pictures cannot be planted here, since the clean pictures are ones that no model
saw: ``evals/near_copies.py`` plants those and prints how many are recognised.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from planted.registry import Broken, Pixels, Sample, plant
from sfumato.checks import Look


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


def redrawn(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """The same with each colour a few levels off, as another pass of a model leaves it."""
    out = pixels.copy()
    off = rng.integers(-6, 7, 3)
    out[..., :3] = np.clip(pixels[..., :3].astype(np.int16) + off, 0, 255)
    return out
