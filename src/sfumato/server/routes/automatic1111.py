"""AUTOMATIC1111's API, as the ``webuiapi`` package, Open WebUI and editors' plugins speak it.

Source: ``modules/api`` of stable-diffusion-webui (routes and fields; the code is our own).
"""

from __future__ import annotations

import base64
import binascii
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from io import BytesIO
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Query, Request
from PIL import Image

from sfumato.files.a1111 import SAMPLER_NAMES
from sfumato.files.metadata import a1111_parameters
from sfumato.gallery import Picture
from sfumato.jobs import Job
from sfumato.models import spec_of
from sfumato.plan import request_of
from sfumato.request import MAX_SIDE, GenerationPlan, GenerationRequest
from sfumato.server import pictures
from sfumato.server.bodies import StrictRoute
from sfumato.server.drawing import finish, pictures_of, submit
from sfumato.server.problems import Problem
from sfumato.server.routes.automatic1111_facts import chosen_model
from sfumato.server.schemas.automatic1111 import (
    Drawing,
    ExtraIn,
    ImageDrawing,
    ImageIn,
    not_honoured,
    redrawn,
    to_request,
)
from sfumato.server.state import Server, owner_of, server_of

router = APIRouter(prefix="/sdapi/v1", tags=["AUTOMATIC1111 API"], route_class=StrictRoute)

_RESAMPLING = {"lanczos": Image.Resampling.LANCZOS, "nearest": Image.Resampling.NEAREST}


@router.post("/txt2img", summary="Draw from words")
async def txt2img(body: Drawing, request: Request) -> dict[str, Any]:
    """Answers when every picture is drawn; follow it with /progress."""
    default = await to_thread.run_sync(chosen_model, server_of(request))
    return await _draw(request, to_request(body, default), body)


@router.post("/img2img", summary="Draw a picture of ours again, otherwise")
async def img2img(body: ImageDrawing, request: Request) -> dict[str, Any]:
    """From the start in its recipe, ``denoising_strength`` of the way to another one."""
    if not body.init_images:
        raise Problem("not_found", "Init image not found")
    if body.mask is not None:
        raise Problem("bad_request", "No model here draws inside a mask.")
    if len(body.init_images) > 1:
        raise Problem("bad_request", "Send one of init_images.")
    data = _decoded(body.init_images[0])
    recipe = await to_thread.run_sync(pictures.recipe_of, data, "init image")
    if recipe["plan"] is None:
        raise Problem(
            "bad_request", "No model here takes pictures in; only one sfumato drew can be redrawn.",
            hint="Send it with the metadata that it was saved with.",
        )  # fmt: skip
    plan = GenerationPlan.from_json(json.dumps(recipe["plan"]))
    return await _draw(request, redrawn(plan, body), body, body.init_images)


@router.get("/progress", summary="How far the drawing is")
def progress(
    request: Request, skip_current_image: Annotated[bool, Query()] = False
) -> dict[str, Any]:
    """Of the oldest drawing that came over this API and has not ended."""
    server = server_of(request)
    job = next(iter(_own_jobs(server, owner_of(request))), None)
    known = None if job is None else job.progress
    steps = [] if known is None else list(known.steps)
    at = next((i for i, (done, total) in enumerate(steps) if done < total or not total), 0)
    fraction = 0.0 if known is None else known.fraction
    done, total = steps[at] if steps else (0, 0)
    state = {
        "skipped": False,
        "interrupted": job is not None and job.cancel_requested,
        "stopping_generation": False,
        "job": "" if job is None else job.id,
        "job_count": 0 if job is None else job.request.num_images,
        "job_timestamp": "0" if job is None else f"{job.created_at:%Y%m%d%H%M%S}",
        "job_no": at,
        "sampling_step": done,
        "sampling_steps": total,
    }
    image = None
    if job is not None and not skip_current_image:
        preview = server.queue.preview(job.id, at)
        image = None if preview is None else base64.b64encode(preview).decode()
    return {
        # a client that asks while a drawing waits must not take it for none at all
        "progress": max(fraction, 0.01) if job is not None else 0.0,
        "eta_relative": _remaining(job, fraction),
        "state": state,
        "current_image": image,
        "textinfo": None,
    }


