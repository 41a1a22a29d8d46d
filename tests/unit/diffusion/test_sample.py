"""Noise, guidance, and the loop that runs a sampler over a scheduler."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfumato.diffusion import guided, initial_noise, noise_for, sample
from sfumato.errors import RequestError
from sfumato.request import MAX_SEED


def test_noise_is_standard_normal_float32_of_the_asked_shape() -> None:
    noise = initial_noise([noise_for(1), noise_for(2)], (4, 64, 64))
    assert noise.shape == (2, 4, 64, 64)
    assert noise.dtype == np.float32
    assert noise.mean() == pytest.approx(0.0, abs=0.02)
    assert noise.std() == pytest.approx(1.0, abs=0.02)


@given(st.lists(st.integers(0, MAX_SEED), min_size=1, max_size=4, unique=True))
def test_a_pictures_noise_depends_on_its_own_seed_alone(seeds: list[int]) -> None:
    together = initial_noise([noise_for(seed) for seed in seeds], (3, 5))
    for row, seed in enumerate(seeds):
        np.testing.assert_array_equal(
            together[row : row + 1], initial_noise([noise_for(seed)], (3, 5))
        )
    assert len({row.tobytes() for row in together}) == len(seeds)


def test_the_noise_of_a_seed_is_the_same_for_ever() -> None:
    """Recorded numbers: a change here would break every recipe ever written."""
    np.testing.assert_allclose(
        initial_noise([noise_for(7)], (4,))[0], RECORDED_NOISE_OF_SEED_7, rtol=1e-6
    )


RECORDED_NOISE_OF_SEED_7 = [-0.293339, 1.7038306, 1.5391918, 0.63675386]


def test_guidance_one_is_off_and_zero_is_unconditional() -> None:
    cond = np.array([[1.0, 2.0]], np.float32)
    uncond = np.array([[0.5, 4.0]], np.float32)
    np.testing.assert_array_equal(guided(cond, uncond, 1.0), cond)
    np.testing.assert_array_equal(guided(cond, uncond, 0.0), uncond)
    np.testing.assert_allclose(guided(cond, uncond, 3.0), [[2.0, -2.0]])
    assert guided(cond, uncond, 3.0).dtype == np.float32


def test_sample_reports_each_step_once_and_in_order() -> None:
    seen: list[tuple[int, int]] = []
    sample(
        lambda x, sigma: 0 * x,
        np.ones((1, 3), np.float32),
        sampler="euler",
        scheduler="uniform",
        num_inference_steps=5,
        rngs=[noise_for(0)],
        on_step=lambda step, total, clean: seen.append((step, total)),
    )
    assert seen == [(step, 5) for step in range(1, 6)]


def test_every_step_tells_what_the_model_takes_the_picture_to_be() -> None:
    told: list[float] = []
    sample(
        lambda x, sigma: np.full_like(x, sigma),
        np.ones((1, 3), np.float32),
        sampler="euler",
        scheduler="uniform",
        num_inference_steps=4,
        rngs=[noise_for(0)],
        on_step=lambda step, total, clean: told.append(float(clean.mean())),
    )
    assert told == pytest.approx([1.0, 0.75, 0.5, 0.25])


def test_sample_stops_where_on_step_raises() -> None:
    calls: list[float] = []

    def denoised(x: np.ndarray, sigma: float) -> np.ndarray:
        calls.append(sigma)
        return x

    def stop(step: int, total: int, clean: np.ndarray) -> None:
        if step == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sample(
            denoised,
            np.ones((1, 3), np.float32),
            sampler="euler",
            scheduler="uniform",
            num_inference_steps=50,
            rngs=[noise_for(0)],
            on_step=stop,
        )
    assert calls == [1.0, pytest.approx(0.98)]


@pytest.mark.parametrize("names", [("eulr", "uniform"), ("euler", "unifrm")])
def test_sample_refuses_unknown_names(names: tuple[str, str]) -> None:
    with pytest.raises(RequestError, match="There is no"):
        sample(
            lambda x, sigma: x,
            np.ones((1, 3), np.float32),
            sampler=names[0],
            scheduler=names[1],
            num_inference_steps=2,
            rngs=[noise_for(0)],
            on_step=lambda step, total, clean: None,
        )
