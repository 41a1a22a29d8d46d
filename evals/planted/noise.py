"""Planted: blur, JPEG noise, bands in gradients, seams between patches."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageFilter

from planted.clean import on_ground
from planted.edges import as_jpeg
from planted.registry import Broken, Sample, plant
from sfumato.checks import Look


@plant("blur", "blurred", unit="sigma, px at 512", strengths=(0.75, 1.5, 3, 6), visible=1.5)
def soft(sample: Sample, strength: float, rng: np.random.Generator) -> Broken:
    radius = strength * max(sample.pixels.shape[:2]) / 512
    clear = Image.fromarray(sample.pixels).convert("RGBa")
    channels = [band.filter(ImageFilter.GaussianBlur(radius)) for band in clear.split()]
    return sample.look(np.asarray(Image.merge("RGBa", channels).convert("RGBA")))


@plant("blur", "enlarged", unit="times", strengths=(2, 3, 4, 8), visible=3)
def enlarged(sample: Sample, strength: float, rng: np.random.Generator) -> Broken:
    """A thumbnail blown up to 512."""
    image = Image.fromarray(sample.pixels)
    side = round(512 / strength)
    small = image.resize((side, side), Image.Resampling.BOX)
    return sample.look(np.asarray(small.resize((512, 512), Image.Resampling.BICUBIC)))


@plant(
    "jpeg_noise",
    "flat art saved as JPEG",
    unit="quality",
    strengths=(60, 40, 20, 10, 5),
    visible=40,
)
def squeezed(sample: Sample, strength: float, rng: np.random.Generator) -> Broken:
    opaque = on_ground(sample.pixels, (255, 255, 255))
    return Look(as_jpeg(opaque, int(strength)), alpha_kept=False)


@plant("banding", "gradient in steps", unit="levels a step", strengths=(4, 8, 16, 24), visible=8)
def stepped(sample: Sample, strength: float, rng: np.random.Generator) -> Broken:
    """A gradient over the drawing, or behind it, with too few levels."""
    height, width = sample.pixels.shape[:2]
    turn = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[:height, :width] / max(height, width) - 0.5
    ramp = 128 + 110 * (np.cos(turn) * x + np.sin(turn) * y)
    bands = np.rint(ramp / strength) * strength
    tint = rng.uniform(0.6, 1.0, 3)
    ground = np.clip(bands[..., None] * tint, 0, 255)
    alpha = sample.pixels[..., 3:] / 255.0
    mixed = sample.pixels[..., :3] * alpha + ground * (1 - alpha)
    if alpha.mean() > 0.85:
        return None  # nothing of the ground is left to see
    return Look(np.dstack([np.rint(mixed), np.full((height, width), 255)]).astype(np.uint8))


@plant(
    "seams", "patches that do not fit", unit="levels of 255", strengths=(3, 6, 12, 24), visible=6
)
def patched(sample: Sample, strength: float, rng: np.random.Generator) -> Broken:
    """Every patch a little lighter or darker than its neighbours, as tiled decoders do."""
    height, width = sample.pixels.shape[:2]
    patch = int(rng.choice([8, 16, 32, 64]))
    grid = rng.uniform(-strength, strength, (-(-height // patch), -(-width // patch), 3))
    offsets = np.kron(grid, np.ones((patch, patch, 1)))[:height, :width]
    pixels = sample.pixels.copy()
    pixels[..., :3] = np.clip(np.rint(pixels[..., :3] + offsets), 0, 255)
    return sample.look(pixels)
