"""From a run to a model folder, and back from the folder to the network that was trained."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from sfumato.backends.concepts import Concepts
from sfumato.errors import ModelError, StorageError
from sfumato.training.corpus import read_corpus
from sfumato.training.export import (
    Decoder,
    averaged_weights,
    export,
    export_decoder,
    load_run,
)
from sfumato.training.export import write_concepts as write_concepts_file
from sfumato.training.refiner import Refiner
from sfumato.training.text import encode_texts
from sfumato.training.warm_start import (
    expand_weights,
    keep_text_encoder,
    load_shipped,
)
from sfumato.training.whole_picture import PictureBasis

FILES = {"text.onnx", "vocab.txt", "flow.onnx", "decoder.onnx", "concepts.npz"}


def quiet(_: str) -> None:
    return


def read_sheet(folder: Path) -> dict:
    return json.loads((folder / "model.json").read_text("utf-8"))


def within_rounding(
    expanded: np.ndarray, original: np.ndarray, block: int, steps: int = 256
) -> bool:
    """Whether each number is off by half a step of its block, or by one at the far end.

    Half of the steps go one way from zero and one less the other, so a second extreme is cut off
    by a step.
    """
    half = steps / 2
    rows = original.reshape(len(original), -1)
    padded = np.pad(rows, ((0, 0), (0, -rows.shape[1] % block)))
    blocks = np.abs(padded.reshape(len(rows), -1, block)).max(-1)
    step = np.repeat(blocks / half, block, axis=1)[:, : rows.shape[1]]
    error = np.abs(expanded.reshape(rows.shape) - rows)
    allowed = np.where(np.abs(rows) > (half - 1) * step, 1.01, 0.51) * step
    return bool((error <= allowed + 1e-7).all())


# ---------------------------------------------------------------- what is written


def test_the_sheet_names_every_file_with_its_digest(tiny_model: Path, tiny_run: Path) -> None:
    sheet = read_sheet(tiny_model)
    assert set(sheet["files"]) == FILES
    for name, entry in sheet["files"].items():
        content = (tiny_model / name).read_bytes()
        assert entry == {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    assert {p.name for p in tiny_model.iterdir()} == {*FILES, "model.json", "ATTRIBUTION.md"}
    network, _, refiner = load_run(tiny_run)
    weights = [p.numel() for m in (network, refiner) for p in m.parameters()]
    assert sheet["parameters"] == sum(weights)
    assert sheet["components"] == network.config.components
    assert (sheet["name"], sheet["styles"]) == ("tiny", ["flat", "glyph"])


def test_no_path_of_this_machine_is_shipped(tiny_model: Path) -> None:
    here = str(Path(__file__).parents[3]).encode()
    for name in ("flow.onnx", "decoder.onnx"):
        assert here not in (tiny_model / name).read_bytes()


def test_words_are_read_by_the_very_files_of_the_run(tiny_model: Path, tiny_run: Path) -> None:
    for name in ("text.onnx", "vocab.txt"):
        assert (tiny_model / name).read_bytes() == (tiny_run / "text" / name).read_bytes()


def test_it_draws_as_torch_does(tiny_model: Path, tiny_run: Path) -> None:
    import onnxruntime

    network, basis, refiner = load_run(tiny_run)
    random = torch.Generator().manual_seed(5)
    latents = torch.randn(3, network.config.components, generator=random)
    sigma = torch.tensor([0.9, 0.5, 0.1])
    text = torch.nn.functional.normalize(torch.randn(3, 384, generator=random), dim=-1)
    text[2] = 0.0  # no text
    style = torch.tensor([0, 1, 2])
    with torch.no_grad():
        clean = network(latents, sigma, text, style).numpy()
        pixels = Decoder(basis, refiner)(latents).numpy()
    session = onnxruntime.InferenceSession(tiny_model / "flow.onnx")
    feed = {"latents": latents, "sigma": sigma, "text": text, "style": style}
    (found,) = session.run(None, {k: v.numpy() for k, v in feed.items()})
    assert np.sqrt(np.mean((found - clean) ** 2)) < 0.03 * np.sqrt(np.mean(clean**2))
    session = onnxruntime.InferenceSession(tiny_model / "decoder.onnx")
    (drawn,) = session.run(None, {"latents": latents.numpy()})
    assert drawn.shape == (3, 4, 256, 256)
    assert np.sqrt(np.mean((drawn - pixels) ** 2)) < 0.02
    assert 0.0 <= drawn.min() < drawn.max() <= 1.0
    assert read_sheet(tiny_model)["export_error"].keys() == {"flow", "decoder"}
    assert all(0.0 < e < 0.05 for e in read_sheet(tiny_model)["export_error"].values())


def test_concepts_list_what_was_shown_and_where(tiny_model: Path) -> None:
    with (tiny_model / "concepts.npz").open("rb") as file:
        concepts = Concepts(file)
    assert concepts.names == ["blue ring", "box", "green leaf", "red ball"]
    texts = ["red ball", "ring", "box"]
    matches = [concepts.nearest(v) for v in encode_texts(tiny_model, texts)]
    assert [m.caption for m in matches] == texts
    assert [m.concept for m in matches] == ["red ball", "blue ring", "box"]
    assert [m.styles for m in matches] == [{"flat"}, {"flat"}, {"glyph"}]
    assert all(m.similarity > 0.98 for m in matches)


def test_a_name_beyond_the_first_captions_is_listed_with_its_style(
    tiny_data: Path, text_folder: Path, tmp_path: Path
) -> None:
    corpus = read_corpus(tiny_data)
    row = next(r for r in corpus.rows if r["concept"] == "box")
    row["captions"] = ["a", "tree", "fox", "leaf", "box"]
    shutil.copytree(text_folder, tmp_path, dirs_exist_ok=True)
    write_concepts_file(corpus, tmp_path)
    with (tmp_path / "concepts.npz").open("rb") as file:
        match = Concepts(file).nearest(encode_texts(tmp_path, ["box"])[0])
    assert (match.caption, match.styles) == ("box", {"glyph"})


def test_the_later_components_weigh_half_and_come_back(tmp_path: Path) -> None:
    import onnxruntime

    random = torch.Generator().manual_seed(3)
    basis = PictureBasis(10240, 160)
    basis.basis.copy_(torch.randn(160, 10240, generator=random) / 101.0)
    basis.mean.fill_(0.4)
    error = export_decoder(basis, Refiner(160), tmp_path / "split.onnx")
    assert 0.0 < error < 0.05
    weights = expand_weights((tmp_path / "split.onnx").read_bytes())
    for name, rows, steps in (("main", basis.basis[:128], 256), ("detail", basis.basis[128:], 16)):
        expanded, original = weights[name], rows.numpy().T
        assert expanded.shape == original.shape
        assert within_rounding(expanded, original, 128, steps), name
        assert not within_rounding(expanded, original, 128, 4 * steps), name

    latents = torch.randn(2, 160, generator=random)
    with torch.no_grad():
        expected = Decoder(basis, Refiner(160))(latents).numpy()
    session = onnxruntime.InferenceSession(tmp_path / "split.onnx")
    (drawn,) = session.run(None, {"latents": latents.numpy()})
    assert np.abs(drawn - expected).max() < 0.1


# ---------------------------------------------------------------- unfinished runs


@pytest.mark.parametrize(
    "missing",
    [
        "run.json",
        "state.safetensors",
        "basis.safetensors",
        "refiner/state.safetensors",
        "text/vocab.txt",
    ],
)
def test_an_unfinished_run_says_what_is_missing(
    tiny_run: Path, tiny_data: Path, tmp_path: Path, missing: str
) -> None:
    run = tmp_path / "run"
    shutil.copytree(tiny_run, run, copy_function=os.link)  # it is large
    (run / missing).unlink()
    with pytest.raises(StorageError, match="cannot be exported") as caught:
        export(run=run, out=tmp_path / "model", data=tiny_data, say=quiet)
    assert missing.rpartition("/")[2] in caught.value.message
    assert not (tmp_path / "model" / "model.json").exists()


# ---------------------------------------------------------------- back again


def test_expanded_weights_are_the_trained_ones_within_their_rounding(
    tiny_model: Path, tiny_run: Path
) -> None:
    trained = {k: v.numpy() for k, v in averaged_weights(tiny_run).items()}
    expanded = expand_weights((tiny_model / "flow.onnx").read_bytes())
    assert trained.keys() <= expanded.keys()
    for name, values in trained.items():
        assert expanded[name].shape == values.shape, name
        if name.endswith("weight") and values.ndim == 2 and "embed" not in name:
            steps = 16 if name.startswith("body.") else 256  # 4 bits or 8
            assert within_rounding(expanded[name], values, 64, steps), name
        else:
            np.testing.assert_allclose(expanded[name], values, atol=1e-6, err_msg=name)


def test_a_shipped_model_comes_back_as_network_basis_and_refiner(
    tiny_model: Path, tiny_run: Path
) -> None:
    network, basis, refiner = load_run(tiny_run)
    again, basis_again, refiner_again = load_shipped(tiny_model, ["flat", "glyph"])
    assert again.config == network.config
    latents = torch.randn(4, network.config.components, generator=torch.Generator().manual_seed(1))
    given = (torch.full((4,), 0.6), torch.zeros(4, 384), torch.tensor([0, 1, 2, 0]))
    with torch.no_grad():
        expected, found = network(latents, *given), again(latents, *given)
        assert (found - expected).norm() < 0.03 * expected.norm()
        expected = Decoder(basis, refiner)(latents)
        found = Decoder(basis_again, refiner_again)(latents)
        assert (found - expected).square().mean().sqrt() < 0.02


def test_styles_keep_their_meaning_and_new_ones_start_in_the_middle(tiny_model: Path) -> None:
    known = expand_weights((tiny_model / "flow.onnx").read_bytes())["style_embed.weight"]
    network, _, _ = load_shipped(tiny_model, ["glyph", "own"])
    rows = network.style_embed.weight.detach().numpy()
    np.testing.assert_array_equal(rows[0], known[1])
    np.testing.assert_allclose(rows[1], known[:2].mean(0), atol=1e-6)
    np.testing.assert_array_equal(rows[2], known[2])  # "no style" stays last


def copy_with(change: Callable[[dict], object], source: Path, out: Path) -> Path:
    shutil.copytree(source, out)
    sheet = read_sheet(out)
    change(sheet)
    (out / "model.json").write_text(json.dumps(sheet), "utf-8")
    return out


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda sheet: sheet.update(kind="transformer"), "not a whole-picture model"),
        (lambda sheet: sheet["net"].update(width=128), "do not fit"),
        (lambda sheet: sheet["net"].update(blocks=9), "do not fit"),
        (lambda sheet: sheet["files"].pop("decoder.onnx"), r"lists no decoder\.onnx"),
        (lambda sheet: sheet["files"]["flow.onnx"].update(sha256="0" * 64), "is damaged"),
    ],
)
def test_what_cannot_be_started_from_is_a_model_error(
    tiny_model: Path, tmp_path: Path, change: Callable[[dict], object], message: str
) -> None:
    folder = copy_with(change, tiny_model, tmp_path / "model")
    with pytest.raises(ModelError, match=message):
        load_shipped(folder, ["flat"])


def test_a_damaged_text_encoder_is_not_kept(tiny_model: Path, tmp_path: Path) -> None:
    folder = copy_with(lambda sheet: None, tiny_model, tmp_path / "model")
    (folder / "vocab.txt").write_bytes(b"[UNK]")
    with pytest.raises(ModelError, match=r"vocab\.txt is damaged"):
        keep_text_encoder(folder, tmp_path / "text")
    assert not (tmp_path / "text").exists()
