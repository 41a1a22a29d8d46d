"""The error tree: stable codes, distinct exit codes, one-line messages."""

from __future__ import annotations

import inspect

import pytest

from sfumato import errors
from sfumato.errors import Cancelled, MissingExtraError, RequestError, SfumatoError

TREE = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, SfumatoError)
]


def test_tree_is_the_one_drawn_in_the_docstring() -> None:
    assert errors.__doc__ is not None
    assert len(TREE) == 7
    for kind in TREE:
        assert f" {kind.__name__}" in errors.__doc__


def test_codes_and_exit_codes_tell_every_kind_apart() -> None:
    assert len({kind.code for kind in TREE}) == len(TREE)
    assert len({kind.exit_code for kind in TREE}) == len(TREE)
    assert all(0 < kind.exit_code < 256 for kind in TREE)
    assert Cancelled.exit_code == 130  # what shells give for Ctrl-C


def test_one_line_joins_message_and_hint_without_line_breaks() -> None:
    error = RequestError("Seed is\n -1.", hint="Give  0 or more.")
    assert error.one_line() == "Seed is -1. Give 0 or more."
    assert RequestError("Only this.").one_line() == "Only this."


def test_missing_extra_names_the_exact_command() -> None:
    error = MissingExtraError("Training", "train")
    assert error.extra == "train"
    assert "pip install 'sfumato[train]'" in error.one_line()


def test_a_code_can_be_made_narrower_for_one_error() -> None:
    error = RequestError("No.", code="no_such_style")
    assert error.code == "no_such_style"
    assert RequestError.code == "bad_request"


@pytest.mark.parametrize("kind", TREE)
def test_every_error_is_caught_as_sfumato_error(kind: type[SfumatoError]) -> None:
    assert issubclass(kind, SfumatoError)
    assert kind.__doc__