@router.post("/interrupt", summary="Stop drawing")
def interrupt(request: Request) -> dict[str, Any]:
    """Ends drawings that came over this API within their step; finished pictures are answered."""
    server = server_of(request)
    for job in _own_jobs(server, owner_of(request)):
        server.queue.cancel(job.id)
    return {}


router.post("/skip", summary="The same as interrupt")(interrupt)


@router.post("/png-info", summary="Read the recipe in a picture")
async def png_info(body: ImageIn) -> dict[str, Any]:
    """As text, as this API's parameters, and as everything that was found."""
    recipe = await to_thread.run_sync(pictures.recipe_of, _decoded(body.image), "image")
    info = recipe["text"]
    if recipe["plan"] is not None:
        info = a1111_parameters(GenerationPlan.from_json(json.dumps(recipe["plan"])))
    return {"info": info, "items": {"parameters": info}, "parameters": recipe["parameters"]}


@router.post("/extra-single-image", summary="Make a picture larger")
async def extra_single_image(body: ExtraIn, request: Request) -> dict[str, Any]:
    """Upscaler "sfumato" draws one of our pictures again; Lanczos and Nearest resample any."""
    if body.gfpgan_visibility or body.codeformer_visibility or body.upscaler_2 != "None":
        raise Problem("bad_request", "Faces are not restored here, and there is one upscaler.")
    data = await to_thread.run_sync(pictures.cleaned, _decoded(body.image))
    chosen = body.upscaler_1.lower()
    if chosen == "none":
        return {"html_info": "", "image": base64.b64encode(data).decode()}
    with Image.open(BytesIO(data)) as picture:
        width, height = picture.size
    if body.resize_mode == 1:
        width, height = body.upscaling_resize_w, body.upscaling_resize_h
    elif 0 < body.upscaling_resize <= 64:
        width, height = (round(side * body.upscaling_resize) for side in (width, height))
    else:
        raise Problem("bad_request", f"The factor is {body.upscaling_resize}.", hint="Give 1 to 8.")
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
        raise Problem("bad_request", f"{width}x{height} is no size.", hint=f"Up to {MAX_SIDE}.")
    if chosen in _RESAMPLING:
        larger = await to_thread.run_sync(
            pictures.resample, data, (width, height), _RESAMPLING[chosen]
        )
        return {"html_info": "", "image": base64.b64encode(larger).decode()}
    if chosen != "sfumato":
        known = "None, Lanczos, Nearest, sfumato"
        raise Problem("not_found", f"There is no upscaler {body.upscaler_1!r}.", hint=known)
    recipe = await to_thread.run_sync(pictures.recipe_of, data, "image")
    if recipe["plan"] is None:
        raise Problem("bad_request", "sfumato did not draw this picture.", hint="Use Lanczos.")
    plan = GenerationPlan.from_json(json.dumps(recipe["plan"]))
    plan = replace(plan, width=width, height=height)
    job = await submit(request, request_of(plan, spec_of(plan.model)))
    drawn = await pictures_of(request, await finish(request, job))
    return {"html_info": "", "image": await to_thread.run_sync(_encoded, request, drawn[0])}


@router.post("/interrogate", summary="Describe a picture")
async def interrogate(body: ImageIn) -> dict[str, str]:
    """A prompt for something like it. ``model`` may be clip: whatever model describes here."""
    if body.model not in ("clip", "deepdanbooru", "deepbooru", "sguardo"):
        raise Problem("not_found", f"There is no model {body.model[:40]!r}.", hint="Send clip.")
    return {"caption": await to_thread.run_sync(_describe, _decoded(body.image))}


# ---------------------------------------------------------------- drawing


