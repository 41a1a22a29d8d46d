"""What every registered file format promises: a picture and its recipe go in and come out."""

from __future__ import annotations

import pytest

import sfumato
from sfumato.files import encode_image
from sfumato.registry import WRITERS
from sfumato.request import GeneratedImage


@pytest.fixture(scope="module")
def image() -> GeneratedImage:
    return sfumato.generate("a red fox", model="fake", seed=7, width=96, height=64).images[0]


@pytest.mark.parametrize("name", WRITERS.names())
class TestEveryFormat:
    def test_its_entry_says_what_it_makes(self, name: str) -> None:
        entry = WRITERS.get(name)
        assert entry.details["extension"].isalnum()
        assert entry.capabilities <= {"alpha", "vector"}

    def test_the_same_picture_gives_the_same_bytes(self, name: str, image: GeneratedImage) -> None:
        encoded = encode_image(image, name)
        assert encoded
        assert encode_image(image, name) == encoded

    def test_the_recipe_is_read_back_from_the_file(
        self, name: str, image: GeneratedImage, tmp_path
    ) -> None:
        path = image.save(tmp_path / f"fox.{WRITERS.get(name).details['extension']}")
        assert path.read_bytes()
        assert sfumato.read_recipe(path).plan == image.plan
