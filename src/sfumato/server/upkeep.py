"""What a server does by itself, soon after it starts and then daily: copy, forget, tidy.

The database is copied (``gallery/backup.py``) every hour in which it changed, and soon after a
person changed much. Jobs that ended long ago are forgotten; their pictures stay. The trash is
emptied by itself only where somebody asked for that. Trouble is logged and tried again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from sfumato.errors import SfumatoError
from sfumato.gallery.backup import back_up
from sfumato.gallery.identity import first_id_of
from sfumato.jobs import JobQueue
from sfumato.wording import counted

DAY = 86_400.0  # seconds
HOUR = 3_600.0
FIRST_SECONDS = 5.0  # after the start: those who wait for the server come first
MANY_CHANGES = 50  # of a person: they are copied without waiting for the hour
_LOOK_SECONDS = 60.0
_LEFTOVERS = 1.0  # days after which a preview or a half-written file is nobody's
_log = logging.getLogger("sfumato.server")


class Upkeep:
    """A thread that looks after a library while it is served."""

    def __init__(
        self, queue: JobQueue, *, keep_jobs: int, keep_trash: int | None, kept_free: int
    ) -> None:
        """Nothing is done yet.

        Args:
            queue: whose jobs and whose library.
            keep_jobs: days after their end that jobs are remembered.
            keep_trash: days that pictures stay in the trash; None is until somebody empties it.
            kept_free: bytes on the disk that copies of the database leave free.
        """
        self._queue = queue
        self._library = queue.library
        self._keep_jobs = keep_jobs
        self._keep_trash = keep_trash
        self._kept_free = kept_free
        self._copied_changes = 0
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, in a thread of its own."""
        self._thread = threading.Thread(target=self._look_after, name="sfumato-upkeep", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End after what is being done at the moment."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def back_up(self) -> Path | None:
        """Copy the database if it changed. Raises: StorageError: as ``gallery.backup``."""
        changes = self._library.changes
        made = back_up(self._library, kept_free=self._kept_free)
        self._copied_changes = changes
        if made is not None:
            _log.info("copied the database to %s", made)
        return made

    def tidy(self) -> None:
        """Forget old jobs and sweeps, old trash, and what crashes left behind.

        Raises: SfumatoError: the database or the disk is not usable at the moment.
        """
        jobs = self._queue.prune(self._keep_jobs * DAY)
        sweeps = self._forget_sweeps()
        trash = 0
        if self._keep_trash is not None:
            trash = self._library.purge_older(self._keep_trash * DAY)
        files = self._library.folder.tidy(_LEFTOVERS * DAY)
        if jobs or sweeps or trash or files:
            _log.info(
                "forgot %s and %s, emptied the trash of %s, removed %s",
                counted(jobs, "old job"),
                counted(sweeps, "sweep"),
                counted(trash, "picture"),
                counted(files, "leftover file"),
            )

    def _forget_sweeps(self) -> int:
        """A sweep is a list of jobs: of no use once those are forgotten."""
        oldest = first_id_of(time.time() - self._keep_jobs * DAY)
        old = [
            path
            for path in (self._library.folder.root / "sweeps").glob("*.json")
            if path.stem < oldest
        ]
        for path in old:
            path.unlink(missing_ok=True)
        return len(old)

    # ------------------------------------------------------------ the thread

    def _look_after(self) -> None:
        hourly = daily = time.monotonic() + FIRST_SECONDS
        pause = FIRST_SECONDS
        while not self._over.wait(pause):
            pause = _LOOK_SECONDS
            now = time.monotonic()
            if now >= daily:
                daily = now + DAY
                self._try(self.tidy)
            if now >= hourly or self._library.changes - self._copied_changes >= MANY_CHANGES:
                hourly = now + HOUR
                self._copied_changes = self._library.changes
                self._try(self.back_up)

    @staticmethod
    def _try(work: Callable[[], object]) -> None:
        try:
            work()
        except SfumatoError as error:
            _log.warning("upkeep: %s", error.one_line())
        except OSError as error:  # the disk has gone; requests say so, and it may come back
            _log.warning("upkeep: %s", error)
