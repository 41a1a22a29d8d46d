"""Native API: the library's pictures, their files, and what follows from them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, File, Form, Query, Request, UploadFile
from fastapi.responses import FileResponse
from starlette.background import BackgroundTask
from starlette.responses import JSONResponse, Response

from sfumato.errors import RequestError, SfumatoError
from sfumato.files import read_recipe
from sfumato.gallery import Picture
from sfumato.plan import request_of, vary_plan
from sfumato.registry import WRITERS
from sfumato.request import GenerationPlan
from sfumato.server import pictures
from sfumato.server.bodies import StrictRoute
from sfumato.server.commands import commands_of
from sfumato.server.schemas.native import (
    ExportIn,
    FilterIn,
    IdsIn,
    MarkIn,
    UpscaleIn,
    VaryIn,
    job_out,
    picture_out,
)
from sfumato.server.state import address_of, owner_of, require_token, server_of

router = APIRouter(prefix="/api/v1", tags=["Pictures"], route_class=StrictRoute)

_FOR_EVER = "private, max-age=31536000, immutable"
MAX_FILES = 50


@router.get(
    "/pictures",
    summary="Pictures, newest first, or nearest first",
    response_model=dict[str, Any],
)
def list_pictures(
    request: Request,
    filters: Annotated[FilterIn, Depends()],
    text: Annotated[str | None, Query(max_length=1000)] = None,
    like: str | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 60,
    cursor: str | None = None,
) -> Response:
    """``q`` searches words of recipes and labels; ``text`` and ``like`` what pictures show."""
    library, wanted = server_of(request).library, filters.wanted()
    if text is not None or like is not None:
        if cursor is not None:
            raise RequestError(
                "Pictures that are nearest have no further pages.", hint="Ask for a longer list."
            )
        found = pictures.nearest(library, wanted, text=text, like=like, limit=limit)
        shown = [{**picture_out(match.picture), "score": round(match.score, 4)} for match in found]
        return JSONResponse({"pictures": shown, "next": None, "total": len(shown)})
    page = library.query(wanted, limit=limit, cursor=cursor)
    total = library.count(wanted) if cursor is None else None
    # answered as it is: the framework would walk through every value of every picture once more
    return JSONResponse(
        {
            "pictures": [picture_out(picture) for picture in page.pictures],
            "next": page.next_cursor,
            "total": total,
        }
    )


@router.get("/pictures/{identity}", summary="One picture with its recipe")
def get_picture(identity: str, request: Request) -> dict[str, Any]:
    """The plan that draws it again, and the same as commands."""
    picture = server_of(request).library.get(identity)
    plan = picture.plan
    return {
        **picture_out(picture),
        "plan": None if plan is None else plan.to_dict(),
        "parameters": dict(picture.parameters),
        "recipe_text": _text_of(picture) if plan is None else plan.to_json(),
        "commands": None
        if plan is None
        else commands_of(
            plan,
            file_name=pictures.file_name(picture, "png"),
            base=address_of(request),
            with_key=owner_of(request) != "",
        ),
    }


@router.patch("/pictures/{identity}", summary="Star, rate, tag, collect")
def mark(identity: str, body: MarkIn, request: Request) -> dict[str, Any]:
    """What is left out stays as it is; lists replace those that were there."""
    library = server_of(request).library
    before = library.get(identity)
    tags, collections = body.tags, body.collections
    library.mark(
        [identity],
        favourite=body.favourite,
        rating=body.rating,
        add_tags=tags or (),
        remove_tags=[] if tags is None else [t for t in before.tags if t not in tags],
        add_to=collections or (),
        remove_from=[]
        if collections is None
        else [c for c in before.collections if c not in collections],
    )
    return picture_out(library.get(identity))


@router.delete("/pictures/{identity}", summary="Put in the trash")
def trash(identity: str, request: Request) -> dict[str, Any]:
    """Nothing is lost until the trash is emptied."""
    library = server_of(request).library
    library.trash([identity])
    return picture_out(library.get(identity))


@router.post("/pictures/{identity}/restore", summary="Take out of the trash")
def restore(identity: str, request: Request) -> dict[str, Any]:
    """The picture is in the library again."""
    library = server_of(request).library
    library.restore([identity])
    return picture_out(library.get(identity))


@router.post("/pictures/purge", summary="Delete for good what is in the trash")
def purge(body: IdsIn, request: Request) -> dict[str, int]:
    """Only pictures in the trash can be deleted for good."""
    return {"purged": server_of(request).library.purge(body.ids)}


@router.get("/pictures/{identity}/file", summary="The picture's file, in any format and size")
def file(
    identity: str,
    request: Request,
    format_: Annotated[str | None, Query(alias="format")] = None,
    size: Annotated[int | None, Query(ge=16, le=4096)] = None,
    download: bool = False,
) -> Response:
    """Without options the stored bytes. Drawings with paths are rendered sharp at any size."""
    library = server_of(request).library
    picture = library.get(identity)
    headers = {"Cache-Control": _FOR_EVER, "ETag": f'"{picture.file_sha256[:32]}-{format_}-{size}"'}
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    chosen = WRITERS.get(picture.format if format_ is None else format_)
    if download:
        name = pictures.file_name(picture, chosen.details["extension"])
        headers["Content-Disposition"] = f'attachment; filename="{name}"'
    if chosen.name == picture.format and size is None:
        path = pictures.stored_file(library, picture)
        return FileResponse(path, headers=headers, media_type=pictures.TYPES[chosen.name])
    data = pictures.convert(library, picture, chosen.name, size)
    if chosen.name == "svg":
        # an SVG opened by itself is a page: it may not do anything there
        headers["Content-Security-Policy"] = (
            "default-src 'none'; style-src 'unsafe-inline'; sandbox"
        )
    return Response(data, media_type=pictures.TYPES[chosen.name], headers=headers)


@router.get("/pictures/{identity}/thumbnail", summary="At most 320 pixels, WebP")
def thumbnail(identity: str, request: Request) -> Response:
    """Made once and kept."""
    path = server_of(request).library.thumbnail(identity)
    return FileResponse(path, media_type="image/webp", headers={"Cache-Control": _FOR_EVER})


@router.get("/pictures/{identity}/overlay", summary="The defect report painted on the picture")
def overlay(identity: str, request: Request) -> Response:
    """PNG: numbered marks and a legend."""
    library = server_of(request).library
    return Response(pictures.paint(library, library.get(identity)), media_type="image/png")


@router.post("/pictures/{identity}/vary", status_code=202, summary="Draw pictures near this one")
def vary(identity: str, body: VaryIn, request: Request) -> dict[str, Any]:
    """Subtle, strong, or a share of the way to another start."""
    plan = _plan_of(server_of(request).library.get(identity))
    strength = pictures.share_of(body.strength)
    return _submit(
        request, vary_plan(plan, strength=strength, num_images=body.num_images, seed=body.seed)
    )


@router.post("/pictures/{identity}/upscale", status_code=202, summary="Draw it again, larger")
def upscale(identity: str, body: UpscaleIn, request: Request) -> dict[str, Any]:
    """The same drawing from the same start; its paths are rendered at the new size."""
    plan = _plan_of(server_of(request).library.get(identity))
    return _submit(request, pictures.resized(plan, body.size))


@router.post("/recipe", summary="Read the recipe inside a file; nothing is kept")
async def recipe(request: Request, file: Annotated[UploadFile, File()]) -> dict[str, Any]:
    """What a picture's file says about how it was made, whichever program wrote it."""
    from anyio import to_thread

    require_token(request)
    data = await pictures.uploaded(file)
    return await to_thread.run_sync(pictures.recipe_of, data, file.filename or "picture")


