"""The backend of the built-in model, on a tiny one: what it reads, refuses and draws."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import sfumato
from sfumato.backends import onnx
from sfumato.errors import BackendError, ModelError
from sfumato.models import Conditioning
from sfumato.plan import make_plan
from sfumato.request import GenerationPlan, GenerationRequest

FILES = ("text.onnx", "vocab.txt", "flow.onnx", "decoder.onnx", "concepts.npz")


@pytest.fixture
def model(own_model: Path) -> onnx.OnnxModel:
    return onnx.load("tiny")


def plan_of(model: onnx.OnnxModel, prompt: str = "red ball", **options: Any) -> GenerationPlan:
    options = {"seed": 3, "num_inference_steps": 2, "style": "flat", **options}
    return make_plan(GenerationRequest(prompt=prompt, model="tiny", **options), model.spec)


def draw(prompt: str = "red ball", **options: Any) -> list[NDArray[np.uint8]]:
    options = {"seed": 3, "num_inference_steps": 2, "width": 64, "height": 64, **options}
    return [image.pixels for image in sfumato.generate(prompt, model="tiny", **options).images]


# ---------------------------------------------------------------- files


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["truncated", "changed", "missing"])
def test_a_damaged_weight_file_is_named_with_both_digests(
    own_model: Path, name: str, damage: str
) -> None:
    path = own_model / name
    whole = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        middle = len(whole) // 2
        flipped = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
        path.write_bytes(whole[:-1] if damage == "truncated" else flipped)
    with pytest.raises(ModelError) as caught:
        onnx.load("tiny")
    assert str(path) in caught.value.message
    if damage != "missing":
        assert hashlib.sha256(whole).hexdigest() in caught.value.message
        assert hashlib.sha256(path.read_bytes()).hexdigest() in caught.value.message


@pytest.mark.parametrize("name", FILES)
def test_a_sheet_that_leaves_a_file_out_is_a_model_error(own_model: Path, name: str) -> None:
    change_sheet(own_model, lambda sheet: sheet["files"].pop(name))
    with pytest.raises(ModelError, match=f"lists no {name}"):
        onnx.load("tiny")


def test_a_file_that_is_no_network_is_a_model_error_even_with_its_digest(own_model: Path) -> None:
    replace_file(own_model, "flow.onnx", b"not a network")
    with pytest.raises(ModelError, match="ONNX Runtime cannot start the model"):
        onnx.load("tiny")


def test_pickled_concepts_are_refused_even_with_their_digest(own_model: Path) -> None:
    file = io.BytesIO()
    np.savez(file, captions=np.array([{"a": 1}], object))
    replace_file(own_model, "concepts.npz", file.getvalue())
    with pytest.raises(ModelError, match=r"concepts\.npz is damaged"):
        onnx.load("tiny")


@pytest.mark.parametrize(
    "field", ["summary", "styles", "files", "components", "guidance_scale", "native_size"]
)
def test_a_sheet_without_a_field_is_a_model_error_that_names_it(
    own_model: Path, field: str
) -> None:
    change_sheet(own_model, lambda sheet: sheet.pop(field))
    with pytest.raises(ModelError, match=field):
        onnx.spec("tiny")


def change_sheet(folder: Path, change: Any) -> None:
    sheet = json.loads((folder / "model.json").read_text("utf-8"))
    change(sheet)
    (folder / "model.json").write_text(json.dumps(sheet), "utf-8")


def replace_file(folder: Path, name: str, content: bytes) -> None:
    """Other bytes with the right digest: what a stranger's model folder may hold."""
    (folder / name).write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    change_sheet(folder, lambda sheet: sheet["files"][name].update(sha256=digest))


# ---------------------------------------------------------------- words


def test_conditioning_is_sentence_and_style_number(model: onnx.OnnxModel) -> None:
    cond = model.encode_prompt(replace(plan_of(model, num_images=2), styles=("flat", "glyph")))
    assert cond.positive.shape == cond.negative.shape == (2, 385)
    assert cond.positive[:, -1].tolist() == cond.negative[:, -1].tolist() == [0.0, 1.0]
    assert np.linalg.norm(cond.positive[:, :-1], axis=1) == pytest.approx([1.0, 1.0], abs=1e-5)
    assert not cond.negative[:, :-1].any()


@pytest.mark.slow
def test_a_heart_is_red_unless_it_is_a_glyph_or_of_a_named_colour() -> None:
    """The shipped model knows a dozen hearts by colour, and would draw their mean."""
    shipped = onnx.load("chiaro")

    def words(subject: str, style: str) -> np.ndarray:
        plan = replace(plan_of(shipped, subject), styles=(style,))
        return shipped.encode_prompt(plan).positive[0, :-1]

    for word in ("heart", "apple"):
        np.testing.assert_array_equal(words(word, "flat"), words(f"red {word}", "flat"))
        assert not np.allclose(words(word, "glyph"), words(f"red {word}", "glyph"), atol=0.01)
    assert not np.allclose(words("heart", "soft"), words("blue heart", "soft"), atol=0.01)


