"""Outlines of soft masks: closed, between the pixels, turning the right way."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from sfumato.finish.contours import find_contours
from sfumato.regions import find_regions

MASKS = hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, max_side=10))


def area(loop: NDArray[np.float64]) -> float:
    ahead = np.roll(loop, -1, axis=0)
    return float((loop[:, 0] * ahead[:, 1] - loop[:, 1] * ahead[:, 0]).sum() / 2)


def test_a_disc_is_measured_between_the_pixels() -> None:
    y, x = np.mgrid[:40, :40] + 0.5
    field = (9.3 - np.hypot(x - 20.0, y - 21.0)).astype(np.float32)
    (loop,) = find_contours(field)
    radius = np.hypot(*(loop - (20.0, 21.0)).T)
    assert radius == pytest.approx(9.3, abs=0.03)


def test_outer_and_inner_outlines_turn_opposite_ways() -> None:
    y, x = np.mgrid[:40, :40] + 0.5
    away = np.hypot(x - 20, y - 20)
    field = np.minimum(14.0 - away, away - 6.0).astype(np.float32)
    outer, inner = sorted(find_contours(field), key=lambda loop: -np.ptp(loop))
    assert area(outer) < 0 < area(inner)


@given(MASKS)
def test_one_outer_loop_for_every_region(mask: NDArray[np.bool_]) -> None:
    loops = find_contours(np.where(mask, 1.0, -1.0).astype(np.float32))
    outer = [loop for loop in loops if area(loop) < 0]
    # corners that touch are joined, so only count where 4- and 8-neighbours agree
    regions = len(find_regions(mask).areas) - 1
    touching = (mask[:-1, :-1] & mask[1:, 1:] & ~mask[1:, :-1] & ~mask[:-1, 1:]).any() or (
        mask[1:, :-1] & mask[:-1, 1:] & ~mask[:-1, :-1] & ~mask[1:, 1:]
    ).any()
    assert len(outer) == regions if not touching else len(outer) <= regions


@given(MASKS)
def test_loops_are_closed_in_small_steps(mask: NDArray[np.bool_]) -> None:
    for loop in find_contours(np.where(mask, 1.0, -1.0).astype(np.float32)):
        steps = np.hypot(*(np.roll(loop, -1, axis=0) - loop).T)
        assert steps.max() < 1.5


def test_nothing_above_zero_has_no_outline() -> None:
    assert find_contours(np.zeros((5, 5), np.float32)) == []
