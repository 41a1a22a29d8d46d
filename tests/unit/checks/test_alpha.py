"""Fringes and grounds that do not belong to the drawing."""

from __future__ import annotations

import numpy as np
import pytest
from pictures_to_check import disc, laid_on, owl, plan_of, tinted
from PIL import Image, ImageFilter

from sfumato.checks import Look, alpha


def cut_out(ground: tuple[int, int, int], wide: int) -> np.ndarray:
    """Cut out of another ground, ``wide`` pixels too far out."""
    clean = owl()
    pixels = laid_on(clean, ground)
    grown = Image.fromarray(clean[..., 3]).filter(ImageFilter.MaxFilter(2 * wide + 1))
    pixels[..., 3] = np.asarray(grown)
    return pixels


class TestHalo:
    @pytest.mark.parametrize("wide", [1, 2, 3])
    @pytest.mark.parametrize(("ground", "kind"), [((255, 255, 255), "light"), ((0, 0, 0), "dark")])
    def test_found_and_named(self, wide: int, ground: tuple[int, int, int], kind: str) -> None:
        (found,) = alpha.halo(Look(cut_out(ground, wide)))
        assert f"A {kind} fringe" in found.message
        assert found.mask is not None

    def test_a_clean_cut_has_none(self) -> None:
        assert alpha.halo(Look(owl())) == []

    def test_the_wide_rim_of_a_sticker_is_drawn_on_purpose(self) -> None:
        assert alpha.halo(Look(cut_out((255, 255, 255), 9))) == []

    def test_the_thin_line_around_a_white_drawing_is_no_fringe(self) -> None:
        pixels = disc(96, colour="gray")
        inner = disc(93, colour="white")
        pixels[inner[..., 3] > 127] = 255
        assert [one.check for one in alpha.halo(Look(pixels))] == ["halo"]
        assert alpha.halo(Look(pixels, tinted("white"))) == []
        assert alpha.halo(Look(pixels, tinted("red"))) != []


class TestOpaqueGround:
    def test_found(self) -> None:
        (found,) = alpha.opaque_ground(Look(laid_on(owl(), (255, 255, 255)), plan_of()))
        assert "transparent" in found.message

    def test_where_a_ground_was_asked_for_it_is_right(self) -> None:
        picture = laid_on(owl(), (255, 255, 255))
        assert alpha.opaque_ground(Look(picture, plan_of(background="#ffffff"))) == []

    def test_a_jpeg_cannot_be_clear(self) -> None:
        picture = laid_on(owl(), (255, 255, 255))
        assert alpha.opaque_ground(Look(picture, plan_of(), alpha_kept=False)) == []

    def test_models_that_paint_scenes_fill_the_canvas(self) -> None:
        picture = laid_on(owl(), (255, 255, 255))
        assert alpha.opaque_ground(Look(picture, plan_of(finish="raster"))) == []
