"""Names to colours, colours to names, and what a picture is mostly made of."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfumato.colours import (
    BASIC_TERMS,
    COLOUR_NAMES,
    basic_name,
    cluster_colours,
    dominant_colours,
    nearest_index,
    parse_background,
    parse_colour,
    rgb_of,
    to_hex,
)
from sfumato.errors import RequestError
from sfumato.oklab import srgb_to_oklab

CHANNEL = st.integers(0, 255)


@pytest.mark.parametrize(
    ("text", "code"),
    [("#1D4ed8", "#1d4ed8"), ("#0af", "#00aaff"), ("  #fff ", "#ffffff"), ("Gray", "#8e9299")],
)
def test_codes_and_spellings(text: str, code: str) -> None:
    assert parse_colour(text) == code


@pytest.mark.parametrize("name", COLOUR_NAMES)
def test_every_name_is_a_colour(name: str) -> None:
    assert len(rgb_of(parse_colour(name))) == 3


@pytest.mark.parametrize("term", BASIC_TERMS)
def test_a_basic_term_names_itself(term: str) -> None:
    assert basic_name(rgb_of(parse_colour(term))) == term


def test_red_is_a_designers_red() -> None:
    assert parse_colour("red") != "#ff0000"


@pytest.mark.parametrize("name", ["red", "green", "blue", "purple", "orange", "brown"])
def test_modifiers_move_lightness(name: str) -> None:
    plain, light, dark = (
        srgb_to_oklab(np.array(rgb_of(parse_colour(text)), np.uint8))[0]
        for text in (name, f"light {name}", f"dark-{name}")
    )
    assert dark < plain - 0.08 < plain + 0.08 < light


@pytest.mark.parametrize("text", ["", "fox", "#12", "#12345g", "light", "very red", "123456"])
def test_what_is_no_colour_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match="no colour called"):
        parse_colour(text)


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("transparent", "transparent"),
        (" None ", "transparent"),
        ("opaque", "opaque"),
        ("#abc", "#aabbcc"),
        ("navy", parse_colour("navy")),
    ],
)
def test_backgrounds(text: str, meaning: str) -> None:
    assert parse_background(text) == meaning


def test_an_unknown_background_says_what_is_known() -> None:
    with pytest.raises(RequestError) as caught:
        parse_background("plaid")
    assert "transparent" in caught.value.hint


@given(CHANNEL, CHANNEL, CHANNEL)
def test_hex_round_trip(red: int, green: int, blue: int) -> None:
    assert rgb_of(parse_colour(to_hex((red, green, blue)))) == (red, green, blue)


# What people call the colours that icon sets really use, and the corners of the sRGB cube.
@pytest.mark.parametrize(
    ("code", "term"),
    [
        ("#ff0000", "red"),
        ("#dd2e44", "red"),
        ("#7f0000", "red"),
        ("#f4900c", "orange"),
        ("#ff7f00", "orange"),
        ("#ffcc4d", "yellow"),
        ("#ffff00", "yellow"),
        ("#77b255", "green"),
        ("#3e721d", "green"),
        ("#00ff00", "green"),
        ("#3b88c3", "blue"),
        ("#55acee", "blue"),
        ("#0000ff", "blue"),
        ("#14213d", "blue"),
        ("#9266cc", "purple"),
        ("#744eaa", "purple"),
        ("#ff69b4", "pink"),
        ("#f7b7c8", "pink"),
        ("#662113", "brown"),
        ("#c1694f", "brown"),
        ("#292f33", "black"),
        ("#141414", "black"),
        ("#ccd6dd", "grey"),
        ("#808080", "grey"),
        ("#ffffff", "white"),
        ("#f5f8fa", "white"),
    ],
)
def test_naming(code: str, term: str) -> None:
    assert basic_name(rgb_of(code)) == term


@given(CHANNEL)
def test_greys_have_no_hue(level: int) -> None:
    assert basic_name((level, level, level)) in {"black", "grey", "white"}


def test_dominant_colours_ignore_what_is_clear() -> None:
    pixels = np.zeros((10, 10, 4), np.uint8)
    pixels[...] = (0, 200, 0, 0)  # clear green
    pixels[:6] = (220, 30, 30, 255)
    pixels[6:8] = (30, 30, 220, 255)
    (first, share), (second, rest) = dominant_colours(pixels, 4)
    assert first == (220, 30, 30) and share == pytest.approx(0.75)
    assert second == (30, 30, 220) and rest == pytest.approx(0.25)


def test_an_empty_picture_has_no_colours() -> None:
    assert dominant_colours(np.zeros((4, 4, 4), np.uint8)) == []


def test_a_small_striking_colour_gets_its_own_cluster() -> None:
    rng = np.random.default_rng(0)
    body = np.array([0.7, 0.1, 0.1]) + rng.normal(0, 0.004, (300, 3))
    eyes = np.array([[0.1, 0.0, 0.0]])
    points = np.concatenate([body, eyes])
    centres, shares, owner = cluster_colours(points, np.ones(301), 5, merge_below=0.05)
    assert len(centres) == 2
    assert shares[0] == pytest.approx(300 / 301)
    assert owner[-1] == 1 and (owner[:-1] == 0).all()


def test_no_more_clusters_than_asked() -> None:
    points = np.random.default_rng(1).random((200, 3))
    centres, shares, _ = cluster_colours(points, np.ones(200), 7, merge_below=0.001)
    assert len(centres) == 7
    assert (np.diff(shares) <= 0).all() and shares.sum() == pytest.approx(1.0)


def test_the_nearest_centre_is_the_one_at_the_smallest_distance() -> None:
    rng = np.random.default_rng(0)
    points, centres = rng.random((500, 3)), rng.random((7, 3))
    centres[4] = centres[2]  # of equals the first
    distances = ((points[:, None] - centres[None]) ** 2).sum(axis=2)
    assert (nearest_index(points, centres) == distances.argmin(axis=1)).all()
