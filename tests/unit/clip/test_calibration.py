"""What a cosine means: the curve, the doubtful mark, and the way through a sheet."""

from __future__ import annotations

import json

import numpy as np
import pytest

from sfumato import clip
from sfumato.clip.calibration import Calibration, calibration_of, fit_calibration
from sfumato.errors import ModelError


def heaps(count: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Cosines of matches around 0.6 and of mismatches around 0.2."""
    random = np.random.default_rng(0)
    return (
        random.normal(0.6, 0.1, count).astype(np.float32),
        random.normal(0.2, 0.1, count).astype(np.float32),
    )


def test_two_bells_give_the_curve_that_is_right_for_them() -> None:
    """For equal bells at a and b of width s the odds are exp((a - b) / s² (x - (a + b) / 2))."""
    fitted = fit_calibration(*heaps())
    assert fitted.slope == pytest.approx(40.0, rel=0.1)
    assert -fitted.offset / fitted.slope == pytest.approx(0.4, abs=0.01)
    assert fitted.match_probability(np.float32([0.4]))[0] == pytest.approx(0.5, abs=0.03)
    assert fitted.matches == 4000


def test_probabilities_rise_with_the_cosine() -> None:
    fitted = fit_calibration(*heaps())
    shares = fitted.match_probability(np.linspace(-1, 1, 101, dtype=np.float32))
    assert (np.diff(shares) >= 0).all()
    assert 0 <= shares[0] < 1e-6
    assert 1 - 1e-6 < shares[-1] <= 1


def test_one_match_in_a_hundred_is_called_doubtful() -> None:
    matches, mismatches = heaps()
    fitted = fit_calibration(matches, mismatches)
    assert (matches < fitted.doubtful_below).mean() == pytest.approx(0.01, abs=0.001)
    assert fitted.mismatches_caught == pytest.approx((mismatches < fitted.doubtful_below).mean())


def test_heaps_of_different_size_weigh_the_same() -> None:
    matches, mismatches = heaps()
    even, uneven = (
        fit_calibration(matches, mismatches),
        fit_calibration(matches[:400], mismatches),
    )
    assert -uneven.offset / uneven.slope == pytest.approx(-even.offset / even.slope, abs=0.02)


def test_the_doubtful_mark_lets_as_many_matches_fall_as_was_said() -> None:
    matches, mismatches = heaps(1000)
    usual = fit_calibration(matches, mismatches)
    bolder = fit_calibration(matches, mismatches, false_alarms=0.1)
    assert (matches < usual.doubtful_below).mean() == pytest.approx(0.01, abs=0.002)
    assert (matches < bolder.doubtful_below).mean() == pytest.approx(0.1, abs=0.002)
    assert bolder.mismatches_caught > usual.mismatches_caught
    assert bolder.slope == usual.slope


def test_heaps_that_do_not_overlap_still_give_a_finite_curve() -> None:
    fitted = fit_calibration(np.float32([0.9, 0.91]), np.float32([0.1, 0.11]))
    assert np.isfinite([fitted.slope, fitted.offset]).all()
    assert fitted.match_probability(np.float32([0.9]))[0] > 0.9


def test_an_empty_heap_is_refused() -> None:
    with pytest.raises(ValueError, match="matches and mismatches"):
        fit_calibration(np.float32([]), np.float32([0.1]))


def test_a_sheet_brings_back_what_was_fitted() -> None:
    fitted = fit_calibration(*heaps(50))
    assert Calibration.from_sheet(json.loads(json.dumps(fitted.to_sheet()))) == fitted


@pytest.mark.parametrize("damage", [{"slope": "steep"}, {"offset": None}, {"matches": []}])
def test_a_damaged_sheet_is_a_model_error(damage: dict[str, object]) -> None:
    with pytest.raises(ModelError, match="calibration"):
        Calibration.from_sheet({**fit_calibration(*heaps(50)).to_sheet(), **damage})


def test_a_model_without_calibration_says_so() -> None:
    assert calibration_of(clip.load("fake")) is None
