"""One claimed job being drawn, inside a worker process.

The main thread draws and stores; a second one keeps the lease, tells how far it is, and stops the
drawing when it is cancelled, out of time, or no longer ours. A picture's id follows from its job
and index, so an attempt that is repeated lands on the files of the one before.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING, Literal

from sfumato import models
from sfumato.errors import Cancelled, SfumatoError, StorageError
from sfumato.gallery.identity import derived_id
from sfumato.generate import generate
from sfumato.jobs.claims import Claim
from sfumato.jobs.job import JobError, LeaseLost, Progress
from sfumato.plan import make_plan
from sfumato.request import Event, GeneratedImage, GenerationPlan, GenerationRequest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sfumato.jobs.queue import JobQueue

Reason = Literal["cancelled", "timeout", "lost", "released"]
Outcome = Literal["ended", "paused", "unwell"]

_LOOK_SECONDS = 0.05  # how often the second thread looks whether anything is to do
_TELL_SECONDS = 0.25  # between two progress reports: each is a durable write
_ASK_SECONDS = 0.5  # how late a cancellation from another process may be noticed
_GRACE_SECONDS = 5.0  # from "stop" to leaving the process where a step does not end
_PREVIEW_SECONDS = 0.4  # between two previews of one picture, at least
_PREVIEW_SHARE = 0.05  # of the drawing time that previews may cost
_PREVIEW_SIDE = 256  # pixels


class Drawing:
    """Draws one job and ends its claim, whatever happens."""

    def __init__(
        self, queue: JobQueue, claim: Claim, *, previews: bool, leave: Callable[[], None]
    ) -> None:
        """``leave`` ends the process: called when a step does not heed that it must stop."""
        self.claim = claim
        self._queue = queue
        self._leave = leave
        self._stop = threading.Event()
        self._reason: Reason | None = None
        self._over = threading.Event()
        self._ending = threading.Lock()  # held by whoever writes how the job ended
        self._progress = _Tracker(claim.job.request.num_images)
        self._previewer = _Previewer(queue, claim.job.id) if previews else None

    def stop(self, reason: Reason) -> None:
        """Have the drawing end after its current step; the first reason counts."""
        if self._reason is None:
            self._reason = reason
        self._stop.set()

    def run(self) -> Outcome:
        """Draw, store, and end the claim.

        Returns "ended"; "paused": the disk is full or busy, and the job waits again; "unwell": the
        process ran out of memory or met a fault of ours, and should be replaced.
        """
        keeper = threading.Thread(target=self._keep, name="sfumato-lease", daemon=True)
        keeper.start()
        outcome: Outcome = "ended"
        try:
            outcome = self._draw()
        except LeaseLost:
            pass  # somebody else draws it now, or it was cancelled meanwhile
        finally:
            self._over.set()
            keeper.join()
            if self._previewer is not None:
                self._previewer.clear(self.claim.job.request.num_images)
        return outcome

    def _draw(self) -> Outcome:
        outcome: Outcome = "ended"
        error: JobError | None = None
        try:
            self._draw_what_is_missing(self.claim.job.request)
        except Cancelled:
            pass  # ``_reason`` says why
        except SfumatoError as failure:
            if failure.code == "disk_full":
                self._end(lambda: self.claim.release("the disk is full"))
                return "paused"
            error = JobError.of(failure)
        except MemoryError:
            hint = "Try a smaller picture, or fewer at once."
            error = JobError(code="out_of_memory", message="The memory ran out.", hint=hint)
            outcome = "unwell"
        except LeaseLost:
            raise
        except Exception as failure:
            message = f"Something unexpected happened ({type(failure).__name__}: {failure})."
            error = JobError(code="internal", message=message, hint="This is a fault in sfumato.")
            outcome = "unwell"
        told = self._end(lambda: self._conclude(error))
        return "paused" if outcome == "ended" and not told else outcome

    def _conclude(self, error: JobError | None) -> None:
        if error is not None:
            self.claim.failed(error)
        elif not self._stop.is_set():
            self.claim.done()
        elif self._reason == "cancelled":
            self.claim.cancelled()
        elif self._reason == "timeout":
            seconds = self.claim.job.limit_seconds
            message = f"Drawing took longer than {seconds:g} s."
            self.claim.failed(
                JobError(code="timeout", message=message, hint="Allow more, or ask for less.")
            )
        elif self._reason == "released":
            self.claim.release("its worker was asked to leave")

    def _end(self, write: Callable[[], None]) -> bool:
        """Whether it could be written how the job ended.

        On a full or busy disk it cannot; the lease runs out then and the job is queued again,
        which costs an attempt but not the worker.
        """
        with self._ending:
            self._over.set()
            try:
                write()
            except SfumatoError:
                return False
            return True

    # ------------------------------------------------------------ pictures

    def _draw_what_is_missing(self, request: GenerationRequest) -> None:
        finished = self.claim.finished_indexes()
        missing = [index for index in range(request.num_images) if index not in finished]
        steps = request.num_inference_steps or models.spec_of(request.model).num_inference_steps
        for index in finished:
            self._progress.finish(index, steps)
        if not missing:
            return

        def follow(event: Event) -> None:
            moved = replace(event, image=missing[event.image])
            self._progress.follow(moved)
            if self._previewer is not None and event.kind == "step":
                self._previewer.look(moved, self._progress)

        def keep(image: GeneratedImage) -> None:
            self._store(image, missing[image.index])

        wanted: GenerationRequest | GenerationPlan = request
        if finished:
            wanted = _plan_of(request, missing)
        generate(wanted, on_event=follow, on_image=keep, stop=self._stop)

    def _store(self, image: GeneratedImage, index: int) -> None:
        job = self.claim.job
        record = self._queue.library.prepare(
            image,
            derived_id(job.id, index),
            collections=() if job.collection is None else (job.collection,),
            job=(job.id, index),
        )
        self.claim.store(record, index)
        self._progress.finish(index)

    # ------------------------------------------------------------ the second thread

    def _keep(self) -> None:
        """Until the drawing is over: pulse, and stop it when there is a reason."""
        started = time.monotonic()
        told = asked = 0.0
        shown: Progress | None = None
        stopped_at: float | None = None
        renewal = self._queue.lease_seconds / 4
        while not self._over.wait(_LOOK_SECONDS):
            now = time.monotonic()
            if now - started > self.claim.job.limit_seconds:
                self.stop("timeout")
            if self._stop.is_set():
                stopped_at = stopped_at or now
                if now - stopped_at > _GRACE_SECONDS:
                    self._abandon()
            progress = self._progress.now()
            try:
                if (progress != shown and now - told > _TELL_SECONDS) or now - told > renewal:
                    told = asked = now
                    shown = progress
                    cancelled = self.claim.pulse(progress)
                elif now - asked > _ASK_SECONDS:
                    asked = now
                    cancelled = self.claim.cancel_requested()
                else:
                    continue
            except LeaseLost:
                self.stop("lost")
                return
            except SfumatoError:
                continue  # busy or out of reach: the lease is longer than that
            if cancelled:
                self.stop("cancelled")

    def _abandon(self) -> None:
        """A step does not end: say how the job ended, then leave the process with it."""
        with self._ending:
            if self._over.is_set():
                return
            # where this fails the lease runs out, and the job is queued again
            with suppress(LeaseLost, SfumatoError):
                self._conclude(None)
            self._leave()


class _Tracker:
    """Collects events of several drawing threads into one ``Progress``."""

    def __init__(self, num_images: int) -> None:
        self._lock = threading.Lock()
        self._stage = "loading"
        self._steps = [(0, 0)] * num_images
        self._shares = [0.0] * num_images
        self._previews = [0] * num_images

    def follow(self, event: Event) -> None:
        with self._lock:
            self._stage = "loading" if event.kind == "loaded" else "drawing"
            if event.kind == "step":
                self._steps[event.image] = event.step, event.total
                # a picture counts its steps and two more for finishing and storing
                self._shares[event.image] = event.step / (event.total + 2)
            elif event.kind == "decoded":
                done, total = self._steps[event.image]
                self._shares[event.image] = (done + 1) / (total + 2)

    def preview(self, image: int, step: int) -> None:
        with self._lock:
            self._previews[image] = step

    def finish(self, image: int, steps: int = 1) -> None:
        """A picture is stored; ``steps`` were taken where nothing was heard of them here."""
        with self._lock:
            total = self._steps[image][1] or steps
            self._steps[image] = total, total
            self._shares[image] = 1.0

    def now(self) -> Progress:
        with self._lock:
            return Progress(
                fraction=round(sum(self._shares) / len(self._shares), 4),
                stage=self._stage,
                steps=tuple(self._steps),
                previews=tuple(self._previews),
            )


class _Previewer:
    """Writes what pictures look like so far, seldom enough to cost next to nothing."""

    def __init__(self, queue: JobQueue, job_id: str) -> None:
        self._folder = queue.library.folder
        self._job_id = job_id
        self._due: dict[int, float] = {}

    def look(self, event: Event, progress: _Tracker) -> None:
        """Called after each step by the thread that draws the picture."""
        now = time.monotonic()
        # not after the first step, which shows a blur, nor after the last, which shows the picture
        due = self._due.setdefault(event.image, now + _PREVIEW_SECONDS / 2)
        if event.preview is None or now < due or event.step == event.total:
            return
        png = _png(event.preview()[0])
        with suppress(StorageError):  # nobody's drawing fails of a preview that cannot be kept
            self._folder.write_cache(self._folder.preview(self._job_id, event.image), png)
            progress.preview(event.image, event.step)
        cost = time.monotonic() - now
        self._due[event.image] = now + max(_PREVIEW_SECONDS, cost / _PREVIEW_SHARE)

    def clear(self, num_images: int) -> None:
        """Previews of an ended job are of no use."""
        for index in range(num_images):
            with suppress(OSError):
                self._folder.preview(self._job_id, index).unlink()


def _plan_of(request: GenerationRequest, indexes: list[int]) -> GenerationPlan:
    """The plan of some of a request's pictures: the same pixels as among all of them."""
    model = models.load(request.model)
    plan = make_plan(request, model.spec, model.fingerprint(), model.suggest_styles)
    return plan.for_images(indexes)


def _png(pixels: NDArray[np.uint8]) -> bytes:
    """(H, W, 4) uint8 pixels as a small PNG."""
    from PIL import Image

    picture = Image.fromarray(pixels)
    picture.thumbnail((_PREVIEW_SIDE, _PREVIEW_SIDE))
    buffer = BytesIO()
    picture.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