async def _draw(
    request: Request, asked: GenerationRequest, body: Drawing, inits: list[str] | None = None
) -> dict[str, Any]:
    job = await submit(request, asked)
    async with _registered(server_of(request), job):
        job = await finish(request, job)
    drawn = await pictures_of(request, job, partly=True)
    images = []
    if body.send_images:
        images = [await to_thread.run_sync(_encoded, request, picture) for picture in drawn]
    echo = body.model_dump(exclude={"init_images", "mask"})
    if isinstance(body, ImageDrawing):
        echo["init_images"] = inits if body.include_init_images else None
    info = await to_thread.run_sync(partial(_info, job, drawn, body))
    return {"images": images, "parameters": echo, "info": json.dumps(info)}


@asynccontextmanager
async def _registered(server: Server, job: Job) -> AsyncIterator[None]:
    """While inside, /progress tells of the job and /interrupt ends it."""
    server.waited_for[job.id] = job.owner
    try:
        yield
    finally:
        server.waited_for.pop(job.id, None)


def _own_jobs(server: Server, owner: str) -> list[Job]:
    jobs = [server.queue.get(j) for j, whose in tuple(server.waited_for.items()) if whose == owner]
    return [job for job in jobs if not job.ended]


def _info(job: Job, drawn: list[Picture], body: Drawing) -> dict[str, Any]:
    plans = [picture.plan for picture in drawn if picture.plan is not None]
    first, spec = plans[0], spec_of(job.request.model)
    left_out = not_honoured(body)
    notes = [*first.notes, *([f"Not honoured: {', '.join(left_out)}."] if left_out else [])]
    subseeds = [
        plan.variation_seeds[0] if plan.variation_seeds else plan.seeds[0] for plan in plans
    ]
    return {
        "prompt": first.prompt,
        "all_prompts": [plan.prompt for plan in plans],
        "negative_prompt": first.negative_prompt,
        "all_negative_prompts": [plan.negative_prompt for plan in plans],
        "seed": first.seeds[0],
        "all_seeds": [plan.seeds[0] for plan in plans],
        "subseed": subseeds[0],
        "all_subseeds": subseeds,
        "subseed_strength": first.variation_strength,
        "width": first.width,
        "height": first.height,
        "sampler_name": SAMPLER_NAMES.get(first.sampler, first.sampler),
        "cfg_scale": first.guidance_scale,
        "steps": first.num_inference_steps,
        "batch_size": body.batch_size,
        "restore_faces": False,
        "face_restoration_model": None,
        "sd_model_name": spec.name,
        "sd_model_hash": spec.sha256[:10],
        "sd_vae_name": None,
        "sd_vae_hash": None,
        "seed_resize_from_w": -1,
        "seed_resize_from_h": -1,
        "denoising_strength": body.denoising_strength,
        "extra_generation_params": {"sfumato": " ".join(notes)} if notes else {},
        "index_of_first_image": 0,
        "infotexts": [a1111_parameters(plan) for plan in plans],
        "styles": [first.styles[0]],
        "job_timestamp": f"{job.created_at:%Y%m%d%H%M%S}",
        "clip_skip": 1,
        "is_using_inpainting_conditioning": False,
        "version": "sfumato",
    }


def _remaining(job: Job | None, fraction: float) -> float:
    """Seconds, by how long the part took that is done."""
    if job is None or job.started_at is None or fraction <= 0:
        return 0.0
    taken = time.time() - job.started_at.timestamp()
    return round(max(0.0, taken * (1 - fraction) / fraction), 2)


# ---------------------------------------------------------------- pictures


def _decoded(text: str) -> bytes:
    """A picture sent as base64 or as a data URL. Nothing is ever fetched."""
    if text.startswith("data:"):
        text = text.partition(",")[2]
    try:
        data = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise Problem(
            "bad_request", "Invalid encoded image", hint="Send base64 or a data URL."
        ) from None
    pictures.check_upload(data)
    return data


def _encoded(request: Request, picture: Picture) -> str:
    data = pictures.encode(server_of(request).library, picture, "png", None)
    return base64.b64encode(data).decode()


def _describe(data: bytes) -> str:
    from sfumato.clip.captions import describer

    return describer(None)(pictures.pixels_of(data)).prompts[0]
