"""Real worker processes: drawing, dying, being replaced, being asked to leave."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sfumato.errors import RequestError
from sfumato.gallery import Library
from sfumato.generate import generate
from sfumato.jobs import JobQueue, Workers
from sfumato.request import GenerationRequest

Ask = Callable[..., GenerationRequest]

pytestmark = pytest.mark.slow
PATIENCE = 120.0  # seconds; only a broken program waits so long
KILLS = int(os.environ.get("SFUMATO_TEST_KILLS", "6"))  # 50 where there is time

# a program that serves a library until it is asked to leave, as the server does
SERVER = """
import sys
from pathlib import Path
from sfumato.gallery import Library
from sfumato.jobs import JobQueue, Workers

if __name__ == "__main__":
    with Library.open(Path(sys.argv[1])) as library:
        workers = Workers(JobQueue(library, lease_seconds=5.0), niceness=0)
        workers.start()
        print("started", flush=True)
        print("finished" if workers.serve() else "given back", flush=True)
"""


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.02)


@pytest.fixture
def workers(own: JobQueue) -> Iterator[Workers]:
    with Workers(own, niceness=0) as started:
        until(lambda: started.ready)
        yield started


def test_jobs_are_drawn_in_a_process_that_stays(own: JobQueue, workers: Workers, ask: Ask) -> None:
    pids = workers.pids
    assert os.getpid() not in pids
    for seed in (3, 4):
        job = own.wait(own.submit(ask(num_images=2, seed=seed)).id, PATIENCE)
        assert job.state == "done"
        assert job.worker is None
        assert [own.library.get(p).pixel_sha256 for p in job.pictures] == [
            image.pixel_sha256 for image in generate(job.request).images
        ]
    assert workers.pids == pids


@pytest.mark.skipif(not hasattr(os, "SCHED_BATCH"), reason="priorities as Linux has them")
def test_workers_step_back_behind_whoever_answers(own: JobQueue) -> None:
    with Workers(own, niceness=3) as started:
        (pid,) = started.pids
        before = os.getpriority(os.PRIO_PROCESS, 0)
        until(lambda: os.sched_getscheduler(pid) == os.SCHED_BATCH)
        assert os.getpriority(os.PRIO_PROCESS, pid) == min(before + 3, 19)


def test_a_killed_worker_is_replaced_and_its_job_drawn(
    own: JobQueue, workers: Workers, ask: Ask
) -> None:
    job = own.submit(ask(num_images=64, num_inference_steps=150, width=256, height=256))
    until(lambda: len(own.get(job.id).pictures) > 0)
    (pid,) = workers.pids
    os.kill(pid, signal.SIGKILL)
    until(lambda: own.get(job.id).attempt == 2)
    reasons = [e.data["reason"] for e in own.read_events(job.id) if e.kind == "queued"]
    assert reasons == ["new", "its worker died (SIGKILL)"]
    own.cancel(job.id)
    assert own.wait(job.id, PATIENCE).state == "cancelled"
    assert own.wait(own.submit(ask()).id, PATIENCE).state == "done"


def test_a_worker_that_hangs_holds_up_nobody_who_has_news(
    own: JobQueue, workers: Workers, ask: Ask
) -> None:
    (pid,) = workers.pids
    os.kill(pid, signal.SIGSTOP)
    try:
        telling = threading.Thread(
            target=lambda: [own._tell("submitted", "any") for _ in range(20_000)], daemon=True
        )
        telling.start()
        telling.join(PATIENCE)
        assert not telling.is_alive()
    finally:
        os.kill(pid, signal.SIGCONT)
    assert own.wait(own.submit(ask()).id, PATIENCE).state == "done"


def test_draining_finishes_what_is_running_and_begins_nothing(own: JobQueue, ask: Ask) -> None:
    workers = Workers(own, niceness=0)
    workers.start()
    first = own.submit(ask(num_images=8, width=256, height=256))
    until(lambda: own.get(first.id).state == "running")
    second = own.submit(ask())
    assert workers.drain(PATIENCE) is True
    assert own.get(first.id).state == "done"
    assert own.get(second.id).state == "queued"
    assert workers.pids == []
    assert not workers.ready


def test_what_takes_too_long_to_drain_is_given_back(own: JobQueue, ask: Ask) -> None:
    workers = Workers(own, niceness=0)
    workers.start()
    job = own.submit(ask(num_images=64, num_inference_steps=150, width=512, height=512))
    until(lambda: own.get(job.id).state == "running")
    started = time.monotonic()
    assert workers.drain(0.5) is False
    assert time.monotonic() - started < 30
    back = own.get(job.id)
    assert (back.state, back.attempt) == ("queued", 0)


def test_a_number_of_workers_that_cannot_be_is_refused(own: JobQueue) -> None:
    with pytest.raises(RequestError):
        Workers(own, count=0)


# ---------------------------------------------------------------- a whole server


@pytest.fixture
def serve(tmp_path: Path, folder: Path) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Start the program above; what is left of it is killed when the test ends."""
    script = tmp_path / "serve.py"
    script.write_text(SERVER, "utf-8")
    begun: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        program = subprocess.Popen(
            [sys.executable, str(script), str(folder)], stdout=subprocess.PIPE, text=True
        )
        begun.append(program)
        assert program.stdout is not None
        assert program.stdout.readline() == "started\n"
        return program

    yield start
    for program in begun:
        program.kill()
        program.wait()
        assert program.stdout is not None
        program.stdout.close()


