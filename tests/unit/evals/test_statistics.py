from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from measures.statistics import estimate_kid, estimate_mean, frechet_distance, kid
from numpy.typing import NDArray


def unit_vectors(count: int, shift: float, seed: int) -> NDArray[np.float32]:
    values = np.random.default_rng(seed).normal(size=(count, 16))
    values[:, 0] += shift
    return (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)


def test_kid_of_one_distribution_is_about_zero() -> None:
    values = [
        kid(unit_vectors(150, 0.0, 2 * s), unit_vectors(150, 0.0, 2 * s + 1)) for s in range(9)
    ]
    shifted = kid(unit_vectors(150, 0.0, 0), unit_vectors(150, 3.0, 1))
    assert abs(np.mean(values)) < 0.01 < shifted
    assert min(values) < 0  # unbiased: chance pulls it below zero as often as above


def test_kid_grows_with_the_shift() -> None:
    base = unit_vectors(200, 0.0, 0)
    near, far = (kid(base, unit_vectors(200, shift, 1)) for shift in (1.0, 3.0))
    assert near < far


def test_kid_by_hand() -> None:
    x = np.array([[1.0, 0.0], [0.0, 1.0]], np.float32)
    y = np.array([[1.0, 0.0], [1.0, 0.0]], np.float32)
    # within x: (0 + 1)^3 = 1; within y: (1 + 1)^3 = 8; across: mean of 8, 8, 1, 1
    assert kid(x, y) == pytest.approx(1 + 8 - 2 * 4.5)


def test_kid_needs_two_pictures() -> None:
    with pytest.raises(ValueError, match="two pictures"):
        kid(unit_vectors(1, 0, 0), unit_vectors(5, 0, 0))


def test_kid_interval_holds_the_value() -> None:
    estimate = estimate_kid(unit_vectors(80, 0, 0), unit_vectors(80, 2.0, 1), draws=60)
    assert estimate.low < estimate.value < estimate.high
    assert estimate.low > 0


def test_frechet_of_normal_distributions_by_hand() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20_000, 3)).astype(np.float32)
    y = (rng.normal(size=(20_000, 3)) * 2 + [1, 0, 0]).astype(np.float32)
    # |mu|^2 + tr(1 + 4 - 2 * sqrt(4)) a dimension = 1 + 3 * 1
    assert frechet_distance(x, y) == pytest.approx(4.0, rel=0.05)
    assert frechet_distance(x, x) == pytest.approx(0.0, abs=1e-6)


def test_frechet_survives_fewer_pictures_than_dimensions() -> None:
    assert frechet_distance(unit_vectors(8, 0, 0), unit_vectors(8, 3, 1)) > 0


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_the_interval_lies_around_the_mean(values: list[float]) -> None:
    estimate = estimate_mean(values, draws=100)
    assert estimate.count == len(values)
    assert estimate.value == pytest.approx(np.mean(values))
    assert min(values) - 1e-9 <= estimate.low <= estimate.high <= max(values) + 1e-9


def test_drawings_of_one_prompt_count_as_one() -> None:
    values = np.repeat([1.0, 0.0, 1.0, 0.0, 1.0, 0.0], 50)
    alone = estimate_mean(values)
    together = estimate_mean(values, np.repeat(np.arange(6), 50))
    assert together.value == alone.value
    assert together.high - together.low > 4 * (alone.high - alone.low)


def test_the_mean_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing"):
        estimate_mean([])
