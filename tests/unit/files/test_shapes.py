"""Drawings taken apart into absolute shapes: nothing moves, and nothing is left out silently."""

from __future__ import annotations

import io

import numpy as np
import pytest
import resvg_py
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import sfumato
from sfumato.files.shapes import Drawing, read_drawing
from sfumato.finish.emblem import SHAPES

HEAD = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100">'


def drawn(path: str) -> str:
    return f'{HEAD}<path fill="#204060" d="{path}"/></svg>'


def pixels(svg: str, side: int = 200) -> np.ndarray:
    sized = svg.replace("<svg ", f'<svg width="{side}" height="{side}" ', 1)
    with Image.open(io.BytesIO(bytes(resvg_py.svg_to_bytes(svg_string=sized)))) as image:
        rgba = np.asarray(image.convert("RGBA")).astype(int)
    return np.dstack([rgba[..., :3] * rgba[..., 3:] // 255, rgba[..., 3]])


def back_to_svg(drawing: Drawing) -> str:
    """The shapes as SVG again, from absolute commands alone."""
    parts = []
    for shape in drawing.shapes:
        data = "".join(
            kind + " ".join(f"{value:.4f}" for point in points for value in point)
            for kind, points in shape.segments
        )
        line = ""
        if shape.stroke is not None:
            line = (
                f' stroke="#{bytes(shape.stroke).hex()}" stroke-width="{shape.stroke_width}"'
                ' stroke-linejoin="round"'
            )
        parts.append(f'<path fill="#{bytes(shape.fill).hex()}"{line} d="{data}"/>')
    box = f"0 0 {drawing.width:g} {drawing.height:g}"
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}">{"".join(parts)}</svg>'


def same(svg: str) -> bool:
    drawing = read_drawing(svg)
    assert drawing is not None
    difference = np.abs(pixels(svg) - pixels(back_to_svg(drawing)))
    # arcs become curves there and here, each a little differently: single pixels of the rim may
    # differ by much, but half a unit anywhere would make a mean of 0.4
    return bool(difference.mean() < 0.2)


@pytest.mark.parametrize("shape", SHAPES)
def test_emblems_keep_their_shape(shape: str) -> None:
    assert same(drawn(SHAPES[shape].path(50.0, 48.0, 40.0)))


@pytest.mark.parametrize(
    "path",
    [
        "M10 10h50v40H20V80z",
        "m10 10 30 5 10 40z m40 40 20 0 0 20z",
        "M10 10c5 40 60-10 70 60z",
        "M10,50A40 20 30 0 1 80 60A15 15 0 1 0 40 80z",
        "M10 50a5 5 0 0 1 60 0z",
        "M20 20L60 20 60 60zl-10 50 50 0z",
    ],
)
def test_paths_stay_where_they_are(path: str) -> None:
    assert same(drawn(path))


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(*[st.floats(5, 45)] * 2),
    st.floats(0, 180),
    st.booleans(),
    st.booleans(),
    st.tuples(*[st.floats(20, 80)] * 2),
)
def test_any_arc_is_met(
    radii: tuple[float, float], turn: float, large: bool, sweep: bool, end: tuple[float, float]
) -> None:
    arc = f"{radii[0]:.2f} {radii[1]:.2f} {turn:.2f} {large:d} {sweep:d} {end[0]:.2f} {end[1]:.2f}"
    assert same(drawn(f"M50 10A{arc}L5 95z"))


@pytest.mark.parametrize("prompt", ["a red fox", "a cat on a navy background", "a wolf badge"])
def test_finished_pictures_can_be_read(prompt: str) -> None:
    svg = sfumato.generate(prompt, model="fake", seed=3, width=64, height=64).images[0].svg
    assert svg is not None
    assert same(svg)


@pytest.mark.parametrize(
    "inside",
    [
        '<circle r="5"/>',
        '<g><path fill="#ff0000" d="M0 0h1z"/></g>',
        '<path fill="url(#g)" d="M0 0h1z"/>',
        '<path fill="#ff0000" fill-opacity="0.5" d="M0 0h1z"/>',
        '<path fill="#ff0000" transform="scale(2)" d="M0 0h1z"/>',
        '<path fill="#ff0000" d="M0 0Q1 1 2 2z"/>',
        '<path fill="#ff0000" d="M0 0L1"/>',
        '<path d="M0 0h1z"/>',
        "<text>fox</text>",
        "<path",
    ],
)
def test_what_cannot_be_said_in_shapes_is_not_half_said(inside: str) -> None:
    assert read_drawing(f"{HEAD}{inside}</svg>") is None
    assert read_drawing(f"{HEAD}</svg>".replace("0 0 100", "5 0 100")) is None
