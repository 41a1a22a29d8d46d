"""What comes in over HTTP is written anew: the drawing and its recipe stay, nothing else does."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, PngImagePlugin
from starlette.testclient import TestClient

from sfumato.files import encode_image, read_recipe
from sfumato.gallery import Library, Picture
from sfumato.generate import generate
from sfumato.server.clean import clean_copy, plain_png

SECRET = "52.5163 N 13.3777 E"
A1111 = "a castle\nNegative prompt: people\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 42"
COMFYUI = {
    "1": {"class_type": "CLIPTextEncode", "inputs": {"text": "a comfy chair"}},
    "2": {"class_type": "KSampler", "inputs": {"seed": 7, "positive": ["1", 0]}},
}
WORKFLOW = {"nodes": [{"type": "KSampler"}]}
INVOKEAI = {"positive_prompt": "a lighthouse", "seed": 3}
SECOND = {"image": {"prompt": "a boat", "seed": 4}}


def picture_of(mode: str = "RGB") -> Image.Image:
    """A gradient: every pixel differs from its neighbours."""
    steps = np.arange(24 * 16 * 4, dtype=np.uint8).reshape(16, 24, 4)
    return Image.fromarray(steps).convert(mode)


def png(**texts: str) -> bytes:
    """A PNG that carries these texts, a comment, EXIF, a profile, and bytes behind its end."""
    info = PngImagePlugin.PngInfo()
    for keyword, text in {**texts, "Comment": SECRET}.items():
        info.add_itxt(keyword, text)
    exif = Image.Exif()
    exif[ExifTags.Base.ImageDescription] = SECRET
    buffer = io.BytesIO()
    picture_of().save(buffer, "PNG", pnginfo=info, exif=exif)
    return buffer.getvalue() + SECRET.encode()


def photograph(form: str, comment: str = "") -> bytes:
    """A lossy picture, held sideways, that knows where it was taken."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.ImageDescription] = SECRET
    text = b"UNICODE\0" + comment.encode("utf-16-be")
    exif[ExifTags.IFD.Exif] = {ExifTags.Base.UserComment: text}
    buffer = io.BytesIO()
    picture_of().save(buffer, form, exif=exif, quality=90)
    return buffer.getvalue()


def sent(client: TestClient, data: bytes, name: str = "a.png") -> dict[str, Any]:
    answer = client.post("/api/v1/import", files={"file": (name, data, "image/png")}).json()
    assert answer["skipped"] == []
    (imported,) = answer["imported"]
    return dict(imported)


@pytest.mark.parametrize(
    ("texts", "source", "prompt"),
    [
        ({"parameters": A1111}, "automatic1111", "a castle"),
        ({"prompt": json.dumps(COMFYUI)}, "comfyui", "a comfy chair"),
        ({"workflow": json.dumps(WORKFLOW)}, "comfyui", ""),
        ({"invokeai_metadata": json.dumps(INVOKEAI)}, "invokeai", "a lighthouse"),
        ({"sd-metadata": json.dumps(SECOND)}, "invokeai", "a boat"),
        ({"Dream": '"a barn" -s 50 -S 9'}, "invokeai", "a barn"),
        ({"another": A1111, "parameters": A1111}, "automatic1111", "a castle"),
        ({}, "none", ""),
    ],
)
def test_the_recipe_comes_along_and_nothing_hidden_does(
    client: TestClient, library: Library, texts: dict[str, str], source: str, prompt: str
) -> None:
    data = png(**texts)
    assert SECRET.encode() in data
    picture = library.get(sent(client, data)["id"])
    kept = picture.path.read_bytes()
    assert (picture.source, picture.prompt, picture.format) == (source, prompt, "png")
    assert SECRET.encode() not in kept
    with Image.open(io.BytesIO(kept)) as opened:
        assert opened.tobytes() == picture_of().tobytes()
        assert set(opened.info) == set(texts) - {"another"}
    again = read_recipe(picture.path)
    assert (again.source, again.text) == (source, next(iter(texts.values()), ""))


@pytest.mark.parametrize("form", ["JPEG", "WEBP"])
def test_a_photograph_stands_upright_and_forgets_where_it_was_taken(
    client: TestClient, library: Library, form: str
) -> None:
    picture = library.get(sent(client, photograph(form, A1111), "walk.jpg")["id"])
    assert (picture.width, picture.height) == (16, 24)
    assert (picture.format, picture.original_name) == ("png", "walk.jpg")
    assert (picture.prompt, picture.seed) == ("a castle", 42)
    kept = picture.path.read_bytes()
    assert SECRET.encode() not in kept and b"eXIf" not in kept


