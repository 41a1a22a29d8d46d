"""The two kinds of model and the sheet that describes one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sfumato.request import GenerationPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """What a model is and can do, known before its weights are read."""

    name: str
    family: str  # "diffusion" (iterates from noise) or "direct" (one shot)
    summary: str
    licence: str
    version: str
    sha256: str  # over the files' own digests: the model's identity in recipes
    size_bytes: int
    parameters: int
    native_size: int  # pixels a side of what ``decode`` returns
    latent_shape: tuple[int, ...]  # without the batch dimension
    styles: tuple[str, ...]  # the first is what "no style" falls back to
    default_styles: tuple[str, ...]  # dealt out by seed where no style is asked
    num_inference_steps: int
    guidance_scale: float
    sampler: str
    scheduler: str
    temperature: float = 1.0  # what the starting noise is multiplied by, where nobody says
    finish: str = "vector"  # "vector" or "raster": see ``sfumato.finish``
    # "negative_prompt", "guidance", "transparency"; "scene_planner": draws one subject, so
    # ``sfumato.prompt`` reads style, colour, ground and emblem from the words
    capabilities: frozenset[str] = frozenset()
    languages: tuple[str, ...] = ("en",)
    style_words: Mapping[str, str] = field(default_factory=dict)  # extra word -> style


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditioning:
    """What the text became. The arrays' meaning belongs to the model that made them."""

    positive: NDArray[np.float32]  # (B, ...)
    negative: NDArray[np.float32]  # (B, ...): guidance steers away from this
    known: float = 1.0  # 0..1, how close the subject is to what the model was shown
    nearest: str = ""  # the closest subject the model was shown
    extras: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sketch:
    """What a model drew, before it is cleaned, tinted, traced and placed.

    A picture of several things has one entry in ``pixels`` and ``conds`` for each of
    ``plan.drawings``; all others have one.
    """

    pixels: tuple[NDArray[np.uint8], ...]  # (s, s, 4) sRGB, straight alpha, s = the model's size
    plan: GenerationPlan  # for this picture alone
    index: int  # of the picture in the plan it came from
    conds: tuple[Conditioning, ...]  # batches of one; empty where the model encodes nothing
    seconds: float


@runtime_checkable
class DiffusionModel(Protocol):
    """Draws by denoising. Noise level sigma runs from 1 (noise) to 0 (picture)."""

    spec: ModelSpec

    def encode_prompt(self, plan: GenerationPlan) -> Conditioning:
        """Text to conditioning for every picture of the plan."""
        ...

    def suggest_styles(self, subject: str) -> tuple[str, ...]:
        """Styles that suit a subject, best first; never empty."""
        ...

    def denoise(
        self, latents: NDArray[np.float32], sigma: float, cond: Conditioning, guidance_scale: float
    ) -> NDArray[np.float32]:
        """Estimate of the clean latents, (B, *latent_shape), after guidance."""
        ...

    def decode(self, latents: NDArray[np.float32], plan: GenerationPlan) -> NDArray[np.uint8]:
        """Clean latents to (B, native_size, native_size, 4) uint8 sRGB, straight alpha."""
        ...

    def fingerprint(self) -> Mapping[str, str]:
        """Engine versions that decide the pixels."""
        ...


@runtime_checkable
class DirectModel(Protocol):
    """Draws in one go: a GAN, an autoregressive model, a hosted API."""

    spec: ModelSpec

    def suggest_styles(self, subject: str) -> tuple[str, ...]:
        """Styles that suit a subject, best first; never empty."""
        ...

    def synthesize(self, plan: GenerationPlan) -> NDArray[np.uint8]:
        """(B, native_size, native_size, 4) uint8 sRGB, straight alpha."""
        ...

    def fingerprint(self) -> Mapping[str, str]:
        """Engine versions that decide the pixels."""
        ...


Model = DiffusionModel | DirectModel
