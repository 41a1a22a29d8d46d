"""What surrounds a drawing: the live bar, and Ctrl-C that ends it without losing a picture."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from sfumato.cli.main import say_error
from sfumato.errors import Cancelled
from sfumato.request import Event

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

GRACE = 0.7  # seconds between Ctrl-C and leaving the process
CHOOSING_GRACE = 10.0  # the same where the best of what was sketched is still to be finished


class Bar:
    """One progress bar over every step of every picture, on stderr.

    Where stderr is no terminal nothing is shown and rich is never imported. ``on_event`` may be
    called from several threads at once.
    """

    def __init__(self, pictures: int, *, shown: bool = True) -> None:
        self._pictures = pictures
        self._shares: dict[tuple[int, int], float] = {}  # (job, picture) -> share done, 0..1
        self._lock = threading.Lock()
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        if shown and sys.stderr.isatty():
            self._progress = _make_progress()
            self._task = self._progress.add_task("loading the model", total=None)

    def start(self) -> None:
        """Show the bar."""
        if self._progress is not None:
            self._progress.start()

    def stop(self) -> None:
        """Take the bar away for good."""
        if self._progress is not None:
            self._progress.stop()

    def on_event(self, event: Event, job: int = 0) -> None:
        """Move the bar. ``job`` tells apart pictures that come from different requests."""
        if event.kind == "step":
            # every picture counts its steps and one more for finishing
            self._move(job, event.image, event.step / (event.total + 1), event)
        elif event.kind == "sketched":
            self._move(job, event.image, event.step / (event.total + 1), event)
        elif event.kind == "retrying":
            self._move(job, event.image, 0.0, event)
        elif event.kind == "finished":
            self._move(job, event.image, 1.0, event)

    def skip(self, job: int) -> None:
        """Count a job as done that failed, or that was drawn earlier."""
        self._move(job, 0, 1.0, None)

    def _move(self, job: int, image: int, share: float, event: Event | None) -> None:
        with self._lock:
            self._shares[job, image] = share
            if self._progress is None or self._task is None:
                return
            done = sum(1 for share in self._shares.values() if share >= 1.0)
            words = f"drawing {min(done + 1, self._pictures)} of {self._pictures}"
            if self._pictures == 1:
                words = _doing(event)
            self._progress.update(
                self._task,
                total=self._pictures,
                completed=sum(self._shares.values()),
                description=words,
            )

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Take the bar off the terminal while something else is printed there."""
        if self._progress is None:
            yield
            return
        self._progress.stop()
        try:
            yield
        finally:
            self._progress.start()


class Session:
    """A bar and a brake around one or many calls that draw; use it as a context.

    Pass ``on_event`` and ``stop`` to ``generate``, save and report inside ``saving()``.

    Ctrl-C sets ``stop``: drawing ends after its current step and every finished picture is kept.
    What cannot be stopped between steps (rendering a large picture) is abandoned after ``GRACE``
    seconds by leaving the process, never in the middle of a save. Before the model is loaded there
    is nothing to keep, so Ctrl-C interrupts at once; so does a second Ctrl-C at any time.
    """

    def __init__(
        self,
        pictures: int,
        *,
        show_bar: bool,
        grace: float | None = None,
        tidy: Callable[[], None] | None = None,
    ) -> None:
        """A session over ``pictures``; ``grace`` in seconds, ``GRACE`` if None.

        ``tidy`` is called where the session ends early with nothing saved.
        """
        self.stop = threading.Event()
        self._tidy = tidy or (lambda: None)
        self._kept = 0
        self._grace = GRACE if grace is None else grace
        self._bar = Bar(pictures, shown=show_bar)
        self._busy = threading.Lock()  # held while a picture is saved and reported
        self._drawing = False
        self._over = False
        self._leaving: threading.Timer | None = None
        self._restore: Callable[[], object] | None = None

    def __enter__(self) -> Session:
        # Python delivers signals to the main thread only
        if threading.current_thread() is threading.main_thread():
            before = signal.signal(signal.SIGINT, self._interrupted)
            self._restore = lambda: signal.signal(signal.SIGINT, before)
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: object
    ) -> None:
        with self._busy:
            self._over = True
        if self._leaving is not None:
            self._leaving.cancel()
        self._bar.stop()
        if self._restore is not None:
            self._restore()
        if error is not None and not self._kept:
            self._tidy()
            if isinstance(error, Cancelled):
                raise self._stopped() from None

    def on_event(self, event: Event, job: int = 0) -> None:
        """Follow one event of a drawing."""
        if event.kind == "loaded":
            self._drawing = True
        self._bar.on_event(event, job)

    def skip(self, job: int) -> None:
        """Count a job as done that failed, or that was drawn earlier."""
        self._bar.skip(job)

    @contextmanager
    def saving(self) -> Iterator[None]:
        """Save and report a picture here: the process is not left inside."""
        with self.speaking():
            yield
            self._kept += 1

    @contextmanager
    def speaking(self) -> Iterator[None]:
        """Print here: the bar makes room."""
        with self._busy, self._bar.aside():
            yield

    def _interrupted(self, signum: int, frame: FrameType | None) -> None:
        if self.stop.is_set() or not self._drawing:
            raise KeyboardInterrupt
        self.stop.set()
        self._leaving = threading.Timer(self._grace, self._leave)
        self._leaving.daemon = True
        self._leaving.start()

    def _stopped(self) -> Cancelled:
        hint = "Finished pictures were kept." if self._kept else "No picture was finished yet."
        return Cancelled("Stopped.", hint=hint)

    def _leave(self) -> None:
        with self._busy:
            if self._over:
                return
            self._bar.stop()
            if not self._kept:
                self._tidy()
            say_error(self._stopped().one_line())
            # threads inside a renderer cannot be ended, and an ordinary exit waits for them
            os._exit(Cancelled.exit_code)


def _doing(event: Event | None) -> str:
    """What is being done to a single picture."""
    if event is None or event.kind == "finished":
        return "finishing"
    if event.kind == "retrying":
        return f"try {event.step} of {event.total}"
    if event.kind == "sketched":
        last = event.step == event.total
        return "finishing the best" if last else f"sketch {event.step} of {event.total}"
    return f"step {event.step} of {event.total}"


def _make_progress() -> Progress:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        # stdout may be a file: rich must not divert what is printed there to the terminal
        redirect_stdout=False,
        redirect_stderr=False,
    )
