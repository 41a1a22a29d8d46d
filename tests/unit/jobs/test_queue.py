"""Submitting, limits, idempotency, leases and events, without a worker process."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import update

from sfumato.errors import ModelError, RequestError, SfumatoError, StorageError
from sfumato.gallery import Library
from sfumato.gallery.identity import derived_id
from sfumato.generate import generate
from sfumato.jobs import JobQueue, Progress
from sfumato.jobs.claims import Claim
from sfumato.jobs.job import JobError, LeaseLost, request_from_json, request_to_json
from sfumato.jobs.tables import JOBS
from sfumato.request import GenerationRequest

Ask = Callable[..., GenerationRequest]
HALF = Progress(fraction=0.5, stage="drawing", steps=((2, 4),), previews=(0,))


def taken(queue: JobQueue, worker: str = "w1") -> Claim:
    claim = queue.claim(worker)
    assert claim is not None
    return claim


def draw_into(queue: JobQueue, claim: Claim) -> None:
    """What a worker does, without its process."""
    job = claim.job
    for image in generate(job.request).images:
        record = queue.library.prepare(
            image, derived_id(job.id, image.index), job=(job.id, image.index)
        )
        claim.store(record, image.index)


# ---------------------------------------------------------------- asking


def test_a_job_is_as_it_was_asked(queue: JobQueue, ask: Ask) -> None:
    job = queue.submit(ask(num_images=3), priority=5, owner="me", collection=" foxes ")
    assert queue.get(job.id) == job
    assert (job.state, job.attempt, job.priority, job.owner) == ("queued", 0, 5, "me")
    assert job.collection == "foxes"
    assert job.request.seed is not None
    assert job.pictures == ()
    assert [(e.number, e.kind) for e in queue.read_events(job.id)] == [(1, "queued")]
    assert queue.position(job.id) == 0


def test_nothing_of_a_job_is_left_to_chance(queue: JobQueue, ask: Ask) -> None:
    asked = queue.submit(ask(num_images=2, variation_strength=0.5)).request
    assert asked.variation_seed is not None
    images = [image.pixel_sha256 for image in generate(asked).images]
    assert images == [image.pixel_sha256 for image in generate(asked).images]
    plain = queue.submit(ask()).request
    assert (plain.variation_seed, plain.variation_strength) == (None, 0.0)


@pytest.mark.parametrize(
    "written",
    [
        '{"prompt": "a fox", "colour_of_tomorrow": 1, "seed": 1}',
        '{"prompt": "a fox", "width": -1}',
        '["no", "request"]',
        "{ torn",
    ],
)
def test_a_job_of_another_version_is_failed_and_hides_no_other(
    queue: JobQueue, ask: Ask, written: str
) -> None:
    before, odd, after = (queue.submit(ask(num_images=n)) for n in (1, 2, 3))
    with queue.database.write() as connection:
        connection.execute(
            update(JOBS).where(JOBS.c.id == odd.id).values(request=written, priority=9)
        )
    assert [job.id for job in queue.jobs()[0]] == [after.id, odd.id, before.id]
    assert taken(queue).job.id == before.id
    assert taken(queue).job.id == after.id
    assert queue.claim("w2") is None
    failed = queue.get(odd.id)
    assert (failed.state, failed.readable, failed.request.num_images) == ("failed", False, 2)
    assert failed.request.prompt == ("a fox" if "fox" in written else "?")
    assert failed.error is not None
    assert "cannot be read" in failed.error.message or "width" in failed.error.message
    assert [event.kind for event in queue.read_events(odd.id)][-1] == "failed"
    with pytest.raises(RequestError):
        queue.retry(odd.id)


def test_a_job_of_another_version_can_be_looked_at_and_cancelled(own: JobQueue, ask: Ask) -> None:
    job = own.submit(ask())
    with own.database.write() as connection:
        connection.execute(update(JOBS).values(request='{"prompt": "a fox", "new": 1}'))
    seen = own.get(job.id)
    assert (seen.state, seen.ended) == ("failed", True)
    assert seen.error is not None
    assert own.cancel(job.id).state == "cancelled"
    with own.database.write() as connection:
        connection.execute(
            update(JOBS).values(state="running", progress='{"share": 1}', request='{"prompt": "a"}')
        )
    assert own.get(job.id).progress is None
    with own.database.write() as connection:
        connection.execute(update(JOBS).values(state="failed", error='{"why": "it broke"}'))
    broken = own.get(job.id).error
    assert broken is not None
    assert "it broke" in broken.message


def test_positions_are_the_order_in_which_jobs_are_claimed(queue: JobQueue, ask: Ask) -> None:
    jobs = [queue.submit(ask(seed=n), priority=(0, 5, 0, -3, 5)[n % 5]) for n in range(12)]
    begun = taken(queue).job
    queue.cancel(jobs[7].id)
    waiting = [job for job in map(queue.get, (job.id for job in jobs)) if job.state == "queued"]
    expected = {job.id: queue.position(job.id) for job in waiting}
    assert sorted(expected.values()) == list(range(10))
    assert queue.positions([*reversed(waiting), begun]) == expected
    # also of some of them, and of those that were begun since the list was read
    assert queue.positions(waiting[3:6]) == {job.id: expected[job.id] for job in waiting[3:6]}
    order = sorted(expected, key=lambda job: expected[job])
    assert [taken(queue, str(n)).job.id for n in range(10)] == order
    assert queue.positions(waiting) == {}


def test_what_cannot_be_drawn_is_refused_and_not_queued(own: JobQueue, ask: Ask) -> None:
    for error, call in (
        (ModelError, lambda: own.submit(ask(model="nonesuch"))),
        (RequestError, lambda: own.submit(ask(style="nonesuch"))),
        (RequestError, lambda: own.submit(ask(), priority=101)),
        (RequestError, lambda: own.submit(ask(), priority=True)),
        (RequestError, lambda: own.submit(ask(), limit_seconds=float("nan"))),
        (RequestError, lambda: own.submit(ask(), limit_seconds=0)),
        (RequestError, lambda: own.submit(ask(), idempotency_key="")),
        (RequestError, lambda: own.submit(ask(), idempotency_key="x" * 256)),
        (RequestError, lambda: own.submit(ask(), idempotency_key="ü")),
        (RequestError, lambda: own.submit(ask(), owner="x" * 65)),
        (RequestError, lambda: own.submit(ask(), collection="")),
    ):
        with pytest.raises(error):
            call()
    assert sum(own.counts().values()) == 0


def test_requests_survive_being_written_down(ask: Ask) -> None:
    request = ask("ein Wal 🐋\n", negative_prompt="nets", seed=4, guidance_scale=2.5)
    assert request_from_json(request_to_json(request)) == request
    with pytest.raises(RequestError, match="cannot be read"):
        request_from_json('{"prompt": "a", "colour_of_tomorrow": 1}')


def test_a_hundred_duplicates_at_once_make_one_job(queue: JobQueue, ask: Ask) -> None:
    with ThreadPoolExecutor(16) as pool:
        jobs = list(pool.map(lambda _: queue.submit(ask(), idempotency_key="k"), range(100)))
    assert len({job.id for job in jobs}) == 1
    assert queue.counts()["queued"] == 1
    with pytest.raises(RequestError) as caught:
        queue.submit(ask("a blue fox"), idempotency_key="k")
    assert caught.value.code == "idempotency_mismatch"
    assert queue.submit(ask(), idempotency_key="k", owner="somebody else").id != jobs[0].id


def test_the_queue_has_limits_for_all_and_for_each(library: Library, ask: Ask) -> None:
    queue = JobQueue(library, max_unfinished=5, max_unfinished_per_owner=3)
    for _ in range(3):
        queue.submit(ask(), owner="a")

    def refused(owner: str) -> str:
        with pytest.raises(RequestError) as caught:
            queue.submit(ask(), owner=owner)
        assert caught.value.code == "queue_full"
        return caught.value.message

    assert "for this key" in refused("a")
    claim = taken(queue)
    assert "for this key" in refused("a")  # a running one counts
    for _ in range(2):
        queue.submit(ask(), owner="b")
    assert "for this key" not in refused("b")
    claim.failed(JobError(code="x", message="y"))
    queue.submit(ask(), owner="b")


def test_too_little_room_refuses_jobs_and_rests_the_workers(library: Library, ask: Ask) -> None:
    queue = JobQueue(library)
    job = queue.submit(ask())
    full = JobQueue(library, min_free_bytes=2**60)
    for call in (lambda: full.submit(ask()), lambda: full.claim("w"), lambda: full.retry(job.id)):
        with pytest.raises(StorageError) as caught:
            call()
        assert caught.value.code == "disk_full"
    assert taken(queue).job.id == job.id


# ---------------------------------------------------------------- taking


def test_jobs_are_taken_by_priority_then_in_order(queue: JobQueue, ask: Ask) -> None:
    low, first, second, high = (
        queue.submit(ask(), priority=priority).id for priority in (-1, 0, 0, 9)
    )
    assert [queue.position(job) for job in (high, first, second, low)] == [0, 1, 2, 3]
    assert [taken(queue).job.id for _ in range(4)] == [high, first, second, low]
    assert queue.claim("w1") is None
    assert queue.position(low) is None


def test_no_job_is_taken_twice(queue: JobQueue, ask: Ask) -> None:
    for _ in range(20):
        queue.submit(ask())
    got: list[str] = []

    def take(number: int) -> None:
        while (claim := queue.claim(f"w{number}")) is not None:
            got.append(claim.job.id)

    threads = [threading.Thread(target=take, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == len(set(got)) == 20


def test_a_job_runs_to_its_pictures(queue: JobQueue, ask: Ask) -> None:
    job = queue.submit(ask(num_images=2))
    claim = taken(queue)
    assert claim.pulse(HALF) is False
    running = queue.get(job.id)
    assert (running.state, running.attempt, running.progress) == ("running", 1, HALF)
    assert queue.read_events(job.id)[-1].kind == "progress"
    draw_into(queue, claim)
    claim.done()
    done = queue.get(job.id)
    assert (done.state, done.progress, done.worker) == ("done", None, None)
    assert len(done.pictures) == 2
    first = queue.library.get(done.pictures[0])
    assert (first.job_id, first.job_index, first.seed) == (job.id, 0, job.request.seed)
    events = list(queue.events(job.id, timeout=5))
    assert [e.kind for e in events] == ["queued", "started", "picture", "picture", "done"]
    assert [e.number for e in events] == [1, 2, 3, 4, 5]
    assert [e.kind for e in queue.events(job.id, after=3)] == ["picture", "done"]


@pytest.mark.parametrize("act", ["pulse", "cancel_requested", "done", "store", "release"])
def test_who_lost_the_lease_changes_nothing(queue: JobQueue, ask: Ask, act: str) -> None:
    queue.submit(ask())
    late = taken(queue, "late")
    record = queue.library.prepare(
        generate(late.job.request).images[0], derived_id(late.job.id, 0), job=(late.job.id, 0)
    )
    assert queue.abandon("late", "it slept") == 1
    again = taken(queue, "next")
    before = queue.get(late.job.id)
    calls: dict[str, Callable[[], Any]] = {
        "pulse": lambda: late.pulse(HALF),
        "cancel_requested": late.cancel_requested,
        "done": late.done,
        "store": lambda: late.store(record, 0),
        "release": lambda: late.release("?"),
    }
    with pytest.raises(LeaseLost):
        calls[act]()
    assert queue.get(late.job.id) == before
    assert queue.library.count() == 0
    draw_into(queue, again)
    again.done()
    assert queue.library.count() == 1


def shift_leases(queue: JobQueue, seconds: float) -> None:
    """As if the database's clock had been set forward (or back) by ``seconds``."""
    with queue.database.write() as connection:
        moved = JOBS.c.lease_until - seconds
        connection.execute(update(JOBS).where(JOBS.c.state == "running").values(lease_until=moved))


