"""News of jobs for many listeners: one look at the queue, as often as needed, for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from typing import Any

from anyio import to_thread

from sfumato.errors import SfumatoError
from sfumato.jobs import Job, JobQueue

_PATIENCE = 0.15  # seconds between two looks while somebody listens
_MOST_WAITING = 1000  # events a slow listener may lag behind before it is cut off
_WATCHED = 100  # waiting jobs that are followed at once, the newest; running ones always are
_SLACK = timedelta(seconds=5)  # between the database's clock and this one
_MISSED = 50  # ended jobs that who comes back may be told of

News = tuple[str, dict[str, Any]]  # an event's name and data


class Follower:
    """Compares jobs with how they were and tells its listeners what changed."""

    def __init__(self, queue: JobQueue, describe: Callable[[Job], dict[str, Any]]) -> None:
        """``describe`` makes the ``job`` event's data of a job; it may read the database."""
        self._queue = queue
        self._describe = describe
        self._listeners: dict[asyncio.Queue[News | None], str | None] = {}
        self._known: dict[str, Job] = {}
        self._ended: set[str] | None = None  # just now, as far as anybody has looked
        self._task: asyncio.Task[None] | None = None
        self._ending = False

    async def listen(
        self, job_id: str | None = None, since: datetime | None = None
    ) -> AsyncGenerator[News, None]:
        """News of one job until it has ended, or of all jobs for as long as one listens.

        The first events say how things are, so that who comes back has missed nothing; ``since``
        is when a listener to all jobs was cut off: jobs that ended after it are told too.

        Raises: RequestError: no such job.
        """
        waiting: asyncio.Queue[News | None] = asyncio.Queue(_MOST_WAITING)
        self._listeners[waiting] = job_id  # before looking: what happens meanwhile is not missed
        try:
            if self._ending:  # it was let in just before: nobody would end it
                return
            if self._ended is None:
                await to_thread.run_sync(self._just_ended)
            for job, news in await to_thread.run_sync(self._present, job_id, since):
                for one in news:
                    yield one
                if job_id is not None and job.ended:
                    return
                if not job.ended:
                    self._known.setdefault(job.id, job)
            if self._task is None or self._task.done():
                self._task = asyncio.create_task(self._look())
            while (told := await waiting.get()) is not None:
                yield told
        finally:
            self._listeners.pop(waiting, None)

    def end_streams(self) -> None:
        """Let every listener finish, and who comes later too; from the loop's own thread."""
        self._ending = True
        for waiting in tuple(self._listeners):
            _put(waiting, None)

    async def close(self) -> None:
        """End every stream, and the looking."""
        self.end_streams()
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    # ------------------------------------------------------------ looking, in a thread

    def _present(self, job_id: str | None, since: datetime | None) -> list[tuple[Job, list[News]]]:
        if job_id is not None:
            jobs = [self._queue.get(job_id)]
        else:
            jobs = self._unfinished()
            if since is not None:
                jobs = [*self._ended_after(since), *jobs]
        return [(job, self._all_of(job)) for job in jobs]

    def _unfinished(self) -> list[Job]:
        """Running jobs and the newest waiting ones, oldest first."""
        running, _ = self._queue.jobs(states=("running",), limit=_WATCHED)
        waiting, _ = self._queue.jobs(states=("queued",), limit=_WATCHED)
        return [*reversed(running), *reversed(waiting)]

    def _ended_after(self, since: datetime) -> list[Job]:
        ended, _ = self._queue.jobs(states=("done", "failed", "cancelled"), limit=_MISSED)
        after = min(since, datetime.now(timezone.utc)) - _SLACK
        return [job for job in reversed(ended) if job.finished_at and job.finished_at > after]

    def _just_ended(self) -> list[Job]:
        """Jobs that ended since the last look: one may begin and end between two of them."""
        ended = self._ended_after(datetime.now(timezone.utc))
        before, self._ended = self._ended, {job.id for job in ended}
        return [] if before is None else [job for job in ended if job.id not in before]

    def _changed(self) -> tuple[list[tuple[Job, list[News]]], set[str]]:
        """What is new of every job that somebody may be told of, and whom to follow no more."""
        jobs = self._unfinished()
        followed = {job.id for job in jobs}
        followed |= {job_id for job_id in tuple(self._listeners.values()) if job_id is not None}
        known = {*self._known}
        others = (known | followed) - {job.id for job in jobs}
        jobs = [*self._queue.get_many(sorted(others)), *jobs]
        seen = {job.id for job in jobs}
        jobs += [job for job in self._just_ended() if job.id not in seen]
        found = []
        for job in jobs:
            before = self._known.get(job.id)
            found.append((job, self._all_of(job) if before is None else self._news(before, job)))
        followed -= {job.id for job in jobs if job.ended}
        return found, (known | {job.id for job in jobs}) - followed

    def _news(self, before: Job, job: Job) -> list[News]:
        news = [_picture(job, index) for index in range(len(before.pictures), len(job.pictures))]
        if before.progress != job.progress and job.progress is not None:
            news.append(("progress", progress_of(job)))
        if (before.state, before.attempt) != (job.state, job.attempt):
            news.append(("job", self._describe(job)))
        return news

    def _all_of(self, job: Job) -> list[News]:
        news: list[News] = [("job", self._describe(job))]
        news += [_picture(job, index) for index in range(len(job.pictures))]
        if job.progress is not None and not job.ended:
            news.append(("progress", progress_of(job)))
        return news

    # ------------------------------------------------------------ telling, in the loop

    async def _look(self) -> None:
        while self._listeners:
            with suppress(SfumatoError):  # busy, or its disk is gone for a while: look again
                changed, left = await to_thread.run_sync(self._changed)
                for job, news in changed:
                    self._tell(job, news)
                    self._known[job.id] = job
                for job_id in left:  # it has ended, or newer ones wait
                    self._known.pop(job_id, None)
            await asyncio.sleep(_PATIENCE)
        self._known.clear()
        self._ended = None

    def _tell(self, job: Job, news: list[News]) -> None:
        for waiting, wanted in tuple(self._listeners.items()):
            if wanted is None or wanted == job.id:
                for one in news:
                    _put(waiting, one)
            if wanted == job.id and job.ended:
                _put(waiting, None)


