"""A face for the tests, painted and grainy as a photograph: no person's picture is kept here."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

__all__ = ["portrait"]

_SIDE = 512


def portrait(
    *, eye_down: float = 0.0, mouth_across: float = 0.0, one_eye: bool = False, grain: float = 4.0
) -> NDArray[np.uint8]:
    """(512, 512, 4) uint8: a head and shoulders in front of a wall.

    ``eye_down`` and ``mouth_across`` move the left eye and the mouth, in pixels (the eyes are 96
    apart); ``one_eye`` leaves the left one out; ``grain`` in levels of 255, 0 for a flat drawing.
    """
    image = Image.new("RGB", (_SIDE, _SIDE), (150, 160, 170))
    pen = ImageDraw.Draw(image)
    pen.ellipse((90, 400, 422, 700), (60, 70, 110))  # shoulders
    pen.rectangle((216, 340, 296, 440), (205, 160, 135))  # neck
    pen.ellipse((146, 80, 366, 340), (60, 40, 30))  # hair
    pen.ellipse((166, 120, 346, 380), (224, 180, 155))  # face
    pen.ellipse((190, 160, 322, 330), (230, 188, 164))
    _eye(pen, 208, 232)
    if not one_eye:
        _eye(pen, 304, 232 + eye_down)
    pen.polygon([(250, 230), (262, 230), (272, 288), (240, 288)], (214, 168, 142))  # nose
    pen.ellipse((240, 280, 250, 288), (150, 100, 85))
    pen.ellipse((262, 280, 272, 288), (150, 100, 85))
    middle = 256 + mouth_across
    pen.ellipse((middle - 34, 312, middle + 34, 336), (178, 82, 82))
    pen.line((middle - 34, 323, middle + 34, 323), (110, 40, 45), 3)
    if grain == 0:
        return np.asarray(image.convert("RGBA"))
    soft = np.asarray(image.filter(ImageFilter.GaussianBlur(2)), np.float64)
    noise = np.random.default_rng(5).normal(0, grain, soft.shape)
    rgb = np.clip(np.rint(soft + noise), 0, 255).astype(np.uint8)
    return np.dstack([rgb, np.full((_SIDE, _SIDE), 255, np.uint8)])


def _eye(pen: ImageDraw.ImageDraw, x: float, y: float) -> None:
    """An eye with its brow."""
    pen.ellipse((x - 24, y - 11, x + 24, y + 11), (245, 240, 235), (70, 40, 30), 3)
    pen.ellipse((x - 10, y - 10, x + 10, y + 10), (70, 90, 120))
    pen.ellipse((x - 5, y - 5, x + 5, y + 5), (10, 10, 10))
    pen.arc((x - 34, y - 38, x + 34, y + 10), 205, 335, (60, 40, 30), 7)
