"""JSON is looked at before it is parsed: how deep it nests, and whether it is JSON at all."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfumato.server.bodies import json_depth, parse_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=20,
)


def depth(value: Any) -> int:
    """How deep a value nests, by looking at the value."""
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    return 1 + max(map(depth, value), default=0) if isinstance(value, list) else 0


@given(VALUES, st.booleans())
def test_the_depth_of_a_text_is_that_of_its_value(value: Any, ascii_: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_).encode("utf-8", "replace")
    assert json_depth(text) == depth(value)


@given(st.binary(max_size=200))
def test_any_bytes_have_a_depth(data: bytes) -> None:
    assert 0 <= json_depth(data) <= len(data)


def test_a_string_that_never_ends_is_looked_at_once() -> None:
    # looking again from each of its quotes would take hours
    assert json_depth(b'["' + b'\\"' * 500_000) == 1
    assert json_depth(b'["' + b"\\" * 1_000_000) == 1


@given(VALUES)
def test_what_is_json_is_parsed(value: Any) -> None:
    assert parse_json(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    "body", [b"NaN", b"[Infinity]", b"-Infinity", b"{", b"\xff", b"9" * 5000, b""]
)
def test_what_is_not_is_refused_in_the_frameworks_own_way(body: bytes) -> None:
    with pytest.raises(json.JSONDecodeError):
        parse_json(body)
