"""Ids sort by time, never repeat, and can be derived."""

from __future__ import annotations

import time
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfumato.gallery import identity
from sfumato.gallery.identity import derived_id, first_id_of, is_id, new_id, time_of

SECONDS = st.floats(0, 4e9)


def test_ids_of_one_process_sort_in_the_order_they_were_made() -> None:
    made = [new_id() for _ in range(5000)]
    assert made == sorted(made)
    assert len(set(made)) == 5000
    assert all(map(is_id, made))


def test_a_clock_that_is_set_back_does_not_shuffle_them(monkeypatch: pytest.MonkeyPatch) -> None:
    before = new_id()
    monkeypatch.setattr(identity.time, "time", lambda: time.monotonic() - 86_400)
    assert new_id() > before


@given(SECONDS, SECONDS)
def test_ids_sort_as_their_moments_do(first: float, second: float) -> None:
    earlier, later = sorted((first, second))
    if int(earlier * 1000) < int(later * 1000):
        assert new_id(earlier) < first_id_of(later) <= new_id(later)
    assert time_of(new_id(first)) == datetime.fromtimestamp(int(first * 1000) / 1000, timezone.utc)


@given(st.integers(0, 255), st.integers(0, 255))
def test_a_derived_id_is_always_the_same_and_sorts_by_index(one: int, other: int) -> None:
    parent = new_id(1e9)
    assert derived_id(parent, one) == derived_id(parent, one)
    assert is_id(derived_id(parent, one))
    assert (derived_id(parent, one) < derived_id(parent, other)) is (one < other)
    assert derived_id(parent, one) != derived_id(new_id(1e9), one)
    assert time_of(derived_id(parent, one)) == time_of(parent)


@pytest.mark.parametrize("text", ["", "01", "../../etc/passwd", "0" * 25 + "u", "8" * 26, "A" * 26])
def test_nothing_else_is_an_id(text: str) -> None:
    assert not is_id(text)