@pytest.mark.parametrize("jump", [86_400.0, -86_400.0])
def test_a_clock_that_jumps_a_day_loses_nothing(queue: JobQueue, ask: Ask, jump: float) -> None:
    job = queue.submit(ask())
    late = taken(queue)
    assert queue.reap() == 0  # the lease is fresh
    shift_leases(queue, jump)
    assert queue.reap() == 1
    assert queue.get(job.id).state == "queued"
    again = taken(queue)
    with pytest.raises(LeaseLost):
        late.done()
    draw_into(queue, again)
    again.done()
    assert len(queue.get(job.id).pictures) == 1


def test_three_dead_workers_make_a_failed_job_that_blocks_nobody(queue: JobQueue, ask: Ask) -> None:
    bad, good = queue.submit(ask(), priority=1).id, queue.submit(ask()).id
    for attempt in (1, 2, 3):
        assert taken(queue).job.id == bad
        assert queue.get(bad).attempt == attempt
        queue.abandon("w1", "its worker died (SIGSEGV)")
    job = queue.get(bad)
    assert job.state == "failed"
    assert job.error is not None
    assert job.error.code == "worker_died"
    assert "3 times: its worker died (SIGSEGV)" in job.error.message
    assert taken(queue).job.id == good


def test_leaving_in_peace_costs_no_attempt(queue: JobQueue, ask: Ask) -> None:
    job = queue.submit(ask())
    for _ in range(5):
        taken(queue).release("it was asked to leave")
        assert (queue.get(job.id).state, queue.get(job.id).attempt) == ("queued", 0)


