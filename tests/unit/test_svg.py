"""Drawings from strangers: rendered when they are harmless, refused in one line when not."""

from __future__ import annotations

import base64
import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sfumato import svg
from sfumato.errors import StorageError
from sfumato.pictures import open_picture, read_picture
from sfumato.svg import render_svg

OPENING = (
    '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
    'width="20" height="10" viewBox="0 0 20 10">'
)
SQUARE = '<rect width="20" height="10" fill="red"/>'


def drawing(inside: str, before: str = "") -> bytes:
    return f"{before}{OPENING}{inside}</svg>".encode()


def picture_bytes(size: tuple[int, int] = (4, 4)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, "blue").save(buffer, "PNG")
    return buffer.getvalue()


def centre(data: bytes) -> list[int]:
    pixels, _ = render_svg(data)
    return pixels[pixels.shape[0] // 2, pixels.shape[1] // 2].tolist()


def test_a_drawing_is_rendered_at_any_size(tmp_path: Path) -> None:
    path = tmp_path / "a.svg"
    path.write_bytes(drawing(SQUARE))
    assert read_picture(path).shape == (256, 512, 4)  # a drawing is no picture of 20 pixels
    assert read_picture(path, smallest_drawing=1).shape == (10, 20, 4)
    picture = open_picture(path, longest=64)
    assert picture.pixels.shape == (32, 64, 4)
    assert (picture.width, picture.height, picture.format) == (20, 10, "svg")
    assert picture.pixels[16, 32].tolist() == [255, 0, 0, 255]


@pytest.mark.parametrize(
    ("attributes", "size"),
    [
        ('width="30" height="15"', (30, 15)),
        ('width="1in" height="48pt"', (96, 64)),
        ('width="40" viewBox="0 0 10 5"', (40, 20)),
        ('height="40" viewBox="0 0 10 5"', (80, 40)),
        ('width="100%" height="100%" viewBox="0,0 30,20"', (30, 20)),
        ('viewBox="0 0 7 9"', (7, 9)),
        ("", (512, 512)),
    ],
)
def test_the_size_is_read_as_css_reads_it(attributes: str, size: tuple[int, int]) -> None:
    data = (
        f'<svg xmlns="http://www.w3.org/2000/svg" {attributes}><rect width="5" height="5"/></svg>'
    )
    pixels, own = render_svg(data.encode())
    assert own == size
    assert pixels.shape == (size[1], size[0], 4)


def test_a_drawing_that_says_it_is_huge_is_rendered_small() -> None:
    data = b'<svg xmlns="http://www.w3.org/2000/svg" width="1e6" height="1e5"><g/></svg>'
    pixels, own = render_svg(data)
    assert own == (1_000_000, 100_000)
    assert max(pixels.shape) == svg.MAX_SIDE


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1"])
def test_encodings(encoding: str) -> None:
    declared = f'<?xml version="1.0" encoding="{encoding.removesuffix("-sig")}"?>'
    data = drawing(f"<title>sfumato è</title>{SQUARE}", declared).decode().encode(encoding)
    assert centre(data) == [255, 0, 0, 255]


def test_no_other_file_is_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(picture_bytes())
    os.chdir(tmp_path)
    spellings = [str(secret), secret.as_uri(), "secret.png", str(secret).replace("/", "&#47;")]
    for href in spellings:
        for attribute in ("href", "xlink:href", "xlink:href\n = "):
            written = attribute if "=" in attribute else f"{attribute}="
            image = f'<image {written}"{href}" width="20" height="10"/>'
            assert centre(drawing(image))[3] == 0, image
    entity = "<!DOCTYPE svg [<!ENTITY e \"&#60;image &#104;ref='secret.png' width='20'/>\">]>"
    with pytest.raises(StorageError, match="entities"):
        render_svg(drawing("&e;", entity))
    with pytest.raises(StorageError, match="entities"):
        render_svg(drawing("<text>&e;</text>", '<!DOCTYPE svg [<!ENTITY e SYSTEM "secret.png">]>'))


def test_small_embedded_pictures_are_shown_and_large_ones_left_out() -> None:
    def embedded(size: tuple[int, int]) -> bytes:
        encoded = base64.b64encode(picture_bytes(size)).decode()
        return drawing(
            f'<image preserveAspectRatio="none" width="20" height="10" '
            f'href="data:image/png;base64,{encoded}"/>'
        )

    assert centre(embedded((4, 4))) == [0, 0, 255, 255]
    assert centre(embedded((5000, 4000)))[3] == 0
    inner = base64.b64encode(drawing(SQUARE)).decode()
    nested = f'<image width="20" height="10" href="data:image/svg+xml;base64,{inner}"/>'
    assert centre(drawing(nested))[3] == 0


def test_namespaces_as_entities_are_what_illustrator_writes() -> None:
    doctype = '<!DOCTYPE svg [<!ENTITY ns "http://www.w3.org/2000/svg">]>'
    data = drawing(SQUARE, doctype).replace(b'xmlns="http://www.w3.org/2000/svg"', b'xmlns="&ns;"')
    assert centre(data) == [255, 0, 0, 255]


def test_references_that_multiply_are_refused() -> None:
    levels = "".join(
        f'<g id="l{i}">{f"""<use xlink:href="#l{i - 1}"/>""" * 10}</g>' for i in range(1, 12)
    )
    with pytest.raises(StorageError, match="repeats itself"):
        render_svg(drawing(f'<g id="l0">{SQUARE}</g>{levels}'))
    circle = f'<g id="a"><use href="#b"/></g><g id="b"><use href="#a"/>{SQUARE}</g>'
    with pytest.raises(StorageError, match="rendered"):
        render_svg(drawing(circle))


@pytest.mark.parametrize(
    ("inside", "words"),
    [
        ("".join(f'<g id="i{i}">' for i in range(16_000)) + "</g>" * 16_000, "500 deep"),
        ("".join(f'<g id="i{i}"><use href="#i{i + 1}"/></g>' for i in range(9_000)), "500 deep"),
        (
            '<g id="a"/>' * 900 + "".join(f'<g id="{i}"><use href="#a"/></g>' for i in range(900)),
            "repeats itself",
        ),
    ],
    ids=["parts in parts", "a chain of references", "many of one name"],
)
def test_references_and_groups_are_counted_before_they_are_followed(
    inside: str, words: str
) -> None:
    with pytest.raises(StorageError, match=words):
        render_svg(drawing(inside))


def test_names_within_names_are_counted_once() -> None:
    """400 groups, each with a name, around 2,000 squares: 2,402 elements and not 800,000."""
    nested = "".join(f'<g id="i{i}">' for i in range(200)) + SQUARE * 2000 + "</g>" * 200
    assert centre(drawing(nested + nested.replace("id=", "data-x="))) == [255, 0, 0, 255]
    twins = "".join(f'<g id="twin">{SQUARE}</g>' for _ in range(600))  # each counts for itself
    assert centre(drawing(twins)) == [255, 0, 0, 255]


def test_long_words_are_looked_through_once() -> None:
    """Letter after letter from each of its letters, these took hours."""
    word, number = "a" * 1_000_000, "1" * 400_000
    data = drawing(f"<desc>{word}</desc>{SQUARE}").replace(b'width="20"', b'width="30"', 1)
    assert centre(data) == [255, 0, 0, 255]
    longer = data.replace(b'width="30"', f'width="{number}!"'.encode(), 1)
    assert render_svg(longer)[1] == (20, 10)  # no length: the view box says it


def test_a_drawing_that_kills_its_renderer_is_refused() -> None:
    """resvg allocates a pattern's tile, and ends the process when it cannot."""
    tile = (
        '<pattern id="p" width="9e6" height="9e6" patternUnits="userSpaceOnUse">'
        f'{SQUARE}</pattern><rect width="20" height="10" fill="url(#p)"/>'
    )
    with pytest.raises(StorageError, match="too much"):
        render_svg(drawing(tile), longest=200)


def test_a_drawing_that_never_ends_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(svg, "_SECONDS", 0.5)
    endless = (
        '<filter id="f"><feTurbulence baseFrequency=".1" numOctaves="99999999"/></filter>'
        '<rect width="20" height="10" filter="url(#f)"/>'
    )
    with pytest.raises(StorageError, match="longer than"):
        render_svg(drawing(endless))


def test_harmless_patterns_filters_and_text_are_rendered() -> None:
    tile = (
        '<pattern id="p" width="2" height="2" patternUnits="userSpaceOnUse">'
        f'{SQUARE}</pattern><rect width="20" height="10" fill="url(#p)"/>'
    )
    assert centre(drawing(tile)) == [255, 0, 0, 255]
    flood = '<filter id="f"><feFlood flood-color="lime"/></filter>'
    assert centre(drawing(f'{flood}<rect width="20" height="10" filter="url(#f)"/>'))[1] == 255


@pytest.mark.parametrize("side", [64, 1024])
def test_one_process_or_two_give_the_same_pixels(
    side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = drawing(f'{SQUARE}<circle cx="7" cy="5" r="3.3" fill="navy" opacity=".5"/>')
    here, _ = render_svg(data, longest=side)
    monkeypatch.setattr(svg, "_MAX_PAINTED", 0)
    apart, _ = render_svg(data, longest=side)
    assert np.array_equal(here, apart)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"<svg", "damaged"),
        (b"<html/>", "not an SVG"),
        (b"<svg xmlns='http://www.w3.org/2000/svg' \xff\xfe/>", "not text"),
        (drawing("<g>" * 9000 + "</g>" * 9000), "rendered"),
        (b"<svg>" + b" " * svg.MAX_BYTES + b"</svg>", "16 MiB"),
    ],
)
def test_damaged_drawings_are_refused(data: bytes, words: str) -> None:
    with pytest.raises(StorageError, match=words):
        render_svg(data)
