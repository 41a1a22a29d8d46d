"""Bodies on their way in: JSON that is neither deep nor odd, before a parser sees it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive

from sfumato.server.problems import Problem
from sfumato.server.settings import MAX_JSON_DEPTH

# a whole string, or one that the text ends in: every quote is looked at once
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*\\?(?:"|\Z)', re.DOTALL)
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


class StrictRoute(APIRoute):
    """A route whose JSON bodies nest at most 32 deep and hold no NaN and no infinity.

    A parser would already have used the stack that a hostile text is after.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The framework's handler behind our look at the body."""
        handle = super().get_route_handler()

        async def checked(request: Request) -> Response:
            if is_json(request):
                request = _StrictRequest(request.scope, request.receive)
                check_depth(await request.body())
            return await handle(request)

        return checked


class _StrictRequest(Request):
    async def json(self) -> Any:
        """The body, parsed once. Raises: json.JSONDecodeError, as the framework expects."""
        if not hasattr(self, "_json"):
            self._json = parse_json(await self.body())
        return self._json


class Bounded:
    """A body that may be sent in pieces, of which no more than ``limit`` bytes are read."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._left = limit
        self._limit = limit

    async def __call__(self) -> Message:
        """The next piece. Raises: HTTPException: 413, there were too many."""
        message = await self._receive()
        if message["type"] == "http.request":
            self._left -= len(message.get("body", b""))
            if self._left < 0:
                raise HTTPException(413, too_large(self._limit).message)
        return message


def is_json(request: Request) -> bool:
    """Whether the body claims to be JSON, or claims nothing."""
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    return kind in ("", "application/json") or kind.endswith("+json")


def json_depth(body: bytes) -> int:
    """How deep the brackets of a JSON text nest, strings aside; without parsing it."""
    depth = deepest = 0
    for bracket in _STRING.sub(b"", body).translate(None, _NO_BRACKETS):
        if bracket in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        else:
            depth -= 1
    return deepest


def check_depth(body: bytes) -> None:
    """Raises: Problem: brackets nest deeper than in any request of ours."""
    if json_depth(body) > MAX_JSON_DEPTH:
        raise Problem("bad_request", f"The JSON nests deeper than {MAX_JSON_DEPTH}.")


def parse_json(body: bytes) -> Any:
    """A JSON value. Raises: json.JSONDecodeError: not JSON, or it holds NaN or infinities."""

    def refuse(constant: str) -> Any:
        raise json.JSONDecodeError(f"{constant} is no JSON number", "", 0)

    try:
        return json.loads(body, parse_constant=refuse)
    except json.JSONDecodeError:
        raise
    except (ValueError, RecursionError) as error:  # bytes that are no UTF-8, endless integers
        raise json.JSONDecodeError(str(error), "", 0) from None


def too_large(limit: int) -> Problem:
    """The error of a body longer than ``limit`` bytes."""
    return Problem("too_large", f"The request is larger than {limit // 1024 // 1024} MiB.")
