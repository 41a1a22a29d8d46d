"""Ranking: the subject by the model, the colour by counting pixels, ties in the order given."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from sfumato.clip.base import PictureTextSpec
from sfumato.clip.calibration import Calibration
from sfumato.clip.fake import ColourModel
from sfumato.clip.rank import Query, Ranked, closeness, colour_shares, embed_query, order, rank
from sfumato.errors import ModelError

SPEC = ColourModel.spec
COLOURS = {"red": (220, 47, 47), "blue": (47, 111, 222), "green": (58, 166, 82)}


def disc(colour: str, ground: tuple[int, int, int, int] = (0, 0, 0, 0)) -> NDArray[np.uint8]:
    """A disc of one colour on a ground, (64, 64, 4)."""
    y, x = np.mgrid[:64, :64] - 31.5
    pixels = np.empty((64, 64, 4), np.uint8)
    pixels[:] = ground
    pixels[x**2 + y**2 < 24**2] = (*COLOURS[colour], 255)
    return pixels


def places(ranked: Sequence[Ranked]) -> list[int]:
    return [entry.index for entry in ranked]


def ordered(cosines: Sequence[float], shares: Sequence[float] | None, query: Query) -> list[Ranked]:
    counted = np.ones(len(cosines)) if shares is None else np.array(shares)
    return order(np.array(cosines, np.float32), counted, query, ColourModel())


ANY, RED = Query(subject="fox"), Query(subject="fox", colour="#dc2f2f")


# ---------------------------------------------------------------- what decides


def test_the_model_decides_about_the_subject() -> None:
    pictures = [disc("blue"), disc("red"), disc("green")]
    assert places(rank(pictures, Query(subject="a red thing"), ColourModel()))[0] == 1
    assert places(rank(pictures, Query(subject="a green thing"), ColourModel()))[0] == 2


def test_counted_pixels_decide_about_the_colour() -> None:
    """The words here name no colour, so the model has no opinion on it."""
    ranked = rank([disc("blue"), disc("red"), disc("green")], RED, ColourModel())
    assert ranked[0].index == 1
    assert ranked[0].colour_share == pytest.approx(1.0, abs=0.05)
    assert ranked[-1].colour_share == 0.0
    assert "red" in ranked[0].why


def test_the_ground_is_not_the_drawings_colour() -> None:
    on_red = disc("blue", ground=(*COLOURS["red"], 255))
    shares = colour_shares([on_red, disc("red", ground=(255, 255, 255, 255))], RED)
    assert shares[0] == 0.0
    assert shares[1] > 0.9


def test_a_third_in_the_asked_colour_is_enough() -> None:
    """A red fox keeps its white cheeks: more red than enough wins nothing."""
    ranked = ordered([0.3, 0.31], [0.95, 0.40], RED)
    assert places(ranked) == [1, 0]


def test_without_the_colour_a_candidate_loses_but_is_not_out() -> None:
    assert places(ordered([0.5, 0.4], [0.0, 0.5], RED)) == [1, 0]
    ranked = ordered([0.9, 0.1], [0.0, 0.5], RED)  # scale 10: e^8 against 1 : 50
    assert places(ranked) == [0, 1]
    assert ranked[0].score < 1.0


def test_scores_are_shares_of_the_evidence() -> None:
    ranked = ordered([0.3, 0.2, 0.25], None, ANY)
    assert sum(entry.score for entry in ranked) == pytest.approx(1.0)
    odds = ranked[0].score / ranked[1].score
    assert odds == pytest.approx(np.exp(SPEC.logit_scale * 0.05), rel=1e-3)


def test_a_calibrated_model_says_how_likely_a_match_is() -> None:
    class Calibrated(ColourModel):
        calibration = Calibration(
            slope=10.0, offset=-2.0, doubtful_below=0.1, mismatches_caught=0.9, matches=100
        )

    cosines, shares = np.array([0.2, 0.5], np.float32), np.ones(2)
    ranked = order(cosines, shares, ANY, Calibrated())
    assert [entry.match for entry in ranked] == pytest.approx([1 / (1 + np.exp(-3)), 0.5])
    assert order(cosines, shares, ANY, ColourModel())[0].match is None


# ---------------------------------------------------------------- order


def test_equals_keep_the_order_they_were_given_in() -> None:
    pictures = [disc("red"), disc("blue"), disc("red"), disc("red")]
    assert places(rank(pictures, Query(subject="red"), ColourModel())) == [0, 2, 3, 1]


def test_the_last_bits_of_a_batch_decide_nothing() -> None:
    close = np.nextafter(np.float32(0.3), np.float32(1))
    assert places(ordered([0.3, close], None, ANY)) == [0, 1]


@given(st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=12))
def test_the_order_follows_the_cosines(cosines: list[float]) -> None:
    ranked = ordered(cosines, None, ANY)
    assert sorted(places(ranked)) == list(range(len(cosines)))
    values = [entry.closeness for entry in ranked]
    assert all(one >= other - 1e-5 for one, other in pairwise(values))


def test_nothing_to_rank_is_an_empty_list() -> None:
    assert rank([], RED, ColourModel()) == []


# ---------------------------------------------------------------- the sentence


def test_the_winner_is_explained_against_the_others() -> None:
    ranked = ordered([0.24, 0.31, 0.29], None, ANY)
    assert ranked[0].why == "closest to “fox” (0.31, the others 0.24 to 0.29)"
    assert ranked[1].why == "0.29 to “fox”"


def test_two_and_one_candidates_read_naturally() -> None:
    assert ordered([0.3, 0.2], None, ANY)[0].why == "closest to “fox” (0.30, the other 0.20)"
    assert ordered([0.3, 0.2, 0.2], None, ANY)[0].why.endswith("(0.30, the others 0.20)")
    assert ordered([0.3], None, ANY)[0].why == "0.30 to “fox”"


def test_a_winner_by_colour_is_not_called_closest() -> None:
    (first, second) = ordered([0.29, 0.31], [0.82, 0.0], RED)
    assert first.why == "close to “fox” (0.29, the other 0.31) and more red (82%)"
    assert second.why == "0.31 to “fox”, 0% red"
    assert ordered([0.31, 0.29], [0.82, 0.0], RED)[0].why.endswith("the other 0.29), 82% red")


# ---------------------------------------------------------------- the words, a broken model


def test_several_phrasings_make_one_unit_vector() -> None:
    words = embed_query(RED, ColourModel())
    assert words.shape == (SPEC.dimensions,)
    assert np.linalg.norm(words) == pytest.approx(1.0, abs=1e-6)


def test_a_colour_is_counted_under_its_basic_name() -> None:
    assert Query(subject="fox", colour="#1b2a52").colour_term == "blue"
    assert ANY.colour_term is None


class Broken(ColourModel):
    """Returns something that is no number."""

    spec = PictureTextSpec(
        name="broken", summary="", licence="", sha256="", dimensions=16, picture_size=64,
        logit_scale=1.0,
    )  # fmt: skip

    def encode_pictures(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """NaN for the first."""
        vectors = super().encode_pictures(pictures)
        vectors[0] = np.nan
        return vectors


def test_a_vector_that_is_no_number_is_an_error() -> None:
    with pytest.raises(ModelError, match="'broken' gave a vector that is no number"):
        closeness([disc("red")], embed_query(ANY, Broken()), Broken())
