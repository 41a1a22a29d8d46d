"""``sfumato search``: what is found, what is said about the rest, and the sheet."""

from __future__ import annotations

import base64
import io
import os
import re
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from PIL import Image

import sfumato as api
from sfumato.cli import preview
from sfumato.errors import RequestError, StorageError

from .conftest import Outcome, Sfumato

HOSTILE = '"><script>alert(1)<_script>&amp; \u202egnp.png'


def paint(path: Path, colour: str, side: int = 24) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (side, side), colour).save(path)
    return path


@pytest.fixture
def pictures(folder: Path) -> Path:
    """Pictures of four colours below ``pictures``."""
    for i, colour in enumerate(("red", "blue", "green")):
        paint(folder / "pictures" / f"{colour}.png", colour, 20 + i)
    paint(folder / "pictures" / "deep" / "rose.png", "red", 40)
    return folder / "pictures"


@pytest.fixture
def search(sfumato: Sfumato, pictures: Path) -> Callable[..., Outcome]:
    """The command with the model that knows colours."""
    return lambda *args: sfumato("search", *args, "--model", "fake")


def test_words_find_pictures(search: Sfumato) -> None:
    outcome = search("a red fox", "pictures", "--limit", "2")
    assert outcome.code == 0
    lines = outcome.text.splitlines()
    assert [line.split()[-1] for line in lines] == ["pictures/deep/rose.png", "pictures/red.png"]
    assert all(float(line.split()[0]) > 0.9 for line in lines)
    assert outcome.err == ""
    assert search("something blue", "pictures", "--limit", "1").text.endswith("pictures/blue.png\n")


def test_damage_that_only_the_search_meets_is_mended_at_once(search: Sfumato, folder: Path) -> None:
    index = folder / "index.sqlite"
    options = ("red", "pictures", "--limit", "1", "--index", str(index))
    before = search(*options)
    with closing(sqlite3.connect(index)) as database, database:
        database.execute("UPDATE vectors SET vector = zeroblob(3)")
    again = search(*options)
    assert (again.code, again.text) == (0, before.text)
    assert "damaged" in again.err


def test_a_picture_finds_its_like_but_not_itself(search: Sfumato, folder: Path) -> None:
    inside = search("pictures/red.png", "pictures").text.splitlines()
    assert inside[0].split()[-1] == "pictures/deep/rose.png"
    assert len(inside) == 3
    paint(folder / "mine.jpg", "#00f")
    outside = search("mine.jpg", "pictures").text.splitlines()
    assert outside[0].endswith("pictures/blue.png")
    assert len(outside) == 4


def test_json_says_everything(search: Sfumato) -> None:
    first = search("red", "pictures", "--json").json
    assert [hit["path"] for hit in first["hits"]][:2] == [
        "pictures/deep/rose.png",
        "pictures/red.png",
    ]
    assert (first["kind"], first["pictures"], first["skipped"]) == ("words", 4, [])
    assert first["index"] == {"added": 4, "kept": 0, "moved": 0, "removed": 0, "remark": ""}
    second = search("pictures/red.png", "pictures", "--json").json
    assert second["kind"] == "picture"
    assert second["index"]["kept"] == 4


def test_five_bad_files_among_many(search: Sfumato, pictures: Path) -> None:
    (pictures / "zero.png").write_bytes(b"")
    (pictures / "text.jpg").write_text("hello")
    (pictures / "cut.png").write_bytes((pictures / "red.png").read_bytes()[:50])
    (pictures / "bad.svg").write_text("<svg")
    (pictures / "lost.png").symlink_to("nowhere")
    for _ in range(2):  # the second time from what was remembered
        outcome = search("red", "pictures")
        assert outcome.code == StorageError.exit_code
        assert len(outcome.text.splitlines()) == 4
        lines = outcome.err.splitlines()
        assert len(lines) == 5
        for name in ("zero.png", "text.jpg", "cut.png", "bad.svg", "lost.png"):
            assert sum(f"pictures/{name}: " in line for line in lines) == 1
    assert len(search("red", "pictures", "--json").json["skipped"]) == 5


def test_very_many_bad_files_are_counted(search: Sfumato, pictures: Path) -> None:
    for i in range(33):
        (pictures / f"bad-{i}.png").write_bytes(b"")
    lines = search("red", "pictures").err.splitlines()
    assert len(lines) == 21
    assert "13 more" in lines[-1]


def test_nothing_to_search(search: Sfumato, folder: Path) -> None:
    (folder / "empty").mkdir()
    for args, code, words in (
        (("red", "empty"), StorageError.exit_code, "no picture"),
        (("red", "missing"), StorageError.exit_code, "cannot be read"),
        (("red", "pictures/red.png"), StorageError.exit_code, "cannot be read"),
        (("  ", "pictures"), RequestError.exit_code, "nothing to search for"),
        (("red", "pictures", "--limit", "0"), 2, "--limit"),
        (("red", "pictures", "--show"), RequestError.exit_code, "terminal"),
        (("red", "pictures", "--html", "empty"), RequestError.exit_code, "folder"),
        (
            ("red", "pictures", "--index", "pictures/red.png"),
            StorageError.exit_code,
            "not an index",
        ),
    ):
        outcome = search(*args)
        assert (outcome.code, outcome.text) == (code, ""), args
        assert words in outcome.err
        assert len(outcome.err.splitlines()) == 1
    (folder / "empty" / "bad.png").write_bytes(b"")
    outcome = search("red", "empty")
    assert outcome.code == StorageError.exit_code
    assert "None of the 1" in outcome.err
    (folder / "text.png").write_text("hello")
    assert "not a picture" in search("text.png", "pictures").err


