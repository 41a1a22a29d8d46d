"""What the log holds, and what it must not."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from sfumato.server.logs import JsonLines, LogFormat, PlainLines, set_up_logs


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Other tests find the loggers as they were."""
    loggers = [logging.getLogger(name) for name in ("sfumato", "uvicorn")]
    kept = [(logger.handlers, logger.propagate, logger.level) for logger in loggers]
    yield
    for logger, (handlers, propagate, level) in zip(loggers, kept, strict=True):
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)


@pytest.mark.parametrize("format_", ["text", "json"])
def test_a_request_is_one_line_without_prompt_query_or_key(
    client: TestClient, capsys: pytest.CaptureFixture[str], format_: LogFormat
) -> None:
    set_up_logs(format_)
    sent = {"Authorization": "Bearer sf-secret"}
    answer = client.get("/api/v1/pictures?q=private+words", headers=sent)
    client.get("/v1/files/somepicture/99/signature")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert "/api/v1/pictures" in lines[0] and "200" in lines[0]
    for secret in ("secret", "private", "signature"):
        assert secret not in "".join(lines)
    if format_ == "json":
        line = json.loads(lines[0])
        assert line["request_id"] == answer.headers["x-request-id"]
        assert (line["method"], line["status"], line["level"]) == ("GET", 200, "info")


def test_quiet_leaves_out_requests_and_keeps_faults(
    client: TestClient, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    set_up_logs("text", quiet=True)
    client.get("/healthz")
    assert capsys.readouterr().err == ""

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(client.app.state.server.queue, "jobs", broken)
    client.get("/api/v1/jobs")
    assert "RuntimeError: broken" in capsys.readouterr().err


def test_a_request_that_the_ending_server_cuts_off_is_no_fault(
    capsys: pytest.CaptureFixture[str],
) -> None:
    set_up_logs("text")
    log = logging.getLogger("uvicorn.error")  # as uvicorn tells of both
    for error in (asyncio.CancelledError(), RuntimeError("broken")):
        log.error("Exception in ASGI application", exc_info=error)
    said = capsys.readouterr().err
    assert "CancelledError" not in said
    assert said.count("Exception in ASGI application") == 1 and "RuntimeError: broken" in said


def record(path: str) -> logging.LogRecord:
    """A request's record, inside an exception."""
    try:
        raise ValueError("wrong")
    except ValueError:
        made = logging.LogRecord("sfumato", logging.INFO, "", 1, "request", (), sys.exc_info())
    made.__dict__ |= {"method": "GET", "path": path, "status": 500, "ms": 1.5}
    return made


def test_nothing_in_a_path_begins_a_line_of_its_own() -> None:
    hostile = record("/a\n12:00:00 GET /forged\x1b[31m")
    plain = PlainLines().format(hostile).partition("\nTraceback")[0]
    assert "\n" not in plain and "\x1b" not in plain
    line = JsonLines().format(hostile)
    assert "\n" not in line
    assert json.loads(line)["path"] == hostile.__dict__["path"]
    assert "ValueError: wrong" in json.loads(line)["exception"]
