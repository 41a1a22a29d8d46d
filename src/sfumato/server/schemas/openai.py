"""OpenAI's Images API: what its clients send. ``null`` is the same as leaving a field out."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from sfumato.errors import RequestError
from sfumato.models import ModelSpec, spec_of
from sfumato.plan import request_of
from sfumato.request import MAX_STEPS, GenerationPlan, GenerationRequest

MAX_N = 10
FORMATS = ("png", "jpeg", "webp")
_SIZE = re.compile(r"([1-9]\d{1,4})x([1-9]\d{1,4})")
_QUALITY = {"low": 0.5, "high": 2.0, "hd": 2.0}  # times the model's own number of steps
_VIVID = 1.5  # times the model's own guidance


class ParamError(RequestError):
    """A parameter of the request cannot be honoured; ``param`` is its name."""

    def __init__(self, param: str, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint, code="invalid_value")
        self.param = param


class Common(BaseModel):
    """Fields of every drawing."""

    model_config = ConfigDict(extra="forbid")

    model: str | None = None
    n: int | None = None
    size: str | None = None
    quality: str | None = None
    response_format: Literal["url", "b64_json"] | None = None
    background: str | None = None
    output_format: str | None = None
    output_compression: int | None = None
    stream: bool | None = None
    partial_images: int | None = None
    user: str | None = None  # whom the client draws for: kept nowhere
    seed: int | None = None  # ours, like the next three: openai's client sends them as extra_body
    negative_prompt: str | None = None
    num_inference_steps: int | None = None
    guidance_scale: float | None = None


class GenerateIn(Common):
    """``POST /v1/images/generations``."""

    prompt: str
    style: str | None = None
    moderation: Literal["low", "auto"] | None = None  # nothing is moderated: it all stays here


class EditIn(Common):
    """The fields of ``POST /v1/images/edits`` beside its pictures."""

    prompt: str
    input_fidelity: Literal["low"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """In which form the pictures are answered."""

    format: str
    quality: int | None  # of lossy files; None: as good as the format can
    as_url: bool
    background: str
    said_quality: str
    stream: bool
    partial_images: int


def output_of(asked: Common) -> Output:
    """How to answer. Raises: ParamError."""
    format_ = asked.output_format or "png"
    if format_ not in FORMATS:
        raise ParamError(
            "output_format", f"There is no output_format {format_!r}.",
            hint=f"Choose one of: {', '.join(FORMATS)}.",
        )  # fmt: skip
    compression = 100 if asked.output_compression is None else asked.output_compression
    if not 0 <= compression <= 100:
        raise ParamError("output_compression", "Give an output_compression from 0 to 100.")
    if format_ == "png" and compression != 100:
        raise ParamError("output_compression", "PNG is not compressed with loss: leave it at 100.")
    partial = asked.partial_images or 0
    if not 0 <= partial <= 3:
        raise ParamError("partial_images", "Give partial_images from 0 to 3.")
    lossless = format_ == "png" or (format_ == "webp" and compression == 100)
    return Output(
        format=format_,
        quality=None if lossless else max(1, compression),
        as_url=asked.response_format == "url",
        background="opaque" if asked.background == "opaque" else "transparent",
        said_quality=asked.quality or "auto",
        stream=bool(asked.stream),
        partial_images=partial,
    )


def request_of_openai(asked: Common, prompt: str, style: str | None) -> GenerationRequest:
    """What to draw. Raises: RequestError, ModelError: what cannot be."""
    spec = spec_of(asked.model)
    width, height = size_of(asked.size)
    guidance = asked.guidance_scale
    if style in ("vivid", "natural"):
        if style == "vivid" and guidance is None and "guidance" in spec.capabilities:
            guidance = spec.guidance_scale * _VIVID
        style = None
    return GenerationRequest(
        prompt=prompt,
        negative_prompt=asked.negative_prompt or "",
        model=spec.name,
        num_images=count_of(asked.n),
        seed=asked.seed,
        width=width,
        height=height,
        num_inference_steps=asked.num_inference_steps or steps_of(asked.quality, spec),
        guidance_scale=guidance,
        style=style,
        background=None if asked.background in (None, "auto") else asked.background,
    )


def edited(plan: GenerationPlan, asked: EditIn) -> GenerationRequest:
    """Other words from the start of a picture's recipe; what is left open is as in the recipe.

    Raises: RequestError, ModelError: what cannot be.
    """
    _check_model(plan, asked)
    request = request_of_openai(asked.model_copy(update={"model": plan.model}), asked.prompt, None)
    return replace(
        request,
        seed=plan.seeds[0] if request.seed is None else request.seed,
        style=plan.styles[0],
        width=request.width or plan.width,
        height=request.height or plan.height,
        num_inference_steps=request.num_inference_steps or plan.num_inference_steps,
        sampler=plan.sampler,
        scheduler=plan.scheduler,
    )


def varied(
    plan: GenerationPlan, asked: Common, *, towards: int, strength: float
) -> GenerationRequest:
    """A picture's recipe pulled towards other starts; what is left open is as in the recipe.

    ``asked.seed`` is that of the first other start, else ``towards`` is.

    Raises: RequestError, ModelError: what cannot be.
    """
    _check_model(plan, asked)
    spec = spec_of(plan.model)
    request = request_of(plan, spec)
    width, height = size_of(asked.size)
    steps = asked.num_inference_steps or steps_of(asked.quality, spec)
    given = {
        "width": width,
        "height": height,
        "num_inference_steps": steps,
        "guidance_scale": asked.guidance_scale,
        "negative_prompt": asked.negative_prompt,
        "background": None if asked.background == "auto" else asked.background,
    }
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    return replace(
        request,
        num_images=count_of(asked.n),
        variation_seed=towards if asked.seed is None else asked.seed,
        variation_strength=strength,
        **changes,
    )


def _check_model(plan: GenerationPlan, asked: Common) -> None:
    if asked.model is not None and spec_of(asked.model).name != plan.model:
        raise ParamError(
            "model", f"{plan.model} drew this picture, and no other model can draw it again.",
            hint="Leave model out.",
        )  # fmt: skip


def count_of(n: int | None) -> int:
    """How many pictures. Raises: ParamError."""
    if n is not None and not 1 <= n <= MAX_N:
        raise ParamError("n", f"n is {n}.", hint=f"Give 1 to {MAX_N}.")
    return 1 if n is None else n


def size_of(size: str | None) -> tuple[int | None, int | None]:
    """Width and height in pixels; None where the size is left open. Raises: ParamError."""
    if size in (None, "auto"):
        return None, None
    match = _SIZE.fullmatch(size)
    if match is None:
        raise ParamError("size", f"{size[:20]!r} is no size.", hint="Give one such as 1024x1024.")
    return int(match[1]), int(match[2])


def steps_of(quality: str | None, spec: ModelSpec) -> int | None:
    """Low quality takes half of the model's own steps, high quality twice as many."""
    if quality not in (None, "auto", "standard", "medium", *_QUALITY):
        raise ParamError(
            "quality", f"There is no quality {quality!r}.",
            hint="Choose low, medium, high, standard, hd or auto.",
        )  # fmt: skip
    if quality not in _QUALITY:
        return None
    return min(MAX_STEPS, max(1, round(spec.num_inference_steps * _QUALITY[quality])))
