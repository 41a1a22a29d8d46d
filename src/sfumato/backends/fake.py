"""A model that draws test cards: deterministic, instant, no weights.

It runs through the same samplers, finishing and files as a real one, so every test that needs no
real picture uses it. The latents are a 16x16 RGBA picture in [-1, 1]; "denoising" moves them
towards a target that the prompt and the style decide, so seeds, steps and guidance all leave a
mark on the pixels.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from sfumato.diffusion import guided
from sfumato.models import Conditioning, ModelSpec
from sfumato.request import GenerationPlan

_SIDE, _SCALE = 16, 8


def spec(name: str = "fake") -> ModelSpec:
    """The sheet of the fake model."""
    return ModelSpec(
        name=name,
        family="diffusion",
        summary="test cards from the prompt's own hash; for tests and dry runs",
        licence="MIT",
        version="1",
        sha256=hashlib.sha256(b"sfumato fake model 1").hexdigest(),
        size_bytes=0,
        parameters=0,
        native_size=_SIDE * _SCALE,
        latent_shape=(4, _SIDE, _SIDE),
        styles=("flat", "striped"),
        default_styles=("flat", "striped"),
        num_inference_steps=4,
        guidance_scale=1.5,
        sampler="euler",
        scheduler="uniform",
        finish="vector",
        capabilities=frozenset({"negative_prompt", "guidance", "transparency", "scene_planner"}),
    )


def load(name: str = "fake") -> FakeModel:
    """The fake model, ready at once."""
    return FakeModel(name)


class FakeModel:
    """Implements ``DiffusionModel`` with arithmetic in place of a network."""

    def __init__(self, name: str) -> None:
        self.spec = spec(name)

    def encode_prompt(self, plan: GenerationPlan) -> Conditioning:
        """Hash the words to a card each: (B, 4, 16, 16) float32 in [-1, 1]."""
        positive = np.stack([_card(plan.subject, style) for style in plan.styles])
        negative = np.stack([_card(plan.negative_prompt, style) for style in plan.styles])
        return Conditioning(positive=positive, negative=negative, nearest=plan.subject)

    def suggest_styles(self, subject: str) -> tuple[str, ...]:
        """Every style suits every subject."""
        return self.spec.default_styles

    def denoise(
        self, latents: NDArray[np.float32], sigma: float, cond: Conditioning, guidance_scale: float
    ) -> NDArray[np.float32]:
        """Mostly the card, a little of the latents, so that the seed shows."""
        target = guided(cond.positive, cond.negative, guidance_scale)
        return (0.97 * target + 0.03 * latents).astype(np.float32)

    def decode(self, latents: NDArray[np.float32], plan: GenerationPlan) -> NDArray[np.uint8]:
        """(B, 4, 16, 16) to (B, 128, 128, 4) by repeating pixels."""
        levels = (latents.transpose(0, 2, 3, 1) + 1.0) * 127.5
        # a corner holds nothing but noise: it shades the card, so that the seed survives finishing
        levels[..., :3] += np.clip(1200.0 * (latents[:, 3, 0, 0] + 1.0), -20, 20)[
            :, None, None, None
        ]
        pixels = np.clip(levels, 0, 255).astype(np.uint8)
        pixels[..., 3] = np.where(pixels[..., 3] > 127, 255, 0)
        enlarged: NDArray[np.uint8] = pixels.repeat(_SCALE, axis=1).repeat(_SCALE, axis=2)
        return enlarged

    def fingerprint(self) -> Mapping[str, str]:
        """Nothing but NumPy decides these pixels."""
        return {"numpy": np.__version__.rpartition(".")[0]}


def _card(text: str, style: str) -> NDArray[np.float32]:
    """A disc (or stripes) in a colour that ``text`` decides, (4, 16, 16) float32."""
    digest = hashlib.sha256(text.encode("utf-8", "replace")).digest()
    colour = np.array([digest[0], digest[1], digest[2]], np.float32) / 127.5 - 1.0
    y, x = np.mgrid[:_SIDE, :_SIDE] - (_SIDE - 1) / 2
    radius = 4.0 + digest[3] % 3
    inside = x**2 + y**2 < radius**2
    if style == "striped":
        inside &= (np.arange(_SIDE)[None, :] // 2 + digest[4]) % 2 == 0
    card = np.empty((4, _SIDE, _SIDE), np.float32)
    card[:3] = colour[:, None, None]
    card[3] = np.where(inside, 1.0, -1.0)
    return card
