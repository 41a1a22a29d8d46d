"""A picture on its way into the database, and out of it again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import Row

from sfumato.checks import run_checks
from sfumato.colours import basic_name, dominant_colours
from sfumato.errors import RequestError, StorageError
from sfumato.files import encode_image, read_recipe
from sfumato.files.recipe import plan_parameters
from sfumato.gallery.folder import EXTENSIONS, Folder
from sfumato.gallery.identity import time_of
from sfumato.gallery.picture import Picture, finding_from_dict, finding_to_dict
from sfumato.gallery.text import fold
from sfumato.pictures import read_picture
from sfumato.request import Finding, GeneratedImage, GenerationPlan, hash_pixels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sfumato.files import Recipe

_COLOUR_SIDE = 96  # pixels a side that the main colours are counted on
_COLOUR_SHARE = 0.08  # of the drawing: smaller ones are not what one searches for


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What the database is to hold about one picture."""

    id: str
    row: Mapping[str, Any]  # columns of PICTURES, without its number
    labels: Mapping[str, tuple[str, ...]]  # by kind: tag, collection, colour, defect

    def words(self) -> list[str]:
        """What full-text search finds it by."""
        return words_of(self.row, (*self.labels.get("tag", ()), *self.labels.get("collection", ())))


def words_of(row: Mapping[str, Any], labels: Iterable[str]) -> list[str]:
    """Prompt, model, style, file name and labels as folded words."""
    style = json.loads(row["parameters"]).get("style")
    texts = (row["prompt"], row["model"], style, row["original_name"], *labels)
    return [word for part in texts if isinstance(part, str) for word in fold(part)]


def encode(image: GeneratedImage) -> tuple[bytes, bytes | None]:
    """The files of a picture that was just drawn: PNG, and SVG where it has paths."""
    return encode_image(image, "png"), None if image.svg is None else encode_image(image, "svg")


def record_of_image(
    identity: str,
    image: GeneratedImage,
    data: bytes,
    *,
    tags: tuple[str, ...] = (),
    collections: tuple[str, ...] = (),
    job: tuple[str, int] | None = None,
) -> Record:
    """The record of a picture that was drawn here; ``data`` is its PNG file."""
    height, width = image.pixels.shape[:2]
    return _record(
        identity,
        data,
        image.pixels,
        format_="png",
        source="sfumato",
        parameters=plan_parameters(image.plan),
        plan=image.plan,
        findings=image.findings,
        size=(width, height),
        pixel_sha256=image.pixel_sha256,
        has_svg=image.svg is not None,
        tags=tags,
        collections=collections,
        job=job,
    )


def record_of_file(
    identity: str,
    path: Path,
    *,
    original_name: str | None = None,
    has_svg: bool = False,
    tags: tuple[str, ...] = (),
    collections: tuple[str, ...] = (),
) -> tuple[Record, bytes]:
    """The record of a picture file, read from the recipe inside it, and the file's bytes.

    Raises: RequestError: no picture, or of a format the library does not keep; StorageError: it
    cannot be read or is damaged.
    """
    recipe: Recipe = read_recipe(path, pixels=False)
    if recipe.format not in EXTENSIONS:
        raise RequestError(
            f"{path} is {recipe.format.upper()}.",
            hint=f"The library keeps {', '.join(EXTENSIONS)}.",
        )
    pixels = read_picture(path)  # checks every limit before memory is taken
    try:
        data = path.read_bytes()
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}.") from None
    findings = () if recipe.plan is None else run_checks(pixels, recipe.plan)
    record = _record(
        identity,
        data,
        pixels,
        format_=recipe.format,
        source=recipe.source,
        parameters=recipe.parameters,
        plan=recipe.plan,
        findings=findings,
        size=(pixels.shape[1], pixels.shape[0]),
        pixel_sha256=hash_pixels(pixels),
        has_svg=has_svg,
        original_name=original_name,
        tags=tags,
        collections=collections,
    )
    return record, data


