"""A batch draws what is missing, keeps going past bad rows, and can be resumed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sfumato.files import read_recipe
from sfumato.registry import MODELS, Entry

Sfumato = Callable[..., Any]  # the fixture: its arguments in, what the call left behind out


def pictures(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.png"))


def manifest(folder: Path) -> list[dict[str, Any]]:
    return [
        json.loads(line) for line in (folder / "manifest.jsonl").read_text("utf-8").splitlines()
    ]


def test_a_file_of_prompts_becomes_pictures_and_a_manifest(draw: Sfumato, folder: Path) -> None:
    Path("p.txt").write_text("a fox\n# no\na cat\n", "utf-8")
    outcome = draw("--from", "p.txt", "-o", "out", "--seed", "7", "--json")
    assert outcome.code == 0
    assert pictures(folder / "out") == ["a-cat-7.png", "a-fox-7.png"]
    assert [(r["line"], r["file"], r["seed"], r["prompt"]) for r in manifest(folder / "out")] == [
        (1, "a-fox-7.png", 7, "a fox"),
        (3, "a-cat-7.png", 7, "a cat"),
    ]
    assert [picture["line"] for picture in outcome.objects] == [1, 3]
    assert [record["pixel_sha256"] for record in manifest(folder / "out")] == [
        picture["pixel_sha256"] for picture in outcome.objects
    ]
    assert "2 drawn, 0 already there, 0 failed" in outcome.err


def test_running_it_again_draws_only_what_is_missing_or_changed(
    draw: Sfumato, folder: Path
) -> None:
    Path("p.txt").write_text("a fox\na cat\na dog\n", "utf-8")
    first = draw("--from", "p.txt", "-o", "out", "--json").objects
    fox, cat, dog = (folder / "out" / Path(picture["path"]).name for picture in first)
    before = fox.stat().st_mtime_ns
    cat_pixels = read_recipe(cat).pixel_sha256
    cat.unlink()
    dog.write_bytes(b"damaged")
    Path("p.txt").write_text("a dog\na fox\na cat\na cow\n", "utf-8")

    outcome = draw("--from", "p.txt", "-o", "out", "--json")
    assert "3 drawn, 1 already there, 0 failed" in outcome.err
    assert fox.stat().st_mtime_ns == before
    assert read_recipe(cat).pixel_sha256 == cat_pixels  # drawn again with the seed it had
    assert dog.read_bytes() == b"damaged"  # never overwritten: the new one has a number
    assert sorted(Path(picture["path"]).stem.split("-")[1] for picture in outcome.objects) == [
        "cat",
        "cow",
        "dog",
    ]
    assert draw("--from", "p.txt", "-o", "out", "--json").objects == []


def test_an_option_of_the_command_line_changes_every_row(draw: Sfumato, folder: Path) -> None:
    Path("p.txt").write_text("a fox\n", "utf-8")
    args = ("--from", "p.txt", "-o", "out", "--seed", "7", "--json")
    assert len(draw(*args).objects) == 1
    assert len(draw(*args, "--steps", "9").objects) == 1
    assert len(draw(*args, "--no-metadata").objects) == 1
    assert draw(*args, "--threads", "1").objects == []  # draws the same picture


def test_cells_win_over_options(draw: Sfumato, folder: Path) -> None:
    Path("p.csv").write_text(
        "prompt,seed,size,format,style,n,output\na fox,3,64x16,webp,flat,2,\na cat,,,,,,cat.png\n",
        "utf-8",
    )
    outcome = draw("--from", "p.csv", "-o", "out", "--seed", "7", "--json")
    fox, second, cat = outcome.objects
    assert Path(fox["path"]).name == "a-fox-3.webp"
    assert Path(second["path"]).name == "a-fox-4.webp"
    assert (fox["width"], fox["height"], fox["style"]) == (64, 16, "flat")
    assert (Path(cat["path"]).name, cat["seed"], cat["width"]) == ("cat.png", 7, 32)


def test_equal_rows_are_different_pictures(draw: Sfumato, folder: Path) -> None:
    Path("p.txt").write_text("a fox\na fox\n", "utf-8")
    assert len(draw("--from", "p.txt", "-o", "out", "--json").objects) == 2
    assert draw("--from", "p.txt", "-o", "out", "--json").objects == []


@pytest.mark.parametrize(
    ("row", "code", "word"),
    [
        ({"prompt": "a cat", "seed": -1}, 2, "seed"),
        ({"prompt": ""}, 2, "prompt is empty"),
        ({"prompt": "a cat", "style": "nobody"}, 2, "'nobody'"),
        ({"prompt": "a cat", "model": "nobody"}, 3, "'nobody'"),
        ({"prompt": "a cat", "n": 0}, 2, "pictures is 0"),
        ({"prompt": "a cat", "seed": 2**32 - 1, "n": 2}, 2, "seed"),
        ({"prompt": "a cat", "output": "cat.webp", "format": "png"}, 2, "suffix"),
    ],
)
def test_a_bad_row_is_named_and_the_others_are_drawn(
    draw: Sfumato, folder: Path, row: dict[str, Any], code: int, word: str
) -> None:
    rows = [{"prompt": "a fox", "seed": 1}, row, {"prompt": "a dog", "seed": 2}]
    Path("p.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    outcome = draw("--from", "p.jsonl", "-o", "out")
    assert outcome.code == code
    assert {"a-fox-1.png", "a-dog-2.png"} <= set(pictures(folder / "out"))
    complaint = next(line for line in outcome.err.splitlines() if line.startswith("sfumato:"))
    assert complaint.startswith("sfumato: line 2: ")
    assert word in complaint
    assert "1 failed" in outcome.err


def test_bad_rows_are_named_in_the_order_of_their_lines(draw: Sfumato, folder: Path) -> None:
    rows = [
        {"prompt": "a cat", "model": "fake-raster", "background": "red"},  # refused when drawn
        {"prompt": "a fox", "seed": 1},
        {"prompt": "a cow", "size": "12x"},  # refused when read
        {"prompt": "a cat", "style": "nosuch"},
        {"prompt": "a pig", "steps": 0},
    ]
    Path("p.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    outcome = draw("--from", "p.jsonl", "-o", "out")
    complaints = [line for line in outcome.err.splitlines() if line.startswith("sfumato:")]
    lines = [int(line.split("line ")[1].split(":")[0]) for line in complaints]
    assert lines == sorted(lines)
    assert {3, 4, 5} <= set(lines)


def test_a_new_folder_goes_again_where_nothing_could_be_drawn(draw: Sfumato, folder: Path) -> None:
    assert draw("a fox", "--style", "nosuch", "-o", "new/deep/").code == 2
    assert not Path("new").exists()
    Path("mine").mkdir()
    assert draw("a fox", "--style", "nosuch", "-o", "mine/").code == 2
    assert Path("mine").is_dir()


def test_an_unknown_column_stops_before_anything_is_drawn(draw: Sfumato, folder: Path) -> None:
    Path("p.csv").write_text("prompt,colour\na fox,red\n", "utf-8")
    outcome = draw("--from", "p.csv", "-o", "out")
    assert outcome.code == 2
    assert "'colour'" in outcome.err
    assert not (folder / "out").exists()


def test_several_lines_on_stdin_are_a_batch_here(draw: Sfumato, folder: Path) -> None:
    assert draw("-", "--seed", "7", stdin=b"a fox\na cat\n").code == 0
    assert pictures(folder) == ["a-cat-7.png", "a-fox-7.png"]
    assert len(manifest(folder)) == 2


def test_another_programs_manifest_is_left_alone(draw: Sfumato, folder: Path) -> None:
    Path("p.txt").write_text("a fox\n", "utf-8")
    Path("manifest.jsonl").write_text('{"mine": 1}\n', "utf-8")
    outcome = draw("--from", "p.txt")
    assert outcome.code == 6
    assert "manifest.jsonl" in outcome.err
    assert pictures(folder) == []
    assert Path("manifest.jsonl").read_text("utf-8") == '{"mine": 1}\n'


def test_a_full_disk_ends_the_batch_and_keeps_what_is_drawn(
    draw: Sfumato, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sfumato.errors import StorageError
    from sfumato.files import save_image

    saved: list[str] = []

    def fills_up(image: Any, target: Any, **options: Any) -> Any:
        if saved:
            raise StorageError("No space left.")
        saved.append(image.plan.prompt)
        return save_image(image, target, **options)

    monkeypatch.setattr("sfumato.files.save_image", fills_up)
    Path("p.txt").write_text("a fox\na cat\na dog\n", "utf-8")
    outcome = draw("--from", "p.txt", "-o", "out")
    assert (outcome.code, saved) == (6, ["a fox"])
    assert [record["prompt"] for record in manifest(folder / "out")] == ["a fox"]

    monkeypatch.undo()
    monkeypatch.chdir(folder)
    assert "2 drawn, 1 already there" in draw("--from", "p.txt", "-o", "out").err


@pytest.mark.parametrize("extra", [["-o", "-"], ["--open"]])
def test_a_batch_needs_a_folder(draw: Sfumato, folder: Path, extra: list[str]) -> None:
    Path("p.txt").write_text("a fox\n", "utf-8")
    outcome = draw("--from", "p.txt", *extra)
    assert outcome.code == 2
    assert "-o DIR" in outcome.err


def test_the_model_is_loaded_once_for_all_threads(
    draw: Sfumato, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sfumato.backends import fake

    loaded: list[str] = []

    def slow(name: str, **options: Any) -> Any:
        loaded.append(name)
        time.sleep(0.05)  # long enough for the other threads to come for it too
        return fake.FakeModel(name)

    monkeypatch.setattr("sfumato.backends.fake.load", slow)
    # a name that no other test has loaded: it is not warm yet
    entry = Entry(name="fresh", target="sfumato.backends.fake:load")
    monkeypatch.setitem(MODELS._entries, "fresh", entry)
    Path("p.txt").write_text("a fox\na cat\na dog\n", "utf-8")
    assert draw("--from", "p.txt", "-o", "out", "--model", "fresh", "--threads", "3").code == 0
    assert loaded == ["fresh"]
