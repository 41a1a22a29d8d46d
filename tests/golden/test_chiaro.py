"""Pictures of the shipped model, held against stored ones by tolerance.

Processors round differently, so pixels may differ a little; a picture that looks different is a
defect or a new model. After a deliberate change, write the pictures anew and look at them:

    python tests/golden/test_chiaro.py
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sfumato import generate

HERE = Path(__file__).parent
SIDE = 96
# name: prompt, seed. One a style, a tint, an emblem.
PICTURES = {
    "fox": ("a red fox", 0),
    "rocket": ("a cartoon rocket", 1),
    "owl": ("a classic owl", 2),
    "house": ("a soft house", 3),
    "anvil": ("an anvil", 4),
    "blue-dragon": ("a blue dragon", 5),
    "wolf-badge": ("white wolf head on a blue circle", 6),
}
_TOLERANCE = 6.0  # mean absolute difference in 8-bit steps; a wrong seed gives 20 and more


def draw(name: str) -> Image.Image:
    prompt, seed = PICTURES[name]
    image = generate(prompt, seed=seed, width=SIDE, height=SIDE).images[0]
    return Image.fromarray(image.pixels)


def on_grey(image: Image.Image) -> np.ndarray:
    ground = Image.new("RGBA", image.size, "#808080")
    return np.asarray(Image.alpha_composite(ground, image.convert("RGBA")), np.float32)


@pytest.mark.slow
@pytest.mark.parametrize("name", PICTURES)
def test_it_looks_as_it_did(name: str) -> None:
    with Image.open(HERE / f"{name}.png") as stored:
        expected = on_grey(stored)
    difference = np.abs(on_grey(draw(name)) - expected).mean()
    assert difference < _TOLERANCE


def test_the_tolerance_tells_pictures_apart() -> None:
    pictures = []
    for name in PICTURES:
        with Image.open(HERE / f"{name}.png") as stored:
            pictures.append(on_grey(stored))
    for i, one in enumerate(pictures):
        for other in pictures[i + 1 :]:
            assert np.abs(one - other).mean() > 2 * _TOLERANCE


if __name__ == "__main__":
    for name in PICTURES:
        draw(name).save(HERE / f"{name}.png", optimize=True)
        sys.stdout.write(f"{name}\n")
