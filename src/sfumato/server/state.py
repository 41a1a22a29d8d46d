"""What every handler works with: the library, the queue, the workers, the keys, the settings."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections import Counter
from dataclasses import dataclass, field

from starlette.requests import Request

from sfumato.gallery import Library
from sfumato.jobs import JobQueue, Workers
from sfumato.server.follow import Follower
from sfumato.server.keys import KeyStore
from sfumato.server.problems import Problem
from sfumato.server.settings import ServerSettings
from sfumato.server.upkeep import Upkeep

DRAIN_SECONDS = 22.0  # for running jobs; whoever ends a service gives it 30 s in all


@dataclass(slots=True, kw_only=True)
class Server:
    """One running server."""

    settings: ServerSettings
    library: Library
    queue: JobQueue
    workers: Workers
    keys: KeyStore
    follower: Follower
    upkeep: Upkeep
    counts: Counter[tuple[str, int]] = field(default_factory=Counter)  # answers: method, status
    waited_for: dict[str, str] = field(default_factory=dict)  # A1111 clients' jobs: id, owner
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))  # for uploads by pages
    draining: threading.Event = field(default_factory=threading.Event)
    loop: asyncio.AbstractEventLoop | None = None
    _drain: threading.Thread | None = None

    def begin_drain(self) -> None:
        """Take no more jobs, end every stream, let running jobs finish; returns at once."""
        if self.draining.is_set():
            return
        self.draining.set()
        if self.loop is not None:
            self.loop.call_soon_threadsafe(self.follower.end_streams)
        self._drain = threading.Thread(target=self._drain_workers, name="sfumato-drain")
        self._drain.start()

    def finish_drain(self) -> None:
        """Wait until the workers have ended, then close the library."""
        self.begin_drain()
        if self._drain is not None:
            self._drain.join()
        self.upkeep.stop()
        self.library.close()

    def _drain_workers(self) -> None:
        self.workers.drain(DRAIN_SECONDS)

    def check_open(self) -> None:
        """Raises: Problem: the server is ending and takes no more jobs."""
        if self.draining.is_set():
            raise Problem("draining", "The server is ending.", hint="Try again in a minute.")


def server_of(request: Request) -> Server:
    """The server a request came to."""
    server: Server = request.app.state.server
    return server


def owner_of(request: Request) -> str:
    """Whose request it is: a key's id, or "" where no keys are."""
    owner: str = request.scope["state"].get("owner", "")
    return owner


def address_of(request: Request) -> str:
    """The address that a client used, with a slash at its end; a proxy may speak TLS for us."""
    settings = server_of(request).settings
    host = request.headers["host"]
    behind = host.lower() in {name.lower() for name in settings.public_hosts}
    secure = behind and request.headers.get("x-forwarded-proto", "").lower() == "https"
    return f"{'https' if secure else settings.scheme}://{host}/"


def require_token(request: Request) -> None:
    """Pages that upload must send the token that only our own origin can have read.

    Raises: Problem: a browser sent the request without it.
    """
    if "origin" not in request.headers:
        return  # no browser: programs are let in by their key, or on loopback by being here
    sent = request.headers.get("x-csrf-token", "")
    if not secrets.compare_digest(sent.encode(), server_of(request).token.encode()):
        raise Problem("forbidden", "The upload lacks this page's token.", hint="Reload the page.")
