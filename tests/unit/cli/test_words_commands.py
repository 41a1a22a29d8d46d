"""classify, describe and ask on the command line, with the model that knows colours."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sfumato.cli.main import run


def outcome(*args: str) -> int:
    with pytest.raises(SystemExit) as left:
        run(list(args))
    return int(left.value.code or 0)


def save(name: str, rgb: tuple[int, int, int]) -> str:
    pixels = np.zeros((64, 64, 4), np.uint8)
    pixels[16:48, 16:48] = (*rgb, 255)
    Image.fromarray(pixels).save(name)
    return name


@pytest.fixture
def folder() -> Path:
    Path("pictures").mkdir()
    save("pictures/red.png", (220, 40, 40))
    save("pictures/blue.png", (30, 70, 220))
    return Path("pictures")


def test_classify_prints_a_line_a_picture(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome("classify", str(folder), "--labels", "red, blue ,green", "--model", "fake") == 0
    blue, red = capsys.readouterr().out.splitlines()
    assert blue.startswith("pictures/blue.png: blue ")
    assert red.startswith("pictures/red.png: red ")


def test_classify_as_json_lists_every_label(capsys: pytest.CaptureFixture[str]) -> None:
    path = save("red.png", (220, 40, 40))
    Path("labels.txt").write_text("blue\n\nred\n")
    args = ("--labels-from", "labels.txt", "--json", "--top", "1", "--model", "fake")
    assert outcome("classify", path, *args) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["path"] == "red.png"
    assert [entry["label"] for entry in found["labels"]] == ["red", "blue"]


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (("--labels", "red"), 2, "two labels"),
        (("--labels", "red,,blue"), 2, "empty"),
        (("--labels", "red,red"), 2, "twice"),
        ((), 2, "what to choose from"),
        (("--labels", "a,b", "--labels-from", "x"), 2, "once"),
        (("--labels-from", "missing.txt"), 6, "missing.txt"),
        (("--labels", "a,b", "--model", "nonsense"), 3, "nonsense"),
    ],
)
def test_bad_labels_are_one_line(
    args: tuple[str, ...], code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    extra = () if "--model" in args else ("--model", "fake")
    assert outcome("classify", save("red.png", (220, 40, 40)), *args, *extra) == code
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("command", ["classify", "describe"])
def test_bad_files_are_named_and_the_good_ones_done(
    command: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "torn.png").write_bytes((folder / "red.png").read_bytes()[:60])
    (folder / "empty.png").touch()
    args = ("--labels", "red,blue") if command == "classify" else ()
    assert outcome(command, str(folder), *args, "--json", "--model", "fake") == 6
    printed = capsys.readouterr()
    assert [json.loads(line)["path"] for line in printed.out.splitlines()] == [
        "pictures/blue.png",
        "pictures/red.png",
    ]
    assert "torn.png" in printed.err
    assert "empty.png" in printed.err


def test_describe_writes_four_prompts(capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome("describe", save("red.png", (220, 40, 40)), "--model", "fake") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:4]] == ["1", "2", "3", "4"]
    assert "red" in lines[0]
    assert lines[4].startswith("  looks like: ")


def test_ask_answers_or_says_that_it_cannot(capsys: pytest.CaptureFixture[str]) -> None:
    path = save("red.png", (220, 40, 40))
    assert outcome("ask", path, "what colour is it?", "--model", "fake") == 0
    assert capsys.readouterr().out.startswith("red (")
    assert outcome("ask", path, "why is it red?", "--model", "fake") == 1
    assert capsys.readouterr().out.startswith("cannot tell: ")
    assert outcome("ask", path, "what shape is it?", "--json", "--model", "fake") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["text"] == "square"
    assert 0 < found["confidence"] <= 1
    assert outcome("ask", "none.png", "what is it?", "--model", "fake") == 6


def test_ask_is_about_one_picture(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome("ask", str(folder), "what colour is it?", "--model", "fake") == 2
    assert capsys.readouterr().err == (
        "sfumato: pictures is a folder. Ask about one picture at a time.\n"
    )


@pytest.mark.parametrize("command", ["classify", "describe", "check"])
def test_a_folder_without_pictures_is_named(
    command: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("none").mkdir()
    options = {"classify": ("--labels", "red,blue", "--model", "fake"), "check": ("-q",)}
    files = ("none", "pictures/red.png")
    assert outcome(command, *files, *options.get(command, ("--model", "fake"))) == 6
    printed = capsys.readouterr()
    assert printed.err.startswith("sfumato: none: This is a folder.")
    assert command == "check" or "red" in printed.out


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"red\n\xff\xfe\n", "no text in UTF-8"), (b"", "two labels"), (b"a\nb\na\n", "given twice")],
)
def test_labels_of_a_file_are_as_strictly_read(
    content: bytes, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("labels.txt").write_bytes(content)
    path = save("red.png", (220, 40, 40))
    assert outcome("classify", path, "--labels-from", "labels.txt", "--model", "fake") in (2, 6)
    said = capsys.readouterr().err
    assert words in said and "codec" not in said
    assert said.count("\n") == 1
