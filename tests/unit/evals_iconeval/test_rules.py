from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfumato.evals.iconeval.prompts import RELATIONS, Wanted
from sfumato.evals.iconeval.rules import check, relations_of

from .conftest import found, prompt_for

OPPOSITE = {"left of": "right of", "right of": "left of", "above": "below", "below": "above"}


def test_one_subject_is_right_when_it_is_there_and_others_do_no_harm() -> None:
    prompt = prompt_for("single", Wanted(concept="key"))
    assert check(prompt, [found("key")]).correct
    assert check(prompt, [found("key"), found("key"), found("star"), found("")]).correct
    nothing = check(prompt, [found("star"), found("")])
    assert not nothing.correct
    assert nothing.reason == "asked for 1 key, found 0"


def test_two_subjects_must_both_be_there() -> None:
    prompt = prompt_for("two", Wanted(concept="key"), Wanted(concept="star"))
    assert check(prompt, [found("star"), found("key")]).correct
    assert not check(prompt, [found("key"), found("key")]).correct
    assert not check(prompt, []).correct


@pytest.mark.parametrize(("drawn", "right"), [(0, False), (2, False), (3, True), (4, False)])
def test_counting_is_exact(drawn: int, right: bool) -> None:
    prompt = prompt_for("counting", Wanted(concept="key", count=3))
    verdict = check(prompt, [found("key")] * drawn + [found("star")])
    assert verdict.correct == right
    assert right or verdict.reason == f"asked for 3 key, found {drawn}"


def test_the_colour_is_asked_of_the_surest_subject_alone() -> None:
    prompt = prompt_for("colours", Wanted(concept="key", colour="blue"))
    blue, red = found("key", colour="blue"), found("key", colour="red")
    assert check(prompt, [blue, red]).correct
    assert check(prompt, [red, blue]).reason == "asked for a blue key, found red"
    assert not check(prompt, [found("star", colour="blue")]).correct


def test_each_subject_has_its_own_colour() -> None:
    prompt = prompt_for(
        "attribution",
        Wanted(concept="key", colour="blue"),
        Wanted(concept="star", colour="green"),
    )
    right = [found("key", colour="blue"), found("star", colour="green")]
    swapped = [found("key", colour="green"), found("star", colour="blue")]
    assert check(prompt, right).correct
    assert not check(prompt, swapped).correct


def test_position_is_of_the_first_to_the_second() -> None:
    prompt = prompt_for(
        "position", Wanted(concept="key"), Wanted(concept="star"), relation="left of"
    )
    assert check(prompt, [found("key", 0.2), found("star", 0.8)]).correct
    wrong = check(prompt, [found("key", 0.8), found("star", 0.2)])
    assert wrong.reason == "the key is right of the star, not left of it"
    same = check(prompt, [found("key"), found("star")])
    assert same.reason == "the key is on the star, not left of it"


def test_an_offset_counts_from_a_tenth_of_both_sizes() -> None:
    def beside(offset: float) -> frozenset[str]:
        first = found("key", 0.5 - offset, size=0.3)
        return relations_of(first.box, found("star", size=0.2).box)

    assert beside(0.049) == frozenset()
    assert beside(0.09) == frozenset()  # past the tenth, but the rest points nowhere
    assert beside(0.11) == {"left of"}


def test_a_diagonal_is_both() -> None:
    assert relations_of(found("key", 0.1, 0.1).box, found("star", 0.9, 0.9).box) == {
        "left of",
        "above",
    }


@given(
    st.lists(st.floats(0.1, 0.9), min_size=4, max_size=4),
    st.lists(st.floats(0.01, 0.3), min_size=2, max_size=2),
)
def test_relations_mirror_each_other(places: list[float], sizes: list[float]) -> None:
    first = found("a", places[0], places[1], size=sizes[0]).box
    second = found("b", places[2], places[3], size=sizes[1]).box
    there, back = relations_of(first, second), relations_of(second, first)
    assert {OPPOSITE[name] for name in there} == back
    assert there <= set(RELATIONS)
    assert not {"left of", "right of"} <= there
    far = np.hypot(places[0] - places[2], places[1] - places[3]) > 0.4 * sum(sizes)
    assert there or not far
