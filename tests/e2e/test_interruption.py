"""Ctrl-C, a reader that leaves, a batch that is killed: nothing finished is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

Run = Callable[..., "subprocess.CompletedProcess[bytes]"]
Start = Callable[..., "subprocess.Popen[bytes]"]
MANY = ("--model", "fake", "-n", "64", "--steps", "150", "--size", "512x512")

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals and pipes as Unix has them")


def first_line(process: subprocess.Popen[bytes]) -> bytes:
    """Wait until the first picture has been reported."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.communicate()
    return line


def assert_all_whole(folder: Path) -> list[Path]:
    """Every file is a picture that opens, and no temporary file is left."""
    files = [path for path in folder.iterdir() if path.name != "manifest.jsonl"]
    for path in files:
        assert path.suffix == ".png", path
        with Image.open(path) as picture:
            picture.load()
    return files


def manifest(folder: Path) -> list[dict[str, Any]]:
    text = (folder / "out" / "manifest.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_ctrl_c_keeps_what_is_finished(start: Start, folder: Path) -> None:
    process = start("a fox", *MANY, "--json", "-o", "out/")
    first = first_line(process)
    process.send_signal(signal.SIGINT)
    rest, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.startswith(b"sfumato: Stopped.")
    assert errors.count(b"\n") == 1
    reported = [json.loads(line)["path"] for line in (first + rest).splitlines()]
    files = assert_all_whole(folder / "out")
    assert sorted(reported) == sorted(str(path.relative_to(folder)) for path in files)
    assert 1 <= len(files) < 64


def test_ctrl_c_before_anything_is_drawn_leaves_nothing(start: Start, folder: Path) -> None:
    os.mkfifo("prompts.txt")
    process = start("--from", "prompts.txt", "--model", "fake")
    with Path("prompts.txt").open("w"):  # opens when the command waits for its first line
        errors = b"it never ended"
        for _ in range(120):
            # again and again: one that arrives just before the blocking read is only seen after it
            process.send_signal(signal.SIGINT)
            try:
                _, errors = process.communicate(timeout=0.5)
                break
            except subprocess.TimeoutExpired:
                continue
    assert (process.returncode, errors) == (130, b"sfumato: Stopped.\n")
    assert [path.name for path in folder.iterdir()] == ["prompts.txt"]


def test_ctrl_c_in_a_batch_and_going_on(start: Start, run: Run, folder: Path) -> None:
    rows = [f"a fox number {number}" for number in range(24)]
    (folder / "p.txt").write_text("\n".join(rows), "utf-8")
    args = ("--from", "p.txt", "-o", "out", "--model", "fake", "--size", "256", "--steps", "150")
    args += ("--best-of", "1")  # one drawing each, so that the interruption falls between them
    process = start(*args, "--json")
    first_line(process)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.startswith(b"sfumato: Stopped.")
    kept = {path.name: path.read_bytes() for path in assert_all_whole(folder / "out")}
    listed = [record["file"] for record in manifest(folder)]
    assert sorted(listed) == sorted(kept)

    done = run(*args)
    assert done.returncode == 0
    assert f"{24 - len(kept)} drawn, {len(kept)} already there".encode() in done.stderr
    files = assert_all_whole(folder / "out")
    assert len(files) == 24
    assert all((folder / "out" / name).read_bytes() == content for name, content in kept.items())


def test_a_batch_that_was_killed_goes_on(start: Start, run: Run, folder: Path) -> None:
    (folder / "p.txt").write_text("\n".join(f"fox {number}" for number in range(12)), "utf-8")
    args = ("--from", "p.txt", "-o", "out", "--model", "fake", "--size", "256", "--seed", "7")
    process = start(*args, "--steps", "150")
    first_line(process)
    process.kill()
    process.communicate(timeout=60)
    assert run(*args, "--steps", "150").returncode == 0
    records = manifest(folder)
    assert len({record["row"] for record in records}) == 12
    assert all((folder / "out" / record["file"]).is_file() for record in records)


def test_a_reader_that_leaves_ends_it_quietly(start: Start, folder: Path) -> None:
    process = start("a fox", *MANY, "--json", "-o", "out/")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    errors = process.stderr.read()
    assert process.wait(timeout=60) == 141
    assert errors == b""
    process.stderr.close()
    assert 1 <= len(assert_all_whole(folder / "out")) < 64


def test_a_reader_that_leaves_before_the_picture(start: Start) -> None:
    process = start("a fox", "--model", "fake", "-o", "-")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(timeout=60) == 141
    process.stderr.close()
