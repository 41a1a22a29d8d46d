"""Do several things side by side, one thread each, and hand the results over in order.

Pictures are drawn this way: each in one thread with one core, so that the pixels of one never
depend on how many others are drawn.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import closing
from itertools import islice
from typing import TypeVar

from sfumato.errors import Cancelled

__all__ = ["collect", "in_order"]

T = TypeVar("T")


def in_order(
    tasks: Sequence[Callable[[], T]], workers: int, abandoned: threading.Event
) -> Generator[T, None, None]:
    """The results of ``tasks`` in their order, computed by up to ``workers`` threads.

    Few run ahead of what was asked for, and none is kept here once it was handed over, so that
    memory does not grow with their number; with one worker nothing runs ahead.

    ``abandoned`` is set when nobody wants the rest (an error, or the generator was closed): tasks
    under way look at it and end soon.

    Raises: Cancelled: a task was; those that finished all the same came out first.
    """
    if workers == 1:
        for task in tasks:
            yield task()
        return
    pool = ThreadPoolExecutor(workers, thread_name_prefix="sfumato-draw")
    stopped: Cancelled | None = None
    waiting = iter(tasks)
    running = deque(pool.submit(task) for task in islice(waiting, 2 * workers))
    try:
        while running:
            try:
                result = running.popleft().result()
            except Cancelled as error:
                stopped = error
                pool.shutdown(wait=False, cancel_futures=True)  # those that have not begun
            except CancelledError:
                continue
            else:
                if stopped is None:
                    running.extend(pool.submit(task) for task in islice(waiting, 1))
                yield result  # also one that was finished while an earlier one was stopped
    finally:
        abandoned.set()  # Ctrl-C or an error: the others end after their current step
        pool.shutdown(wait=True, cancel_futures=True)
    if stopped is not None:
        raise stopped


def collect(
    results: Generator[T, None, None], on_each: Callable[[T], None] | None, keep: bool = True
) -> list[T]:
    """Everything that ``results`` gives, handed to ``on_each`` as it comes.

    ``keep``: False returns nothing, so that what ``on_each`` lets go of is freed. An error in
    ``on_each`` closes ``results``, which ends the other threads too.
    """
    kept: list[T] = []
    with closing(results):
        for one in results:
            if keep:
                kept.append(one)
            if on_each is not None:
                on_each(one)
    return kept
