"""Planted: drawings that are lost at the sizes of icons."""

from __future__ import annotations

import numpy as np

from planted.placement import smaller
from planted.registry import Broken, Sample, plant


@plant(
    "illegible",
    "lost in its canvas",
    unit="of its size",
    strengths=(0.5, 0.3, 0.2, 0.12),
    visible=0.2,
)
def tiny(sample: Sample, strength: float, rng: np.random.Generator) -> Broken:
    return sample.look(smaller(sample.pixels, strength)) if sample.free else None


@plant("illegible", "hatched", unit="px a line at 512", strengths=(3, 6, 10, 16), visible=6)
def hatched(sample: Sample, strength: float, rng: np.random.Generator) -> Broken:
    """The drawing made of thin lines, as an engraving."""
    if not sample.free:
        return None
    pixels = sample.pixels.copy()
    height, width = pixels.shape[:2]
    line = strength * max(height, width) / 512
    y, x = np.mgrid[:height, :width]
    turn = rng.uniform(0, np.pi)
    away = (np.cos(turn) * x + np.sin(turn) * y) / line % 2
    cover = np.clip(np.abs(away - 1) * line - 0.5 * line + 0.5, 0, 1)
    pixels[..., 3] = np.rint(pixels[..., 3] * cover)
    return sample.look(pixels)
