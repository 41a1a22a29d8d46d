"""Checking files: recipes inside them, bad ones among good ones, and pixels from Python."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngImageFile, PngInfo

import sfumato
from sfumato.errors import MissingExtraError, RequestError, StorageError
from sfumato.inspection import check, check_files, chosen_checks
from sfumato.registry import CHECKS


def disc(side: int = 128, radius: float = 40, x: float | None = None) -> np.ndarray:
    rows, columns = np.mgrid[:side, :side] + 0.5
    pixels = np.zeros((side, side, 4), np.uint8)
    pixels[..., :3] = (245, 138, 31)
    edge = radius - np.hypot(columns - (x or side / 2), rows - side / 2)
    pixels[..., 3] = np.rint(255 * np.clip(edge + 0.5, 0, 1))
    return pixels


def save(pixels: np.ndarray, path: Path) -> Path:
    Image.fromarray(pixels).save(path)
    return path


def names(found: tuple[sfumato.Finding, ...]) -> list[str]:
    return [finding.check for finding in found]


class TestCheck:
    def test_a_file_and_its_pixels_are_the_same(self, tmp_path: Path) -> None:
        off = disc(x=90)
        path = save(off, tmp_path / "off.png")
        assert names(check(path)) == names(check(off)) == names(sfumato.check(str(path)))
        assert "off_centre" in names(check(off))

    def test_pixels_without_alpha_are_opaque(self) -> None:
        (found,) = check(np.full((64, 64, 3), 200, np.uint8), checks=["blank"])
        assert "flat colour" in found.message

    def test_words_say_what_it_should_show(self) -> None:
        assert "wrong_colour" in names(check(disc(), prompt="a blue ball"))
        assert "wrong_colour" not in names(check(disc()))

    def test_our_own_files_are_held_against_their_recipe(self, tmp_path: Path) -> None:
        image = sfumato.generate("a red ball", model="fake", seed=1, width=128, height=128)
        path = image.images[0].save(tmp_path / "ball.png")
        info = PngInfo()
        for key, value in PngImageFile(path).text.items():
            info.add_text(key, str(value))
        painted = disc()
        Image.fromarray(painted).save(tmp_path / "changed.png", pnginfo=info)
        assert "wrong_colour" in names(check(tmp_path / "changed.png"))
        assert "wrong_colour" not in names(check(save(painted, tmp_path / "plain.png")))

    def test_the_pixels_are_decoded_once(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = save(disc(), tmp_path / "disc.png")
        decoded: list[object] = []
        load = PngImageFile.load
        monkeypatch.setattr(
            PngImageFile, "load", lambda self: (decoded.append(self.tile), load(self))[1]
        )
        check(path, checks=["blank"])
        assert len([tiles for tiles in decoded if tiles]) == 1

    @pytest.mark.parametrize(
        "pixels",
        [
            np.zeros((8, 8), np.uint8),
            np.zeros((8, 8, 4), np.float32),
            np.zeros((8, 8, 2), np.uint8),
            np.zeros((0, 8, 4), np.uint8),
        ],
    )
    def test_what_is_no_picture_is_refused(self, pixels: np.ndarray) -> None:
        with pytest.raises(RequestError):
            check(pixels)

    def test_a_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(StorageError):
            check(tmp_path / "none.png")


class TestCheckFiles:
    def test_bad_ones_are_reported_in_their_place(self, tmp_path: Path) -> None:
        paths = [save(disc(), tmp_path / f"{n}.png") for n in range(6)]
        paths[1].write_bytes(b"")
        paths[4].write_bytes(paths[3].read_bytes()[:200])
        found = list(check_files(paths, checks=["blank"]))
        assert [one.path for one in found] == paths
        assert [one.error is not None for one in found] == [False, True, False, False, True, False]
        assert all(one.look is None for one in found if one.error)

    def test_later_ones_are_compared_with_earlier_ones(self, tmp_path: Path) -> None:
        pixels = disc()
        pixels[40:60, 50:80, :3] = (40, 60, 200)
        pixels[75:85, 30:90, :3] = (20, 140, 60)
        other = disc(radius=30)
        other[50:90, 60:70, :3] = (0, 0, 0)
        paths = [
            save(pixels, tmp_path / "one.png"),
            save(other, tmp_path / "two.png"),
            save(np.roll(pixels, 9, axis=1), tmp_path / "three.png"),
        ]
        found = [names(one.findings) for one in check_files(paths, checks=["near_duplicate"])]
        assert found == [[], [], ["near_duplicate"]]

    def test_a_jpeg_is_not_blamed_for_its_ground(self, tmp_path: Path) -> None:
        image = sfumato.generate("a red ball", model="fake", seed=1, width=128, height=128)
        path = image.images[0].save(tmp_path / "ball.jpg")
        (found,) = check_files([path], checks=["opaque_ground"])
        assert found.format == "jpeg" and found.findings == ()
        assert found.look is not None and found.look.plan is not None


class TestNamed:
    def test_a_check_that_has_nothing_to_go_by_is_refused(self) -> None:
        pixels = np.full((64, 64, 3), 200, np.uint8)
        with pytest.raises(RequestError, match="'wrong_colour' needs the words"):
            check(pixels, checks=["wrong_colour"])
        check(pixels, checks=["wrong_colour"], prompt="a grey square")

    def test_a_check_without_its_package_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sfumato.checks.find_spec", lambda name: None)
        with pytest.raises(MissingExtraError, match="'ocr'"):
            check(np.full((64, 64, 3), 200, np.uint8), checks=["stray_lettering"])


class TestChosen:
    def test_nothing_said_is_none(self) -> None:
        assert chosen_checks([], []) is None

    def test_only_and_skip(self) -> None:
        assert chosen_checks(["blur", "halo"], ["halo"]) == ("blur",)
        without = chosen_checks([], ["blur"])
        assert without is not None and "blur" not in without and "halo" in without
        assert not any("opt-in" in CHECKS.get(name).capabilities for name in without)

    @pytest.mark.parametrize("given", [(["nope"], []), ([], ["nope"])])
    def test_unknown_names(self, given: tuple[list[str], list[str]]) -> None:
        with pytest.raises(RequestError):
            chosen_checks(*given)
