"""What the words demand: counts, lettering, tiling and symmetry, and where they demand nothing."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfumato.checks.demands import asked_count, asked_lettering, asked_symmetry, asks_to_tile


@pytest.mark.parametrize(
    ("prompt", "count"),
    [
        ("three apples", 3),
        ("3 small red apples, flat style", 3),
        ("a pair of cherries", 2),
        ("logo of a couple of foxes", 2),
        ("three stars on a blue shield", 3),
        ("four fish on white", 4),
        ("a fox and two rabbits", 3),
        ("two cats and three dogs", 5),
        ("a single star", 1),
        ("one apple", 1),
        ("a dozen eggs", 12),
    ],
)
def test_a_number_of_subjects(prompt: str, count: int) -> None:
    assert asked_count(prompt) == count


@pytest.mark.parametrize(
    "prompt",
    [
        "a red fox",
        "five pointed star",
        "a pair of glasses",
        "three colours",
        "4k wallpaper of a fox",
        "3d robot",
        "two-headed eagle",
        "three cats in a basket",  # need not stand apart
        "a house with two windows",
        "a bowl of three apples",
        "salt and two eggs",  # how much salt?
        "three apples, two pears",  # a list or a sum?
        "100 balloons",
    ],
)
def test_no_number_or_none_that_can_be_counted(prompt: str) -> None:
    assert asked_count(prompt) is None


@pytest.mark.parametrize(
    ("prompt", "texts"),
    [
        ('a sign that says "OPEN"', ("OPEN",)),
        ("a sign that says 'OPEN'", ("OPEN",)),
        ("neon reading “Late  Night”", ("Late Night",)),
        ("the word OPEN on a door", ("OPEN",)),
        ("text LOVE & PEACE", ("LOVE & PEACE",)),
        ('"A" above "B"', ("A", "B")),
        ('"a red fox"', ()),  # typed in quotes, as on a command line
        ("a cat's bed, a dog's bed", ()),
        ("a fox", ()),
        (f'"{"long " * 20}" on a wall', ()),
    ],
)
def test_lettering(prompt: str, texts: tuple[str, ...]) -> None:
    assert asked_lettering(prompt) == texts


@pytest.mark.parametrize("prompt", ["seamless leaves", "Tileable stone", "a pattern that tiles"])
def test_asking_to_tile(prompt: str) -> None:
    assert asks_to_tile(prompt)


@pytest.mark.parametrize("prompt", ["a roof tile", "a seam", "pattern of leaves"])
def test_not_asking_to_tile(prompt: str) -> None:
    assert not asks_to_tile(prompt)


@pytest.mark.parametrize(
    ("prompt", "symmetry"),
    [
        ("a symmetrical butterfly", "left-right"),
        ("vertical symmetry", "left-right"),
        ("horizontally symmetric mask", "top-bottom"),
        ("radially symmetric flower", "rotational"),
        ("symmetry on both axes", "both"),
        ("an asymmetrical face", None),
        ("not symmetrical", None),
    ],
)
def test_symmetry(prompt: str, symmetry: str | None) -> None:
    assert asked_symmetry(prompt) == symmetry


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=80))
def test_any_text_is_read(prompt: str) -> None:
    count = asked_count(prompt)
    assert count is None or 1 <= count <= 24
    assert all(text and len(text) <= 60 for text in asked_lettering(prompt))
    asks_to_tile(prompt)
    asked_symmetry(prompt)
