"""Planted: haze, fringes of another ground, painted chequerboards, grounds nobody asked for."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageFilter

from planted.clean import on_ground
from planted.registry import Broken, Pixels, Sample, plant
from sfumato.checks import Look


def blurred(channel: np.ndarray, radius: float) -> np.ndarray:
    """(H, W) uint8, Gaussian."""
    return np.asarray(Image.fromarray(channel).filter(ImageFilter.GaussianBlur(radius)))


def as_jpeg(pixels: Pixels, quality: int) -> Pixels:
    """An opaque picture through JPEG."""
    buffer = io.BytesIO()
    Image.fromarray(pixels[..., :3]).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(io.BytesIO(buffer.getvalue())).convert("RGBA"))


@plant("ragged_alpha", "haze", unit="levels of 255", strengths=(20, 40, 80, 140), visible=40)
def haze(sample: Sample, strength: float, rng: np.random.Generator) -> Broken:
    """A soft cloud around the drawing, as models leave it."""
    pixels = sample.pixels.copy()
    side = min(pixels.shape[:2])
    around = blurred(pixels[..., 3], side / 24).astype(np.float64)
    cloud = around / max(around.max(), 1) * strength * 2
    fog = np.minimum(cloud, strength)
    if not sample.free:
        return None
    pixels[..., 3] = np.maximum(pixels[..., 3], fog.astype(np.uint8))
    return sample.look(pixels)


@plant("halo", "fringe of another ground", unit="px at 512", strengths=(1, 2, 3, 4), visible=2)
def fringe(sample: Sample, strength: float, rng: np.random.Generator) -> Broken:
    """Cut out of a white or a black ground, ``strength`` pixels too far out."""
    alpha = sample.pixels[..., 3]
    if not sample.free:
        return None
    solid = sample.pixels[..., :3][alpha >= 128].astype(np.float64)
    bright = float((solid @ [0.2126, 0.7152, 0.0722]).mean())
    ground = (255, 255, 255) if bright < 140 else (0, 0, 0)
    pixels = on_ground(sample.pixels, ground)
    wide = max(1, round(strength * max(alpha.shape) / 512))
    size = 2 * wide + 1
    grown = Image.fromarray(alpha)
    while size > 1:  # Pillow's widest filter is slow: several narrow ones do the same
        now = min(size, 5)
        grown = grown.filter(ImageFilter.MaxFilter(now))
        size -= now - 1
    pixels[..., 3] = np.asarray(grown)
    return sample.look(pixels)


@plant(
    "chequerboard",
    "painted transparency",
    unit="JPEG quality, 100 is lossless",
    strengths=(100, 70, 40),
    visible=40,
)
def painted(sample: Sample, strength: float, rng: np.random.Generator) -> Broken:
    """The grey and white squares of an editor, drawn into the picture; then JPEG, then scaled."""
    height, width = sample.pixels.shape[:2]
    tile = float(rng.choice([8, 10, 12.5, 16, 20, 25, 32]))
    light, dark = ((255, 204), (255, 239), (102, 153), (60, 80))[int(rng.integers(4))]
    y, x = (np.arange(n) // tile for n in (height, width))
    squares = np.where((y[:, None] + x[None]) % 2 == 0, light, dark).astype(np.float64)
    if not sample.free:
        return None
    alpha = sample.pixels[..., 3:] / 255.0
    mixed = sample.pixels[..., :3] * alpha + squares[..., None] * (1 - alpha)
    pixels = np.dstack([np.rint(mixed), np.full((height, width), 255)]).astype(np.uint8)
    if strength < 100:
        pixels = as_jpeg(pixels, int(strength))
        factor = rng.uniform(0.7, 1.3)
        size = round(width * factor), round(height * factor)
        pixels = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))
    return Look(pixels)


@plant("opaque_ground", "a ground nobody asked for", unit="", strengths=(1.0,), visible=1.0)
def grounded(sample: Sample, strength: float, rng: np.random.Generator) -> Broken:
    ground = (255, 255, 255) if rng.random() < 0.5 else tuple(rng.integers(0, 256, 3))
    return sample.look(on_ground(sample.pixels, ground), background="transparent")