def test_sigterm_drains(
    own: JobQueue, ask: Ask, serve: Callable[[], subprocess.Popen[str]]
) -> None:
    program = serve()
    job = own.submit(ask(num_images=8))
    until(lambda: own.get(job.id).state == "running")
    program.send_signal(signal.SIGTERM)
    out, _ = program.communicate(timeout=PATIENCE)
    assert out == "finished\n"
    assert program.returncode == 0
    assert own.get(job.id).state == "done"


def test_two_servers_share_one_library(
    own: JobQueue, ask: Ask, serve: Callable[[], subprocess.Popen[str]]
) -> None:
    serve(), serve()
    jobs = [own.submit(ask(num_images=2)).id for _ in range(12)]
    for job in jobs:
        done = own.wait(job, PATIENCE)
        assert (done.state, done.attempt, len(done.pictures)) == ("done", 1, 2)
        assert [e.kind for e in own.read_events(job)].count("started") == 1
    assert own.library.count() == 24


def children_of(pid: int) -> list[int]:
    """Processes that were started by ``pid``; Linux says so."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(entry.parent.name))
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_kill_9_at_random_points_loses_nothing(
    own: JobQueue, folder: Path, ask: Ask, serve: Callable[[], subprocess.Popen[str]]
) -> None:
    """Promises 1 and 8: what was acknowledged stays, what was asked for is drawn.

    The ledger holds every picture that a client was told of, with the hash of its file.
    """
    dice = random.Random(8)
    ledger: dict[str, str] = {}
    jobs: list[str] = []

    def look() -> None:
        for job in jobs:
            for identity in own.get(job).pictures:
                if identity not in ledger:
                    data = own.library.get(identity).path.read_bytes()
                    ledger[identity] = hashlib.sha256(data).hexdigest()

    for kill in range(KILLS):
        program = serve()
        jobs += [own.submit(ask(num_images=3, num_inference_steps=8)).id for _ in range(2)]
        until(lambda: own.counts()["running"] > 0)
        time.sleep(dice.uniform(0, 0.4))
        workers = children_of(program.pid)
        victims = [program.pid, *workers] if kill % 2 else workers[-1:] or [program.pid]
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        look()
        program.kill()
        program.wait()
        assert own.database.check(thorough=True) == []
    serve()
    for job in jobs:
        ended = own.wait(job, PATIENCE)
        # a job that was met by three kills has failed, which is said; all others are drawn
        assert ended.state == "done" or (ended.state == "failed" and ended.attempt == 3)
        assert len(ended.pictures) == len(set(ended.pictures)) == 3 or ended.state == "failed"
    look()
    healed = own.library.heal()
    assert healed.whole
    for identity, expected in ledger.items():
        picture = own.library.get(identity)
        assert hashlib.sha256(picture.path.read_bytes()).hexdigest() == expected
        assert picture.file_sha256 == expected
    assert len(ledger) >= 3 * sum(own.get(job).state == "done" for job in jobs)


CRASHING = """
import ctypes, dataclasses
from sfumato.backends import fake

def spec(name):
    return dataclasses.replace(fake.spec(name), name=name)

class Model(fake.FakeModel):
    def decode(self, latents, plan):
        if "segfault" in plan.prompt:
            ctypes.string_at(0)
        if "memory" in plan.prompt:
            raise MemoryError
        return super().decode(latents, plan)

def load(name):
    model = Model(name)
    model.spec = spec(name)
    return model
"""
ENTRY_POINTS = "[sfumato.models]\ncrashing = crashing_model:load\n"
CRASH_SCRIPT = """
import json, sys
from pathlib import Path
from sfumato.gallery import Library
from sfumato.jobs import JobQueue, Workers
from sfumato.request import GenerationRequest

if __name__ == "__main__":
    with Library.open(Path(sys.argv[1])) as library:
        queue = JobQueue(library)
        ask = dict(model="crashing", width=32, height=32)
        ids = [
            queue.submit(GenerationRequest(prompt=prompt, **ask)).id
            for prompt in ("a segfault", "a fox", "out of memory", "an owl")
        ]
        with Workers(queue, niceness=0):
            jobs = [queue.wait(job, 120) for job in ids]
        print(json.dumps([[j.state, j.attempt, j.error and j.error.code] for j in jobs]))
"""


def test_a_crash_harms_its_own_job_only(tmp_path: Path, folder: Path) -> None:
    plugin = tmp_path / "plugin"
    sheet = plugin / "crashing_model-1.0.dist-info"
    sheet.mkdir(parents=True)
    (plugin / "crashing_model.py").write_text(CRASHING, "utf-8")
    (sheet / "entry_points.txt").write_text(ENTRY_POINTS, "utf-8")
    (sheet / "METADATA").write_text("Metadata-Version: 2.1\nName: crashing-model\nVersion: 1.0\n")
    script = tmp_path / "crash.py"
    script.write_text(CRASH_SCRIPT, "utf-8")
    path = os.pathsep.join([str(plugin), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, str(script), str(folder)],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == [
        ["failed", 3, "worker_died"],
        ["done", 1, None],
        ["failed", 1, "out_of_memory"],
        ["done", 1, None],
    ]
    with Library.open(folder) as library:
        assert library.count() == 2
