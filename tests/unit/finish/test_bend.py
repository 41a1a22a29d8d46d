"""Variations in other proportions: one smooth map for all outlines of a drawing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plans import plan_of
from sfumato.finish.bend import Bend, bend_of
from sfumato.finish.curves import Outline
from sfumato.finish.trace import Shape
from sfumato.request import MAX_SEED, GenerationPlan

BOX = (40.0, 30.0, 216.0, 240.0)


def varied(seed: int, strength: float) -> GenerationPlan:
    return plan_of(variation_seeds=(seed,), variation_strength=strength)


def bend(seed: int = 3, strength: float = 0.6) -> Bend:
    found = bend_of(varied(seed, strength), BOX)
    assert found is not None
    return found


def grid(step: float = 4.0) -> np.ndarray:
    across, down = np.meshgrid(np.arange(40.0, 217.0, step), np.arange(30.0, 241.0, step))
    return np.stack([across, down], axis=-1)


def test_only_variations_are_bent() -> None:
    assert bend_of(plan_of(), BOX) is None
    assert bend_of(varied(3, 0.0), BOX) is None


def test_the_variations_seed_decides_and_nothing_else() -> None:
    assert bend(3) == bend(3)
    assert bend(3) != bend(4)
    other = bend_of(plan_of(seeds=(99,), variation_seeds=(3,), variation_strength=0.6), BOX)
    assert other == bend(3)


@given(seed=st.integers(0, MAX_SEED), strength=st.floats(0.01, 1.0))
def test_nothing_folds_and_mirror_images_stay_so(seed: int, strength: float) -> None:
    places = grid()
    moved = bend(seed, strength).points(places)
    assert (np.diff(moved[..., 0], axis=1) > 0).all()
    assert (np.diff(moved[..., 1], axis=0) > 0).all()
    middle = (BOX[0] + BOX[2]) / 2
    mirrored = places.copy()
    mirrored[..., 0] = 2 * middle - places[..., 0]
    back = bend(seed, strength).points(mirrored)
    np.testing.assert_allclose(back[..., 0], 2 * middle - moved[..., 0], atol=1e-9)
    np.testing.assert_allclose(back[..., 1], moved[..., 1], atol=1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_subtle_is_seen_and_strong_goes_further(seed: int) -> None:
    places = grid()
    subtle, strong = (
        np.abs(bend(seed, strength).points(places) - places).max() for strength in (0.25, 0.6)
    )
    assert 2.0 < subtle < 25.0  # units of 256: some percent of the drawing
    assert 2.0 * subtle < strong < 60.0


def test_top_and_bottom_stay_where_they_are() -> None:
    ends = np.array([[60.0, 30.0], [200.0, 240.0]])
    np.testing.assert_allclose(bend().points(ends)[:, 1], ends[:, 1], atol=1e-9)
    beyond = np.array([[60.0, -5.0], [60.0, 30.0]])  # a handle may leave the box
    moved = bend().points(beyond)
    assert moved[0, 0] == pytest.approx(moved[1, 0])
    assert moved[0, 1] == pytest.approx(-5.0)


def test_all_shapes_go_through_the_same_map() -> None:
    start = np.array([60.0, 50.0])
    line = np.array([[60.0, 200.0]])  # a long straight side
    curve = np.array([[80.0, 220.0], [160.0, 220.0], [180.0, 60.0]])
    outline = Outline(start, (line, curve))
    shapes = [Shape((1, 2, 3), (outline, outline)), Shape((4, 5, 6), (outline,))]
    bent = bend().shapes(shapes)
    assert [shape.colour for shape in bent] == [(1, 2, 3), (4, 5, 6)]
    assert [len(shape.outlines) for shape in bent] == [2, 1]
    along = np.linspace(0.0, 1.0, 4001)[:, None]
    side = start + along * (line[0] - start)
    way = sum(
        factor * (1 - along) ** (3 - k) * along**k * place
        for k, (factor, place) in enumerate(zip((1, 3, 3, 1), [line[0], *curve], strict=True))
    )
    meant = bend().points(np.vstack([side, way]))
    for shape in bent:
        for found in shape.outlines:
            drawn = found.sampled()
            apart = np.sqrt(((drawn[:, None] - meant[None]) ** 2).sum(axis=2)).min(axis=1)
            assert apart.max() < 0.3  # units of 256
            assert {len(piece) for piece in found.pieces} == {1, 3}
            assert np.linalg.norm(found.pieces[-1][-1] - bend().points(curve[-1])) < 1e-9
