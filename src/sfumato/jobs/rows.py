"""Rows of the queue as jobs. What another version wrote is shown as far as it can be read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from sqlalchemy import Connection, Row, select

from sfumato.errors import RequestError
from sfumato.gallery.reader import chunks
from sfumato.gallery.tables import PICTURES
from sfumato.jobs.job import ENDED, Job, JobError, Progress, request_from_json
from sfumato.request import GenerationRequest


def jobs_of(connection: Connection, rows: Sequence[Row[Any]]) -> list[Job]:
    """Rows with the ids of their pictures; one question for some hundred of them."""
    pictures: dict[str, list[str]] = {}
    for ids in chunks([row.id for row in rows]):
        drawn = (
            select(PICTURES.c.id, PICTURES.c.job_id)
            .where(PICTURES.c.job_id.in_(ids))
            .order_by(PICTURES.c.job_id, PICTURES.c.job_index)
        )
        for picture in connection.execute(drawn):
            pictures.setdefault(picture.job_id, []).append(picture.id)
    return [job_of(row, pictures.get(row.id, [])) for row in rows]


def job_of(row: Row[Any], pictures: Sequence[str]) -> Job:
    """One row, whose pictures are known."""
    running = row.state == "running" and row.progress is not None
    state, error = row.state, None if row.error is None else JobError.from_json(row.error)
    readable = True
    try:
        request = request_from_json(row.request)
    except RequestError as unreadable:  # of another version: no reason to show none of the others
        request, readable = _shown_of(row.request, row.num_images), False
        if state not in ENDED:  # the next worker says so for good
            state, error = "failed", JobError.of(unreadable)
    return Job(
        id=row.id,
        state=state,
        request=request,
        readable=readable,
        priority=row.priority,
        owner=row.owner,
        attempt=row.attempt,
        limit_seconds=row.limit_seconds,
        collection=row.collection,
        cancel_requested=bool(row.cancel_requested),
        progress=Progress.from_json(row.progress) if running else None,
        error=error,
        pictures=tuple(pictures),
        created_at=moment_of(row.created_at),
        started_at=None if row.started_at is None else moment_of(row.started_at),
        finished_at=None if row.finished_at is None else moment_of(row.finished_at),
        worker=row.worker,
        last_event=row.last_event,
    )


def moment_of(seconds: float) -> datetime:
    """What the database's clock said, as UTC."""
    return datetime.fromtimestamp(seconds, timezone.utc)


def _shown_of(text: str, num_images: int) -> GenerationRequest:
    """What can be shown of a request that cannot be read."""
    try:
        return GenerationRequest(prompt=json.loads(text)["prompt"], num_images=num_images)
    except (RequestError, KeyError, TypeError, ValueError):
        return GenerationRequest(prompt="?", num_images=num_images)
