"""What every registered check promises."""

from __future__ import annotations

import numpy as np
import pytest

from sfumato.backends import fake
from sfumato.models import Conditioning
from sfumato.plan import make_plan
from sfumato.registry import CHECKS
from sfumato.request import GenerationPlan, GenerationRequest

SIDE = 256
EMPTY = np.zeros((1, 1), np.float32)


def clean_card() -> tuple[np.ndarray, GenerationPlan, Conditioning]:
    """A solid red disc in the middle of a transparent canvas, as asked for."""
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    pixels = np.zeros((SIDE, SIDE, 4), np.uint8)
    pixels[x**2 + y**2 < (SIDE * 0.35) ** 2] = (220, 47, 47, 255)
    request = GenerationRequest(prompt="a red ball", seed=1, width=SIDE, height=SIDE)
    plan = make_plan(request, fake.spec())
    assert plan.tint is not None
    return pixels, plan, Conditioning(positive=EMPTY, negative=EMPTY, nearest="ball")


@pytest.mark.parametrize("name", CHECKS.names())
def test_a_clean_picture_is_passed_in_silence(name: str) -> None:
    assert list(CHECKS.resolve(name)(*clean_card())) == []


@pytest.mark.parametrize("name", CHECKS.names())
def test_findings_carry_the_checks_own_name_and_leave_the_pixels_alone(name: str) -> None:
    _, plan, _ = clean_card()
    rng = np.random.default_rng(0)
    unknown = Conditioning(positive=EMPTY, negative=EMPTY, known=0.0, nearest="bell")
    pictures = {
        "nothing": np.zeros((SIDE, SIDE, 4), np.uint8),
        "noise": rng.integers(0, 256, (SIDE, SIDE, 4), np.uint8),
        "corner": np.zeros((SIDE, SIDE, 4), np.uint8),
        "haze": np.zeros((SIDE, SIDE, 4), np.uint8),
    }
    pictures["corner"][:40, :40] = (30, 60, 200, 255)
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    pictures["haze"][..., 3] = np.clip(255 - 2 * np.hypot(x, y), 0, 255)
    found = []
    for pixels in pictures.values():
        before = pixels.copy()
        found += CHECKS.resolve(name)(pixels, plan, unknown)
        np.testing.assert_array_equal(pixels, before)
    assert found, "one of these pictures must be wrong in the check's eyes"
    for finding in found:
        assert finding.check == name
        assert finding.severity in ("note", "warning", "error")
        assert finding.message.endswith(".")


@pytest.mark.parametrize("name", CHECKS.names())
def test_a_check_works_without_a_conditioning(name: str) -> None:
    pixels, plan, _ = clean_card()
    assert list(CHECKS.resolve(name)(pixels, plan, None)) == []
