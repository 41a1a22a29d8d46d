"""The three objects: limits of a request, and a plan's way into a file and back."""

from __future__ import annotations

import dataclasses
import json
import math
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plans import plan_of
from sfumato.errors import RequestError
from sfumato.request import (
    EMBLEM_SHAPES,
    FINISHES,
    MAX_GUIDANCE,
    MAX_IMAGES,
    MAX_PROMPT_CHARACTERS,
    MAX_SEED,
    MAX_SIDE,
    MAX_STEPS,
    MAX_TEMPERATURE,
    MIN_SIDE,
    PLAN_SCHEMA,
    Emblem,
    GeneratedImage,
    GenerationPlan,
    GenerationRequest,
    Part,
    hash_pixels,
)

LIMITS = {
    "num_images": (1, MAX_IMAGES),
    "seed": (0, MAX_SEED),
    "width": (MIN_SIDE, MAX_SIDE),
    "height": (MIN_SIDE, MAX_SIDE),
    "num_inference_steps": (1, MAX_STEPS),
    "threads": (1, 256),
}

text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=40)
colours = st.from_regex(r"#[0-9a-f]{6}", fullmatch=True)


@st.composite
def parts(draw: st.DrawFn) -> tuple[Part, ...]:
    """None, or two to nine things in one to four parts."""
    counts = draw(st.lists(st.integers(1, 3), max_size=3)) or []
    if sum(counts) == 1:
        counts = [2]
    side = st.floats(0.0, 0.45)
    return tuple(
        Part(
            subject=draw(text),
            boxes=tuple(
                (draw(side), draw(side), 0.5 + draw(side), 0.5 + draw(side)) for _ in range(count)
            ),
            tint=draw(st.none() | colours),
            tint_name=draw(st.none() | text),
            stands=draw(st.booleans()),
        )
        for count in counts
    )


@st.composite
def plans(draw: st.DrawFn) -> GenerationPlan:
    """Any valid plan."""
    seeds = draw(st.lists(st.integers(0, MAX_SEED), min_size=1, max_size=4))
    return GenerationPlan(
        prompt=draw(text),
        negative_prompt=draw(text),
        subject=draw(text),
        model=draw(text),
        model_sha256=draw(text),
        seeds=tuple(seeds),
        styles=tuple(draw(text) for _ in seeds),
        width=draw(st.integers(MIN_SIDE, MAX_SIDE)),
        height=draw(st.integers(MIN_SIDE, MAX_SIDE)),
        num_inference_steps=draw(st.integers(1, MAX_STEPS)),
        guidance_scale=draw(st.floats(0, MAX_GUIDANCE)),
        temperature=draw(st.floats(0, MAX_TEMPERATURE)),
        sampler=draw(text),
        scheduler=draw(text),
        background=draw(st.one_of(st.just("transparent"), colours)),
        tint=draw(st.none() | colours),
        tint_name=draw(st.none() | text),
        emblem=draw(
            st.none() | st.builds(Emblem, shape=st.sampled_from(EMBLEM_SHAPES), colour=colours)
        ),
        parts=draw(parts()),
        finish=draw(st.sampled_from(FINISHES)),
        notes=tuple(draw(st.lists(text, max_size=3))),
        fingerprint=draw(st.dictionaries(text, text, max_size=3)),
    )


make_plan = partial(
    plan_of, prompt="a red fox", seeds=(7, 8), styles=("flat", "striped"), width=64, height=64
)


# ---------------------------------------------------------------- requests


@pytest.mark.parametrize("field", LIMITS)
def test_the_ends_of_every_range_are_allowed(field: str) -> None:
    for value in LIMITS[field]:
        assert getattr(GenerationRequest(prompt="fox", **{field: value}), field) == value


