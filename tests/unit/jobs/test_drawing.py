"""One job being drawn: how it ends, whatever happens on the way."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from sfumato.backends import fake
from sfumato.errors import BackendError, StorageError
from sfumato.gallery.identity import derived_id
from sfumato.generate import generate
from sfumato.jobs import Job, JobQueue, drawing
from sfumato.jobs.drawing import Drawing
from sfumato.request import GenerationRequest

Ask = Callable[..., GenerationRequest]


def never_leave() -> None:
    raise AssertionError("the process should have stayed")


def begin(queue: JobQueue, leave: Callable[[], None] = never_leave) -> Drawing:
    claim = queue.claim("w")
    assert claim is not None
    return Drawing(queue, claim, previews=True, leave=leave)


def run(queue: JobQueue, request: GenerationRequest, **options: Any) -> tuple[Job, str]:
    job = queue.submit(request, **options)
    outcome = begin(queue).run()
    return queue.get(job.id), outcome


@pytest.fixture
def slow_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every step of the fake model takes a moment."""
    quick = fake.FakeModel.denoise

    def slow(self: Any, *arguments: Any) -> NDArray[np.float32]:
        time.sleep(0.05)
        return quick(self, *arguments)

    monkeypatch.setattr(fake.FakeModel, "denoise", slow)


def test_pictures_are_those_that_the_request_draws(queue: JobQueue, ask: Ask) -> None:
    request = ask(num_images=3, seed=11)
    job, outcome = run(queue, request, collection="foxes")
    assert (job.state, outcome) == ("done", "ended")
    assert list(job.pictures) == [derived_id(job.id, index) for index in range(3)]
    drawn = generate(request).images
    for identity, image in zip(job.pictures, drawn, strict=True):
        picture = queue.library.get(identity)
        assert picture.pixel_sha256 == image.pixel_sha256
        assert picture.plan == image.plan
        assert picture.collections == ("foxes",)


@pytest.mark.parametrize("options", [{}, {"variation_seed": 5, "variation_strength": 0.25}])
def test_an_attempt_goes_on_where_the_last_one_died(
    own: JobQueue, ask: Ask, options: dict[str, Any]
) -> None:
    job = own.submit(ask(num_images=4, seed=11, **options))
    first = own.claim("w")
    assert first is not None
    whole = generate(job.request).images
    for index in (0, 2):
        image = whole[index]
        record = own.library.prepare(image, derived_id(job.id, index), job=(job.id, index))
        first.store(record, index)
    half_written = own.library.folder.path_of(derived_id(job.id, 1), "png")
    half_written.write_bytes(b"what a crash left")
    own.abandon("w", "it died")
    assert begin(own).run() == "ended"
    done = own.get(job.id)
    assert (done.state, done.attempt) == ("done", 2)
    assert [own.library.get(p).pixel_sha256 for p in done.pictures] == [
        image.pixel_sha256 for image in whole
    ]
    assert own.library.heal().whole
    stored = [e.data["index"] for e in own.read_events(job.id) if e.kind == "picture"]
    assert stored == [0, 2, 1, 3]


@pytest.mark.usefixtures("slow_steps")
def test_pictures_of_an_earlier_attempt_are_told_as_done(own: JobQueue, ask: Ask) -> None:
    job = own.submit(ask(num_images=2, num_inference_steps=20, threads=1))
    first = own.claim("w")
    assert first is not None
    image = generate(job.request).images[0]
    first.store(own.library.prepare(image, derived_id(job.id, 0), job=(job.id, 0)), 0)
    own.abandon("w", "it died")
    thread = threading.Thread(target=begin(own).run)
    thread.start()
    told = [e.data["steps"] for e in own.events(job.id, timeout=60) if e.kind == "progress"]
    thread.join(60)
    assert told
    assert {tuple(first) for first, _ in told} == {(20, 20)}


def test_a_preview_that_cannot_be_written_is_done_without(
    own: JobQueue, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drawing, "_PREVIEW_SECONDS", 0.0)
    place = own.library.folder.root / "cache" / "previews"
    place.parent.mkdir(exist_ok=True)
    place.write_text("in the way of the folder")
    job, outcome = run(own, ask(num_inference_steps=8))
    assert (job.state, job.error, outcome) == ("done", None, "ended")


def test_a_job_whose_pictures_are_all_there_is_only_ended(own: JobQueue, ask: Ask) -> None:
    job, _ = run(own, ask(num_images=2))
    stamps = [own.library.get(p).path.stat().st_mtime_ns for p in job.pictures]
    with own.database.write() as connection:
        connection.execute(as_if_failed(job.id))
    own.retry(job.id)
    assert begin(own).run() == "ended"
    assert own.get(job.id).state == "done"
    assert [own.library.get(p).path.stat().st_mtime_ns for p in job.pictures] == stamps


def as_if_failed(job_id: str) -> Any:
    from sqlalchemy import update

    from sfumato.jobs.tables import JOBS

    return update(JOBS).where(JOBS.c.id == job_id).values(state="failed")


