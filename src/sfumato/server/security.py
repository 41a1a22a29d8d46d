"""Who may call, and what may come in: checked before any route sees a request.

Local means local. A page on the web can make a browser send requests to 127.0.0.1, under a name of
its own (DNS rebinding) or as a plain form (CSRF); so the Host header must be one of ours, an Origin
must be one of ours or named in the settings, and both fail closed. ``Origin: null`` is nobody's.
"""

from __future__ import annotations

import base64
import binascii
import logging
import secrets
import time
from collections import Counter

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sfumato.errors import SfumatoError
from sfumato.server.bodies import Bounded, too_large
from sfumato.server.keys import Key, KeyStore, RateLimit
from sfumato.server.problems import Problem, answer_problem
from sfumato.server.settings import MAX_JSON_BYTES, MAX_UPLOAD_BYTES, ServerSettings

SESSION_COOKIE = "sfumato_session"
_OPEN_PATHS = ("/", "/favicon.ico", "/healthz", "/readyz", "/api/v1/session")
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_MANAGING = ("DELETE", "PATCH", "PUT")
_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "font-src 'self'; connect-src 'self'; manifest-src 'self'; form-action 'none'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
_log = logging.getLogger("sfumato.server")


class Gate:
    """The outermost layer: request ids, the log, headers, and every refusal."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        settings: ServerSettings,
        keys: KeyStore,
        counts: Counter[tuple[str, int]],
    ) -> None:
        """``counts`` collects answers by method and status."""
        self._app = app
        self._settings = settings
        self._keys = keys
        self._hosts, self._origins = settings.hosts(), settings.origins()
        self._rate = RateLimit(settings.requests_per_minute)
        self.counts = counts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it here."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id, started = secrets.token_hex(8), time.perf_counter()
        scope.setdefault("state", {})["request_id"] = request_id
        status = 0

        async def dressed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _dress(MutableHeaders(scope=message), request_id, scope["path"])
            await send(message)

        try:
            await self._pass(scope, receive, dressed)
        except Exception:
            _log.exception("fault", extra={"request_id": request_id})
            if status:  # half an answer is out: the client must see that it is cut short
                raise
            await answer_problem(Request(scope), _fault(request_id))(scope, receive, dressed)
        finally:
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self.counts[(method, status)] += 1  # strangers may send any word for a method
            _log.info(
                "request",
                extra={
                    "request_id": request_id,
                    "method": scope["method"],
                    "path": _told(scope["path"]),
                    "status": status,
                    "ms": round(1000 * (time.perf_counter() - started), 1),
                },
            )

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        try:
            self._check_origin(request)
            self._check_key(request)
            limit = self._check_length(request)
        except SfumatoError as problem:  # also a list of keys that cannot be read: nobody comes in
            await answer_problem(request, problem)(scope, receive, send)
            return
        await self._app(scope, Bounded(receive, limit), send)

    def _check_origin(self, request: Request) -> None:
        headers = request.headers
        names = headers.getlist("host")  # two of them could be read in two ways
        if len(names) != 1 or names[0].lower() not in self._hosts:
            raise Problem(
                "forbidden",
                "This server does not answer to that name.",
                hint="Use its own address, or name the host with --public-host.",
            )
        origins = headers.getlist("origin")
        if any(origin.lower() not in self._origins for origin in origins):
            raise Problem(
                "forbidden", "Pages of other sites may not call this server.",
                hint="Name the page's origin with --cors-origin.",
            )  # fmt: skip
        # without an Origin a browser still says where a request comes from
        if not origins and headers.get("sec-fetch-site") == "cross-site" and _changes(request):
            raise Problem("forbidden", "Pages of other sites may not change anything here.")

    def _check_key(self, request: Request) -> None:
        caller = request.client.host if request.client else "?"
        request.scope["state"]["owner"] = ""
        needs_key = self._settings.needs_key or bool(self._keys.known())
        if needs_key and not self._is_open(request):
            key = self._key_of(request)
            if key is None:
                raise Problem(
                    "unauthorized",
                    "This server needs a key.",
                    hint="Send it as 'Authorization: Bearer <key>'; make one: sfumato keys add.",
                )
            needed = _scope_needed(request)
            if needed not in key.scopes:
                raise Problem("forbidden", f"The key {key.name!r} may not {needed}.")
            request.scope["state"]["owner"] = caller = key.id
        if _changes(request) and not self._rate.allows(caller):
            raise Problem("rate_limited", "Too many calls.", hint="Wait some seconds.")

    def _is_open(self, request: Request) -> bool:
        """The page itself holds no secret, and the addresses of files are signed."""
        path = request.scope["path"]
        return path in _OPEN_PATHS or path.startswith(("/studio/", "/v1/files/"))

    def _key_of(self, request: Request) -> Key | None:
        for secret in secrets_of(request):
            key = self._keys.find(secret)
            if key is not None:
                return key
        return self._keys.find_session(request.cookies.get(SESSION_COOKIE, ""))

    def _check_length(self, request: Request) -> int:
        kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
        # A1111's pictures come as base64 inside JSON: a third longer than the files they are
        big = kind.startswith("multipart/") or request.scope["path"].startswith("/sdapi/")
        limit = MAX_UPLOAD_BYTES * 4 // 3 + MAX_JSON_BYTES if big else MAX_JSON_BYTES
        if kind.startswith("multipart/"):
            limit = MAX_UPLOAD_BYTES + MAX_JSON_BYTES
        length = request.headers.get("content-length", "0")
        if not length.isdigit() or int(length) > limit:
            raise too_large(limit)
        if _changes(request) and kind in ("text/plain", "application/x-www-form-urlencoded"):
            # what a foreign page may send without asking; no route of ours takes either
            raise Problem("unsupported_media", "Send JSON or multipart form data.")
        return limit


def secrets_of(request: Request) -> list[str]:
    """Every place a client may put its key."""
    found = []
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        found.append(value.strip())
    elif scheme.lower() == "basic":
        try:
            user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
            found += [password, user]
        except (binascii.Error, UnicodeDecodeError):
            pass
    if "x-api-key" in request.headers:
        found.append(request.headers["x-api-key"])
    return found


def _told(path: str) -> str:
    """A path as the log may have it: whoever reads the end of these could fetch the picture."""
    return f"{path.rpartition('/')[0]}/…" if path.startswith("/v1/files/") else path


def _changes(request: Request) -> bool:
    return request.method not in ("GET", "HEAD", "OPTIONS")


def _scope_needed(request: Request) -> str:
    if not _changes(request):
        return "read"
    path = request.scope["path"]
    if request.method in _MANAGING or path.endswith(("/import", "/purge", "/settings", "/options")):
        return "manage"
    return "draw"


def _dress(headers: MutableHeaders, request_id: str, path: str) -> None:
    headers["X-Request-Id"] = request_id
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", "no-referrer")
    headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
    if "content-security-policy" not in headers:
        headers["Content-Security-Policy"] = _CSP
    headers.setdefault("Cache-Control", "no-store" if path.startswith("/api/") else "no-cache")


def _fault(request_id: str) -> SfumatoError:
    return SfumatoError(
        "Something unexpected happened. This is a fault in sfumato.",
        hint=f"The log says more under request {request_id}.",
        code="bug",
    )
