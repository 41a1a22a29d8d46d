"""For dialects whose clients wait for the picture: queue a drawing and follow it to its end."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable
from contextlib import aclosing, suppress
from functools import partial
from typing import TypeVar

from anyio import to_thread
from starlette.requests import Request

from sfumato.errors import SfumatoError
from sfumato.gallery import Picture
from sfumato.jobs import Job, JobQueue
from sfumato.request import GenerationRequest
from sfumato.server.follow import News
from sfumato.server.problems import Problem
from sfumato.server.state import DRAIN_SECONDS, owner_of, server_of

T = TypeVar("T")
_log = logging.getLogger("sfumato.server")
_PATIENCE = 0.5  # seconds: a thread that waits cannot be told that nobody waits for it any more


async def submit(request: Request, asked: GenerationRequest, key: str | None = None) -> Job:
    """Queue a drawing for whoever sent ``request``; ``key`` is its Idempotency-Key."""
    server = server_of(request)
    server.check_open()
    return await to_thread.run_sync(
        partial(server.queue.submit, asked, owner=owner_of(request), idempotency_key=key)
    )


async def finish(request: Request, job: Job, *, keep: bool = False) -> Job:
    """Wait until a job has ended, and return it.

    A client that leaves takes its job along, unless ``keep``: it may come back for it.
    """
    queue = server_of(request).queue
    waiting = asyncio.ensure_future(_wait(request, job.id))
    leaving = asyncio.ensure_future(_leave(request))
    try:
        await asyncio.wait({waiting, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done() and not keep:
            await to_thread.run_sync(queue.cancel, job.id)
        return await waiting
    finally:
        leaving.cancel()
        waiting.cancel()
        await _settle(leaving)


async def news_of(request: Request, job: Job, *, keep: bool = False) -> AsyncGenerator[News, None]:
    """What happens to a job until its end.

    A client that leaves takes it along, unless ``keep``: it may come back for it.
    """
    server = server_of(request)
    try:
        async with aclosing(server.follower.listen(job.id)) as news:
            async for one in news:
                yield one
    except (asyncio.CancelledError, GeneratorExit):
        if not keep:
            # in a thread that nobody is left to wait for: the database may be busy for seconds
            asyncio.get_running_loop().run_in_executor(None, _cancel, server.queue, job.id)
        raise


async def pictures_of(request: Request, job: Job, *, partly: bool = False) -> list[Picture]:
    """The pictures of a job that has ended; ``partly``: also of one that was cancelled.

    Raises: SfumatoError: what the job failed of; Problem: it was cancelled, or the server ends.
    """
    if job.error is not None:
        raise SfumatoError(job.error.message, hint=job.error.hint, code=job.error.code)
    if job.state == "cancelled" and not (partly and job.pictures):
        raise Problem("job_cancelled", "The drawing was stopped.")
    if not job.ended:
        raise Problem("draining", "The server is ending.", hint="Try again in a minute.")
    return await to_thread.run_sync(server_of(request).library.get_many, job.pictures)


async def _wait(request: Request, job_id: str) -> Job:
    server = server_of(request)
    async with aclosing(server.follower.listen(job_id)) as news:
        async for _ in news:
            pass
    job = await to_thread.run_sync(server.queue.get, job_id)
    # where the server is ending, a running drawing is still finished
    deadline = time.monotonic() + DRAIN_SECONDS
    while not job.ended and time.monotonic() < deadline:
        job = await to_thread.run_sync(server.queue.wait, job_id, _PATIENCE)
    return job


def _cancel(queue: JobQueue, job_id: str) -> None:
    try:
        queue.cancel(job_id)
    except SfumatoError as error:
        _log.warning("a client has left its drawing, which goes on: %s", error.one_line())


async def _leave(request: Request) -> None:
    """Returns when the client is gone; its body has been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _settle(task: Awaitable[T]) -> None:
    with suppress(asyncio.CancelledError):
        await task
