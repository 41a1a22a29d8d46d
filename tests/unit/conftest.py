"""A small model of the kind that ships, trained, exported and ready to be drawn with.

Made once a session by the program's own training and export, from four discs and a stand-in for
the text encoder, so that tests neither copy 64 MB of weights nor need MiniLM.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from sfumato.registry import own_models_folder

LETTERS = "abcdefghijklmnopqrstuvwxyz"
WORDS = ("a", "red", "blue", "green", "disc", "ball", "ring", "leaf", "box", "tree", "fox")
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
VOCABULARY = [*SPECIAL, *dict.fromkeys([*WORDS, *LETTERS]), *(f"##{x}" for x in LETTERS)]
PICTURES = {"red ball": "#d22", "blue ring": "#28c", "green leaf": "#2a4", "box": "#853"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever needs the tiny model is slow: one of them waits until it is made."""
    for item in items:
        if "tiny_run" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)


def quiet(_: str) -> None:
    """What a run says while it works, unheard."""


@pytest.fixture(scope="session")
def text_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``text.onnx`` and ``vocab.txt`` of an encoder that means random vectors, one a piece."""
    onnx = pytest.importorskip("onnx")
    folder = tmp_path_factory.mktemp("text")
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY), "utf-8")
    table = np.random.default_rng(0).normal(size=(len(VOCABULARY), 384)).astype(np.float32)
    model = onnx.parser.parse_model(
        """
        <ir_version: 10, opset_import: ["" : 21]>
        encoder (int64[batch, tokens] input_ids, int64[batch, tokens] attention_mask)
            => (float[batch, tokens, 384] states, float[batch, 384] pooled)
            <int64[1] across = {1}, int64[1] last = {-1}> {
            states = Gather (table, input_ids)
            mask = Cast <to = 1> (attention_mask)
            column = Unsqueeze (mask, last)
            kept = Mul (states, column)
            total = ReduceSum <keepdims = 0> (kept, across)
            length = ReduceL2 <keepdims = 1> (total, across)
            pooled = Div (total, length)
        }
        """
    )
    model.graph.initializer.append(onnx.numpy_helper.from_array(table, "table"))
    onnx.save(model, str(folder / "text.onnx"))
    return folder


@pytest.fixture(scope="session")
def pictures_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Somebody's own four pictures, captioned by their file names."""
    folder = tmp_path_factory.mktemp("pictures")
    for i, (name, colour) in enumerate(PICTURES.items()):
        image = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
        box = (8 + 2 * i, 6 + 3 * i, 40 + 4 * i, 50 - 2 * i)
        ImageDraw.Draw(image).ellipse(box, fill=colour)
        image.save(folder / f"{name.replace(' ', '-')}.png")
    return folder


@pytest.fixture(scope="session")
def tiny_data(pictures_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The four pictures as a training set in two styles: ``flat``, and ``glyph`` for the box."""
    from sfumato.training.folder import prepare_folder

    data = prepare_folder(
        pictures_folder, tmp_path_factory.mktemp("set") / "data", style="flat", say=quiet
    )
    manifest = data / "manifest.jsonl"
    lines = manifest.read_text("utf-8").splitlines()
    changed = [x.replace('"flat"', '"glyph"') if '"concept": "box"' in x else x for x in lines]
    manifest.write_text("\n".join(changed) + "\n", "utf-8")
    return data


@pytest.fixture(scope="session")
def tiny_run(text_folder: Path, tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run on that set: flow, refiner and the text encoder it read with."""
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    from sfumato.training.export import load_run
    from sfumato.training.loop import LoopConfig
    from sfumato.training.refiner import keep_refiner
    from sfumato.training.run import refine_run, train_whole_picture

    run = tmp_path_factory.mktemp("run")
    shutil.copytree(text_folder, run / "text")
    train_whole_picture(
        data=tiny_data, out=run, preset="whole-picture-tiny", steps=30, batch_size=32, say=quiet
    )
    refine_run(data=tiny_data, out=run, config=LoopConfig(steps=1), say=quiet)
    _, _, refiner = load_run(run)
    with torch.no_grad():  # one step leaves layers at zero: ONNX would store equal ones once
        for parameter in refiner.parameters():
            parameter.add_(0.002 * torch.randn_like(parameter))
    keep_refiner(refiner, run / "refiner")
    return run


@pytest.fixture(scope="session")
def tiny_model(tiny_run: Path, tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run exported: a model folder like the one that ships. Read it, never change it."""
    from sfumato.training.export import export

    folder = tmp_path_factory.mktemp("models") / "tiny"
    export(run=tiny_run, out=folder, data=tiny_data, name="tiny", say=quiet)
    return folder


@pytest.fixture
def own_model(tiny_model: Path, home: Path) -> Path:
    """A copy of it among this test's own models, called ``tiny``: to find, and to damage."""
    folder = own_models_folder() / "tiny"
    shutil.copytree(tiny_model, folder)
    return folder
