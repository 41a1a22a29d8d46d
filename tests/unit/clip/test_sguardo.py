"""The built-in picture-text model: it knows plain drawings, their colours, and its own files."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from sfumato import clip
from sfumato.clip.calibration import calibration_of
from sfumato.clip.sguardo import Sguardo, load
from sfumato.errors import ModelError
from sfumato.models.catalogue import WEIGHTS
from sfumato.registry import PICTURE_TEXT_MODELS, own_picture_text_folder

FOLDER = WEIGHTS / "sguardo"
NAMES = ("star", "heart", "house", "moon")
OTHERS = ("tree", "car", "fish", "flower", "guitar", "fox", "pizza", "rocket")


def draw(subject: str, colour: str = "#d92626") -> NDArray[np.uint8]:
    """A plain drawing of 256 px on nothing, as somebody might make it by hand."""
    image = Image.new("RGBA", (256, 256), (0, 0, 0, 0))
    pen = ImageDraw.Draw(image)
    if subject == "star":
        radii = [120 if corner % 2 == 0 else 48 for corner in range(10)]
        turns = [corner * math.pi / 5 - math.pi / 2 for corner in range(10)]
        pen.polygon(
            [(128 + r * math.cos(t), 128 + r * math.sin(t))
             for r, t in zip(radii, turns, strict=True)], colour)  # fmt: skip
    elif subject == "heart":
        pen.ellipse((20, 30, 136, 146), colour)
        pen.ellipse((120, 30, 236, 146), colour)
        pen.polygon(((30, 115), (226, 115), (128, 240)), colour)
    elif subject == "house":
        pen.polygon(((128, 20), (240, 120), (16, 120)), "#b33a2a")
        pen.rectangle((40, 120, 216, 240), "#e8d8b0")
        pen.rectangle((110, 170, 150, 240), "#5a3a1a")
    else:
        pen.ellipse((30, 30, 230, 230), "#f0d060")
        pen.ellipse((90, 10, 250, 190), (0, 0, 0, 0))
    return np.asarray(image)


def set_on(pixels: NDArray[np.uint8], ground: str) -> NDArray[np.uint8]:
    canvas = Image.new("RGBA", pixels.shape[1::-1], ground)
    canvas.alpha_composite(Image.fromarray(pixels))
    return np.asarray(canvas)


@pytest.fixture(scope="module")
def model() -> Sguardo:
    return load("sguardo")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The model's folder, to be damaged."""
    return Path(shutil.copytree(FOLDER, tmp_path / "sguardo"))


@pytest.mark.parametrize("ground", [None, "white", "#7ab8ee", "#203020"])
def test_plain_drawings_are_named(model: Sguardo, ground: str | None) -> None:
    shown = [draw(name) for name in NAMES]
    shown = shown if ground is None else [set_on(picture, ground) for picture in shown]
    cosines = model.encode_pictures(shown) @ model.encode_texts([*NAMES, *OTHERS]).T
    assert cosines.argmax(axis=1).tolist() == [0, 1, 2, 3]


def test_colours_are_told_apart(model: Sguardo) -> None:
    colours = {"red": "#d92626", "yellow": "#f5d327", "green": "#2e9e45", "blue": "#2a62d6"}
    for subject in ("star", "heart"):
        shown = model.encode_pictures([draw(subject, paint) for paint in colours.values()])
        texts = model.encode_texts([f"a {colour} {subject}" for colour in colours])
        assert (shown @ texts.T).argmax(axis=1).tolist() == [0, 1, 2, 3]


def test_a_match_is_likelier_than_not(model: Sguardo) -> None:
    calibration = calibration_of(model)
    assert calibration is not None
    seen = model.encode_pictures([draw(name) for name in NAMES])
    right = (seen * model.encode_texts(NAMES)).sum(axis=1)
    wrong = (seen * model.encode_texts(OTHERS[:4])).sum(axis=1)
    assert calibration.match_probability(right).min() > 0.8
    assert calibration.match_probability(wrong).max() < 0.5
    assert right.min() > calibration.doubtful_below
    assert calibration.mismatches_caught > 0.3


