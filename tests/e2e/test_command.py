"""The real command from outside: files, streams, exit codes."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

Run = Callable[..., "subprocess.CompletedProcess[bytes]"]
SMALL = ("--model", "fake", "--size", "64x64")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_words_become_a_file_and_the_file_becomes_the_words(run: Run, folder: Path) -> None:
    drawn = run("a red fox", *SMALL, "--seed", "7")
    assert drawn.returncode == 0
    assert drawn.stdout.decode().startswith("a-red-fox-7.png · 64×64 · seed 7 · ")
    assert drawn.stderr == b""

    told = run("info", "a-red-fox-7.png", "--json")
    assert json.loads(told.stdout)["plan"]["prompt"] == "a red fox"
    again = run("redo", "a-red-fox-7.png", "-o", "again.webp")
    assert (again.returncode, again.stdout.startswith(b"identical")) == (0, True)
    same = run("compare", "a-red-fox-7.png", "again.webp", "--json")
    assert (same.returncode, json.loads(same.stdout)["identical"]) == (0, True)


def test_several_things_are_one_picture_with_one_recipe(run: Run, folder: Path) -> None:
    drawn = run("two foxes left of a green owl", *SMALL, "--seed", "7", "-o", "scene.png")
    assert drawn.returncode == 0
    assert b"Laid out from left to right: two foxes; a green owl." in drawn.stdout

    told = json.loads(run("info", "scene.png", "--json").stdout)["plan"]
    assert [part["subject"] for part in told["parts"]] == ["fox", "owl"]
    assert [len(part["boxes"]) for part in told["parts"]] == [2, 1]
    assert run("redo", "scene.png", "-o", "again.png").stdout.startswith(b"identical")
    before = set(names(folder))
    assert run("vary", "scene.png", "-n", "1", "--seed", "1").returncode == 0
    (varied,) = set(names(folder)) - before
    assert run("redo", varied, "-o", "varied-again.png").stdout.startswith(b"identical")
    shown = run("two foxes left of a green owl", *SMALL, "--seed", "7", "-o", "scene.svg")
    assert shown.returncode == 0
    assert (folder / "scene.svg").read_text("utf-8").count("<svg") == 1


def test_json_on_stdout_is_nothing_but_json(run: Run, folder: Path) -> None:
    drawn = run("ein Fuchs 🦊 狐", *SMALL, "-n", "3", "--seed", "7", "--json")
    objects = [json.loads(line) for line in drawn.stdout.splitlines()]
    assert [picture["seed"] for picture in objects] == [7, 8, 9]
    assert all(Path(picture["path"]).is_file() for picture in objects)


def test_a_picture_on_stdout_is_nothing_but_the_picture(run: Run, folder: Path) -> None:
    drawn = run("a fox", *SMALL, "-o", "-")
    with Image.open(io.BytesIO(drawn.stdout)) as picture:
        assert picture.size == (64, 64)
    assert names(folder) == []


def test_quiet_is_quiet(run: Run) -> None:
    drawn = run("a fox", *SMALL, "-q")
    assert (drawn.returncode, drawn.stdout, drawn.stderr) == (0, b"", b"")


def test_numbers_are_added_to_names_that_are_taken(run: Run, folder: Path) -> None:
    for _ in range(2):
        run("a fox", *SMALL, "--seed", "7", "-n", "2")
    assert names(folder) == ["a-fox-7-2.png", "a-fox-7.png", "a-fox-8-2.png", "a-fox-8.png"]


def test_a_prompt_of_a_megabyte(run: Run, folder: Path) -> None:
    refused = run("-", *SMALL, stdin=b"x" * 1_000_000)
    assert refused.returncode == 2
    assert b"1,000,000 characters" in refused.stderr
    assert refused.stderr.count(b"\n") == 1
    assert names(folder) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows passes arguments as UTF-16")
def test_arguments_that_are_no_unicode(run: Run) -> None:
    refused = run("caf" + os.fsdecode(b"\xe9"), *SMALL)
    assert refused.returncode == 2
    assert b"not valid Unicode at character 4" in refused.stderr
    odd = run("a fox", *SMALL, "-o", os.fsdecode(b"f\xe9.png"))
    assert odd.returncode == 0  # the file system takes it, so we do, and its name is still printed


def test_a_terminal_without_unicode_is_no_reason_to_fail(run: Run) -> None:
    latin = {"PYTHONIOENCODING": "latin-1"}
    drawn = run("狐 fox", *SMALL, "--seed", "7", env=latin)
    assert drawn.returncode == 0
    assert drawn.stdout.startswith("fox-7.png · 64×64 · ".encode("latin-1"))
    refused = run("x", "--style", "狐", *SMALL, env=latin)
    assert refused.returncode == 2
    assert b"\\u72d0" in refused.stderr


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder nobody can write to")
def test_a_folder_that_cannot_be_written_to(run: Run) -> None:
    refused = run("a fox", *SMALL, "-o", "/proc/fox.png")
    assert refused.returncode == 6
    assert b"/proc" in refused.stderr
    assert refused.stderr.count(b"\n") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("args", [["--json"], ["-o", "-"]])
def test_an_output_that_is_full(folder: Path, args: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "sfumato", "a fox", *SMALL, *args],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == 6
    assert b"No space left" in done.stderr
    assert done.stderr.count(b"\n") == 1


@pytest.mark.skipif(os.name == "nt", reason="closes a descriptor as Unix shells do")
def test_no_output_at_all(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sfumato", "a fox", *SMALL, "--seed", "7"],
        stderr=subprocess.PIPE,
        preexec_fn=lambda: os.close(1),
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert names(folder) == ["a-fox-7.png"]


def test_a_damaged_picture(run: Run, folder: Path) -> None:
    run("a fox", *SMALL, "-o", "fox.png")
    whole = (folder / "fox.png").read_bytes()
    (folder / "half.png").write_bytes(whole[: len(whole) // 2])
    for command in ("info", "redo"):
        refused = run(command, "half.png")
        assert refused.returncode == 6
        assert b"half.png" in refused.stderr
        assert refused.stderr.count(b"\n") == 1


def test_a_batch_from_a_table_and_again(run: Run, folder: Path) -> None:
    (folder / "p.csv").write_text("prompt,seed,format\na fox,1,\na cat,-1,\na dog,2,svg\n", "utf-8")
    args = ("--from", "p.csv", "-o", "out", *SMALL)
    first = run(*args)
    assert first.returncode == 2
    assert b"sfumato: line 3: seed" in first.stderr
    assert names(folder / "out") == ["a-dog-2.svg", "a-fox-1.png", "manifest.jsonl"]

    (folder / "p.csv").write_text("prompt,seed,format\na fox,1,\na cat,3,\na dog,2,svg\n", "utf-8")
    (folder / "out" / "a-fox-1.png").unlink()
    second = run(*args, "--json")
    assert second.returncode == 0
    drawn = [Path(json.loads(line)["path"]).name for line in second.stdout.splitlines()]
    assert drawn == ["a-fox-1.png", "a-cat-3.png"]
    assert b"2 drawn, 1 already there" in second.stderr


@pytest.mark.skipif(os.name == "nt", reason="pseudo terminals are a Unix thing")
@pytest.mark.parametrize("term", ["xterm-kitty", "xterm-256color"])
def test_in_a_terminal_there_is_a_bar_and_a_preview_where_it_can(folder: Path, term: str) -> None:
    import pty

    shown: list[bytes] = []

    def keep(descriptor: int) -> bytes:
        shown.append(os.read(descriptor, 65536))
        return shown[-1]

    code = (
        f"import os, sys; os.environ.update(TERM={term!r}); "
        "os.environ.pop('TMUX', None); os.environ.pop('KITTY_WINDOW_ID', None); "
        "os.environ.pop('TERM_PROGRAM', None); "
        "from sfumato.cli.main import run; run(sys.argv[1:])"
    )
    master, follower = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", code, "a fox", *SMALL, "--seed", "7"],
        stdin=follower,
        stdout=follower,
        stderr=follower,
    ) as process:
        os.close(follower)
        try:
            while keep(master):
                pass
        except OSError:
            pass  # how Linux says that the other side has closed
        finally:
            os.close(master)
    text = b"".join(shown).decode()
    assert process.returncode == 0, text
    assert "loading the model" in text
    assert "a-fox-7.png · 64×64" in text
    assert ("\x1b_G" in text) is (term == "xterm-kitty")


# ---------------------------------------------------------------- with the built-in model


@pytest.mark.slow
def test_the_built_in_model_draws_a_red_fox(run: Run, folder: Path) -> None:
    drawn = run("a red fox", "--seed", "7", "--json")
    assert drawn.returncode == 0, drawn.stderr.decode()
    picture: dict[str, Any] = json.loads(drawn.stdout)
    assert (picture["path"], picture["width"], picture["height"]) == ("a-red-fox-7.png", 1024, 1024)
    with Image.open(folder / "a-red-fox-7.png") as opened:
        pixels = np.asarray(opened.convert("RGBA"))
    solid = pixels[..., 3] > 127
    assert 0.05 < solid.mean() < 0.95  # something is drawn, and the ground is clear
    red, green, blue = (pixels[solid][:, channel].astype(int).mean() for channel in range(3))
    assert red > green
    assert red > blue
    assert run("redo", "a-red-fox-7.png").returncode == 0


@pytest.mark.slow
def test_the_built_in_model_draws_clean_paths(run: Run, folder: Path) -> None:
    assert run("a red apple", "--seed", "7", "--format", "svg").returncode == 0
    svg = (folder / "a-red-apple-7.svg").read_text("utf-8")
    assert len(svg.encode()) <= 60 * 1024
    assert "<image" not in svg


@pytest.mark.slow
def test_the_doctor_finds_an_installed_sfumato_healthy(run: Run) -> None:
    examined = run("doctor", "--json")
    assert json.loads(examined.stdout)["healthy"] is True, examined.stdout.decode()
