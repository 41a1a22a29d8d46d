"""Framing: the same drawing fills the same square wherever, however large and on whatever it is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from sfumato.clip.framing import FILL, SIDE, frame

Pixels = NDArray[np.uint8]


def drawing(
    side: int = 128, left: int = 40, top: int = 30, length: int = 48, ground: tuple[int, ...] = ()
) -> Pixels:
    """A red square whose upper left quarter is blue, on nothing or on an opaque ground."""
    pixels = np.zeros((side, side, 4), np.uint8)
    if ground:
        pixels[:] = (*ground, 255)
    pixels[top : top + length, left : left + length] = (220, 30, 30, 255)
    half = length // 2
    pixels[top : top + half, left : left + half] = (30, 30, 220, 255)
    return pixels


def difference(first: Pixels, second: Pixels) -> float:
    return float(np.abs(first.astype(float) - second.astype(float)).mean())


def test_the_drawing_fills_the_frame() -> None:
    inked = np.flatnonzero(frame(drawing())[..., 3].any(axis=0))
    assert abs(len(inked) - FILL * SIDE) <= 2
    assert abs((inked[0] + inked[-1] + 1) / 2 - SIDE / 2) <= 1


@given(
    left=st.integers(1, 79),  # on the edge itself it would hide the ground
    top=st.integers(1, 79),
    ground=st.sampled_from([(), (255, 255, 255), (0, 0, 0), (20, 160, 90)]),
)
def test_where_it_is_does_not_matter(left: int, top: int, ground: tuple[int, ...]) -> None:
    middle = frame(drawing(ground=ground))
    assert difference(frame(drawing(left=left, top=top, ground=ground)), middle) < 0.5


@pytest.mark.parametrize("times", [2, 3, 8, 20])
def test_its_size_does_not_matter(times: int) -> None:
    large = np.kron(drawing(), np.ones((times, times, 1), np.uint8))
    assert difference(frame(large), frame(drawing())) < 3.0


@pytest.mark.parametrize("ground", [(255, 255, 255), (0, 0, 0), (20, 160, 90)])
def test_a_plain_ground_stays_visible_around_it(ground: tuple[int, int, int]) -> None:
    framed = frame(drawing(ground=ground))
    assert tuple(framed[0, 0]) == (*ground, 255)
    assert (framed[..., 3] == 255).all()


def test_a_ground_with_a_little_noise_is_still_a_ground() -> None:
    noise = np.random.default_rng(0).integers(-6, 7, (128, 128, 3))
    pixels = drawing(ground=(200, 210, 220))
    pixels[..., :3] = np.clip(pixels[..., :3].astype(int) + noise, 0, 255)
    assert difference(frame(pixels), frame(drawing(ground=(200, 210, 220)))) < 4.0


def test_a_full_picture_is_not_cropped() -> None:
    photo = np.random.default_rng(0).integers(0, 256, (100, 100, 4), np.uint8)
    photo[..., 3] = 255
    framed = frame(photo)
    inked = np.flatnonzero(framed[..., 3].any(axis=0))
    assert abs(len(inked) - FILL * SIDE) <= 2


def test_colours_under_transparent_pixels_do_not_matter() -> None:
    hidden = drawing()
    hidden[hidden[..., 3] == 0, :3] = (255, 0, 255)
    np.testing.assert_array_equal(frame(hidden), frame(drawing()))


def test_pixels_come_premultiplied() -> None:
    pixels = drawing()
    pixels[..., 3] //= 2
    framed = frame(pixels)
    assert (framed[..., :3] <= framed[..., 3:]).all()
    assert framed[..., 3].max() == 127


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (16, 4096), (4096, 16), (64, 64), (511, 700)])
@pytest.mark.parametrize("fill", [0, 255])
def test_any_shape_is_framed(shape: tuple[int, int], fill: int) -> None:
    framed = frame(np.full((*shape, 4), fill, np.uint8))
    assert framed.shape == (SIDE, SIDE, 4)
    assert framed.dtype == np.uint8
    assert bool(framed.any()) == bool(fill)
    if fill:
        assert framed[SIDE // 2, SIDE // 2, 3] > 0


def test_a_tall_drawing_keeps_its_proportions() -> None:
    pixels = np.zeros((200, 200, 4), np.uint8)
    pixels[20:180, 90:110] = 255
    framed = frame(pixels)
    rows, columns = (len(np.flatnonzero(framed[..., 3].any(axis=a))) for a in (1, 0))
    assert rows / columns == pytest.approx(8, rel=0.25)


def test_the_picture_itself_is_left_alone() -> None:
    pixels = drawing()
    before = pixels.copy()
    pixels.setflags(write=False)
    frame(pixels)
    np.testing.assert_array_equal(pixels, before)