def test_margins_and_size_hardly_matter(model: Sguardo) -> None:
    heart = Image.fromarray(draw("heart"))
    wide = Image.new("RGBA", (900, 500))
    wide.paste(heart, (600, 200))
    vectors = model.encode_pictures(
        [np.asarray(p) for p in (heart, wide, heart.resize((96, 96)), heart.resize((1024, 1024)))]
    )
    assert (vectors @ vectors.T).min() > 0.9


def test_it_is_the_default_and_comes_first(model: Sguardo) -> None:
    assert PICTURE_TEXT_MODELS.names()[0] == clip.DEFAULT_MODEL == model.spec.name == "sguardo"
    assert isinstance(clip.load(), Sguardo)


def test_its_files_are_small_and_say_where_they_come_from(model: Sguardo) -> None:
    assert model.spec.size_bytes == sum(
        (FOLDER / name).stat().st_size for name in ("picture.onnx", "reading.onnx")
    )
    assert model.spec.size_bytes < 3_800_000
    sheet = json.loads((FOLDER / "model.json").read_text("utf-8"))
    credit = (FOLDER / "ATTRIBUTION.md").read_text("utf-8")
    assert sheet["trained_on"]["packs"]
    for pack in sheet["trained_on"]["packs"]:
        assert f"**{pack}**" in credit
    # the packs that judge drawings never trained what ranks them
    assert not {"openmoji", "emojione-v1", "noto-v1"} & set(sheet["trained_on"]["packs"])


def test_words_are_only_started_when_they_are_read() -> None:
    fresh = load("sguardo")
    fresh.encode_pictures([draw("star")])
    assert "_sentences" not in vars(fresh)
    fresh.encode_texts(["star"])
    assert "_sentences" in vars(fresh)


def test_a_model_of_ones_own_is_found_by_its_name(copy: Path, model: Sguardo) -> None:
    own = own_picture_text_folder() / "my-eye"
    shutil.copytree(copy, own)
    assert "my-eye" in PICTURE_TEXT_MODELS
    mine = clip.load("my-eye")
    assert mine.spec.name == "my-eye"
    assert mine.spec.sha256 == model.spec.sha256
    np.testing.assert_array_equal(
        mine.encode_pictures([draw("star")]), model.encode_pictures([draw("star")])
    )


# ---------------------------------------------------------------- damage


@pytest.mark.parametrize("name", ["picture.onnx", "reading.onnx"])
def test_a_changed_file_is_refused(copy: Path, name: str) -> None:
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    with pytest.raises(ModelError, match=f"{name} is damaged"):
        Sguardo(copy)
    (copy / name).unlink()
    with pytest.raises(ModelError, match="cannot be read"):
        Sguardo(copy)


@pytest.mark.parametrize(
    ("field", "value"),
    [("dimensions", "many"), ("logit_scale", None), ("files", []), ("calibration", {})],
)
def test_a_damaged_sheet_is_refused(copy: Path, field: str, value: object) -> None:
    sheet = json.loads((copy / "model.json").read_text("utf-8"))
    (copy / "model.json").write_text(json.dumps({**sheet, field: value}), "utf-8")
    with pytest.raises(ModelError):
        Sguardo(copy)


def test_another_text_encoder_than_it_was_trained_with_is_refused(copy: Path) -> None:
    sheet = json.loads((copy / "model.json").read_text("utf-8"))
    for text in ({**sheet["text"], "text.onnx": "0" * 64}, {}, None):
        (copy / "model.json").write_text(json.dumps({**sheet, "text": text}), "utf-8")
        model = Sguardo(copy)
        assert model.encode_pictures([draw("star")]).shape == (1, model.spec.dimensions)
        with pytest.raises(ModelError, match="another text encoder"):
            model.encode_texts(["star"])