@router.post("/import", summary="Keep pictures from elsewhere, with their recipes")
async def import_pictures(
    request: Request, file: Annotated[list[UploadFile], File()]
) -> dict[str, Any]:
    """Bad files are named and skipped; a file that is here already is not kept twice."""
    from anyio import to_thread

    require_token(request)
    if len(file) > MAX_FILES:
        raise RequestError(f"{len(file)} files at once.", hint=f"Send {MAX_FILES} or fewer.")
    imported, skipped = [], []
    library = server_of(request).library
    for upload in file:
        name = upload.filename or "picture"
        try:
            data = await pictures.uploaded(upload)
            picture, fresh = await to_thread.run_sync(pictures.keep, library, data, name)
            imported.append({**picture_out(picture), "new": fresh})
        except SfumatoError as error:
            skipped.append({"name": name, "reason": error.one_line()})
    return {"imported": imported, "skipped": skipped}


@router.post("/check", summary="What is wrong with a picture; nothing is kept")
async def check(
    request: Request,
    file: Annotated[UploadFile, File()],
    prompt: Annotated[str | None, Form(max_length=10_000)] = None,
) -> dict[str, Any]:
    """The defect report, as after every drawing; ``prompt`` is what it should show."""
    from anyio import to_thread

    require_token(request)
    data = await pictures.uploaded(file)
    found = await to_thread.run_sync(pictures.check, data, file.filename or "picture", prompt)
    return {"findings": found}


@router.post("/export", summary="Pictures and a manifest as one zip file")
def export(body: ExportIn, request: Request) -> Response:
    """The pictures named by ``ids``, in their order, or those that ``query`` finds."""
    library = server_of(request).library
    if (body.ids is None) == (body.query is None):
        raise RequestError("Say which pictures.", hint="Send ids, or a query.")
    wanted = None if body.query is None else body.query.wanted()
    folder = tempfile.TemporaryDirectory(prefix="sfumato-export-")
    try:
        path = library.export(Path(folder.name) / "sfumato.zip", wanted, identities=body.ids)
    except BaseException:
        folder.cleanup()
        raise
    return FileResponse(
        path,
        media_type="application/zip",
        filename="sfumato.zip",
        background=BackgroundTask(folder.cleanup),
    )


@router.get("/tags", summary="Every tag and its count")
def tags(request: Request) -> dict[str, int]:
    """By name, outside the trash."""
    return server_of(request).library.labels("tag")


@router.get("/collections", summary="Every collection and its count")
def collections(request: Request) -> dict[str, int]:
    """By name, outside the trash."""
    return server_of(request).library.labels("collection")


def _text_of(picture: Picture) -> str:
    """What another program wrote into the file; nothing where the file is gone or damaged."""
    try:
        return read_recipe(picture.path).text
    except SfumatoError:
        return ""


def _plan_of(picture: Picture) -> GenerationPlan:
    if picture.plan is None:
        raise RequestError(
            "The picture carries no recipe of sfumato's: there is nothing to start from.",
            hint="Draw from its prompt instead.",
        )
    return picture.plan


def _submit(request: Request, plan: GenerationPlan) -> dict[str, Any]:
    from sfumato.models import spec_of

    server = server_of(request)
    server.check_open()
    job = server.queue.submit(request_of(plan, spec_of(plan.model)), owner=owner_of(request))
    return {"job": job_out(server.queue)(job)}
