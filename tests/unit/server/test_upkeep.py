"""What a server does by itself: copies, forgetting, tidying; called here without its clock."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import update
from starlette.testclient import TestClient

from sfumato.errors import RequestError, StorageError
from sfumato.gallery import Library, Picture, Query
from sfumato.gallery.backup import backups
from sfumato.gallery.identity import new_id
from sfumato.gallery.tables import PICTURES, DatabaseTime
from sfumato.generate import generate
from sfumato.jobs import JobQueue
from sfumato.jobs.job import JobError
from sfumato.jobs.tables import JOBS
from sfumato.request import GeneratedImage, GenerationRequest
from sfumato.server import upkeep as upkeep_module
from sfumato.server.settings import ServerSettings
from sfumato.server.upkeep import DAY, MANY_CHANGES, Upkeep

ASKED = GenerationRequest(prompt="a red fox", model="fake", width=32, height=32)
Make = Callable[..., TestClient]


def upkeep_of(library: Library, *, keep_jobs: int = 30, keep_trash: int | None = None) -> Upkeep:
    return Upkeep(JobQueue(library), keep_jobs=keep_jobs, keep_trash=keep_trash, kept_free=0)


def ended(queue: JobQueue, days_ago: float) -> str:
    """A job that failed so long ago."""
    job = queue.submit(ASKED)
    claim = queue.claim("w")
    assert claim is not None and claim.job.id == job.id
    claim.failed(JobError(code="test", message="not drawn"))
    with queue.database.write() as connection:
        connection.execute(
            update(JOBS)
            .where(JOBS.c.id == job.id)
            .values(finished_at=DatabaseTime() - days_ago * DAY)
        )
    return job.id


def test_old_jobs_are_forgotten_and_waiting_ones_never(library: Library) -> None:
    queue = JobQueue(library)
    old, recent = ended(queue, 31), ended(queue, 29)
    waiting = queue.submit(ASKED).id
    sweeps = library.folder.root / "sweeps"
    sweeps.mkdir()
    for days in (31, 29):
        (sweeps / f"{new_id(time.time() - days * DAY)}.json").write_text("{}")
    upkeep_of(library).tidy()
    assert {job.id for job in queue.jobs()[0]} == {recent, waiting}
    with pytest.raises(RequestError, match="no job"):
        queue.get(old)
    assert len(list(sweeps.iterdir())) == 1


@pytest.mark.parametrize(("keep", "left"), [(None, 2), (7, 1)])
def test_the_trash_is_emptied_only_where_that_was_asked_for(
    library: Library, picture: Picture, keep: int | None, left: int
) -> None:
    other = library.add(_again(picture, seed=8))
    library.trash([picture.id, other.id])
    with library.database.write() as connection:
        connection.execute(
            update(PICTURES)
            .where(PICTURES.c.id == picture.id)
            .values(trashed_at=DatabaseTime() - 8 * DAY)
        )
    upkeep_of(library, keep_trash=keep).tidy()
    assert library.count(Query(trashed=True)) == left
    assert picture.path.exists() is False
    trashed = library.folder.path_of(picture.id, "png", trashed=True)
    assert trashed.exists() is (keep is None)


def test_what_crashes_left_behind_is_removed_and_nothing_else(
    library: Library, picture: Picture
) -> None:
    root, temporary = library.folder.root, ".sfumato-00ff.tmp"
    preview = library.folder.preview(new_id(), 0)
    left = [preview, root / temporary, picture.path.with_name(temporary)]
    fresh = [library.folder.preview(new_id(), 1), picture.path.with_name(".sfumato-11.tmp")]
    thumbnail = library.thumbnail(picture.id)
    keys = root / "keys.json"
    keys.write_text("{}")
    for path in (*left, *fresh):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"half")
    two_days_ago = time.time() - 2 * DAY
    for path in (*left, picture.path, thumbnail, keys):
        os.utime(path, (two_days_ago, two_days_ago))
    upkeep_of(library).tidy()
    assert not any(path.exists() for path in left)
    assert all(path.exists() for path in (*fresh, picture.path, thumbnail, keys))


def test_the_thread_copies_soon_and_again_after_many_changes(
    library: Library, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep_module, "FIRST_SECONDS", 0.01)
    monkeypatch.setattr(upkeep_module, "_LOOK_SECONDS", 0.01)

    def until(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def copy() -> bytes:
        return next(iter(backups(library.folder))).read_bytes()

    upkeep = upkeep_of(library)
    upkeep.start()
    try:
        until(lambda: bool(backups(library.folder)))
        first = copy()
        for _ in range(MANY_CHANGES - 1):
            library.mark([picture.id], rating=1)
        time.sleep(0.1)
        assert copy() == first  # an hour has not passed
        library.mark([picture.id], rating=5)
        until(lambda: copy() != first)
    finally:
        upkeep.stop()


def test_trouble_is_logged_and_does_not_end_the_thread(
    library: Library, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[int] = []

    def fail(*_: object, **__: object) -> Path:
        tried.append(1)
        library.changes += MANY_CHANGES
        raise StorageError("There is too little room.")

    monkeypatch.setattr(upkeep_module, "FIRST_SECONDS", 0.01)
    monkeypatch.setattr(upkeep_module, "_LOOK_SECONDS", 0.01)
    monkeypatch.setattr(upkeep_module, "back_up", fail)
    monkeypatch.setattr(logging.getLogger("sfumato"), "propagate", True)
    upkeep = upkeep_of(library)
    upkeep.start()
    deadline = time.monotonic() + 60
    while len(tried) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    upkeep.stop()
    assert len(tried) >= 3
    assert "too little room" in caplog.text


def test_a_running_server_has_it(root: Path, monkeypatch: pytest.MonkeyPatch, make: Make) -> None:
    monkeypatch.setattr(upkeep_module, "FIRST_SECONDS", 0.01)
    client = make(keep_jobs=5)
    server = client.app.state.server
    old, recent = ended(server.queue, 6), ended(server.queue, 4)
    server.upkeep.start()
    deadline = time.monotonic() + 60
    while len(server.queue.jobs()[0]) > 1 and time.monotonic() < deadline:
        time.sleep(0.01)
    server.upkeep.stop()
    assert old not in {job.id for job in server.queue.jobs()[0]}
    assert server.queue.get(recent).state == "failed"


@pytest.mark.parametrize("wrong", [{"keep_jobs": 0}, {"keep_trash": 0}])
def test_nothing_is_forgotten_on_the_same_day(wrong: dict[str, int]) -> None:
    with pytest.raises(RequestError, match="a day"):
        ServerSettings(**wrong)


def _again(picture: Picture, seed: int) -> GeneratedImage:
    return generate(picture.prompt, model="fake", seed=seed, width=64, height=48).images[0]
