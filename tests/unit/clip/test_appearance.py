"""Measures of flat pictures, each against a picture whose answer is known."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from sfumato.clip.appearance import measure
from sfumato.svg import render_svg


def draw(body: str, side: int = 320) -> np.ndarray:
    """(side, side, 4) uint8 pixels of SVG elements on a field of 100 x 100."""
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100">{body}</svg>'
    return render_svg(svg.encode(), longest=side)[0]


def dots(count: int, fill: str = "#d22") -> str:
    radius = 30 / count
    return "".join(
        f'<circle cx="{(i + 0.5) * 100 / count}" cy="50" r="{radius}" fill="{fill}"/>'
        for i in range(count)
    )


SHAPES = {
    "circle": '<circle cx="50" cy="50" r="40" fill="#d22"/>',
    "oval": '<ellipse cx="50" cy="50" rx="45" ry="25" fill="#d22"/>',
    "square": '<rect x="20" y="20" width="60" height="60" fill="#d22"/>',
    "rectangle": '<rect x="10" y="30" width="80" height="40" fill="#d22"/>',
    "triangle": '<polygon points="50,10 90,80 10,80" fill="#d22"/>',
    "diamond": '<polygon points="50,10 90,50 50,90 10,50" fill="#d22"/>',
    "hexagon": '<polygon points="50,10 84.6,30 84.6,70 50,90 15.4,70 15.4,30" fill="#d22"/>',
    "star": '<polygon points="50,5 61,39 98,39 68,60 79,95 50,74 21,95 32,60 2,39 39,39" '
    'fill="#d22"/>',
}


@pytest.mark.parametrize("name", SHAPES)
def test_plain_outlines_are_named(name: str) -> None:
    assert measure(draw(SHAPES[name])).shape == name


def test_an_outline_counts_whole_even_where_it_has_holes() -> None:
    ring = '<circle cx="50" cy="50" r="35" fill="none" stroke="#d22" stroke-width="8"/>'
    assert measure(draw(ring)).shape == "circle"


def test_other_outlines_are_no_plain_shape() -> None:
    letter = '<path d="M20 20h15v45h30v15H20z" fill="#d22"/>'
    assert measure(draw(letter)).shape is None


@pytest.mark.parametrize("count", [1, 2, 3, 5, 7])
def test_separate_subjects_are_counted(count: int) -> None:
    assert measure(draw(dots(count))).count == count


def test_small_parts_beside_a_subject_are_no_subjects() -> None:
    body = '<circle cx="50" cy="50" r="30" fill="#d22"/><circle cx="90" cy="10" r="4"/>'
    assert measure(draw(body)).count == 1


def test_grounds_are_told_apart() -> None:
    clear = measure(draw(dots(1)))
    assert clear.transparent
    assert clear.ground is None
    white = measure(draw(f'<rect width="100" height="100" fill="#fff"/>{dots(2)}'))
    assert white.ground is not None
    assert white.ground.name == "white"
    assert white.count == 2
    stripes = "".join(
        f'<rect x="{x}" width="10" height="100" fill="hsl({x * 3.6},90%,50%)"/>'
        for x in range(0, 100, 10)
    )
    scene = measure(draw(stripes))
    assert scene.ground is None
    assert not scene.transparent
    assert scene.drawn.all()


def test_a_ground_that_jpeg_made_uneven_is_still_one() -> None:
    pixels = draw(f'<rect width="100" height="100" fill="#f4e9d8"/>{dots(3, "#1d4ed8")}')
    buffer = io.BytesIO()
    Image.fromarray(pixels[..., :3]).save(buffer, "JPEG", quality=40)
    seen = measure(np.asarray(Image.open(buffer).convert("RGBA")))
    assert seen.ground is not None
    assert seen.count == 3


def test_colours_are_of_the_drawing_and_not_of_its_ground() -> None:
    body = '<rect width="100" height="100" fill="#1d4ed8"/>'
    body += '<rect x="20" y="20" width="60" height="40" fill="#dd2222"/>'
    body += '<rect x="20" y="60" width="60" height="20" fill="#ffd400"/>'
    colours = measure(draw(body)).colours
    assert [colour.name for colour in colours] == ["red", "yellow"]
    assert colours[0].share == pytest.approx(2 / 3, abs=0.03)
    assert colours[0].hex.startswith("#d")


def test_symmetry_is_of_colours_too() -> None:
    even = '<rect x="20" y="20" width="60" height="60" fill="#d22"/>'
    half = even + '<rect x="50" y="20" width="30" height="60" fill="#22d"/>'
    assert measure(draw(even)).symmetry > 0.98
    assert measure(draw(half)).symmetry < 0.1


def test_an_empty_picture_has_nothing() -> None:
    seen = measure(np.zeros((64, 64, 4), np.uint8))
    assert seen.is_empty
    assert (seen.count, seen.shape, seen.colours) == (0, None, ())
    assert seen.box == (0.0, 0.0, 0.0, 0.0)


@given(st.integers(1, 400), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_any_picture_can_be_measured(width: int, height: int, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 4), np.uint8)
    seen = measure(pixels)
    assert max(seen.drawn.shape) <= 256
    assert seen.count >= 0
    assert 0 <= seen.symmetry <= 1
    assert sum(colour.share for colour in seen.colours) <= 1.0 + 1e-6
