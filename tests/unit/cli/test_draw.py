"""Drawing from the command line: what is written, what is said, what is refused."""

from __future__ import annotations

import importlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import sfumato as api
from sfumato.request import Finding

Sfumato = Callable[..., Any]  # the fixture: its arguments in, what the call left behind out


def refused(outcome: Any, code: int, *words: str) -> None:
    """One line on stderr with these words, nothing on stdout."""
    assert outcome.code == code, outcome.err
    assert outcome.out == b""
    assert outcome.err.startswith("sfumato: ")
    assert outcome.err.count("\n") == 1
    for word in words:
        assert word in outcome.err


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_picture_is_a_line_of_facts(draw: Sfumato, folder: Path) -> None:
    outcome = draw("a red fox", "--seed", "7", "-n", "2")
    assert outcome.code == 0
    assert outcome.err == ""  # no terminal, no bar
    lines = [line for line in outcome.text.splitlines() if not line.startswith(" ")]
    assert [line.split(" · ")[:3] for line in lines] == [
        ["a-red-fox-7.png", "32×32", "seed 7"],
        ["a-red-fox-8.png", "32×32", "seed 8"],
    ]
    assert all(line.split(" · ")[3].endswith(" s") for line in lines)
    assert [line.split(" · ")[4] for line in lines] == ["striped", "flat"]
    assert names(folder) == ["a-red-fox-7.png", "a-red-fox-8.png"]


def test_findings_and_notes_are_said(draw: Sfumato) -> None:
    outcome = draw("a red fox", "--seed", "7", "-n", "2", "--size", "64x32")
    assert outcome.text.count("note: The model draws squares") == 1  # once, for both pictures
    objects = draw("a red fox", "--seed", "7", "--json", "--size", "64x32").objects
    fine = not objects[0]["findings"]
    assert ("looks fine" in outcome.text.splitlines()[0]) is fine
    for finding in objects[0]["findings"]:
        assert finding["message"] in outcome.text


def test_what_follows_from_the_words_is_said_once(
    draw: Sfumato, monkeypatch: pytest.MonkeyPatch
) -> None:
    finding = Finding(check="unknown_subject", severity="warning", message="Never seen one.")
    other = Finding(check="clipped", severity="warning", message="It is cut off.")
    story = importlib.import_module("sfumato.generate")
    monkeypatch.setattr(story, "run_checks", lambda *_: (finding, other))
    outcome = draw("a wug", "--seed", "7", "-n", "3")
    assert outcome.text.count("warning: Never seen one.") == 1
    assert outcome.text.count("warning: It is cut off.") == 3
    assert all(len(o["findings"]) == 2 for o in draw("a wug", "-n", "2", "--json").objects)


def test_the_source_that_many_pictures_come_close_to_is_said_once(
    draw: Sfumato, monkeypatch: pytest.MonkeyPatch
) -> None:
    close = Finding(check="near_copy", severity="note", message="Close to a fox.")
    part = Finding(check="vanishes", severity="note", message="It vanishes.")
    story = importlib.import_module("sfumato.generate")
    monkeypatch.setattr(story, "run_checks", lambda *_: (close, close, part, part))
    outcome = draw("a fox", "--seed", "7", "-n", "3")
    assert outcome.text.count("note: Close to a fox.") == 1
    assert outcome.text.count("note: It vanishes.") == 3  # once a picture, whatever part it is of
    assert all(len(o["findings"]) == 4 for o in draw("a fox", "-n", "2", "--json").objects)


def test_json_is_one_object_a_picture(draw: Sfumato, folder: Path) -> None:
    outcome = draw("a red fox", "--seed", "7", "-n", "2", "--json")
    first, second = outcome.objects
    assert (first["path"], first["seed"], second["seed"]) == ("a-red-fox-7.png", 7, 8)
    assert (first["width"], first["height"], first["format"]) == (32, 32, "png")
    assert first["plan"]["seeds"] == [7]
    assert first["model"] == "fake"
    recipe = api.read_recipe(folder / "a-red-fox-7.png")
    assert first["pixel_sha256"] == recipe.pixel_sha256 == recipe.recorded_sha256


def test_quiet_says_nothing(draw: Sfumato, folder: Path) -> None:
    outcome = draw("a red fox", "--seed", "7", "--quiet")
    assert (outcome.code, outcome.out, outcome.err) == (0, b"", "")
    assert names(folder) == ["a-red-fox-7.png"]


@pytest.mark.parametrize(
    ("format", "suffix", "magic"),
    [
        ("png", "png", b"\x89PNG"),
        ("webp", "webp", b"RIFF"),
        ("jpeg", "jpg", b"\xff\xd8"),
        ("jpg", "jpg", b"\xff\xd8"),
        ("svg", "svg", b"<"),
        ("pdf", "pdf", b"%PDF"),
        ("ico", "ico", b"\0\0\1\0"),
    ],
)
def test_every_format_in_a_file_and_on_stdout(
    draw: Sfumato, folder: Path, format: str, suffix: str, magic: bytes
) -> None:
    assert draw("a fox", "--seed", "7", "--format", format).code == 0
    assert names(folder) == [f"a-fox-7.{suffix}"]
    assert (folder / f"a-fox-7.{suffix}").read_bytes().startswith(magic)
    outcome = draw("a fox", "--seed", "7", "--format", format, "-o", "-")
    assert outcome.out.startswith(magic)
    assert "(stdout)" in outcome.err  # the report must not mix with the picture
    assert names(folder) == [f"a-fox-7.{suffix}"]


