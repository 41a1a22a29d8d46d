"""Pictures of several things: each is looked at alone, and none is missing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pictures_to_check import Pixels, laid_on, plan_of

from sfumato.checks import check_pictures, run_checks
from sfumato.checks.colour import palette_drift, wrong_colour
from sfumato.checks.counting import wrong_count
from sfumato.checks.look import Look
from sfumato.checks.pieces import find_copies, of_each, pieces
from sfumato.colours import parse_colour, rgb_of
from sfumato.models import Conditioning
from sfumato.request import Emblem, Finding, GenerationPlan, Part

SIDE = 512
LEFT, RIGHT = (0.05, 0.1, 0.47, 0.9), (0.53, 0.1, 0.95, 0.9)


def two(first: str = "red", second: str = "green", **changes: Any) -> GenerationPlan:
    """A plan for a ball of one colour left of a box of another."""
    return plan_of(
        prompt=f"a {first} ball and a {second} box",
        subject="a ball and a box",
        parts=(
            Part(subject="ball", boxes=(LEFT,), tint=parse_colour(first), tint_name=first),
            Part(subject="box", boxes=(RIGHT,), tint=parse_colour(second), tint_name=second),
        ),
        **changes,
    )


def painted(*colours: str | None) -> Pixels:
    """Discs left and right in these colours; None for one that is not there."""
    y, x = np.mgrid[:SIDE, :SIDE]
    pixels = np.zeros((SIDE, SIDE, 4), np.uint8)
    for centre, colour in zip((0.26, 0.74), colours, strict=True):
        if colour is not None:
            inside = np.hypot(x - centre * SIDE, y - SIDE / 2) < 95
            pixels[inside] = (*rgb_of(parse_colour(colour)), 255)
    return pixels


def test_every_thing_is_found_where_it_was_laid() -> None:
    ((left,), (right,)) = find_copies(Look(painted("red", "green"), two()))
    assert left is not None and right is not None
    assert left[2] < SIDE / 2 < right[0]
    (ball, at), (box, where) = pieces(Look(painted("red", "green"), two()))
    assert ball.asked is not None and box.asked is not None
    assert (ball.asked.subject, box.asked.subject) == ("ball", "box")
    assert at[0] < left[0] and where[0] < right[0]
    assert ball.pixels.shape[1] < SIDE / 2


def test_a_clean_pair_is_passed_in_silence() -> None:
    known = ("subject_mismatch", "near_copy")
    conds = [Conditioning(positive=np.zeros(1), negative=np.zeros(1))] * 2
    for ground in ("transparent", "#fdf3d8"):
        pixels = painted("red", "green")
        if ground != "transparent":
            pixels = laid_on(pixels, rgb_of(ground))
        found = run_checks(pixels, two(background=ground), conds)
        assert [finding for finding in found if finding.check not in known] == []


@pytest.mark.parametrize(("second", "said"), [("white", 1), ("green", 0)])
def test_one_thing_that_vanishes_on_white_pages_is_told(second: str, said: int) -> None:
    found = run_checks(painted("red", second), two("red", second))
    lost = [finding for finding in found if finding.check == "vanishes"]
    assert len(lost) == said
    assert all(finding.box is not None and finding.box[0] > SIDE / 2 for finding in lost)


@pytest.mark.parametrize(
    ("colours", "missing"),
    [(("red", "green"), False), ((None, "green"), True), (("red", None), True)],
)
def test_a_thing_that_is_not_there_is_missed(
    colours: tuple[str | None, str | None], missing: bool
) -> None:
    found = wrong_count(Look(painted(*colours), two()))
    assert len(found) == missing
    if missing:
        assert found[0].message == "Asked for 2, but 1 can be told apart."


def test_things_that_run_together_are_one() -> None:
    pixels = painted("red", "green")
    pixels[250:262, 100:400] = (0, 0, 0, 255)
    assert wrong_count(Look(pixels, two()))


def test_a_count_that_nobody_was_given_to_draw_is_a_note() -> None:
    look = Look(painted("red", "red"), plan_of(prompt="twelve balls", subject="ball"))
    (found,) = wrong_count(look)
    assert found.severity == "note"
    asked = Look(painted("red", "red"), plan_of(prompt="twelve balls", subject="twelve balls"))
    (found,) = wrong_count(asked)
    assert found.severity == "warning"


def test_each_thing_is_held_against_its_own_colour() -> None:
    def said(*colours: str) -> list[tuple[str, tuple[int, int, int, int] | None]]:
        (found,) = check_pictures([Look(painted(*colours), two())], ["wrong_colour"])
        return [(finding.message, finding.box) for finding in found]

    assert said("red", "green") == []
    ((message, _),) = said("red", "blue")
    assert message.startswith("Asked for green, but 100% of the drawing is blue")
    assert len(said("green", "red")) == 2


@pytest.mark.parametrize("emblem", [None, Emblem(shape="square", colour="#ffc9d6")])
def test_a_shade_is_told_of_each_thing_and_the_ground_once(emblem: Emblem | None) -> None:
    pixels = laid_on(painted("red", "green"), rgb_of("#ffc9d6"))
    plan = two(background="#ffc9d6" if emblem is None else "transparent", emblem=emblem)
    assert palette_drift(Look(pixels, plan)) == []
    shifted = pixels.copy()
    shifted[(pixels[..., :3] == rgb_of(parse_colour("green"))).all(axis=2), :3] = (40, 190, 60)
    (found,) = palette_drift(Look(shifted, plan))
    assert found.message == "The box was to be green (#3aa652) and is another green (#28be3c)."


def test_what_is_said_of_a_piece_lies_in_the_whole_picture() -> None:
    def whole(look: Look) -> list[Finding]:
        return [Finding(check="x", severity="note", message="x.", box=look.box(look.drawn))]

    first, second = of_each(whole, Look(painted("red", "green"), two()))
    copies = find_copies(Look(painted("red", "green"), two()))
    assert [[first.box], [second.box]] == copies


def test_a_picture_of_one_thing_has_no_pieces() -> None:
    assert pieces(Look(painted("red", None), plan_of())) == []
    assert find_copies(Look(painted("red", None), plan_of())) == []
    assert pieces(Look(painted("red", None))) == []
    assert wrong_colour(Look(painted("red", "red"), prompt="two red balls")) == []


def test_nothing_at_all_is_for_another_check() -> None:
    empty = np.zeros((SIDE, SIDE, 4), np.uint8)
    assert wrong_count(Look(empty, two())) == []
    (found,) = check_pictures([Look(empty, two())], ["blank"])
    assert found
