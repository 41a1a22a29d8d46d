"""Drive the real command, and the real server, in processes of their own."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

TIMEOUT = 120  # seconds; a guard against hanging, not a measurement

Run = Callable[..., "subprocess.CompletedProcess[bytes]"]
Start = Callable[..., "subprocess.Popen[bytes]"]


def _command(args: tuple[str, ...]) -> list[str]:
    return [sys.executable, "-m", "sfumato", *args]


@pytest.fixture
def folder(home: Path) -> Path:
    """The empty folder that commands run in."""
    return Path.cwd()


@pytest.fixture
def run(folder: Path) -> Run:
    """``run("a red fox", "--seed", "7", stdin=b"...", env={...})`` to its end."""

    def call(
        *args: str, stdin: bytes = b"", env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        done = subprocess.run(
            _command(args),
            input=stdin,
            capture_output=True,
            timeout=TIMEOUT,
            env={**os.environ, **(env or {})},
            check=False,
        )
        assert b"Traceback" not in done.stderr, done.stderr.decode()
        return done

    return call


@pytest.fixture
def start(folder: Path) -> Start:
    """Start a command and leave it running, both outputs on pipes."""

    def call(*args: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            _command(args),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # a signal sent to it must not reach the tests
            start_new_session=True,
            # a shell that runs the tests in the background has them, and theirs, ignore Ctrl-C
            preexec_fn=_heed_ctrl_c,
        )

    return call


def _heed_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


# ---------------------------------------------------------------- a live server


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: status, headers in lower case, body."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class LiveServer:
    """``sfumato serve`` as a process group of its own, and a client that adds nothing by itself."""

    def __init__(self, library: Path, log: Path, *args: str, env: dict[str, str]) -> None:
        self.library, self.log = library, log
        command = _command(("serve", "--port", "0", "--model", "fake", *args))
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                [*command, "--library", str(library)],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                env={**os.environ, **env},
                start_new_session=True,
                preexec_fn=_heed_ctrl_c,
            )
        self.port = 0

    @staticmethod
    def until(condition: Callable[[], object]) -> None:
        """Look again and again; only a broken program makes anyone wait to the end."""
        deadline = time.monotonic() + TIMEOUT
        while not condition():
            assert time.monotonic() < deadline, "nothing happened"
            time.sleep(0.03)

    def listening(self) -> LiveServer:
        """Wait until it answers."""
        self.until(lambda: self._said_its_port() or self.process.poll() is not None)
        assert self.port, self.said()
        return self

    def ready(self) -> LiveServer:
        """Wait until it draws."""
        self.until(lambda: self.call("GET", "/readyz").status == 200)
        return self

    def _said_its_port(self) -> bool:
        found = re.search(r"listens on https?://\S+:(\d+)/", self.said())
        self.port = int(found[1]) if found else 0
        return bool(found)

    def said(self) -> str:
        """Everything it wrote to its outputs."""
        return self.log.read_text("utf-8", "replace")

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,
        host: str | None = None,
    ) -> Answer:
        """One request over a connection of its own; ``body`` is bytes, or becomes JSON."""
        sent = {"Host": f"127.0.0.1:{self.port}" if host is None else host, **(headers or {})}
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)
        try:
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            named = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, named, answer.read())
        finally:
            connection.close()

    def draw(self, prompt: str = "a red fox", *, key: str | None = None, **fields: Any) -> Answer:
        """Queue a drawing by the fake model."""
        body = {"prompt": prompt, "model": "fake", "width": 64, "height": 64, **fields}
        return self.call(
            "POST", "/api/v1/jobs", body, headers={"Idempotency-Key": key} if key else None
        )

    def job(self, identity: str) -> dict[str, Any]:
        """A job as it is now."""
        answer = self.call("GET", f"/api/v1/jobs/{identity}")
        assert answer.status == 200, answer
        found: dict[str, Any] = answer.json()["job"]
        return found

    def finished(self, identity: str) -> dict[str, Any]:
        """A job once it has ended."""
        self.until(lambda: self.job(identity)["state"] in ("done", "failed", "cancelled"))
        return self.job(identity)

    def workers(self) -> list[int]:
        """The processes that draw; Linux says which they are."""
        found = []
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError, ValueError):
                fields = (entry.parent / "stat").read_text().rpartition(")")[2].split()
                is_child = int(fields[1]) == self.process.pid and fields[0] != "Z"
                if is_child and b"spawn_main" in entry.read_bytes():
                    found.append(int(entry.parent.name))
        return found

    def stop(self) -> int:
        """Ask it to end, as a service manager does; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(TIMEOUT)

    def kill(self) -> None:
        """Take it and every process of it away at once, as a loss of power does."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(TIMEOUT)


Serve = Callable[..., LiveServer]


@pytest.fixture(scope="module")
def serve_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """``serve(library, "--key-required", env={...})``; what still runs at the end is killed."""
    begun: list[LiveServer] = []
    home = tmp_path_factory.mktemp("serve")

    def start(
        library: Path | None = None, *args: str, env: dict[str, str] | None = None
    ) -> LiveServer:
        place = home / f"library-{len(begun)}" if library is None else library
        data = {"HOME": str(home), "XDG_DATA_HOME": str(home / "data")}
        log = home / f"server-{len(begun)}.log"
        server = LiveServer(place, log, *args, env={**data, **(env or {})})
        begun.append(server)
        return server

    yield start
    for server in begun:
        server.kill()


@pytest.fixture
def serve(serve_module: Serve) -> Iterator[Serve]:
    """The same for one test: its servers end with it."""
    begun: list[LiveServer] = []

    def start(*args: Any, **options: Any) -> LiveServer:
        begun.append(serve_module(*args, **options))
        return begun[-1]

    yield start
    for server in begun:
        server.kill()
