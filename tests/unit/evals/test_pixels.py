"""Colour, outline, flatness and memorisation on pictures whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest
from measures.flatness import measure_flatness, palette_size, seam_ratio, unevenness
from measures.memory import (
    is_closer_than,
    nearest_by_embedding,
    nearest_by_pixels,
    shrink,
)
from measures.shape import SHAPES, draw_shape, fill_holes, outline_of, without_emblem
from numpy.typing import NDArray
from PIL import Image

from sfumato.colours import parse_colour, rgb_of
from sfumato.evals.colour import colour_shares, has_colour

Pixels = NDArray[np.uint8]


def painted(mask: NDArray[np.bool_], colour: str = "#2f6fde") -> Pixels:
    pixels = np.zeros((*mask.shape, 4), np.uint8)
    pixels[mask] = (*rgb_of(colour), 255)
    return pixels


def swatch(colour: str, side: int = 32) -> Pixels:
    return painted(np.ones((side, side), bool), colour)


# ---------------------------------------------------------------- colour


@pytest.mark.parametrize("name", ["red", "orange", "yellow", "green", "blue", "purple", "pink"])
def test_a_swatch_has_its_own_colour_and_no_other(name: str) -> None:
    pixels = swatch(parse_colour(name))
    assert has_colour(pixels, name)
    others = {"red", "yellow", "green", "blue", "purple"} - {name}
    assert not any(has_colour(pixels, other) for other in others)


def test_outlines_and_whites_do_not_outvote_a_chromatic_colour() -> None:
    pixels = swatch("#ffffff")
    pixels[:10] = (*rgb_of("#2f6fde"), 255)  # 31 % blue below 69 % white
    assert has_colour(pixels, "blue")
    assert has_colour(pixels, "white")
    assert not has_colour(pixels, "grey")


def test_a_red_nose_does_not_make_a_fox_red() -> None:
    pixels = swatch("#f58a1f")
    pixels[:4] = (*rgb_of("#dc2f2f"), 255)
    assert not has_colour(pixels, "red")
    assert has_colour(pixels, "orange")


def test_only_the_foreground_counts() -> None:
    pixels = swatch("#3aa652")
    pixels[8:, :, :] = (220, 47, 47, 0)  # red, but transparent
    assert has_colour(pixels, "green")
    assert sum(colour_shares(pixels).values()) == pytest.approx(1.0)
    assert not has_colour(np.zeros((16, 16, 4), np.uint8), "green")


# ---------------------------------------------------------------- outline


@pytest.mark.parametrize("name", SHAPES)
def test_every_shape_is_named_at_any_place_and_size(name: str) -> None:
    mask = draw_shape(name)
    assert outline_of(painted(mask)) == name
    small = Image.fromarray(painted(mask)).resize((90, 90), Image.Resampling.BOX)
    canvas = Image.new("RGBA", (192, 192))
    canvas.paste(small, (12, 80))
    assert outline_of(np.asarray(canvas)) == name


def test_a_drawing_on_the_emblem_leaves_its_outline() -> None:
    pixels = painted(draw_shape("hexagon"))
    pixels[80:110, 80:110] = (255, 255, 255, 255)
    assert outline_of(pixels) == "hexagon"


def test_an_emblem_is_taken_off_its_drawing() -> None:
    pixels = painted(draw_shape("shield"))
    pixels[80:110, 80:110] = (255, 255, 255, 255)
    bare = without_emblem(pixels)
    rows, columns = np.nonzero(bare[..., 3])
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (80, 109, 80, 109)
    plain = painted(draw_shape("shield"))
    assert without_emblem(plain) is plain
    blank = np.zeros((64, 64, 4), np.uint8)
    assert without_emblem(blank) is blank


def test_a_disc_is_no_ring() -> None:
    assert outline_of(painted(draw_shape("circle"))) == "circle"
    assert outline_of(painted(draw_shape("ring", 0.2))) == "ring"


def test_a_drawing_has_no_outline_of_an_emblem() -> None:
    mask = np.zeros((192, 192), bool)
    mask[20:170, 80:110] = True
    mask[60:90, 20:170] = True  # a cross
    assert outline_of(painted(mask)) == ""
    assert outline_of(np.zeros((64, 64, 4), np.uint8)) == ""


def test_holes_are_filled_and_bays_are_not() -> None:
    mask = np.ones((20, 20), bool)
    mask[5:8, 5:8] = False  # a hole
    mask[12:15, 12:] = False  # a bay, open to the right
    filled = fill_holes(mask)
    assert filled[6, 6]
    assert not filled[13, 15]


def test_an_unknown_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="no shape called 'blob'"):
        draw_shape("blob")


# ---------------------------------------------------------------- flatness


def test_a_flat_picture_is_flat() -> None:
    pixels = swatch("#f58a1f", 128)
    pixels[:50] = (*rgb_of("#1d2f63"), 255)
    measured = measure_flatness(pixels)
    assert measured is not None
    assert (measured.palette, measured.unevenness) == (2, 0.0)


def test_noise_and_gradients_are_counted() -> None:
    pixels = swatch("#808080", 128)
    noise = np.random.default_rng(0).integers(-6, 7, (128, 128, 3))
    noisy = pixels.copy()
    noisy[..., :3] = np.clip(pixels[..., :3] + noise, 0, 255)
    gradient = pixels.copy()
    gradient[..., 0] = np.arange(128)[:, None] * 2
    assert unevenness(pixels) == 0.0
    assert unevenness(gradient) == pytest.approx(1.0, abs=0.02)  # 2 down, 0 across
    assert unevenness(noisy) > 3
    assert palette_size(gradient) > 20


def test_seams_between_patches_are_found() -> None:
    rng = np.random.default_rng(0)
    patches = np.repeat(np.repeat(rng.integers(0, 256, (16, 16)), 8, axis=0), 8, axis=1)
    pixels = np.dstack([patches, patches, patches, np.full_like(patches, 255)]).astype(np.uint8)
    smooth = pixels.copy()
    smooth[..., :3] = np.add.outer(np.arange(128), np.arange(128))[..., None]
    assert seam_ratio(smooth) == pytest.approx(1.0, abs=0.01)
    pixels[..., :3] = pixels[..., :3] // 2 + smooth[..., :3] // 2
    assert seam_ratio(pixels) > 10


def test_nothing_drawn_has_no_flatness() -> None:
    assert measure_flatness(np.zeros((64, 64, 4), np.uint8)) is None


# ---------------------------------------------------------------- memorisation


def random_icons(count: int, seed: int) -> Pixels:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (count, 8, 8, 4), dtype=np.uint8)
    coarse[..., 3] = np.where(coarse[..., 3] > 100, 255, 0)
    return coarse.repeat(8, axis=1).repeat(8, axis=2)


def test_a_planted_copy_is_found() -> None:
    training, drawn, real = random_icons(60, 0), random_icons(20, 1), random_icons(40, 2)
    drawn[3] = training[41]
    nearest = nearest_by_pixels(drawn, training)
    assert nearest.index[3] == 41
    assert nearest.distance[3] == 0.0
    assert (np.delete(nearest.distance, 3) > 0.1).all()
    closer = is_closer_than(nearest.distance, nearest_by_pixels(real, training).distance)
    assert closer[3]
    assert closer.sum() <= 5


def test_colour_under_transparent_pixels_is_no_difference() -> None:
    training = random_icons(5, 0)
    drawn = training.copy()
    drawn[drawn[..., 3] == 0] = (255, 0, 255, 0)
    assert nearest_by_pixels(drawn, training).distance == pytest.approx(0.0, abs=1e-6)


def test_a_large_picture_is_compared_at_the_small_size() -> None:
    training = random_icons(5, 0)
    large = training.repeat(4, axis=1).repeat(4, axis=2)
    assert (shrink(large, 64) == shrink(training, 64)).all()
    assert nearest_by_pixels(large, training).index.tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="multiple"):
        shrink(training, 30)


def test_the_nearest_embedding_is_the_same_direction() -> None:
    training = np.eye(4, dtype=np.float32)
    nearest = nearest_by_embedding(np.array([[0, 0.6, 0.8, 0], [1, 0, 0, 0]], np.float32), training)
    assert nearest.index.tolist() == [2, 0]
    assert nearest.distance == pytest.approx([0.2, 0.0], abs=1e-6)
