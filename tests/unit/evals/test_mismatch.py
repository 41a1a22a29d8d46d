"""Measuring how close true matches come: what is compared, what is left out, what is written."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import mismatch

from sfumato import clip
from sfumato.clip.vocabulary import Vocabulary

NAMES = ("red fox", "fox", "owl", "house", "barn owl", "tower", *(f"thing {i}" for i in range(40)))


def test_what_the_check_is_measured_on_is_left_out(picture_set: Path, tmp_path: Path) -> None:
    rows = (picture_set / "manifest.jsonl").read_text("utf-8").splitlines()
    held = [json.loads(row)["id"] for row in rows if '"heldout"' in row]
    pixels = np.load(picture_set / "pictures-64.npy")
    half = [row for row in rows if "cartoon" in row]
    (tmp_path / "manifest.jsonl").write_text("\n".join(half) + "\n", "utf-8")
    np.save(tmp_path / "pictures-64.npy", pixels[["cartoon" in row for row in rows]])
    kept = mismatch.held_out(picture_set, tmp_path)
    assert len(kept) == sum(one.startswith("flat") for one in held) > 0
    assert {subject for subject, _ in kept} == {"fox", "owl", "rocket", "house"}


def test_a_name_that_shares_a_word_is_not_asked_for() -> None:
    axes = np.eye(len(NAMES), dtype=np.float32)
    seen = axes[[1, 3]]  # a fox and a house
    matches, mismatches, pictures = mismatch.score(
        seen, ["fox", "house"], seen, Vocabulary(NAMES, axes)
    )
    assert len(matches) == 2
    assert matches.min() > mismatches.max()  # "red fox" would be no mismatch of a fox
    assert set(pictures) == {0, 1}
    assert np.bincount(pictures).max() <= mismatch.WRONG


def test_the_file_names_the_model_it_was_measured_with(
    picture_set: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    kept = [("fox", np.full((64, 64, 4), 255, np.uint8))] * 3
    monkeypatch.setattr(mismatch, "held_out", lambda folder, measured: kept)
    monkeypatch.setattr(mismatch, "drawings", lambda names, count: kept[:count])
    out = tmp_path / "new" / "mismatch.json"
    asked = ["--train-data", str(picture_set), "--measured", str(picture_set), "--drawings", "2"]
    assert mismatch.main([*asked, "--out", str(out)]) == 0
    sheet = json.loads(out.read_text("utf-8"))
    assert sheet["model"] == clip.load().spec.sha256
    assert sheet["calibration"]["matches"] == 5
    printed = json.loads(capsys.readouterr().out)
    assert printed == sheet["measured"]
    assert (printed["held_out"], printed["drawings"]) == (3, 2)


def test_a_folder_that_is_no_set_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["--train-data", str(tmp_path), "--measured", str(tmp_path), "--drawings", "0"]
    assert mismatch.main(asked) != 0
    assert "is not a training set" in capsys.readouterr().err
