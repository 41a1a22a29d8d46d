"""Small drawings with known answers, and plans that finish them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from plans import plan_of
from sfumato.request import GenerationPlan

Pixels = NDArray[np.uint8]
ORANGE, CREAM, BLACK = (240, 140, 30, 255), (250, 225, 170, 255), (30, 30, 34, 255)


@pytest.fixture
def make_plan() -> Callable[..., GenerationPlan]:
    return partial(plan_of, width=256, height=256)


@pytest.fixture
def face() -> Pixels:
    """(256, 256, 4): an orange head with a cream muzzle and two black eyes, edges antialiased."""
    return _drawn(256)


@pytest.fixture
def rough_face(face: Pixels) -> Pixels:
    """The same as a network gives it: noise, a soft haze in the alpha, stray specks."""
    rng = np.random.default_rng(7)
    rough = face.astype(np.float64) + rng.normal(0.0, 5.0, face.shape)
    haze = Image.fromarray(rng.normal(0.0, 12.0, (12, 12)).astype(np.float32))
    rough[..., 3] += np.abs(np.asarray(haze.resize((256, 256), Image.Resampling.BICUBIC)))
    rough[10:12, 10:13] = (255, 255, 255, 210)
    rough[240:242, 200:202] = (0, 0, 0, 210)
    return np.clip(rough, 0, 255).astype(np.uint8)


def _drawn(side: int) -> Pixels:
    large = Image.new("RGBA", (side * 4, side * 4), (*ORANGE[:3], 0))
    pen = ImageDraw.Draw(large)
    unit = side * 4 / 256
    for box, colour in (
        ((48, 48, 208, 208), ORANGE),
        ((88, 136, 168, 200), CREAM),
        ((88, 96, 102, 116), BLACK),
        ((154, 96, 168, 116), BLACK),
    ):
        pen.ellipse([edge * unit for edge in box], fill=colour)
    return np.asarray(large.resize((side, side), Image.Resampling.BOX))
