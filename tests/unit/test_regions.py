"""Connected regions against a flood fill that is too simple to be wrong."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from sfumato.regions import fill_holes, find_regions

MASKS = hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12))


def flood(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    labels = np.zeros(mask.shape, np.int64)
    for y, x in np.ndindex(mask.shape):
        if not mask[y, x] or labels[y, x]:
            continue
        number = labels.max() + 1
        todo = [(y, x)]
        while todo:
            b, a = todo.pop()
            inside = 0 <= b < mask.shape[0] and 0 <= a < mask.shape[1]
            if inside and mask[b, a] and not labels[b, a]:
                labels[b, a] = number
                todo += [(b + 1, a), (b - 1, a), (b, a + 1), (b, a - 1)]
    return labels


@given(MASKS)
def test_same_regions_as_a_flood_fill(mask: NDArray[np.bool_]) -> None:
    found = find_regions(mask)
    expected = flood(mask)
    assert np.array_equal(found.labels, expected)
    assert np.array_equal(found.areas[1:], np.bincount(expected.ravel())[1:])


@given(MASKS)
def test_boxes_hold_exactly_their_region(mask: NDArray[np.bool_]) -> None:
    found = find_regions(mask)
    for region in range(1, len(found.areas)):
        y, x = np.nonzero(found.labels == region)
        assert found.boxes[region].tolist() == [x.min(), y.min(), x.max() + 1, y.max() + 1]


@given(MASKS)
def test_what_the_outside_does_not_reach_is_filled(mask: NDArray[np.bool_]) -> None:
    outside = flood(~np.pad(mask, 1)) == 1  # the frame around is the first region
    assert np.array_equal(fill_holes(mask), ~outside[1:-1, 1:-1])


@given(MASKS, st.data())
def test_mask_of_chosen_regions(mask: NDArray[np.bool_], data: st.DataObject) -> None:
    found = find_regions(mask)
    chosen = np.array([False, *(data.draw(st.booleans()) for _ in found.areas[1:])])
    assert np.array_equal(found.mask_of(chosen), np.isin(found.labels, np.nonzero(chosen)[0]))


def test_a_spiral_is_one_region() -> None:
    mask = np.zeros((40, 40), np.bool_)
    y = x = 0
    dy, dx = 0, 1
    for length in [39, 39, *(n for n in range(37, 2, -2) for _ in (0, 1))]:
        for _ in range(length):
            mask[y, x] = True
            y, x = y + dy, x + dx
        dy, dx = dx, -dy
    assert len(find_regions(mask).areas) == 2
