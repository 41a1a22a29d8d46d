"""``sfumato gallery`` from end to end: every command, on files that ``draw`` made."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sfumato.files import save_image
from sfumato.generate import generate

Invoke = Callable[..., Any]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "drawn" / "deeper"
    folder.mkdir(parents=True)
    for prompt, seed in (("a red fox", 1), ("a blue owl", 2)):
        image = generate(prompt, model="fake", width=64, height=64, seed=seed).images[0]
        save_image(image, folder / f"{seed}.png")
    (folder / "notes.txt").write_text("no picture")
    return tmp_path / "drawn"


@pytest.fixture
def filled(sfumato: Invoke, pictures: Path) -> list[str]:
    """Ids of the owl and the fox, in the person's own library."""
    outcome = sfumato("gallery", "import", str(pictures), "--json")
    assert outcome.code == 0, outcome.err
    listed = sfumato("gallery", "list", "--json").json
    by_seed = sorted(listed["pictures"], key=lambda picture: picture["seed"], reverse=True)
    return [picture["id"] for picture in by_seed]


def test_importing_again_copies_nothing(sfumato: Invoke, pictures: Path, filled: list[str]) -> None:
    again = sfumato("gallery", "import", str(pictures), "--json").json
    assert again["imported"] == []
    assert sorted(again["known"]) == sorted(filled)
    assert (
        sfumato("gallery", "import", str(pictures)).text == "0 pictures imported, 2 known before.\n"
    )
    (pictures / "bad.png").write_bytes(b"no picture")
    outcome = sfumato("gallery", "import", str(pictures), "--quiet")
    assert outcome.code == 6
    assert "bad.png is not a picture" in outcome.err
    assert sfumato("gallery", "import", "nowhere").code == 6


def test_pictures_of_other_kinds_are_passed_over_and_said_so(
    sfumato: Invoke, pictures: Path
) -> None:
    for name in ("fox.svg", "owl.SVG", "fox.ico"):
        (pictures / name).write_bytes(b"")
    outcome = sfumato("gallery", "import", str(pictures))
    assert outcome.code == 0
    assert outcome.text == (
        "2 pictures imported, 0 known before.\n"
        "3 files passed over (ico and svg): a library holds png, webp and jpeg.\n"
    )
    again = sfumato("gallery", "import", str(pictures), "--json").json
    assert again["passed_over"] == {"svg": 2, "ico": 1}
    assert sfumato("gallery", "import", str(pictures), "--quiet").text == ""


