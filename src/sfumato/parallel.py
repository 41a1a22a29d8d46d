"""Do several things side by side, one thread each, and hand the results over in order.

Pictures are drawn this way: each in one thread with one core, so that the pixels of one never
depend on how many others are drawn.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from typing import TypeVar

from sfumato.errors import Cancelled

__all__ = ["in_order"]

T = TypeVar("T")


def in_order(
    tasks: Sequence[Callable[[], T]], workers: int, abandoned: threading.Event
) -> Generator[T, None, None]:
    """The results of ``tasks`` in their order, computed by up to ``workers`` threads.

    ``abandoned`` is set when nobody wants the rest (an error, or the generator was closed): tasks
    under way look at it and end soon. With one worker nothing runs ahead of what was asked for.

    Raises: Cancelled: a task was; those that finished all the same came out first.
    """
    if workers == 1:
        for task in tasks:
            yield task()
        return
    pool = ThreadPoolExecutor(workers, thread_name_prefix="sfumato-draw")
    stopped: Cancelled | None = None
    try:
        futures = [pool.submit(task) for task in tasks]
        for future in futures:
            try:
                result = future.result()
            except Cancelled as error:
                stopped = error
                pool.shutdown(wait=False, cancel_futures=True)  # those that have not begun
            except CancelledError:
                continue
            else:
                yield result  # also one that was finished while an earlier one was stopped
    finally:
        abandoned.set()  # Ctrl-C or an error: the others end after their current step
        pool.shutdown(wait=True, cancel_futures=True)
    if stopped is not None:
        raise stopped