def test_the_suffix_of_the_output_decides_the_format(draw: Sfumato, folder: Path) -> None:
    assert draw("a fox", "-o", "new/fox.webp").code == 0
    assert (folder / "new" / "fox.webp").read_bytes().startswith(b"RIFF")


def test_a_suffix_that_contradicts_the_format_is_refused_before_drawing(
    draw: Sfumato, folder: Path
) -> None:
    refused(draw("a fox", "-o", "fox.png", "--format", "svg"), 2, "fox.png", "svg")
    refused(draw("a fox", "-o", "fox.tiff"), 2, "tiff", "png")
    assert names(folder) == []


def test_a_folder_is_made_and_filled(draw: Sfumato, folder: Path) -> None:
    assert draw("a fox", "--seed", "7", "-n", "2", "-o", "out/").code == 0
    assert names(folder / "out") == ["a-fox-7.png", "a-fox-8.png"]


def test_an_existing_file_is_kept_and_a_number_added(draw: Sfumato, folder: Path) -> None:
    (folder / "fox.png").write_bytes(b"mine")
    outcome = draw("a fox", "-o", "fox.png", "-n", "2", "--json")
    assert (folder / "fox.png").read_bytes() == b"mine"
    assert [picture["path"] for picture in outcome.objects] == ["fox-2.png", "fox-3.png"]


def test_no_metadata_leaves_the_recipe_out(draw: Sfumato, folder: Path) -> None:
    draw("a secret fox", "-o", "with.png")
    draw("a secret fox", "-o", "without.png", "--no-metadata")
    assert b"secret fox" in (folder / "with.png").read_bytes()
    assert b"secret fox" not in (folder / "without.png").read_bytes()


def test_size_and_aspect_reach_the_pixels(draw: Sfumato, folder: Path) -> None:
    draw("a fox", "--size", "64", "--ar", "2:1", "-o", "fox.png")
    with Image.open(folder / "fox.png") as picture:
        assert picture.size == (64, 32)


@pytest.mark.parametrize(
    "change",
    [
        ["--seed", "8"],
        ["--steps", "9"],
        ["--guidance", "4"],
        ["--negative", "snow"],
        ["--style", "flat"],
        ["--background", "#00ff00"],
        ["--sampler", "heun"],
        ["--scheduler", "cosine"],
    ],
)
def test_every_option_leaves_a_mark_on_the_plan(draw: Sfumato, change: list[str]) -> None:
    plain = draw("a fox", "--seed", "7", "--json").objects[0]["plan"]
    changed = draw("a fox", "--seed", "7", "--json", *change).objects[0]["plan"]
    assert plain != changed


def test_threads_do_not_change_the_picture(draw: Sfumato) -> None:
    hashes = {
        draw("a fox", "--seed", "7", "--json", "--threads", n).objects[0]["pixel_sha256"]
        for n in ("1", "2")
    }
    assert len(hashes) == 1


