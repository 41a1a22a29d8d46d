"""What listeners are told, while a claim moves a job along by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from anyio import to_thread

from sfumato.errors import RequestError
from sfumato.gallery import Library
from sfumato.jobs import Job, JobQueue
from sfumato.jobs.job import JobError, Progress
from sfumato.request import GenerationRequest
from sfumato.server import follow
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


def test_a_look_costs_the_same_however_many_wait(
    queue: JobQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "_WATCHED", 10)
    looks: list[int] = []  # jobs of the window, then those that are asked for besides
    jobs, get_many = queue.jobs, queue.get_many

    def counted(**asked: Any) -> Any:
        if asked["states"] == ("running",):
            looks.append(0)
        found = jobs(**asked)
        looks[-1] += len(found[0])
        return found

    def counted_others(ids: Sequence[str]) -> list[Job]:
        looks[-1] += len(ids)
        return get_many(ids)

    async def act(upcoming: Callable[[], Awaitable[News]]) -> None:
        for _ in range(3):
            newest = ""
            for _ in range(9):
                newest = (await to_thread.run_sync(partial(submit, queue))).id
            while (await upcoming())[1].get("id") != newest:
                pass
        monkeypatch.setattr(queue, "jobs", counted)
        monkeypatch.setattr(queue, "get_many", counted_others)
        monkeypatch.setattr(queue, "get", None)  # one by one would be as many looks as jobs
        last = await to_thread.run_sync(partial(submit, queue))
        while (await upcoming())[1].get("id") != last.id:
            pass
        while len(looks) < 4:
            await asyncio.sleep(0.01)

    watch(queue, act)
    assert max(looks[2:]) <= 11


def test_a_job_that_begins_and_ends_between_two_looks_is_told_of(queue: JobQueue) -> None:
    waiting = submit(queue)

    async def act(upcoming: Callable[[], Awaitable[News]]) -> None:
        assert (await upcoming())[1]["id"] == waiting.id
        quick = queue.cancel(submit(queue).id).id
        while (await upcoming())[1].get("id") != quick:
            pass
        last = queue.cancel(submit(queue).id).id  # the first of the two is not told once more
        assert (await upcoming())[1]["id"] == last

    watch(queue, act)


def test_a_job_that_waited_long_is_told_of_when_it_begins_and_ends(
    queue: JobQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "_WATCHED", 10)
    first = submit(queue)

    async def act(upcoming: Callable[[], Awaitable[News]]) -> None:
        newest = ""
        for _ in range(25):
            newest = submit(queue).id
        while (await upcoming())[1].get("id") != newest:
            pass
        claim = queue.claim("worker")
        assert claim is not None
        assert claim.job.id == first.id
        while (await upcoming())[1].get("state") != "running":
            pass
        claim.failed(JobError(code="internal", message="Broken."))
        while (await upcoming())[1].get("state") != "failed":
            pass

    assert watch(queue, act)[-1][1]["id"] == first.id


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


def test_who_comes_as_the_server_ends_is_not_left_waiting(queue: JobQueue) -> None:
    submit(queue)

    async def listen() -> list[News]:
        follower = Follower(queue, job_out(queue))
        follower.end_streams()
        async with aclosing(follower.listen()) as news:
            return [one async for one in news]

    assert asyncio.run(asyncio.wait_for(listen(), SECONDS)) == []


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
