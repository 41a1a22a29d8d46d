"""AUTOMATIC1111's fields become a request, are refused, or are named as not honoured."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfumato.errors import SfumatoError
from sfumato.models import spec_of
from sfumato.plan import make_plan
from sfumato.request import GenerationRequest
from sfumato.server.schemas.automatic1111 import (
    Drawing,
    ImageDrawing,
    model_named,
    not_honoured,
    plain_prompt,
    redrawn,
    to_request,
)


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("a red fox", "a red fox"),
        ("(red fox:1.3), masterpiece", "red fox, masterpiece"),
        ("((owl)) [ugly] <lora:icons:0.8>", "owl ugly"),
        (r"smile \(round\)", "smile (round)"),
        ("a fox BREAK in blue", "a fox , in blue"),
        ("fox :1.2 AND owl", "fox :1.2 , owl"),
        ("(((", ""),
    ],
)
def test_weights_and_networks_are_left_out(prompt: str, words: str) -> None:
    assert plain_prompt(prompt) == words


@given(st.text(max_size=200))
def test_any_prompt_becomes_words(prompt: str) -> None:
    plain_prompt(prompt)


PLAN = make_plan(
    GenerationRequest(prompt="a fox", model="fake", seed=7, num_inference_steps=6, style="striped"),
    spec_of("fake"),
)


def again(**fields: Any) -> ImageDrawing:
    """What a client sends with a picture of ours."""
    return ImageDrawing.model_validate({"init_images": ["-"], **fields})


def test_a_picture_is_redrawn_as_in_its_recipe_but_for_what_was_sent() -> None:
    same = redrawn(PLAN, again(cfg_scale=7.0, seed=3))
    assert (same.prompt, same.seed, same.style) == ("a fox", 7, "striped")
    assert (same.num_inference_steps, same.sampler) == (6, PLAN.sampler)
    assert (same.variation_seed, same.variation_strength) == (3, 0.75)
    other = redrawn(
        PLAN,
        again(
            prompt="an owl", negative_prompt="(rain:1.2)", steps=9, cfg_scale=3.0,
            sampler_name="Euler a", scheduler="cosine", styles=["flat"], enable_hr=True,
        ),
    )  # fmt: skip
    assert (other.prompt, other.negative_prompt, other.style) == ("an owl", "rain", "flat")
    assert (other.num_inference_steps, other.guidance_scale) == (9, 3.0)
    assert (other.sampler, other.scheduler) == ("euler_ancestral", "cosine")
    assert (other.width, other.height) == (1024, 1024)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"sampler_name": "Nonesuch"}, "Nonesuch"),
        ({"restore_faces": True}, "restore_faces"),
        ({"tiling": True}, "tiling"),
        ({"script_name": "x"}, "script_name"),
        ({"alwayson_scripts": {"ADetailer": {"args": [True]}}}, "ADetailer"),
        ({"styles": ["a", "b"]}, "one style"),
        ({"subseed_strength": 0.5}, "one other start"),
        ({"override_settings": {"sd_model_checkpoint": "chiaro"}}, "no other model"),
    ],
)
def test_what_a_redrawing_cannot_honour_is_refused(fields: dict[str, Any], named: str) -> None:
    with pytest.raises(SfumatoError) as caught:
        redrawn(PLAN, again(**fields))
    assert named in caught.value.one_line()


def ask(**fields: Any) -> Drawing:
    """What a client sends."""
    return Drawing.model_validate({"prompt": "a fox", **fields})


def test_what_clients_send_by_default_is_the_models_own_choice() -> None:
    sent = ask(cfg_scale=7.0, seed=-1, subseed=-1, scheduler="automatic", sampler_name=None)
    request = to_request(sent, "fake")
    assert request.guidance_scale is None
    assert request.seed is None
    assert request.scheduler is None
    assert (request.width, request.height, request.model) == (512, 512, "fake")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"sampler_name": "Euler a"}, {"sampler": "euler_ancestral"}),
        ({"sampler_index": "DPM++ 2M"}, {"sampler": "dpmpp_2m"}),
        ({"scheduler": "Cosine"}, {"scheduler": "cosine"}),
        ({"cfg_scale": 3.5}, {"guidance_scale": 3.5}),
        ({"batch_size": 2, "n_iter": 3}, {"num_images": 6}),
        ({"styles": ["striped"]}, {"style": "striped"}),
        ({"subseed": 4, "subseed_strength": 0.5}, {"variation_seed": 4, "variation_strength": 0.5}),
        ({"enable_hr": True, "hr_scale": 1.5}, {"width": 768, "height": 768}),
        ({"enable_hr": True, "hr_resize_x": 100, "hr_resize_y": 80}, {"width": 100, "height": 80}),
        ({"enable_hr": True, "hr_resize_x": 1024}, {"width": 1024, "height": 1024}),
        ({"override_settings": {"sd_model_checkpoint": "chiaro"}}, {"model": "chiaro"}),
    ],
)
def test_fields_become_ours(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    request = to_request(ask(**fields), "fake")
    assert {name: getattr(request, name) for name in expected} == expected


@pytest.mark.parametrize(
    "fields",
    [
        {"tiling": True},
        {"restore_faces": True},
        {"script_name": "x/y/z plot"},
        {"alwayson_scripts": {"ControlNet": {"args": [{"model": "canny"}]}}},
        {"sampler_name": "UniPC"},
        {"scheduler": "karras"},
        {"styles": ["flat", "striped"]},
        {"enable_hr": True, "hr_scale": 100},
        {"enable_hr": True, "hr_resize_x": 10**400},
        {"enable_hr": True, "width": 10**400},
        {"override_settings": {"sd_model_checkpoint": "sdxl"}},
        {"steps": 151},
        {"batch_size": 65},
        {"batch_size": -1},
        {"subseed_strength": 2},
    ],
)
def test_what_would_show_and_cannot_be_done_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(SfumatoError):
        to_request(ask(**fields), "fake")


def test_extensions_that_are_off_are_let_pass() -> None:
    scripts = {"ADetailer": {"args": [False]}, "ControlNet": {"args": []}}
    to_request(ask(alwayson_scripts=scripts, tiling=None), "fake")


def test_what_tunes_another_engine_is_named() -> None:
    sent = ask(eta=0.5, s_churn=0, clip_skip=2, save_images=True, hr_upscaler="Latent")
    assert not_honoured(sent) == ["clip_skip", "eta"]
    settings = {"sd_model_checkpoint": "fake", "CLIP_stop_at_last_layers": 2, "sd_vae": "None"}
    assert not_honoured(ask(override_settings=settings)) == ["CLIP_stop_at_last_layers"]


def test_models_are_known_by_name_title_and_hash() -> None:
    spec = model_named("fake")
    for name in (f"fake [{spec.sha256[:10]}]", spec.sha256[:10], spec.sha256):
        assert model_named(name) == spec
