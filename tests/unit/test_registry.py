"""Registries: lazy, ordered, helpful about typos, open to other packages."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

import pytest

from sfumato.errors import ModelError, RequestError, StorageError
from sfumato.registry import (
    CHECKS,
    MODELS,
    SAMPLERS,
    SCHEDULERS,
    WRITERS,
    Entry,
    Registry,
    cache_folder,
    data_folder,
    own_models_folder,
)


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


# ---------------------------------------------------------------- what lies on disk


def test_what_is_discovered_comes_last_and_is_looked_up_anew() -> None:
    found = [Entry(name="plum", target="string:digits")]
    registry = Registry("colour", "sfumato.test_colours", discover=lambda: found)
    registry.add(Entry(name="red", target="string:ascii_letters"))
    assert registry.names() == ["red", "plum"]
    assert registry.resolve("plum") == "0123456789"
    found.clear()
    assert registry.names() == ["red"]
    assert "plum" not in registry
    with pytest.raises(RequestError, match="no colour called 'plum'"):
        registry.get("plum")


def test_what_is_discovered_replaces_nothing() -> None:
    registry = Registry(
        "colour",
        "sfumato.test_colours",
        discover=lambda: [Entry(name="red", target="string:digits")],
    )
    registry.add(Entry(name="red", target="string:ascii_letters"))
    assert registry.names() == ["red"]
    assert registry.get("red").target == "string:ascii_letters"


def make_own(name: str) -> None:
    folder = own_models_folder() / name
    folder.mkdir(parents=True)
    (folder / "model.json").write_text("{}", "utf-8")


def test_own_models_lie_in_the_users_data_folder(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert own_models_folder() == home / ".local/share/sfumato/models"
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "elsewhere"))
    assert own_models_folder() == tmp_path / "elsewhere/sfumato/models"
    monkeypatch.delenv("XDG_DATA_HOME")
    assert own_models_folder() == home / ".local/share/sfumato/models"


def test_own_models_are_found_after_the_built_in_ones() -> None:
    before = MODELS.names()
    make_own("zebra")
    make_own("my-icons")
    (own_models_folder() / "unfinished").mkdir()
    assert MODELS.names() == [*before, "my-icons", "zebra"]
    assert MODELS.get("zebra").summary == "your own"
    with pytest.raises(ModelError) as caught:
        MODELS.get("zebre")
    assert "Did you mean 'zebra'?" in caught.value.hint


def test_a_folder_named_like_a_built_in_model_is_not_it() -> None:
    built_in = {entry.name: entry for entry in MODELS}
    for name in built_in:
        make_own(name)
    assert {entry.name: entry for entry in MODELS} == built_in


def test_without_a_home_there_are_no_own_models_and_no_own_folders(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def unknown() -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in ("XDG_CACHE_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", unknown)
    assert "chiaro" in MODELS.names()
    with pytest.raises(ModelError, match="no model called"):
        MODELS.get("nobody")
    with pytest.raises(StorageError, match="home folder") as caught:
        data_folder()
    assert "XDG_DATA_HOME" in caught.value.hint
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "sfumato"
