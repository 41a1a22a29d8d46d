"""``sfumato train chiaro`` from end to end at its smallest: fresh, resumed, fine-tuned, refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

from safetensors.torch import load_file

import sfumato
from sfumato.errors import Cancelled, ModelError, RequestError, StorageError
from sfumato.models import spec_of
from sfumato.registry import own_models_folder
from sfumato.training import corpus as corpus_module
from sfumato.training import run as run_module
from sfumato.training.corpus import read_corpus
from sfumato.training.export import averaged_weights, export
from sfumato.training.run import SHEET_PROMPTS, fit_basis, train, train_whole_picture
from sfumato.training.warm_start import expand_weights
from sfumato.training.whole_picture import WholePictureNet


def quiet(_: str) -> None:
    return


def start(data: Path, out: Path, **options: Any) -> list[str]:
    """Run ``train`` with the tiny preset; what it said."""
    said: list[str] = []
    options = {"preset": "whole-picture-tiny", "steps": 5, "yes": True, **options}
    train(data=data, out=out, device="cpu", say=said.append, **options)
    return said


@pytest.fixture
def no_minilm(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine without the package that carries MiniLM."""

    def refuse(*_: object) -> None:
        raise AssertionError("the text encoder must not be built again")

    monkeypatch.setattr(corpus_module, "export_text_encoder", refuse)


@pytest.fixture
def tuned(pictures_folder: Path, tiny_model: Path, tmp_path: Path, no_minilm: None) -> Path:
    """Five steps from the tiny model on somebody's own four pictures."""
    out = tmp_path / "tuned"
    start(pictures_folder, out, from_weights=str(tiny_model), batch_size=8)
    return out


# ---------------------------------------------------------------- from nothing


def test_a_run_leaves_all_that_export_needs(tiny_run: Path, tiny_data: Path) -> None:
    card = json.loads((tiny_run / "run.json").read_text("utf-8"))
    assert (card["kind"], card["preset"]) == ("whole-picture", "whole-picture-tiny")
    assert card["styles"] == ["flat", "glyph"]
    assert card["net"]["styles"] == 3
    assert card["net"]["components"] == 4  # no more than there are pictures
    assert card["pictures"] == 4
    assert card["concepts"] == {"blue ring": 1, "box": 1, "green leaf": 1, "red ball": 1}
    assert card["from_weights"] is None
    with Image.open(tiny_run / "sheet.png") as sheet:
        assert sheet.size == (64 * len(SHEET_PROMPTS), 64 * 2)
        assert np.asarray(sheet).std() > 1


def test_the_basis_is_fitted_once(tiny_data: Path, tmp_path: Path) -> None:
    corpus = read_corpus(tiny_data)
    basis = fit_basis(corpus, tmp_path, 3)
    written = (tmp_path / "basis.safetensors").read_bytes()
    corpus.pictures[:] = 0
    again = fit_basis(corpus, tmp_path, 3)
    assert torch.equal(again.basis, basis.basis)
    assert (tmp_path / "basis.safetensors").read_bytes() == written


