"""Runs the application until it is asked to end, and then lets running jobs finish."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn

from sfumato.errors import RequestError
from sfumato.gallery.folder import default_folder
from sfumato.server.app import make_app
from sfumato.server.keys import KeyStore
from sfumato.server.settings import ServerSettings
from sfumato.server.state import DRAIN_SECONDS, Server

_BACKLOG = 2048
_log = logging.getLogger("sfumato.server")


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one.

    Raises: RequestError: the address is taken, or not one of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sends small answers at once (TCP_NODELAY) only where the protocol is named; otherwise
    # each waits 40 ms for the client's delayed acknowledgement
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        raise RequestError(
            f"Nobody can listen on {host}:{port} ({error.strerror or error}).",
            hint="Is a server running already? Give another port: --port 7861.",
            code="address_taken",
        ) from None
    return listening


def make_settings(*, library: Path | None, **values: Any) -> ServerSettings:
    """Settings for a library, which may have keys.

    Raises: RequestError: values that cannot be; StorageError: its list of keys is damaged.
    """
    root = default_folder() if library is None else library.expanduser().absolute()
    return ServerSettings(library=root, has_keys=bool(KeyStore(root).known()), **values)


def serve(
    settings: ServerSettings,
    listening: socket.socket,
    *,
    on_ready: Callable[[], None] | None = None,
) -> None:
    """Serve until SIGTERM or Ctrl-C; a second one ends it without finishing what is drawn.

    Raises: StorageError: the library cannot be opened.
    """
    app = make_app(settings)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,  # the gate writes a better one
        server_header=False,
        http="h11",  # httptools is faster, and reads headers without end, and two of Host
        timeout_graceful_shutdown=round(DRAIN_SECONDS),
        timeout_keep_alive=30,
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=settings.tls_key,
        proxy_headers=False,  # nobody's word is taken for who calls
    )
    # uvicorn raises the signal once more when all is done; by then there is nothing left to end
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    _Uvicorn(config, app.state.server, on_ready).run(sockets=[listening])


class _Uvicorn(uvicorn.Server):
    def __init__(
        self, config: uvicorn.Config, server: Server, on_ready: Callable[[], None] | None
    ) -> None:
        super().__init__(config)
        self._sfumato = server
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and self._on_ready is not None:
            await asyncio.get_running_loop().run_in_executor(None, self._on_ready)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        if self.force_exit:  # then uvicorn leaves this out, and the library would not be closed
            await self.lifespan.shutdown()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._sfumato.draining.is_set():
            _log.info("ending now: running drawings are given back to the queue")
            # in a thread: the one that a signal interrupts may hold the lock that is needed
            threading.Thread(target=self._sfumato.workers.hurry, name="sfumato-hurry").start()
            if self._sfumato.loop is not None:
                self._sfumato.loop.call_soon_threadsafe(self._cut_off)
        else:
            _log.info("ending: running drawings are finished first")
        self._sfumato.begin_drain()
        super().handle_exit(sig, frame)

    def _cut_off(self) -> None:
        """End every request and every connection: whoever still waits has been waited for."""
        for task in tuple(self.server_state.tasks):
            task.cancel()
        for connection in tuple(self.server_state.connections):
            connection.transport.abort()
