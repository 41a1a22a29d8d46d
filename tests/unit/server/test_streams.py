"""OpenAI's streams: what a client is sent while a drawing is moved along by hand."""

from __future__ import annotations

import asyncio
import io
import json
import threading
import time
from typing import Any

import pytest
from PIL import Image
from starlette.requests import Request
from starlette.testclient import TestClient

from sfumato.gallery.identity import derived_id
from sfumato.generate import generate
from sfumato.jobs import Job, JobQueue, Progress
from sfumato.request import GenerationRequest
from sfumato.server.drawing import news_of

SECONDS = 30  # a guard against hanging


def queue_of(client: TestClient) -> JobQueue:
    """The queue behind a client."""
    found: JobQueue = client.app.state.server.queue
    return found


def draw_next(queue: JobQueue, shown_steps: tuple[int, ...]) -> None:
    """What a worker does with the next job, showing how far it is at these steps."""
    until = time.monotonic() + SECONDS
    while (claim := queue.claim("w")) is None and time.monotonic() < until:
        time.sleep(0.02)
    assert claim is not None
    job = claim.job
    buffer = io.BytesIO()
    Image.new("RGBA", (16, 16), "red").save(buffer, "PNG")
    for step in shown_steps:
        queue.library.folder.write_cache(queue.library.folder.preview(job.id, 0), buffer.getvalue())
        claim.pulse(
            Progress(fraction=step / 10, stage="drawing", steps=((step, 10),), previews=(step,))
        )
        time.sleep(0.5)  # the stream looks several times as often
    image = generate(job.request).images[0]
    identity = derived_id(job.id, 0)
    claim.store(queue.library.prepare(image, identity, job=(job.id, 0)), 0)
    claim.done()


def events_of(text: str) -> list[dict[str, Any]]:
    """The data of every event."""
    return [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]


@pytest.mark.parametrize(("asked", "sent"), [(0, 0), (1, 1), (3, 2)])
def test_as_many_partial_pictures_are_sent_as_were_asked_for_and_made(
    client: TestClient, asked: int, sent: int
) -> None:
    worker = threading.Thread(target=draw_next, args=(queue_of(client), (2, 5)))
    worker.start()
    body = {
        "prompt": "an owl", "model": "fake", "size": "32x32", "stream": True,
        "partial_images": asked,
    }  # fmt: skip
    events = events_of(client.post("/v1/images/generations", json=body).text)
    worker.join(SECONDS)
    kinds = [event["type"].rpartition(".")[2] for event in events]
    assert kinds == ["partial_image"] * sent + ["completed"]
    assert [event["partial_image_index"] for event in events[:-1]] == list(range(sent))


@pytest.mark.parametrize(("keep", "state"), [(True, "queued"), (False, "cancelled")])
def test_a_stream_that_is_left_takes_its_job_along_unless_it_has_a_key(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, keep: bool, state: str
) -> None:
    queue = queue_of(client)
    job = queue.submit(GenerationRequest(prompt="a fox", model="fake", width=32, height=32))
    request = Request({"type": "http", "app": client.app})
    cancel, told_by = queue.cancel, []

    def cancelling(job_id: str) -> Job:
        told_by.append(threading.current_thread())
        return cancel(job_id)

    monkeypatch.setattr(queue, "cancel", cancelling)

    async def leave() -> None:
        news = news_of(request, job, keep=keep)
        await asyncio.wait_for(anext(news), SECONDS)
        await news.aclose()
        await client.app.state.server.follower.close()

    asyncio.run(leave())
    assert queue.get(job.id).state == state
    # a database that is busy keeps nobody else waiting
    assert threading.current_thread() not in told_by
