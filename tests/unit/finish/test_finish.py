"""The whole finish: what comes out of a rough little drawing."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from numpy.typing import NDArray

from sfumato.colours import basic_name, dominant_colours, parse_colour
from sfumato.errors import BackendError
from sfumato.finish import finish
from sfumato.request import Emblem, GenerationPlan

MakePlan = Callable[..., GenerationPlan]
Pixels = NDArray[np.uint8]
FINISHES = ("vector", "raster")


def main_name(pixels: Pixels) -> str:
    (rgb, _), *_ = dominant_colours(pixels)
    return basic_name(rgb)


@pytest.mark.parametrize("kind", FINISHES)
@pytest.mark.parametrize(("width", "height"), [(256, 256), (300, 200), (64, 512), (16, 16)])
def test_pixels_have_the_asked_size(
    kind: str, width: int, height: int, rough_face: Pixels, make_plan: MakePlan
) -> None:
    done = finish([rough_face], make_plan(width=width, height=height, finish=kind))
    assert done.pixels.shape == (height, width, 4) and done.pixels.dtype == np.uint8
    assert (done.svg is None) == (kind == "raster")


def test_a_rough_face_becomes_clean_paths(rough_face: Pixels, make_plan: MakePlan) -> None:
    done = finish([rough_face], make_plan(width=512, height=512))
    assert done.svg is not None
    root = ElementTree.fromstring(done.svg)
    assert [path.tag.rpartition("}")[2] for path in root] == ["path"] * 3
    assert len(done.svg) < 2000  # four ellipses and what they reach under each other
    solid = done.pixels[done.pixels[..., 3] == 255][:, :3]
    flat = {tuple(rgb) for rgb in np.unique(solid, axis=0, return_counts=False).tolist()}
    counts = np.unique(solid, axis=0, return_counts=True)[1]
    assert np.sort(counts)[-3:].sum() > 0.98 * len(solid), f"{len(flat)} colours"


def test_eyes_are_kept_and_round(rough_face: Pixels, make_plan: MakePlan) -> None:
    pixels = finish([rough_face], make_plan(width=512, height=512)).pixels
    black = (pixels[..., :3].max(axis=2) < 70) & (pixels[..., 3] == 255)
    # 14 x 20 of a head 160 wide, which now is 0.88 of 512 wide
    scale = 0.88 * 512 / 160
    expected = 2 * np.pi / 4 * 14 * 20 * scale**2
    assert black.sum() == pytest.approx(expected, rel=0.12)


def test_a_raster_finish_keeps_the_texture_that_paths_lose(
    rough_face: Pixels, make_plan: MakePlan
) -> None:
    def colours(kind: str) -> int:
        pixels = finish([rough_face], make_plan(finish=kind)).pixels
        return len(np.unique(pixels[pixels[..., 3] == 255], axis=0))

    assert colours("raster") > 10 * colours("vector")


def test_both_finishes_put_the_drawing_in_one_place(face: Pixels, make_plan: MakePlan) -> None:
    vector, raster = (
        finish([face], make_plan(finish=kind)).pixels[..., 3] > 127 for kind in FINISHES
    )
    assert (vector != raster).mean() < 0.004


@pytest.mark.parametrize("kind", FINISHES)
def test_the_drawing_is_centred(kind: str, face: Pixels, make_plan: MakePlan) -> None:
    moved = np.roll(face, (-30, 25), axis=(0, 1))
    alpha = finish([moved], make_plan(width=200, height=200, finish=kind)).pixels[..., 3] > 127
    rows, columns = np.nonzero(alpha.any(axis=1))[0], np.nonzero(alpha.any(axis=0))[0]
    for edges in (rows, columns):
        assert edges[0] + edges[-1] == pytest.approx(199, abs=2)
        assert edges[0] == pytest.approx(12, abs=2)


@pytest.mark.parametrize("kind", FINISHES)
@pytest.mark.parametrize("tint", ["blue", "green", "black", "white"])
def test_tints(kind: str, tint: str, rough_face: Pixels, make_plan: MakePlan) -> None:
    plan = make_plan(tint=parse_colour(tint), tint_name=tint, finish=kind)
    assert main_name(finish([rough_face], make_plan(finish=kind)).pixels) == "orange"
    assert main_name(finish([rough_face], plan).pixels) == tint


@pytest.mark.parametrize("kind", FINISHES)
def test_ground_and_emblem(kind: str, face: Pixels, make_plan: MakePlan) -> None:
    emblem = Emblem(shape="circle", colour="#1d2f63")
    plan = make_plan(background="#fdf3d8", emblem=emblem, finish=kind)
    pixels = finish([face], plan).pixels
    assert (pixels[..., 3] == 255).all()
    assert pixels[2, 2, :3].tolist() == [0xFD, 0xF3, 0xD8]
    assert pixels[128, 16, :3].tolist() == [0x1D, 0x2F, 0x63]
    # the middle of the drawing lies between its eyes and its muzzle
    assert basic_name(pixels[118, 128, :3]) == "orange"


def test_a_black_glyph_turns_white_on_a_dark_emblem(make_plan: MakePlan) -> None:
    glyph = np.zeros((128, 128, 4), np.uint8)
    glyph[30:100, 40:90] = (16, 16, 16, 255)
    plan = make_plan(emblem=Emblem(shape="circle", colour="#1d2f63"))
    assert finish([glyph], plan).pixels[128, 128].tolist() == [255, 255, 255, 255]


def test_a_black_glyph_turns_white_in_a_ring_on_a_dark_ground(make_plan: MakePlan) -> None:
    glyph = np.zeros((128, 128, 4), np.uint8)
    glyph[30:100, 40:90] = (16, 16, 16, 255)
    ring = Emblem(shape="ring", colour="#ffffff")
    dark = finish([glyph], make_plan(emblem=ring, background="#000000")).pixels
    assert dark[128, 128].tolist() == [255, 255, 255, 255]
    clear = finish([glyph], make_plan(emblem=ring)).pixels
    assert max(clear[128, 128, :3]) < 64


def test_an_orange_drawing_on_orange_gets_a_line_around(face: Pixels, make_plan: MakePlan) -> None:
    plan = make_plan(emblem=Emblem(shape="square", colour="#f58a1f"))
    svg = finish([face], plan).svg
    assert svg is not None and 'stroke="#ffffff"' in svg


def pale_face(face: Pixels) -> Pixels:
    pixels = face.copy()
    pixels[face[..., 0] > 128, :3] = 255
    return pixels


def has_line(pixels: Pixels) -> bool:
    """Whether the outline is in the middle grey that is drawn around white."""
    return bool((np.abs(pixels[..., :3].astype(int) - (138, 144, 153)).max(axis=2) < 4).any())


@pytest.mark.parametrize("kind", ["vector", "raster"])
@pytest.mark.parametrize(
    ("changes", "lined"),
    [
        ({"tint": "#ffffff"}, True),
        ({"tint": "#ffffff", "emblem": Emblem(shape="ring", colour="#1d2f63")}, True),
        ({"tint": "#ffffff", "emblem": Emblem(shape="circle", colour="#1d2f63")}, False),
        ({"tint": "#ffffff", "background": "#1d2f63"}, False),
        ({"tint": "#dc2f2f"}, False),
        ({}, False),
    ],
)
def test_white_gets_a_line_where_it_was_asked_for_on_a_clear_canvas(
    kind: str, changes: dict[str, Any], lined: bool, face: Pixels, make_plan: MakePlan
) -> None:
    finished = finish([pale_face(face)], make_plan(finish=kind, **changes))
    assert has_line(finished.pixels) is lined


def test_the_line_is_around_the_white_alone(make_plan: MakePlan) -> None:
    """A white ball on a green pole: the pole shows on any page."""
    y, x = np.mgrid[:256, :256]
    pixels = np.zeros((256, 256, 4), np.uint8)
    pixels[(x > 116) & (x < 140) & (y > 120) & (y < 246)] = (30, 120, 40, 255)
    pixels[np.hypot(x - 128, y - 80) < 70] = 255
    rendered = finish([pixels], make_plan(tint="#ffffff", tint_name="white")).pixels
    assert has_line(rendered[:128])
    assert not has_line(rendered[180:])


def test_a_scene_fills_its_square(make_plan: MakePlan) -> None:
    scene = np.full((128, 128, 4), 255, np.uint8)
    scene[:64, :, :3], scene[64:, :, :3] = (90, 170, 240), (70, 160, 80)
    pixels = finish([scene], make_plan()).pixels
    assert (pixels[..., 3] == 255).all()
    assert basic_name(pixels[0, 0, :3]) == "blue" and basic_name(pixels[-1, -1, :3]) == "green"


@pytest.mark.parametrize("kind", FINISHES)
def test_same_pixels_every_time_and_in_any_thread(
    kind: str, rough_face: Pixels, make_plan: MakePlan
) -> None:
    plan = make_plan(finish=kind, tint=parse_colour("blue"), tint_name="blue")
    before = rough_face.copy()
    alone = finish([rough_face], plan)
    with ThreadPoolExecutor(3) as pool:
        others = list(pool.map(lambda _: finish([rough_face], plan), range(3)))
    assert all(np.array_equal(alone.pixels, other.pixels) for other in others)
    assert all(alone.svg == other.svg for other in others)
    assert np.array_equal(before, rough_face)  # the input is nobody's to change


def degenerate() -> dict[str, Pixels]:
    rng = np.random.default_rng(0)
    one = np.zeros((64, 64, 4), np.uint8)
    one[20, 20] = 255
    noise = rng.integers(0, 256, (128, 128, 4), dtype=np.uint8)
    opaque = noise.copy()
    opaque[..., 3] = 255
    ramp = np.zeros((128, 128, 4), np.uint8)
    ramp[..., 0] = np.arange(128) * 2
    ramp[..., 3] = np.arange(128)[:, None] * 2
    return {
        "clear": np.zeros((64, 64, 4), np.uint8),
        "white": np.full((64, 64, 4), 255, np.uint8),
        "one pixel": one,
        "side of one": np.full((1, 1, 4), 255, np.uint8),
        "noise": noise,
        "opaque noise": opaque,
        "ramp": ramp,
    }


@pytest.mark.parametrize("kind", FINISHES)
@pytest.mark.parametrize("name", degenerate())
def test_nothing_breaks_it(name: str, kind: str, make_plan: MakePlan) -> None:
    plan = make_plan(
        width=128,
        height=128,
        finish=kind,
        tint=parse_colour("red"),
        tint_name="red",
        emblem=Emblem(shape="shield", colour="#204080"),
    )
    done = finish([degenerate()[name]], plan)
    assert done.pixels.shape == (128, 128, 4)
    assert done.svg is None or len(done.svg) < 60_000


def test_what_is_no_square_of_rgba_is_the_models_fault(make_plan: MakePlan) -> None:
    with pytest.raises(BackendError, match=r"\(3, 4, 4\)"):
        finish([np.zeros((3, 4, 4), np.uint8)], make_plan())


def test_a_variation_is_drawn_in_other_proportions(rough_face: Pixels, make_plan: MakePlan) -> None:
    plain = finish([rough_face], make_plan(width=256, height=256))
    first, again, other = (
        finish(
            [rough_face],
            make_plan(width=256, height=256, variation_seeds=(seed,), variation_strength=0.6),
        )
        for seed in (5, 5, 6)
    )
    assert first.svg == again.svg
    assert len({plain.svg, first.svg, other.svg}) == 3
    drawn = first.pixels[..., 3] > 127
    assert (drawn != drawn[:, ::-1]).mean() < 0.02  # a face stays even
    colours = dominant_colours(plain.pixels), dominant_colours(first.pixels)
    assert len(colours[0]) == len(colours[1])


def test_a_scene_that_fills_its_frame_still_does_when_varied(make_plan: MakePlan) -> None:
    scene = np.zeros((64, 64, 4), np.uint8)
    scene[..., 3], scene[:32, :, 2], scene[32:, :, 1] = 255, 200, 150
    varied = make_plan(width=64, height=64, variation_seeds=(5,), variation_strength=1.0)
    assert finish([scene], varied).pixels[..., 3].min() == 255
