"""Copies of training pictures and repeats within a batch, and what is merely alike."""

from __future__ import annotations

import io
import weakref
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from sfumato.checks import Earlier, Look, check_pictures, copies
from sfumato.checks.copies import Known, load_index, near_copy, near_duplicate
from sfumato.checks.likeness import DIMENSIONS, MIRROR, distances, fingerprint, fingerprints
from sfumato.request import Finding

SIDE = 256
Pixels = NDArray[np.uint8]


def drawing(seed: int) -> Pixels:
    """A shape of six blobs in shades of one colour, like no other seed's."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE]
    pixels = np.zeros((SIDE, SIDE, 4), np.uint8)
    for level in np.linspace(60, 240, 6):
        across, down = rng.uniform(60, 196, 2)
        wide, high = rng.uniform(15, 55, 2)
        blob = np.hypot((x - across) / wide, (y - down) / high) < 1
        pixels[blob] = (int(level), int(level * 0.6), 40, 255)
    return pixels


def resized(pixels: Pixels, side: int) -> Pixels:
    return np.asarray(Image.fromarray(pixels).resize((side, side), Image.Resampling.LANCZOS))


def recoloured(pixels: Pixels) -> Pixels:
    return np.ascontiguousarray(pixels[..., [2, 0, 1, 3]])


def shifted(pixels: Pixels) -> Pixels:
    return np.roll(pixels, (2, -2), (0, 1))


def compressed(pixels: Pixels) -> Pixels:
    """As a JPEG on white."""
    sheet = Image.new("RGBA", (SIDE, SIDE), "white")
    sheet.alpha_composite(Image.fromarray(pixels))
    file = io.BytesIO()
    sheet.convert("RGB").save(file, "JPEG", quality=80)
    return np.asarray(Image.open(file).convert("RGBA"))


CHANGES = {
    "itself": lambda p: p,
    "mirrored": lambda p: np.ascontiguousarray(p[:, ::-1]),
    "smaller": lambda p: resized(p, 100),
    "larger": lambda p: resized(p, 600),
    "shifted": shifted,
    "recoloured": recoloured,
    "compressed": compressed,
}


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> Known:
    """An index of thirty drawings, in place of the one that ships."""
    pictures = [drawing(seed) for seed in range(30)]
    vectors = np.stack([fingerprint(p, p[..., 3] / np.float32(255)) for p in pictures])
    index = Known(
        vectors=vectors,
        name_of=np.arange(30, dtype=np.uint16),
        pack_of=np.zeros(30, np.uint8),
        names=tuple(f"drawing {seed}" for seed in range(30)),
        packs=("testpack",),
        licences=("CC-BY-4.0",),
        authors=("A. Designer",),
    )
    monkeypatch.setattr(copies, "load_index", lambda: index)
    return index


class TestFingerprint:
    @pytest.mark.parametrize("change", CHANGES)
    def test_the_same_drawing_stays_close(self, change: str) -> None:
        own, other = fingerprints(Look(drawing(3))), fingerprints(Look(CHANGES[change](drawing(3))))
        assert float(distances(own, other).min()) < 0.15

    def test_other_drawings_lie_far(self) -> None:
        others = np.concatenate([fingerprints(Look(drawing(seed))) for seed in range(4, 12)])
        assert float(distances(fingerprints(Look(drawing(3))), others).min()) > 0.3

    def test_mirroring_turns_signs(self) -> None:
        own = fingerprints(Look(drawing(3)))
        mirrored = fingerprints(Look(np.ascontiguousarray(drawing(3)[:, ::-1])))
        np.testing.assert_allclose(own * MIRROR, mirrored, atol=0.02)

    def test_unit_length_and_none_for_nothing(self) -> None:
        assert fingerprints(Look(drawing(3))).shape == (1, DIMENSIONS)
        assert float(np.linalg.norm(fingerprints(Look(drawing(3))))) == pytest.approx(1, abs=1e-5)
        assert fingerprints(Look(np.zeros((SIDE, SIDE, 4), np.uint8))).shape == (0, DIMENSIONS)


class TestNearCopy:
    @pytest.mark.parametrize("change", CHANGES)
    def test_a_copy_is_named_with_its_licence(self, known: Known, change: str) -> None:
        (found,) = near_copy(Look(CHANGES[change](drawing(7))))
        assert found.severity == "note"
        assert found.message == (
            "Close to 'drawing 7' of testpack; its licence, CC-BY-4.0, asks to name A. Designer."
        )
        assert found.measure is not None
        assert found.measure < 0.17

    @pytest.mark.parametrize(
        ("licence", "asks"),
        [
            ("CC-BY-3.0", True),
            ("CC-BY-SA-4.0", True),
            ("CC0-1.0", False),
            ("MIT", False),
            ("Apache-2.0", False),
            ("ISC", False),
        ],
    )
    def test_the_licence_decides_whether_credit_is_asked(
        self, known: Known, monkeypatch: pytest.MonkeyPatch, licence: str, asks: bool
    ) -> None:
        index = replace(known, licences=(licence,))
        monkeypatch.setattr(copies, "load_index", lambda: index)
        (found,) = near_copy(Look(drawing(7)))
        assert licence in found.message
        assert ("A. Designer" in found.message) == asks
        assert ("asks for no credit" in found.message) != asks

    def test_another_drawing_is_none(self, known: Known) -> None:
        assert near_copy(Look(drawing(99))) == []

    def test_a_shape_that_many_share_is_nobodys(
        self, known: Known, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shared = np.concatenate([known.vectors, np.repeat(known.vectors[7:8], 5, axis=0)])
        crowd = Known(
            vectors=shared,
            name_of=np.zeros(len(shared), np.uint16),
            pack_of=np.zeros(len(shared), np.uint8),
            names=("heart",),
            packs=known.packs,
            licences=known.licences,
            authors=known.authors,
        )
        monkeypatch.setattr(copies, "load_index", lambda: crowd)
        assert near_copy(Look(drawing(7))) == []

    def test_geometry_is_nobodys(self) -> None:
        y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2
        disc = np.zeros((SIDE, SIDE, 4), np.uint8)
        disc[np.hypot(x, y) < 90] = (200, 30, 30, 255)
        apart = distances(fingerprints(Look(disc)), load_index().vectors)
        assert float(apart.min()) < 0.1  # a full moon of one of the packs
        assert near_copy(Look(disc)) == []


class TestShippedIndex:
    def test_every_picture_has_a_name_a_pack_and_a_licence(self) -> None:
        index = load_index()
        assert index.vectors.shape == (len(index.name_of), DIMENSIONS)
        assert len(index.name_of) > 4000
        assert int(index.name_of.max()) < len(index.names)
        assert int(index.pack_of.max()) < len(index.packs)
        assert len(index.packs) == len(index.licences) == len(index.authors)
        assert all(index.names) and all(index.licences)
        np.testing.assert_allclose(np.linalg.norm(index.vectors, axis=1), 1, atol=1e-5)

    def test_it_stays_small(self) -> None:
        assert copies.INDEX.stat().st_size <= 450_000


class TestNearDuplicate:
    def said(self, *pictures: Pixels) -> list[Finding]:
        """Of the last picture, the others being earlier."""
        earlier = Earlier()
        for picture in pictures[:-1]:
            earlier.add(Look(picture))
        return near_duplicate(Look(pictures[-1]), earlier)

    @pytest.mark.parametrize("change", ["itself", "mirrored", "smaller", "shifted"])
    def test_the_earlier_one_is_named(self, change: str) -> None:
        (found,) = self.said(drawing(1), drawing(2), CHANGES[change](drawing(1)))
        assert "picture 1" in found.message

    def test_the_first_of_two_is_no_repeat(self) -> None:
        assert self.said(drawing(1)) == []
        looks = [Look(drawing(1)), Look(drawing(1))]
        assert [bool(found) for found in check_pictures(looks, ["near_duplicate"])] == [False, True]

    def test_other_drawings_and_other_colours_are_none(self) -> None:
        assert self.said(drawing(1), drawing(2)) == []
        assert self.said(drawing(1), drawing(2), recoloured(drawing(1))) == []

    def test_empty_pictures_are_left_to_blank(self) -> None:
        empty = np.zeros((SIDE, SIDE, 4), np.uint8)
        assert self.said(empty, empty) == []
        assert self.said(empty, drawing(1), empty, drawing(1))[0].message.count("picture 2") == 1

    def test_each_of_a_long_batch_is_remembered_without_its_pixels(self) -> None:
        pictures = [drawing(seed) for seed in range(1, 40)]
        earlier = Earlier()
        for number, picture in enumerate(pictures):
            look = Look(picture)
            assert earlier.twin_of(look) is None
            earlier.add(look)
            assert len(earlier) == number + 1
        kept = weakref.ref(look)
        del look
        assert kept() is None
        for number, picture in enumerate(pictures):
            twin = earlier.twin_of(Look(np.ascontiguousarray(picture[:, ::-1])))
            assert twin is not None
            assert twin[0] == number
