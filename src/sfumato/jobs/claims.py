"""Whose a job is: taking one atomically, keeping it by a lease, and giving it back.

A claim carries a fencing token that grows with every claim of a job. Each change a worker makes
names its token, so a worker that was thought dead (asleep, cut off, a clock that jumped) and comes
back finds that it changes nothing. Leases are measured by the database's clock alone.

Source: Kleppmann 2016, "How to do distributed locking", on fencing tokens.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, Row, insert, or_, select, update

from sfumato.gallery.database import Database
from sfumato.gallery.records import Record
from sfumato.gallery.tables import PICTURES, DatabaseTime
from sfumato.jobs.job import MAX_ATTEMPTS, Job, JobError, LeaseLost, Progress
from sfumato.jobs.tables import EVENTS, JOBS

if TYPE_CHECKING:
    from sfumato.jobs.queue import JobQueue

_NOBODY: dict[str, Any] = {"worker": None, "lease_until": None, "progress": None}


class Claim:
    """A running job in the hands of one worker. Every method may raise ``LeaseLost``."""

    def __init__(self, queue: JobQueue, number: int, fence: int, job: Job) -> None:
        """Use ``JobQueue.claim``."""
        self.job = job
        self._queue = queue
        self._number = number
        self._fence = fence

    def pulse(self, progress: Progress) -> bool:
        """Say that the worker lives and how far it is; True when the job is to be cancelled."""
        lease = DatabaseTime() + self._queue.lease_seconds
        mine = update(JOBS).where(*self._mine()).returning(JOBS.c.cancel_requested)
        with self._queue.database.write() as connection:
            row = connection.execute(
                mine.values(lease_until=lease, progress=progress.to_json())
            ).one_or_none()
        if row is None:
            raise LeaseLost
        return bool(row.cancel_requested)

    def cancel_requested(self) -> bool:
        """Whether the job is to be cancelled; writes nothing."""
        with self._queue.database.read() as connection:
            row = connection.execute(
                select(JOBS.c.cancel_requested).where(*self._mine())
            ).one_or_none()
        if row is None:
            raise LeaseLost
        return bool(row.cancel_requested)

    def finished_indexes(self) -> dict[int, str]:
        """Pictures that an earlier attempt has stored: index to id."""
        wanted = select(PICTURES.c.job_index, PICTURES.c.id).where(PICTURES.c.job_id == self.job.id)
        with self._queue.database.read() as connection:
            return {row.job_index: row.id for row in connection.execute(wanted)}

    def store(self, picture: Record, index: int) -> None:
        """Make a picture of the job known to library and followers, both or neither."""
        with self._queue.database.write() as connection:
            self._advance(connection, "picture", {"index": index, "id": picture.id})
            # healing may have found the file that an earlier attempt left, and added it
            known = update(PICTURES).where(PICTURES.c.id == picture.id).values(**picture.row)
            if not connection.execute(known).rowcount:
                self._queue.library.insert(connection, picture)

    def done(self) -> None:
        """Every picture is stored."""
        self._end("done", {})

    def failed(self, error: JobError) -> None:
        """It cannot be drawn, and would not be next time."""
        values = {"code": error.code, "message": error.message, "hint": error.hint}
        self._end("failed", values, error=json.dumps(values))

    def cancelled(self) -> None:
        """Drawing was stopped because somebody asked."""
        self._end("cancelled", {})

    def release(self, reason: str) -> None:
        """Give the job back for another worker; this attempt does not count."""
        with self._queue.database.write() as connection:
            self._advance(
                connection,
                "queued",
                {"attempt": self.job.attempt - 1, "reason": reason},
                state="queued",
                attempt=JOBS.c.attempt - 1,
                **_NOBODY,
            )

    def _end(self, state: str, data: dict[str, Any], **values: Any) -> None:
        with self._queue.database.write() as connection:
            self._advance(
                connection,
                state,
                data,
                **{**_NOBODY, **values, "state": state, "finished_at": DatabaseTime()},
            )

    def _advance(self, connection: Connection, kind: str, data: dict[str, Any], **v: Any) -> None:
        if _advance_where(connection, self._mine(), kind, data, v) is None:
            raise LeaseLost

    def _mine(self) -> Sequence[ColumnElement[bool]]:
        return (
            JOBS.c.number == self._number,
            JOBS.c.fence == self._fence,
            JOBS.c.state == "running",
        )


def claim_next(database: Database, worker: str, lease_seconds: float) -> Row[Any] | None:
    """Take the first queued job for ``worker`` in one statement; None when there is none."""
    first = (
        select(JOBS.c.number)
        .where(JOBS.c.state == "queued")
        .order_by(JOBS.c.priority.desc(), JOBS.c.number)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    taken = (
        update(JOBS)
        .where(JOBS.c.number == first, JOBS.c.state == "queued")
        .values(
            state="running",
            worker=worker,
            fence=JOBS.c.fence + 1,
            attempt=JOBS.c.attempt + 1,
            lease_until=DatabaseTime() + lease_seconds,
            started_at=DatabaseTime(),
            last_event=JOBS.c.last_event + 1,
            progress=None,
        )
        .returning(JOBS)
    )
    with database.write() as connection:
        row = connection.execute(taken).one_or_none()
        if row is not None:
            record(connection, row.number, row.last_event, "started", {"attempt": row.attempt})
        return row


def advance(
    connection: Connection, row: Row[Any], kind: str, data: dict[str, Any], **values: Any
) -> None:
    """Change a job whose row the caller's transaction holds, and record the event."""
    _advance_where(connection, (JOBS.c.number == row.number,), kind, data, values)