def test_what_cannot_be_looked_into_is_named_and_hidden_folders_are_passed_over(
    sfumato: Invoke, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (pictures / "locked").mkdir()
    (pictures / ".cache").mkdir()
    (pictures / ".cache" / "bad.png").write_bytes(b"no picture")
    scandir = os.scandir

    def refuse(path: Any) -> Any:
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    outcome = sfumato("gallery", "import", str(pictures), "--json")
    assert outcome.code == 6
    assert len(outcome.json["imported"]) == 2
    (failure,) = outcome.json["failed"]
    assert failure["path"].endswith("locked")
    assert "Permission denied" in failure["error"]


def test_lists_and_searches_show_what_is_there(sfumato: Invoke, filled: list[str]) -> None:
    owl, fox = filled
    table = sfumato("gallery", "list").text
    assert owl[-8:] in table
    assert "a red fox" in table
    assert sorted(sfumato("gallery", "list", "--ids").text.split()) == sorted(filled)
    assert sfumato("gallery", "search", "owl", "--ids").text == f"{owl}\n"
    page = sfumato("gallery", "list", "--limit", "1", "--json").json
    rest = sfumato("gallery", "list", "--cursor", page["next_cursor"], "--json").json
    assert {p["id"] for p in page["pictures"] + rest["pictures"]} == set(filled)
    assert rest["next_cursor"] is None
    assert [p["id"] for p in sfumato("gallery", "search", "red", "fo", "--json").json] == [fox]
    assert sfumato("gallery", "search", "nothing").err == "No picture matches.\n"
    assert sfumato("gallery", "search").code == 2
    assert sfumato("gallery", "search", "--shows", "a", "--like", "b").code == 2


@pytest.mark.parametrize("columns", ["20", "40", "80"])
def test_ids_are_whole_enough_for_the_other_commands_in_any_width(
    sfumato: Invoke, filled: list[str], monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    label = "a label of many words that takes all the room there is in a row"
    assert sfumato("gallery", "tag", label, *filled).code == 0
    monkeypatch.setenv("COLUMNS", columns)
    rows = sfumato("gallery", "list").text.splitlines()[1:]
    assert sorted(row.split()[0] for row in rows) == sorted(one[-8:] for one in filled)


def test_marks_are_set_and_taken_away(sfumato: Invoke, filled: list[str]) -> None:
    owl, fox = filled
    assert sfumato("gallery", "rate", "4", fox[-8:]).text == "1 picture changed.\n"
    assert sfumato("gallery", "favourite", owl, fox, "--json").json == {"pictures": 2}
    assert sfumato("gallery", "tag", "wild", fox).code == 0
    assert sfumato("gallery", "collection", "animals", fox, owl).code == 0
    shown = sfumato("gallery", "show", fox, "--json").json
    assert (shown["rating"], shown["favourite"], shown["tags"]) == (4, True, ["wild"])
    assert "collections      animals" in sfumato("gallery", "show", fox).text
    for options, expected in (
        (["--min-rating", "4"], [fox]),
        (["--favourite"], [fox, owl]),
        (["--tag", "wild"], [fox]),
        (["--collection", "animals"], [fox, owl]),
        (["--model", "chiaro"], []),
        (["--until", "2001-01-01"], []),
    ):
        found = sfumato("gallery", "list", *options, "--json").json["pictures"]
        assert sorted(p["id"] for p in found) == sorted(expected), options
    for undo in (["favourite"], ["tag", "wild"], ["collection", "animals"]):
        assert sfumato("gallery", *undo, fox, "--remove").code == 0
    shown = sfumato("gallery", "show", fox, "--json").json
    assert (shown["favourite"], shown["tags"], shown["collections"]) == (False, [], [])
    assert sfumato("gallery", "rate", "4", "nonesuch").code == 2
    assert sfumato("gallery", "rate", "6", fox).code == 2


def test_the_trash_is_emptied_only_when_told_so(sfumato: Invoke, filled: list[str]) -> None:
    owl, fox = filled
    assert sfumato("gallery", "trash", owl, fox).text == "2 pictures moved to the trash.\n"
    assert sfumato("gallery", "restore", fox, "--json").json == {"pictures": 1}
    refused = sfumato("gallery", "purge")
    assert refused.code == 2
    assert "1 picture would be deleted for good. Add --yes" in refused.err
    assert sfumato("gallery", "purge", fox, "--yes").code == 2
    assert sfumato("gallery", "purge", "--yes").text == "1 picture deleted for good.\n"
    assert sfumato("gallery", "show", owl).code == 2
    assert sfumato("gallery", "path", "--json").json["pictures"] == 1


def test_export_writes_what_matches(sfumato: Invoke, filled: list[str], tmp_path: Path) -> None:
    fox = filled[1]
    target = tmp_path / "some.zip"
    outcome = sfumato("gallery", "export", str(target), fox, "--json")
    assert outcome.json["path"] == str(target)
    with zipfile.ZipFile(target) as archive:
        entries = json.loads(archive.read("manifest.json"))["pictures"]
    assert [entry["id"] for entry in entries] == [fox]
    both = sfumato("gallery", "export", str(tmp_path / "both.zip"), fox, "--min-rating", "4")
    assert both.code == 2
    assert "--min-rating" in both.err
    assert sfumato("gallery", "export", str(target)).code == 6
    assert sfumato("gallery", "export", str(tmp_path / "no.zip"), "--min-rating", "5").code == 2


def test_healing_tells_what_is_lost(sfumato: Invoke, filled: list[str]) -> None:
    assert sfumato("gallery", "heal").text == "2 pictures checked, 0 added.\n"
    Path(sfumato("gallery", "show", filled[0], "--json").json["path"]).unlink()
    outcome = sfumato("gallery", "heal", "--json")
    assert outcome.code == 6
    assert outcome.json["missing"] == [filled[0]]
    assert f"missing: {filled[0]}" in sfumato("gallery", "heal", "--quiet").err


def test_another_library_may_be_named(sfumato: Invoke, filled: list[str], tmp_path: Path) -> None:
    other = str(tmp_path / "other")
    assert sfumato("gallery", "--library", other, "list", "--json").json["pictures"] == []
    assert sfumato("gallery", "--library", other, "path").text.startswith(other)
    assert sfumato("gallery", "--database", "mysql://x/y", "list").code == 2


def test_what_a_picture_shows_can_be_searched(
    sfumato: Invoke, filled: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sfumato.clip.DEFAULT_MODEL", "fake")
    owl, fox = filled
    like = sfumato("gallery", "search", "--like", owl, "--json").json
    assert [p["id"] for p in like] == [fox]
    by_file = sfumato("gallery", "show", owl, "--json").json["path"]
    same = sfumato("gallery", "search", "--like", by_file, "--limit", "1", "--json").json
    assert [(p["id"], round(p["score"], 1)) for p in same] == [(owl, 1.0)]
    assert len(sfumato("gallery", "search", "--shows", "something blue", "--json").json) == 2
