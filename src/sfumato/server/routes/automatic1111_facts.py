"""AUTOMATIC1111's API: the lists and options that its clients ask for before they draw."""

from __future__ import annotations

import shutil
from typing import Any

from fastapi import APIRouter, Request

from sfumato import __version__
from sfumato.files.a1111 import SAMPLER_NAMES
from sfumato.models import spec_of, usable_specs
from sfumato.models.catalogue import DEFAULT_MODEL
from sfumato.registry import SAMPLERS, SCHEDULERS
from sfumato.server.bodies import StrictRoute
from sfumato.server.keeping import changing, read_json, write_json
from sfumato.server.problems import Problem
from sfumato.server.schemas.automatic1111 import model_named, title_of
from sfumato.server.state import Server, server_of

router = APIRouter(prefix="/sdapi/v1", tags=["AUTOMATIC1111 API"], route_class=StrictRoute)


def chosen_model(server: Server) -> str:
    """The model that was last chosen, here or in the studio."""
    kept = (read_json(server.library.folder.root / "settings.json") or {}).get("model")
    return next((spec.name for spec in usable_specs() if spec.name == kept), DEFAULT_MODEL)


@router.get("/options", summary="Settings")
def get_options(request: Request) -> dict[str, Any]:
    """The few that mean something here."""
    spec = spec_of(chosen_model(server_of(request)))
    return {
        "sd_model_checkpoint": title_of(spec),
        "sd_checkpoint_hash": spec.sha256,
        "samples_format": "png",
        "samples_save": True,
        "grid_save": False,
        "CLIP_stop_at_last_layers": 1,
        "sd_vae": "None",
        "live_previews_enable": True,
        "enable_pnginfo": True,
    }


@router.post("/options", summary="Choose a model")
def set_options(body: dict[str, Any], request: Request) -> None:
    """Clients send the whole object back; only its model can change.

    Others may be sent as they are; one that differs is refused, not swallowed.
    """
    server = server_of(request)
    known = get_options(request)
    for name, value in body.items():
        if name in ("sd_model_checkpoint", "sd_checkpoint_hash"):
            continue
        if name in known and value != known[name]:
            raise Problem("bad_request", f"{name} cannot be changed here.")
    chosen = body.get("sd_model_checkpoint")
    if chosen is not None:
        spec = model_named(str(chosen))
        path = server.library.folder.root / "settings.json"
        with changing(path):
            write_json(path, {**(read_json(path) or {}), "model": spec.name})


@router.get("/sd-models", summary="Models")
def sd_models() -> list[dict[str, Any]]:
    """Every model that can draw."""
    return [
        {
            "title": title_of(spec),
            "model_name": spec.name,
            "hash": spec.sha256[:10],
            "sha256": spec.sha256,
            "filename": spec.name,
            "config": None,
        }
        for spec in usable_specs()
    ]


@router.get("/samplers", summary="Samplers")
def samplers() -> list[dict[str, Any]]:
    """Under the names that this API's clients know."""
    return [
        {"name": SAMPLER_NAMES.get(entry.name, entry.name), "aliases": [entry.name], "options": {}}
        for entry in SAMPLERS
    ]


@router.get("/schedulers", summary="Schedulers")
def schedulers() -> list[dict[str, Any]]:
    """Automatic is the model's own."""
    names = [("automatic", "Automatic"), *((e.name, e.name.capitalize()) for e in SCHEDULERS)]
    return [
        {
            "name": name,
            "label": label,
            "aliases": None,
            "default_rho": -1.0,
            "need_inner_model": False,
        }
        for name, label in names
    ]


@router.get("/upscalers", summary="Upscalers")
def upscalers() -> list[dict[str, Any]]:
    """sfumato draws its own pictures again at any size."""
    return [
        {"name": name, "model_name": None, "model_path": None, "model_url": None, "scale": 4.0}
        for name in ("None", "Lanczos", "Nearest", "sfumato")
    ]


@router.get("/latent-upscale-modes", summary="None")
def latent_upscale_modes() -> list[dict[str, str]]:
    """Drawings are rendered at the size that was asked for."""
    return [{"name": "None"}]


@router.get("/prompt-styles", summary="Styles")
def prompt_styles(request: Request) -> list[dict[str, str]]:
    """The chosen model's styles; they may be named in ``styles``."""
    spec = spec_of(chosen_model(server_of(request)))
    return [{"name": style, "prompt": "", "negative_prompt": ""} for style in spec.styles]


@router.get("/embeddings", summary="None")
def embeddings() -> dict[str, Any]:
    """There are none."""
    return {"loaded": {}, "skipped": {}}


@router.get("/scripts", summary="None")
def scripts() -> dict[str, list[str]]:
    """There are none."""
    return {"txt2img": [], "img2img": []}


@router.get("/cmd-flags", summary="How the server runs")
def cmd_flags(request: Request) -> dict[str, Any]:
    """The little that may be told."""
    settings = server_of(request).settings
    return {"api": True, "port": settings.port, "listen": not settings.is_loopback}


@router.get("/memory", summary="Room")
def memory(request: Request) -> dict[str, Any]:
    """Of the library's disk; drawing takes place on the processor."""
    disk = shutil.disk_usage(server_of(request).library.folder.root)
    return {
        "ram": {"free": None, "used": None, "total": None},
        "disk": {"free": disk.free, "used": disk.used, "total": disk.total},
        "cuda": {"error": "unavailable"},
        "version": __version__,
    }


def _none() -> list[Any]:
    """There are none."""
    return []


def _nothing() -> dict[str, Any]:
    """There is nothing to do: models are looked up anew each time."""
    return {}


for _path in (
    *("/loras", "/hypernetworks", "/face-restorers", "/realesrgan-models", "/sd-vae"),
    *("/sd-modules", "/script-info", "/extensions"),
):
    router.get(_path, summary="None", name=_path[1:])(_none)
for _path in (
    *("/refresh-checkpoints", "/refresh-loras", "/refresh-vae", "/refresh-embeddings"),
    *("/unload-checkpoint", "/reload-checkpoint"),
):
    router.post(_path, summary="Nothing to do", name=_path[1:])(_nothing)
