"""Copies of the database, and a library that is whole again after its database was destroyed."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from sfumato.errors import StorageError
from sfumato.gallery import Library, Query, heal
from sfumato.gallery.backup import GENERATIONS, back_up, backups
from sfumato.gallery.identity import derived_id
from sfumato.jobs import JobQueue
from sfumato.request import GeneratedImage, GenerationRequest

Draw = Callable[..., GeneratedImage]
ASKED = GenerationRequest(prompt="a red fox", model="fake", width=32, height=32, num_images=2)


def copied(library: Library) -> Path:
    made = back_up(library, kept_free=0)
    assert made is not None
    return made


def destroy(folder: Path) -> None:
    """What a torn first page leaves: nothing of it can be read."""
    path = folder / "library.db"
    data = bytearray(path.read_bytes())
    data[:4096] = os.urandom(4096)
    path.write_bytes(data)
    with closing(sqlite3.connect(path)) as opened, pytest.raises(sqlite3.DatabaseError):
        opened.execute("SELECT * FROM pictures")


def test_what_only_the_database_knew_outlives_its_header(
    folder: Path, draw: Draw, tmp_path: Path
) -> None:
    with Library.open(folder) as library:
        ids = [library.add(draw(seed=seed)).id for seed in (1, 2, 3, 4)]
        library.mark(ids[:2], favourite=True, rating=4, add_tags=["wild"], add_to=["best"])
        library.trash([ids[3]])
        waiting = JobQueue(library).submit(ASKED)
        made = copied(library)
        newer = library.add(draw(seed=5)).id
        library.trash([ids[2]])
        library.restore([ids[3]])
    destroy(folder)
    with Library.open(folder) as library:
        assert library.healed is not None
        assert library.healed.restored == made
        assert library.healed.added == [newer]
        for identity in ids[:2]:
            picture = library.get(identity)
            assert (picture.favourite, picture.rating) == (True, 4)
            assert (picture.tags, picture.collections) == (("wild",), ("best",))
        assert library.get(newer).prompt == "a red fox"
        assert library.count(Query(text="wild")) == 2
        # what was thrown away and taken back since is where its file is
        assert {picture.id for picture in library.walk(Query(trashed=True))} == {ids[2]}
        assert all(library.get(identity).path.is_file() for identity in ids)
        assert JobQueue(library).get(waiting.id).state == "queued"
        assert library.database.check(thorough=True) == []
        assert library.heal().whole
    with Library.open(folder) as library:
        assert library.healed is None


@pytest.mark.parametrize("how", ["lost", "heal"])
def test_a_copy_stands_in_for_a_database_that_is_lost_or_found_damaged_later(
    folder: Path, draw: Draw, how: str
) -> None:
    with Library.open(folder) as library:
        one = library.add(draw(seed=1)).id
        library.mark([one], rating=5)
        copied(library)
        if how == "heal":
            library.database.close()
            destroy(folder)
            healed = library.heal()
            assert healed.restored is not None
            assert healed.set_aside is not None and healed.set_aside.is_file()
            assert library.get(one).rating == 5
    if how == "lost":
        (folder / "library.db").unlink()
    with Library.open(folder) as library:
        assert library.get(one).rating == 5
        assert library.heal().whole


def test_a_copy_that_is_not_sound_or_not_ours_is_passed_over(
    folder: Path, draw: Draw, tmp_path: Path
) -> None:
    with Library.open(folder) as library:
        one = library.add(draw(seed=1)).id
        library.mark([one], rating=3)
        good = copied(library)
    with Library.open(tmp_path / "other") as stranger:
        stranger.add(draw(seed=2))
        foreign = copied(stranger)
    good.rename(good.with_name("library-20200101.db"))
    (good.parent / "library-20200102.db").write_bytes(foreign.read_bytes())
    broken = bytearray((good.parent / "library-20200101.db").read_bytes())
    broken[4096 * 3 : 4096 * 4] = b"\xa5" * 4096
    (good.parent / "library-20200103.db").write_bytes(broken)
    (good.parent / "library-20200104.db").write_bytes(b"no database")
    destroy(folder)
    with Library.open(folder) as library:
        assert library.healed is not None and library.healed.restored is not None
        assert library.healed.restored.name == "library-20200101.db"
        assert library.get(one).rating == 3


def test_one_copy_a_day_is_kept_of_some_days(folder: Path, draw: Draw) -> None:
    with Library.open(folder) as library:
        library.add(draw(seed=1))
        made = copied(library)
        assert back_up(library, kept_free=0) is None  # nothing has changed
        assert library.get(library.query().pictures[0].id)
        assert back_up(library, kept_free=0) is None  # looking is no change
        library.add(draw(seed=2))
        assert back_up(library, min_seconds=3600, kept_free=0) is None  # young enough
        before = made.read_bytes()
        assert copied(library) == made  # the same day's
        assert made.read_bytes() != before
        for day in range(1, 5):
            (made.parent / f"library-2020010{day}.db").write_bytes(b"old")
        library.add(draw(seed=3))
        copied(library)
        names = [path.name for path in backups(library.folder)]
        assert names == [made.name, "library-20200104.db", "library-20200103.db"]
        assert len(names) == GENERATIONS
        assert [path for path in made.parent.iterdir() if path.suffix != ".db"] == []


def test_a_copy_is_never_made_of_damage_nor_of_the_last_room(folder: Path, draw: Draw) -> None:
    with Library.open(folder) as library:
        library.add(draw(seed=1))
        made = copied(library)
        before = made.read_bytes()
        library.add(draw(seed=2))
        with pytest.raises(StorageError) as caught:
            back_up(library, kept_free=2**62)
        assert caught.value.code == "disk_full"
        library.database.close()
        destroy(folder)
        with pytest.raises(StorageError) as caught:
            back_up(library, kept_free=0)
        assert caught.value.code == "corrupt"
    assert [path.name for path in made.parent.iterdir()] == [made.name]
    assert made.read_bytes() == before


def test_a_copy_made_while_others_write_is_sound(folder: Path, draw: Draw) -> None:
    with Library.open(folder) as library:
        one = library.add(draw(seed=1)).id
        over = threading.Event()

        def rate() -> None:
            while not over.is_set():
                library.mark([one], rating=4, add_tags=["busy"])

        writing = threading.Thread(target=rate)
        writing.start()
        try:
            for _ in range(5):
                made = copied(library)
                time.sleep(0.01)  # a file's date need not tell nearer moments apart
        finally:
            over.set()
            writing.join()
        with closing(sqlite3.connect(made)) as opened:
            assert opened.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert opened.execute("SELECT id FROM pictures").fetchall() == [(one,)]


def test_a_mending_that_was_cut_short_is_gone_on_with(
    folder: Path, draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Library.open(folder) as library:
        one = library.add(draw(seed=1)).id
        library.mark([one], rating=2)
    with closing(sqlite3.connect(folder / "library.db")) as opened:
        name = "SELECT rootpage FROM sqlite_schema WHERE name = 'ix_pictures_file'"
        (root,) = opened.execute(name).fetchone()
        (size,) = opened.execute("PRAGMA page_size").fetchone()
    data = bytearray((folder / "library.db").read_bytes())
    data[(root - 1) * size : (root - 1) * size + 8] = b"\xa5" * 8
    (folder / "library.db").write_bytes(data)
    with monkeypatch.context() as patch:
        patch.setattr(heal, "_carry_over", _cut)
        with pytest.raises(KeyboardInterrupt):
            Library.open(folder, check=True)
    with Library.open(folder) as library:  # looks for no damage, and finds the work undone
        assert library.get(one).rating == 2
    with Library.open(folder) as library:
        assert library.healed is None
        # an old one that was set aside has nothing to say any more
        library.mark([one], rating=5)
        stranger = library.prepare(draw(seed=8), "01hzzzzzzzzzzzzzzzzzzzzzzz")
        assert library.heal().added == [stranger.id]
        assert library.get(one).rating == 5


def _cut(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_job_that_was_drawn_after_the_copy_is_not_drawn_again(folder: Path, draw: Draw) -> None:
    with Library.open(folder) as library:
        queue = JobQueue(library)
        job = queue.submit(ASKED)
        copied(library)
        claim = queue.claim("w")
        assert claim is not None
        for index in (0, 1):
            record = library.prepare(
                draw(seed=index), derived_id(job.id, index), job=(job.id, index)
            )
            claim.store(record, index)
        claim.done()
    destroy(folder)
    with Library.open(folder) as library:
        queue = JobQueue(library)
        again = queue.claim("w")
        assert again is not None
        assert again.job.id == job.id
        assert sorted(again.finished_indexes()) == [0, 1]
        again.done()
        assert len(queue.get(job.id).pictures) == 2


def test_postgresql_has_backups_of_its_own(folder: Path, postgres_url: str, draw: Draw) -> None:
    with Library.open(folder, database=postgres_url) as library:
        library.add(draw(seed=1))
        assert back_up(library) is None
    assert not (folder / "backups").exists()


def test_labels_that_were_taken_away_do_not_come_back_with_a_copy(folder: Path, draw: Draw) -> None:
    with Library.open(folder) as library:
        one = library.add(draw(seed=1)).id
        library.mark([one], add_tags=["wild", "red"], add_to=["best"])
        copied(library)
        library.mark([one], remove_tags=["wild"], remove_from=["best"], add_tags=["new"])
        library.database.close()
        # an index tears: the tables are still read to their ends
        with closing(sqlite3.connect(folder / "library.db")) as opened:
            (root,) = opened.execute(
                "SELECT rootpage FROM sqlite_schema WHERE name = 'ix_pictures_file'"
            ).fetchone()
            (size,) = opened.execute("PRAGMA page_size").fetchone()
        data = bytearray((folder / "library.db").read_bytes())
        data[(root - 1) * size : (root - 1) * size + 8] = b"\xa5" * 8
        (folder / "library.db").write_bytes(data)
        assert library.heal().restored is not None
        assert (library.get(one).tags, library.get(one).collections) == (("new", "red"), ())
        assert library.count(Query(text="wild")) == 0
