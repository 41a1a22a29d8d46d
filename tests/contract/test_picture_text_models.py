"""What every registered picture-text model promises."""

from __future__ import annotations

import re

import numpy as np
import pytest
from numpy.typing import NDArray

from sfumato import clip
from sfumato.clip import PictureTextModel
from sfumato.registry import PICTURE_TEXT_MODELS

NAMES = [entry.name for entry in PICTURE_TEXT_MODELS]
TEXTS = ["a red fox", "two blue ships", "x", "", "🦊", "\x00", "word " * 300]
SHAPES = [(1, 1), (16, 4096), (4096, 16), (64, 64), (3, 7), (300, 200)]


@pytest.fixture(params=NAMES)
def model(request: pytest.FixtureRequest) -> PictureTextModel:
    return clip.load(request.param)


def pictures() -> list[NDArray[np.uint8]]:
    """A red disc on nothing and blue stripes on white, in every shape."""
    made = []
    for height, width in SHAPES:
        y, x = np.mgrid[:height, :width]
        disc = np.zeros((height, width, 4), np.uint8)
        inside = ((y - height / 2 + 0.5) / height) ** 2 + ((x - width / 2 + 0.5) / width) ** 2
        disc[inside < 0.2] = (220, 40, 30, 255)
        stripes = np.full((height, width, 4), 255, np.uint8)
        stripes[(x // 5 % 2 == 0)] = (30, 60, 200, 255)
        made += [disc, stripes]
    return made


def assert_unit(vectors: NDArray[np.float32], count: int, dimensions: int) -> None:
    assert vectors.shape == (count, dimensions)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-4)


def test_the_sheet_is_complete(model: PictureTextModel) -> None:
    assert isinstance(model, PictureTextModel)
    spec = model.spec
    assert spec.name in NAMES
    assert spec.summary and spec.licence
    assert re.fullmatch(r"[0-9a-f]{64}", spec.sha256)
    assert spec.dimensions > 0 and spec.picture_size > 0
    assert spec.logit_scale > 0


def test_pictures_become_unit_rows(model: PictureTextModel) -> None:
    shown = pictures()
    assert_unit(model.encode_pictures(shown), len(shown), model.spec.dimensions)


def test_texts_become_unit_rows(model: PictureTextModel) -> None:
    assert_unit(model.encode_texts(TEXTS), len(TEXTS), model.spec.dimensions)


def test_nothing_becomes_no_rows(model: PictureTextModel) -> None:
    assert model.encode_pictures([]).shape == (0, model.spec.dimensions)
    assert model.encode_texts([]).shape == (0, model.spec.dimensions)


def test_a_row_does_not_depend_on_its_neighbours(model: PictureTextModel) -> None:
    shown = pictures() * 4  # more than one batch
    together = model.encode_pictures(shown)
    alone = np.concatenate([model.encode_pictures([picture]) for picture in shown[:12]])
    np.testing.assert_allclose(together[:12], alone, atol=2e-5)
    read = model.encode_texts(TEXTS * 30)
    np.testing.assert_allclose(
        read[: len(TEXTS)], np.concatenate([model.encode_texts([t]) for t in TEXTS]), atol=2e-5
    )


def test_the_same_again_is_the_same(model: PictureTextModel) -> None:
    shown = pictures()
    np.testing.assert_array_equal(model.encode_pictures(shown), model.encode_pictures(shown))
    np.testing.assert_array_equal(model.encode_texts(TEXTS), model.encode_texts(TEXTS))


def test_a_view_of_a_larger_array_is_a_picture(model: PictureTextModel) -> None:
    whole = np.random.default_rng(0).integers(0, 256, (90, 90, 4), np.uint8)
    part = whole[10:74:2, 5:69]
    np.testing.assert_array_equal(
        model.encode_pictures([part]), model.encode_pictures([part.copy()])
    )


def test_what_hides_under_transparency_does_not_matter(model: PictureTextModel) -> None:
    disc = pictures()[6]
    hidden = disc.copy()
    hidden[hidden[..., 3] == 0, :3] = (10, 200, 30)
    np.testing.assert_allclose(
        model.encode_pictures([hidden]), model.encode_pictures([disc]), atol=1e-5
    )


def test_a_colour_is_nearer_to_its_own_name(model: PictureTextModel) -> None:
    disc = pictures()[6]
    blue = disc.copy()
    blue[..., :3] = (30, 70, 220)
    cosines = model.encode_pictures([disc, blue]) @ model.encode_texts(["red", "blue"]).T
    assert cosines[0, 0] - cosines[0, 1] > cosines[1, 0] - cosines[1, 1]
