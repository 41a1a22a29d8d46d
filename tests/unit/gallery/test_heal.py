"""What goes wrong with disks and databases, and what is still there afterwards."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sfumato.errors import StorageError
from sfumato.gallery import Library, Query, heal
from sfumato.gallery import folder as folder_module
from sfumato.gallery.identity import derived_id, new_id
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


# ---------------------------------------------------------------- while others draw


@pytest.fixture
def other(library: Library, address: str | None) -> Iterator[Library]:
    """The same library, open in another program."""
    with Library.open(library.folder.root, database=address) as opened:
        yield opened


def test_what_another_program_is_adding_is_left_to_it(
    library: Library, other: Library, draw: Draw
) -> None:
    pytest.importorskip("fcntl")
    record = other.prepare(draw(), new_id())
    healed = library.heal()
    assert (healed.added, healed.whole) == ([], True)
    with other.database.write() as connection:
        other.insert(connection, record)
    orphan = other.prepare(draw(seed=2), new_id())  # whose program died of it
    path = library.folder.path_of(orphan.id, "png")
    os.utime(path, (path.stat().st_atime, path.stat().st_mtime - 61))
    assert library.heal().added == [orphan.id]


def test_what_others_do_while_it_is_healed_is_no_damage(
    library: Library, other: Library, draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    added = other.prepare(draw(seed=1), "01hzzzzzzzzzzzzzzzzzzzzzz1")
    gone = other.prepare(draw(seed=2), "01hzzzzzzzzzzzzzzzzzzzzzz2")
    for path in (library.folder.root / "pictures").rglob("*.png"):
        os.utime(path, (0, 0))
    read = heal.record_of_file

    def late(identity: str, path: Path, **options: Any) -> Any:
        found = read(identity, path, **options)
        if identity == added.id:
            with other.database.write() as connection:
                other.insert(connection, added)
            library.folder.path_of(gone.id, "png").unlink()
        return found

    monkeypatch.setattr(heal, "record_of_file", late)
    healed = library.heal()
    assert (healed.added, healed.damaged, healed.missing) == ([], [], [])
    assert library.count() == 1


def test_a_picture_deleted_while_it_is_healed_is_not_missing(
    library: Library, other: Library, draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = library.add(draw()).id
    files = library.folder.files

    def purged() -> Any:
        other.trash([one])
        other.purge([one])
        return files()

    monkeypatch.setattr(library.folder, "files", purged)
    assert library.heal().missing == []


def test_an_attempt_that_is_repeated_takes_its_healed_file_over(
    library: Library, draw: Draw
) -> None:
    queue = JobQueue(library)
    asked = GenerationRequest(prompt="a red fox", model="fake", width=32, height=32, seed=1)
    job = queue.submit(asked)
    image = draw()
    library.prepare(image, derived_id(job.id, 0))  # and the worker died
    again = queue.claim("w")
    assert again is not None
    assert again.finished_indexes() == {}
    record = library.prepare(image, derived_id(job.id, 0), job=(job.id, 0))
    os.utime(library.folder.path_of(record.id, "png"), (0, 0))
    assert library.heal().added == [record.id]
    again.store(record, 0)
    again.done()
    assert queue.get(job.id).pictures == (record.id,)
    assert library.get(record.id).job_id == job.id


def test_a_file_of_a_job_that_died_belongs_to_it_again(library: Library, draw: Draw) -> None:
    queue = JobQueue(library)
    job = queue.submit(GenerationRequest(prompt="a red fox", model="fake", num_images=2))
    library.prepare(draw(), derived_id(job.id, 1))
    assert library.heal().added == [derived_id(job.id, 1)]
    claim = queue.claim("w")
    assert claim is not None
    assert claim.finished_indexes() == {1: derived_id(job.id, 1)}


def test_a_row_that_damage_has_changed_costs_that_row_alone(folder: Path, draw: Draw) -> None:
    request = GenerationRequest(prompt="a fox", model="fake")
    with Library.open(folder) as library:
        one = library.add(draw()).id
        library.mark([one], rating=4)
        jobs = [JobQueue(library).submit(request).id for _ in range(3)]
    corrupt(folder, start=page_of(folder, "ix_pictures_file"), length=8)
    with closing(sqlite3.connect(folder / "library.db")) as damaged, damaged:
        damaged.execute("PRAGMA writable_schema = ON")
        damaged.execute(
            "UPDATE sqlite_schema SET sql = replace(sql, 'state VARCHAR(9) NOT NULL', "
            "'state VARCHAR(9)') WHERE name = 'jobs'"
        )
    with closing(sqlite3.connect(folder / "library.db")) as damaged, damaged:
        damaged.execute("UPDATE jobs SET state = NULL WHERE id = ?", [jobs[1]])
    with Library.open(folder, check=True) as library:
        assert library.healed is not None
        assert library.healed.rescued["jobs"] == 2
        assert {job.id for job in JobQueue(library).jobs()[0]} == {jobs[0], jobs[2]}
        assert library.get(one).rating == 4


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
