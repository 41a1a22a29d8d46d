"""A blue fox, a black cat, a white rabbit: what moves and what stays."""

from __future__ import annotations

import numpy as np
import pytest

from sfumato.colours import basic_name, parse_colour, rgb_of
from sfumato.finish.tint import Tint, is_glyph, make_tint
from sfumato.oklab import srgb_to_oklab

# share, colour: an orange fox with a lighter and a darker orange, cream, black eyes, white glints
FOX = [
    (0.50, "#f4900c"),
    (0.15, "#ffac33"),
    (0.12, "#c1690a"),
    (0.13, "#ffe8b6"),
    (0.06, "#292f33"),
    (0.04, "#ffffff"),
]
GLYPH = [(0.99, "#101010"), (0.01, "#303030")]
RABBIT = [(0.7, "#c9ced3"), (0.2, "#99a1a8"), (0.06, "#f4abba"), (0.04, "#222222")]
CASTLE = [(0.55, "#9aaab4"), (0.25, "#ccd6dd"), (0.2, "#226699")]


def tint_of(drawing: list[tuple[float, str]], name: str) -> Tint | None:
    colours = np.array([rgb_of(code) for _, code in drawing], np.uint8)
    shares = np.array([share for share, _ in drawing])
    return make_tint(colours, shares, parse_colour(name), name)


def names(drawing: list[tuple[float, str]], tint: str) -> list[str]:
    moved = tint_of(drawing, tint)
    assert moved is not None
    colours = np.array([rgb_of(code) for _, code in drawing], np.uint8)
    return [basic_name(tuple(rgb)) for rgb in moved.apply(colours).tolist()]


@pytest.mark.parametrize("tint", ["blue", "red", "green", "purple", "pink", "brown"])
def test_a_fox_takes_the_colour_and_keeps_its_eyes(tint: str) -> None:
    assert [names(FOX, tint)[i] for i in (0, 4, 5)] == [tint, "black", "white"]


def test_shades_stay_in_order() -> None:
    moved = tint_of(FOX, "blue")
    assert moved is not None
    body, light, dark = srgb_to_oklab(
        moved.apply(np.array([rgb_of(code) for _, code in FOX[:3]], np.uint8))
    )[:, 0]
    assert dark < body < light


def test_the_main_colour_lands_on_the_tint() -> None:
    moved = tint_of(FOX, "emerald")
    assert moved is not None
    landed = moved.apply(np.array(rgb_of(FOX[0][1]), np.uint8)).astype(int)
    assert np.abs(landed - rgb_of(parse_colour("emerald"))).max() <= 2


def test_a_black_cat_has_light_eyes() -> None:
    found = names(FOX, "black")
    assert found[0] == "black"
    assert found[4] in {"grey", "white"}


def test_a_white_rabbit_keeps_its_pink_ears() -> None:
    assert names(RABBIT, "white")[0] == "white"
    assert names(RABBIT, "white")[2] == "pink"


@pytest.mark.parametrize("tint", ["red", "gold", "white", "blue"])
def test_a_black_glyph_is_filled(tint: str) -> None:
    moved = tint_of(GLYPH, tint)
    assert moved is not None
    filled = moved.apply(np.array(rgb_of(GLYPH[0][1]), np.uint8)).astype(int)
    assert np.abs(filled - rgb_of(parse_colour(tint))).max() <= 3


def test_a_castle_is_its_stone_and_not_its_roof() -> None:
    assert names(CASTLE, "red")[0] == "red"
    assert names(CASTLE, "red")[2] == "blue"


@pytest.mark.parametrize(("drawing", "name"), [(FOX, "orange"), (GLYPH, "black")])
def test_what_already_goes_by_the_name_is_left(drawing: list[tuple[float, str]], name: str) -> None:
    assert tint_of(drawing, name) is None


def test_a_special_blue_is_not_any_blue() -> None:
    assert tint_of([(1.0, "#2f6fde")], "navy") is not None


def test_nothing_drawn_needs_no_tint() -> None:
    assert make_tint(np.zeros((0, 3), np.uint8), np.zeros(0), "#ff0000", "red") is None


def test_only_one_dark_shape_is_a_glyph() -> None:
    def glyph(*parts: tuple[float, str]) -> bool:
        colours = np.array([rgb_of(code) for _, code in parts], np.uint8)
        return is_glyph(colours, np.array([share for share, _ in parts]))

    assert glyph(*GLYPH)
    assert not glyph(*FOX)
    assert not glyph((1.0, "#ffffff"))
    assert not glyph((1.0, "#2f6fde"))
    assert not is_glyph(np.zeros((0, 3), np.uint8), np.zeros(0))
