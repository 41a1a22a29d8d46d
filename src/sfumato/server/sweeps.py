"""Grids of drawings over one or two fields of a request, and the labelled sheet of one."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, fields, replace
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from sfumato.errors import RequestError, SfumatoError
from sfumato.gallery.identity import is_id, new_id
from sfumato.gallery.thumbnails import load_pixels
from sfumato.jobs import Job
from sfumato.jobs.job import request_from_json, request_to_json
from sfumato.plan import random_seed
from sfumato.request import GenerationRequest
from sfumato.server.keeping import read_json, write_json
from sfumato.server.problems import Problem
from sfumato.server.schemas.native import Axis, SweepIn
from sfumato.server.state import Server

MAX_CELLS = 100
_FIELDS = tuple(
    field.name
    for field in fields(GenerationRequest)
    if field.name not in ("num_images", "device", "threads")
)
_CELL = 256  # pixels of the sheet's pictures
_GAP, _MARGIN, _LABEL = 12, 28, 34
_PAPER, _GROUND, _INK, _QUIET = (250, 249, 246), (255, 255, 255), (34, 32, 28), (120, 114, 104)

Font = ImageFont.ImageFont | ImageFont.FreeTypeFont


def start(server: Server, asked: SweepIn, owner: str) -> dict[str, Any]:
    """Queue every cell; durable when it answers.

    Raises: RequestError: a field or value that cannot be, or more than the queue has room for;
    nothing is queued then.
    """
    base = asked.request.request()
    if base.num_images != 1:
        raise RequestError("A cell of a sweep shows one picture.", hint="Leave num_images at 1.")
    axes = [asked.x, *([] if asked.y is None else [asked.y])]
    if base.seed is None and all(axis.field != "seed" for axis in axes):
        base = replace(base, seed=random_seed())  # so that only what is swept differs
    rows = asked.y.values if asked.y is not None else [None]
    if len(rows) * len(asked.x.values) > MAX_CELLS:
        raise RequestError(f"A sweep has up to {MAX_CELLS} cells.", hint="Give fewer values.")
    cells = [
        [_cell(base, (asked.x, across), (asked.y, down)) for across in asked.x.values]
        for down in rows
    ]
    together = server.queue.submit_many(
        [cell for row in cells for cell in row],
        priority=asked.request.priority,
        collection=asked.request.collection,
        owner=owner,
    )
    identity, queued = new_id(), iter(together)
    jobs = [[next(queued).id for _ in row] for row in cells]
    sweep = {
        "id": identity,
        "request": asdict(base),
        "x": asked.x.model_dump(),
        "y": None if asked.y is None else asked.y.model_dump(),
        "jobs": jobs,
    }
    try:
        write_json(server.library.folder.root / "sweeps" / f"{identity}.json", sweep)
    except SfumatoError:  # nobody would ever see what they are for
        for job in together:
            server.queue.cancel(job.id)
        raise
    return describe(server, sweep)


def read(server: Server, identity: str) -> dict[str, Any]:
    """A sweep as it was started. Raises: Problem: there is none."""
    kept = None
    if is_id(identity):
        kept = read_json(server.library.folder.root / "sweeps" / f"{identity}.json")
    if kept is None:
        raise Problem("not_found", "There is no such sweep.")
    return kept


def describe(server: Server, sweep: dict[str, Any]) -> dict[str, Any]:
    """A sweep and what is drawn of it."""
    known = {
        job.id: job for job in server.queue.get_many([j for row in sweep["jobs"] for j in row])
    }
    # one that is forgotten is None: its pictures are still in the library
    jobs = [[known.get(job_id) for job_id in row] for row in sweep["jobs"]]
    return {
        **sweep,
        "states": [[None if job is None else job.state for job in row] for row in jobs],
        "pictures": [[_first(job) for job in row] for row in jobs],
        "done": sum(job is None or job.ended for row in jobs for job in row),
        "total": sum(map(len, jobs)),
    }


def _cell(
    base: GenerationRequest, x: tuple[Axis, Any], y: tuple[Axis | None, Any]
) -> GenerationRequest:
    values = {}
    for axis, value in (x, y):
        if axis is None:
            continue
        if axis.field not in _FIELDS:
            raise RequestError(
                f"There is nothing called {axis.field!r} to sweep.",
                hint=f"Choose from: {', '.join(_FIELDS)}.",
            )
        values[axis.field] = value
    request = replace(base, **values)
    if "variation_strength" in values and request.variation_strength == 0:
        request = replace(request, variation_seed=None)  # the picture itself, beside its variations
    return request_from_json(request_to_json(request))  # text, whole numbers: checked as read back


def _first(job: Job | None) -> str | None:
    return job.pictures[0] if job is not None and job.pictures else None


# ---------------------------------------------------------------- the sheet


def paint(server: Server, sweep: dict[str, Any]) -> bytes:
    """PNG: the pictures in a grid, values above and beside them, the prompt on top."""
    shown = describe(server, sweep)
    x, y = sweep["x"], sweep["y"]
    heading, text = ImageFont.load_default(19), ImageFont.load_default(15)
    pen = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    beside = [] if y is None else [_named(y["field"], value) for value in y["values"]]
    left = _MARGIN + max([0, *(round(pen.textlength(_cut(b, 20), text)) + 16 for b in beside)])
    columns, rows = len(x["values"]), len(shown["pictures"])
    top = _MARGIN + 30 + _LABEL
    width = left + columns * (_CELL + _GAP) - _GAP + _MARGIN
    height = top + rows * (_CELL + _GAP) - _GAP + _MARGIN
    sheet = Image.new("RGB", (width, height), _PAPER)
    pen = ImageDraw.Draw(sheet)
    title = str(sweep["request"]["prompt"])
    while pen.textlength(_cut(title, len(title)), heading) > width - 2 * _MARGIN and len(title) > 4:
        title = title[:-4] + "…"
    pen.text((_MARGIN, _MARGIN), title, _INK, heading)
    for column, value in enumerate(x["values"]):
        label = _cut(_named(x["field"], value), 28)
        centre = left + column * (_CELL + _GAP) + _CELL // 2
        pen.text((centre, top - 12), label, _QUIET, text, anchor="ms")
    for row, pictures in enumerate(shown["pictures"]):
        corner = top + row * (_CELL + _GAP)
        if beside:
            pen.text((left - 14, corner + _CELL // 2), _cut(beside[row], 20), _QUIET, text, "rm")
        for column, identity in enumerate(pictures):
            _paste(server, sheet, identity, (left + column * (_CELL + _GAP), corner))
    buffer = BytesIO()
    sheet.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _paste(server: Server, sheet: Image.Image, identity: str | None, at: tuple[int, int]) -> None:
    cell = Image.new("RGB", (_CELL, _CELL), _GROUND if identity else (240, 238, 233))
    pixels = None
    if identity is not None:
        with suppress(SfumatoError):  # it was deleted since: the others are worth showing
            pixels = load_pixels(server.library.folder, server.library.get(identity))
    if pixels is not None:
        picture = Image.fromarray(np.ascontiguousarray(pixels))
        picture = ImageOps.contain(picture, (_CELL, _CELL), Image.Resampling.LANCZOS)
        corner = (_CELL - picture.width) // 2, (_CELL - picture.height) // 2
        cell.paste(picture, corner, picture)
    sheet.paste(cell, at)


def _named(field: str, value: object) -> str:
    plain = field.removeprefix("num_inference_").replace("_", " ")
    return f"{plain} {'default' if value is None else value}"


def _cut(text: str, length: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= length else f"{line[: length - 1]}…"
