"""The queue and the library when they are full: how long things take, and how much memory.

    python benchmarks/full_queue.py [--runs 100] [--jobs 10000] [--pictures 100000]

Submitting is measured from 16 threads, as a server does it; every submit waits for the disk. The
pictures are rows without files. Batching is the time of one request for eight pictures beside that
of eight requests for one, with the default model warm: what joining equal requests could save.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from record import record
from sfumato.gallery import Library, Query
from sfumato.gallery.backup import back_up
from sfumato.gallery.identity import new_id
from sfumato.gallery.tables import LABELS, PICTURES
from sfumato.generate import generate
from sfumato.jobs import JobQueue
from sfumato.jobs.job import JobError
from sfumato.jobs.tables import EVENTS, JOBS
from sfumato.request import GenerationRequest

REQUEST = GenerationRequest(prompt="a red fox", model="fake", width=64, height=64)


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--pictures", type=int, default=100_000)
    options = parser.parse_args()
    figures: dict[str, Any] = {"runs": options.runs}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "library"
        with Library.open(root) as library:
            queue = JobQueue(library, max_unfinished=10**6, max_unfinished_per_owner=10**6)
            few = measure(queue, 100, options.runs)
            many = measure(queue, options.jobs, options.runs)
            figures["at_100"], figures[f"at_{options.jobs}"] = few, many
            figures["ratio_p99"] = {
                name: round(many[name]["p99_ms"] / few[name]["p99_ms"], 2) for name in few
            }
            fill_pictures(library, options.pictures)
        figures["restart"] = restart(root)
        figures["pages"] = pages(root, options.runs)
        figures["copy"] = copying(root)
    figures["batching"] = batching()
    record("full_queue", figures)


def measure(queue: JobQueue, waiting: int, runs: int) -> dict[str, Any]:
    """What each call takes while ``waiting`` jobs are queued."""
    fill_jobs(queue, waiting - queue.counts()["queued"])

    def take() -> None:
        claim = queue.claim("benchmark")
        assert claim is not None
        claim.failed(JobError(code="benchmark", message="not drawn"))

    queue.submit(REQUEST)  # compiles what is compiled once
    take()
    figures = {
        "submit": spread_of(lambda: queue.submit(REQUEST), runs),
        "claim_and_end": spread_of(take, runs),
        "list": spread_of(lambda: queue.jobs(limit=50), runs),
        "get": spread_of(lambda: queue.get(queue.jobs(limit=1)[0][0].id), runs),
    }
    with ThreadPoolExecutor(16) as pool:
        began = time.perf_counter()
        list(pool.map(lambda _: queue.submit(REQUEST), range(4 * runs)))
        per_second = 4 * runs / (time.perf_counter() - began)
    figures["submit_together"] = {"per_s": round(per_second), "p99_ms": 1000 / per_second}
    return figures


def spread_of(call: Callable[[], Any], runs: int) -> dict[str, float]:
    """Median and 99th percentile of a call, milliseconds."""
    took = []
    for _ in range(runs):
        began = time.perf_counter()
        call()
        took.append(1000 * (time.perf_counter() - began))
    return {
        "median_ms": round(statistics.median(took), 2),
        "p99_ms": round(statistics.quantiles(took, n=100)[98], 2),
    }


def fill_jobs(queue: JobQueue, count: int) -> None:
    """Queue many jobs in one transaction: how they came there is not what is measured."""
    if count <= 0:
        return
    job = queue.submit(REQUEST)
    with queue.database.write() as connection:
        row = connection.execute(JOBS.select().where(JOBS.c.id == job.id)).one()._asdict()
        last = row.pop("number")
        rows = [{**row, "id": new_id()} for _ in range(count - 1)]
        connection.execute(insert(JOBS), rows)
        event = {"number": 1, "at": 0.0, "kind": "queued", "data": "{}"}
        connection.execute(
            insert(EVENTS), [{**event, "job": last + i + 1} for i in range(count - 1)]
        )


def fill_pictures(library: Library, count: int) -> None:
    """Rows of pictures like a real one's, found by words like theirs."""
    image = generate("a red fox", model="fake", width=64, height=64, seed=1).images[0]
    picture = library.add(image, tags=["benchmark"])
    words = ("fox", "owl", "car", "tree", "house", "boat", "cloud", "apple")
    with library.database.write() as connection:
        row = connection.execute(PICTURES.select().where(PICTURES.c.id == picture.id)).one()
        values = row._asdict()
        first = values.pop("number") + 1
        for start in range(0, count, 5000):
            numbers = range(first + start, first + min(start + 5000, count))
            prompts = [f"a {words[n % 8]} beside a {words[n // 8 % 8]} {n}" for n in numbers]
            connection.execute(
                insert(PICTURES), [{**values, "id": new_id(), "prompt": p} for p in prompts]
            )
            connection.execute(
                insert(LABELS),
                [{"kind": "colour", "value": "red", "picture": n, "rank": 0} for n in numbers],
            )
            for number, prompt in zip(numbers, prompts, strict=True):
                library.text.put(connection, number, prompt.split())


