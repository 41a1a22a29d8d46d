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
        assert "Reinstall" in caught.value.hint


def test_missing_weights_are_a_model_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        catalogue.verified_bytes(tmp_path, "net.bin", "0" * 64)
