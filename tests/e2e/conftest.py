"""Drive the real command in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

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
