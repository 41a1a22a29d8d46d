"""Counting subjects: apart, in parts, touching; and what is said when the number is wrong."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from sfumato.checks import Look
from sfumato.checks.counting import count_subjects, wrong_count

SIDE = 256
Y, X = np.mgrid[:SIDE, :SIDE]


def discs(*places: tuple[int, int, int]) -> NDArray[np.bool_]:
    mask = np.zeros((SIDE, SIDE), np.bool_)
    for x, y, radius in places:
        mask |= np.hypot(X - x, Y - y) < radius
    return mask


def picture(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    pixels = np.zeros((SIDE, SIDE, 4), np.uint8)
    pixels[mask] = (200, 40, 40, 255)
    return pixels


THREE = discs((50, 128, 35), (128, 128, 35), (206, 128, 35))


def test_subjects_apart() -> None:
    found, plausible = count_subjects(THREE)
    assert found == 3
    assert not {2, 4} & plausible


def test_a_subject_in_two_unequal_parts_may_be_one() -> None:
    exclamation = discs((128, 210, 14))
    exclamation[30:180, 110:146] = True
    assert 1 in count_subjects(exclamation)[1]


def test_eyes_inside_an_outline_belong_to_it() -> None:
    face = discs((128, 128, 100)) & ~discs((128, 128, 90))
    face |= discs((95, 110, 12), (161, 110, 12))
    assert count_subjects(face) == (1, {1})


def test_parts_a_hair_apart_are_one() -> None:
    halves = discs((128, 128, 90))
    halves[:, 127:129] = False
    assert count_subjects(halves)[0] == 1


def test_touching_subjects_part_when_shrunk() -> None:
    found, plausible = count_subjects(discs((80, 128, 50), (176, 128, 50)))
    assert found == 1
    assert 2 in plausible


@pytest.mark.parametrize("asked", ["two", "four", "five"])
def test_a_wrong_number_is_said(asked: str) -> None:
    (found,) = wrong_count(Look(picture(THREE), prompt=f"{asked} balls"))
    assert found.severity == "warning"
    assert found.measure == 3.0
    assert "3 can be told apart" in found.message
    assert found.box is not None
    assert found.box[0] < 20


@pytest.mark.parametrize("prompt", ["three balls", "a ball", None])
def test_the_right_number_or_none_is_silent(prompt: str | None) -> None:
    assert wrong_count(Look(picture(THREE), prompt=prompt)) == []


def test_a_full_canvas_is_not_counted() -> None:
    assert wrong_count(Look(picture(np.ones((SIDE, SIDE), np.bool_)), prompt="two balls")) == []
