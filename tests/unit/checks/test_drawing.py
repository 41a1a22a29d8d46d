"""Each check on a planted defect, and on clean pictures that only look like one."""

from __future__ import annotations

import numpy as np
import pytest
from pictures_to_check import Pixels, disc, plan_of, tinted

from sfumato.checks import Look, alpha, colour, drawing, run_checks
from sfumato.colours import parse_colour, rgb_of
from sfumato.models import Conditioning
from sfumato.request import Emblem, GenerationPlan

SIDE = 512


def laid_on(pixels: Pixels, ground: str) -> Pixels:
    part = pixels[..., 3:] / 255.0
    mixed = pixels[..., :3] * part + np.array(rgb_of(ground)) * (1 - part)
    return np.dstack([np.rint(mixed), np.full(mixed.shape[:2], 255)]).astype(np.uint8)


def cond(known: float = 1.0, nearest: str = "fox") -> Conditioning:
    row = np.zeros((1, 4), np.float32)
    return Conditioning(positive=row, negative=row, known=known, nearest=nearest)


def form_of(pixels: Pixels, plan: GenerationPlan) -> list[str]:
    """What the checks say about a disc, but for those that know that it is no fox."""
    known = ("subject_mismatch", "near_copy")
    found = run_checks(pixels, plan, [cond()])
    return [finding.message for finding in found if finding.check not in known]


@pytest.mark.parametrize("side", [64, 512, 1024])
def test_a_clean_picture_has_no_findings(side: int) -> None:
    pixels = disc(0.35 * side, side / 2, side / 2, side=side)
    assert form_of(pixels, tinted("orange", width=side, height=side)) == []


def test_a_clean_picture_on_a_ground_has_no_findings() -> None:
    plan = tinted("orange", background="#fdf3d8")
    assert form_of(laid_on(disc(), plan.background), plan) == []


def test_a_clean_emblem_has_no_findings() -> None:
    pixels = disc(245, colour="navy")
    pixels[np.hypot(*(np.mgrid[:SIDE, :SIDE] - 255.5)) < 130] = (*rgb_of(parse_colour("red")), 255)
    plan = tinted("red", emblem=Emblem(shape="circle", colour=parse_colour("navy")))
    assert form_of(pixels, plan) == []


class TestBlank:
    def test_nothing(self) -> None:
        (found,) = drawing.blank(Look(np.zeros((SIDE, SIDE, 4), np.uint8), plan_of()))
        assert found.severity == "error" and "Nothing was drawn" in found.message

    def test_a_crumb(self) -> None:
        assert drawing.blank(Look(disc(radius=10), plan_of()))

    def test_one_flat_colour(self) -> None:
        (found,) = drawing.blank(Look(np.full((SIDE, SIDE, 4), 255, np.uint8), plan_of()))
        assert "flat colour" in found.message

    def test_nothing_on_the_emblem(self) -> None:
        plan = plan_of(emblem=Emblem(shape="circle", colour=parse_colour("navy")))
        (found,) = drawing.blank(Look(disc(245, colour="navy"), plan))
        assert "on the emblem" in found.message

    def test_the_grounds_own_colour(self) -> None:
        plan = plan_of(background=parse_colour("orange"))
        (found,) = drawing.blank(Look(laid_on(disc(), plan.background), plan))
        assert "background" in found.message

    def test_a_black_glyph_is_a_drawing(self) -> None:
        assert drawing.blank(Look(disc(40, colour="black"), plan_of())) == []

    def test_a_scene_is_a_drawing(self) -> None:
        scene = np.full((SIDE, SIDE, 4), 255, np.uint8)
        scene[300:, :, :3] = (70, 160, 80)
        assert drawing.blank(Look(scene, plan_of())) == []


class TestClipped:
    @pytest.mark.parametrize(
        ("x", "y", "sides"),
        [(100, 256, "left edge"), (420, 256, "right edge"), (400, 400, "right and bottom edges")],
    )
    def test_cut_off(self, x: int, y: int, sides: str) -> None:
        (found,) = drawing.clipped(Look(disc(150, x, y), plan_of()))
        assert sides in found.message
        assert found.box is not None

    def test_close_to_the_edge_is_not_cut(self) -> None:
        assert drawing.clipped(Look(disc(252), plan_of())) == []

    @pytest.mark.parametrize("radius", [255, 256, 257])
    def test_a_disc_that_just_reaches_the_edge_is_whole(self, radius: int) -> None:
        assert drawing.clipped(Look(disc(radius), plan_of())) == []

    def test_a_scene_may_run_to_the_edges(self) -> None:
        assert drawing.clipped(Look(np.full((SIDE, SIDE, 4), 255, np.uint8), plan_of())) == []