def test_the_index_is_where_it_was_asked_for(search: Sfumato, folder: Path) -> None:
    assert search("red", "pictures", "--index", "here/my.index").code == 0
    assert (folder / "here" / "my.index").read_bytes().startswith(b"SQLite")
    assert not (Path(os.environ["XDG_CACHE_HOME"]) / "sfumato").exists()


def test_a_damaged_index_is_remarked_on(search: Sfumato, folder: Path) -> None:
    search("red", "pictures", "--index", "i.sqlite")
    whole = (folder / "i.sqlite").read_bytes()
    (folder / "i.sqlite").write_bytes(whole[: len(whole) // 3])
    outcome = search("red", "pictures", "--index", "i.sqlite")
    assert outcome.code == 0
    assert "damaged" in outcome.err
    assert len(outcome.text.splitlines()) == 4


def test_thumbnails_where_the_terminal_shows_them(
    search: Sfumato, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preview, "terminal_protocol", lambda: "kitty")
    shown = search("red", "pictures").text
    assert shown.count("\x1b_Ga=T") == 4
    assert shown.index("\x1b_Ga=T") < shown.index("rose.png")
    assert "\x1b" not in search("red", "pictures", "--no-show").text
    assert search("red", "pictures", "--json").json["hits"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows allows no such names")
def test_names_from_disk_do_not_steer_the_terminal(search: Sfumato, pictures: Path) -> None:
    paint(pictures / "a\x1b[2J\nred.png", "orange")
    (pictures / "b\x1b[2J.png").write_bytes(b"")
    outcome = search("orange", "pictures")
    assert "\x1b" not in outcome.text + outcome.err
    assert len(outcome.text.splitlines()) == 5


# ---------------------------------------------------------------- the sheet


class Page(HTMLParser):
    """The parts of a page that a test asks about."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.links: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "img":
            self.images.append(dict(attrs))
        if tag == "a":
            self.links.append(str(dict(attrs)["href"]))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows allows no such names")
def test_the_sheet_shows_what_was_found_and_escapes_everything(
    search: Sfumato, folder: Path, pictures: Path
) -> None:
    paint(pictures / HOSTILE, "red", 77)
    (pictures / "zero.png").write_bytes(b"")
    query = 'red "<img src=x onerror=alert(1)>'
    outcome = search(query, "pictures", "--html", "out/found", "--limit", "3")
    assert outcome.code == StorageError.exit_code
    assert outcome.text.splitlines()[-1] == "out/found.html"
    text = (folder / "out" / "found.html").read_text("utf-8")
    page = Page(text)
    assert "script" not in page.tags
    assert page.tags.count("h1") == 1
    assert query in page.words
    assert len(page.images) == len(page.links) == 3
    for image, link in zip(page.images, page.links, strict=True):
        assert set(image) == {"src", "alt", "width", "height"}
        assert image["alt"]
        kind, _, encoded = str(image["src"]).partition(",")
        assert kind == "data:image/webp;base64"
        pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded))))
        assert pixels[5, 5, 0] > 200
        assert link.startswith("./../pictures/")
        assert (folder / "out" / unquote(link)).resolve().is_file()
    assert any("alert" in unquote(link) for link in page.links)
    assert "\u202e" not in text  # a name that reads backwards would hide its ending
    assert not re.search(r"https?://", text)
    assert "1 file could not be read" in text


def test_the_sheet_of_a_picture_shows_it(search: Sfumato, folder: Path) -> None:
    search("pictures/red.png", "pictures", "--html", "like.html")
    page = Page((folder / "like.html").read_text("utf-8"))
    assert len(page.images) == 4
    assert "Like red.png" in page.words


def test_an_existing_sheet_is_kept(search: Sfumato, folder: Path) -> None:
    (folder / "s.html").write_text("mine")
    outcome = search("red", "pictures", "--html", "s.html", "--json")
    assert outcome.json["html"] == "s-2.html"
    assert (folder / "s.html").read_text() == "mine"


# ---------------------------------------------------------------- from Python


def test_the_same_from_python(pictures: Path) -> None:
    told: list[tuple[int, int]] = []
    found = api.search(
        "a red fox", pictures, limit=2, model="fake", on_progress=lambda *at: told.append(at)
    )
    assert [hit.path.name for hit in found] == ["rose.png", "red.png"]
    assert len(found) == 2
    assert told[-1] == (4, 4)
    like = api.search(pictures / "blue.png", pictures, model="fake")
    assert len(like) == 3
    assert like.report.kept == 4
    with pytest.raises(RequestError, match="limit"):
        api.search("red", pictures, limit=0, model="fake")
