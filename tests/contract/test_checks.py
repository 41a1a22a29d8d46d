"""What every registered check promises."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest

from sfumato.backends import fake
from sfumato.checks import Earlier, Look, check_pictures, why_skipped
from sfumato.models import Conditioning
from sfumato.plan import make_plan
from sfumato.registry import CHECKS
from sfumato.request import Finding, GenerationPlan, GenerationRequest

SIDE = 256
EMPTY = np.zeros((1, 1), np.float32)


def plan_of_card() -> GenerationPlan:
    request = GenerationRequest(prompt="a red ball", seed=1, width=SIDE, height=SIDE)
    plan = make_plan(request, fake.spec())
    assert plan.tint is not None
    return plan


def clean_card() -> Look:
    """A solid red disc in the middle of a transparent canvas, as asked for."""
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    pixels = np.zeros((SIDE, SIDE, 4), np.uint8)
    pixels[..., :3] = (220, 47, 47)
    pixels[..., 3] = np.rint(255 * np.clip(SIDE * 0.35 - np.hypot(x, y) + 0.5, 0, 1))
    cond = Conditioning(positive=EMPTY, negative=EMPTY, nearest="ball")
    return Look(pixels, plan_of_card(), [cond])


def odd_pictures() -> dict[str, np.ndarray]:
    """What a check may meet: nothing, one colour, noise, a sliver, a scene, a veil."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    corner, haze = np.zeros((2, SIDE, SIDE, 4), np.uint8)
    corner[:40, :40] = (30, 60, 200, 255)
    haze[..., 3] = np.clip(255 - 2 * np.hypot(x, y), 0, 255)
    scene = np.full((SIDE, SIDE, 4), 255, np.uint8)
    scene[SIDE // 2 :, :, :3] = (70, 160, 80)
    return {
        "nothing": np.zeros((SIDE, SIDE, 4), np.uint8),
        "white": np.full((SIDE, SIDE, 4), 255, np.uint8),
        "noise": rng.integers(0, 256, (SIDE, SIDE, 4), np.uint8),
        "opaque noise": rng.integers(0, 256, (SIDE, SIDE, 4), np.uint8) | np.uint8([0, 0, 0, 255]),
        "corner": corner,
        "haze": haze,
        "scene": scene,
        "ribbon": np.full((16, 600, 4), 200, np.uint8),
        "one pixel": np.full((1, 1, 4), 255, np.uint8),
    }


def run(name: str, looks: list[Look]) -> list[Finding]:
    """The check itself, on the last picture; skipped where its package is not installed."""
    entry = CHECKS.get(name)
    if why := why_skipped(entry, named=True):
        pytest.skip(why)
    if "batch" in entry.capabilities:
        earlier = Earlier()
        for look in looks[:-1]:
            earlier.add(look)
        return list(entry.resolve()(looks[-1], earlier))
    return list(entry.resolve()(looks[-1]))


@pytest.mark.parametrize("name", CHECKS.names())
def test_a_clean_picture_is_passed_in_silence(name: str) -> None:
    assert run(name, [clean_card()]) == []


@pytest.mark.parametrize("picture", odd_pictures())
@pytest.mark.parametrize("name", CHECKS.names())
def test_findings_carry_the_checks_own_name_and_leave_the_pixels_alone(
    name: str, picture: str
) -> None:
    pixels = odd_pictures()[picture]
    before = pixels.copy()
    unknown = Conditioning(positive=EMPTY, negative=EMPTY, known=0.0, nearest="bell")
    for finding in run(name, [Look(pixels, plan_of_card(), [unknown])]):
        assert finding.check == name
        assert finding.severity in ("note", "warning", "error")
        assert finding.message.endswith(".") and "\n" not in finding.message
        if finding.box is not None:
            left, top, right, bottom = finding.box
            assert 0 <= left < right <= pixels.shape[1]
            assert 0 <= top < bottom <= pixels.shape[0]
        assert len(json.dumps(asdict(finding))) < 60_000
    np.testing.assert_array_equal(pixels, before)


@pytest.mark.parametrize("name", CHECKS.names())
def test_a_check_works_without_a_conditioning(name: str) -> None:
    card = clean_card()
    assert run(name, [Look(card.pixels, card.plan)]) == []


@pytest.mark.parametrize("picture", odd_pictures())
def test_a_picture_from_elsewhere_needs_no_plan(picture: str) -> None:
    look = Look(odd_pictures()[picture])
    check_pictures([look])
    check_pictures([Look(look.pixels, prompt="a red fox on blue")])


@pytest.mark.parametrize("name", CHECKS.names())
def test_every_check_says_what_it_looks_for(name: str) -> None:
    entry = CHECKS.get(name)
    assert entry.summary and not entry.summary.endswith(".")
    assert entry.capabilities <= {"plan", "prompt", "words", "once", "each", "batch", "opt-in"}
    assert ("extra" in entry.details) == ("modules" in entry.details)
