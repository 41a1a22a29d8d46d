"""kill -9, SIGTERM, two servers at once: what a client was promised is still there afterwards.

``SFUMATO_TEST_KILLS=50 pytest tests/e2e/test_server_kills.py`` kills fifty times; four otherwise.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import random
import signal
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

Serve = Callable[..., Any]
KILLS = int(os.environ.get("SFUMATO_TEST_KILLS", "4"))
LONG = {"num_images": 64, "num_inference_steps": 150, "width": 512, "height": 512}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc"),
]


class Ledger:
    """What a client was told: written down as soon as it was told, and never taken back."""

    def __init__(self) -> None:
        self.asked: list[str] = []  # idempotency keys of everything that was sent
        self.jobs: dict[str, str] = {}  # key -> the job that was acknowledged
        self.pictures: dict[str, str] = {}  # id -> sha256 of the bytes that were served

    def ask(self, server: Any) -> None:
        """Ask for a drawing; the server may die before, while or after it answers."""
        key = f"key-{len(self.asked)}"
        self.asked.append(key)
        self.ask_again(server, key)

    def ask_again(self, server: Any, key: str) -> None:
        answer = server.draw(key, key=key, num_images=3, num_inference_steps=12)
        assert answer.status == 202, answer
        identity = answer.json()["job"]["id"]
        assert self.jobs.setdefault(key, identity) == identity

    def look(self, server: Any) -> None:
        """Fetch every picture that is new."""
        for identity in self.jobs.values():
            for picture in server.job(identity)["pictures"]:
                if picture not in self.pictures:
                    data = fetch(server, picture)
                    self.pictures[picture] = hashlib.sha256(data).hexdigest()


def fetch(server: Any, picture: str) -> bytes:
    answer = server.call("GET", f"/api/v1/pictures/{picture}/file")
    assert answer.status == 200, answer
    data: bytes = answer.body
    return data


def assert_sound(library: Path) -> None:
    with closing(sqlite3.connect(library / "library.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_kill_9_at_random_points_loses_nothing_that_was_acknowledged(
    serve: Serve, tmp_path: Path
) -> None:
    """Promises 1 and 8, seen by a client over HTTP while server, workers or both are killed."""
    dice, ledger, library = random.Random(1), Ledger(), tmp_path / "library"

    def client(server: Any) -> None:
        try:
            for _ in range(2):
                ledger.ask(server)
            while True:
                ledger.look(server)
        except (OSError, http.client.HTTPException):
            return  # killed: what was not acknowledged was not promised

    for kill in range(KILLS):
        server = serve(library).listening()
        asking = threading.Thread(target=client, args=(server,))
        asking.start()
        time.sleep(dice.uniform(0.1, 2.5))
        if kill % 3 == 0:  # the server alone: its workers notice that it is gone
            server.process.kill()
            server.process.wait()
            time.sleep(dice.uniform(0, 1))
        elif kill % 3 == 1:  # a worker alone, a little later all of it
            for pid in server.workers():
                os.kill(pid, signal.SIGKILL)
            time.sleep(dice.uniform(0, 0.5))
        server.kill()
        asking.join()
        assert_sound(library)

    server = serve(library).listening()
    for key in ledger.asked:  # who got no answer asks again, and is not served twice
        ledger.ask_again(server, key)
    told = set(ledger.pictures)
    for identity in ledger.jobs.values():
        job = server.finished(identity)
        # met by three kills it has failed, and says so; every other one is drawn
        assert job["state"] == "done" or (job["state"], job["attempt"]) == ("failed", 3)
        assert len(set(job["pictures"])) == len(job["pictures"])
        assert job["state"] == "failed" or len(job["pictures"]) == 3
    assert len(set(ledger.jobs.values())) == len(ledger.asked)
    counts = server.call("GET", "/api/v1/jobs").json()["counts"]
    assert counts["done"] > 0
    assert counts["done"] + counts["failed"] == len(ledger.asked) == sum(counts.values())
    for picture, digest in ledger.pictures.items():
        assert hashlib.sha256(fetch(server, picture)).hexdigest() == digest
    ledger.look(server)
    kept = server.call("GET", "/api/v1/pictures").json()["total"]
    assert kept == len(ledger.pictures) >= 3 * counts["done"]
    assert told <= set(ledger.pictures)
    assert server.stop() == 0
    assert_sound(library)


def test_a_job_that_kills_three_workers_fails_and_blocks_nobody(serve: Serve) -> None:
    server = serve().listening().ready()
    bad = server.draw("a stone", priority=5, **LONG).json()["job"]["id"]
    good = server.draw("a fox").json()["job"]["id"]
    for attempt in (1, 2, 3):
        server.until(
            lambda attempt=attempt: (
                server.job(bad)["state"] == "running" and server.job(bad)["attempt"] == attempt
            )
        )
        server.until(server.workers)
        for pid in server.workers():
            os.kill(pid, signal.SIGKILL)
    failed = server.finished(bad)
    assert (failed["state"], failed["attempt"]) == ("failed", 3)
    assert failed["error"]["code"] == "worker_died"
    assert server.finished(good)["state"] == "done"


# ---------------------------------------------------------------- SIGTERM


def readiness(server: Any) -> int | None:
    """The status of /readyz; None when nobody answers any more."""
    try:
        status: int = server.call("GET", "/readyz").status
    except (OSError, http.client.HTTPException):
        return None
    return status


def test_sigterm_is_not_ready_at_once_and_the_running_job_is_finished(
    serve: Serve, tmp_path: Path
) -> None:
    library = tmp_path / "library"
    server = serve(library).listening().ready()
    running = server.draw(num_images=12, num_inference_steps=30).json()["job"]["id"]
    waiting = server.draw("an owl").json()["job"]["id"]
    server.until(lambda: server.job(running)["state"] == "running")
    server.process.send_signal(signal.SIGTERM)
    server.until(lambda: readiness(server) != 200)
    assert server.process.wait(30) == 0
    assert readiness(server) is None
    assert "Traceback" not in server.said()
    assert_sound(library)

    again = serve(library).listening()
    done = again.job(running)
    assert (done["state"], done["attempt"], len(done["pictures"])) == ("done", 1, 12)
    assert again.finished(waiting)["state"] == "done"


def test_sigterm_gives_back_what_takes_too_long_within_30_seconds(
    serve: Serve, tmp_path: Path
) -> None:
    library = tmp_path / "library"
    server = serve(library).listening().ready()
    job = server.draw(**LONG | {"width": 2048, "height": 2048}).json()["job"]["id"]
    server.until(lambda: server.job(job)["state"] == "running")
    workers = server.workers()
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(30) == 0
    assert not [pid for pid in workers if Path(f"/proc/{pid}").exists()]
    assert "Traceback" not in server.said()

    again = serve(library).listening()
    back = again.job(job)
    assert back["state"] in ("queued", "running")
    assert back["attempt"] == (back["state"] == "running")  # being asked to leave costs none
    assert again.call("POST", f"/api/v1/jobs/{job}/cancel").status == 200
    assert again.finished(job)["state"] == "cancelled"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_asking_twice_gives_the_running_job_back_and_ends(
    serve: Serve, tmp_path: Path, number: int
) -> None:
    library = tmp_path / "library"
    server = serve(library).listening().ready()
    job = server.draw(**LONG | {"width": 2048, "height": 2048}).json()["job"]["id"]
    server.until(lambda: server.job(job)["state"] == "running")
    server.process.send_signal(number)
    server.until(lambda: readiness(server) != 200)
    server.process.send_signal(number)
    assert server.process.wait(18) == 0  # of the 22 s that the job would have been given
    assert "given back" in server.said()
    with closing(sqlite3.connect(library / "library.db")) as database:
        state = database.execute("SELECT state, attempt FROM jobs").fetchall()
    assert state == [("queued", 0)]


@pytest.mark.parametrize("presses", [1, 3])
def test_ctrl_c_is_quiet_while_pages_and_clients_wait(serve: Serve, presses: int) -> None:
    server = serve().listening().ready()
    running = server.draw(**LONG if presses > 1 else {}).json()["job"]["id"]
    server.until(lambda: server.job(running)["state"] != "queued")
    drawing = json.dumps({"prompt": "an owl", "model": "fake", "size": "64x64"})
    with ExitStack() as lines:
        lines.enter_context(sent(server, "GET /api/v1/events", b"event: job"))
        if presses > 1:  # who asks once has all of this finished first
            lines.enter_context(sent(server, "POST /v1/images/generations", body=drawing))
            lines.enter_context(sent(server, "POST /api/v1/jobs", body="{", length=100))
            server.until(lambda: server.call("GET", "/api/v1/jobs").json()["counts"]["queued"])
        for _ in range(presses):
            server.process.send_signal(signal.SIGINT)
            server.until(lambda: readiness(server) != 200)
        # of the 22 s that drawings are given, and that clients wait for them
        assert server.process.wait(18 if presses > 1 else 30) == 0
    said = server.said()
    assert not [word for word in ("Traceback", "Exception", "Cancel") if word in said], said


@contextmanager
def sent(
    server: Any, request: str, until: bytes = b"", body: str = "", length: int | None = None
) -> Iterator[None]:
    """A request whose client waits, without reading more than ``until``."""
    length = len(body) if length is None else length
    text = (
        f"{request} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as line:
        line.sendall(text.encode())
        seen = b""
        while until not in seen:
            seen += line.recv(65536)
        yield


# ---------------------------------------------------------------- two servers, many clients


def test_two_servers_share_one_library(serve: Serve, tmp_path: Path) -> None:
    one, two = serve(tmp_path / "library"), serve(tmp_path / "library")  # they also make it
    one.listening().ready(), two.listening().ready()
    jobs = [(one, two)[n % 2].draw(f"fox {n}", num_images=2).json()["job"]["id"] for n in range(10)]
    for number, identity in enumerate(jobs):
        done = (two, one)[number % 2].finished(identity)  # asked of the other one
        assert (done["state"], done["attempt"], len(done["pictures"])) == ("done", 1, 2)
    pages = [server.call("GET", "/api/v1/pictures").json() for server in (one, two)]
    assert pages[0] == pages[1]
    assert pages[0]["total"] == 20
    assert fetch(one, pages[0]["pictures"][0]["id"]) == fetch(two, pages[0]["pictures"][0]["id"])
    one.kill()  # the other one goes on, with what this one left too
    last = two.draw("an owl").json()["job"]["id"]
    assert two.finished(last)["state"] == "done"


def test_a_hundred_concurrent_duplicates_make_one_job(serve: Serve, tmp_path: Path) -> None:
    servers = [serve(tmp_path / "library").listening() for _ in range(2)]
    with ThreadPoolExecutor(25) as pool:
        answers = list(pool.map(lambda n: servers[n % 2].draw(key="once", seed=7), range(100)))
    assert [answer.status for answer in answers] == [202] * 100
    assert len({answer.json()["job"]["id"] for answer in answers}) == 1
    counts = servers[0].call("GET", "/api/v1/jobs").json()["counts"]
    assert sum(counts.values()) == 1
    changed = servers[1].draw(key="once", seed=8)
    assert (changed.status, changed.json()["error"]["code"]) == (409, "idempotency_mismatch")
    assert servers[0].draw(key="another", seed=8).status == 202