class TestOffCentre:
    def test_says_where(self) -> None:
        (found,) = drawing.off_centre(Look(disc(100, 330, 190), plan_of()))
        assert "to the right" in found.message and "too high" in found.message

    def test_a_wide_canvas_has_its_own_middle(self) -> None:
        wide = np.zeros((SIDE, 2 * SIDE, 4), np.uint8)
        wide[:, SIDE // 2 : -SIDE // 2] = disc()
        assert drawing.off_centre(Look(wide, plan_of(width=2 * SIDE))) == []

    def test_a_little_is_nothing(self) -> None:
        assert drawing.off_centre(Look(disc(150, 270, 250), plan_of())) == []


class TestSpeckles:
    def test_counted_and_framed(self) -> None:
        pixels = disc(120)
        pixels[20:24, 30:34] = pixels[480:484, 470:476] = (0, 0, 0, 255)
        (found,) = drawing.speckles(Look(pixels, plan_of()))
        assert found.message.startswith("2 stray specks")
        assert found.box == (30, 20, 476, 484)

    def test_a_thin_tip_that_comes_apart_is_none(self) -> None:
        pixels = disc(120)
        pixels[254:258, 378:382] = pixels[256, 256]  # beside the disc, over two clear pixels
        pixels[254:258, 376:378] = 0
        assert drawing.speckles(Look(pixels, plan_of())) == []

    def test_an_eye_sized_drop_is_none(self) -> None:
        pixels = np.maximum(disc(120), disc(8, 40, 40))
        assert drawing.speckles(Look(pixels, plan_of())) == []


class TestRaggedAlpha:
    def test_a_veil(self) -> None:
        pixels = disc()
        pixels[100:160, 400:500, 3] = np.maximum(pixels[100:160, 400:500, 3], 70)
        (found,) = alpha.ragged_alpha(Look(pixels, plan_of()))
        assert "half-transparent" in found.message

    def test_thin_lines_are_all_edge_and_no_haze(self) -> None:
        pixels = np.zeros((SIDE, SIDE, 4), np.uint8)
        for row in range(40, 480, 20):
            pixels[row : row + 4, 40:470] = 255
            pixels[[row - 1, row + 4], 40:470, 3] = 128
        assert alpha.ragged_alpha(Look(pixels, plan_of())) == []

    def test_a_ground_hides_it(self) -> None:
        pixels = disc()
        pixels[..., 3] = 100
        assert alpha.ragged_alpha(Look(pixels, plan_of(background="#ffffff"))) == []


class TestWrongColour:
    def test_named_with_shares(self) -> None:
        (found,) = colour.wrong_colour(Look(disc(colour="orange"), tinted("blue")))
        assert (
            "Asked for blue" in found.message and "100% of the drawing is orange" in found.message
        )

    def test_shades_and_neighbours_count(self) -> None:
        assert colour.wrong_colour(Look(disc(colour="teal"), tinted("turquoise"))) != []
        assert colour.wrong_colour(Look(disc(colour="dark blue"), tinted("blue"))) == []

    def test_a_third_is_enough_beside_white(self) -> None:
        pixels = disc(colour="red")
        pixels[200:, :, :3] = 250
        share = (pixels[:200, :, 3] > 127).sum() / (pixels[..., 3] > 127).sum()
        assert 0.3 < share < 0.4
        pixels[200:220, :, :3] = rgb_of(parse_colour("red"))
        assert colour.wrong_colour(Look(pixels, tinted("red"))) == []

    def test_the_emblem_is_not_the_drawing(self) -> None:
        pixels = disc(245, colour="blue")
        inner = np.hypot(*(np.mgrid[:SIDE, :SIDE] - 255.5)) < 120
        pixels[inner] = (*rgb_of(parse_colour("orange")), 255)
        plan = tinted("purple", emblem=Emblem(shape="circle", colour=parse_colour("blue")))
        (found,) = colour.wrong_colour(Look(pixels, plan))
        assert "is orange" in found.message

    def test_lines_between_the_pixels_that_are_kept_have_a_colour(self) -> None:
        pixels = np.zeros((SIDE, SIDE, 4), np.uint8)
        pixels[1::2] = (*rgb_of(parse_colour("red")), 255)
        (found,) = colour.wrong_colour(Look(pixels, prompt="a blue line"))
        assert "100% of the drawing is red" in found.message

    def test_no_colour_asked_no_judgement(self) -> None:
        assert colour.wrong_colour(Look(disc(), plan_of())) == []

    def test_red_on_red_cannot_be_judged(self) -> None:
        plan = tinted("red", background=parse_colour("red"))
        assert colour.wrong_colour(Look(laid_on(disc(), plan.background), plan)) == []


class TestUnknownSubject:
    def test_names_the_nearest(self) -> None:
        (found,) = drawing.unknown_subject(
            Look(disc(), plan_of(subject="quokka"), [cond(known=0.4, nearest="kangaroo")])
        )
        assert "'quokka'" in found.message and "'kangaroo'" in found.message

    def test_a_relative_is_a_note(self) -> None:
        (found,) = drawing.unknown_subject(
            Look(disc(), plan_of(subject="tabby kitten"), [cond(known=0.75, nearest="kitten")])
        )
        assert found.severity == "note"
        assert "'tabby kitten'" in found.message and "'kitten'" in found.message

    def test_without_a_nearest(self) -> None:
        (found,) = drawing.unknown_subject(Look(disc(), plan_of(), [cond(known=0.1, nearest="")]))
        assert found.message.endswith("'fox'.")

    @pytest.mark.parametrize("given", [[], [cond(known=0.95)]])
    def test_known_or_unasked(self, given: list[Conditioning]) -> None:
        assert drawing.unknown_subject(Look(disc(), plan_of(), given)) == []


def test_worst_first() -> None:
    found = run_checks(np.zeros((SIDE, SIDE, 4), np.uint8), plan_of(), [cond(known=0.2)])
    assert [finding.severity for finding in found] == ["error", "warning"]
