"""Several drawings on one canvas: apart, even, inside the room they were given."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sfumato.backends import fake
from sfumato.errors import BackendError
from sfumato.finish import assemble, finish
from sfumato.finish.arrange import arrange, rows_of
from sfumato.finish.compose import Canvas, Placement
from sfumato.finish.trace import FRAME
from sfumato.plan import make_plan as plan_of_request
from sfumato.request import FINISHES, Box, Emblem, GenerationPlan, GenerationRequest, Part

Pixels = NDArray[np.uint8]
MakePlan = Callable[..., GenerationPlan]
SQUARE = Canvas(1024.0, 1024.0)
CARD, BOTTLE, SNAKE = (
    (8.0, 8.0, 248.0, 248.0),
    (80.0, 10.0, 170.0, 250.0),
    (8.0, 100.0, 248.0, 150.0),
)


def parts_of(prompt: str, width: int = 512, height: int = 512) -> tuple[Part, ...]:
    request = GenerationRequest(prompt=prompt, model="fake", seed=1, width=width, height=height)
    return plan_of_request(request, fake.spec()).parts


def drawn_boxes(parts: tuple[Part, ...], extents: list[Box], canvas: Canvas = SQUARE) -> list[Box]:
    """What the placed drawings cover, in units."""

    def moved(box: Box, placed: Placement) -> Box:
        x, y = placed.shift
        left, top, right, bottom = (placed.scale * side for side in box)
        return left + x, top + y, right + x, bottom + y

    places = arrange(parts, extents, canvas)
    assert [len(own) for own in places] == [len(part.boxes) for part in parts]
    return [
        moved(extent, placed) for extent, own in zip(extents, places, strict=True) for placed in own
    ]


shapes = st.sampled_from([CARD, BOTTLE, SNAKE, (100.0, 100.0, 140.0, 150.0)])


@given(
    prompt=st.sampled_from(
        ["two cats", "three cats", "a cat and a dog", "two cats above a dog", "seven cats",
         "a cat left of a dog", "four cats left of a dog", "a cat between two dogs"]
    ),
    first=shapes,
    second=shapes,
    size=st.sampled_from([(512, 512), (900, 300), (300, 900)]),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_drawings_lie_apart_and_on_the_canvas(
    prompt: str, first: Box, second: Box, size: tuple[int, int]
) -> None:
    parts = parts_of(prompt, *size)
    canvas = Canvas(1024.0 * size[0] / min(size), 1024.0 * size[1] / min(size))
    boxes = drawn_boxes(parts, [first, second][: len(parts)], canvas)
    for left, top, right, bottom in boxes:
        assert left > 0 and top > 0
        assert right < canvas.width and bottom < canvas.height
    for one, other in combinations(boxes, 2):
        across = max(one[0], other[0]) - min(one[2], other[2])
        down = max(one[1], other[1]) - min(one[3], other[3])
        assert max(across, down) > 10  # units of 1024: two pixels where the judge looks
    assert min(b[0] for b in boxes) + max(b[2] for b in boxes) == pytest.approx(
        canvas.width, abs=0.5
    )
    assert min(b[1] for b in boxes) + max(b[3] for b in boxes) == pytest.approx(
        canvas.height, abs=0.5
    )


def test_slender_drawings_grow_into_the_room() -> None:
    row = parts_of("three bottles in a row")
    assert min(bottom - top for _, top, _, bottom in drawn_boxes(row, [BOTTLE])) > 550
    cards = drawn_boxes(row, [CARD])
    assert cards[0][2] - cards[0][0] == pytest.approx(262, abs=3)


def test_three_fill_a_square() -> None:
    boxes = drawn_boxes(parts_of("three cards"), [CARD])
    assert {round(box[2] - box[0]) for box in boxes} == {406}
    assert min(box[1] for box in boxes) == pytest.approx(0.06 * 1024, abs=1)
    assert min(box[0] for box in boxes) == pytest.approx(0.06 * 1024, abs=1)


def test_a_row_of_unlike_drawings_has_even_gaps() -> None:
    parts = parts_of("a snake, a bottle and a card, in a row")
    boxes = sorted(drawn_boxes(parts, [SNAKE, BOTTLE, CARD]))
    gaps = [later[0] - earlier[2] for earlier, later in pairwise(boxes)]
    assert gaps[0] == pytest.approx(gaps[1])
    longest = {round(max(b[2] - b[0], b[3] - b[1]), 3) for b in boxes}
    assert len(longest) == 1  # one size, as icons of a set
    assert len({round(b[3], 3) for b in boxes}) == 1  # on one ground


def test_what_hovers_is_centred_beside_what_stands() -> None:
    parts = parts_of("a cloud, a bottle and a snake, in a row")
    cloud, bottle, snake = drawn_boxes(parts, [SNAKE, BOTTLE, SNAKE])
    assert snake[3] == pytest.approx(bottle[3])
    assert cloud[1] + cloud[3] == pytest.approx(bottle[1] + bottle[3])


def test_each_row_has_a_ground_of_its_own() -> None:
    parts = parts_of("a snake, a bottle, a card and a ticket")
    boxes = drawn_boxes(parts, [SNAKE, BOTTLE, BOTTLE, SNAKE])
    assert boxes[0][3] == pytest.approx(boxes[1][3])
    assert boxes[2][3] == pytest.approx(boxes[3][3])
    assert boxes[1][3] < boxes[2][1]


def test_recipes_of_before_the_ground_are_laid_out_as_they_were() -> None:
    """They say nothing of standing: everything is centred in its row."""
    snake = Part(subject="snake", boxes=((0.06, 0.06, 0.46, 0.94),))
    bottle = Part(subject="bottle", boxes=((0.54, 0.06, 0.94, 0.94),))
    boxes = drawn_boxes((snake, bottle), [SNAKE, BOTTLE])
    assert boxes[0][1] + boxes[0][3] == pytest.approx(boxes[1][1] + boxes[1][3])


def test_columns_of_a_grid_stand_under_one_another() -> None:
    boxes = drawn_boxes(parts_of("three bottles and three snakes"), [BOTTLE, SNAKE])
    bottles, snakes = boxes[:3], boxes[3:]
    for above, below in zip(bottles, snakes, strict=True):
        assert above[0] + above[2] == pytest.approx(below[0] + below[2])


def test_rows_are_found_whatever_the_order() -> None:
    rooms = [(0.0, 600.0, 400.0, 1000.0), (500.0, 0.0, 900.0, 400.0), (0.0, 0.0, 400.0, 400.0)]
    assert rows_of(rooms, SQUARE) == [[2, 1], [0]]
    assert rows_of([(0.0, 0.0, 400.0, 900.0), (500.0, 300.0, 900.0, 600.0)], SQUARE) is None


def test_a_drawing_that_is_meant_to_be_small_stays_small() -> None:
    dot = (124.0, 124.0, 132.0, 132.0)
    boxes = drawn_boxes(parts_of("two dots"), [dot])
    assert boxes[0][2] - boxes[0][0] == pytest.approx(8 * 1.8 * 1024 / FRAME)


# ---------------------------------------------------------------- through the whole finish


def two_parts(**changes: object) -> dict[str, object]:
    parts = parts_of("two foxes left of an owl")
    return {"parts": parts, "width": 300, "height": 200, **changes}


@pytest.mark.parametrize("kind", FINISHES)
def test_each_copy_is_drawn_in_its_colour(kind: str, face: Pixels, make_plan: MakePlan) -> None:
    parts = parts_of("two blue foxes left of a green owl")
    plan = make_plan(parts=parts, width=300, height=100, finish=kind)
    pixels = finish([face, face], plan).pixels
    columns = np.flatnonzero((pixels[..., 3] > 128).any(axis=0))
    groups = np.split(columns, np.flatnonzero(np.diff(columns) > 1) + 1)
    assert len(groups) == 3
    means = [
        pixels[:, group][pixels[:, group, 3] > 250][:, :3].mean(axis=0).argmax() for group in groups
    ]
    assert means == [2, 2, 1]  # blue, blue, green
    if kind == "vector":
        widths = {len(group) for group in groups[:2]}
        assert max(widths) - min(widths) <= 1  # copies of one drawing


def test_paths_are_repeated_for_each_copy(face: Pixels, make_plan: MakePlan) -> None:
    svg = finish([face, face], make_plan(**two_parts())).svg
    alone = finish([face], make_plan()).svg
    assert svg is not None and alone is not None
    assert svg.count("<path") == 3 * alone.count("<path")


def test_an_emblem_and_a_ground_are_drawn_once(face: Pixels, make_plan: MakePlan) -> None:
    emblem = Emblem(shape="circle", colour="#f58a1f")  # as the drawing: it gets a line around
    svg = finish([face, face], make_plan(**two_parts(emblem=emblem, background="#ffffff"))).svg
    assert svg is not None
    assert svg.count("<rect") == 1
    assert svg.count("stroke=") == 3


def test_as_many_drawings_as_parts_are_needed(face: Pixels, make_plan: MakePlan) -> None:
    with pytest.raises(BackendError, match="1 drawings for a plan of 2"):
        finish([face], make_plan(**two_parts()))


@pytest.mark.parametrize("kind", FINISHES)
def test_a_strangers_boxes_do_no_harm(kind: str, face: Pixels, make_plan: MakePlan) -> None:
    everywhere, crumb = (0.0, 0.0, 1.0, 1.0), (0.5, 0.5, 0.5002, 0.5002)
    plan = make_plan(
        parts=(Part(subject="fox", boxes=(everywhere, everywhere, crumb)),),
        width=16, height=16, finish=kind,
    )  # fmt: skip
    assert finish([face], plan).pixels.shape == (16, 16, 4)
    assert finish([np.zeros_like(face)], plan).pixels.shape == (16, 16, 4)


def test_a_preview_shows_what_is_drawn_so_far(face: Pixels, make_plan: MakePlan) -> None:
    plan = make_plan(**two_parts())
    first, both = assemble([face], plan), assemble([face, face], plan)
    assert first.shape == both.shape == face.shape
    assert (both[..., 3] > 128).sum() > (first[..., 3] > 128).sum() > 0
    assert (first[:, :128, 3] > 128).any() and not (first[:, 200:, 3] > 128).any()
    assert assemble([face], make_plan()) is face
