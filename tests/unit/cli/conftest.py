"""Call the command line inside this process, as its console script does."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sfumato.cli.main import run


@dataclass(frozen=True)
class Outcome:
    """What a call left behind."""

    code: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        """stdout as text."""
        return self.out.decode()

    @property
    def objects(self) -> list[dict[str, Any]]:
        """stdout as one JSON object a line."""
        return [json.loads(line) for line in self.text.splitlines()]

    @property
    def json(self) -> Any:
        """stdout as one JSON value."""
        return json.loads(self.text)


Sfumato = Callable[..., Outcome]


@pytest.fixture
def folder(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The empty folder that commands run in, with none of sfumato's variables set."""
    for name in ("SFUMATO_DEBUG", "SFUMATO_PREVIEW"):
        monkeypatch.delenv(name, raising=False)
    return Path.cwd()


@pytest.fixture
def sfumato(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> Sfumato:
    """``sfumato("a red fox", "-n", "2", stdin=b"...")`` gives exit code, stdout and stderr."""

    def call(*args: str, stdin: bytes = b"") -> Outcome:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), "utf-8"))
        with pytest.raises(SystemExit) as ended:
            run(list(args))
        captured = capsysbinary.readouterr()
        assert b"Traceback" not in captured.err
        return Outcome(code=ended.value.code, out=captured.out, err=captured.err.decode())

    return call


@pytest.fixture
def draw(sfumato: Sfumato) -> Sfumato:
    """The same with the fake model and a small picture, which is what nearly every test needs."""

    def call(*args: str, stdin: bytes = b"") -> Outcome:
        return sfumato("draw", "--model", "fake", "--size", "32x32", *args, stdin=stdin)

    return call