def test_words_it_was_shown_are_known_and_others_less(model: onnx.OnnxModel) -> None:
    shown = model.encode_prompt(plan_of(model, "red ball"))
    assert shown.nearest == "red ball"
    assert shown.known > 0.98
    strange = model.encode_prompt(plan_of(model, "zqx vwk"))
    assert strange.known < shown.known - 0.05


def test_a_negative_prompt_is_read_and_blanks_are_none(model: onnx.OnnxModel) -> None:
    plan = plan_of(model)
    away = model.encode_prompt(replace(plan, negative_prompt="green leaf")).negative
    assert np.linalg.norm(away[0, :-1]) == pytest.approx(1.0, abs=1e-5)
    blank = model.encode_prompt(replace(plan, negative_prompt="  \n")).negative
    assert not blank[:, :-1].any()


def test_suggested_styles_are_those_the_subject_was_shown_in(model: onnx.OnnxModel) -> None:
    assert model.suggest_styles("red ball") == ("flat",)
    assert model.suggest_styles("box") == ("glyph",)  # it has no other, so the glyph is honest
    for subject in ("", "?", "zqx vwk", "🦊"):
        styles = model.suggest_styles(subject)
        assert styles
        assert set(styles) <= set(model.spec.styles)


# ---------------------------------------------------------------- guidance


class Recorder:
    """Stands before a session and keeps what it was fed."""

    def __init__(self, session: Any) -> None:
        self.session = session
        self.fed: list[dict[str, NDArray[Any]]] = []

    def run(self, outputs: Any, feed: dict[str, NDArray[Any]]) -> Any:
        self.fed.append(feed)
        return self.session.run(outputs, feed)


@pytest.mark.parametrize(("scale", "rows"), [(1.0, 1), (1.5, 2), (0.0, 2)])
def test_guidance_of_one_asks_the_network_once_a_picture(
    model: onnx.OnnxModel, scale: float, rows: int
) -> None:
    model._flow = recorder = Recorder(model._flow)
    cond = model.encode_prompt(plan_of(model, num_images=2))
    latents = np.zeros((2, *model.spec.latent_shape), np.float32)
    model.denoise(latents, 0.7, cond, scale)
    assert [len(fed["latents"]) for fed in recorder.fed] == [rows, rows]  # one call a picture


def test_guidance_goes_from_without_words_to_with_words(model: onnx.OnnxModel) -> None:
    cond = model.encode_prompt(plan_of(model))
    bare = replace(cond, positive=cond.negative)
    latents = np.random.default_rng(0).normal(size=(1, *model.spec.latent_shape))
    latents = latents.astype(np.float32)

    def at(scale: float, given: Conditioning = cond) -> NDArray[np.float32]:
        return model.denoise(latents, 0.9, given, scale)

    with_words, without = at(1.0), at(1.0, bare)
    assert np.abs(with_words - without).max() > 1e-3
    # rows of one call share the scale of their 8-bit sums, hence the tolerance
    np.testing.assert_allclose(at(0.0), without, atol=0.02)
    np.testing.assert_allclose(at(3.0), without + 3.0 * (with_words - without), atol=0.1)


def test_negative_words_change_the_picture(own_model: Path) -> None:
    (plain,) = draw(guidance_scale=4.0)
    (away,) = draw(guidance_scale=4.0, negative_prompt="green leaf")
    assert not np.array_equal(plain, away)


# ---------------------------------------------------------------- pixels


def test_a_picture_is_the_same_alone_in_a_batch_and_on_two_threads(own_model: Path) -> None:
    batch = draw(num_images=3, threads=1)
    for i, pixels in enumerate(draw(num_images=3, threads=2)):
        np.testing.assert_array_equal(pixels, batch[i])
        np.testing.assert_array_equal(draw(seed=3 + i)[0], batch[i])
    assert not np.array_equal(batch[0], batch[1])


def test_alpha_is_straight_and_nothing_is_where_alpha_is_zero() -> None:
    premultiplied = np.zeros((4, 1, 3), np.float32)
    premultiplied[:, 0, 0] = (0.25, 0.5, 0.0, 0.5)
    premultiplied[:, 0, 1] = (0.9, 0.9, 0.9, 0.0)
    premultiplied[:, 0, 2] = (1.0, 0.6, 0.2, 0.9)
    pixels = onnx._straight(premultiplied)
    assert pixels.tolist() == [[[128, 255, 0, 128], [0, 0, 0, 0], [255, 170, 57, 230]]]


def test_an_engine_that_stops_is_a_backend_error(model: onnx.OnnxModel) -> None:
    wrong = np.zeros((1, model.spec.latent_shape[0] + 1), np.float32)
    with pytest.raises(BackendError, match="ONNX Runtime stopped"):
        model.decode(wrong, plan_of(model))


def test_the_fingerprint_names_what_decides_the_pixels(model: onnx.OnnxModel) -> None:
    fingerprint = model.fingerprint()
    assert set(fingerprint) == {
        "sfumato", "onnxruntime", "numpy", "pillow", "resvg-py", "precision"
    }  # fmt: skip
    assert fingerprint["numpy"] == np.__version__
