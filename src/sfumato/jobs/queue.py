"""The queue: submit, follow, cancel, retry, hand out. Safe from threads and from many processes.

What it answers without changing anything stands in ``reader.py``, what a new job is in
``asking.py``, and what whoever holds a job may do with it in ``claims.py``.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select

from sfumato.errors import RequestError, StorageError
from sfumato.gallery import Library
from sfumato.gallery.tables import DatabaseTime
from sfumato.jobs.asking import new_row
from sfumato.jobs.claims import Claim, abandon, advance, claim_next, reap, record
from sfumato.jobs.job import (
    DEFAULT_LIMIT_SECONDS,
    ENDED,
    LEASE_SECONDS,
    MAX_UNFINISHED,
    MAX_UNFINISHED_PER_OWNER,
    MIN_FREE_BYTES,
    Job,
    JobEvent,
    LeaseLost,
    request_from_json,
)
from sfumato.jobs.reader import MAX_LISTED, JobReader
from sfumato.jobs.rows import job_of, jobs_of
from sfumato.jobs.tables import JOBS
from sfumato.request import GenerationRequest

__all__ = ["MAX_LISTED", "JobQueue"]

_POLL_SECONDS = 0.2  # how late news from another process may be


class JobQueue(JobReader):
    """Jobs of one library. Costs nothing to make; close the library when done."""

    def __init__(
        self,
        library: Library,
        *,
        max_unfinished: int = MAX_UNFINISHED,
        max_unfinished_per_owner: int = MAX_UNFINISHED_PER_OWNER,
        min_free_bytes: int = MIN_FREE_BYTES,
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        """The queue of ``library``, with its limits."""
        super().__init__(library)
        self.lease_seconds = lease_seconds
        self._max_unfinished = max_unfinished
        self._max_per_owner = max_unfinished_per_owner
        self.min_free_bytes = min_free_bytes
        self._news = threading.Condition()
        self._listeners: list[Callable[[str, str], None]] = []

    # ------------------------------------------------------------ asking

    def submit(
        self,
        request: GenerationRequest,
        *,
        priority: int = 0,
        owner: str = "",
        idempotency_key: str | None = None,
        limit_seconds: float = DEFAULT_LIMIT_SECONDS,
        collection: str | None = None,
    ) -> Job:
        """Queue a drawing; durable when this returns.

        The request is planned here, so that what cannot be drawn is refused and never queued.
        Seeds that were left open are fixed, so that every attempt draws the same pictures.

        Args:
            request: what to draw, 1 to 64 pictures.
            priority: -100 to 100; higher is drawn earlier, equal ones in order.
            owner: whose it is: limits and idempotency keys count for each owner alone.
            idempotency_key: the same key and request again give the same job again.
            limit_seconds: after so long one attempt is stopped and the job fails.
            collection: where the library is to keep the pictures besides.

        Raises:
            RequestError: it cannot be drawn; code "queue_full" (try later), or
                "idempotency_mismatch" (the key was used for something else).
            ModelError: no such model.
            StorageError: code "disk_full": too little room for new pictures.
        """
        values = new_row(request, priority, owner, idempotency_key, limit_seconds, collection)
        self.check_room()
        job, fresh = self.database.write_together(
            lambda connection: self._insert(connection, values)
        )
        if fresh:
            self.notify()
            self._tell("submitted", job.id)
        return job

    def submit_many(
        self,
        requests: Sequence[GenerationRequest],
        *,
        priority: int = 0,
        owner: str = "",
        limit_seconds: float = DEFAULT_LIMIT_SECONDS,
        collection: str | None = None,
    ) -> list[Job]:
        """Queue several drawings that belong together: all of them or none. As ``submit``."""
        together = [
            new_row(request, priority, owner, None, limit_seconds, collection)
            for request in requests
        ]
        self.check_room()
        jobs = self.database.write_together(
            lambda connection: [self._insert(connection, values)[0] for values in together]
        )
        self.notify()
        for job in jobs:
            self._tell("submitted", job.id)
        return jobs

    def _insert(self, connection: Connection, values: dict[str, Any]) -> tuple[Job, bool]:
        """The new job, or the one that this idempotency key made before; and whether it is new."""
        self.database.one_at_a_time(connection)  # so that the limits hold exactly
        owner, key = values["owner"], values["idempotency_key"]
        row = self._known(connection, owner, key)
        if row is not None:
            if row.asked_sha256 != values["asked_sha256"]:
                raise RequestError(
                    "This idempotency key was used for another request.",
                    hint="Use a new key for each request.",
                    code="idempotency_mismatch",
                )
            return jobs_of(connection, [row])[0], False
        self._check_limits(connection, owner)
        row = connection.execute(insert(JOBS).values(**values).returning(JOBS)).one()
        record(connection, row.number, 1, "queued", {"attempt": 0, "reason": "new"})
        return job_of(row, ()), True

    def check_room(self) -> None:
        """Raises: StorageError: code "disk_full": less than 1 GiB free; "library_missing"."""
        self.library.folder.check()
        if self.library.folder.free_bytes() < self.min_free_bytes:
            raise StorageError(
                "There is too little room left for new pictures.",
                hint=f"Free some space: at least {self.min_free_bytes / 1024**3:g} GiB are kept.",
                code="disk_full",
            )

    def _known(self, connection: Connection, owner: str, key: str | None) -> Row[Any] | None:
        if key is None:
            return None
        wanted = select(JOBS).where(JOBS.c.owner == owner, JOBS.c.idempotency_key == key)
        return connection.execute(wanted).one_or_none()

    def _check_limits(self, connection: Connection, owner: str) -> None:
        for limit, whose in ((self._max_unfinished, None), (self._max_per_owner, owner)):
            counted = select(func.count()).where(JOBS.c.state.in_(("queued", "running")))
            if whose is not None:
                counted = counted.where(JOBS.c.owner == whose)
            if connection.execute(counted).scalar_one() >= limit:
                raise RequestError(
                    f"The queue is full: {limit:,} jobs are waiting"
                    f"{'' if whose is None else ' for this key'}.",
                    hint="Try again when some are drawn.",
                    code="queue_full",
                )

    # ------------------------------------------------------------ following

    def events(
        self, job_id: str, after: int = 0, *, timeout: float | None = None
    ) -> Iterator[JobEvent]:
        """Follow a job until it has ended or ``timeout`` seconds passed; blocks between events.

        To go on after a lost connection, give the ``number`` of the last event as ``after``.
        Raises: RequestError: code "no_such_job".
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        shown: Any = None
        while True:
            for event in self.read_events(job_id, after):
                if event.kind == "progress":
                    if event.data == shown:
                        continue
                    shown = event.data
                else:
                    after = event.number
                yield event
                # a retried job goes on after its end: only the newest event can be the last
                if event.last and self.get(job_id).last_event == event.number:
                    return
            if not self._wait_for_news(deadline):
                return

    def wait(self, job_id: str, timeout: float | None = None) -> Job:
        """The job once it has ended, or as it is after ``timeout`` seconds.

        Raises: RequestError: code "no_such_job".
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            job = self.get(job_id)
            if job.ended or not self._wait_for_news(deadline):
                return job

    def notify(self) -> None:
        """Something changed: whoever follows a job in this process looks again now."""
        with self._news:
            self._news.notify_all()

    def listen(self, listener: Callable[[str, str], None]) -> Callable[[], None]:
        """Have ``listener("submitted" | "cancelling", job_id)`` called in this process.

        Returns the function that ends it.
        """
        self._listeners.append(listener)

        def unlisten() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return unlisten

    def _tell(self, what: str, job_id: str) -> None:
        for listener in tuple(self._listeners):
            listener(what, job_id)

    def _wait_for_news(self, deadline: float | None) -> bool:
        """False when the deadline has passed."""
        patience = _POLL_SECONDS
        if deadline is not None:
            patience = min(patience, deadline - time.monotonic())
            if patience <= 0:
                return False
        with self._news:
            self._news.wait(patience)
        return True

    # ------------------------------------------------------------ changing one's mind

    def cancel(self, job_id: str) -> Job:
        """Stop a job: a queued one at once, a running one within its current step.

        Pictures that were finished are kept. A job that has ended is left as it is.
        Raises: RequestError: code "no_such_job".
        """
        with self.database.write() as connection:
            row = self._row(connection, job_id, lock=True)
            if row.state == "queued":
                advance(
                    connection, row, "cancelled", {}, state="cancelled", finished_at=DatabaseTime()
                )
            elif row.state == "running" and not row.cancel_requested:
                connection.execute(
                    JOBS.update().where(JOBS.c.number == row.number).values(cancel_requested=True)
                )
        self.notify()
        self._tell("cancelling", job_id)
        return self.get(job_id)

    def retry(self, job_id: str) -> Job:
        """Queue a failed or cancelled job again; pictures it has finished are not drawn again.

        Raises: RequestError: code "no_such_job", or "job_not_ended", or another version of sfumato
        queued it; StorageError: as ``submit``.
        """
        self.check_room()
        with self.database.write() as connection:
            row = self._row(connection, job_id, lock=True)
            request_from_json(row.request)
            if row.state not in ("failed", "cancelled"):
                raise RequestError(
                    f"The job is {row.state}.",
                    hint="Only failed and cancelled jobs can be tried again.",
                    code="job_not_ended",
                )
            self._check_limits(connection, row.owner)
            advance(
                connection,
                row,
                "queued",
                {"attempt": 0, "reason": "retry"},
                state="queued",
                attempt=0,
                cancel_requested=False,
                error=None,
                finished_at=None,
            )
        self.notify()
        self._tell("submitted", job_id)
        return self.get(job_id)

    def prune(self, older_than_seconds: float) -> int:
        """Forget jobs that ended so long ago; their pictures stay. Returns how many."""
        old = JOBS.c.finished_at < DatabaseTime() - older_than_seconds
        with self.database.write() as connection:
            return connection.execute(delete(JOBS).where(JOBS.c.state.in_(ENDED), old)).rowcount

    # ------------------------------------------------------------ for workers

    def claim(self, worker: str) -> Claim | None:
        """Take the next job, atomically; None when none waits.

        Raises: StorageError: code "disk_full": the queue rests until there is room.
        """
        with self.database.read() as connection:  # a cheap look: an idle worker writes nothing
            waiting = select(JOBS.c.number).where(JOBS.c.state == "queued").limit(1)
            if connection.execute(waiting).first() is None:
                return None
        self.check_room()
        while (row := claim_next(self.database, worker, self.lease_seconds)) is not None:
            claim = Claim(self, row.number, row.fence, self.get(row.id))
            self.notify()
            if claim.job.readable or claim.job.error is None:
                return claim
            with suppress(LeaseLost):
                claim.failed(claim.job.error)
            self.notify()
        return None

    def reap(self) -> int:
        """Queue jobs again whose workers have gone silent; returns how many were touched."""
        return self._after(reap(self.database, self.lease_seconds))

    def abandon(self, worker: str, reason: str, *, counts: bool = True) -> int:
        """Queue the jobs of a worker again that is known to be dead; returns how many.

        The attempt does not count where the worker was ended on purpose: ``counts=False``.
        """
        return self._after(abandon(self.database, worker, reason, counts=counts))

    def _after(self, touched: int) -> int:
        if touched:
            self.notify()
            self._tell("submitted", "")
        return touched
