"""Logs for people and for programs: one line a request, JSON where that is asked for.

Keys, prompts and query strings are never written.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from datetime import datetime, timezone
from typing import Any, Literal

LogFormat = Literal["text", "json"]
_FIELDS = ("request_id", "method", "path", "status", "ms")


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and the request's own fields."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, timezone.utc).isoformat(
                timespec="milliseconds"
            ),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: getattr(record, name) for name in _FIELDS if hasattr(record, name)}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


class PlainLines(logging.Formatter):
    """``12:30:01 POST /api/v1/jobs 202 3.1 ms``."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        moment = datetime.fromtimestamp(record.created).astimezone()
        values = [str(getattr(record, name)) for name in _FIELDS[1:] if hasattr(record, name)]
        said = f"{' '.join(values)} ms" if values else record.getMessage()
        # a path may hold anything: nothing in it may begin a line of its own
        line = f"{moment:%H:%M:%S} {''.join(c if c.isprintable() else '?' for c in said)}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def is_news(record: logging.LogRecord) -> bool:
    """False for a request that was cut off as the server ended: uvicorn takes it for a fault."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, asyncio.CancelledError)


def set_up_logs(format_: LogFormat, *, quiet: bool = False) -> None:
    """Send the server's log to stderr; ``quiet`` leaves out all but warnings and faults."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if format_ == "json" else PlainLines())
    handler.addFilter(is_news)
    for name, level in (("sfumato", logging.INFO), ("uvicorn", logging.WARNING)):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.propagate = False
        logger.setLevel(max(level, logging.WARNING) if quiet else level)
