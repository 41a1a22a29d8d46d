"""What a look tells apart, and how places travel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures_to_check import as_jpeg, laid_on, owl, plan_of

from sfumato.checks import Look, check_pictures, drawing, why_skipped
from sfumato.checks.masks import from_mask, to_mask
from sfumato.errors import RequestError
from sfumato.registry import CHECKS
from sfumato.request import Mask


class TestGround:
    @pytest.mark.parametrize("ground", [(255, 255, 255), (29, 47, 99)])
    def test_of_a_picture_from_elsewhere_is_read_from_its_border(
        self, ground: tuple[int, int, int]
    ) -> None:
        clear, opaque = Look(owl()), Look(laid_on(owl(), ground))
        assert clear.ground is None and opaque.ground == "#{:02x}{:02x}{:02x}".format(*ground)
        assert (clear.drawn == opaque.drawn).mean() > 0.99

    def test_survives_jpeg(self) -> None:
        look = Look(as_jpeg(owl(), 60), alpha_kept=False)
        assert (look.drawn == Look(owl()).drawn).mean() > 0.97
        assert drawing.speckles(look) == []

    def test_a_scene_has_none(self) -> None:
        rng = np.random.default_rng(0)
        scene = rng.integers(0, 256, (300, 400, 4), np.uint8) | np.uint8([0, 0, 0, 255])
        look = Look(scene)
        assert look.ground is None and look.drawn.all()

    def test_words_say_it_where_there_is_no_plan(self) -> None:
        look = Look(owl(), prompt="a brown owl on a blue circle")
        assert look.asked is not None
        assert look.asked.subject == "owl" and look.asked.tint_name == "brown"
        assert look.asked.emblem is not None and look.asked.background is None


def test_a_ribbon_is_measured_along_its_length() -> None:
    """On 16 x 4096 pixels one pixel is a large share of the short side."""
    ribbon = np.zeros((16, 4096, 4), np.uint8)
    ribbon[4:12, 1000:3200] = (30, 60, 200, 255)  # 52 pixels off, 1 % of the length
    assert drawing.off_centre(Look(ribbon)) == []
    ribbon[:, :1400] = 0
    assert drawing.off_centre(Look(ribbon)) != []


class TestMasks:
    @given(st.integers(1, 300), st.integers(1, 300), st.floats(0, 1), st.integers(0, 2**32 - 1))
    @settings(max_examples=40, deadline=None)
    def test_there_and_back(self, height: int, width: int, share: float, seed: int) -> None:
        where = np.random.default_rng(seed).random((height, width)) < share
        mask = to_mask(where)
        assert max(mask.width, mask.height) <= 128
        back = from_mask(mask, height, width)
        assert back.shape == where.shape
        assert (back | ~where).all()  # nothing that was marked is lost
        if max(height, width) <= 128:
            np.testing.assert_array_equal(back, where)

    def test_runs_begin_outside(self) -> None:
        assert to_mask(np.array([[True, False], [False, True]])).runs == (0, 1, 2, 1)

    @pytest.mark.parametrize("runs", [(), (3,), (5, -1), (2, 3)])
    def test_runs_that_do_not_cover_the_grid_are_refused(self, runs: tuple[int, ...]) -> None:
        with pytest.raises(RequestError):
            Mask(width=2, height=2, runs=runs)


class TestRunning:
    def test_checks_that_lack_something_are_skipped(self) -> None:
        elsewhere, own = Look(owl()), Look(owl(), plan_of())
        assert "recipe" in why_skipped(CHECKS.get("opaque_ground"), elsewhere)
        assert why_skipped(CHECKS.get("opaque_ground"), own) == ""
        assert "words" in why_skipped(CHECKS.get("wrong_colour"), elsewhere)
        assert why_skipped(CHECKS.get("wrong_colour"), Look(owl(), prompt="a red owl")) == ""

    def test_named_checks_alone_run(self) -> None:
        corner = np.zeros((128, 128, 4), np.uint8)
        corner[:30, :30] = (200, 30, 30, 255)
        (found,) = check_pictures([Look(corner)], ["clipped"])
        assert [finding.check for finding in found] == ["clipped"]

    def test_an_unknown_name_is_answered_with_those_that_exist(self) -> None:
        with pytest.raises(RequestError) as caught:
            check_pictures([Look(owl())], ["blurr"])
        assert "Did you mean 'blur'?" in caught.value.hint
