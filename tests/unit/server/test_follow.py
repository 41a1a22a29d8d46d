"""What listeners are told, while a claim moves a job along by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sfumato.errors import RequestError
from sfumato.gallery import Library
from sfumato.jobs import Job, JobQueue
from sfumato.jobs.job import JobError, Progress
from sfumato.request import GenerationRequest
from sfumato.server.follow import Follower, News
from sfumato.server.schemas.native import job_out

SECONDS = 30  # a guard against hanging


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[JobQueue]:
    """An empty queue."""
    with Library.open(tmp_path / "library") as library:
        yield JobQueue(library)


def submit(queue: JobQueue, **options: Any) -> Job:
    """A small drawing, queued."""
    asked = GenerationRequest(prompt="a fox", model="fake", width=32, height=32, **options)
    return queue.submit(asked)


def watch(
    queue: JobQueue, act: Callable[[Callable[[], Awaitable[News]]], Awaitable[None]], **asked: Any
) -> list[News]:
    """Listen, have ``act(next_news)`` change things meanwhile, and return all that was told."""

    async def listen() -> list[News]:
        follower = Follower(queue, job_out(queue))
        told: list[News] = []
        async with aclosing(follower.listen(**asked)) as news:

            async def upcoming() -> News:
                told.append(await asyncio.wait_for(anext(news), SECONDS))
                return told[-1]

            await act(upcoming)
        await follower.close()
        return told

    return asyncio.run(listen())


def test_one_job_is_followed_to_its_end(queue: JobQueue) -> None:
    job = submit(queue)

    async def act(upcoming: Callable[[], Awaitable[News]]) -> None:
        assert (await upcoming())[1]["state"] == "queued"
        claim = queue.claim("worker")
        assert claim is not None
        claim.pulse(Progress(fraction=0.5, stage="drawing", steps=((2, 4),), previews=(2,)))
        while (await upcoming())[0] != "progress":
            pass
        claim.failed(JobError(code="internal", message="Broken."))
        while (await upcoming())[1].get("state") != "failed":
            pass
        with pytest.raises(StopAsyncIteration):
            await upcoming()

    told = watch(queue, act, job_id=job.id)
    progress = next(data for name, data in told if name == "progress" and data["fraction"])
    assert (progress["fraction"], progress["step"], progress["total"]) == (0.5, 2, 4)
    assert progress["preview"].startswith(f"/api/v1/jobs/{job.id}/preview/0")
    assert told[-1][1]["error"]["message"] == "Broken."


def test_a_running_job_is_followed_behind_any_number_of_waiting_ones(queue: JobQueue) -> None:
    first = submit(queue)
    claim = queue.claim("worker")
    assert claim is not None
    for _ in range(130):
        submit(queue)

    async def act(upcoming: Callable[[], Awaitable[News]]) -> None:
        assert (await upcoming())[1]["id"] == first.id
        claim.failed(JobError(code="internal", message="Broken."))
        while True:
            _, data = await upcoming()
            if data.get("id") == first.id and data["state"] == "failed":
                return

    watch(queue, act)


def test_who_comes_back_is_told_what_ended_meanwhile(queue: JobQueue) -> None:
    old, new = submit(queue), submit(queue)
    for job in (old, new):
        queue.cancel(job.id)
    ended = queue.get(new.id).finished_at
    assert ended is not None

    async def act(upcoming: Callable[[], Awaitable[News]]) -> None:
        assert {(await upcoming())[1]["id"] for _ in range(2)} == {old.id, new.id}

    watch(queue, act, since=ended - timedelta(seconds=1))


def test_an_unknown_job_is_an_error(queue: JobQueue) -> None:
    async def act(upcoming: Callable[[], Awaitable[News]]) -> None:
        with pytest.raises(RequestError, match="There is no job"):
            await upcoming()

    watch(queue, act, job_id="none")


def test_streams_end_when_they_are_told_to(queue: JobQueue) -> None:
    submit(queue)

    async def listen() -> int:
        follower = Follower(queue, job_out(queue))
        count = 0
        async with aclosing(follower.listen()) as news:
            async for _ in news:
                count += 1
                follower.end_streams()
        await follower.close()
        return count

    assert asyncio.run(asyncio.wait_for(listen(), SECONDS)) == 1
