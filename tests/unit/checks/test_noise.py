"""Blur, JPEG noise, bands and seams: planted, and what only looks like them."""

from __future__ import annotations

import numpy as np
import pytest
from pictures_to_check import as_jpeg, blurred, laid_on, over, owl, squared

from sfumato.checks import Look, grids, noise


def ramp(step: float, side: int = 512) -> np.ndarray:
    """A grey gradient from left to right in steps of ``step`` levels."""
    level = np.rint(np.linspace(60, 220, side) / step) * step
    row = np.dstack([level, level, level, np.full(side, 255)])
    return np.repeat(row, side, axis=0).astype(np.uint8)


class TestBlur:
    @pytest.mark.parametrize("side", [256, 512, 1024])
    def test_found_at_every_size(self, side: int) -> None:
        # the same softness on paper: sigma grows with the picture
        (found,) = noise.blur(Look(blurred(owl(side), 2 * max(side, 512) / 512)))
        assert "blurred" in found.message
        assert found.measure is not None and found.measure > 3

    def test_wider_blur_measures_wider(self) -> None:
        widths = [noise.edge_width(Look(blurred(owl(), sigma))) for sigma in (0.01, 1, 2, 4)]
        assert widths == sorted(widths) and len(set(widths)) == 4

    def test_a_gaussian_measures_its_sigma(self) -> None:
        width = noise.edge_width(Look(blurred(laid_on(owl(), (255, 255, 255)), 2.0)))
        assert width == pytest.approx(2.0 * np.sqrt(2 * np.pi), rel=0.15)

    @pytest.mark.parametrize("side", [128, 512, 1024])
    def test_crisp_flat_art_is_not_blurred(self, side: int) -> None:
        assert noise.blur(Look(owl(side))) == []

    def test_flat_areas_and_gradients_are_not_blur(self) -> None:
        assert noise.blur(Look(np.full((512, 512, 4), 255, np.uint8))) == []
        assert noise.blur(Look(over(ramp(1), owl()))) == []


class TestJpegNoise:
    @pytest.mark.parametrize("quality", [60, 30, 10])
    def test_found(self, quality: int) -> None:
        (found,) = noise.jpeg_noise(Look(as_jpeg(owl(), quality)))
        assert "JPEG" in found.message

    def test_clean_drawings_have_none(self) -> None:
        assert noise.jpeg_noise(Look(owl())) == []
        assert noise.jpeg_noise(Look(laid_on(owl(), (253, 243, 216)))) == []

    def test_texture_is_not_noise(self) -> None:
        rng = np.random.default_rng(3)
        grain = rng.integers(90, 120, (512, 512, 4), np.uint8)
        grain[..., 3] = 255
        assert noise.jpeg_noise(Look(grain)) == []

    def test_soft_edges_are_blur_and_no_noise(self) -> None:
        look = Look(blurred(laid_on(owl(), (255, 255, 255)), 4))
        assert noise.jpeg_noise(look) == [] and noise.blur(look) != []


class TestBanding:
    @pytest.mark.parametrize("step", [4, 8, 16])
    def test_found_and_marked(self, step: int) -> None:
        (found,) = noise.banding(Look(over(ramp(step), owl())))
        assert found.mask is not None and found.box is not None
        assert found.measure is not None and found.measure > 0.1

    def test_a_smooth_gradient_has_none(self) -> None:
        assert noise.banding(Look(ramp(1))) == []

    def test_shading_in_two_tones_has_none(self) -> None:
        assert noise.banding(Look(ramp(80))) == []
        assert noise.banding(Look(owl())) == []


class TestSeams:
    @pytest.mark.parametrize("patch", [8, 16, 32, 64])
    def test_found_with_their_period(self, patch: int) -> None:
        rng = np.random.default_rng(patch)
        count = 512 // patch
        offsets = np.kron(rng.uniform(-10, 10, (count, count, 1)), np.ones((patch, patch, 1)))
        pixels = owl()
        pixels[..., :3] = np.clip(pixels[..., :3] + offsets, 0, 255).astype(np.uint8)
        (found,) = grids.seams(Look(pixels))
        assert f"grid of {patch} pixels" in found.message

    def test_stripes_of_the_drawing_are_none(self) -> None:
        striped = np.full((512, 512, 4), 255, np.uint8)
        for left in range(0, 512, 16):
            striped[:, left : left + 8, :3] = 230
        assert grids.seams(Look(striped)) == []

    def test_clean_drawings_have_none(self) -> None:
        assert grids.seams(Look(owl())) == []


class TestChequerboard:
    @pytest.mark.parametrize("tile", [8, 12.5, 20])
    @pytest.mark.parametrize("greys", [(255, 204), (255, 239), (80, 60)])
    def test_found(self, tile: float, greys: tuple[int, int]) -> None:
        picture = over(squared(512, 512, tile, *greys), owl())
        (found,) = grids.chequerboard(Look(picture))
        assert found.severity == "error" and "chequerboard" in found.message

    def test_found_after_jpeg(self) -> None:
        assert grids.chequerboard(Look(as_jpeg(over(squared(512, 512, 16, 255, 204), owl()), 50)))

    def test_a_real_clear_canvas_is_none(self) -> None:
        assert grids.chequerboard(Look(owl())) == []

    def test_stripes_and_chess_are_none(self) -> None:
        stripes = squared(512, 512, 16, 255, 204)
        stripes[:] = stripes[:1]
        assert grids.chequerboard(Look(stripes)) == []
        assert grids.chequerboard(Look(squared(512, 512, 64, 255, 0))) == []
