"""``sfumato check``: what is said, painted and answered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sfumato.registry import CHECKS

Sfumato = Callable[..., Any]


def picture(path: Path, *, left: int = 40, colour: tuple[int, int, int] = (220, 47, 47)) -> Path:
    """A square with a bar on a clear canvas of 128 pixels."""
    pixels = np.zeros((128, 128, 4), np.uint8)
    pixels[40:88, left : left + 48] = (*colour, 255)
    pixels[50:60, left + 8 : left + 30, :3] = (250, 240, 220)
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def good(folder: Path) -> Path:
    return picture(folder / "good.png")


@pytest.fixture
def cut(folder: Path) -> Path:
    return picture(folder / "cut.png", left=0)


PLACING = ("--only", "clipped,off_centre")


def test_says_that_nothing_was_found(sfumato: Sfumato, good: Path) -> None:
    outcome = sfumato("check", "good.png", *PLACING)
    assert (outcome.code, outcome.text) == (0, "good.png: nothing found\n")


def test_says_what_and_where_it_comes_from(sfumato: Sfumato, cut: Path) -> None:
    outcome = sfumato("check", "cut.png", *PLACING)
    assert outcome.code == 1
    lines = outcome.text.splitlines()
    assert lines[0] == "cut.png"
    assert lines[1] == "  warning: The drawing is cut off at the left edge. [clipped]"
    assert lines[2].startswith("  note: ") and lines[2].endswith("[off_centre]")


@pytest.mark.parametrize(
    ("level", "code"), [("note", 1), ("warning", 1), ("error", 0), ("never", 0)]
)
def test_fail_on(sfumato: Sfumato, cut: Path, level: str, code: int) -> None:
    assert sfumato("check", "cut.png", *PLACING, "--fail-on", level).code == code


def test_skip(sfumato: Sfumato, cut: Path) -> None:
    found = sfumato("check", "cut.png", "--skip", "clipped, off_centre", "--json").objects[0]
    assert not {"clipped", "off_centre"} & {one["check"] for one in found["findings"]}


def test_json(sfumato: Sfumato, good: Path, cut: Path) -> None:
    outcome = sfumato("check", "good.png", "cut.png", *PLACING, "--json")
    first, second = outcome.objects
    assert outcome.code == 1
    assert first == {
        "path": "good.png",
        "width": 128,
        "height": 128,
        "format": "png",
        "recipe": False,
        "prompt": None,
        "findings": [],
        "not_checked": {},
        "overlay": None,
    }
    assert [one["check"] for one in second["findings"]] == ["clipped", "off_centre"]
    assert second["findings"][0]["box"] == [0, 40, 48, 88]
    assert set(second["findings"][0]) == {
        *("check", "severity", "message", "box", "mask", "measure"),
    }


def test_the_prompt_is_what_it_is_held_against(sfumato: Sfumato, good: Path) -> None:
    call = ("check", "good.png", "--only", "wrong_colour")
    assert sfumato(*call, "--prompt", "a red square").code == 0
    outcome = sfumato(*call, "--prompt", "a blue square")
    assert outcome.code == 1 and "Asked for blue" in outcome.text


def test_a_recipe_comes_before_the_prompt(sfumato: Sfumato) -> None:
    sfumato("a red ball", "--model", "fake", "--seed", "1", "--size", "64", "-o", "ball.png")
    (found,) = sfumato("check", "ball.png", "--prompt", "a boat", "--json", *PLACING).objects
    assert found["recipe"] is True and found["prompt"] == "a red ball"


def test_folders_and_bad_files(sfumato: Sfumato, folder: Path) -> None:
    for number in range(4):
        picture(folder / "set" / f"{number}.png")
    (folder / "set" / "1.png").write_bytes(b"not a picture")
    (folder / "set" / "notes.txt").write_text("not looked at")
    outcome = sfumato("check", "set", *PLACING)
    assert outcome.code == 6
    assert outcome.text.count("nothing found") == 3
    assert outcome.text.splitlines()[-1] == "3 pictures checked · 0 failed · 1 unreadable"
    assert "set/1.png" in outcome.err and "notes" not in outcome.text + outcome.err
    said = sfumato("check", "set", *PLACING, "--json").objects
    assert [("error" in one) for one in said] == [False, True, False, False]


def test_many_bad_files_are_counted_not_listed(sfumato: Sfumato, folder: Path) -> None:
    (folder / "set").mkdir()
    for number in range(25):
        (folder / "set" / f"{number}.png").write_bytes(b"")
    outcome = sfumato("check", "set")
    assert outcome.code == 6 and outcome.err.count("empty") == 20
    assert "5 more files could not be read" in outcome.err


def test_quiet_names_only_those_that_fail(sfumato: Sfumato, good: Path, cut: Path) -> None:
    outcome = sfumato("check", "good.png", "cut.png", *PLACING, "-q")
    assert outcome.code == 1
    assert "cut.png" in outcome.text and "good.png" not in outcome.text


def test_overlay(sfumato: Sfumato, folder: Path, good: Path, cut: Path) -> None:
    before = cut.read_bytes()
    call = ("check", "good.png", "cut.png", *PLACING, "--overlay", "found")
    assert "painted: found/cut-checked.png" in sfumato(*call).text
    assert [path.name for path in (folder / "found").iterdir()] == ["cut-checked.png"]
    sfumato(*call)  # nothing is overwritten
    assert len(list((folder / "found").iterdir())) == 2 and cut.read_bytes() == before
    with Image.open(folder / "found" / "cut-checked.png") as sheet:
        assert sheet.width > 600


def test_the_list_names_every_check_and_its_needs(sfumato: Sfumato) -> None:
    outcome = sfumato("check", "--list")
    assert outcome.code == 0
    assert all(name in outcome.text for name in CHECKS.names())
    rows = {row["name"]: row for row in sfumato("check", "--list", "--json").objects}
    assert list(rows) == CHECKS.names()
    assert rows["wrong_colour"]["needs"] == "a recipe or --prompt"
    assert rows["blur"]["needs"] == rows["blur"]["skipped"] == ""


@pytest.mark.parametrize(
    "call",
    [
        ("check",),
        ("check", "good.png", "--only", "nope"),
        ("check", "good.png", "--only", ","),
        ("check", "good.png", "--only", "blur", "--skip", "blur"),
        ("check", "good.png", "-q", "--json"),
        ("check", "good.png", "--fail-on", "sometimes"),
    ],
)
def test_mistakes_are_refused(sfumato: Sfumato, good: Path, call: tuple[str, ...]) -> None:
    outcome = sfumato(*call)
    assert outcome.code == 2 and len(outcome.err.splitlines()) == 1


def test_a_named_check_that_cannot_run_is_no_clean_verdict(sfumato: Sfumato, good: Path) -> None:
    call = ("check", "good.png", "--only", "clipped,wrong_colour")
    why = "needs the words that the picture should show"
    outcome = sfumato(*call)
    assert outcome.code == 2
    assert outcome.text == f"good.png\n  not checked: wrong_colour {why}\n"
    assert sfumato(*call, "-q").text == outcome.text
    (found,) = sfumato(*call, "--json").objects
    assert (found["findings"], found["not_checked"]) == ([], {"wrong_colour": why})
    assert sfumato(*call, "--prompt", "a red square").text == "good.png: nothing found\n"
    assert sfumato("check", "good.png", "--skip", "blur,illegible").code == 0  # named by nobody


def test_a_named_check_without_its_package_is_refused(
    sfumato: Sfumato, good: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sfumato.checks.find_spec", lambda name: None)
    outcome = sfumato("check", "good.png", "--only", "clipped,malformed_face")
    assert outcome.code == 4
    assert "The check 'malformed_face' needs" in outcome.err and "sfumato[faces]" in outcome.err
    assert sfumato("check", "good.png", "--skip", "clipped").code == 0