@given(st.sampled_from(sorted(LIMITS)), st.integers(-(2**80), 2**80))
def test_whole_numbers_are_refused_exactly_outside_their_range(field: str, value: int) -> None:
    low, high = LIMITS[field]
    if low <= value <= high:
        GenerationRequest(prompt="fox", **{field: value})
        return
    with pytest.raises(RequestError) as caught:
        GenerationRequest(prompt="fox", **{field: value})
    assert f"{low} to {high}" in caught.value.hint


@pytest.mark.parametrize("field", LIMITS)
@pytest.mark.parametrize("value", [True, False, 1.0, 16.5, "16", [16], math.nan])
def test_only_true_whole_numbers_count(field: str, value: object) -> None:
    with pytest.raises(RequestError, match="whole number"):
        GenerationRequest(prompt="fox", **{field: value})


def test_a_number_too_long_to_print_is_refused_not_crashed_on() -> None:
    for options in ({"seed": 10**6000}, {"guidance_scale": 10**6000}):
        with pytest.raises(RequestError, match="bits"):
            GenerationRequest(prompt="fox", **options)


@given(st.floats() | st.integers(-100, 100))
def test_guidance_is_finite_and_within_its_range(scale: float) -> None:
    if math.isfinite(scale) and 0 <= scale <= MAX_GUIDANCE:
        assert GenerationRequest(prompt="fox", guidance_scale=scale).guidance_scale == scale
        return
    with pytest.raises(RequestError, match="guidance"):
        GenerationRequest(prompt="fox", guidance_scale=scale)


@pytest.mark.parametrize("value", [0, 0.5, MAX_TEMPERATURE])
def test_temperatures_within_the_range_are_kept(value: float) -> None:
    assert GenerationRequest(prompt="fox", temperature=value).temperature == value


@pytest.mark.parametrize("value", [-0.01, 2.01, math.nan, math.inf, "1", True])
def test_other_temperatures_are_refused(value: Any) -> None:
    with pytest.raises(RequestError, match="temperature") as caught:
        GenerationRequest(prompt="fox", temperature=value)
    if isinstance(value, float):
        assert "0 to 2" in caught.value.hint


@pytest.mark.parametrize("scale", [math.nan, math.inf, -math.inf, True, "7", -0.001, 30.001])
def test_guidance_refuses(scale: Any) -> None:
    with pytest.raises(RequestError, match="guidance"):
        GenerationRequest(prompt="fox", guidance_scale=scale)


@pytest.mark.parametrize("prompt", ["", " ", "\n\t \u3000"])
def test_an_empty_prompt_says_what_to_do(prompt: str) -> None:
    with pytest.raises(RequestError, match="empty") as caught:
        GenerationRequest(prompt=prompt)
    assert "red fox" in caught.value.hint


def test_a_prompt_may_be_as_long_as_the_limit_and_no_longer() -> None:
    assert GenerationRequest(prompt="x" * MAX_PROMPT_CHARACTERS)
    with pytest.raises(RequestError, match="10,001 characters"):
        GenerationRequest(prompt="x" * (MAX_PROMPT_CHARACTERS + 1))


@pytest.mark.parametrize("field", ["prompt", "negative_prompt", "style", "background", "model"])
@pytest.mark.parametrize("bad", ["a\x00b", "half \ud83e", "\udd8a half"])
def test_unusable_text_is_refused_wherever_it_stands(field: str, bad: str) -> None:
    with pytest.raises(RequestError, match=r"NUL|Unicode"):
        GenerationRequest(**{"prompt": "fox", field: bad})


@pytest.mark.parametrize("field", ["prompt", "negative_prompt", "style", "sampler", "device"])
@pytest.mark.parametrize("bad", [7, b"fox", ["fox"]])
def test_text_must_be_text(field: str, bad: object) -> None:
    with pytest.raises(RequestError, match="must be text"):
        GenerationRequest(**{"prompt": "fox", field: bad})


@given(text.filter(str.strip))
def test_any_valid_unicode_is_kept_as_it_is(prompt: str) -> None:
    assert GenerationRequest(prompt=prompt).prompt == prompt


