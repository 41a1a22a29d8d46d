"""Pictures to save: small, with transparency, odd colours below it, and paths."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sfumato.request import Emblem, GeneratedImage, GenerationPlan

SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1024 1024">'
    '<path d="M4 4 L20 4 L20 20 Z" fill="#c03a2b"/></svg>'
)


def _make_image(*, width: int = 24, height: int = 24, **changes: Any) -> GeneratedImage:
    values: dict[str, Any] = {
        "prompt": "a red fox",
        "negative_prompt": "",
        "subject": "fox",
        "model": "fake",
        "model_sha256": "0123456789abcdef" * 4,
        "seeds": (7,),
        "styles": ("flat",),
        "num_inference_steps": 20,
        "guidance_scale": 1.5,
        "sampler": "euler_ancestral",
        "scheduler": "uniform",
        "background": "transparent",
        "emblem": Emblem(shape="circle", colour="#123456"),
        "notes": ("Drawn on «nothing».",),
        "fingerprint": {"numpy": "2.0"},
    }
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (height, width, 4), dtype=np.uint8)
    pixels[: height // 2, :, 3] = 255
    pixels[-4:, :, 3] = 0  # clear, but with colours underneath
    plan = GenerationPlan(width=width, height=height, **{**values, **changes})
    return GeneratedImage(pixels=pixels, plan=plan, index=0, svg=SVG)


@pytest.fixture(scope="session")
def make_image() -> Callable[..., GeneratedImage]:
    """Build a picture; keywords are its size and fields of its plan."""
    return _make_image


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder for pictures."""
    (tmp_path / "pictures").mkdir()
    return tmp_path / "pictures"
