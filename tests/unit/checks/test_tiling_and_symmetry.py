"""Seams of patterns and halves of drawings: what is whole passes, what is broken is located."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from sfumato.checks import Look
from sfumato.checks.symmetry import asymmetry, symmetrical
from sfumato.checks.tiling import broken_seam, seam, tileable

SIDE = 240
Y, X = np.mgrid[:SIDE, :SIDE]


def dots(side: int = SIDE) -> NDArray[np.uint8]:
    """Dots every 60 pixels, some of them over the edges, so that 240 pixels tile."""
    pixels = np.full((side, side, 4), 255, np.uint8)
    y, x = np.mgrid[:side, :side]
    pixels[np.hypot((x + 10) % 60 - 30, (y + 25) % 60 - 30) < 20] = (30, 60, 160, 255)
    return pixels


class TestTiling:
    def test_a_pattern_that_tiles(self) -> None:
        assert broken_seam(Look(dots(), prompt="a seamless pattern of dots")) == []
        assert tileable(Look(dots())) == []

    def test_a_cut_pattern(self) -> None:
        cut = np.ascontiguousarray(dots()[:, :-25])
        (found,) = broken_seam(Look(cut, prompt="a seamless pattern of dots"))
        assert found.box is not None
        assert (found.box[0], found.box[2]) == (0, 215)
        assert found.mask is not None
        assert "left and right" in found.message and "top" not in found.message
        assert tileable(Look(cut))[0].check == "tileable"

    def test_a_cut_below(self) -> None:
        (found,) = tileable(Look(np.ascontiguousarray(dots()[:-25])))
        assert "top and bottom" in found.message and "left" not in found.message

    def test_nothing_asked_nothing_said(self) -> None:
        assert broken_seam(Look(dots()[:, :-25], prompt="dots")) == []
        assert broken_seam(Look(dots()[:, :-25])) == []

    def test_a_smooth_ramp_has_a_seam_as_long_as_its_edge(self) -> None:
        ramp = np.full((64, 256, 4), 255, np.uint8)
        ramp[..., 0] = np.arange(256)
        share, rows = seam(ramp)
        assert share == 1.0
        assert rows.all()

    def test_noise_has_no_seam(self) -> None:
        noise = np.random.default_rng(0).integers(0, 256, (64, 64, 4), np.uint8)
        assert seam(noise)[0] == 0.0

    def test_colours_of_clear_pixels_do_not_count(self) -> None:
        clear = np.zeros((32, 32, 4), np.uint8)
        clear[:, -1, :3] = 255
        assert seam(clear)[0] == 0.0


def flower(petals: int) -> NDArray[np.uint8]:
    y, x = Y - (SIDE - 1) / 2, X - (SIDE - 1) / 2
    angle, reach = np.arctan2(x, -y), np.hypot(x, y)
    pixels = np.zeros((SIDE, SIDE, 4), np.uint8)
    pixels[reach < 70 + 30 * np.cos(petals * angle)] = (220, 120, 40, 255)
    pixels[reach < 25] = (90, 40, 20, 255)
    return pixels


class TestSymmetry:
    def test_the_same_on_both_sides(self) -> None:
        assert asymmetry(Look(flower(5), prompt="a symmetrical flower")) == []
        assert symmetrical(Look(flower(5))) == []

    def test_a_missing_piece_is_located(self) -> None:
        bitten = flower(5)
        bitten[np.hypot(X - 175, Y - 90) < 28] = 0
        (found,) = asymmetry(Look(bitten, prompt="a symmetrical flower"))
        assert found.measure is not None
        assert 0.03 < found.measure < 0.5
        assert found.box is not None
        left, top, right, bottom = found.box
        assert top < 90 < bottom
        assert left < 175 < right
        assert symmetrical(Look(bitten))

    def test_a_colour_on_one_side_only(self) -> None:
        half = flower(4)
        half[:, SIDE // 2 :, 2] = 220
        assert asymmetry(Look(half, prompt="a symmetric flower"))

    @pytest.mark.parametrize("petals", [3, 5, 6])
    def test_turning(self, petals: int) -> None:
        assert asymmetry(Look(flower(petals), prompt="a radially symmetric flower")) == []

    def test_no_turn_brings_it_back(self) -> None:
        plain = flower(5)
        plain[SIDE // 2 + 30 :] = 0
        (found,) = asymmetry(Look(plain, prompt="a radially symmetric flower"))
        assert "turn" in found.message

    def test_five_petals_differ_above_and_below(self) -> None:
        assert asymmetry(Look(flower(5), prompt="a flower, top to bottom symmetry"))
        assert asymmetry(Look(flower(4), prompt="a flower, symmetry on both axes")) == []
        assert asymmetry(Look(flower(5), prompt="a flower, symmetry on both axes"))

    def test_nothing_asked_nothing_said(self) -> None:
        bitten = flower(5)
        bitten[:, SIDE // 2 :] = 0
        assert asymmetry(Look(bitten, prompt="a flower")) == []
        assert asymmetry(Look(bitten)) == []
