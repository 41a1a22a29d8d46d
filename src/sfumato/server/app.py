"""Makes the web application: gate, routes, errors, life."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from anyio import to_thread
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from fastapi.staticfiles import StaticFiles
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response

from sfumato import __version__
from sfumato.errors import SfumatoError
from sfumato.gallery import Library
from sfumato.gallery.picture import Healed
from sfumato.jobs import JobQueue, Workers
from sfumato.server.follow import Follower
from sfumato.server.keys import KeyStore
from sfumato.server.problems import Problem, answer_problem, problem_of
from sfumato.server.routes import (
    automatic1111,
    automatic1111_facts,
    health,
    native_jobs,
    native_pictures,
    native_studio,
    openai,
    reference,
)
from sfumato.server.schemas.native import job_out
from sfumato.server.security import Gate
from sfumato.server.settings import ServerSettings
from sfumato.server.state import Server
from sfumato.server.upkeep import Upkeep
from sfumato.studio import STATIC
from sfumato.wording import counted

_log = logging.getLogger("sfumato.server")
_DIALECTS = (
    health, native_jobs, native_pictures, native_studio, openai, automatic1111, automatic1111_facts,
    reference,
)  # fmt: skip

_ASKED_HEADERS = ("authorization", "content-type", "idempotency-key", "x-api-key", "x-csrf-token")


def make_app(settings: ServerSettings) -> FastAPI:
    """The application that serves one library. Workers start with it and are drained with it.

    Raises: StorageError: the library cannot be opened.
    """
    library = Library.open(settings.library, database=settings.database, check=True)
    if library.healed is not None:
        _tell_of(library.healed)
    queue = JobQueue(library)
    server = Server(
        settings=settings,
        library=library,
        queue=queue,
        workers=Workers(
            queue, count=settings.workers, warm=settings.warm, previews=settings.previews
        ),
        keys=KeyStore(library.folder.root),
        follower=Follower(queue, job_out(queue)),
        upkeep=Upkeep(
            queue,
            keep_jobs=settings.keep_jobs,
            keep_trash=settings.keep_trash,
            kept_free=queue.min_free_bytes,
        ),
    )
    app = FastAPI(
        title="sfumato",
        version=__version__,
        summary="Words into pictures, on your own machine.",
        openapi_url="/api/openapi.json",
        docs_url=None,  # its page loads scripts from elsewhere: see routes/reference.py
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_life,
    )
    app.state.server = server
    for routes in _DIALECTS:
        app.include_router(routes.router)
    if settings.studio and STATIC.is_dir():
        _serve_page(app)
    app.add_exception_handler(SfumatoError, _on_error)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(ValidationError, _on_invalid)  # of forms that routes read themselves
    app.add_middleware(Gate, settings=settings, keys=server.keys, counts=server.counts)
    if settings.cors_origins:
        from starlette.middleware.cors import CORSMiddleware

        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.cors_origins),
            allow_methods=["*"],
            allow_headers=list(_ASKED_HEADERS),
        )
    return app


@asynccontextmanager
async def _life(app: FastAPI) -> AsyncIterator[None]:
    server: Server = app.state.server
    server.loop = asyncio.get_running_loop()
    await to_thread.run_sync(server.workers.start)
    server.upkeep.start()
    try:
        yield
    finally:
        server.begin_drain()
        await server.follower.close()
        await to_thread.run_sync(server.finish_drain)


def _tell_of(healed: Healed) -> None:
    since = "its files" if healed.restored is None else f"its copy {healed.restored}"
    _log.warning(
        "the database was damaged: rebuilt from %s, %s added, %s missing, %s unreadable",
        since, counted(len(healed.added), "picture"), len(healed.missing), len(healed.damaged),
    )  # fmt: skip


def _serve_page(app: FastAPI) -> None:
    @app.get("/", include_in_schema=False)
    def page() -> Response:
        return FileResponse(STATIC / "index.html")

    @app.get("/favicon.ico", include_in_schema=False)
    def icon() -> Response:
        return RedirectResponse("/studio/favicon.svg")

    app.mount("/studio", StaticFiles(directory=STATIC), name="studio")


async def _on_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, SfumatoError)
    return answer_problem(request, error)


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return answer_problem(
        request, problem_of(error.status_code, str(error.detail)), error.status_code
    )


async def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, (RequestValidationError, ValidationError))
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "path"))
    message = f"{where or 'The request'}: {first['msg']}."
    problem = Problem("bad_request", message, param=where or None)
    return answer_problem(request, problem)