def progress_of(job: Job) -> dict[str, Any]:
    """How far a job is: over all, and of the picture that is being drawn."""
    base: dict[str, Any] = {"job": job.id, "fraction": 0.0, "stage": "waiting", "images": []}
    if job.progress is None:
        if job.state == "done":
            base.update(fraction=1.0, stage="done")
        return {**base, "image": 0, "step": 0, "total": 0, "preview": None}
    steps = job.progress.steps
    drawing = next((i for i, (done, total) in enumerate(steps) if done < total or not total), 0)
    done, total = steps[drawing] if steps else (0, 0)
    shown = job.progress.previews
    previews = [
        f"/api/v1/jobs/{job.id}/preview/{index}?step={step}" if step else None
        for index, step in enumerate(shown)
    ]
    return {
        "job": job.id,
        "fraction": round(job.progress.fraction, 4),
        "stage": job.progress.stage,
        "image": drawing,
        "step": done,
        "total": total,
        "preview": previews[drawing] if drawing < len(previews) else None,
        "images": [
            {"step": step, "total": whole, "preview": preview}
            for (step, whole), preview in zip(steps, previews, strict=True)
        ],
    }


def _picture(job: Job, index: int) -> News:
    return "picture", {"job": job.id, "index": index, "picture": job.pictures[index]}


def _put(waiting: asyncio.Queue[News | None], news: News | None) -> None:
    try:
        waiting.put_nowait(news)
    except asyncio.QueueFull:  # it stopped reading long ago: better no stream than an old one
        while not waiting.empty():
            waiting.get_nowait()
        waiting.put_nowait(None)
