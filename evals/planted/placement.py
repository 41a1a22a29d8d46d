"""Planted: nothing there, cut off, off the middle, crumbs beside the drawing."""

from __future__ import annotations

import numpy as np

from planted.registry import Broken, Pixels, Sample, plant


def moved(pixels: Pixels, across: int, down: int) -> Pixels:
    """The picture shifted; what leaves the canvas is lost."""
    height, width = pixels.shape[:2]
    out = np.zeros_like(pixels)
    rows = slice(max(0, down), min(height, height + down))
    columns = slice(max(0, across), min(width, width + across))
    from_rows = slice(max(0, -down), min(height, height - down))
    from_columns = slice(max(0, -across), min(width, width - across))
    out[rows, columns] = pixels[from_rows, from_columns]
    return out


def smaller(pixels: Pixels, factor: float) -> Pixels:
    """The drawing at ``factor`` of its size in the middle of the same canvas."""
    from PIL import Image

    height, width = pixels.shape[:2]
    size = max(1, round(width * factor)), max(1, round(height * factor))
    small = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BOX))
    out = np.zeros_like(pixels)
    top, left = (height - size[1]) // 2, (width - size[0]) // 2
    out[top : top + size[1], left : left + size[0]] = small
    return out


@plant("blank", "faded away", unit="share of the drawing gone", strengths=(0.98, 1.0), visible=0.98)
def faded(sample: Sample, strength: float, rng: np.random.Generator) -> Broken:
    pixels = smaller(sample.pixels, float(np.sqrt(1 - strength)) * 0.5)
    return sample.look(pixels if strength < 1 else np.zeros_like(pixels))


@plant("blank", "one flat colour", unit="", strengths=(1.0,), visible=1.0)
def flat_sheet(sample: Sample, strength: float, rng: np.random.Generator) -> Broken:
    pixels = np.empty_like(sample.pixels)
    pixels[...] = (*rng.integers(0, 256, 3), 255)
    return sample.look(pixels, background="transparent", emblem=None)


@plant(
    "clipped",
    "pushed over the edge",
    unit="share of the canvas",
    strengths=(0.08, 0.12, 0.18, 0.25),
    visible=0.12,
)
def pushed(sample: Sample, strength: float, rng: np.random.Generator) -> Broken:
    rows, columns = np.nonzero(sample.pixels[..., 3] >= 128)
    height, width = sample.pixels.shape[:2]
    if not sample.free:
        return None
    over = round(strength * min(height, width))
    way = int(rng.integers(4))
    across = [over + width - columns.max(), -over - columns.min(), 0, 0][way]
    down = [0, 0, over + height - rows.max(), -over - rows.min()][way]
    return sample.look(moved(sample.pixels, int(across), int(down)))


@plant(
    "off_centre",
    "shifted",
    unit="share of the canvas",
    strengths=(0.08, 0.12, 0.18, 0.25),
    visible=0.12,
)
def shifted(sample: Sample, strength: float, rng: np.random.Generator) -> Broken:
    if not sample.free:
        return None
    pixels = smaller(sample.pixels, 0.5)
    way = np.sign(rng.random(2) - 0.5) * (rng.permutation([1, int(rng.integers(2))]))
    side = min(pixels.shape[:2])
    return sample.look(moved(pixels, *(round(strength * side * float(w)) for w in way)))


@plant("speckles", "crumbs", unit="specks of 3 to 8 pixels at 512", strengths=(1, 3, 10), visible=1)
def crumbs(sample: Sample, strength: float, rng: np.random.Generator) -> Broken:
    pixels = sample.pixels.copy()
    side = min(pixels.shape[:2])
    clear = pixels[..., 3] == 0
    placed = 0
    for _ in range(400):
        size = round(side / 512 * rng.uniform(3, 8))
        y, x = rng.integers(0, side - 4 * size, 2)
        if clear[y : y + 4 * size, x : x + 4 * size].all():
            spot = slice(y + size, y + 2 * size), slice(x + size, x + 2 * size)
            pixels[spot] = (*rng.integers(0, 200, 3), 255)
            clear[y : y + 4 * size, x : x + 4 * size] = False
            placed += 1
            if placed == strength:
                return sample.look(pixels)
    return None  # too full for so many
