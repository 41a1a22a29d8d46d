"""Native API: queue drawings and follow them."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import datetime, timezone
from typing import Annotated, Any, get_args

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse
from starlette.responses import JSONResponse, Response

from sfumato.errors import RequestError
from sfumato.jobs import JobState
from sfumato.server.bodies import StrictRoute
from sfumato.server.problems import Problem
from sfumato.server.schemas.native import DrawIn, job_out
from sfumato.server.state import owner_of, server_of

router = APIRouter(prefix="/api/v1", tags=["Jobs"], route_class=StrictRoute)

KEEP_ALIVE_SECONDS = 15.0
_STATES: tuple[JobState, ...] = get_args(JobState)


@router.post("/jobs", status_code=202, summary="Queue a drawing")
def submit(
    body: DrawIn,
    request: Request,
    idempotency_key: Annotated[str | None, Header(max_length=255)] = None,
) -> dict[str, Any]:
    """Durable when it answers. The same Idempotency-Key and body again give the same job."""
    server = server_of(request)
    server.check_open()
    job = server.queue.submit(
        body.request(),
        priority=body.priority,
        owner=owner_of(request),
        idempotency_key=idempotency_key,
        collection=body.collection,
    )
    return {"job": job_out(server.queue)(job)}


@router.get("/jobs", summary="Jobs, newest first", response_model=dict[str, Any])
def list_jobs(
    request: Request,
    state: Annotated[list[str] | None, Query(max_length=5)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=64)] = None,
) -> Response:
    """A page of jobs, the cursor of the next one, and how many there are of each state."""
    queue = server_of(request).queue
    wanted = [known for known in _STATES if state is None or known in state]
    if state is not None and set(state) - set(_STATES):
        raise RequestError("There is no such state.", hint=f"Choose from: {', '.join(_STATES)}.")
    jobs, following = queue.jobs(states=wanted, limit=limit, cursor=cursor)
    describe = job_out(queue, queue.positions(jobs))
    listed = [describe(job) for job in jobs]
    # answered as it is: the framework would walk through every value of every job once more
    return JSONResponse({"jobs": listed, "next": following, "counts": queue.counts()})


@router.get("/jobs/{job_id}", summary="One job")
def get_job(job_id: str, request: Request) -> dict[str, Any]:
    """Its state, progress, pictures and error."""
    queue = server_of(request).queue
    return {"job": job_out(queue)(queue.get(job_id))}


@router.post("/jobs/{job_id}/cancel", summary="Stop a job")
def cancel(job_id: str, request: Request) -> dict[str, Any]:
    """A queued job at once, a running one within its step; finished pictures are kept."""
    queue = server_of(request).queue
    return {"job": job_out(queue)(queue.cancel(job_id))}


@router.post("/jobs/{job_id}/retry", status_code=202, summary="Try a failed or cancelled job again")
def retry(job_id: str, request: Request) -> dict[str, Any]:
    """Pictures that it had finished are not drawn again."""
    queue = server_of(request).queue
    return {"job": job_out(queue)(queue.retry(job_id))}


@router.get("/jobs/{job_id}/preview/{index}", summary="A picture in the making")
def preview(job_id: str, index: int, request: Request) -> Response:
    """The newest preview, PNG; 404 when there is none yet."""
    data = server_of(request).queue.preview(job_id, index) if 0 <= index < 64 else None
    if data is None:
        raise Problem("not_found", "There is no preview of this picture (yet).")
    return Response(data, media_type="image/png", headers={"Cache-Control": "no-store"})


@router.get("/jobs/{job_id}/events", summary="Follow one job (server-sent events)")
async def follow_job(job_id: str, request: Request) -> StreamingResponse:
    """Events ``job``, ``progress`` and ``picture``; ends when the job has ended."""
    from anyio import to_thread

    await to_thread.run_sync(server_of(request).queue.get, job_id)  # 404 before the stream begins
    return _stream(request, job_id)


@router.get("/events", summary="Follow every job (server-sent events)")
async def follow_all(request: Request) -> StreamingResponse:
    """The same events of all jobs, for as long as the client listens."""
    return _stream(request, None)


def _stream(request: Request, job_id: str | None) -> StreamingResponse:
    server_of(request).check_open()
    return StreamingResponse(
        _events(request, job_id),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _events(request: Request, job_id: str | None) -> AsyncIterator[str]:
    """Ids are milliseconds since 1970: who comes back says when the line was cut."""
    since = _moment(request.headers.get("last-event-id", ""))
    news = server_of(request).follower.listen(job_id, since)
    yield "retry: 1000\n\n"
    upcoming = asyncio.ensure_future(anext(news, None))
    try:
        while True:
            done, _ = await asyncio.wait({upcoming}, timeout=KEEP_ALIVE_SECONDS)
            if not done:
                yield ": still here\n\n"
                continue
            found = upcoming.result()
            if found is None:
                return
            name, data = found
            text = json.dumps(data, ensure_ascii=False)
            yield f"id: {int(time.time() * 1000)}\nevent: {name}\ndata: {text}\n\n"
            upcoming = asyncio.ensure_future(anext(news, None))
    finally:
        upcoming.cancel()
        with suppress(asyncio.CancelledError):
            await upcoming
        await news.aclose()


def _moment(event_id: str) -> datetime | None:
    if not (event_id.isascii() and event_id.isdigit() and len(event_id) < 15):
        return None
    return datetime.fromtimestamp(int(event_id) / 1000, timezone.utc)
