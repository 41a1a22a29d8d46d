"""The queue against a model of it: any sequence of calls, nothing lost, nothing twice."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule
from sqlalchemy import update

from sfumato.gallery import Library
from sfumato.gallery.identity import derived_id
from sfumato.generate import generate
from sfumato.jobs import JobQueue, Progress
from sfumato.jobs.claims import Claim
from sfumato.jobs.job import MAX_ATTEMPTS, JobError, LeaseLost
from sfumato.jobs.tables import JOBS
from sfumato.request import GenerationRequest

PROGRESS = Progress(fraction=0.0, stage="drawing", steps=((0, 0),), previews=(0,))
IMAGE = generate("a fox", model="fake", width=16, height=16, seed=1).images[0]


@dataclass
class Expected:
    """What the queue should say of a job."""

    state: str = "queued"
    attempt: int = 0
    cancelling: bool = False
    pictures: set[int] = field(default_factory=set)
    holder: int | None = None  # the claim, by number, that may still change it


class QueueMachine(RuleBasedStateMachine):
    """Several workers, some of which die, fall asleep, or come back too late."""

    jobs: Bundle[str] = Bundle("jobs")
    claims: Bundle[int] = Bundle("claims")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.library = Library.open(self.folder / "library")
        self.queue = JobQueue(self.library)
        self.order: list[tuple[int, int, str]] = []  # (-priority, number, id): how they are taken
        self.expected: dict[str, Expected] = {}
        self.held: dict[int, Claim] = {}

    def teardown(self) -> None:
        self.library.close()
        shutil.rmtree(self.folder)

    @rule(target=jobs, priority=st.integers(-1, 1), count=st.integers(1, 2))
    def submit(self, priority: int, count: int) -> str:
        request = GenerationRequest(prompt="a fox", model="fake", num_images=count)
        job = self.queue.submit(request, priority=priority)
        self.order.append((-priority, len(self.order), job.id))
        self.expected[job.id] = Expected()
        return job.id

    @rule(target=claims)
    def claim(self) -> int:
        number = len(self.held)
        claim = self.queue.claim(f"worker-{number}")
        waiting = [job for *_, job in sorted(self.order) if self.expected[job].state == "queued"]
        if not waiting:
            assert claim is None
            return -1
        assert claim is not None
        assert claim.job.id == waiting[0]
        expected = self.expected[waiting[0]]
        expected.state, expected.holder = "running", number
        expected.attempt += 1
        self.held[number] = claim
        return number

    def valid(self, number: int) -> Expected | None:
        """The job that this claim still holds; None when it holds none."""
        if number < 0:
            return None
        expected = self.expected[self.held[number].job.id]
        return expected if expected.holder == number else None

    def attempt(self, number: int, act: str, *arguments: object) -> Expected | None:
        """Do it; it must be refused exactly when the claim holds nothing any more."""
        if number < 0:
            return None
        expected = self.valid(number)
        method = getattr(self.held[number], act)
        if expected is None:
            with pytest.raises(LeaseLost):
                method(*arguments)
            return None
        method(*arguments)
        return expected

    @rule(number=claims)
    def pulse(self, number: int) -> None:
        self.attempt(number, "pulse", PROGRESS)

    @rule(number=claims, index=st.integers(0, 1))
    def store(self, number: int, index: int) -> None:
        if number < 0:
            return
        job = self.held[number].job
        expected = self.valid(number)
        if index >= job.request.num_images or (expected and index in expected.pictures):
            return
        record = self.library.prepare(IMAGE, derived_id(job.id, index), job=(job.id, index))
        if self.attempt(number, "store", record, index) is not None:
            assert expected is not None
            expected.pictures.add(index)

    @rule(number=consumes(claims), how=st.sampled_from(["done", "failed", "cancelled", "release"]))
    def end(self, number: int, how: str) -> None:
        arguments: tuple[object, ...] = ()
        if how == "failed":
            arguments = (JobError(code="x", message="y"),)
        elif how == "release":
            arguments = ("asked to",)
        expected = self.attempt(number, how, *arguments)
        if expected is not None:
            expected.holder = None
            expected.state = "queued" if how == "release" else how
            expected.attempt -= how == "release"

    @rule(number=claims)
    def die(self, number: int) -> None:
        self.queue.abandon(f"worker-{number}", "it died")
        self.lose(self.valid(number))

    @rule(seconds=st.sampled_from([3600, -3600]))
    def clock_jumps_and_all_leases_run_out(self, seconds: int) -> None:
        with self.library.database.write() as connection:
            connection.execute(
                update(JOBS)
                .where(JOBS.c.state == "running")
                .values(lease_until=JOBS.c.lease_until - seconds)
            )
        self.queue.reap()
        for expected in self.expected.values():
            if expected.state == "running":
                self.lose(expected)

    @staticmethod
    def lose(expected: Expected | None) -> None:
        if expected is None:
            return
        expected.holder = None
        if expected.cancelling:
            expected.state = "cancelled"
        else:
            expected.state = "failed" if expected.attempt >= MAX_ATTEMPTS else "queued"

    @rule(job=jobs)
    def cancel(self, job: str) -> None:
        self.queue.cancel(job)
        expected = self.expected[job]
        if expected.state == "queued":
            expected.state = "cancelled"
        elif expected.state == "running":
            expected.cancelling = True

    @rule(job=jobs)
    def retry(self, job: str) -> None:
        expected = self.expected[job]
        if expected.state in ("failed", "cancelled"):
            self.queue.retry(job)
            expected.state, expected.attempt, expected.cancelling = "queued", 0, False

    @rule()
    def restart(self) -> None:
        """Another process opens the library; the claims of the old one are still theirs."""
        self.library.close()
        self.library = Library.open(self.folder / "library", create=False)
        self.queue = JobQueue(self.library)
        for claim in self.held.values():
            claim._queue = self.queue

    @invariant()
    def the_queue_agrees(self) -> None:
        found = {job.id: job for job in self.queue.jobs(limit=500)[0]}
        assert found.keys() == self.expected.keys()
        for identity, expected in self.expected.items():
            job = found[identity]
            assert (job.state, job.attempt) == (expected.state, expected.attempt)
            assert job.pictures == tuple(
                derived_id(identity, index) for index in sorted(expected.pictures)
            )
            kept = [event for event in self.queue.read_events(identity) if event.kind != "progress"]
            assert [event.number for event in kept] == list(range(1, len(kept) + 1))
            stored = [event.data["index"] for event in kept if event.kind == "picture"]
            assert sorted(stored) == sorted(expected.pictures)
        assert self.library.count() == sum(len(e.pictures) for e in self.expected.values())


QueueMachine.TestCase.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
TestQueue = pytest.mark.slow(QueueMachine.TestCase)
