"""What every registered model promises, the built-in ones and any plug-in alike."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from sfumato import models
from sfumato.diffusion import initial_noise, noise_for, sample
from sfumato.models import DiffusionModel, DirectModel, Model, ModelSpec
from sfumato.plan import make_plan
from sfumato.registry import MODELS, SAMPLERS, SCHEDULERS
from sfumato.request import FINISHES, GenerationPlan, GenerationRequest

FEW_STEPS = 2  # promises hold at any number of steps, so few will do

every_model = pytest.mark.parametrize("name", MODELS.names())


def plan_of(spec: ModelSpec, prompt: str = "a red apple", **options: object) -> GenerationPlan:
    request = GenerationRequest(prompt=prompt, model=spec.name, num_inference_steps=FEW_STEPS)
    return make_plan(replace(request, **options), spec)


def draw(model: Model, plan: GenerationPlan) -> NDArray[np.uint8]:
    """The model's own pixels for the whole plan in one batch, (B, s, s, 4) uint8."""
    if isinstance(model, DirectModel):
        return model.synthesize(plan)
    cond = model.encode_prompt(plan)
    rngs = [noise_for(seed) for seed in plan.seeds]
    latents = sample(
        lambda x, sigma: model.denoise(x, sigma, cond, plan.guidance_scale),
        initial_noise(rngs, model.spec.latent_shape),
        sampler=plan.sampler,
        scheduler=plan.scheduler,
        num_inference_steps=plan.num_inference_steps,
        rngs=rngs,
        on_step=lambda step, total, clean: None,
    )
    assert latents.shape == (plan.num_images, *model.spec.latent_shape)
    assert latents.dtype == np.float32
    return model.decode(latents, plan)


@every_model
def test_its_sheet_is_complete_and_consistent(name: str) -> None:
    spec = models.spec_of(name)
    assert spec.name == name
    assert spec.family in ("diffusion", "direct")
    for words in (spec.summary, spec.licence, spec.version):
        assert words.strip()
    assert re.fullmatch(r"[0-9a-f]{64}", spec.sha256)
    assert spec.size_bytes >= 0
    assert spec.parameters >= 0
    assert spec.native_size >= 16
    assert spec.styles
    assert set(spec.default_styles) <= set(spec.styles)
    assert spec.default_styles
    assert set(spec.style_words.values()) <= set(spec.styles)
    assert all(word == word.lower() for word in spec.style_words)
    assert spec.finish in FINISHES
    assert spec.sampler in SAMPLERS
    assert spec.scheduler in SCHEDULERS
    assert spec.capabilities <= {"negative_prompt", "guidance", "transparency", "scene_planner"}
    assert spec.languages
    # its own defaults are within what a request may ask for
    GenerationRequest(
        prompt="x",
        num_inference_steps=spec.num_inference_steps,
        guidance_scale=spec.guidance_scale,
    )


@every_model
def test_it_loads_as_what_its_sheet_says(name: str) -> None:
    model = models.load(name)
    assert model.spec == models.spec_of(name)
    expected = DiffusionModel if model.spec.family == "diffusion" else DirectModel
    assert isinstance(model, expected)
    fingerprint = model.fingerprint()
    assert fingerprint
    assert all(isinstance(part, str) for item in fingerprint.items() for part in item)


@every_model
def test_pixels_have_the_promised_shape(name: str) -> None:
    model = models.load(name)
    side = model.spec.native_size
    pixels = draw(model, plan_of(model.spec, seed=1, num_images=2))
    assert pixels.shape == (2, side, side, 4)
    assert pixels.dtype == np.uint8


@every_model
def test_same_plan_same_pixels(name: str) -> None:
    model = models.load(name)
    plan = plan_of(model.spec, seed=11)
    np.testing.assert_array_equal(draw(model, plan), draw(model, plan))


@every_model
def test_a_picture_alone_equals_itself_in_its_batch(name: str) -> None:
    model = models.load(name)
    plan = plan_of(model.spec, seed=5, num_images=2)
    alone = [draw(model, plan.for_image(index)) for index in range(plan.num_images)]
    np.testing.assert_array_equal(draw(model, plan), np.concatenate(alone))
    again = draw(model, plan.for_image(1))  # after others were drawn: no state is carried over
    np.testing.assert_array_equal(again, alone[1])


@every_model
def test_the_seed_the_style_and_the_words_change_the_picture(name: str) -> None:
    model = models.load(name)
    style = model.spec.styles[0]
    base = draw(model, plan_of(model.spec, seed=1, style=style))
    assert not np.array_equal(base, draw(model, plan_of(model.spec, seed=2, style=style)))
    other_words = plan_of(model.spec, "a sailing boat", seed=1, style=style)
    assert not np.array_equal(base, draw(model, other_words))
    for other in model.spec.styles[1:]:
        assert not np.array_equal(base, draw(model, plan_of(model.spec, seed=1, style=other)))


@every_model
def test_what_it_says_it_can_steer_by_changes_the_picture(name: str) -> None:
    model = models.load(name)
    base = draw(model, plan_of(model.spec, seed=1, guidance_scale=1.0))
    if "guidance" in model.spec.capabilities:
        strong = plan_of(model.spec, seed=1, guidance_scale=4.0)
        assert not np.array_equal(base, draw(model, strong))
        if "negative_prompt" in model.spec.capabilities:
            away = replace(strong, negative_prompt="a green tree")
            assert not np.array_equal(draw(model, strong), draw(model, away))


@every_model
@pytest.mark.parametrize(
    "prompt", ["?", "🦊", "قطة", "狐狸", "x" * 10_000, "a " * 5_000, "\ud7ff\ue000", "'; --"]
)
def test_any_words_give_a_conditioning(name: str, prompt: str) -> None:
    model = models.load(name)
    plan = plan_of(model.spec, prompt, seed=1)
    if isinstance(model, DiffusionModel):
        cond = model.encode_prompt(plan)
        assert len(cond.positive) == len(cond.negative) == 1
        assert cond.positive.dtype == cond.negative.dtype == np.float32
        assert np.isfinite(cond.positive).all()
        assert 0.0 <= cond.known <= 1.0
