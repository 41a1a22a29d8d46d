"""What goes wrong with disks and databases, and what is still there afterwards."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sfumato.errors import StorageError
from sfumato.gallery import Library, Query
from sfumato.gallery import folder as folder_module
from sfumato.jobs import JobQueue
from sfumato.request import GeneratedImage, GenerationRequest

Draw = Callable[..., GeneratedImage]


@pytest.fixture
def three(folder: Path, draw: Draw) -> list[str]:
    """A closed library of three pictures: one marked, one plain, one in the trash."""
    with Library.open(folder) as library:
        ids = [library.add(draw(seed=seed, width=64, height=64)).id for seed in (1, 2, 3)]
        library.mark([ids[0]], favourite=True, rating=4, add_tags=["wild"], add_to=["best"])
        library.trash([ids[2]])
        JobQueue(library).submit(GenerationRequest(prompt="a fox", model="fake"))
    return ids


def corrupt(folder: Path, *, start: int, length: int = 64) -> None:
    path = folder / "library.db"
    data = bytearray(path.read_bytes())
    assert start + length < len(data)
    data[start : start + length] = b"\xa5" * length
    path.write_bytes(data)


def page_of(folder: Path, table: str) -> int:
    """Where the first page of a table begins."""
    with sqlite3.connect(folder / "library.db") as connection:
        (root,) = connection.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = ?", [table]
        ).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    connection.close()
    return int((root - 1) * size)


@pytest.mark.parametrize("where", ["header", "schema", "everything"])
def test_a_corrupt_database_is_set_aside_and_rebuilt(
    folder: Path, three: list[str], where: str
) -> None:
    if where == "everything":
        (folder / "library.db").write_bytes(b"not a database at all" * 400)
    else:
        corrupt(folder, start=0 if where == "header" else 100)
    with Library.open(folder) as library:
        assert {picture.id for picture in library.walk()} == set(three[:2])
        assert [picture.id for picture in library.walk(Query(trashed=True))] == [three[2]]
        for identity in three:
            picture = library.get(identity)
            assert picture.path.exists()
            assert picture.svg_path is not None
            assert picture.plan is not None
        assert library.count(Query(text="red fox")) == 2
        assert library.database.check(thorough=True) == []
        assert library.heal().whole
    assert len(list((folder / "set-aside").glob("library-*.db"))) == 1


def test_what_only_the_database_knew_is_carried_over(folder: Path, three: list[str]) -> None:
    corrupt(folder, start=page_of(folder, "ix_pictures_file"), length=8)
    with Library.open(folder) as library:  # nothing was noticed yet
        healed = library.heal()
        assert healed.set_aside is not None
        assert sorted(healed.added) == sorted(three)
        assert healed.rescued["marks"] == 3
        marked = library.get(three[0])
        assert (marked.favourite, marked.rating) == (True, 4)
        assert (marked.tags, marked.collections) == (("wild",), ("best",))
        assert library.count(Query(text="wild")) == 1
        queue = JobQueue(library)
        assert queue.counts()["queued"] == 1
        claim = queue.claim("w")
        assert claim is not None
        claim.done()
        queue.submit(GenerationRequest(prompt="a fox", model="fake"))


def test_a_server_looks_for_damage_when_it_starts(folder: Path, three: list[str]) -> None:
    corrupt(folder, start=page_of(folder, "ix_pictures_file"), length=8)
    with Library.open(folder, check=True) as library:
        assert library.count() == 2
        assert library.get(three[0]).favourite
    assert len(list((folder / "set-aside").glob("library-*.db"))) == 1


def test_a_lost_database_is_rebuilt(folder: Path, three: list[str]) -> None:
    (folder / "library.db").unlink()
    with Library.open(folder) as library:
        assert library.count() == 2
        assert library.count(Query(trashed=True)) == 1
        assert library.get(three[0]).prompt == "a red fox"


def test_a_database_is_not_replaced_while_another_has_it_open(
    folder: Path, three: list[str]
) -> None:
    pytest.importorskip("fcntl")
    other = Library.open(folder)
    corrupt(folder, start=0)
    try:
        with pytest.raises(StorageError, match="another program") as caught:
            Library.open(folder)
        assert caught.value.code == "busy"
    finally:
        other.close()
    assert not (folder / "set-aside").exists()
    with Library.open(folder) as library:
        assert library.count() == 2


def test_healing_reports_what_is_lost_and_forgets_nothing(folder: Path, three: list[str]) -> None:
    with Library.open(folder) as library:
        path = library.get(three[0]).path
        kept = path.read_bytes()
        path.unlink()
        stranger = path.with_name("00" + three[1][2:] + ".png")
        stranger.write_bytes(b"no picture")
        healed = library.heal()
        assert not healed.whole
        assert healed.missing == [three[0]]
        assert healed.damaged == [stranger.relative_to(folder).as_posix()]
        assert library.count() == 2
        path.write_bytes(kept)
        stranger.unlink()
        assert library.heal().whole


def test_a_crash_between_file_and_database_is_mended(
    folder: Path, three: list[str], draw: Draw
) -> None:
    with Library.open(folder) as library:
        orphan = library.prepare(draw(seed=8), "01hzzzzzzzzzzzzzzzzzzzzzzz")  # never inserted
        library.folder.move(three[1], "png", to_trash=True)  # moved, and then it crashed
        assert library.get(three[1]).path.read_bytes()
        healed = library.heal()
        assert healed.added == [orphan.id]
        assert library.get(orphan.id).prompt == "a red fox"
        assert library.folder.path_of(three[1], "png").exists()
        assert library.heal().added == []


# ---------------------------------------------------------------- folders that are not there


def test_a_missing_folder_never_means_deleted_pictures(folder: Path, three: list[str]) -> None:
    away = folder.with_name("unmounted")
    with Library.open(folder) as library:
        folder.rename(away)
        for call in (
            library.heal,
            lambda: library.trash(three[:1]),
            library.purge,
            lambda: library.thumbnail(three[0]),
            lambda: JobQueue(library).submit(GenerationRequest(prompt="a", model="fake")),
        ):
            with pytest.raises(StorageError) as caught:
                call()
            assert caught.value.code == "library_missing"
    with pytest.raises(StorageError) as caught:
        Library.open(folder, create=False)
    assert caught.value.code == "library_missing"
    away.rename(folder)
    with Library.open(folder, create=False) as library:
        assert library.heal().whole
        assert library.count() == 2


def test_a_database_does_not_take_up_with_another_folder(
    tmp_path: Path, postgres_url: str, draw: Draw
) -> None:
    with Library.open(tmp_path / "one", database=postgres_url) as library:
        picture = library.add(draw())
    with pytest.raises(StorageError) as caught:
        Library.open(tmp_path / "two", database=postgres_url)
    assert caught.value.code == "library_missing"
    with Library.open(tmp_path / "one", database=postgres_url) as library:
        assert library.get(picture.id).path.exists()


def test_somebodys_own_folder_is_not_made_a_library(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "letter.txt").write_text("dear")
    with pytest.raises(StorageError, match="holds other things"):
        Library.open(mine)
    assert [path.name for path in mine.iterdir()] == ["letter.txt"]
    (mine / "sfumato-library.json").write_text("{}")
    with pytest.raises(StorageError, match="marker"):
        Library.open(mine)


# ---------------------------------------------------------------- disks that are full or locked


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 8 MB; skips where mounting is not allowed."""
    place = tmp_path / "small"
    place.mkdir()
    mount = shutil.which("mount")
    if mount is None or not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    done = subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)], check=False,
        capture_output=True,
    )  # fmt: skip
    if done.returncode != 0:
        pytest.skip("mounting is not allowed here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_stops_adding_and_harms_nothing(small_disk: Path, draw: Draw) -> None:
    kept: dict[str, bytes] = {}
    with Library.open(small_disk / "library") as library:
        filler = small_disk / "filler"
        filler.write_bytes(bytes(6 * 1024 * 1024))
        with pytest.raises(StorageError) as caught:
            for seed in range(10_000):
                picture = library.add(draw(seed=seed % 20, width=256, height=256))
                kept[picture.id] = picture.path.read_bytes()
        assert caught.value.code == "disk_full"
        filler.unlink()
        assert library.count() == len(kept) > 0
        for identity, data in kept.items():
            assert library.get(identity).path.read_bytes() == data
        healed = library.heal()
        assert healed.whole
        assert healed.added == []
        library.add(draw())
        assert library.database.check(thorough=True) == []


def test_a_read_only_disk_says_so_and_harms_nothing(small_disk: Path, draw: Draw) -> None:
    with Library.open(small_disk / "library") as library:
        picture = library.add(draw())
        data = picture.path.read_bytes()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    try:
        with pytest.raises(StorageError, match="could not be written") as caught:
            Library.open(small_disk / "library")
        assert "writable" in caught.value.hint
        assert picture.path.read_bytes() == data
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    with Library.open(small_disk / "library", check=True) as library:
        assert library.get(picture.id) == picture


@pytest.mark.parametrize("number", [28, 30])  # ENOSPC, EROFS
def test_a_failing_write_leaves_nothing_behind(
    own: Library, draw: Draw, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def failing(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(folder_module.os, "fsync", failing)
        with pytest.raises(StorageError, match="could not be written") as caught:
            own.add(draw())
    assert (caught.value.code == "disk_full") is (number == 28)
    assert own.count() == 0
    assert [path for path in (own.folder.root / "pictures").rglob("*") if path.is_file()] == []


def test_a_database_that_refuses_takes_the_files_back(
    own: Library, draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> None:
        raise StorageError("no")

    with monkeypatch.context() as patch:
        patch.setattr(own, "insert", refuse)
        with pytest.raises(StorageError):
            own.add(draw(width=64, height=64))
    assert [path for path in (own.folder.root / "pictures").rglob("*") if path.is_file()] == []


# ---------------------------------------------------------------- several processes

WRITER = """
import sys
from pathlib import Path
import sfumato
from sfumato.gallery import Library

with Library.open(Path(sys.argv[1])) as library:
    for seed in range(int(sys.argv[2])):
        image = sfumato.generate("a fox", model="fake", width=16, height=16, seed=seed).images[0]
        picture = library.add(image, tags=[sys.argv[3]])
        library.mark([picture.id], rating=seed % 6)
        print(picture.id, flush=True)
"""


def test_processes_that_write_at_the_same_time_lose_nothing(folder: Path, tmp_path: Path) -> None:
    script = tmp_path / "write.py"
    script.write_text(WRITER, "utf-8")
    writers = [
        subprocess.Popen(
            [sys.executable, str(script), str(folder), "8", name], stdout=subprocess.PIPE, text=True
        )
        for name in ("one", "two", "three")  # they also make the library together
    ]
    told = [writer.communicate(timeout=120)[0].split() for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    with Library.open(folder, check=True) as library:
        assert library.labels("tag") == {"one": 8, "three": 8, "two": 8}
        assert {picture.id for picture in library.walk()} == {i for ids in told for i in ids}
        assert library.heal().whole
    assert not (folder / "set-aside").exists()