def colours_of(pixels: NDArray[np.uint8]) -> tuple[str, ...]:
    """The basic colours of (H, W, 4) uint8 pixels that one would search it by, largest first."""
    step = max(1, -(-max(pixels.shape[:2]) // _COLOUR_SIDE))
    shares: dict[str, float] = {}
    for rgb, share in dominant_colours(pixels[::step, ::step], 8):
        name = basic_name(rgb)
        shares[name] = shares.get(name, 0.0) + share
    named = sorted(shares, key=lambda name: -shares[name])
    return tuple(name for name in named if shares[name] >= _COLOUR_SHARE)


def picture_of(row: Row[Any], labels: Mapping[str, list[str]], folder: Folder) -> Picture:
    """A row of the database and its labels as a ``Picture``."""
    trashed = row.trashed_at is not None
    svg = folder.find(row.id, "svg", trashed=trashed) if row.has_svg else None
    return Picture(
        id=row.id,
        path=folder.find(row.id, row.format, trashed=trashed),
        svg_path=svg,
        created_at=time_of(row.id),
        trashed_at=datetime.fromtimestamp(row.trashed_at, timezone.utc) if trashed else None,
        format=row.format,
        width=row.width,
        height=row.height,
        size_bytes=row.size_bytes,
        file_sha256=row.file_sha256,
        pixel_sha256=row.pixel_sha256,
        source=row.source,
        prompt=row.prompt,
        negative_prompt=row.negative_prompt,
        model=row.model,
        seed=row.seed,
        parameters=json.loads(row.parameters),
        plan=None if row.plan is None else _plan_of(row.plan),
        findings=tuple(finding_from_dict(finding) for finding in json.loads(row.findings)),
        favourite=bool(row.favourite),
        rating=row.rating,
        tags=tuple(sorted(labels.get("tag", ()))),
        collections=tuple(sorted(labels.get("collection", ()))),
        colours=tuple(labels.get("colour", ())),
        original_name=row.original_name,
        job_id=row.job_id,
        job_index=row.job_index,
    )


def _record(
    identity: str,
    data: bytes,
    pixels: NDArray[np.uint8],
    *,
    format_: str,
    source: str,
    parameters: Mapping[str, Any],
    plan: GenerationPlan | None,
    findings: tuple[Finding, ...],
    size: tuple[int, int],
    pixel_sha256: str,
    has_svg: bool,
    tags: tuple[str, ...],
    collections: tuple[str, ...],
    original_name: str | None = None,
    job: tuple[str, int] | None = None,
) -> Record:
    row = {
        "id": identity,
        "format": format_,
        "width": size[0],
        "height": size[1],
        "size_bytes": len(data),
        "file_sha256": hashlib.sha256(data).hexdigest(),
        "pixel_sha256": pixel_sha256,
        "has_svg": has_svg,
        "source": source,
        "prompt": _clean(parameters.get("prompt")) or "",
        "negative_prompt": _clean(parameters.get("negative_prompt")) or "",
        "model": _clean(parameters.get("model")),
        "seed": _whole(parameters.get("seed")),
        "parameters": json.dumps(_clean_all(dict(parameters)), ensure_ascii=False, default=str),
        "plan": None if plan is None else plan.to_json(),
        "findings": json.dumps([finding_to_dict(f) for f in findings], ensure_ascii=False),
        "original_name": _clean(original_name),
        "job_id": None if job is None else job[0],
        "job_index": None if job is None else job[1],
    }
    labels = {
        "tag": tuple(dict.fromkeys(tags)),
        "collection": tuple(dict.fromkeys(collections)),
        "colour": colours_of(pixels),
        "defect": tuple(sorted({finding.check for finding in findings})),
    }
    return Record(id=identity, row=row, labels=labels)


@lru_cache(maxsize=1000)  # pages are looked at again and again, and plans never change
def _plan_of(text: str) -> GenerationPlan | None:
    try:
        return GenerationPlan.from_json(text)
    except RequestError:  # of a newer or much older sfumato: the rest is worth showing
        return None


def _clean(value: object) -> str | None:
    """Other programs' text as both databases take it: no NUL, no half of a surrogate pair."""
    if not isinstance(value, str):
        return None
    return value.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def _clean_all(value: Any) -> Any:
    if isinstance(value, dict):
        return {_clean(str(key)): _clean_all(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean_all(entry) for entry in value]
    return _clean(value) if isinstance(value, str) else value


def _whole(value: object) -> int | None:
    """A seed that fits the column; other programs write anything there."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63:
        return value
    return None
