"""What every registered sampler and scheduler promises."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from sfumato.registry import SAMPLERS, SCHEDULERS
from sfumato.request import MAX_STEPS

SHAPE = (2, 3, 5)
CLEAN = np.linspace(-1, 1, 30, dtype=np.float32).reshape(SHAPE)


def start() -> NDArray[np.float32]:
    return np.random.default_rng(0).standard_normal(SHAPE).astype(np.float32)


def walk(sampler: str, scheduler: str, steps: int) -> list[NDArray[np.float32]]:
    rngs = [np.random.default_rng(seed) for seed in range(len(CLEAN))]
    sigmas = [float(sigma) for sigma in SCHEDULERS.resolve(scheduler)(steps)]
    return list(SAMPLERS.resolve(sampler)(lambda x, sigma: CLEAN, start(), sigmas, rngs))


@pytest.mark.parametrize("scheduler", SCHEDULERS.names())
@pytest.mark.parametrize("sampler", SAMPLERS.names())
class TestEverySampler:
    def test_ends_exactly_at_a_constant_clean_point(self, sampler: str, scheduler: str) -> None:
        for steps in (1, 2, 3, 20):
            np.testing.assert_array_equal(walk(sampler, scheduler, steps)[-1], CLEAN)

    def test_gives_the_latents_after_each_step(self, sampler: str, scheduler: str) -> None:
        for steps in (1, 2, 7):
            assert len(walk(sampler, scheduler, steps)) == steps

    def test_keeps_shape_and_float32(self, sampler: str, scheduler: str) -> None:
        for latents in walk(sampler, scheduler, 6):
            assert latents.shape == SHAPE
            assert latents.dtype == np.float32
            assert np.isfinite(latents).all()

    def test_is_deterministic_and_leaves_its_input_alone(
        self, sampler: str, scheduler: str
    ) -> None:
        x = start()
        rule = SAMPLERS.resolve(sampler)
        sigmas = [float(sigma) for sigma in SCHEDULERS.resolve(scheduler)(5)]
        runs = [
            list(rule(lambda x, s: 0.9 * x, x, sigmas, [np.random.default_rng(i) for i in (1, 2)]))
            for _ in range(2)
        ]
        np.testing.assert_array_equal(runs[0], runs[1])
        np.testing.assert_array_equal(x, start())

    def test_a_row_does_not_depend_on_its_batch(self, sampler: str, scheduler: str) -> None:
        rule = SAMPLERS.resolve(sampler)
        sigmas = [float(sigma) for sigma in SCHEDULERS.resolve(scheduler)(5)]

        def last(rows: slice, seeds: list[int]) -> NDArray[np.float32]:
            rngs = [np.random.default_rng(seed) for seed in seeds]
            *_, end = rule(lambda x, s: np.tanh(x), start()[rows], sigmas, rngs)
            return np.asarray(end)

        both = last(slice(0, 2), [1, 2])
        np.testing.assert_array_equal(both[:1], last(slice(0, 1), [1]))
        np.testing.assert_array_equal(both[1:], last(slice(1, 2), [2]))


@pytest.mark.parametrize("name", SCHEDULERS.names())
def test_every_scheduler_falls_strictly_from_one_to_zero(name: str) -> None:
    make = SCHEDULERS.resolve(name)
    for steps in range(1, MAX_STEPS + 1):
        sigmas = make(steps)
        assert sigmas.shape == (steps + 1,)
        assert sigmas.dtype == np.float64
        assert sigmas[0] == 1.0
        assert sigmas[-1] == 0.0
        assert (np.diff(sigmas) < 0).all()


def test_no_two_schedulers_are_the_same() -> None:
    spacings = {tuple(SCHEDULERS.resolve(name)(9)) for name in SCHEDULERS.names()}
    assert len(spacings) == len(SCHEDULERS.names())
