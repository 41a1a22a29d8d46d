"""Looking: everything the queue answers without changing anything."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, func, select

from sfumato.errors import RequestError
from sfumato.gallery import Library
from sfumato.gallery.identity import is_id
from sfumato.gallery.picture import check_cursor
from sfumato.gallery.tables import DatabaseTime
from sfumato.jobs.job import STATES, Job, JobEvent, JobState
from sfumato.jobs.rows import jobs_of, moment_of
from sfumato.jobs.tables import EVENTS, JOBS

MAX_LISTED = 500


class JobReader:
    """The half of a queue that only reads."""

    def __init__(self, library: Library) -> None:
        """Use ``JobQueue``."""
        self.library = library
        self.database = library.database

    def get(self, job_id: str) -> Job:
        """One job.

        Raises: RequestError: code "no_such_job".
        """
        with self.database.read() as connection:
            row = self._row(connection, job_id)
            return jobs_of(connection, [row])[0]

    def get_many(self, job_ids: Sequence[str]) -> list[Job]:
        """Jobs by their ids, in any order; those that are forgotten are left out."""
        found: list[Job] = []
        with self.database.read() as connection:
            for start in range(0, len(job_ids), MAX_LISTED):
                some = JOBS.c.id.in_(job_ids[start : start + MAX_LISTED])
                found += jobs_of(connection, connection.execute(select(JOBS).where(some)).all())
        return found

    def jobs(
        self,
        *,
        states: Sequence[JobState] = STATES,
        owner: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> tuple[list[Job], str | None]:
        """Jobs, newest first, and the cursor of those that follow (None: no more).

        Raises: RequestError: a limit, state or cursor that cannot be.
        """
        if not 1 <= limit <= MAX_LISTED:
            raise RequestError(
                f"The list's length is {limit}.", hint=f"Give a number from 1 to {MAX_LISTED}."
            )
        for state in states:
            if state not in STATES:
                raise RequestError(
                    f"There is no state {state!r}.", hint=f"Choose from: {', '.join(STATES)}."
                )
        wanted = select(JOBS).order_by(JOBS.c.id.desc()).limit(limit + 1)
        if len(set(states)) < len(STATES):
            wanted = wanted.where(JOBS.c.state.in_(states))
        if owner is not None:
            wanted = wanted.where(JOBS.c.owner == owner)
        if cursor is not None:
            wanted = wanted.where(JOBS.c.id < check_cursor(cursor))
        with self.database.read() as connection:
            rows = connection.execute(wanted).all()
            jobs = jobs_of(connection, rows[:limit])
        return jobs, jobs[-1].id if len(rows) > limit else None

    def counts(self) -> dict[JobState, int]:
        """How many jobs are in each state."""
        counted = select(JOBS.c.state, func.count()).group_by(JOBS.c.state)
        with self.database.read() as connection:
            found = {row[0]: row[1] for row in connection.execute(counted)}
        return {state: found.get(state, 0) for state in STATES}

    def position(self, job_id: str) -> int | None:
        """How many jobs will be begun before this one; None when it is not queued.

        Raises: RequestError: code "no_such_job".
        """
        with self.database.read() as connection:
            row = self._row(connection, job_id)
            if row.state != "queued":
                return None
            return self._ahead(connection, row.priority, row.number)

    def positions(self, jobs: Sequence[Job]) -> dict[str, int]:
        """The same of every queued one of these jobs, by id; a few looks for a whole list."""
        asked = [job.id for job in jobs if job.state == "queued"]
        if not asked:
            return {}
        found: dict[str, int] = {}
        # the state is looked at here: asked for it too, SQLite reads the queue instead of the ids
        places = select(JOBS.c.number, JOBS.c.priority, JOBS.c.state).where(JOBS.c.id.in_(asked))
        with self.database.read() as connection:
            by_priority: dict[int, list[int]] = {}
            for row in connection.execute(places):
                if row.state == "queued":
                    by_priority.setdefault(row.priority, []).append(row.number)
            for priority, numbers in by_priority.items():
                first, last = min(numbers), max(numbers)
                # neighbours in a list are neighbours in the queue: hardly more rows than jobs
                between = select(JOBS.c.id).where(
                    JOBS.c.number.between(first, last),
                    JOBS.c.state == "queued",
                    JOBS.c.priority == priority,
                )
                ahead = self._ahead(connection, priority, first)
                listed = connection.execute(between.order_by(JOBS.c.number)).scalars()
                found.update((job, ahead + at) for at, job in enumerate(listed))
        return found

    @staticmethod
    def _ahead(connection: Connection, priority: int, number: int) -> int:
        """How many jobs are begun before the one of this number; each count reads an index."""
        queued = select(func.count()).where(JOBS.c.state == "queued")
        more_urgent = queued.where(JOBS.c.priority > priority)
        earlier = queued.where(JOBS.c.priority == priority, JOBS.c.number < number)
        return sum(connection.execute(count).scalar_one() for count in (more_urgent, earlier))

    def preview(self, job_id: str, index: int) -> bytes | None:
        """The newest preview of a picture in the making, PNG; None when there is none (yet)."""
        if not is_id(job_id):
            return None
        try:
            return self.library.folder.preview(job_id, index).read_bytes()
        except FileNotFoundError:
            return None

    def read_events(self, job_id: str, after: int = 0) -> list[JobEvent]:
        """Kept events numbered above ``after``, and the progress of a running job; at once.

        Raises: RequestError: code "no_such_job".
        """
        with self.database.read() as connection:
            row = self._row(connection, job_id)
            events = [
                JobEvent(
                    job_id=job_id,
                    number=event.number,
                    kind=event.kind,
                    at=moment_of(event.at),
                    data=json.loads(event.data),
                )
                for event in connection.execute(
                    select(EVENTS)
                    .where(EVENTS.c.job == row.number, EVENTS.c.number > after)
                    .order_by(EVENTS.c.number)
                )
            ]
            now = connection.execute(select(DatabaseTime())).scalar_one()
        if row.state == "running" and row.progress is not None:
            events.append(
                JobEvent(
                    job_id=job_id,
                    number=row.last_event,
                    kind="progress",
                    at=moment_of(now),
                    data=json.loads(row.progress),
                )
            )
        return events

    def workers(self) -> dict[str, str]:
        """Who holds a running job: worker to job."""
        wanted = select(JOBS.c.worker, JOBS.c.id).where(JOBS.c.state == "running")
        with self.database.read() as connection:
            return {row.worker: row.id for row in connection.execute(wanted)}

    @staticmethod
    def _row(connection: Connection, job_id: str, *, lock: bool = False) -> Row[Any]:
        wanted = select(JOBS).where(JOBS.c.id == job_id)
        row = connection.execute(wanted.with_for_update() if lock else wanted).one_or_none()
        if row is None:
            raise RequestError(
                f"There is no job called {job_id[:40]!r}.",
                hint="It may be so old that it was forgotten.",
                code="no_such_job",
            )
        return row
