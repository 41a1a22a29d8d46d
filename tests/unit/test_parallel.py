"""Side by side, in order, and what was finished comes out even when the rest is stopped."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable

import pytest

from sfumato.errors import BackendError, Cancelled
from sfumato.parallel import in_order

WAIT = 30.0  # seconds; only a broken program waits that long


@pytest.mark.parametrize("workers", [1, 2, 3, 8])
def test_results_come_in_the_order_of_the_tasks(workers: int) -> None:
    last = threading.Event()

    def task(number: int) -> int:
        if workers == 3 and number == 0:
            assert last.wait(WAIT)  # the first is done last
        if number == 2:
            last.set()
        return number

    tasks: list[Callable[[], int]] = [lambda n=n: task(n) for n in range(6)]
    assert list(in_order(tasks, workers, threading.Event())) == list(range(6))


def test_one_worker_runs_nothing_ahead() -> None:
    ran: list[int] = []
    results = in_order([lambda n=n: ran.append(n) for n in range(3)], 1, threading.Event())
    next(results)
    assert ran == [0]


def test_what_finished_comes_out_before_the_stop_is_said() -> None:
    running = threading.Event()

    def stopped() -> str:
        assert running.wait(WAIT)
        raise Cancelled("Stopped.")

    def finished() -> str:
        running.set()
        return "kept"

    kept: list[str] = []
    with pytest.raises(Cancelled, match="Stopped"):
        kept.extend(in_order([stopped, finished], 2, threading.Event()))
    assert kept == ["kept"]


def test_an_error_tells_the_others_to_end() -> None:
    abandoned, begun = threading.Event(), threading.Event()

    def fails() -> None:
        assert begun.wait(WAIT)
        raise BackendError("broken")

    def goes_on() -> None:
        begun.set()
        assert abandoned.wait(WAIT)

    with pytest.raises(BackendError, match="broken"):
        list(in_order([fails, goes_on], 2, abandoned))


def test_memory_does_not_grow_with_the_number_of_tasks() -> None:
    class Picture:
        pass

    alive: weakref.WeakSet[Picture] = weakref.WeakSet()

    def task() -> Picture:
        picture = Picture()
        alive.add(picture)
        return picture

    most = 0
    for _ in in_order([task] * 40, 2, threading.Event()):
        most = max(most, len(alive))
    assert most <= 10  # those under way, those that wait their turn, and the one in hand


def test_closing_tells_the_others_to_end() -> None:
    abandoned = threading.Event()
    results = in_order([lambda: 1, lambda: int(abandoned.wait(WAIT))], 2, abandoned)
    assert next(results) == 1
    results.close()
    assert abandoned.is_set()


OTHERS_TICKS = """
import os
from pathlib import Path
from sfumato.generate import finish_sketch, sketch

def ticks_of_other_threads():
    tasks = [task for task in Path("/proc/self/task").iterdir() if task.name != str(os.getpid())]
    fields = [(task / "stat").read_text().rpartition(")")[2].split() for task in tasks]
    return sum(int(values[11]) + int(values[12]) for values in fields)

drawn = sketch("a red fox", seed=1, threads=1)[0]
finish_sketch(drawn)
before = ticks_of_other_threads()
for _ in range(3):
    finish_sketch(drawn)
print(ticks_of_other_threads() - before)
"""


@pytest.mark.skipif(
    not sys.platform.startswith("linux") or os.cpu_count() == 1,
    reason="counts the processor time of BLAS's threads as Linux does",
)
def test_finishing_a_picture_leaves_the_other_cores_alone() -> None:
    # one matrix product that is large enough wakes threads that spin for a tenth of a second
    done = subprocess.run(
        [sys.executable, "-c", OTHERS_TICKS], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) <= 1
