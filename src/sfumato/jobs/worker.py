"""What runs in a worker process: take a job, draw it, take the next; leave when asked.

The process that started it talks to it over a pipe: "wake" (there may be work), ("cancel", id),
"drain" (leave after this job), "leave" (give the job back and leave). A pipe that ends means that
the other side is gone; then it gives its job back and leaves too.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sfumato.errors import SfumatoError, StorageError

if TYPE_CHECKING:
    from sfumato.jobs.drawing import Drawing

IDLE_SECONDS = 0.5  # how late work that another process queued may be noticed
FULL_SECONDS = 5.0  # between two looks at a full disk


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """Everything a worker process is told when it starts."""

    token: str  # names it, together with machine and process
    folder: Path
    database: str | None  # a URL; None: the SQLite file in the folder
    lease_seconds: float
    min_free_bytes: int
    warm: str | None  # a model to load at once
    previews: bool
    niceness: int  # added to the process's: the web side answers first


def worker_name(pid: int, token: str) -> str:
    """How a worker signs its claims; ``workers.py`` recognises those of dead processes by it."""
    return f"{socket.gethostname()[:64]}:{pid}:{token}"


def run_worker(settings: WorkerSettings, pipe: Connection) -> None:
    """The whole life of a worker process."""
    # Ctrl-C reaches the whole terminal; the process that started us says what to do
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    worker = _Worker(settings, pipe)
    # in a thread: the one that a signal interrupts may hold the lock of an event it waits for
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=worker.leave).start())
    _step_back(settings.niceness)
    worker.run()


def _step_back(niceness: int) -> None:
    """Let whoever answers a request have the processor at once; drawing is long, and can wait."""
    if niceness:
        with suppress(OSError, AttributeError):  # Windows has no niceness
            os.nice(niceness)
        with suppress(OSError, AttributeError):  # Linux: never take the processor from one at work
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


class _Worker:
    def __init__(self, settings: WorkerSettings, pipe: Connection) -> None:
        self._settings = settings
        self._pipe = pipe
        self._wake = threading.Event()
        self._leaving = threading.Event()
        self._drawing: Drawing | None = None
        self._sending = threading.Lock()

    def run(self) -> None:
        from sfumato.gallery import Library
        from sfumato.jobs.drawing import Drawing
        from sfumato.jobs.queue import JobQueue

        threading.Thread(target=self._listen, name="sfumato-pipe", daemon=True).start()
        settings = self._settings
        name = worker_name(os.getpid(), settings.token)
        with Library.open(settings.folder, database=settings.database, create=False) as library:
            queue = JobQueue(
                library,
                lease_seconds=settings.lease_seconds,
                min_free_bytes=settings.min_free_bytes,
            )
            self._warm_up()
            self._say("ready", "")
            while not self._leaving.is_set():
                self._wake.clear()
                try:
                    claim = queue.claim(name)
                except StorageError as error:
                    self._rest(FULL_SECONDS if error.code == "disk_full" else IDLE_SECONDS)
                    continue
                if claim is None:
                    self._rest(IDLE_SECONDS)
                    continue
                self._say("started", claim.job.id)
                self._drawing = Drawing(
                    queue, claim, previews=settings.previews, leave=lambda: os._exit(1)
                )
                if self._gone:
                    self._drawing.stop("released")
                outcome = self._drawing.run()
                self._drawing = None
                self._say("ended", claim.job.id)
                if outcome == "paused":
                    self._rest(FULL_SECONDS)
                elif outcome == "unwell":
                    return  # a fresh process takes over

    def _warm_up(self) -> None:
        """Load the model before the first job; a broken one fails the jobs that want it."""
        if self._settings.warm is not None:
            from sfumato import models

            with suppress(SfumatoError):
                models.load(self._settings.warm)

    def _rest(self, seconds: float) -> None:
        if not self._leaving.is_set():
            self._wake.wait(seconds)

    # ------------------------------------------------------------ the pipe

    _gone = False  # whether to leave at once

    def leave(self) -> None:
        """Give the job back and end the process soon."""
        self._gone = True
        self._leaving.set()
        self._wake.set()
        if self._drawing is not None:
            self._drawing.stop("released")

    def _listen(self) -> None:
        while True:
            try:
                message: Any = self._pipe.recv()
            except (EOFError, OSError):
                self.leave()
                return
            if message == "drain":
                self._leaving.set()
            elif message == "leave":
                self.leave()
            elif message != "wake" and self._drawing is not None:
                _, job_id = message
                if self._drawing.claim.job.id == job_id:
                    self._drawing.stop("cancelled")
            self._wake.set()

    def _say(self, what: str, job_id: str) -> None:
        with self._sending, suppress(OSError):
            self._pipe.send((what, job_id))
