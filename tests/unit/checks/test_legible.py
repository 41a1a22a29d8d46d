"""What cannot be seen: on its ground, on pages, at the sizes of icons."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pictures_to_check import disc, laid_on, owl, plan_of, tinted
from PIL import Image

from sfumato.checks import Look, colour, drawing, legible
from sfumato.colours import rgb_of
from sfumato.request import Emblem


def faded(towards: tuple[int, int, int], left: float) -> np.ndarray:
    pixels = owl()
    goal = np.array(towards, float)
    pixels[..., :3] = np.rint(goal + (pixels[..., :3] - goal) * left)
    return pixels


def small_in_its_canvas(size: int) -> np.ndarray:
    pixels = np.zeros((512, 512, 4), np.uint8)
    corner = (512 - size) // 2
    pixels[corner : corner + size, corner : corner + size] = owl(size)
    return pixels


def over_clear(below: np.ndarray, above: np.ndarray) -> np.ndarray:
    sheet = Image.fromarray(below)
    sheet.alpha_composite(Image.fromarray(above))
    return np.array(sheet)


class TestLowContrast:
    @pytest.mark.parametrize("ground", [(255, 255, 255), (29, 47, 99), (20, 20, 20)])
    def test_found(self, ground: tuple[int, int, int]) -> None:
        (found,) = legible.low_contrast(Look(laid_on(faded(ground, 0.08), ground)))
        assert "hardly stands out" in found.message
        assert found.measure is not None and 1 <= found.measure < 1.3

    def test_a_white_cat_on_white_is_told(self) -> None:
        """Its eyes are all that is seen; where they sit is no fault of the placing."""
        white = laid_on(disc(190, colour="white"), (255, 255, 255))
        white[120:150, 180:210, :3] = 20
        look = Look(white, tinted("white", background="#ffffff"))
        (found,) = legible.low_contrast(look)
        assert "in its ground's colour" in found.message
        assert drawing.off_centre(look) == []

    def test_drawings_that_stand_out(self) -> None:
        assert legible.low_contrast(Look(laid_on(owl(), (255, 255, 255)))) == []
        assert legible.low_contrast(Look(owl())) == []

    def test_inside_a_ring_the_ground_is_what_counts(self) -> None:
        ring = Emblem(shape="ring", colour="#ffffff")
        drawn = disc(120, colour="#141414")

        def found(ground: str) -> list[str]:
            laid = laid_on(drawn, rgb_of(ground))
            look = Look(laid, plan_of(emblem=ring, background=ground))
            return [one.check for one in legible.low_contrast(look)]

        assert found("#000000") == ["low_contrast"]
        assert found("#fcd12a") == []


class TestVanishes:
    @pytest.mark.parametrize(
        ("towards", "page"), [((255, 255, 255), "light"), ((17, 17, 17), "dark")]
    )
    def test_says_on_which_pages(self, towards: tuple[int, int, int], page: str) -> None:
        (found,) = legible.vanishes(Look(faded(towards, 0.08)))
        assert f"On {page} pages" in found.message and found.severity == "note"

    def test_a_ground_of_its_own_is_no_page(self) -> None:
        picture = laid_on(faded((255, 255, 255), 0.08), (29, 47, 99))
        assert legible.vanishes(Look(picture)) == []

    def test_a_many_coloured_owl_shows_everywhere(self) -> None:
        assert legible.vanishes(Look(owl())) == []

    def test_inside_a_ring_is_as_clear_as_the_page(self) -> None:
        y, x = np.mgrid[:512, :512] - 256
        pixels = disc(90, colour="white")
        pixels[(np.hypot(x, y) < 240) & (np.hypot(x, y) > 200)] = (29, 47, 99, 255)
        ring = Emblem(shape="ring", colour="#1d2f63")
        (found,) = legible.vanishes(Look(pixels, tinted("white", emblem=ring)))
        assert "On light pages the drawing vanishes" in found.message
        assert (
            legible.vanishes(Look(pixels, tinted("white", emblem=replace(ring, shape="circle"))))
            == []
        )

    @pytest.mark.parametrize(("asked", "said"), [("white", True), ("green", False)])
    def test_white_petals_on_a_green_stalk_count_where_white_was_asked(
        self, asked: str, said: bool
    ) -> None:
        rose = disc(120, y=180, colour="white")
        rose[280:480, 240:272] = (30, 120, 40, 255)
        found = legible.vanishes(Look(rose, tinted(asked)))
        assert ["On light pages" in one.message for one in found] == [True] * said

    def test_a_line_around_is_enough_to_be_seen(self) -> None:
        lined = over_clear(disc(186, colour="gray"), disc(180, colour="white"))
        assert legible.contrast_with(Look(lined), "#ffffff") < 1.3
        assert legible.vanishes(Look(lined, tinted("white"))) == []

    def test_ratios_are_those_of_the_standard(self) -> None:
        black = disc(colour="black")
        black[..., :3] = 0
        assert legible.contrast_with(Look(black), "#ffffff") == pytest.approx(21.0)
        black[..., :3] = 0x77  # the classic: #777 on white has 4.48
        assert legible.contrast_with(Look(black), "#ffffff") == pytest.approx(4.48, abs=0.01)


class TestIllegible:
    def test_lost_in_its_canvas(self) -> None:
        (found,) = legible.illegible(Look(small_in_its_canvas(60)))
        assert "16 pixels" in found.message

    def test_fine_hatching(self) -> None:
        pixels = owl()
        pixels[..., 3] = np.where(np.arange(512)[None] // 5 % 2 == 0, pixels[..., 3], 0)
        (found,) = legible.illegible(Look(pixels))
        assert "cannot be made out" in found.message

    def test_a_bold_drawing_survives(self) -> None:
        look = Look(owl())
        assert legible.illegible(look) == []
        sixteen, thirty_two = legible.survival(look, 16), legible.survival(look, 32)
        assert sixteen is not None and thirty_two is not None
        assert 0.42 < sixteen < thirty_two < 1

    def test_a_thumbnail_is_not_judged_by_what_it_never_had(self) -> None:
        assert legible.survival(Look(owl(64)), 16) is None


class TestPaletteDrift:
    def test_the_ground(self) -> None:
        picture = laid_on(owl(), (60, 110, 200))
        (found,) = colour.palette_drift(Look(picture, plan_of(background="#2f6fde")))
        assert found.message == (
            "The ground was to be blue (#2f6fde) and is another blue (#3c6ec8)."
        )
        assert found.severity == "warning"

    def test_the_drawing(self) -> None:
        turned = disc(colour="blue")
        turned[..., :3] = (70, 120, 222)
        (found,) = colour.palette_drift(Look(turned, tinted("blue")))
        assert found.severity == "note" and found.message == (
            "The drawing was to be blue (#2f6fde) and is another blue (#4678de)."
        )

    def test_a_colour_given_as_a_code_gets_its_name(self) -> None:
        turned = disc(colour="blue")
        turned[..., :3] = (70, 120, 222)
        plan = plan_of(prompt="a disc in #2f6fde", tint="#2f6fde", tint_name="#2f6fde")
        (found,) = colour.palette_drift(Look(turned, plan))
        assert "was to be blue (#2f6fde)" in found.message

    def test_another_colour_altogether_is_wrong_colour(self) -> None:
        look = Look(disc(colour="orange"), tinted("blue"))
        assert colour.palette_drift(look) == [] and colour.wrong_colour(look) != []

    def test_as_asked(self) -> None:
        assert colour.palette_drift(Look(disc(colour="blue"), tinted("blue"))) == []
        picture = laid_on(owl(), (47, 111, 222))
        assert colour.palette_drift(Look(picture, plan_of(background="#2f6fde"))) == []


def test_reduced_pictures_do_not_mix_in_what_is_hidden_under_clear_pixels() -> None:
    pixels = owl()
    pixels[pixels[..., 3] == 0] = (0, 255, 0, 0)
    plain = Look(owl()).at(64)
    np.testing.assert_array_equal(Look(pixels).at(64)[..., 3], plain[..., 3])
    seen = plain[..., 3] > 0
    np.testing.assert_array_equal(Look(pixels).at(64)[seen], plain[seen])
    assert Image.fromarray(plain).size == (64, 64)
