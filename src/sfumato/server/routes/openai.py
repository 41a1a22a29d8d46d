"""OpenAI's Images API, as the ``openai`` package and Open WebUI speak it.

Source: platform.openai.com, API reference, Images; the client's own sources (openai-python).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, File, Form, Header, Request, UploadFile
from starlette.responses import JSONResponse, Response, StreamingResponse

from sfumato.errors import ModelError, SfumatoError
from sfumato.gallery import Picture
from sfumato.jobs import Job
from sfumato.models import usable_specs
from sfumato.plan import VARIATION_STRENGTHS, random_seed
from sfumato.registry import MODELS
from sfumato.request import GenerationPlan, GenerationRequest
from sfumato.server import pictures
from sfumato.server.bodies import StrictRoute
from sfumato.server.drawing import finish, news_of, pictures_of, submit
from sfumato.server.problems import Problem, openai_error, status_of
from sfumato.server.schemas.openai import (
    Common,
    EditIn,
    GenerateIn,
    Output,
    ParamError,
    edited,
    output_of,
    request_of_openai,
    varied,
)
from sfumato.server.state import address_of, require_token, server_of

router = APIRouter(prefix="/v1", tags=["OpenAI Images API"], route_class=StrictRoute)

Key = Annotated[str | None, Header(max_length=255, alias="Idempotency-Key")]
_URL_SECONDS = 3600


@router.get("/models", summary="Models")
def list_models() -> dict[str, Any]:
    """Every model that can draw."""
    return {"object": "list", "data": [_model(spec.name) for spec in usable_specs()]}


@router.get("/models/{name}", summary="One model")
def get_model(name: str) -> dict[str, Any]:
    """404 when there is none."""
    try:
        return _model(MODELS.get(name).name)
    except ModelError as error:
        raise Problem("model_not_found", error.message, hint=error.hint) from None


@router.post("/images/generations", summary="Draw from words")
async def generate(body: GenerateIn, request: Request, idempotency_key: Key = None) -> Response:
    """Extra fields: seed, negative_prompt, num_inference_steps, guidance_scale."""
    output = output_of(body)
    asked = request_of_openai(body, body.prompt, body.style)
    return await _draw(request, asked, output, idempotency_key, "image_generation")


@router.post("/images/edits", summary="Draw a picture of ours again with other words")
async def edit(
    request: Request,
    prompt: Annotated[str, Form()],
    image: Annotated[list[UploadFile] | None, File()] = None,
    images: Annotated[list[UploadFile] | None, File(alias="image[]")] = None,
    mask: Annotated[UploadFile | None, File()] = None,
    idempotency_key: Key = None,
) -> Response:
    """From the same start as the picture's recipe. No model here takes pixels, or a mask."""
    require_token(request)
    fields = await _fields(request, {"image", "image[]", "mask"})
    body = EditIn.model_validate({**fields, "prompt": prompt})
    output = output_of(body)
    if mask is not None:
        raise ParamError("mask", "No model here draws inside a mask.")
    plan = await _plan_in([*(image or []), *(images or [])])
    return await _draw(request, edited(plan, body), output, idempotency_key, "image_edit")


@router.post("/images/variations", summary="Pictures near one of ours")
async def vary(
    request: Request,
    image: Annotated[list[UploadFile] | None, File()] = None,
    idempotency_key: Key = None,
) -> Response:
    """From between its start and others. Only pictures that sfumato drew know their start."""
    require_token(request)
    body = Common.model_validate(await _fields(request, {"image"}))
    output = output_of(body)
    plan = await _plan_in(image or [])
    towards = random_seed()
    if idempotency_key is not None:  # tried again, it must ask for the same pictures
        towards = int(hashlib.sha256(idempotency_key.encode()).hexdigest()[:5], 16)
    asked = varied(plan, body, towards=towards, strength=VARIATION_STRENGTHS["strong"])
    return await _draw(request, asked, output, idempotency_key, "image_edit")


@router.get("/files/{identity}/{ends}/{signature}", include_in_schema=False)
def file(identity: str, ends: int, signature: str, request: Request, f: str = "png") -> Response:
    """The picture behind an answered URL, without a key, for an hour."""
    server = server_of(request)
    right = _signature(server.token, identity, ends, f)
    if not hmac.compare_digest(right.encode(), signature.encode()) or ends < time.time():
        raise Problem("not_found", "There is no such picture (any more).")
    format_, _, quality = f.partition("-")
    data = pictures.encode(
        server.library, server.library.get(identity), format_, int(quality) if quality else None
    )
    return Response(data, media_type=pictures.TYPES[format_])


# ---------------------------------------------------------------- drawing


