"""Where several things stand: rows that look even, relations kept, room used."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfumato.backends import fake
from sfumato.prompt import Room, lay_out, parse_prompt, say_layout
from sfumato.request import EMBLEM_SHAPES, Box, Emblem, Part

SPEC = fake.spec()


def laid(
    prompt: str, width: int = 1024, height: int = 1024, emblem: str | None = None
) -> tuple[Part, ...]:
    scene = parse_prompt(prompt, SPEC).scene
    assert scene is not None
    shape = None if emblem is None else Emblem(shape=emblem, colour="#204080")
    return lay_out(scene, Room.of(width, height, shape))


def boxes(parts: tuple[Part, ...]) -> list[Box]:
    return [box for part in parts for box in part.boxes]


def rows(parts: tuple[Part, ...]) -> list[int]:
    """How many boxes stand in each row, top row first."""
    tops = [box[1] for box in boxes(parts)]
    return [tops.count(top) for top in sorted(set(tops))]


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("two stars", [2]),
        ("three stars", [1, 2]),
        ("four stars", [2, 2]),
        ("five stars", [2, 3]),
        ("six stars", [3, 3]),
        ("seven stars", [2, 3, 2]),
        ("eight stars", [3, 2, 3]),
        ("nine stars", [3, 3, 3]),
        ("three stars in a row", [3]),
        ("four stars in a row", [4]),
        ("three stars side by side", [3]),
        ("three stars one above the other", [1, 1, 1]),
        ("three stars in a grid", [1, 2]),
        ("four apples and four pears", [4, 4]),
        ("two cats and a dog", [2, 1]),
        ("a cat and two dogs", [1, 2]),
        ("an apple, a pear and a banana", [1, 2]),
        ("a cat between two dogs", [3]),
        ("two cats above a dog", [2, 1]),
        ("an owl above a book", [1, 1]),
    ],
)
def test_rows_are_balanced(prompt: str, expected: list[int]) -> None:
    assert rows(laid(prompt)) == expected


@pytest.mark.parametrize(
    ("size", "expected"), [((3072, 1024), [5]), ((1024, 3072), [1] * 5), ((1024, 1024), [2, 3])]
)
def test_rows_follow_the_canvas(size: tuple[int, int], expected: list[int]) -> None:
    assert rows(laid("five stars", *size)) == expected


@pytest.mark.parametrize(
    ("count", "wide", "tall"),
    [
        (2, [2], [1, 1]),
        (3, [3], [1, 1, 1]),
        (4, [4], [1, 1, 1, 1]),
        (5, [2, 3], [2, 1, 2]),
        (6, [3, 3], [2, 2, 2]),
        (7, [3, 4], [1, 2, 2, 2]),
        (9, [4, 5], [2, 2, 1, 2, 2]),
    ],
)
def test_screens_and_telephones_are_filled(count: int, wide: list[int], tall: list[int]) -> None:
    assert rows(laid(f"{count} stars", 1920, 1080)) == wide
    assert rows(laid(f"{count} stars", 1080, 1920)) == tall


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("three candles", [3]),  # slender: a row leaves them taller than a triangle
        ("three floor lamps", [3]),
        ("three sunglasses", [1, 1, 1]),
        ("two cars", [1, 1]),
        ("three cars", [1, 2]),
        ("a car and a van", [1, 1]),
        ("a car and a cat", [2]),
        ("two cars in a row", [2]),
        ("a car left of a van", [2]),
    ],
)
def test_slender_and_broad_things_stand_where_they_are_largest(
    prompt: str, expected: list[int]
) -> None:
    assert rows(laid(prompt)) == expected


def test_three_on_a_square_are_half_as_large_again_as_in_a_row() -> None:
    triangle, row = boxes(laid("three apples")), boxes(laid("three apples in a row"))
    assert min(b[2] - b[0] for b in triangle) > 1.5 * max(b[2] - b[0] for b in row)
    top, left, right = triangle
    assert top[3] < left[1] == right[1]
    assert top[0] + top[2] == pytest.approx(left[0] + right[2])


def test_what_stands_is_said_of_each_thing() -> None:
    parts = laid("a cat, a hot air balloon, a red heart and a bottle of milk")
    assert [part.stands for part in parts] == [True, False, False, True]


def test_three_on_a_round_emblem_stand_as_a_pyramid() -> None:
    assert rows(laid("three stars", emblem="circle")) == [1, 2]
    assert rows(laid("three stars", emblem="shield")) == [2, 1]


@pytest.mark.parametrize(
    ("prompt", "first_is"),
    [
        ("a cat left of a dog", "left"),
        ("a cat right of a dog", "right"),
        ("a cat above a dog", "above"),
        ("a cat below a dog", "below"),
        ("a cat beside a dog", "left"),
        ("four cats left of a dog", "left"),
        ("four cats below five dogs", "below"),
    ],
)
@pytest.mark.parametrize("size", [(1024, 1024), (600, 1200), (1200, 600)])
def test_relations_hold_for_every_copy(prompt: str, first_is: str, size: tuple[int, int]) -> None:
    first, second = laid(prompt, *size)
    for one in first.boxes:
        for other in second.boxes:
            assert {
                "left": one[2] < other[0],
                "right": one[0] > other[2],
                "above": one[3] < other[1],
                "below": one[1] > other[3],
            }[first_is]


def test_between_has_neighbours_on_both_sides() -> None:
    cat, dog = laid("a cat between two dogs")
    ((left, _, right, _),) = cat.boxes
    assert dog.boxes[0][2] < left
    assert right < dog.boxes[1][0]


@given(
    count=st.integers(2, 5),
    others=st.integers(0, 4),
    link=st.sampled_from([" and ", " left of ", " above ", " between "]),
    width=st.integers(16, 4096),
    height=st.integers(16, 4096),
    emblem=st.none() | st.sampled_from(EMBLEM_SHAPES),
)
@settings(max_examples=60, deadline=None)
def test_boxes_lie_apart_on_the_canvas_and_in_its_middle(
    count: int, others: int, link: str, width: int, height: int, emblem: str | None
) -> None:
    if link == " between ":
        prompt = "a cat between two dogs"
    else:
        prompt = f"{count} cats" + (f"{link}{others} dogs" if others > 1 else "")
    parts = laid(prompt, width, height, emblem)
    assert parts == laid(prompt, width, height, emblem)
    every = boxes(parts)
    for left, top, right, bottom in every:
        assert 0 <= left < right <= 1
        assert 0 <= top < bottom <= 1
    for one, other in combinations(every, 2):
        assert one[2] < other[0] or other[2] < one[0] or one[3] < other[1] or other[3] < one[1]
    assert min(box[0] for box in every) + max(box[2] for box in every) == pytest.approx(1, abs=1e-4)
    middle = min(box[1] for box in every) + max(box[3] for box in every)
    assert middle <= 1 + 1e-4  # on a shield a little higher
    assert emblem == "shield" or middle == pytest.approx(1, abs=1e-4)


def test_the_room_is_used() -> None:
    for left, top, right, bottom in boxes(laid("three bottles in a row")):
        assert right - left > 0.25
        assert bottom - top > 0.85  # a slender drawing may be as tall as the canvas
    wide = laid("three stars", 3072, 1024)
    assert all(box[3] - box[1] > 0.8 for box in boxes(wide))


@pytest.mark.parametrize(
    ("prompt", "sentence"),
    [
        ("three apples", "Laid out as three apples in a triangle."),
        ("three apples in a row", "Laid out as three apples in a row."),
        ("two cars", "Laid out as two cars one above the other."),
        ("a fox and an owl", "Laid out as a fox and an owl side by side."),
        ("five stars", "Laid out as five stars in 2 rows."),
        ("two stars one above the other", "Laid out as two stars one above the other."),
        ("a cat right of two dogs", "Laid out from left to right: two dogs; a cat."),
        ("an owl above a book", "Laid out from top to bottom: an owl; a book."),
    ],
)
def test_it_is_said_what_stands_where(prompt: str, sentence: str) -> None:
    scene = parse_prompt(prompt, SPEC).scene
    assert scene is not None
    assert say_layout(scene, laid(prompt)) == sentence