@pytest.mark.parametrize(
    ("error", "code", "outcome"),
    [
        (BackendError("The engine broke.", hint="Mend it."), "backend_error", "ended"),
        (StorageError("No."), "storage_error", "ended"),
        (MemoryError(), "out_of_memory", "unwell"),
        (ValueError("a bug"), "internal", "unwell"),
    ],
)
def test_what_fails_says_why_and_the_next_job_is_drawn(
    own: JobQueue,
    ask: Ask,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    code: str,
    outcome: str,
) -> None:
    def broken(*arguments: Any, **options: Any) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(drawing, "generate", broken)
        job, ended = run(own, ask())
    assert (job.state, ended) == ("failed", outcome)
    assert job.error is not None
    assert job.error.code == code
    assert job.error.message
    assert run(own, ask())[0].state == "done"


def test_a_full_disk_puts_the_job_back(
    own: JobQueue, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: Any, **options: Any) -> None:
        raise StorageError("full", code="disk_full")

    with monkeypatch.context() as patch:
        patch.setattr(own.library.folder, "write", full)
        job, outcome = run(own, ask())
    assert (job.state, job.attempt, outcome) == ("queued", 0, "paused")
    assert begin(own).run() == "ended"
    assert own.get(job.id).state == "done"


@pytest.mark.parametrize(("ending", "failing"), [("done", False), ("release", True)])
def test_a_worker_outlives_a_disk_on_which_no_end_can_be_written(
    own: JobQueue, ask: Ask, monkeypatch: pytest.MonkeyPatch, ending: str, failing: bool
) -> None:
    def full(*arguments: Any, **options: Any) -> None:
        raise StorageError("full", code="disk_full")

    job = own.submit(ask())
    work = begin(own)
    with monkeypatch.context() as patch:
        patch.setattr(type(work.claim), ending, full)
        if failing:
            patch.setattr(own.library.folder, "write", full)
        assert work.run() == "paused"
    assert own.get(job.id).state == "running"  # until its lease runs out


@pytest.mark.usefixtures("slow_steps")
def test_cancelling_ends_the_drawing_within_a_step_and_keeps_what_is_finished(
    own: JobQueue, ask: Ask
) -> None:
    job = own.submit(ask(num_images=64, num_inference_steps=8, threads=1))
    work = begin(own)
    thread = threading.Thread(target=work.run)
    thread.start()
    for event in own.events(job.id, timeout=60):
        if event.kind == "picture":
            own.cancel(job.id)
            break
    thread.join(60)
    ended = own.get(job.id)
    assert ended.state == "cancelled"
    assert 1 <= len(ended.pictures) < 64
    assert not list((own.library.folder.root / "cache" / "previews").glob("*"))


@pytest.mark.usefixtures("slow_steps")
def test_a_job_beyond_its_time_fails_and_says_so(own: JobQueue, ask: Ask) -> None:
    job, outcome = run(own, ask(num_inference_steps=150), limit_seconds=0.3)
    assert (job.state, outcome) == ("failed", "ended")
    assert job.error is not None
    assert job.error.code == "timeout"
    assert "0.3 s" in job.error.message


@pytest.mark.usefixtures("slow_steps")
def test_one_can_watch_a_picture_become(own: JobQueue, ask: Ask) -> None:
    job = own.submit(ask(num_inference_steps=40))
    thread = threading.Thread(target=begin(own).run)
    thread.start()
    fractions = []
    shown = []
    for event in own.events(job.id, timeout=60):
        if event.kind != "progress":
            continue
        fractions.append(event.data["fraction"])
        if event.data["previews"][0]:
            preview = own.preview(job.id, 0)
            if preview is not None:
                with Image.open(io.BytesIO(preview)) as picture:
                    shown.append((picture.format, picture.size))
    thread.join(60)
    assert fractions == sorted(fractions)
    assert len(fractions) > 3
    assert shown
    assert set(shown) == {("PNG", (128, 128))}
    assert own.preview(job.id, 0) is None


def test_a_step_that_never_ends_is_left_behind(
    own: JobQueue, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drawing, "_GRACE_SECONDS", 0.1)
    left = threading.Event()

    def stuck(*arguments: Any, **options: Any) -> None:
        assert left.wait(60)  # in truth the process ends here
        raise BackendError("too late")

    monkeypatch.setattr(drawing, "generate", stuck)
    job = own.submit(ask())
    work = begin(own, leave=left.set)
    own.cancel(job.id)
    work.run()
    assert own.get(job.id).state == "cancelled"


def test_a_worker_that_was_given_up_stores_nothing(
    own: JobQueue, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = own.submit(ask())
    work = begin(own)

    def slept(*arguments: Any, **options: Any) -> Any:
        own.abandon("w", "it slept")
        return generate(*arguments, **options)

    monkeypatch.setattr(drawing, "generate", slept)
    assert work.run() == "ended"
    assert (own.get(job.id).state, own.library.count()) == ("queued", 0)