def test_the_picture_is_opened_when_asked(draw: Sfumato, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def launch(path: str) -> int:
        opened.append(path)
        return 0

    monkeypatch.setattr("click.launch", launch)
    assert draw("a fox", "--seed", "7", "-n", "2", "--open").code == 0
    assert opened == ["a-fox-7.png"]
    monkeypatch.setattr("click.launch", lambda path: 1)
    outcome = draw("a fox", "--seed", "9", "--open")
    assert outcome.code == 1
    assert "was saved, but no program opened it" in outcome.err


def test_a_preview_follows_the_line_where_the_terminal_can(
    draw: Sfumato, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sfumato.cli.draw.terminal_protocol", lambda: "kitty")
    assert "\x1b_G" in draw("a fox").text
    assert "\x1b_G" not in draw("a fox", "--no-show").text
    assert "\x1b_G" not in draw("a fox", "--json").text


def test_a_preview_that_cannot_be_shown_is_refused(draw: Sfumato) -> None:
    refused(draw("a fox", "--show"), 2, "--show needs a terminal")


@pytest.mark.parametrize(
    ("prompt", "stem"),
    [("🦊 fox", "fox"), ("ثعلب أحمر", "picture"), ("红狐狸", "picture"), ("a\u0301 fox", "a-fox")],
)
def test_prompts_of_every_script_are_drawn(
    draw: Sfumato, folder: Path, prompt: str, stem: str
) -> None:
    outcome = draw(prompt, "--seed", "7", "--json")
    assert outcome.code == 0
    assert names(folder) == [f"{stem}-7.png"]
    assert outcome.objects[0]["plan"]["prompt"] == prompt


def test_stdin_gives_the_prompt(draw: Sfumato, folder: Path) -> None:
    assert draw("-", "--seed", "7", stdin=b"\xef\xbb\xbfa red fox\n").code == 0
    assert names(folder) == ["a-red-fox-7.png"]


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        ([""], 2, ["prompt is empty"]),
        (["  "], 2, ["prompt is empty"]),
        ([], 2, ["Say what to draw"]),
        (["x" * 10_001], 2, ["10,001 characters", "10,000"]),
        (["a\x00b"], 2, ["NUL"]),
        (["a\udce9b"], 2, ["not valid Unicode at character 2"]),
        (["x", "--size", "0"], 2, ["--size", "16 to 4096"]),
        (["x", "--size", "-1"], 2, ["--size", "16 to 4096"]),
        (["x", "--size", "100000x3"], 2, ["--size", "16 to 4096"]),
        (["x", "--size", "12x"], 2, ["--size", "1024x768"]),
        (["x", "--ar", "16"], 2, ["--ar", "16:9"]),
        (["x", "--seed", "-1"], 2, ["--seed", "0 to 4294967295"]),
        (["x", "--seed", "1.5"], 2, ["--seed", "whole number"]),
        (["x", "--seed", str(2**70)], 2, ["--seed", "0 to 4294967295"]),
        (["x", "--seed", str(2**32 - 1), "-n", "2"], 2, ["no room for 2"]),
        (["x", "--guidance", "nan"], 2, ["guidance scale is nan", "0 to 30"]),
        (["x", "--guidance", "much"], 2, ["--guidance", "'much'"]),
        (["x", "-n", "0"], 2, ["number of pictures is 0", "1 to 64"]),
        (["x", "-n", "10000"], 2, ["number of pictures is 10000", "1 to 64"]),
        (["x", "--steps", "0"], 2, ["steps", "1 to 150"]),
        (["x", "--threads", "0"], 2, ["threads", "1 to 256"]),
        (["x", "--device", "moon"], 2, ["'moon'", "cpu"]),
        (["x", "--model", "nobody"], 3, ["'nobody'", "chiaro"]),
        (["x", "--sampler", "nobody"], 2, ["'nobody'", "heun"]),
        (["x", "--scheduler", "nobody"], 2, ["'nobody'", "cosine"]),
        (["x", "--style", "nobody"], 2, ["'nobody'", "striped"]),
        (["x", "--format", "nobody"], 2, ["'nobody'", "webp"]),
        (["x", "--background", "nocolour"], 2, ["nocolour"]),
        (["x", "-o", "-", "-n", "2"], 2, ["one picture"]),
        (["x", "-o", "-", "--json"], 2, ["stdout"]),
        (["x", "--quiet", "--json"], 2, ["exclude each other"]),
        (["x", "--from", "p.txt"], 2, ["not both"]),
        (["--from", "missing.txt"], 6, ["missing.txt", "cannot be read"]),
        (["x", "--colour", "red"], 2, ["--colour"]),
    ],
)
def test_bad_input_is_one_line_with_its_exit_code(
    draw: Sfumato, folder: Path, args: list[str], code: int, words: list[str]
) -> None:
    refused(draw(*args), code, *words)
    assert names(folder) == []


def test_a_prompt_of_a_megabyte_is_refused(draw: Sfumato, folder: Path) -> None:
    refused(draw("-", stdin=b"fox " * 262_144), 2, "1,048,575 characters")
    refused(draw("-", stdin=b"caf\xe9"), 2, "not valid Unicode")
    refused(draw("-", stdin=b""), 2, "prompt is empty")
    assert names(folder) == []


def test_a_place_that_cannot_be_written_to_is_known_before_drawing(
    draw: Sfumato, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = importlib.import_module("sfumato.generate")
    monkeypatch.setattr(story, "generate_and_store", lambda *a, **k: pytest.fail("drew"))
    (folder / "file").write_bytes(b"")
    refused(draw("a fox", "-o", "file/fox.png"), 6, "file", "-o")
    refused(draw("a fox", "-o", "file/"), 6, "file", "-o")
    refused(draw("a fox", "-o", "/dev/null/fox.png"), 6, "/dev/null")
    monkeypatch.setattr("os.access", lambda path, mode: False)
    refused(draw("a fox"), 6, "cannot be written to")


def test_a_full_disk_is_one_line_and_earlier_pictures_stay(
    draw: Sfumato, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno
    import os

    synced = os.fsync
    calls: list[int] = []

    def full(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) > 2:  # the first picture: its file, its folder
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        synced(descriptor)

    monkeypatch.setattr("os.fsync", full)
    outcome = draw("a fox", "--seed", "7", "-n", "3")
    assert outcome.code == 6
    assert "No space left" in outcome.err
    assert outcome.err.count("\n") == 1
    assert names(folder) == ["a-fox-7.png"]
    Image.open(io.BytesIO((folder / "a-fox-7.png").read_bytes())).load()
