"""Worker processes and the one thread that looks after them.

Drawing happens in processes of their own, so that whoever started them keeps answering, and a
crash (a fault in an engine, the system's memory killer) takes one job and one process, which is
replaced. Each is started afresh, never forked: engines do not survive a fork.
"""

from __future__ import annotations

import multiprocessing
import os
import secrets
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from queue import SimpleQueue
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any

from sfumato.errors import RequestError, SfumatoError
from sfumato.jobs.queue import JobQueue
from sfumato.jobs.worker import WorkerSettings, run_worker, worker_name

if TYPE_CHECKING:
    from typing_extensions import Self

DRAIN_SECONDS = 25.0  # then jobs are given back: a service has 30 s to end
_LEAVE_SECONDS = 3.0  # for giving back, before a process is killed
_REAP_SECONDS = 2.0
_EARLY_SECONDS = 5.0  # a process that dies sooner than this did not even start well
_MAX_BACKOFF = 30.0
MAX_WORKERS = 64


class Workers:
    """Draws what is queued, until it is drained. Use as a context, or ``start`` and ``drain``."""

    def __init__(
        self,
        queue: JobQueue,
        *,
        count: int = 1,
        warm: str | None = None,
        previews: bool = True,
        niceness: int = 5,
        min_free_bytes: int | None = None,
    ) -> None:
        """Nothing is started yet.

        Args:
            queue: whose jobs to draw.
            count: processes; each draws one job at a time, its pictures side by side on all cores.
            warm: a model to load before the first job comes.
            previews: whether to show pictures in the making.
            niceness: how far drawing steps back behind other programs (0 to 19).
            min_free_bytes: jobs are begun only with so much room; None is the queue's own limit.

        Raises: RequestError: a count that cannot be.
        """
        if not 1 <= count <= MAX_WORKERS:
            raise RequestError(
                f"The number of workers is {count}.", hint=f"Give 1 to {MAX_WORKERS}."
            )
        database = queue.database
        self._queue = queue
        self._count = count
        self._settings: dict[str, Any] = {
            "folder": queue.library.folder.root,
            "database": None
            if database.is_sqlite
            else database.url.render_as_string(hide_password=False),
            "lease_seconds": queue.lease_seconds,
            "min_free_bytes": queue.min_free_bytes if min_free_bytes is None else min_free_bytes,
            "warm": warm,
            "previews": previews,
            "niceness": niceness,
        }
        self._context = multiprocessing.get_context("spawn")
        self._running: list[_Process] = []
        self._lock = threading.Lock()  # over ``_running``
        self._stopping = threading.Event()
        self._hurrying = threading.Event()
        self._thread: threading.Thread | None = None
        self._nudge, self._nudged = multiprocessing.Pipe(duplex=False)[::-1]
        self._unlisten: Callable[[], None] = lambda: None

    # ------------------------------------------------------------ life

    def start(self) -> None:
        """Start the processes; jobs that dead ones of this machine left are queued again first."""
        self._recover()
        with self._lock:
            for _ in range(self._count):
                self._running.append(self._spawn())
        self._unlisten = self._queue.listen(self._on_news)
        self._thread = threading.Thread(
            target=self._look_after, name="sfumato-workers", daemon=True
        )
        self._thread.start()

    def drain(self, timeout: float = DRAIN_SECONDS) -> bool:
        """Begin no further job, let the running ones finish, then end every process.

        Jobs that are not finished after ``timeout`` seconds are given back to the queue; their
        attempt does not count. Returns whether none had to be.
        """
        self._stopping.set()
        self._unlisten()
        self._send_all("drain")
        with suppress(OSError):
            self._nudge.send(None)
        if self._thread is not None:  # from here on no process is started
            self._thread.join(_LEAVE_SECONDS)
        finished = self._join(timeout) and not self._hurrying.is_set()
        if not finished:
            self._send_all("leave")
            if not self._join(_LEAVE_SECONDS):
                for process in self._running:
                    process.handle.kill()
                self._join(_LEAVE_SECONDS)
        for process in self._running:
            if process.handle.exitcode != 0:  # it could not give its job back itself
                self._abandon(process, counts=False)
        for process in self._running:
            process.close()
        self._running.clear()
        self._queue.notify()
        return finished

    def hurry(self) -> None:
        """Have a ``drain`` that is under way end soon: running jobs are given back to the queue."""
        self._hurrying.set()
        self._send_all("leave")

    def serve(self) -> bool:
        """Draw until SIGTERM or Ctrl-C, then drain; from the main thread. As ``drain`` returns."""
        asked = threading.Event()
        with _signals(asked):
            if self._thread is None:
                self.start()
            while not asked.wait(0.5):
                pass
            return self.drain()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.drain()

    # ------------------------------------------------------------ news

    @property
    def pids(self) -> list[int]:
        """The processes that live."""
        with self._lock:
            return [p.pid for p in self._running if p.handle.is_alive()]

    @property
    def ready(self) -> bool:
        """Whether a process is ready to draw, and none were asked to end."""
        with self._lock:
            alive = any(p.ready and p.handle.is_alive() for p in self._running)
        return alive and not self._stopping.is_set()

    def _on_news(self, what: str, job_id: str) -> None:
        self._send_all("wake" if what == "submitted" else ("cancel", job_id))

    def _send_all(self, message: Any) -> None:
        with self._lock:
            for process in self._running:
                process.send(message)

    # ------------------------------------------------------------ looking after them

    def _look_after(self) -> None:
        reaped = time.monotonic()
        while not self._stopping.is_set():
            with self._lock:
                pipes = {p.pipe: p for p in self._running if not p.closed}
                dead = [p for p in self._running if p.due is not None]
                sentinels: dict[Any, _Process] = {
                    p.handle.sentinel: p for p in self._running if p.due is None
                }
            patience = min([_REAP_SECONDS, *(p.wait_seconds() for p in dead)])
            awake = wait([*pipes, *sentinels, self._nudged], timeout=patience)
            for source in awake:
                if source in pipes:
                    pipes[source].read(self._queue)
            for source in awake:
                if source in sentinels:
                    self._bury(sentinels[source])
                    dead.append(sentinels[source])
            for process in dead:
                if process.wait_seconds() == 0.0 and not self._stopping.is_set():
                    self._replace(process)
            if time.monotonic() - reaped > _REAP_SECONDS:
                reaped = time.monotonic()
                with suppress(SfumatoError):  # the database is busy or away: next time
                    self._queue.reap()

    def _bury(self, dead: _Process) -> None:
        """Give its job to another one, and say when it is replaced: later, if it died at once."""
        dead.handle.join()
        self._abandon(dead)
        now = time.monotonic()
        dead.early = now - dead.started < _EARLY_SECONDS and not dead.ready
        dead.due = now + (_pause_after(dead.early_deaths) if dead.early else 0.0)

    def _replace(self, dead: _Process) -> None:
        try:
            fresh = self._spawn(early_deaths=dead.early_deaths + 1 if dead.early else 0)
        except OSError:  # no memory, or too many processes: what others have died of
            dead.early, dead.early_deaths = True, dead.early_deaths + 1
            dead.due = time.monotonic() + _pause_after(dead.early_deaths)
            return
        with self._lock:
            self._running[self._running.index(dead)] = fresh
            if self._stopping.is_set():  # what was sent to all has not reached it
                fresh.send("leave" if self._hurrying.is_set() else "drain")
        dead.close()

    def _abandon(self, dead: _Process, *, counts: bool = True) -> None:
        reason = dead.reason() if counts else "its worker was asked to leave"
        with suppress(SfumatoError):  # the lease runs out by itself
            self._queue.abandon(worker_name(dead.pid, dead.token), reason, counts=counts)

    def _recover(self) -> None:
        """Take jobs from processes of this machine that live no more, without waiting."""
        host = socket.gethostname()[:64]
        for worker in self._queue.workers():
            machine, _, rest = worker.rpartition(":")[0].rpartition(":")
            if machine == host and rest.isdigit() and not _lives(int(rest)):
                self._queue.abandon(worker, "its worker died")
        self._queue.reap()

    def _spawn(self, early_deaths: int = 0) -> _Process:
        ours, theirs = self._context.Pipe()
        token = secrets.token_hex(4)
        handle = self._context.Process(
            target=run_worker,
            args=(WorkerSettings(token=token, **self._settings), theirs),
            name=f"sfumato-worker-{token}",
            daemon=False,  # it may start processes itself; the pipe's end tells it to leave
        )
        handle.start()
        theirs.close()
        return _Process(handle, ours, token, early_deaths)

    def _join(self, timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        for process in self._running:
            process.handle.join(max(0.0, deadline - time.monotonic()))
        return all(process.handle.exitcode is not None for process in self._running)


class _Process:
    """A worker process, its pipe, and what is known of it."""

    def __init__(
        self,
        handle: multiprocessing.context.SpawnProcess,
        pipe: Connection,
        token: str,
        early_deaths: int,
    ) -> None:
        assert handle.pid is not None  # it was started
        self.handle = handle
        self.pipe = pipe
        self.token = token
        self.pid = handle.pid
        self.started = time.monotonic()
        self.early_deaths = early_deaths
        self.ready = False
        self.closed = False
        self.early = False  # whether it died before it was of any use
        self.due: float | None = None  # when it is to be replaced, once it is dead
        self._outbox: SimpleQueue[Any] = SimpleQueue()
        self._wakes = False  # whether a "wake" is in the outbox: one is enough
        threading.Thread(target=self._post, name=f"sfumato-post-{token}", daemon=True).start()

    def wait_seconds(self) -> float:
        """How long it is until a dead one is to be replaced."""
        return 0.0 if self.due is None else max(0.0, self.due - time.monotonic())

    def send(self, message: Any) -> None:
        """Returns at once: one that hangs reads nothing, and its pipe is soon full.

        Nothing happens where it has died.
        """
        if self.closed or (message == "wake" and self._wakes):
            return
        self._wakes = self._wakes or message == "wake"
        self._outbox.put(message)

    def _post(self) -> None:
        while (message := self._outbox.get()) is not None:
            if message == "wake":
                self._wakes = False  # before it is sent: what comes from now on wakes again
            with suppress(OSError, ValueError):
                self.pipe.send(message)

    def read(self, queue: JobQueue) -> None:
        """Take its news: followers in this process look at once."""
        try:
            what, _ = self.pipe.recv()
        except (EOFError, OSError):
            self.close()
            return
        self.ready = self.ready or what == "ready"
        queue.notify()

    def reason(self) -> str:
        """How it died, for people."""
        code = self.handle.exitcode
        if code is None or code >= 0:
            return "its worker died"
        with suppress(ValueError):
            return f"its worker died ({signal.Signals(-code).name})"
        return "its worker died"

    def close(self) -> None:
        """Close the pipe."""
        if not self.closed:
            self.closed = True
            self._outbox.put(None)
            self.pipe.close()


def _pause_after(failures: int) -> float:
    """Seconds until the next attempt, longer after each that failed."""
    return min(_MAX_BACKOFF, 0.5 * 2.0 ** min(failures, 16))


@contextmanager
def _signals(asked: threading.Event) -> Iterator[None]:
    """Set ``asked`` on SIGTERM and Ctrl-C, inside the block."""

    def set_it(number: int, frame: FrameType | None) -> None:
        # in a thread: the one that is interrupted may hold the event's lock, as it waits for it
        threading.Thread(target=asked.set, name="sfumato-asked").start()

    before = [(number, signal.signal(number, set_it)) for number in (signal.SIGTERM, signal.SIGINT)]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # somebody else's process
    return True
