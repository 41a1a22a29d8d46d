"""A plan becomes a request that gives the same plan: what retried, varied and resized jobs are."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfumato.errors import RequestError
from sfumato.models import spec_of
from sfumato.plan import make_plan, request_of, vary_plan
from sfumato.request import GenerationPlan, GenerationRequest

SUBJECTS = st.sampled_from(
    ["fox", "red fox", "blue owl with a hat", "orange", "three stars", "cat left of a red fox"]
)
SCENES = st.sampled_from(
    [
        "a {}", "app icon of a {}", "app icon of a {} on blue", "{} on a navy background",
        "shield emblem of a {} on red", "a {} on a blue circle", "{}, black background",
        "line art {}", "a {} in green on white", "glyph {} on a gold hexagon",
    ]
)  # fmt: skip
GROUNDS = st.sampled_from([None, "transparent", "opaque", "red", "black", "#123456"])


def told(plan: GenerationPlan) -> GenerationPlan:
    """A plan without what is said about it."""
    return replace(plan, notes=(), fingerprint={}, model_sha256="")


@given(
    scene=SCENES,
    subject=SUBJECTS,
    background=GROUNDS,
    model=st.sampled_from(["chiaro", "fake"]),
    seed=st.integers(0, 2**32 - 10),
    num_images=st.integers(1, 4),
    strength=st.sampled_from([0.0, 0.25, 1.0]),
    width=st.integers(16, 4096),
    steps=st.none() | st.integers(1, 150),
    guidance=st.none() | st.floats(0, 30),
    negative=st.sampled_from(["", "blue"]),
)
def test_the_request_of_a_plan_gives_the_plan(
    scene: str,
    subject: str,
    background: str | None,
    model: str,
    seed: int,
    num_images: int,
    strength: float,
    width: int,
    steps: int | None,
    guidance: float | None,
    negative: str,
) -> None:
    spec = spec_of(model)
    asked = GenerationRequest(
        prompt=scene.format(subject), negative_prompt=negative, model=model, seed=seed,
        num_images=num_images, width=width, num_inference_steps=steps, guidance_scale=guidance,
        background=background, variation_strength=strength, style=spec.styles[-1],
    )  # fmt: skip
    plan = make_plan(asked, spec)
    assert told(make_plan(request_of(plan, spec), spec)) == told(plan)
    alone = plan.for_image(num_images - 1)
    assert told(make_plan(request_of(alone, spec), spec)) == told(alone)


def test_a_variation_of_a_picture_is_a_request_too() -> None:
    spec = spec_of("fake")
    asked = GenerationRequest(prompt="a fox", model="fake", num_images=3, seed=7)
    plan = make_plan(asked, spec).for_image(1)
    varied = vary_plan(plan, strength=0.25, num_images=4, seed=9)
    assert told(make_plan(request_of(varied, spec), spec)) == told(varied)


@pytest.mark.parametrize(
    "change",
    [
        {"subject": "a cat"},
        {"tint": "#123456"},
        {"styles": ("flat", "striped")},
        {"seeds": (1, 5)},
        {"background": "#123456", "tint": "#00ff00"},
    ],
)
def test_a_plan_that_no_request_gives_is_refused(change: dict[str, object]) -> None:
    spec = spec_of("fake")
    asked = GenerationRequest(prompt="a fox", model="fake", num_images=2, seed=1, style="flat")
    plan = replace(make_plan(asked, spec), **change)
    with pytest.raises(RequestError, match="No request gives this recipe") as caught:
        request_of(plan, spec)
    assert caught.value.code == "recipe_unreachable"