def test_requests_and_plans_do_not_change_in_place() -> None:
    for thing in (GenerationRequest(prompt="fox"), make_plan()):
        with pytest.raises(dataclasses.FrozenInstanceError):
            thing.prompt = "owl"


# ---------------------------------------------------------------- plans


@given(plans())
def test_a_plan_survives_json(plan: GenerationPlan) -> None:
    assert GenerationPlan.from_json(plan.to_json()) == plan


@given(plans())
def test_a_plan_is_plain_json(plan: GenerationPlan) -> None:
    values = json.loads(plan.to_json())
    assert list(values) == [field.name for field in dataclasses.fields(GenerationPlan)]
    assert values["schema"] == PLAN_SCHEMA


@given(plans())
def test_a_picture_alone_keeps_everything_but_its_neighbours(plan: GenerationPlan) -> None:
    for index in range(plan.num_images):
        alone = plan.for_image(index)
        assert alone.num_images == 1
        assert alone.seeds == plan.seeds[index : index + 1]
        assert alone.styles == plan.styles[index : index + 1]
        assert dataclasses.replace(alone, seeds=plan.seeds, styles=plan.styles) == plan


def changed_json(**changes: Any) -> str:
    return json.dumps({**json.loads(make_plan().to_json()), **changes})


def test_a_recipe_from_before_temperatures_started_from_all_of_the_noise() -> None:
    values = json.loads(dataclasses.replace(make_plan(), temperature=0.5).to_json())
    del values["temperature"]
    read = GenerationPlan.from_json(json.dumps({**values, "schema": 2}))
    assert (read.temperature, read.schema) == (1.0, PLAN_SCHEMA)


@pytest.mark.parametrize("schema", [0, PLAN_SCHEMA + 1, "1", None, True, [1]])
def test_another_schema_is_refused(schema: object) -> None:
    with pytest.raises(RequestError, match="schema"):
        GenerationPlan.from_json(changed_json(schema=schema))


def test_a_recipe_from_before_parts_is_read() -> None:
    values = json.loads(make_plan().to_json())
    del values["parts"]
    assert GenerationPlan.from_json(json.dumps({**values, "schema": 1})) == make_plan()


BOX = [0.1, 0.1, 0.4, 0.9]
PART = {"subject": "fox", "boxes": [BOX, BOX], "tint": None, "tint_name": None}


def test_each_part_is_a_drawing_of_its_own() -> None:
    plan = GenerationPlan.from_json(
        changed_json(
            seeds=[MAX_SEED],
            styles=["flat"],
            parts=[{**PART, "subject": "owl", "tint": "#ff0000", "tint_name": "red"}, PART],
        )
    )
    owl, fox = plan.drawings
    assert (owl.subject, owl.tint, owl.tint_name) == ("owl", "#ff0000", "red")
    assert (fox.subject, fox.tint, fox.parts) == ("fox", None, ())
    assert not any(part.stands for part in plan.parts)  # recipes of before say nothing of it
    assert owl.seeds == plan.seeds
    assert fox.seeds != plan.seeds
    assert 0 <= fox.seeds[0] <= MAX_SEED
    assert plan.num_things == 4
    assert plan.for_image(0).drawings == plan.drawings
    assert make_plan().drawings == (make_plan(),)


@pytest.mark.parametrize(
    "given",
    [
        {"a": 1},
        "ab",
        [[]],
        [{"subject": "fox"}],
        [{**PART, "boxes": []}],
        [{**PART, "boxes": [BOX]}],  # one thing is no layout
        [PART] * 5,
        [{**PART, "boxes": [BOX] * 10}],
        [{**PART, "subject": 7}],
        [{**PART, "tint": "red"}],
        [{**PART, "tint_name": 1}],
        [{**PART, "weight": 1}],
        [{**PART, "stands": 1}],
        [{**PART, "stands": None}],
        [{**PART, "boxes": [BOX, BOX[:3]]}],
        [{**PART, "boxes": [BOX, [0.1, 0.1, 0.1, 0.9]]}],
        [{**PART, "boxes": [BOX, [0.1, 0.1, math.nan, 0.9]]}],
        [{**PART, "boxes": [BOX, [0.1, -0.1, 0.5, 0.9]]}],
        [{**PART, "boxes": [BOX, [0.1, 0.1, 0.5, 1.1]]}],
        [{**PART, "boxes": [BOX, ["a", 0.1, 0.5, 0.9]]}],
        [{**PART, "boxes": [BOX, [0.1, 0.1, 0.5, 10**400]]}],
        [{**PART, "boxes": [BOX, 7]}],
    ],
)
def test_damaged_parts_are_refused(given: object) -> None:
    with pytest.raises(RequestError):
        GenerationPlan.from_json(changed_json(parts=given))