def restart(root: Path) -> dict[str, float | None]:
    """Opening a full library with every page checked, and the memory that its queue takes."""
    began = time.perf_counter()
    with Library.open(root, check=True) as library:
        queue = JobQueue(library)
        queue.reap()
        queue.counts()
        page = library.query()
        ready = time.perf_counter() - began
        assert page.next_cursor is not None
        before = resident_mib()
        cursor: str | None = None
        while True:
            _, cursor = queue.jobs(limit=500, cursor=cursor)
            if cursor is None:
                break
        grown = None if before is None else round((resident_mib() or before) - before, 1)
    return {"ready_s": round(ready, 2), "walking_all_jobs_mib": grown}


def resident_mib() -> float | None:
    """What this process holds in memory now; None where Linux does not say. A peak would say
    nothing here: filling the library took more."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024**2


def copying(root: Path) -> dict[str, float]:
    """What a copy of the full database takes, and how large it is."""
    with Library.open(root) as library:
        began = time.perf_counter()
        made = back_up(library, kept_free=0)
        assert made is not None
        return {
            "seconds": round(time.perf_counter() - began, 2),
            "mib": round(made.stat().st_size / 1024**2, 1),
        }


def pages(root: Path, runs: int) -> dict[str, Any]:
    """Pages of a full library: the first, one far down, one that is searched for, one counted."""
    with Library.open(root) as library:
        cursor = library.query(limit=1).next_cursor
        middle = sorted(picture.id for picture in library.query(limit=500).pictures)[0]
        return {
            "pictures": library.count(),
            "first": spread_of(lambda: library.query(), runs),
            "next": spread_of(lambda: library.query(cursor=cursor), runs),
            "far": spread_of(lambda: library.query(cursor=middle), runs),
            "search": spread_of(lambda: library.query(Query(text="owl boat")), runs),
            "colour": spread_of(lambda: library.query(Query(colour="red")), runs),
            "count": spread_of(lambda: library.count(), max(3, runs // 10)),
        }


def batching() -> dict[str, float]:
    """Eight pictures of one request beside eight requests of one picture, side by side."""
    options = {"prompt": "a red fox", "width": 512, "height": 512}
    generate(num_images=2, seed=0, **options)
    together, apart = [], []
    for run in range(3):
        began = time.perf_counter()
        one = generate(num_images=8, seed=8 * run, threads=1, **options)
        together.append(time.perf_counter() - began)
        began = time.perf_counter()
        many = [generate(seed=8 * run + i, threads=1, **options) for i in range(8)]
        apart.append(time.perf_counter() - began)
        assert [i.pixel_sha256 for i in one.images] == [m.images[0].pixel_sha256 for m in many]
    return {
        "together_s": round(statistics.median(together), 3),
        "apart_s": round(statistics.median(apart), 3),
        "saved": round(1 - statistics.median(together) / statistics.median(apart), 3),
    }


if __name__ == "__main__":
    main()
