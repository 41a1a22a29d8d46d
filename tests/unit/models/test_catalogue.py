"""Finding, verifying and keeping models warm."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from sfumato import models
from sfumato.errors import ModelError
from sfumato.models import catalogue
from sfumato.registry import MODELS, Entry


def test_a_loaded_model_stays_warm() -> None:
    first = models.load("fake")
    assert models.load("fake") is first


def test_the_default_model_and_its_name_are_one_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "DEFAULT_MODEL", "fake")
    assert models.load() is models.load("fake")
    assert models.spec_of() == models.spec_of("fake")


def test_an_unknown_model_names_the_known_ones() -> None:
    for ask in (models.load, models.spec_of):
        with pytest.raises(ModelError, match="no model called 'fakir'") as caught:
            ask("fakir")
        assert "Did you mean 'fake'?" in caught.value.hint


def test_a_backend_that_cannot_be_imported_is_a_model_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entry = Entry(name="gone", target="sfumato.backends.no_such_engine:load")
    monkeypatch.setitem(MODELS._entries, "gone", entry)
    for ask in (models.load, models.spec_of):
        with pytest.raises(ModelError, match="cannot be imported"):
            ask("gone")


def test_the_sheet_is_read(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text(json.dumps({"name": "x"}), "utf-8")
    assert catalogue.read_sheet(tmp_path) == {"name": "x"}


@pytest.mark.parametrize("content", [None, b"", b"{", b"[1]", b"\xff\xfe"])
def test_a_missing_or_damaged_sheet_is_a_model_error(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "model.json").write_bytes(content)
    with pytest.raises(ModelError, match=r"model\.json"):
        catalogue.read_sheet(tmp_path)


def test_weights_are_given_out_only_when_their_digest_fits(tmp_path: Path) -> None:
    content = bytes(range(256))
    (tmp_path / "net.bin").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    assert catalogue.verified_bytes(tmp_path, "net.bin", digest) == content

    for damaged in (content[:-1], bytes([content[0] ^ 1]) + content[1:], b""):
        (tmp_path / "net.bin").write_bytes(damaged)
        with pytest.raises(ModelError) as caught:
            catalogue.verified_bytes(tmp_path, "net.bin", digest)
        assert digest in caught.value.message
        assert hashlib.sha256(damaged).hexdigest() in caught.value.message
        assert "export it again" in caught.value.hint  # it is nobody's but the person's own


def test_what_ships_is_mended_by_installing_it_again() -> None:
    assert "Reinstall" in catalogue.how_to_mend(catalogue.WEIGHTS / "chiaro")


def test_missing_weights_are_a_model_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        catalogue.verified_bytes(tmp_path, "net.bin", "0" * 64)


def test_a_weight_file_is_read_by_the_digest_of_its_sheet(tmp_path: Path) -> None:
    (tmp_path / "net.bin").write_bytes(b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()
    sheet = {"files": {"net.bin": {"sha256": digest, "bytes": 7}}}
    assert catalogue.weight_bytes(tmp_path, sheet, "net.bin") == b"weights"
    sheet["files"]["net.bin"]["sha256"] = "0" * 64
    with pytest.raises(ModelError, match=digest):
        catalogue.weight_bytes(tmp_path, sheet, "net.bin")


@pytest.mark.parametrize(
    "sheet",
    [{}, {"files": None}, {"files": {}}, {"files": {"net.bin": {}}}, {"files": ["net.bin"]}],
)
def test_a_weight_file_that_the_sheet_does_not_list_is_a_model_error(
    tmp_path: Path, sheet: dict
) -> None:
    (tmp_path / "net.bin").write_bytes(b"weights")
    with pytest.raises(ModelError, match=r"lists no net\.bin"):
        catalogue.weight_bytes(tmp_path, sheet, "net.bin")


# ---------------------------------------------------------------- what a model is called in recipes

SHEET = {"files": {"a.onnx": {"sha256": "1" * 64}, "b.onnx": {"sha256": "2" * 64}}}


def test_the_identity_is_that_of_all_files_in_any_order() -> None:
    turned = {"files": dict(reversed(SHEET["files"].items()))}
    assert catalogue.sheet_identity(SHEET) == catalogue.sheet_identity(turned)
    lines = f"a.onnx {'1' * 64}\nb.onnx {'2' * 64}\n"
    assert catalogue.sheet_identity(SHEET) == hashlib.sha256(lines.encode()).hexdigest()


@pytest.mark.parametrize(
    "files",
    [
        {"a.onnx": {"sha256": "1" * 64}},
        {"a.onnx": {"sha256": "2" * 64}, "b.onnx": {"sha256": "1" * 64}},
        {"a.onnx": {"sha256": "1" * 64}, "c.onnx": {"sha256": "2" * 64}},
    ],
)
def test_another_file_is_another_identity(files: dict) -> None:
    assert catalogue.sheet_identity({"files": files}) != catalogue.sheet_identity(SHEET)


# ---------------------------------------------------------------- models of the user's own


def test_an_own_model_is_found_by_name_and_described_without_its_weights(own_model: Path) -> None:
    for weights in own_model.glob("*.onnx"):
        weights.unlink()
    spec = models.spec_of("tiny")
    sheet = catalogue.read_sheet(own_model)
    assert spec.name == "tiny"
    assert spec.sha256 == catalogue.sheet_identity(sheet)
    assert spec.size_bytes == sum(entry["bytes"] for entry in sheet["files"].values())
    assert spec.styles == ("flat", "glyph")
    assert spec.default_styles == ("flat",)


def test_a_built_in_model_is_never_shadowed(own_model: Path) -> None:
    before = models.spec_of("chiaro")
    own_model.rename(own_model.with_name("chiaro"))
    assert models.spec_of("chiaro") == before
    assert before.sha256 == catalogue.sheet_identity(
        catalogue.read_sheet(catalogue.WEIGHTS / "chiaro")
    )


def test_an_own_model_with_a_damaged_sheet_is_a_model_error(own_model: Path) -> None:
    (own_model / "model.json").write_text('{"files": {}}', "utf-8")
    with pytest.raises(ModelError, match=r"model\.json of 'tiny'"):
        models.spec_of("tiny")