# ---------------------------------------------------------------- changing one's mind


def test_cancelling_ends_a_waiting_job_at_once_and_asks_a_running_one(
    queue: JobQueue, ask: Ask
) -> None:
    heard: list[tuple[str, str]] = []
    unlisten = queue.listen(lambda what, job_id: heard.append((what, job_id)))
    waiting, running = queue.submit(ask()), queue.submit(ask(), priority=1)
    claim = taken(queue)
    assert queue.cancel(waiting.id).state == "cancelled"
    assert queue.cancel(running.id).cancel_requested
    assert claim.pulse(HALF) is True
    claim.cancelled()
    assert queue.get(running.id).state == "cancelled"
    assert queue.cancel(running.id).last_event == queue.get(running.id).last_event
    unlisten()
    queue.submit(ask())
    assert heard == [("submitted", waiting.id), ("submitted", running.id)] + [
        ("cancelling", job) for job in (waiting.id, running.id, running.id)
    ]


def test_a_cancelled_job_whose_worker_dies_is_not_drawn_again(queue: JobQueue, ask: Ask) -> None:
    job = queue.submit(ask())
    taken(queue)
    queue.cancel(job.id)
    queue.abandon("w1", "it died")
    assert queue.get(job.id).state == "cancelled"


def test_a_failed_job_can_be_tried_again(queue: JobQueue, ask: Ask) -> None:
    job = queue.submit(ask())
    with pytest.raises(RequestError) as caught:
        queue.retry(job.id)
    assert caught.value.code == "job_not_ended"
    taken(queue).failed(JobError(code="backend_error", message="No.", hint="Yes."))
    failed = queue.get(job.id)
    assert failed.error == JobError(code="backend_error", message="No.", hint="Yes.")
    again = queue.retry(job.id)
    assert (again.state, again.attempt, again.error, again.finished_at) == ("queued", 0, None, None)
    claim = taken(queue)
    draw_into(queue, claim)
    claim.done()
    kinds = [event.kind for event in queue.events(job.id, timeout=5)]
    assert kinds == ["queued", "started", "failed", "queued", "started", "picture", "done"]


