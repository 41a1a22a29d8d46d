"""Native API: what a page needs besides jobs and pictures: facts, models, settings, sweeps."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from sfumato import __version__
from sfumato.models import ModelSpec, usable_specs
from sfumato.models.catalogue import DEFAULT_MODEL
from sfumato.registry import CHECKS, SAMPLERS, SCHEDULERS, WRITERS, Entry
from sfumato.request import (
    EMBLEM_SHAPES,
    MAX_GUIDANCE,
    MAX_IMAGES,
    MAX_PROMPT_CHARACTERS,
    MAX_SIDE,
    MAX_STEPS,
    MIN_SIDE,
)
from sfumato.server import sweeps
from sfumato.server.bodies import StrictRoute
from sfumato.server.keeping import changing, read_json, write_json
from sfumato.server.keys import SESSION_SECONDS
from sfumato.server.problems import Problem
from sfumato.server.schemas.native import SessionIn, Settings, SettingsIn, SweepIn
from sfumato.server.security import SESSION_COOKIE
from sfumato.server.settings import MAX_UPLOAD_BYTES, MAX_UPLOAD_PIXELS
from sfumato.server.state import address_of, owner_of, server_of

router = APIRouter(prefix="/api/v1", tags=["Facts, settings, sweeps"], route_class=StrictRoute)


@router.get("/about", summary="Version, limits, and the token for uploads")
def about(request: Request) -> dict[str, Any]:
    """What a page asks first."""
    server = server_of(request)
    return {
        "version": __version__,
        "api": 1,
        "limits": {
            "prompt_characters": MAX_PROMPT_CHARACTERS,
            "min_side": MIN_SIDE,
            "max_side": MAX_SIDE,
            "max_images": MAX_IMAGES,
            "max_steps": MAX_STEPS,
            "max_guidance": MAX_GUIDANCE,
            "upload_bytes": MAX_UPLOAD_BYTES,
            "upload_pixels": MAX_UPLOAD_PIXELS,
        },
        "csrf": server.token,
        "auth": "key" if server.settings.needs_key or server.keys.known() else "none",
        "workers": server.settings.workers,
    }


@router.get("/models", summary="Models and every name that a request may use")
def models() -> dict[str, Any]:
    """Everything that a prompt box can offer."""
    return {
        "models": [_model(spec) for spec in usable_specs()],
        "samplers": [_named(entry) for entry in SAMPLERS],
        "schedulers": [_named(entry) for entry in SCHEDULERS],
        "formats": [{**_named(entry), **entry.details} for entry in WRITERS],
        "emblems": list(EMBLEM_SHAPES),
        "backgrounds": ["transparent", "opaque"],
        "checks": [_named(entry) for entry in CHECKS],
    }


@router.post("/session", summary="Let this browser in with a key")
def open_session(body: SessionIn, request: Request) -> Response:
    """A cookie that only this site sends and no script reads: event streams carry no headers."""
    server = server_of(request)
    key = server.keys.find(body.key)
    if key is None:
        raise Problem("unauthorized", "This is no key of this server.")
    answer = JSONResponse({"name": key.name, "scopes": list(key.scopes)})
    answer.set_cookie(
        SESSION_COOKIE,
        server.keys.make_session(key),
        max_age=SESSION_SECONDS,
        httponly=True,
        samesite="strict",
        secure=address_of(request).startswith("https:"),
    )
    return answer


@router.delete("/session", status_code=204, summary="Forget this browser")
def close_session() -> Response:
    """The cookie is deleted."""
    answer = Response(status_code=204)
    answer.delete_cookie(SESSION_COOKIE, httponly=True, samesite="strict")
    return answer


@router.get("/settings", summary="What the prompt box begins with")
def get_settings(request: Request) -> dict[str, Any]:
    """What was never set has its default."""
    kept = read_json(server_of(request).library.folder.root / "settings.json") or {}
    return Settings.read(kept).model_dump()


@router.patch("/settings", summary="Change what the prompt box begins with")
def change_settings(body: SettingsIn, request: Request) -> dict[str, Any]:
    """What is left out stays as it is; null sets it back to its default."""
    path = server_of(request).library.folder.root / "settings.json"
    with changing(path):
        kept = body.onto(read_json(path) or {})
        write_json(path, kept)
    return Settings.read(kept).model_dump()


@router.post("/sweeps", status_code=202, summary="Queue a grid of drawings")
def start_sweep(body: SweepIn, request: Request) -> dict[str, Any]:
    """One job for each pair of values, all from the same seed unless seeds are swept."""
    server = server_of(request)
    server.check_open()
    return {"sweep": sweeps.start(server, body, owner_of(request))}


@router.get("/sweeps/{identity}", summary="A grid and how far it is")
def get_sweep(identity: str, request: Request) -> dict[str, Any]:
    """Ids of jobs and of pictures, row by row; null where nothing is drawn yet."""
    return {"sweep": sweeps.describe(server_of(request), sweeps.read(server_of(request), identity))}


@router.get("/sweeps/{identity}/sheet.png", summary="The grid as one labelled picture")
def get_sheet(identity: str, request: Request) -> Response:
    """What is drawn so far; the other cells are empty."""
    server = server_of(request)
    data = sweeps.paint(server, sweeps.read(server, identity))
    return Response(data, media_type="image/png", headers={"Cache-Control": "no-store"})


def _model(spec: ModelSpec) -> dict[str, Any]:
    return {
        "name": spec.name,
        "summary": spec.summary,
        "licence": spec.licence,
        "family": spec.family,
        "version": spec.version,
        "sha256": spec.sha256,
        "styles": list(spec.styles),
        "native_size": spec.native_size,
        "capabilities": sorted(spec.capabilities),
        "languages": list(spec.languages),
        "num_inference_steps": spec.num_inference_steps,
        "guidance_scale": spec.guidance_scale,
        "sampler": spec.sampler,
        "scheduler": spec.scheduler,
        "default": spec.name == DEFAULT_MODEL,
    }


def _named(entry: Entry) -> dict[str, Any]:
    return {"name": entry.name, "summary": entry.summary}
