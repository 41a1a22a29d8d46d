"""Variations: an arc from one seed's noise to another's, recorded and drawn again exactly."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfumato.backends import fake
from sfumato.diffusion import initial_noise, noise_for, starting_noise
from sfumato.diffusion.noise import pulled_towards
from sfumato.errors import RequestError
from sfumato.files import save_image
from sfumato.files.metadata import a1111_parameters
from sfumato.files.recipe import read_recipe
from sfumato.generate import generate
from sfumato.plan import make_plan, vary_plan
from sfumato.request import GenerationPlan, GenerationRequest


def noise(*seeds: int) -> np.ndarray:
    return initial_noise([noise_for(seed) for seed in seeds], (768,))


def plan(**options: Any) -> GenerationPlan:
    return make_plan(GenerationRequest(prompt="a fox", seed=5, **options), fake.spec())


@given(st.floats(0, 1), st.integers(0, 999), st.integers(1000, 1999))
def test_every_point_of_the_way_is_as_long_as_noise(share: float, one: int, other: int) -> None:
    start, end = noise(one), noise(other)
    moved = pulled_towards(start, end, share)
    lengths = sorted([np.linalg.norm(start), np.linalg.norm(end)])
    assert lengths[0] * 0.97 <= np.linalg.norm(moved) <= lengths[1] * 1.03
    assert moved.dtype == np.float32


def test_the_ends_of_the_way_are_the_two_noises() -> None:
    start, end = noise(1, 2), noise(3, 4)
    np.testing.assert_allclose(pulled_towards(start, end, 0.0), start, atol=1e-6)
    np.testing.assert_allclose(pulled_towards(start, end, 1.0), end, atol=1e-6)
    np.testing.assert_allclose(pulled_towards(start, start, 0.5), start, atol=1e-6)


def test_pictures_share_the_seed_and_each_has_its_own_direction() -> None:
    varied = plan(num_images=3, variation_seed=9, variation_strength=0.3)
    assert varied.seeds == (5, 5, 5)
    assert varied.variation_seeds == (9, 10, 11)
    starts, _ = starting_noise(varied, (768,))
    base = noise(5)[0]
    near = [float(np.corrcoef(start, base)[0, 1]) for start in starts]
    assert all(0.8 < share < 0.98 for share in near), near
    assert not np.allclose(starts[0], starts[1])
    alone, _ = starting_noise(varied.for_image(1), (768,))
    np.testing.assert_array_equal(alone[0], starts[1])


def test_without_strength_a_plan_is_what_it_always_was() -> None:
    plain = plan(num_images=2)
    assert plain.variation_seeds == ()
    np.testing.assert_array_equal(starting_noise(plain, (768,))[0], noise(5, 6))


def test_a_temperature_shrinks_the_start_and_what_varies_it() -> None:
    for options in ({}, {"variation_seed": 9, "variation_strength": 0.3}):
        warm, _ = starting_noise(plan(temperature=1.0, **options), (768,))
        cool, _ = starting_noise(plan(temperature=0.25, **options), (768,))
        assert cool.dtype == np.float32
        np.testing.assert_array_equal(cool, np.float32(0.25) * warm)
    nothing, _ = starting_noise(plan(temperature=0.0), (768,))
    assert not nothing.any()


def test_a_random_direction_is_recorded() -> None:
    (seed,) = plan(variation_strength=0.2).variation_seeds
    assert 0 <= seed < 10**6


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"variation_strength": 1.5}, "1.5"),
        ({"variation_strength": float("nan")}, "nan"),
        ({"variation_strength": True}, "True"),
        ({"variation_seed": 3}, "without a strength"),
        ({"variation_seed": -1, "variation_strength": 0.5}, "-1"),
        ({"variation_seed": 2**32 - 1, "variation_strength": 0.5, "num_images": 2}, "no room"),
    ],
)
def test_bad_variations_are_refused(options: dict[str, object], words: str) -> None:
    with pytest.raises(RequestError, match=words):
        plan(**options)


def test_a_model_without_noise_refuses() -> None:
    request = GenerationRequest(prompt="a fox", variation_strength=0.5)
    with pytest.raises(RequestError, match="cannot vary"):
        make_plan(request, replace(fake.spec(), family="direct"))


def test_a_plan_is_varied_and_nothing_else_of_it_changes() -> None:
    first = plan(style=fake.spec().styles[0])
    varied = vary_plan(first, strength=0.25, num_images=4, seed=1)
    assert varied.variation_seeds == (1, 2, 3, 4)
    same = replace(
        varied, seeds=first.seeds, styles=first.styles, variation_seeds=(), variation_strength=0.0
    )
    assert same == first
    with pytest.raises(RequestError, match="strength 0"):
        vary_plan(first, strength=0.0, num_images=1)


def test_a_saved_variation_is_drawn_again_from_its_file() -> None:
    first = generate("a fox", seed=5, width=64, height=64).images[0]
    varied = vary_plan(first.plan, strength=0.5, num_images=2, seed=8)
    pictures = generate(varied).images
    assert len({image.pixel_sha256 for image in (first, *pictures)}) == 3
    path = save_image(pictures[1], Path("fox.png"))
    recipe = read_recipe(path)
    assert recipe.plan is not None
    assert recipe.plan.variation_seeds == (9,)
    assert "Variation seed: 9, Variation seed strength: 0.5" in a1111_parameters(recipe.plan)
    assert generate(recipe.plan).images[0].pixel_sha256 == pictures[1].pixel_sha256