def test_the_same_upload_is_kept_once(client: TestClient, library: Library) -> None:
    first, again = (sent(client, photograph("JPEG")) for _ in range(2))
    assert (first["new"], again["new"]) == (True, False)
    assert again["id"] == first["id"]
    assert library.count() == 1


def test_our_own_file_is_recognised_by_its_bytes(client: TestClient, picture: Picture) -> None:
    found = sent(client, picture.path.read_bytes())
    assert (found["id"], found["new"]) == (picture.id, False)


@pytest.mark.parametrize("form", ["png", "webp", "jpeg"])
def test_our_own_pictures_keep_their_plan_and_the_mark_of_a_model(
    tmp_path: Path, form: str
) -> None:
    image = generate("a red fox", model="fake", seed=7, width=64, height=48).images[0]
    path = tmp_path / "fox"
    path.write_bytes(encode_image(image, form) + SECRET.encode())
    path.write_bytes(clean_copy(path))
    recipe = read_recipe(path)
    assert SECRET.encode() not in path.read_bytes()
    assert recipe.plan == image.plan
    assert recipe.recorded_sha256 == image.pixel_sha256  # what redo compares with
    assert (recipe.pixel_sha256 == image.pixel_sha256) is (form != "jpeg")
    assert b"trainedAlgorithmicMedia" in path.read_bytes()


@settings(max_examples=25, deadline=None)
@given(text=st.text(max_size=60), shade=st.integers(0, 255), alpha=st.integers(0, 255))
def test_any_text_and_any_pixels_survive(text: str, shade: int, alpha: int) -> None:
    pixels = np.full((3, 5, 4), shade, np.uint8)
    pixels[0, 0, 3] = alpha
    safe = text.encode("utf-8", "replace").decode()
    with Image.open(io.BytesIO(plain_png(pixels, {"parameters": safe}))) as opened:
        assert np.array_equal(np.asarray(opened.convert("RGBA")), pixels)
        assert opened.info["parameters"] == safe.replace("\x00", "\ufffd")


# ---------------------------------------------------------------- AUTOMATIC1111's API


@pytest.mark.parametrize(("upscaler", "factor"), [("None", 1), ("Lanczos", 2), ("Nearest", 2)])
def test_a_picture_that_is_made_larger_carries_nothing_hidden(
    client: TestClient, upscaler: str, factor: int
) -> None:
    body = {
        "image": base64.b64encode(photograph("JPEG")).decode(),
        "upscaler_1": upscaler,
        "upscaling_resize": 2,
    }
    answer = client.post("/sdapi/v1/extra-single-image", json=body)
    data = base64.b64decode(answer.json()["image"])
    assert SECRET.encode() not in data
    with Image.open(io.BytesIO(data)) as opened:
        assert (opened.size, opened.format) == ((16 * factor, 24 * factor), "PNG")
        assert opened.info == {}


@pytest.mark.parametrize(
    ("route", "fields"),
    [
        ("interrogate", {"model": "clip"}),
        ("png-info", {}),
        ("extra-single-image", {"upscaler_1": "None"}),
        ("extra-single-image", {"upscaler_1": "Lanczos"}),
        ("img2img", {}),
    ],
)
def test_a_picture_that_ends_too_soon_is_said_to_be_damaged(
    client: TestClient, route: str, fields: dict[str, Any]
) -> None:
    whole = plain_png(np.random.default_rng(1).integers(0, 255, (64, 64, 4), np.uint8))
    image = base64.b64encode(whole[: len(whole) // 2]).decode()
    body = {"init_images": [image], **fields} if route == "img2img" else {"image": image, **fields}
    answer = client.post(f"/sdapi/v1/{route}", json=body)
    assert 400 <= answer.status_code < 500, answer.text
    assert "fault in sfumato" not in answer.text


def test_decoding_never_happens_in_a_format_that_is_not_accepted(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def decode(*_: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr("sfumato.server.clean.read_picture", decode)
    for form in ("GIF", "TIFF", "BMP"):
        buffer = io.BytesIO()
        picture_of().save(buffer, form)
        file = {"file": ("a.png", buffer.getvalue(), "image/png")}
        answer = client.post("/api/v1/import", files=file).json()
        assert (answer["imported"], len(answer["skipped"])) == ([], 1)
