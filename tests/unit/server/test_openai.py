"""OpenAI's fields become a request and a form of answer; what cannot be names its parameter."""

from __future__ import annotations

from typing import Any

import pytest

from sfumato.models import spec_of
from sfumato.plan import make_plan
from sfumato.request import GenerationRequest
from sfumato.server.schemas.openai import (
    Common,
    EditIn,
    GenerateIn,
    ParamError,
    edited,
    output_of,
    request_of_openai,
    varied,
)

PLAN = make_plan(
    GenerationRequest(
        prompt="a fox", model="fake", seed=7, num_inference_steps=6, sampler="heun", width=64,
        height=64,
    ),
    spec_of("fake"),
)  # fmt: skip


def near(**fields: Any) -> GenerationRequest:
    """A variation that a client asks for."""
    return varied(PLAN, Common.model_validate(fields), towards=1, strength=0.5)


def test_a_variation_is_as_the_recipe_but_for_what_was_sent() -> None:
    same = near()
    assert (same.seed, same.variation_seed, same.num_inference_steps) == (7, 1, 6)
    assert (same.sampler, same.width, same.num_images) == ("heun", 64, 1)
    other = near(
        model="fake", n=2, seed=9, quality="high", guidance_scale=2.5, negative_prompt="rain",
        background="opaque", size="32x32",
    )  # fmt: skip
    assert (other.seed, other.variation_seed, other.num_images) == (7, 9, 2)
    assert (other.num_inference_steps, other.guidance_scale) == (8, 2.5)
    assert (other.negative_prompt, other.background, other.width) == ("rain", "opaque", 32)
    assert near(num_inference_steps=3, quality="high").num_inference_steps == 3


def test_an_edit_leaves_from_the_recipe() -> None:
    body = EditIn.model_validate({"prompt": "an owl", "quality": "low"})
    other = edited(PLAN, body)
    assert (other.prompt, other.model, other.seed) == ("an owl", "fake", 7)
    # half the steps of the model that draws, not of the one that draws by default
    assert (other.num_inference_steps, other.sampler, other.width) == (2, "heun", 64)
    plain = edited(PLAN, EditIn.model_validate({"prompt": "an owl", "seed": 8}))
    assert (plain.seed, plain.num_inference_steps) == (8, 6)


def test_no_other_model_takes_a_recipe_on() -> None:
    for call in (
        lambda: near(model="chiaro"),
        lambda: edited(PLAN, EditIn.model_validate({"prompt": "x", "model": "chiaro"})),
    ):
        with pytest.raises(ParamError) as caught:
            call()
        assert caught.value.param == "model"


def ask(**fields: Any) -> GenerateIn:
    """What a client sends."""
    return GenerateIn.model_validate({"prompt": "a fox", "model": "fake", **fields})


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {"num_images": 1, "width": None, "num_inference_steps": None, "background": None}),
        ({"n": 3, "size": "1792x1024"}, {"num_images": 3, "width": 1792, "height": 1024}),
        ({"size": "auto", "background": "auto", "quality": "auto"}, {"width": None}),
        ({"quality": "high"}, {"num_inference_steps": 8}),
        ({"quality": "low"}, {"num_inference_steps": 2}),
        ({"quality": "hd", "num_inference_steps": 5}, {"num_inference_steps": 5}),
        ({"style": "vivid"}, {"guidance_scale": 2.25, "style": None}),
        ({"style": "natural"}, {"guidance_scale": None, "style": None}),
        ({"style": "striped"}, {"style": "striped"}),
        ({"background": "opaque", "seed": 4}, {"background": "opaque", "seed": 4}),
        ({"n": None, "size": None, "seed": None}, {"num_images": 1}),
    ],
)
def test_fields_become_ours(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    body = ask(**fields)
    request = request_of_openai(body, body.prompt, body.style)
    assert spec_of("fake").num_inference_steps == 4
    assert {name: getattr(request, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"n": 0}, "n"),
        ({"n": 11}, "n"),
        ({"size": "big"}, "size"),
        ({"size": "0x64"}, "size"),
        ({"size": "100000x100000"}, "size"),
        ({"quality": "best"}, "quality"),
        ({"output_format": "gif"}, "output_format"),
        ({"output_compression": 101}, "output_compression"),
        ({"output_compression": 50}, "output_compression"),
        ({"partial_images": 4}, "partial_images"),
    ],
)
def test_what_cannot_be_names_its_parameter(fields: dict[str, Any], param: str) -> None:
    body = ask(**fields)
    with pytest.raises(ParamError) as caught:
        output_of(body)
        request_of_openai(body, body.prompt, body.style)
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("fields", "format_", "quality"),
    [
        ({}, "png", None),
        ({"output_format": "webp"}, "webp", None),
        ({"output_format": "webp", "output_compression": 60}, "webp", 60),
        ({"output_format": "jpeg"}, "jpeg", 100),
        ({"output_format": "jpeg", "output_compression": 0}, "jpeg", 1),
    ],
)
def test_compression_is_the_files_quality(
    fields: dict[str, Any], format_: str, quality: int | None
) -> None:
    output = output_of(ask(**fields))
    assert (output.format, output.quality) == (format_, quality)