async def _draw(
    request: Request, asked: GenerationRequest, output: Output, key: str | None, kind: str
) -> Response:
    job = await submit(request, asked, key)
    if output.stream:
        stream = _events(request, job, output, kind, keep=key is not None)
        return StreamingResponse(
            stream, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"}
        )
    job = await finish(request, job, keep=key is not None)
    drawn = await pictures_of(request, job)
    data = [await to_thread.run_sync(_datum, request, picture, output) for picture in drawn]
    return JSONResponse(
        {
            "created": int(job.created_at.timestamp()),
            "data": data,
            **_about(output, drawn[0]),
            "usage": _usage(),
        }
    )


def _datum(request: Request, picture: Picture, output: Output) -> dict[str, Any]:
    server = server_of(request)
    plan = picture.plan
    revised = None if plan is None else plan.subject  # what the model was given to draw
    if output.as_url:
        ends = int(time.time()) + _URL_SECONDS
        form = output.format if output.quality is None else f"{output.format}-{output.quality}"
        signed = _signature(server.token, picture.id, ends, form)
        url = f"{address_of(request)}v1/files/{picture.id}/{ends}/{signed}?f={form}"
        return {"url": url, "revised_prompt": revised}
    data = pictures.encode(server.library, picture, output.format, output.quality)
    return {"b64_json": base64.b64encode(data).decode(), "revised_prompt": revised}


async def _events(
    request: Request, job: Job, output: Output, kind: str, *, keep: bool
) -> AsyncGenerator[str, None]:
    """Partial pictures as they come, at most as many as were asked for, then each whole one."""
    server = server_of(request)
    sent = 0
    about = {
        "background": output.background,
        "output_format": output.format,
        "quality": output.said_quality,
        "size": f"{job.request.width or 1024}x{job.request.height or 1024}",
    }
    seen: set[tuple[int, str | None]] = {(index, None) for index in range(job.request.num_images)}
    async with aclosing(news_of(request, job, keep=keep)) as news:
        async for name, data in news:
            for index, image in enumerate(data["images"] if name == "progress" else ()):
                if sent >= output.partial_images or (index, image["preview"]) in seen:
                    continue
                seen.add((index, image["preview"]))
                png = await to_thread.run_sync(server.queue.preview, job.id, index)
                if png is not None:
                    partial = await to_thread.run_sync(pictures.reencode, png, output.format)
                    extra = {**about, "partial_image_index": sent}
                    yield _sse(f"{kind}.partial_image", partial, extra)
                    sent += 1
    try:
        job = await to_thread.run_sync(server.queue.get, job.id)
        for picture in await pictures_of(request, job):
            data_ = await to_thread.run_sync(
                pictures.encode, server.library, picture, output.format, output.quality
            )
            extra = {**about, **_about(output, picture), "usage": _usage()}
            yield _sse(f"{kind}.completed", data_, extra)
    except SfumatoError as error:
        body = {"error": openai_error(error, status_of(error))}
        yield f"event: error\ndata: {json.dumps(body)}\n\n"


def _sse(kind: str, data: bytes, extra: dict[str, Any]) -> str:
    values = {
        "type": kind,
        "b64_json": base64.b64encode(data).decode(),
        "created_at": int(time.time()),
        **extra,
    }
    return f"event: {kind}\ndata: {json.dumps(values)}\n\n"


def _about(output: Output, picture: Picture) -> dict[str, Any]:
    ground = output.background
    if picture.plan is not None:
        ground = "transparent" if picture.plan.background == "transparent" else "opaque"
    return {
        "background": ground,
        "output_format": output.format,
        "quality": output.said_quality,
        "size": f"{picture.width}x{picture.height}",
    }


def _usage() -> dict[str, Any]:
    """Nothing is metered on one's own machine."""
    return {
        "input_tokens": 0,
        "output_tokens": 0,
        "total_tokens": 0,
        "input_tokens_details": {"image_tokens": 0, "text_tokens": 0},
    }


# ---------------------------------------------------------------- small print


async def _fields(request: Request, files: set[str]) -> dict[str, Any]:
    """The form's other fields, for a schema to judge."""
    form = await request.form()
    return {name: value for name, value in form.items() if name not in files}


async def _plan_in(uploads: list[UploadFile]) -> GenerationPlan:
    """The recipe in the one picture that was sent."""
    if len(uploads) != 1:
        raise ParamError("image", f"{len(uploads)} pictures were sent.", hint="Send one.")
    data = await pictures.uploaded(uploads[0])
    recipe = await to_thread.run_sync(pictures.recipe_of, data, uploads[0].filename or "picture")
    if recipe["plan"] is None:
        raise ParamError(
            "image", "No model here takes pictures in; only one that sfumato drew can be redrawn.",
            hint="Send its file with the metadata that it was saved with.",
        )  # fmt: skip
    return GenerationPlan.from_json(json.dumps(recipe["plan"]))


def _signature(token: str, identity: str, ends: int, form: str) -> str:
    message = f"{identity}.{ends}.{form}".encode()
    return hmac.new(token.encode(), message, hashlib.sha256).hexdigest()


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "sfumato"}
