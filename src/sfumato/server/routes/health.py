"""Is it alive, is it ready, how is it doing."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse
from starlette.responses import Response

from sfumato import __version__
from sfumato.errors import SfumatoError
from sfumato.server.state import server_of

router = APIRouter(tags=["Health"])


@router.get("/healthz", summary="Whether the process answers")
async def alive() -> dict[str, str]:
    """Touches nothing: a full disk or a busy database does not make a process dead."""
    return {"status": "ok", "version": __version__}


@router.get("/readyz", summary="Whether a drawing sent now would be drawn")
def ready(request: Request) -> Response:
    """200, or 503 with the reason: no worker yet, draining, library gone, disk full."""
    server = server_of(request)
    reason = None
    try:
        server.queue.check_room()
    except SfumatoError as error:
        reason = error.one_line()
    if server.draining.is_set():
        reason = "The server is ending."
    elif reason is None and not server.workers.ready:
        reason = "No worker is ready yet."
    if reason is None:
        return JSONResponse({"status": "ready"})
    return JSONResponse({"status": "not ready", "reason": reason}, status_code=503)


@router.get("/metrics", summary="Figures for Prometheus", response_class=PlainTextResponse)
def metrics(request: Request) -> PlainTextResponse:
    """Jobs by state, pictures, workers, free bytes, in Prometheus' text format 0.0.4."""
    server = server_of(request)
    answers = sorted(server.counts.items())
    lines = [
        "# HELP sfumato_answers_total Answers by method and status; 0: the client left first.",
        "# TYPE sfumato_answers_total counter",
        *(f'sfumato_answers_total{{method="{m}",status="{s}"}} {n}' for (m, s), n in answers),
        "# HELP sfumato_jobs Jobs in the queue's memory, by state.",
        "# TYPE sfumato_jobs gauge",
        *(f'sfumato_jobs{{state="{s}"}} {n}' for s, n in server.queue.counts().items()),
        "# HELP sfumato_pictures Pictures outside the trash.",
        "# TYPE sfumato_pictures gauge",
        f"sfumato_pictures {server.library.count()}",
        "# HELP sfumato_workers Processes that draw.",
        "# TYPE sfumato_workers gauge",
        f"sfumato_workers {len(server.workers.pids)}",
        "# HELP sfumato_free_bytes Room left for pictures.",
        "# TYPE sfumato_free_bytes gauge",
        f"sfumato_free_bytes {server.library.folder.free_bytes()}",
        "# HELP sfumato_info The version that runs.",
        "# TYPE sfumato_info gauge",
        f'sfumato_info{{version="{__version__}"}} 1',
    ]
    return PlainTextResponse(
        "\n".join(lines) + "\n", media_type="text/plain; version=0.0.4; charset=utf-8"
    )
