"""Findings painted on their picture."""

from __future__ import annotations

import numpy as np
import pytest
from pictures_to_check import owl

from sfumato.checks import Look, drawing
from sfumato.checks.masks import to_mask
from sfumato.checks.overlay import paint_findings
from sfumato.request import Finding


def test_the_marked_place_changes_and_the_rest_does_not() -> None:
    where = np.zeros((512, 512), np.bool_)
    where[200:400, 100:300] = True
    marked = Finding(check="haze", severity="warning", message="Haze.", mask=to_mask(where))
    plain = Finding(check="haze", severity="warning", message="Haze.")
    one, other = (np.asarray(paint_findings(owl(), [f], "a")) for f in (plain, marked))
    assert one.shape == other.shape
    changed = np.argwhere((one != other).any(axis=2))
    scale = 640 / 512
    np.testing.assert_allclose(changed.min(axis=0), [20 + 200 * scale, 20 + 100 * scale], atol=8)
    np.testing.assert_allclose(changed.max(axis=0), [20 + 400 * scale, 20 + 300 * scale], atol=8)


def test_each_speck_gets_its_own_frame() -> None:
    pixels = np.zeros((512, 512, 4), np.uint8)
    pixels[160:360, 160:360] = (200, 40, 40, 255)
    pixels[30:35, 30:35] = pixels[480:485, 470:475] = (0, 0, 0, 255)
    (found,) = drawing.speckles(Look(pixels))
    sheet = np.asarray(paint_findings(pixels, [found], "a")).astype(int)
    amber = np.abs(sheet - np.array([217, 119, 6])).max(axis=2) < 6
    middle = amber[20 + 200 : 20 + 450, 20 + 200 : 20 + 450]
    assert amber[:100, :100].any() and amber[560:660, 560:660].any() and not middle.any()


@pytest.mark.parametrize("shape", [(1, 1), (16, 3000), (900, 20), (2000, 2000)])
def test_any_shape_fits_the_sheet(shape: tuple[int, int]) -> None:
    box = (0, 0, shape[1], shape[0])
    long = Finding(check="blank", severity="error", message="Words and words. " * 30, box=box)
    sheet = paint_findings(np.full((*shape, 4), 90, np.uint8), [long] * 3, "a name " * 40)
    assert 400 < sheet.width <= 1064 and sheet.height > 100