def test_unknown_jobs_are_refused_by_name(own: JobQueue) -> None:
    calls: tuple[Callable[[str], object], ...]
    calls = (own.get, own.cancel, own.retry, own.read_events, own.position, own.wait)
    for call in calls:
        with pytest.raises(RequestError) as caught:
            call("nonesuch")
        assert caught.value.code == "no_such_job"
    assert own.preview("../../../etc/passwd", 0) is None
    assert own.preview("0" * 26, 0) is None


def test_lists_hold_every_job_once_newest_first(queue: JobQueue, ask: Ask) -> None:
    made = [queue.submit(ask(), owner="ab"[i % 2]).id for i in range(5)]
    queue.cancel(made[0])
    found, cursor = queue.jobs(limit=3)
    rest, end = queue.jobs(limit=3, cursor=cursor)
    assert [job.id for job in found + rest] == made[::-1]
    assert end is None
    assert [job.id for job in queue.jobs(states=["cancelled"])[0]] == [made[0]]
    assert [job.id for job in queue.jobs(owner="b")[0]] == [made[3], made[1]]
    assert queue.counts() == {"queued": 4, "running": 0, "done": 0, "failed": 0, "cancelled": 1}
    refused: tuple[dict[str, Any], ...] = ({"limit": 0}, {"states": ["lost"]}, {"cursor": "x"})
    for bad in refused:
        with pytest.raises(SfumatoError):
            queue.jobs(**bad)


def test_old_jobs_are_forgotten_and_their_pictures_kept(queue: JobQueue, ask: Ask) -> None:
    old, kept = queue.submit(ask()), queue.submit(ask())
    claim = taken(queue)
    draw_into(queue, claim)
    claim.done()
    assert queue.prune(60) == 0
    assert queue.prune(-1) == 1
    with pytest.raises(RequestError):
        queue.get(old.id)
    assert queue.get(kept.id).state == "queued"
    assert queue.library.count() == 1


def test_a_follower_hears_of_everything_while_it_happens(queue: JobQueue, ask: Ask) -> None:
    job = queue.submit(ask())
    heard: list[str] = []
    thread = threading.Thread(
        target=lambda: heard.extend(e.kind for e in queue.events(job.id, timeout=20))
    )
    thread.start()
    claim = taken(queue)
    claim.pulse(HALF)
    draw_into(queue, claim)
    claim.done()
    assert queue.wait(job.id, 10).state == "done"
    thread.join(20)
    assert [kind for kind in heard if kind != "progress"] == [
        "queued", "started", "picture", "done",
    ]  # fmt: skip
    assert queue.wait(job.id).ended


def test_waiting_and_following_end_when_the_time_is_up(queue: JobQueue, ask: Ask) -> None:
    job = queue.submit(ask())
    assert queue.wait(job.id, 0.05).state == "queued"
    assert [e.kind for e in queue.events(job.id, timeout=0.05)] == ["queued"]
