"""The reference is made from the code, and is fresh."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

import sfumato
from sfumato import registry
from sfumato.cli.main import COMMANDS

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def make_reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_reference", DOCS / "make_reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_is_fresh(make_reference: ModuleType) -> None:
    for name, text in make_reference.make_pages().items():
        assert (DOCS / "reference" / name).read_text("utf-8") == text, "run: make docs"


def test_a_stale_page_is_found(
    make_reference: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(make_reference, "FOLDER", tmp_path / "reference")
    monkeypatch.setattr("sys.argv", ["make_reference.py", "--check"])
    assert make_reference.main() == 1  # nothing was written yet
    monkeypatch.setattr("sys.argv", ["make_reference.py"])
    assert make_reference.main() == 0
    monkeypatch.setattr("sys.argv", ["make_reference.py", "--check"])
    assert make_reference.main() == 0
    page = tmp_path / "reference" / "commands.md"
    page.write_text(page.read_text("utf-8").replace("--seed", "--sead"), "utf-8")
    assert make_reference.main() == 1


def test_every_name_has_its_place(make_reference: ModuleType) -> None:
    pages = make_reference.make_pages()
    for command in COMMANDS:
        assert f"## `sfumato {command}`" in pages["commands.md"]
    for kind in (registry.MODELS, registry.SAMPLERS, registry.SCHEDULERS, registry.WRITERS):
        for entry in kind:
            assert f"`{entry.name}`" in pages["choices.md"]
    both = pages["python.md"] + pages["errors.md"]
    for name in sfumato.__all__:
        assert name == "__version__" or f"`{name}`" in both or f"`sfumato.{name}`" in both
