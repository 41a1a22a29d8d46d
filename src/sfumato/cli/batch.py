"""Draw a batch: many rows, one bar, a manifest, and only what is missing."""

from __future__ import annotations

import json
import math
import os
import threading
from collections import Counter, deque
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from sfumato.cli.main import say_error
from sfumato.cli.manifest import Manifest, Record, digest_file, digest_text
from sfumato.cli.params import chooses_unasked, lone_ranker, make_request, make_rules
from sfumato.cli.preview import show_preview
from sfumato.cli.session import CHOOSING_GRACE, Session
from sfumato.errors import Cancelled, SfumatoError, StorageError
from sfumato.request import Event, GenerationRequest

if TYPE_CHECKING:
    from sfumato.cli.preview import Protocol
    from sfumato.cli.report import Reporter
    from sfumato.cli.rows import Row
    from sfumato.request import GeneratedImage
    from sfumato.selection import Choice, Rules

    Drawn: TypeAlias = tuple[GeneratedImage, Choice | None]

# what a row may ask for that changes neither the picture nor its file
_NOT_OF_THE_PICTURE = ("threads", "device")
_CHOOSING = ("best_of", "retry", "budget")  # a row that says one of these compares pictures


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One picture of a batch."""

    number: int  # 0-based, over all rows
    line: int
    row: str  # digest of what is asked, the manifest's key
    request: GenerationRequest  # for one picture
    rules: Rules | None  # how it is chosen, where it is
    stride: int  # seeds that all pictures of its row use in one try
    format: str | None
    output: str | None  # file name


def draw_batch(
    rows: Sequence[Row],
    *,
    common: Mapping[str, Any],
    folder: Path,
    metadata: bool,
    reporter: Reporter,
    protocol: Protocol | None,
    tidy: Callable[[], None],
) -> int:
    """Draw every row that is not in ``folder`` yet; returns the exit code.

    ``common`` holds the options given on the command line; a row's own cells win over them. A row
    that fails is reported with its line, in the order of the lines, and the others are drawn; the
    code is then that of the first failure. ``tidy`` is called where it ends with nothing drawn.

    Raises:
        StorageError: the folder or its manifest cannot be written; what is done is kept.
        Cancelled: Ctrl-C; what is done is kept.
    """
    manifest = Manifest(folder)
    failures: list[SfumatoError] = []

    def fail(line: int, error: SfumatoError) -> None:
        failures.append(error)
        say_error(f"line {line}: {error.one_line()}")

    refused: deque[tuple[int, SfumatoError]] = deque()  # rows that cannot even be tried

    def fail_before(line: float) -> None:
        while refused and refused[0][0] < line:
            fail(*refused.popleft())

    jobs = _plan_jobs(rows, common, metadata, lambda *failure: refused.append(failure))
    waiting = deque(job for job in jobs if not manifest.is_done(job.row))
    already = len(jobs) - len(waiting)
    drawn = 0
    grace = CHOOSING_GRACE if any(job.rules for job in waiting) else None
    bar = reporter.voice != "quiet"
    with Session(len(jobs), show_bar=bar, grace=grace, tidy=tidy) as session:
        for number in {job.number for job in jobs} - {job.number for job in waiting}:
            session.skip(number)
        with closing(_draw_side_by_side(waiting, manifest, session)) as pictures:
            for job, picture in pictures:
                try:
                    image, choice = picture()
                    with session.speaking():
                        fail_before(job.line)
                    with session.saving():
                        path = _save(image, job, folder, metadata)
                        manifest.append(_record(job, image, path))
                        drawn += 1
                        reporter.picture(image, path, choice=choice, line=job.line)
                        show_preview(image, protocol)
                except (Cancelled, CancelledError):
                    continue  # stopped; others may have been finished meanwhile: those are kept
                except StorageError:
                    raise  # the next picture would meet the same disk
                except SfumatoError as error:
                    session.skip(job.number)
                    with session.speaking():
                        fail_before(job.line)
                        fail(job.line, error)
        with session.speaking():
            fail_before(math.inf)
    reporter.remark(
        f"{drawn} drawn, {already} already there, {len(failures)} failed; "
        f"the list is {manifest.path}"
    )
    return failures[0].exit_code if failures else 0


def _plan_jobs(
    rows: Sequence[Row],
    common: Mapping[str, Any],
    metadata: bool,
    fail: Callable[[int, SfumatoError], None],
) -> list[Job]:
    """One job a picture. Equal rows are told apart by how often they came before."""
    jobs: list[Job] = []
    seen: Counter[str] = Counter()
    for row in rows:
        try:
            if row.error is not None:
                raise row.error
            cells = {**common, **row.cells}
            if all(cells.get(name) is None for name in _CHOOSING) and not chooses_unasked(cells):
                cells["ranker"] = None  # meant for the other rows
            request = make_request(cells)
            rules = make_rules(cells)
        except SfumatoError as error:
            fail(row.line, error)
            continue
        asked = {
            key: value
            for key, value in sorted(cells.items())
            if value is not None and key not in (*_NOT_OF_THE_PICTURE, "num_images")
        }
        sketches = 1 if rules is None else rules.best_of
        for index in range(request.num_images):
            seed = None if request.seed is None else request.seed + index * sketches
            asked["seed"] = seed
            digest = digest_text(json.dumps({**asked, "metadata": metadata}, ensure_ascii=False))
            seen[digest] += 1
            try:
                alone = replace(request, num_images=1, seed=seed)
            except SfumatoError as error:
                fail(row.line, error)
                break
            jobs.append(
                Job(
                    number=len(jobs),
                    line=row.line,
                    row=f"{digest}-{seen[digest]}",
                    request=alone,
                    rules=rules,
                    stride=request.num_images * sketches,
                    format=cells.get("format"),
                    output=cells.get("output"),
                )
            )
    if common.get("ranker") is not None and jobs and not any(job.rules for job in jobs):
        raise lone_ranker()
    return jobs


def _draw_side_by_side(
    waiting: deque[Job], manifest: Manifest, session: Session
) -> Generator[tuple[Job, Callable[[], Drawn]], None, None]:
    """Each job with a function that gives its picture or raises its error, in order.

    Pictures are drawn in as many threads as there are cores and handed over one by one. Only a few
    run ahead of the one being saved, so that memory does not grow with the batch.
    """
    from sfumato.generate import generate, load
    from sfumato.selection import choose_one

    loading = threading.Lock()

    def draw(job: Job) -> Drawn:
        request, rules = job.request, job.rules
        record = manifest.find(job.row)
        if request.seed is None and record is not None:
            # the picture that went missing, which needs no choosing again
            request, rules = replace(request, seed=record.seed), None
        with loading:  # once a model, not once a thread
            load(request.model)

        def tell(event: Event) -> None:
            session.on_event(event, job.number)

        if rules is not None:
            own = replace(request, threads=1)  # one core each: jobs are drawn side by side
            return choose_one(own, rules, stride=job.stride, on_event=tell, stop=session.stop)
        return generate(request, on_event=tell, stop=session.stop).images[0], None

    if not waiting:
        return
    workers = min(len(waiting), waiting[0].request.threads or os.cpu_count() or 1)
    running: deque[tuple[Job, Future[Drawn]]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="sfumato-batch")
    try:
        while waiting or running:
            while waiting and len(running) < 2 * workers and not session.stop.is_set():
                job = waiting.popleft()
                running.append((job, pool.submit(draw, job)))
            if not running:
                break  # stopped
            job, future = running.popleft()
            if session.stop.is_set():
                future.cancel()
            yield job, future.result
        if session.stop.is_set():
            raise Cancelled("Stopped.", hint="Finished pictures were kept; run it again to go on.")
    except BaseException:
        session.stop.set()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _save(image: GeneratedImage, job: Job, folder: Path, metadata: bool) -> Path:
    from sfumato.files import WriteOptions, save_image

    target = folder if job.output is None else folder / job.output
    return save_image(image, target, options=WriteOptions(format=job.format, metadata=metadata))


def _record(job: Job, image: GeneratedImage, path: Path) -> Record:
    return Record(
        row=job.row,
        line=job.line,
        prompt=image.plan.prompt,
        file=path.name,
        seed=image.seed,
        sha256=digest_file(path) or "",
        pixel_sha256=image.pixel_sha256,
        plan_sha256=digest_text(image.plan.to_json()),
    )
