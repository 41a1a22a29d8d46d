"""AUTOMATIC1111's API: what its clients send, and how it becomes a request of ours.

Clients send dozens of fields, most at their defaults. What would show in the picture and cannot be
honoured is refused when it is switched on; what tunes another engine (eta, churn, clip skip) is
named in the answer's ``info`` as not honoured.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from sfumato.errors import SfumatoError
from sfumato.files.a1111 import SAMPLER_NAMES
from sfumato.models import ModelSpec, spec_of, usable_specs
from sfumato.plan import random_seed, request_of
from sfumato.registry import SAMPLERS, SCHEDULERS
from sfumato.request import MAX_SIDE, GenerationPlan, GenerationRequest
from sfumato.server.problems import Problem

DEFAULT_SCALE = 7.0  # what clients send when nobody chose; our models have scales of their own
_WEIGHT = re.compile(r":\s*-?[0-9.]+\s*(?=[)\]])")
_EXTRA_NETWORK = re.compile(r"<[a-z]+:[^<>]*>")
_FIXED = {"CLIP_stop_at_last_layers": 1, "samples_format": "png", "sd_vae": "None"}
_WITHOUT_EFFECT = frozenset(  # every picture is kept in the library, and settings are never changed
    {
        "do_not_save_samples",
        "do_not_save_grid",
        "save_images",
        "override_settings_restore_afterwards",
    }
)
Script = Annotated[dict[str, Any], Field(default_factory=dict)]


class Drawing(BaseModel):
    """Fields of ``txt2img`` and ``img2img``; fields of extensions are let pass, and named."""

    model_config = ConfigDict(extra="allow")

    prompt: str = ""
    negative_prompt: str | None = ""
    styles: list[str] | None = None
    seed: int = -1
    subseed: int = -1
    subseed_strength: float = 0
    sampler_name: str | None = None
    sampler_index: str | None = None
    scheduler: str | None = None
    batch_size: int = 1
    n_iter: int = 1
    steps: int | None = None
    cfg_scale: float | None = None
    width: int = 512
    height: int = 512
    restore_faces: bool | None = None
    tiling: bool | None = None
    enable_hr: bool = False
    hr_scale: float = 2
    hr_resize_x: int = 0
    hr_resize_y: int = 0
    denoising_strength: float | None = None
    override_settings: Script
    script_name: str | None = None
    alwayson_scripts: Script
    send_images: bool = True
    force_task_id: str | None = None


class ImageDrawing(Drawing):
    """``img2img``: only pictures of ours, whose recipe says where they started."""

    init_images: list[str] | None = None
    mask: str | None = None
    denoising_strength: float | None = 0.75
    include_init_images: bool = False


class ImageIn(BaseModel):
    """A picture as base64 or data URL."""

    image: str
    model: str = "clip"


class ExtraIn(BaseModel):
    """``extra-single-image``."""

    image: str
    resize_mode: int = 0  # 0: by a factor, 1: to a size
    upscaling_resize: float = 2
    upscaling_resize_w: int = 512
    upscaling_resize_h: int = 512
    upscaler_1: str = "None"
    upscaler_2: str = "None"
    gfpgan_visibility: float = 0
    codeformer_visibility: float = 0


def to_request(asked: Drawing, default_model: str | None) -> GenerationRequest:
    """What to draw. Raises: Problem, RequestError, ModelError: what cannot be."""
    _refuse(asked)
    chosen = asked.override_settings.get("sd_model_checkpoint")
    spec = spec_of(default_model) if chosen is None else model_named(str(chosen))
    width, height = _sides(asked)
    return GenerationRequest(
        prompt=plain_prompt(asked.prompt),
        negative_prompt=plain_prompt(asked.negative_prompt or ""),
        model=spec.name,
        num_images=asked.batch_size * asked.n_iter,
        seed=None if asked.seed == -1 else asked.seed,
        width=width,
        height=height,
        num_inference_steps=asked.steps,
        guidance_scale=None if asked.cfg_scale in (None, DEFAULT_SCALE) else asked.cfg_scale,
        style=_style(asked.styles or [], spec),
        sampler=_sampler(asked.sampler_name or asked.sampler_index),
        scheduler=_scheduler(asked.scheduler),
        variation_seed=None
        if asked.subseed == -1 or asked.subseed_strength == 0
        else asked.subseed,
        variation_strength=asked.subseed_strength,
    )


def redrawn(plan: GenerationPlan, asked: ImageDrawing) -> GenerationRequest:
    """The drawing of ``plan`` again, otherwise: ``denoising_strength`` of the way to another start.

    What the client leaves open is as in the recipe. Raises: Problem, RequestError, ModelError.
    """
    _refuse(asked)
    if asked.subseed_strength:
        raise Problem(
            "bad_request", "A picture is redrawn towards one other start.",
            hint="Leave subseed_strength at 0: denoising_strength says how far.",
        )  # fmt: skip
    chosen = asked.override_settings.get("sd_model_checkpoint")
    if chosen is not None and model_named(str(chosen)).name != plan.model:
        raise Problem(
            "bad_request", f"{plan.model} drew this picture, and no other model can redraw it.",
            hint="Leave override_settings.sd_model_checkpoint out.",
        )  # fmt: skip
    spec = spec_of(plan.model)
    request = request_of(plan, spec)
    words, unwanted = plain_prompt(asked.prompt), plain_prompt(asked.negative_prompt or "")
    if words.strip() and words != plan.prompt:
        # other words mean another scene: what the recipe made of its own is left behind
        request = replace(request, prompt=words, background=None)
    strength = 0.75 if asked.denoising_strength is None else asked.denoising_strength
    width, height = _sides(asked)
    scale = request.guidance_scale if asked.cfg_scale in (None, DEFAULT_SCALE) else asked.cfg_scale
    return replace(
        request,
        negative_prompt=unwanted or request.negative_prompt,
        num_images=asked.batch_size * asked.n_iter,
        width=width,
        height=height,
        num_inference_steps=asked.steps or request.num_inference_steps,
        guidance_scale=scale,
        style=_style(asked.styles or [], spec) or request.style,
        sampler=_sampler(asked.sampler_name or asked.sampler_index) or request.sampler,
        scheduler=_scheduler(asked.scheduler) or request.scheduler,
        variation_seed=(random_seed() if asked.seed == -1 else asked.seed) if strength else None,
        variation_strength=strength,
    )


def not_honoured(asked: Drawing) -> list[str]:
    """Names of what was sent, would change nothing here, and is said so."""
    extra = [
        name
        for name, value in (asked.model_extra or {}).items()
        if value and (asked.enable_hr or not name.startswith("hr_"))
    ]
    settings = [
        name
        for name, value in asked.override_settings.items()
        if name != "sd_model_checkpoint" and value != _FIXED.get(name)
    ]
    return sorted({*extra, *settings} - _WITHOUT_EFFECT)


def model_named(name: str) -> ModelSpec:
    """A model by its name, its title or its hash. Raises: Problem: 404."""
    wanted = name.strip()
    for spec in usable_specs():
        if wanted in (spec.name, title_of(spec), spec.sha256, spec.sha256[:10]):
            return spec
    try:
        return spec_of(wanted)  # says that there is none, or what is wrong with it
    except SfumatoError as error:
        raise Problem("model_not_found", error.message, hint=error.hint) from None


def title_of(spec: ModelSpec) -> str:
    """How lists of checkpoints show a model."""
    return f"{spec.name} [{spec.sha256[:10]}]"


def plain_prompt(prompt: str) -> str:
    """Words alone: weights and extra networks mean nothing to models that read a subject.

    ``(red fox:1.3)`` is ``red fox``; an escaped bracket stays a bracket.
    """
    bare = _WEIGHT.sub("", _EXTRA_NETWORK.sub("", prompt))
    bare = re.sub(r"\\([()\[\]])|[()\[\]]", lambda match: match[1] or "", bare)
    lines = re.sub(r"\b(BREAK|AND)\b", ",", bare)
    return re.sub(r"\s*,(\s*,)+", ",", lines).strip(" ,") if bare.strip() else bare


def _refuse(asked: Drawing) -> None:
    switched = {
        "restore_faces": asked.restore_faces,
        "tiling": asked.tiling,
        "script_name": asked.script_name,
    }
    for name, script in asked.alwayson_scripts.items():
        switched[f"alwayson_scripts.{name}"] = _is_on(script)
    for name, value in switched.items():
        if value:
            raise Problem(
                "bad_request", f"{name} is switched on, and there is no such thing here.",
                hint="Switch it off.",
            )  # fmt: skip


def _is_on(script: Any) -> bool:
    """Clients switch an extension off with empty arguments or a False in the first place."""
    arguments = script.get("args") if isinstance(script, dict) else script
    return bool(arguments) and not (isinstance(arguments, list) and arguments[0] is False)


def _sides(asked: Drawing) -> tuple[int, int]:
    """With the high-resolution fix on, drawings are rendered at its size at once."""
    if not asked.enable_hr:
        return asked.width, asked.height
    for side in (asked.width, asked.height, asked.hr_resize_x, asked.hr_resize_y):
        if not 0 <= side <= MAX_SIDE:  # before anything is computed with it
            raise Problem("bad_request", "A side is too long.", hint=f"Up to {MAX_SIDE} pixels.")
    if asked.hr_resize_x or asked.hr_resize_y:
        ratio = asked.width / max(1, asked.height)
        width = asked.hr_resize_x or round(asked.hr_resize_y * ratio)
        return width, asked.hr_resize_y or round(asked.hr_resize_x / max(ratio, 1e-6))
    if not 1 <= asked.hr_scale <= 8:
        raise Problem("bad_request", f"hr_scale is {asked.hr_scale}.", hint="Give 1 to 8.")
    return round(asked.width * asked.hr_scale), round(asked.height * asked.hr_scale)


def _style(styles: list[str], spec: ModelSpec) -> str | None:
    if len(styles) > 1:
        raise Problem("bad_request", "A picture has one style.", hint="Send one of styles.")
    return next(iter(styles), None)


def _sampler(name: str | None) -> str | None:
    if name in (None, "", "Automatic"):
        return None
    wanted = name.strip().lower()
    for entry in SAMPLERS:
        if wanted in (entry.name, SAMPLER_NAMES.get(entry.name, entry.name).lower()):
            return entry.name
    known = ", ".join(SAMPLER_NAMES.get(entry.name, entry.name) for entry in SAMPLERS)
    raise Problem("not_found", f"Sampler not found: {name[:60]!r}.", hint=f"Choose from: {known}.")


def _scheduler(name: str | None) -> str | None:
    if name is None or name.strip().lower() in ("", "automatic"):
        return None
    wanted = name.strip().lower()
    if wanted in SCHEDULERS:
        return wanted
    known = ", ".join(["automatic", *SCHEDULERS.names()])
    raise Problem(
        "not_found", f"Scheduler not found: {name[:60]!r}.", hint=f"Choose from: {known}."
    )