def test_an_unknown_key_is_refused_by_name() -> None:
    with pytest.raises(RequestError, match="'lora'") as caught:
        GenerationPlan.from_json(changed_json(lora="x"))
    assert "__init__" not in caught.value.message


def test_a_missing_key_is_refused_by_name() -> None:
    values = json.loads(make_plan().to_json())
    del values["seeds"]
    with pytest.raises(RequestError, match="seeds"):
        GenerationPlan.from_json(json.dumps(values))


@pytest.mark.parametrize(
    "broken",
    ["", "{", "[]", "null", "7", "[" * 100_000, '{"schema":' + "9" * 6000 + "}", "\x00"],
)
def test_what_is_not_a_plan_is_a_request_error(broken: str) -> None:
    with pytest.raises(RequestError):
        GenerationPlan.from_json(broken)


@pytest.mark.parametrize(
    "change",
    [
        {"seeds": [-1, 2]},
        {"seeds": "ab"},
        {"seeds": [1.5, 2]},
        {"seeds": [1]},
        {"seeds": [], "styles": []},
        {"styles": "ab"},
        {"styles": [1, 2]},
        {"seeds": [1] * 65, "styles": ["flat"] * 65},
        {"width": 1_000_000},
        {"height": 0},
        {"num_inference_steps": 10**9},
        {"guidance_scale": "7"},
        {"guidance_scale": math.nan},
        {"temperature": -0.1},
        {"temperature": "hot"},
        {"prompt": None},
        {"subject": ["fox"]},
        {"background": 'url("x")'},
        {"background": "#12345"},
        {"background": "#1d4ed8\n"},
        {"tint": "red"},
        {"emblem": {"shape": "circle"}},
        {"emblem": {"shape": "circle", "colour": '"/><script>'}},
        {"emblem": {"shape": "cloud", "colour": "#1d4ed8"}},
        {"emblem": "circle"},
        {"finish": "varnish"},
        {"notes": [1]},
        {"notes": "ab"},
        {"fingerprint": ["numpy"]},
        {"fingerprint": {"numpy": 2}},
    ],
    ids=str,
)
def test_a_damaged_or_hostile_plan_is_refused(change: dict[str, Any]) -> None:
    assert GenerationPlan.from_json(changed_json()) == make_plan()
    with pytest.raises(RequestError):
        GenerationPlan.from_json(changed_json(**change))


# ---------------------------------------------------------------- pictures


def test_the_pixel_hash_knows_shape_and_content() -> None:
    pixels = np.zeros((2, 3, 4), np.uint8)
    other = pixels.copy()
    other[1, 2, 3] = 1
    assert hash_pixels(pixels) == hash_pixels(pixels.copy())
    assert hash_pixels(pixels) != hash_pixels(other)
    assert hash_pixels(pixels) != hash_pixels(pixels.reshape(3, 2, 4))


def test_a_picture_reports_its_seed_and_hash() -> None:
    pixels = np.full((4, 4, 4), 9, np.uint8)
    image = GeneratedImage(pixels=pixels, plan=make_plan().for_image(1), index=1)
    assert image.seed == 8
    assert image.pixel_sha256 == hash_pixels(pixels)
    assert image == image
    assert image != GeneratedImage(pixels=pixels, plan=image.plan, index=1)
