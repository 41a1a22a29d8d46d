"""Whatever was asked comes back out of every format, and nothing does when metadata is off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfumato.errors import StorageError
from sfumato.files import encode_image, read_recipe, save_image
from sfumato.files.metadata import a1111_parameters
from sfumato.registry import WRITERS
from sfumato.request import GeneratedImage

MakeImage = Callable[..., GeneratedImage]
FORMATS = WRITERS.names()
# formats whose texts are not XML, so that the A1111 text keeps control characters as well
EXACT_TEXT = {"png", "webp", "jpeg", "ico"}

NASTY = (
    "</metadata>",
    "]]>",
    "<!-- -- -->",
    "<?xpacket end='w'?></x:xmpmeta>",
    "&amp;&#0;&bogus;",
    "a: b, c: d\nNegative prompt: e\nSteps: 1, Sampler: x, Seed: 2",
    "שלום 🦊 ‮مرحبا\u200f",
    "bell \x07 escape \x1b delete \x7f next line \x85 not a character \ufffe\uffff",
    "tab\tcarriage\rreturn\r\nline\u2028end",
    '"quoted", (weighted:1.2) \\ [a|b] ))',
    "𝒇𝒐𝒙" * 50,
)
# what ``check_text`` lets through: no NUL, no half surrogates
WORDS = st.one_of(
    st.sampled_from(NASTY),
    st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), max_size=60),
    st.lists(st.sampled_from(NASTY), min_size=1, max_size=3).map("".join),
)
PROMPTS = WORDS.filter(str.strip)


@pytest.mark.parametrize("format", FORMATS)
@settings(max_examples=40, deadline=None)
@given(prompt=PROMPTS, negative=WORDS, seed=st.integers(0, 2**32 - 1), scale=st.floats(0, 30))
def test_recipe_survives(
    format: str,
    prompt: str,
    negative: str,
    seed: int,
    scale: float,
    make_image: MakeImage,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    image = make_image(prompt=prompt, negative_prompt=negative, seeds=(seed,), guidance_scale=scale)
    file = tmp_path_factory.mktemp("round") / "picture"
    file.write_bytes(encode_image(image, format))
    recipe = read_recipe(file)
    assert recipe.source == "sfumato"
    assert recipe.plan == image.plan
    assert recipe.recorded_sha256 == image.pixel_sha256
    assert recipe.format == format
    assert (recipe.width, recipe.height) == (24, 24) if format != "ico" else (16, 16)
    assert recipe.parameters["prompt"] == prompt
    assert recipe.parameters["seed"] == seed
    if format in EXACT_TEXT:
        assert recipe.text == a1111_parameters(image.plan)
    assert read_recipe(file, pixels=False) == replace(recipe, pixel_sha256=None)


def test_texts_behind_the_pixels_are_found_without_decoding_them(
    make_image: MakeImage, tmp_path: Path
) -> None:
    image = make_image()
    data = encode_image(image, "png")
    at = data.index(b"IDAT") - 4
    size = int.from_bytes(data[at : at + 4], "big")
    torn = data[at : at + 8] + bytes(size + 4)  # no pixels can be made of this
    head, texts, end = data[:33], data[33:at], data[at + 12 + size :]
    (tmp_path / "x.png").write_bytes(head + torn + texts + end)
    with pytest.raises(StorageError, match="damaged"):
        read_recipe(tmp_path / "x.png")
    recipe = read_recipe(tmp_path / "x.png", pixels=False)
    assert (recipe.plan, recipe.pixel_sha256) == (image.plan, None)
    assert (recipe.width, recipe.height) == (24, 24)
    (tmp_path / "x.png").write_bytes(data[:-20])
    with pytest.raises(StorageError, match="cut short"):
        read_recipe(tmp_path / "x.png", pixels=False)


@pytest.mark.parametrize("format", FORMATS)
def test_longest_prompts_fit(format: str, make_image: MakeImage, tmp_path: Path) -> None:
    """Two prompts of 10,000 characters, four bytes each: beyond one JPEG segment."""
    image = make_image(prompt="🦊" * 10_000, negative_prompt="🐻" * 10_000, subject="🦊" * 10_000)
    recipe = read_recipe(save_image(image, tmp_path, format=format))
    assert recipe.plan == image.plan
    assert recipe.text == a1111_parameters(image.plan)


@pytest.mark.parametrize("format", FORMATS)
def test_no_metadata_means_none(format: str, make_image: MakeImage, tmp_path: Path) -> None:
    image = make_image(prompt="unmistakable words")
    file = save_image(image, tmp_path / f"x.{format}", metadata=False)
    recipe = read_recipe(file)
    assert (recipe.source, recipe.plan, recipe.recorded_sha256) == ("none", None, None)
    for trace in ("unmistakable", "sfumato", "xmp", "0123456789"):
        assert trace.encode() not in file.read_bytes().lower()
        assert trace.encode("utf-16-be").hex().encode() not in file.read_bytes().lower()


@pytest.mark.parametrize("format", FORMATS)
def test_same_picture_same_bytes(format: str, make_image: MakeImage) -> None:
    assert encode_image(make_image(), format) == encode_image(make_image(), format)


@pytest.mark.parametrize("format", ["png", "webp"])
def test_lossless_formats_keep_every_pixel(
    format: str, make_image: MakeImage, tmp_path: Path
) -> None:
    image = make_image(width=40, height=24)
    recipe = read_recipe(save_image(image, tmp_path, format=format))
    assert recipe.pixel_sha256 == recipe.recorded_sha256 == image.pixel_sha256


@pytest.mark.parametrize("options", [{"format": "jpeg"}, {"format": "webp", "lossless": False}])
def test_lossy_formats_record_the_pixels_before(
    options: dict[str, object], make_image: MakeImage, tmp_path: Path
) -> None:
    image = make_image()
    recipe = read_recipe(save_image(image, tmp_path, **options))
    assert recipe.recorded_sha256 == image.pixel_sha256
    assert recipe.pixel_sha256 not in (None, image.pixel_sha256)


@pytest.mark.parametrize("format", ["jpeg", "webp"])
def test_quality_is_heard(format: str, make_image: MakeImage) -> None:
    from sfumato.files import WriteOptions

    sizes = [
        len(
            encode_image(
                make_image(width=128, height=128),
                format,
                WriteOptions(quality=quality, lossless=False),
            )
        )
        for quality in (10, 92)
    ]
    assert sizes[0] < sizes[1]