def reap(database: Database, lease_seconds: float) -> int:
    """Take jobs from workers whose lease has run out.

    A lease that ends further away than any lease can means that the clock was set back; waiting
    for it would block the job for as long, so it counts as run out too.
    """
    now = DatabaseTime()
    silent = or_(JOBS.c.lease_until < now, JOBS.c.lease_until > now + 2 * lease_seconds)
    return _requeue(database, silent, "its worker fell silent")


def abandon(database: Database, worker: str, reason: str, *, counts: bool = True) -> int:
    """Take the jobs of a worker that is known to be dead."""
    return _requeue(database, JOBS.c.worker == worker, reason, counts=counts)


def _requeue(
    database: Database, condition: ColumnElement[bool], reason: str, *, counts: bool = True
) -> int:
    lost = select(JOBS).where(JOBS.c.state == "running", condition)
    with database.read() as connection:
        if connection.execute(lost.limit(1)).first() is None:
            return 0
    with database.write() as connection:
        rows = connection.execute(lost.with_for_update(skip_locked=True)).all()
        for row in rows:
            if row.cancel_requested:
                ended = {**_NOBODY, "state": "cancelled", "finished_at": DatabaseTime()}
                advance(connection, row, "cancelled", {}, **ended)
            elif counts and row.attempt >= MAX_ATTEMPTS:
                error = {
                    "code": "worker_died",
                    "message": f"Drawing it failed {row.attempt} times: {reason}.",
                    "hint": "Try a smaller picture, or another model.",
                }
                ended = {**_NOBODY, "state": "failed", "finished_at": DatabaseTime()}
                advance(connection, row, "failed", error, error=json.dumps(error), **ended)
            else:
                attempt = row.attempt if counts else row.attempt - 1
                data = {"attempt": attempt, "reason": reason}
                again = {**_NOBODY, "state": "queued", "attempt": attempt}
                advance(connection, row, "queued", data, **again)
    return len(rows)


def _advance_where(
    connection: Connection,
    conditions: Sequence[ColumnElement[bool]],
    kind: str,
    data: dict[str, Any],
    values: dict[str, Any],
) -> Row[Any] | None:
    changed = update(JOBS).where(*conditions).returning(JOBS.c.number, JOBS.c.last_event)
    row = connection.execute(
        changed.values(**values, last_event=JOBS.c.last_event + 1)
    ).one_or_none()
    if row is not None:
        record(connection, row.number, row.last_event, kind, data)
    return row


def record(connection: Connection, job: int, number: int, kind: str, data: dict[str, Any]) -> None:
    """Keep an event of a job, in the caller's transaction."""
    connection.execute(
        insert(EVENTS).values(
            job=job, number=number, kind=kind, at=DatabaseTime(), data=json.dumps(data)
        )
    )
