"""Samplers against denoisers whose exact answer is known in closed form.

If the clean data is Gaussian, ``clean ~ N(m, s^2)``, then ``x = (1 - sigma) clean + sigma noise``
is Gaussian at every sigma, the best denoiser is its posterior mean, and the probability-flow ODE
only rescales: ``x(sigma) = (1 - sigma) m + c(sigma) z`` with ``c^2 = (1 - sigma)^2 s^2 +
sigma^2``, so noise ``z`` must arrive at ``m + s z``.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from sfumato.diffusion import samplers, schedulers

Latents = NDArray[np.float32]
MEAN, SPREAD = 0.7, 0.4
DETERMINISTIC = {"euler": 1, "heun": 2, "dpmpp_2m": 2}  # name -> order of convergence


def gaussian(x: Latents, sigma: float) -> Latents:
    """E[clean | x] for clean ~ N(MEAN, SPREAD^2)."""
    keep = 1.0 - sigma
    gain = keep * SPREAD**2 / (keep**2 * SPREAD**2 + sigma**2)
    return np.asarray(MEAN + gain * (x - keep * MEAN))


def two_points(x: Latents, sigma: float) -> Latents:
    """E[clean | x] for clean = -1 or +1 with equal chance."""
    return np.asarray(np.tanh((1.0 - sigma) * x / sigma**2), x.dtype)


def run(
    name: str,
    denoised: Callable[[Latents, float], Latents],
    x: Latents,
    sigmas: list[float],
    seed: int = 0,
) -> Latents:
    rngs = [np.random.default_rng([seed, row]) for row in range(len(x))]
    for after in getattr(samplers, name)(denoised, x, sigmas, rngs):
        x = after
    return x


def error_after(name: str, steps: int) -> float:
    # float64 throughout, so that rounding does not hide the order
    z = np.linspace(-2.0, 2.0, 41)[None]
    sigmas = list(schedulers.uniform(steps))
    reached = run(name, gaussian, z, sigmas)
    return float(np.abs(reached - (MEAN + SPREAD * z)).max())


@pytest.mark.parametrize("name", DETERMINISTIC)
def test_noise_arrives_where_the_ode_ends(name: str) -> None:
    assert error_after(name, 150) < 0.01


@pytest.mark.parametrize(("name", "order"), DETERMINISTIC.items())
def test_the_order_of_convergence_is_the_published_one(name: str, order: int) -> None:
    coarse, fine = error_after(name, 512), error_after(name, 2048)
    measured = np.log(coarse / fine) / np.log(4)
    assert measured == pytest.approx(order, abs=0.25)


@pytest.mark.parametrize("name", ["heun", "dpmpp_2m"])
def test_second_order_beats_first_at_equal_steps(name: str) -> None:
    for steps in (8, 16, 64):
        assert error_after(name, steps) < 0.5 * error_after("euler", steps)


@pytest.mark.parametrize("name", [*DETERMINISTIC, "euler_ancestral"])
def test_a_gaussian_is_drawn_with_its_mean_and_spread(name: str) -> None:
    noise = np.random.default_rng(1).standard_normal((1, 40_000)).astype(np.float32)
    drawn = run(name, gaussian, noise, list(schedulers.uniform(100)))
    assert drawn.mean() == pytest.approx(MEAN, abs=0.01)
    assert drawn.std() == pytest.approx(SPREAD, rel=0.04)


@pytest.mark.parametrize("name", [*DETERMINISTIC, "euler_ancestral"])
def test_a_mixture_of_two_points_lands_on_both_equally(name: str) -> None:
    noise = np.random.default_rng(2).standard_normal((1, 8_000)).astype(np.float32)
    drawn = run(name, two_points, noise, list(schedulers.uniform(60)))
    assert np.abs(np.abs(drawn) - 1.0).mean() < 0.02
    assert (drawn > 0).mean() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("step", [10, 40, 80])
def test_ancestral_noise_keeps_the_marginal_at_every_level(step: int) -> None:
    """Were the fresh noise's variance wrong, x would be too loud or too quiet on the way."""
    sigmas = list(schedulers.uniform(100))
    x = np.random.default_rng(3).standard_normal((1, 60_000)).astype(np.float32)
    walk = samplers.euler_ancestral(gaussian, x, sigmas, [np.random.default_rng(4)])
    for _ in range(step):
        x = next(walk)
    sigma = sigmas[step]
    expected = np.sqrt((1 - sigma) ** 2 * SPREAD**2 + sigma**2)
    assert x.std() == pytest.approx(expected, rel=0.02)
    assert x.mean() == pytest.approx((1 - sigma) * MEAN, abs=0.02)


def test_one_ancestral_step_is_the_exact_posterior() -> None:
    """With the clean point known, a step must sample q(x_next | x, clean) of the Markov chain."""
    clean, sigma, following = 0.3, 0.8, 0.5
    x = np.full((1, 50_000), 0.9, np.float32)
    walk = samplers.euler_ancestral(
        lambda x, _: np.full_like(x, clean), x, [sigma, following], [np.random.default_rng(5)]
    )
    drawn = next(walk)
    # product of two Gaussians: N(x; a x_next, v) from the chain and N(x_next; keep clean, f^2)
    a = (1 - sigma) / (1 - following)
    v = sigma**2 - (a * following) ** 2
    variance = 1 / (1 / following**2 + a**2 / v)
    mean = variance * ((1 - following) * clean / following**2 + a * 0.9 / v)
    assert drawn.mean() == pytest.approx(mean, abs=0.005)
    assert drawn.var() == pytest.approx(variance, rel=0.03)


def test_each_picture_has_its_own_ancestral_noise() -> None:
    x = np.zeros((2, 6), np.float32)
    sigmas = [0.8, 0.5]

    def after(*seeds: int) -> Latents:
        rngs = [np.random.default_rng(seed) for seed in seeds]
        return next(samplers.euler_ancestral(gaussian, x[: len(seeds)], sigmas, rngs))

    both = after(1, 2)
    assert not np.array_equal(both[0], both[1])
    np.testing.assert_array_equal(both[0:1], after(1))
    np.testing.assert_array_equal(both[1:2], after(2))
