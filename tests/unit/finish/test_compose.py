"""Where things go on the canvas, and the document they become."""

from __future__ import annotations

import re
from collections.abc import Callable
from xml.etree import ElementTree

import numpy as np
import pytest

from sfumato.errors import BackendError
from sfumato.finish.compose import (
    Canvas,
    Laid,
    Placement,
    document,
    glyph_colour,
    keyline_colour,
    place,
    render,
)
from sfumato.finish.curves import Outline
from sfumato.finish.emblem import SHAPES
from sfumato.finish.trace import FRAME, Shape
from sfumato.request import EMBLEM_SHAPES, Emblem, GenerationPlan

MakePlan = Callable[..., GenerationPlan]
SQUARE = Canvas(1024.0, 1024.0)


def box_shape(left: float, top: float, right: float, bottom: float) -> Shape:
    corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
    pieces = tuple(corner[None] for corner in (*corners[1:], corners[0]))
    return Shape((200, 40, 40), (Outline(corners[0], pieces),))


def placed(box: tuple[float, float, float, float], where: Placement) -> np.ndarray:
    return np.array(box).reshape(2, 2) * where.scale + np.array(where.shift)


@pytest.mark.parametrize("box", [(40.0, 60.0, 200.0, 150.0), (60.0, 10.0, 100.0, 240.0)])
@pytest.mark.parametrize("canvas", [SQUARE, Canvas(2048.0, 1024.0), Canvas(1024.0, 1365.333)])
def test_a_drawing_is_centred_with_six_per_cent_around(
    box: tuple[float, float, float, float], canvas: Canvas
) -> None:
    (left, top), (right, bottom) = placed(box, place(box, canvas, None, bleed=False))
    assert left + right == pytest.approx(canvas.width)
    assert top + bottom == pytest.approx(canvas.height)
    assert max(right - left, bottom - top) == pytest.approx(0.88 * 1024)


def test_a_small_drawing_is_not_blown_up() -> None:
    box = (120.0, 120.0, 136.0, 136.0)
    (left, _), (right, _) = placed(box, place(box, SQUARE, None, bleed=False))
    assert right - left == pytest.approx(16 * 1.8 * 4)


def test_a_scene_covers_the_whole_square() -> None:
    where = place((3.0, 3.0, 253.0, 253.0), SQUARE, None, bleed=True)
    (left, top), (right, bottom) = placed((0.0, 0.0, FRAME, FRAME), where)
    assert left < 0 and top < 0 and right > 1024 and bottom > 1024


@pytest.mark.parametrize("shape", EMBLEM_SHAPES)
def test_a_drawing_stays_inside_its_emblem(shape: str, make_plan: MakePlan) -> None:
    """A full square of a drawing leaves the emblem's colour visible on all sides of itself."""
    emblem = Emblem(shape=shape, colour="#204080")
    plan = make_plan(width=512, height=512, emblem=emblem)
    box = (0.0, 0.0, FRAME, 0.8 * FRAME)
    where = place(box, SQUARE, emblem, bleed=False)
    svg = document([Laid([box_shape(*box)], (where,))], SQUARE, plan)
    pixels = render(svg, 512, 512)
    alone = render(document([], SQUARE, plan), 512, 512)
    outside = alone[..., 3] < 128
    if shape == "ring":  # its hole belongs to the emblem
        y, x = np.mgrid[:512, :512] - 255.5
        outside &= np.hypot(x, y) > 250
    assert not (outside & (pixels[..., 3] > 128)).any()
    assert (pixels[..., :3] == (200, 40, 40)).all(axis=2).mean() > 0.1


def test_every_emblem_a_plan_may_ask_for_can_be_drawn() -> None:
    assert set(SHAPES) == set(EMBLEM_SHAPES)


def test_a_keyline_is_drawn_where_colours_run_together() -> None:
    orange = np.array([[240, 140, 30], [20, 20, 20]], np.uint8)
    shares = np.array([0.8, 0.2])
    on = {code: keyline_colour(orange, shares, Emblem(shape="circle", colour=code))
          for code in ("#f58a1f", "#1d2f63")}  # fmt: skip
    assert on == {"#f58a1f": "#ffffff", "#1d2f63": None}
    ring = Emblem(shape="ring", colour="#f58a1f")
    assert keyline_colour(orange, shares, ring) is None


def test_the_keyline_is_dark_on_a_light_emblem() -> None:
    white = np.array([[255, 255, 255]], np.uint8)
    colour = keyline_colour(white, np.ones(1), Emblem(shape="circle", colour="#ffffff"))
    assert colour is not None and int(colour[1:3], 16) < 64


def test_a_glyph_takes_the_colour_that_shows() -> None:
    assert glyph_colour(Emblem(shape="circle", colour="#1d2f63"), "#ffffff") == "#ffffff"
    assert glyph_colour(Emblem(shape="circle", colour="#fcd12a"), "#000000") != "#ffffff"
    ring = Emblem(shape="ring", colour="#1d2f63")
    assert glyph_colour(ring, "transparent") == glyph_colour(ring, "#fcd12a") != "#ffffff"
    assert glyph_colour(ring, "#000000") == "#ffffff"


def test_the_document_is_small_and_says_what_it_should(make_plan: MakePlan) -> None:
    plan = make_plan(background="#fdf3d8", emblem=Emblem(shape="circle", colour="#204080"))
    shape = box_shape(1 / 3, 2.0, 30.0, 40.0)
    svg = document([Laid([shape], (Placement(2.0, (1.0, 1.0)),), shape)], SQUARE, plan)
    root = ElementTree.fromstring(svg)
    assert root.get("viewBox") == "0 0 1024 1024"
    assert [child.tag.rpartition("}")[2] for child in root] == ["rect", "path", "path", "path"]
    assert [child.get("fill") for child in root] == ["#fdf3d8", "#204080", "#c82828", "#c82828"]
    assert max(len(number) for number in re.findall(r"\d+\.?\d*", root[3].get("d") or "")) <= 6


def test_transparent_means_no_rectangle(make_plan: MakePlan) -> None:
    assert "<rect" not in document([], SQUARE, make_plan())


@pytest.mark.parametrize(
    ("width", "height"), [(16, 16), (1920, 1080), (37, 66), (1000, 750), (4096, 16)]
)
def test_rendered_to_the_pixel(width: int, height: int, make_plan: MakePlan) -> None:
    plan = make_plan(width=width, height=height, background="#204080")
    svg = document([], Canvas.of(plan), plan)
    pixels = render(svg, width, height)
    assert pixels.shape == (height, width, 4) and pixels.dtype == np.uint8
    assert (pixels == (0x20, 0x40, 0x80, 255)).all()


def test_what_is_no_document_is_an_engine_failure() -> None:
    with pytest.raises(BackendError, match="could not be rendered"):
        render("<svg <", 16, 16)
