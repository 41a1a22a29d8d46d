"""make_plan: every default resolved, every contradiction refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfumato.backends import fake
from sfumato.errors import RequestError
from sfumato.plan import DEFAULT_SIDE, make_plan, request_of
from sfumato.request import MAX_SEED, GenerationPlan, GenerationRequest

SPEC = fake.spec()


def plan_for(prompt: str = "a fox", **options: Any) -> GenerationPlan:
    return make_plan(GenerationRequest(prompt=prompt, **options), SPEC, {"numpy": "2.0"})


def test_defaults_come_from_the_model() -> None:
    plan = plan_for(seed=3)
    assert (plan.width, plan.height) == (DEFAULT_SIDE, DEFAULT_SIDE)
    assert plan.num_inference_steps == SPEC.num_inference_steps
    assert plan.guidance_scale == SPEC.guidance_scale
    assert plan.temperature == SPEC.temperature
    assert (plan.sampler, plan.scheduler) == (SPEC.sampler, SPEC.scheduler)
    assert (plan.model, plan.model_sha256) == (SPEC.name, SPEC.sha256)
    assert plan.finish == SPEC.finish
    assert plan.background == "transparent"
    assert plan.fingerprint == {"numpy": "2.0"}
    assert plan.device == "cpu"
    assert plan.notes == ()


def test_what_was_asked_wins_over_defaults() -> None:
    plan = plan_for(
        width=64,
        height=64,
        num_inference_steps=9,
        guidance_scale=0,
        temperature=0,
        sampler="heun",
        scheduler="cosine",
        negative_prompt="dog",
        style="striped",
    )
    assert (plan.width, plan.height, plan.num_inference_steps) == (64, 64, 9)
    assert plan.guidance_scale == 0.0
    assert plan.temperature == 0.0
    assert (plan.sampler, plan.scheduler) == ("heun", "cosine")
    assert plan.negative_prompt == "dog"
    assert plan.styles == ("striped",)


@given(st.integers(0, MAX_SEED - 64), st.integers(1, 64))
def test_pictures_use_seed_and_the_ones_after_it(seed: int, count: int) -> None:
    plan = plan_for(seed=seed, num_images=count)
    assert plan.seeds == tuple(range(seed, seed + count))
    assert len(plan.styles) == count


def test_seeds_may_end_at_the_largest_and_not_beyond() -> None:
    assert plan_for(seed=MAX_SEED - 1, num_images=2).seeds[-1] == MAX_SEED
    with pytest.raises(RequestError, match="leaves no room"):
        plan_for(seed=MAX_SEED, num_images=2)


def test_without_a_seed_each_plan_draws_another_one() -> None:
    assert len({plan_for().seeds for _ in range(5)}) > 1


def test_without_a_style_the_seed_deals_them_out() -> None:
    assert plan_for(seed=0, num_images=3).styles == ("flat", "striped", "flat")
    assert plan_for(seed=1, num_images=1).styles == ("striped",)


def test_an_option_wins_over_the_prompt() -> None:
    words = "a striped fox on a blue background"
    assert plan_for(words).styles == ("striped",)
    assert plan_for(words).background.startswith("#")
    plan = plan_for(words, style="flat", background="transparent")
    assert plan.styles == ("flat",)
    assert plan.background == "transparent"


@pytest.mark.parametrize(
    ("prompt", "asked", "expected"),
    [
        ("fox", "#1D4ED8", "#1d4ed8"),
        ("fox", "opaque", "#ffffff"),
        ("fox on a #123456 background", "opaque", "#123456"),
        ("fox on a #123456 background", None, "#123456"),
        ("fox on black", None, "#000000"),
        ("fox, background: black", None, "#000000"),
        ("fox", "Black", "#000000"),
        ("fox", "white", "#ffffff"),
        ("fox", "navy", "#1d2f63"),
    ],
)
def test_backgrounds(prompt: str, asked: str | None, expected: str) -> None:
    assert plan_for(prompt, background=asked).background == expected


def test_the_prompt_is_kept_and_the_subject_is_what_is_left() -> None:
    plan = plan_for("a red dragon on a blue circle")
    assert plan.prompt == "a red dragon on a blue circle"
    assert (plan.subject, plan.tint_name) == ("dragon", "red")
    assert plan.emblem is not None
    assert plan.emblem.shape == "circle"


def test_a_canvas_that_is_not_square_is_said_in_the_notes() -> None:
    (note,) = plan_for(width=300, height=200).notes
    assert "200×200" in note
    assert "300×200" in note


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"style": "baroque"}, "flat, striped"),
        ({"style": ""}, "flat, striped"),
        ({"sampler": "euiler"}, "Did you mean 'euler'?"),
        ({"sampler": ""}, "euler"),
        ({"scheduler": "karras"}, "uniform"),
        ({"background": "mauvelous"}, "colour"),
        ({"device": "cuda:9"}, "cpu"),
    ],
)
def test_unknown_names_are_refused_with_the_known_ones(options: dict[str, Any], says: str) -> None:
    with pytest.raises(RequestError) as caught:
        plan_for(**options)
    assert says in caught.value.hint


@pytest.mark.parametrize(
    ("capability", "options"),
    [
        ("negative_prompt", {"negative_prompt": "dog"}),
        ("guidance", {"guidance_scale": 2.0}),
        ("transparency", {"background": "transparent"}),
    ],
)
def test_what_the_model_lacks_is_refused(capability: str, options: dict[str, Any]) -> None:
    request = GenerationRequest(prompt="fox", **options)
    make_plan(request, SPEC)
    lacking = replace(SPEC, capabilities=SPEC.capabilities - {capability})
    with pytest.raises(RequestError):
        make_plan(request, lacking)


def test_a_model_without_noise_has_no_temperature() -> None:
    direct, calm = replace(SPEC, family="direct"), replace(SPEC, temperature=0.5)
    with pytest.raises(RequestError, match="temperature"):
        make_plan(GenerationRequest(prompt="fox", temperature=0.5), direct)
    assert make_plan(GenerationRequest(prompt="fox"), calm).temperature == 0.5
    asked = make_plan(GenerationRequest(prompt="fox", temperature=1), calm)
    assert asked.temperature == 1.0
    assert request_of(asked, calm).temperature == 1.0


def test_extra_style_words_name_the_models_styles() -> None:
    spec = replace(SPEC, style_words={"zebra": "striped"})
    assert make_plan(GenerationRequest(prompt="fox", style="Zebra"), spec).styles == ("striped",)


def test_a_plan_is_reproduced_from_the_same_request() -> None:
    assert plan_for("a red fox", seed=5) == plan_for("a red fox", seed=5)


def test_things_that_may_not_match_in_style_are_told() -> None:
    spec = replace(SPEC, capabilities=SPEC.capabilities | {"scene_planner"})

    def suggest(subject: str) -> tuple[str, ...]:
        return ("striped",) if subject == "cup" else ("flat",)

    def notes(prompt: str, **options: Any) -> str:
        request = GenerationRequest(prompt=prompt, seed=0, **options)
        return " ".join(make_plan(request, spec, suggest_styles=suggest).notes)

    told = "“cup” only as striped: it may not match the others as flat."
    assert told in notes("a cup and a cookie", style="flat")
    assert "match" not in notes("a pear and a cookie", style="flat")


def test_styles_are_dealt_from_those_that_suit_the_subject() -> None:
    spec = fake.spec()
    request = GenerationRequest(prompt="a fox", num_images=4, seed=0)
    asked: list[str] = []

    def suggest(subject: str) -> tuple[str, ...]:
        asked.append(subject)
        return ("striped",)

    assert make_plan(request, spec, suggest_styles=suggest).styles == ("striped",) * 4
    assert asked == ["fox"]
    chosen = GenerationRequest(prompt="a fox", num_images=2, seed=0, style="flat")
    assert make_plan(chosen, spec, suggest_styles=suggest).styles == ("flat", "flat")


def test_black_is_softer_in_a_drawing_than_behind_it() -> None:
    assert plan_for("a black fox").tint == "#1d1d21"


def test_a_style_that_nobody_would_choose_is_explained() -> None:
    spec = replace(fake.spec(), default_styles=("flat",))
    request = GenerationRequest(prompt="an anvil", seed=0)
    plan = make_plan(request, spec, suggest_styles=lambda subject: ("striped",))
    assert plan.notes == ("fake was shown this subject only as striped.",)
    usual = make_plan(request, spec, suggest_styles=lambda subject: ("striped", "flat"))
    asked = make_plan(replace(request, style="striped"), spec, suggest_styles=lambda _: ("flat",))
    assert usual.notes == asked.notes == ()


def test_an_emblem_without_a_colour_takes_the_grounds() -> None:
    plan = plan_for("app icon of a rocket", background="#1d4ed8")
    assert plan.emblem is not None
    assert (plan.emblem.colour, plan.background) == ("#1d4ed8", "transparent")
    both = plan_for("a rocket on a yellow circle", background="#1d4ed8")
    assert both.emblem is not None
    assert both.emblem.colour != "#1d4ed8"
    assert both.background == "#1d4ed8"


def test_an_opaque_picture_of_an_emblem_has_a_ground() -> None:
    badge = plan_for("lion badge", background="opaque")
    assert (badge.emblem, badge.background) == (plan_for("lion badge").emblem, "#ffffff")
    icon = plan_for("app icon of a rocket on blue", background="opaque")
    assert icon.emblem == plan_for("app icon of a rocket on blue").emblem
    assert icon.background == "#ffffff"
    circle = plan_for("a rocket on a yellow circle, black background", background="opaque")
    assert circle.background == "#000000"


def test_nobody_looks_for_a_style_where_one_is_asked_for() -> None:
    def suggest(subject: str) -> tuple[str, ...]:
        raise AssertionError(subject)

    request = GenerationRequest(prompt="an anvil", style="striped", num_images=2)
    assert make_plan(request, SPEC, suggest_styles=suggest).styles == ("striped", "striped")


def test_a_style_of_some_things_is_not_said_to_be_that_of_all() -> None:
    spec = replace(fake.spec(), default_styles=("flat",))
    shown = {"anvil": ("striped",), "fox": ("flat",), "owl": ("striped",)}

    def notes(prompt: str) -> str:
        request = GenerationRequest(prompt=prompt, seed=0)
        plan = make_plan(request, spec, suggest_styles=lambda subject: shown[subject])
        return " ".join(note for note in plan.notes if "shown" in note)

    assert notes("three anvils") == "fake was shown this subject only as striped."
    assert notes("an anvil and an owl") == "fake was shown these subjects only as striped."
    assert notes("an anvil, an owl and a fox") == (
        "fake was shown “fox” only as flat: it may not match the others as striped."
    )
