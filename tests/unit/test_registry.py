"""Registries: lazy, ordered, helpful about typos, open to other packages."""

from __future__ import annotations

import sys
from importlib import metadata

import pytest

from sfumato.errors import ModelError, RequestError
from sfumato.registry import CHECKS, MODELS, SAMPLERS, SCHEDULERS, WRITERS, Entry, Registry


def make_registry(*names: str) -> Registry:
    registry = Registry("colour", "sfumato.test_colours")
    for name in names:
        registry.add(Entry(name=name, target="string:ascii_letters"))
    return registry


def test_names_keep_the_order_of_registration() -> None:
    assert make_registry("red", "blue", "amber").names() == ["red", "blue", "amber"]


def test_the_same_name_twice_is_a_programming_error() -> None:
    registry = make_registry("red")
    with pytest.raises(ValueError, match="registered twice"):
        registry.add(Entry(name="red", target="string:digits"))


def test_resolving_imports_only_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "this", raising=False)
    entry = Entry(name="late", target="colorsys:rgb_to_hsv")
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    registry = Registry("colour", "sfumato.test_colours")
    registry.add(entry)
    assert "late" in registry
    assert "colorsys" not in sys.modules
    assert registry.resolve("late")(0, 0, 0) == (0.0, 0.0, 0)
    assert "colorsys" in sys.modules


def test_unknown_name_suggests_the_closest_and_lists_all() -> None:
    with pytest.raises(RequestError) as caught:
        make_registry("euler", "heun").get("eular")
    assert "no colour called 'eular'" in caught.value.message
    assert caught.value.hint == "Did you mean 'euler'? Choose one of: euler, heun."


def test_unknown_name_far_from_all_only_lists() -> None:
    with pytest.raises(RequestError) as caught:
        make_registry("euler", "heun").get("zzz")
    assert caught.value.hint == "Choose one of: euler, heun."


def test_models_raise_their_own_error() -> None:
    with pytest.raises(ModelError):
        MODELS.get("no-such-model")


@pytest.mark.parametrize("target", ["no_such_module_at_all:x", "string:no_such_name", "string"])
def test_a_broken_target_is_a_model_error_that_names_it(target: str) -> None:
    with pytest.raises(ModelError, match="cannot be imported") as caught:
        Entry(name="broken", target=target).resolve()
    assert target in caught.value.message


def test_other_packages_add_entries_but_replace_none(monkeypatch: pytest.MonkeyPatch) -> None:
    group = "sfumato.test_colours"
    points = [
        metadata.EntryPoint("plum", "string:digits", group),
        metadata.EntryPoint("red", "string:punctuation", group),
    ]
    monkeypatch.setattr(metadata, "entry_points", lambda *, group: points)
    registry = make_registry("red")
    assert registry.names() == ["red", "plum"]
    assert registry.resolve("plum") == "0123456789"
    assert registry.get("red").target == "string:ascii_letters"


@pytest.mark.parametrize("registry", [MODELS, SAMPLERS, SCHEDULERS, WRITERS, CHECKS])
def test_every_built_in_entry_is_described(registry: Registry) -> None:
    assert registry.names()
    for entry in registry:
        assert entry.summary
        assert entry.name == entry.name.lower()
        assert ":" in entry.target
