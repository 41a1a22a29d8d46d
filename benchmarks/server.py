"""A live server under load: rates, 99th percentiles, restart, memory.

    python benchmarks/server.py [--seconds 10] [--submits 800] [--jobs 9000] [--pictures 100000]

Health and the cheap routes are asked by ``wrk`` (left out where it is not installed), submits by
eight threads of this program, which share the machine with the server: their figures are lower
bounds. A real picture is one of the default model; everything else is the fake model's. While the
queue is measured its worker is stopped (SIGSTOP), so that the length stays what it is. At 10,000
unfinished jobs the next one is refused, so "full" leaves room for the submits that are measured.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import update

from full_queue import fill_jobs, fill_pictures, spread_of
from record import ROOT, record
from sfumato.gallery import Library
from sfumato.jobs import JobQueue
from sfumato.jobs.job import JobError
from sfumato.jobs.tables import JOBS

FEW = 100  # jobs: what a full queue is compared with
CONNECTIONS = 16  # that never pause: what the server can take
SUBMITTERS = 8  # threads of this program, as many as keep both cores busy
VISITORS = 2  # of a machine that draws: a page and a program
ASKED = {"prompt": "a red fox", "model": "fake", "width": 64, "height": 64}
CHEAP = ("/healthz", "/readyz", "/api/v1/jobs", "/api/v1/pictures", "/api/v1/models", "/v1/models")
PATIENCE = 120.0  # seconds; only a broken server makes one wait so long


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=10, help="of each load of wrk")
    parser.add_argument("--submits", type=int, default=800, help="up to 950: one caller's limit")
    parser.add_argument("--jobs", type=int, default=9000)
    parser.add_argument("--pictures", type=int, default=100_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        figures: dict[str, Any] = {
            "wrk": shutil.which("wrk") is not None,
            "seconds": options.seconds,
            "submits": options.submits,
            "connections": CONNECTIONS,
            "submitters": SUBMITTERS,
            "connections_while_drawing": VISITORS,
            "idle": measure_idle(place / "idle", options.seconds),
            "while_drawing": measure_while_drawing(place / "drawing", options.seconds),
        }
        few = measure_queue(place / "few", FEW, options)
        many = measure_queue(place / "many", options.jobs, options)
        figures[f"at_{FEW}"], figures[f"at_{options.jobs}"] = few, many
        figures["ratio_p99"] = {
            name: round(many[name]["p99_ms"] / few[name]["p99_ms"], 2)
            for name in few
            if "p99_ms" in few[name]
        }
        figures["restart"] = measure_restart(place / "many", options.pictures)
    record("server", figures, model="chiaro")


# ---------------------------------------------------------------- the loads


def measure_idle(library: Path, seconds: int) -> dict[str, Any]:
    """Health, and nothing else to do."""
    with serving(library) as server:
        return {"health": server.load("/healthz", seconds)}


def measure_while_drawing(library: Path, seconds: int) -> dict[str, Any]:
    """Every cheap route while the default model draws, one at a time."""
    with serving(library, model="chiaro") as server:
        figures = {}
        for path in CHEAP:
            job = server.submit({"prompt": "a red fox", "num_images": 64})
            while server.ask("GET", f"/api/v1/jobs/{job}")["job"]["state"] == "queued":
                time.sleep(0.05)
            figures[path] = server.load(path, seconds, VISITORS)
            server.ask("POST", f"/api/v1/jobs/{job}/cancel")
        return figures


def measure_queue(library: Path, jobs: int, options: argparse.Namespace) -> dict[str, Any]:
    """Submits, lists and claims while ``jobs`` wait."""
    with serving(library) as server, server.nobody_drawing():
        before = server.memory_mib()
        with Library.open(library) as opened:
            queue = JobQueue(opened, max_unfinished=10**6, max_unfinished_per_owner=10**6)
            fill_jobs(queue, jobs)
            with opened.database.write() as connection:  # somebody else's: this caller has a limit
                connection.execute(update(JOBS).values(owner="benchmark"))

            def take() -> None:
                claim = queue.claim("benchmark")
                assert claim is not None
                claim.failed(JobError(code="benchmark", message="not drawn"))

            claims = spread_of(take, min(50, jobs // 2))
        figures = {
            "submit": server.submit_many(options.submits),
            "list": server.load("/api/v1/jobs?limit=50", options.seconds),
            "claim_and_end": claims,
        }
        server.walk_all_jobs()
        return {**figures, "memory_mib": {"before": before, "after": server.memory_mib()}}


def measure_restart(library: Path, pictures: int) -> dict[str, Any]:
    """From the command to the first answer, and to readiness, with a full library."""
    with Library.open(library) as opened:
        fill_pictures(opened, pictures)
    with serving(library, wait=False) as server:
        return {"pictures": pictures, "answers_s": server.answered, "ready_s": server.ready()}


# ---------------------------------------------------------------- the server and its clients


class Server:
    """``sfumato serve`` in a process of its own."""

    def __init__(self, library: Path, model: str) -> None:
        self._began = time.perf_counter()
        self._database = library / "library.db"
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "sfumato", "serve", "--port", "0", "--model", model),
                *("--rate", "1000000", "--quiet", "--library", str(library)),
            ],
            env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stderr is not None
        said = self._process.stderr.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)/", said)
        if found is None:
            raise SystemExit(f"The server did not start: {said}")
        self.port = int(found[1])
        self.answered = round(time.perf_counter() - self._began, 2)

    def ready(self) -> float:
        """Seconds from its start until it draws."""
        deadline = time.monotonic() + PATIENCE
        while self._status("/readyz") != 200:
            if time.monotonic() > deadline:
                raise SystemExit("The server never became ready.")
            time.sleep(0.02)
        return round(time.perf_counter() - self._began, 2)

    def _status(self, path: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.request("GET", path)
        status = connection.getresponse().status
        connection.close()
        return status

    def ask(self, method: str, path: str, body: Any = None, *, line: Any = None) -> dict[str, Any]:
        """One request and its JSON; over ``line`` where one is given."""
        connection = line or http.client.HTTPConnection("127.0.0.1", self.port)
        text = None if body is None else json.dumps(body)
        connection.request(method, path, text, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        found: dict[str, Any] = json.loads(answer.read())
        if answer.status >= 300:
            raise SystemExit(f"{method} {path}: {answer.status} {found}")
        if line is None:
            connection.close()
        return found

    def submit(self, body: dict[str, Any], line: Any = None) -> str:
        """Queue a drawing; its id."""
        identity: str = self.ask("POST", "/api/v1/jobs", body, line=line)["job"]["id"]
        return identity

    def submit_many(self, count: int) -> dict[str, float]:
        """Durable submits over eight lines that stay open."""
        lines = threading.local()
        took: list[float] = []

        def one(_: int) -> None:
            if not hasattr(lines, "line"):
                lines.line = http.client.HTTPConnection("127.0.0.1", self.port)
            began = time.perf_counter()
            self.submit(ASKED, lines.line)
            took.append(1000 * (time.perf_counter() - began))

        with ThreadPoolExecutor(SUBMITTERS) as pool:
            list(pool.map(one, range(SUBMITTERS)))  # opens the lines
            took.clear()
            began = time.perf_counter()
            list(pool.map(one, range(count)))
            seconds = time.perf_counter() - began
        return {
            "per_s": round(count / seconds, 1),
            "median_ms": round(statistics.median(took), 2),
            "p99_ms": round(statistics.quantiles(took, n=100)[98], 2),
        }

    def load(self, path: str, seconds: int, connections: int = CONNECTIONS) -> dict[str, float]:
        """What ``wrk`` says of a route, and the server's own work for each answer.

        Nothing where wrk is not installed.
        """
        if shutil.which("wrk") is None:
            return {}
        url = f"http://127.0.0.1:{self.port}{path}"
        before = self._cpu_seconds()
        done = subprocess.run(
            ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", url],
            capture_output=True,
            text=True,
            check=True,
        )
        worked = self._cpu_seconds() - before
        bad = re.search(r"Non-2xx or 3xx responses: (\d+)", done.stdout)
        errors = re.search(r"Socket errors: (.*)", done.stdout)
        if bad or errors:
            raise SystemExit(f"{path}: {done.stdout}")
        rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
        answers = re.search(r"(\d+) requests in", done.stdout)
        assert rate is not None
        assert answers is not None
        shares = {
            share: float(value) * {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}[unit]
            for share, value, unit in re.findall(r"(50|99)%\s+([\d.]+)(us|ms|s|m)", done.stdout)
        }
        return {
            "per_s": round(float(rate[1]), 1),
            "median_ms": round(shares["50"], 2),
            "p99_ms": round(shares["99"], 2),
            "cpu_ms": round(1000 * worked / int(answers[1]), 3),
        }

    def _cpu_seconds(self) -> float:
        """Processor time of the web process so far; zero where Linux does not say."""
        try:
            stat = Path(f"/proc/{self._process.pid}/stat").read_text()
        except OSError:
            return 0.0
        fields = stat.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def walk_all_jobs(self) -> None:
        """Ask for every page of the queue."""
        cursor = ""
        while True:
            page = self.ask("GET", f"/api/v1/jobs?limit=200{cursor}")
            if page["next"] is None:
                return
            cursor = f"&cursor={page['next']}"

    def memory_mib(self) -> float | None:
        """What the web process holds in memory; None where Linux does not say."""
        try:
            pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        except OSError:
            return None
        return round(pages * os.sysconf("SC_PAGE_SIZE") / 1024**2, 1)

    @contextmanager
    def nobody_drawing(self) -> Iterator[None]:
        """Stop the idle worker inside the block; it holds no job, so none waits for it."""
        workers = self._workers()
        _send(signal.SIGSTOP, workers)
        while not self._is_free():  # stopped while it looked for work: nobody could write
            _send(signal.SIGCONT, workers)
            time.sleep(0.05)
            _send(signal.SIGSTOP, workers)
        try:
            yield
        finally:
            _send(signal.SIGCONT, workers)

    def _is_free(self) -> bool:
        """Whether nobody holds a lock on the database for long."""
        with closing(sqlite3.connect(self._database, timeout=1.0)) as connection:
            try:
                connection.execute("BEGIN EXCLUSIVE")
            except sqlite3.OperationalError:
                return False
            connection.rollback()
        return True

    def _workers(self) -> list[int]:
        found = []
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                parent = int((entry.parent / "stat").read_text().rpartition(")")[2].split()[1])
                if parent == self._process.pid and b"spawn_main" in entry.read_bytes():
                    found.append(int(entry.parent.name))
            except OSError:
                continue  # it ended meanwhile
        return found

    def stop(self) -> None:
        """End it; jobs that still wait are not drawn."""
        self._process.terminate()
        self._process.wait()
        assert self._process.stderr is not None
        self._process.stderr.close()


def _send(number: signal.Signals, pids: list[int]) -> None:
    for pid in pids:
        os.kill(pid, number)


@contextmanager
def serving(library: Path, *, model: str = "fake", wait: bool = True) -> Iterator[Server]:
    """A server that draws, until the block ends."""
    server = Server(library, model)
    try:
        if wait:
            server.ready()
        yield server
    finally:
        server.stop()


if __name__ == "__main__":
    main()
