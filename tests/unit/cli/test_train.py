"""``sfumato train``: a model of one's own, made and named through the command line."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sfumato.registry import (
    MODELS,
    PICTURE_TEXT_MODELS,
    own_models_folder,
    own_picture_text_folder,
)

pytest.importorskip("torch", reason="the training extra is not installed")

Sfumato = Callable[..., Any]


def test_a_run_becomes_a_model_that_draws(
    sfumato: Sfumato, tiny_run: Path, tiny_data: Path
) -> None:
    made = sfumato("train", "export", str(tiny_run), "--data", str(tiny_data), "--name", "mine")
    assert made.code == 0, made.err
    folder = own_models_folder() / "mine"
    assert f"The model is in {folder}." in made.text
    assert "--model mine" in made.text
    listed = [s for s in sfumato("models", "--json").json if s["kind"] == "drawing"]
    assert [sheet["name"] for sheet in listed] == [*(s["name"] for s in listed[:-1]), "mine"]
    assert listed[-1]["styles"] == ["flat", "glyph"]
    drawn = sfumato(
        *("draw", "red ball", "--model", "mine", "--size", "64x64", "--seed", "1"),
        *("--steps", "2", "-o", "ball.png"),
    )
    assert drawn.code == 0, drawn.err
    assert Path("ball.png").read_bytes().startswith(b"\x89PNG")
    again = sfumato("train", "export", str(tiny_run), "--data", str(tiny_data), "--name", "mine")
    assert again.code == 2
    assert "cannot be called 'mine'" in again.err


def test_an_own_model_is_listed_and_its_styles_are_known(sfumato: Sfumato, own_model: Path) -> None:
    page = sfumato("models").text
    assert "tiny\n" in page
    (sheet,) = sfumato("models", "tiny", "--json").json
    assert sheet["styles"] == ["flat", "glyph"]
    assert "problem" not in sheet


def test_a_damaged_own_model_does_not_hide_the_others(sfumato: Sfumato, own_model: Path) -> None:
    (own_model / "model.json").write_text("{", "utf-8")
    listed = sfumato("models", "--json").json
    sheets = {sheet["name"]: sheet for sheet in listed if sheet["kind"] == "drawing"}
    assert set(sheets) == set(MODELS.names())
    assert "model.json" in sheets["tiny"]["problem"]
    assert "problem" not in sheets["fake"]


@pytest.mark.parametrize(
    "name", ["chiaro", "sguardo", "fake", "Mine", "-x", "../up", "a/b", "a b", "", "x" * 42]
)
def test_a_name_that_is_taken_or_no_plain_word_is_refused(
    sfumato: Sfumato, folder: Path, name: str
) -> None:
    Path("run").mkdir()
    Path("d").mkdir()
    outcome = sfumato("train", "export", "run", "--data", "d", f"--name={name}")
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1
    assert not own_models_folder().exists()


def test_a_folder_to_ship_elsewhere_may_bear_a_built_in_name(
    sfumato: Sfumato, folder: Path
) -> None:
    Path("run").mkdir()
    Path("d").mkdir()
    args = ("train", "export", "run", "--data", "d", "--name", "chiaro", "--out", "model")
    outcome = sfumato(*args)
    assert outcome.code == 6  # the name is fine, the run is empty
    assert "run.json is missing" in outcome.err


def test_a_tiny_model_is_trained_and_fine_tuned(
    sfumato: Sfumato, pictures_folder: Path, tiny_model: Path, text_folder: Path
) -> None:
    shutil.copytree(text_folder, Path("run/text"))
    tiny = ("--preset", "whole-picture-tiny", "--steps", "2", "--batch-size", "4", "--yes")
    data = ("train", "chiaro", "--data", str(pictures_folder), "--device", "cpu")
    made = sfumato(*data, "--out", "tuned", "--from-weights", str(tiny_model), *tiny)
    assert made.code == 0, made.err
    assert "time: about" in made.text
    assert Path("tuned/data/manifest.jsonl").exists()
    assert Path("tuned/refiner/state.safetensors").exists()
    fresh = sfumato(*data, "--out", "run", *tiny)
    assert fresh.code == 0, fresh.err
    assert Path("run/refiner/refined.png").exists()
    again = sfumato(*data, "--out", "run", *tiny)
    assert again.code == 6
    assert "--resume" in again.err
    lost = sfumato(*data, "--out", "other", "--from-weights", "no-such-model", *tiny)
    assert lost.code == 3
    assert not Path("other").exists()


def test_a_picture_text_model_is_trained_exported_and_found(
    sfumato: Sfumato, pictures_folder: Path
) -> None:
    tiny = ("--preset", "sguardo-tiny", "--steps", "3", "--batch-size", "8", "--device", "cpu")
    data = ("train", "clip", "--data", str(pictures_folder))
    made = sfumato(*data, "--output", "run", *tiny)
    assert made.code == 0, made.err
    assert "to use it: sfumato train export run" in made.text
    assert Path("run/figures.jsonl").exists()
    again = sfumato(*data, "--out", "run", *tiny)
    assert again.code == 6
    assert "--resume" in again.err
    args = ("train", "export", "run", "--data", str(pictures_folder), "--name", "my-eye")
    exported = sfumato(*args)
    assert exported.code == 0, exported.err
    assert f"The model is in {own_picture_text_folder() / 'my-eye'}." in exported.text
    assert "rank" in exported.text and "--model my-eye" in exported.text
    assert "my-eye" in PICTURE_TEXT_MODELS
    assert "my-eye" not in MODELS
    taken = sfumato(*args)
    assert taken.code == 2
    assert "cannot be called 'my-eye'" in taken.err
    lost = sfumato(*data, "--out", "other", "--preset", "huge")
    assert lost.code == 2
    assert "sguardo-tiny" in lost.err


def test_a_model_that_looks_is_not_called_like_one_that_draws(
    sfumato: Sfumato, folder: Path
) -> None:
    Path("run").mkdir()
    Path("run/run.json").write_text('{"kind": "picture-text"}', "utf-8")
    outcome = sfumato("train", "export", "run", "--data", "run", "--name", "chiaro")
    assert outcome.code == 2
    assert "cannot be called 'chiaro'" in outcome.err