def test_a_run_killed_while_it_writes_its_basis_or_card_goes_on(
    tiny_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(_: object, path: Path) -> None:
        Path(path).write_bytes(b"half")
        raise OSError("killed")

    corpus = read_corpus(tiny_data)
    with monkeypatch.context() as patch, pytest.raises(OSError, match="killed"):
        patch.setattr(run_module, "save_file", half)
        fit_basis(corpus, tmp_path, 3)
    basis = fit_basis(corpus, tmp_path, 3)
    net = WholePictureNet(run_module.PRESETS["whole-picture-tiny"].net).config
    run_module._write_card(tmp_path, net, corpus, "whole-picture-tiny", None)
    card = (tmp_path / "run.json").read_text("utf-8")
    with monkeypatch.context() as patch, pytest.raises(OSError, match="killed"):
        patch.setattr(Path, "write_text", lambda path, *_: half(None, path))
        run_module._write_card(tmp_path, net, corpus, "whole-picture-tiny", tmp_path)
    assert (tmp_path / "run.json").read_text("utf-8") == card
    assert torch.equal(fit_basis(corpus, tmp_path, 3).basis, basis.basis)


def test_the_refiner_follows_and_gets_its_share_of_the_time(
    tiny_data: Path, text_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(run_module, "refine_run", lambda **options: asked.append(options))
    out = tmp_path / "run"
    shutil.copytree(text_folder, out / "text")
    said = start(tiny_data, out, batch_size=8)
    (options,) = asked
    assert (options["data"], options["out"]) == (tiny_data, out)
    assert 0.0 < options["config"].minutes < 10.0
    assert said[0].startswith("time: about ")
    assert "each of 4 seen 10 times" in said[0]  # 5 steps of 8


# ---------------------------------------------------------------- refused


def test_a_run_that_is_there_is_continued_only_when_asked(
    tiny_data: Path, text_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "refine_run", lambda **options: None)
    out = tmp_path / "run"
    shutil.copytree(text_folder, out / "text")
    start(tiny_data, out, steps=2, batch_size=8)
    before = (out / "state.safetensors").read_bytes()
    with pytest.raises(StorageError, match="holds a run already") as caught:
        start(tiny_data, out)
    assert "--resume" in caught.value.hint
    assert (out / "state.safetensors").read_bytes() == before
    said = start(tiny_data, out, steps=4, batch_size=8, resume=True)
    assert "continuing at step 2" in said


def test_an_unknown_preset_names_the_known_ones(tiny_data: Path, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="no preset 'huge'") as caught:
        start(tiny_data, tmp_path / "run", preset="huge")
    assert "whole-picture, whole-picture-tiny, full" in caught.value.hint


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"from_weights": "no/such/folder"}, ModelError, r"model\.json"),
        ({"from_weights": "chiaro", "preset": "full-tiny"}, RequestError, "starts from nothing"),
    ],
)
def test_what_cannot_be_started_from_is_told_before_any_work(
    pictures_folder: Path,
    tmp_path: Path,
    options: dict[str, Any],
    error: type[Exception],
    message: str,
) -> None:
    with pytest.raises(error, match=message):
        start(pictures_folder, tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


class Terminal:
    """A standard input with a person behind it."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("answer", ["n", "No", " NO "])
def test_no_means_that_nothing_starts(
    tiny_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("builtins.input", lambda question: answer)
    with pytest.raises(Cancelled):
        start(tiny_data, tmp_path / "run", yes=False)
    assert not (tmp_path / "run").exists()


# ---------------------------------------------------------------- fine-tuning


def test_fine_tuning_keeps_words_basis_and_refiner(tuned: Path, tiny_model: Path) -> None:
    for name in ("text.onnx", "vocab.txt"):
        assert (tuned / "text" / name).read_bytes() == (tiny_model / name).read_bytes()
    decoder = expand_weights((tiny_model / "decoder.onnx").read_bytes())
    basis = load_file(tuned / "basis.safetensors")
    parts = [decoder[name] for name in ("main", "detail") if name in decoder]
    np.testing.assert_array_equal(basis["basis"].numpy().T, np.concatenate(parts, axis=1))
    for name in ("mean", "scale"):
        np.testing.assert_array_equal(basis[name].numpy(), decoder[name])
    for name, value in averaged_weights(tuned / "refiner").items():
        np.testing.assert_array_equal(value.numpy(), decoder[f"refiner.{name}"], err_msg=name)


def test_fine_tuning_adds_the_users_style_and_moves_the_network(
    tuned: Path, tiny_model: Path
) -> None:
    card = json.loads((tuned / "run.json").read_text("utf-8"))
    assert card["styles"] == ["own"]
    assert card["net"]["styles"] == 2
    assert card["from_weights"] == str(tiny_model)
    before = expand_weights((tiny_model / "flow.onnx").read_bytes())
    after = {k[4:]: v for k, v in load_file(tuned / "state.safetensors").items() if k[:4] == "net."}
    assert after["style_embed.weight"].shape == (2, before["style_embed.weight"].shape[1])
    moved = np.abs(after["edge_in.weight"].numpy() - before["edge_in.weight"]).max()
    assert 0.0 < moved < 0.01  # five steps at a small rate: near where it began


def test_a_fine_tuned_run_goes_on_from_the_same_weights(
    tuned: Path, pictures_folder: Path, tiny_model: Path
) -> None:
    refiner = (tuned / "refiner" / "state.safetensors").read_bytes()
    said = start(pictures_folder, tuned, steps=7, batch_size=8, resume=True)
    assert "continuing at step 5" in said
    assert (tuned / "refiner" / "state.safetensors").read_bytes() == refiner
    card = json.loads((tuned / "run.json").read_text("utf-8"))
    assert card["from_weights"] == str(tiny_model)


def test_fine_tuning_has_a_budget_of_its_own(
    tiny_data: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {}
    monkeypatch.setattr(run_module, "train_whole_picture", lambda **options: asked.update(options))
    said = start(tiny_data, tmp_path / "run", from_weights=str(tiny_model), steps=None)
    assert asked["start"] == tiny_model
    assert (asked["steps"], asked["batch_size"]) == (600, 256)
    assert "each of 4 seen 38400 times" in said[0]  # 600 steps of 256


def test_the_basis_and_styles_of_the_start_win_over_the_presets(
    tiny_data: Path, tiny_model: Path, tmp_path: Path, no_minilm: None
) -> None:
    # the shipped preset's network would be a thousand wide
    loop = train_whole_picture(
        data=tiny_data, out=tmp_path / "run", start=tiny_model, steps=1, batch_size=4, say=quiet
    )
    assert (loop.network.config.width, loop.network.config.styles) == (64, 3)
    assert loop.config.learning_rate == 2e-4


def test_a_fine_tuned_model_is_exported_found_and_drawn_with(tuned: Path) -> None:
    folder = own_models_folder() / "my-icons"
    export(run=tuned, out=folder, data=tuned / "data", name="my-icons", say=quiet)
    assert spec_of("my-icons").styles == ("own",)
    result = sfumato.generate(
        "red ball", model="my-icons", seed=1, num_inference_steps=4, width=64, height=64
    )
    assert result.plan.styles == ("own",)
    assert result.plan.model_sha256 == spec_of("my-icons").sha256
    (image,) = result.images
    assert image.pixels.shape == (64, 64, 4)
