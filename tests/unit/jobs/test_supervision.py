"""The thread that looks after worker processes, with processes that die when they are told to."""

from __future__ import annotations

import multiprocessing
import signal
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any

import pytest

from sfumato.jobs import JobQueue, Workers
from sfumato.jobs import worker as worker_module
from sfumato.jobs import workers as workers_module

PATIENCE = 30.0


class Stub:
    """A process as ``multiprocessing`` shows it, and what it was sent."""

    def __init__(self, number: int) -> None:
        self.pid = 100_000 + number
        self.exitcode: int | None = None
        self.sentinel, self._life = multiprocessing.Pipe(duplex=False)
        self.ours, self.theirs = multiprocessing.Pipe()

    def is_alive(self) -> bool:
        return self.exitcode is None

    def join(self, timeout: float | None = None) -> None:
        """Heed what it is sent, as a worker without a job does."""
        deadline = time.monotonic() + (timeout or 0.0)
        while self.exitcode is None and self.theirs.poll(max(0.0, deadline - time.monotonic())):
            if self.theirs.recv() == "drain":
                self.die(0)

    def kill(self) -> None:
        self.die(-9)

    def die(self, code: int = 1) -> None:
        if self.exitcode is None:
            self.exitcode = code
            self._life.close()


class Nursery:
    """Stands in for ``Workers._spawn``."""

    def __init__(self) -> None:
        self.born: list[Stub] = []
        self.early_deaths = 0
        self.before: Callable[[], None] = lambda: None

    def spawn(self, early_deaths: int = 0) -> Any:
        self.before()
        stub = Stub(len(self.born))
        self.born.append(stub)
        handle: Any = stub
        deaths = self.early_deaths or early_deaths
        return workers_module._Process(handle, stub.ours, f"t{stub.pid}", deaths)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.01)


@pytest.fixture
def nursery(monkeypatch: pytest.MonkeyPatch) -> Nursery:
    made = Nursery()
    monkeypatch.setattr(Workers, "_spawn", lambda self, **options: made.spawn(**options))
    return made


def test_who_dies_at_once_again_and_again_keeps_no_other_from_being_replaced(
    own: JobQueue, nursery: Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers_module, "_REAP_SECONDS", 0.05)
    monkeypatch.setattr(workers_module, "_MAX_BACKOFF", 3600.0)
    reaped: list[int] = []
    monkeypatch.setattr(own, "reap", lambda: reaped.append(1))
    nursery.early_deaths = 20  # so that the next pause is as long as pauses are
    workers = Workers(own, count=2)
    workers.start()
    healthy, hopeless = nursery.born
    healthy.theirs.send(("ready", ""))
    until(lambda: workers.ready)
    hopeless.die()
    looks = len(reaped)
    until(lambda: len(reaped) > looks + 2)  # leases are looked at meanwhile
    assert len(nursery.born) == 2
    healthy.die()
    until(lambda: len(nursery.born) == 3)
    workers.drain(1.0)
    assert len(nursery.born) == 3


def test_a_process_that_cannot_be_started_is_tried_again(
    own: JobQueue, nursery: Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers_module, "_MAX_BACKOFF", 0.01)
    workers = Workers(own)
    workers.start()
    nursery.born[0].theirs.send(("ready", ""))
    until(lambda: workers.ready)
    refused: list[int] = []

    def refuse() -> None:
        refused.append(1)
        if len(refused) < 4:
            raise BlockingIOError(11, "Resource temporarily unavailable")

    nursery.before = refuse
    nursery.born[0].die()
    until(lambda: len(nursery.born) == 2)
    assert len(refused) == 4
    workers.drain(1.0)


def test_who_is_asked_to_leave_hears_it_in_a_thread_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The thread that a signal interrupts may hold the lock of the very event it waits for."""
    heard: SimpleQueue[threading.Thread] = SimpleQueue()

    class Asked(threading.Event):
        def set(self) -> None:
            heard.put(threading.current_thread())

    with workers_module._signals(Asked()):
        signal.raise_signal(signal.SIGTERM)
        assert heard.get(timeout=PATIENCE) is not threading.main_thread()

    class Worker:
        def __init__(self, *_: object) -> None:
            pass

        def leave(self) -> None:
            heard.put(threading.current_thread())

        def run(self) -> None:
            signal.raise_signal(signal.SIGTERM)
            assert heard.get(timeout=PATIENCE) is not threading.main_thread()

    monkeypatch.setattr(worker_module, "_Worker", Worker)
    settings: Any = SimpleNamespace(niceness=0)
    before = [(number, signal.getsignal(number)) for number in (signal.SIGTERM, signal.SIGINT)]
    ours, theirs = multiprocessing.Pipe()
    try:
        worker_module.run_worker(settings, theirs)
    finally:
        ours.close(), theirs.close()
        for number, handler in before:
            signal.signal(number, handler)


def test_a_process_that_is_born_while_all_are_asked_to_end_hears_it_too(
    own: JobQueue, nursery: Nursery
) -> None:
    workers = Workers(own)
    workers.start()
    nursery.born[0].theirs.send(("ready", ""))
    until(lambda: workers.ready)
    drained: list[bool] = []
    draining = threading.Thread(target=lambda: drained.append(workers.drain(5.0)))

    def begin_to_drain() -> None:
        nursery.before = lambda: None
        draining.start()
        until(workers._stopping.is_set)
        time.sleep(0.1)  # what is sent to all has been sent

    nursery.before = begin_to_drain
    nursery.born[0].die()
    until(lambda: len(nursery.born) == 2)
    draining.join(PATIENCE)
    assert drained == [True]
    assert nursery.born[1].exitcode == 0
