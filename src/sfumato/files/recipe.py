"""Read the recipe out of a picture file: ours, or one of the other programs' in use.

Two tables do the work. ``_CONTAINERS`` turns a file into texts by keyword (PNG's names are used
for all formats) and pixels; ``_SOURCES`` turns those texts into a recipe. A further format or
program is one more line.

The files come from anywhere, so every limit is checked before the memory is taken: the file's
size, the picture's pixels, the metadata after inflation. Nothing is fetched or executed.
"""

from __future__ import annotations

import io
import os
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image, JpegImagePlugin, PngImagePlugin, WebPImagePlugin
from PIL.ImageFile import ImageFile

from sfumato.errors import RequestError, SfumatoError, StorageError
from sfumato.files.a1111 import normalise, parse_parameters
from sfumato.files.containers import frame_of_icon, png_without_pixels, svg_size
from sfumato.files.foreign import read_comfyui, read_invokeai
from sfumato.files.metadata import (
    MAX_TEXT,
    PARAMETERS_KEY,
    PIXELS_KEY,
    PLAN_KEY,
    a1111_parameters,
    join_extended_xmp,
    read_packet,
    read_user_comment,
)
from sfumato.pictures import open_file, webp_size
from sfumato.request import GenerationPlan, hash_pixels

MAX_FILE_BYTES = 128 * 1024 * 1024
MAX_SVG_BYTES = 32 * 1024 * 1024
MAX_PIXELS = 4096 * 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What a picture file says about how it was made."""

    source: str  # "sfumato", "automatic1111", "comfyui", "invokeai" or "none"
    plan: GenerationPlan | None  # draws the picture again; only in our own files
    parameters: Mapping[str, Any]  # prompt, negative_prompt, seed, steps, sampler, cfg_scale, ...
    text: str  # the recipe as the file has it
    keyword: str  # of the PNG chunk that ``text`` belongs in; "" where there is none
    pixel_sha256: str | None  # of the pixels in the file now; None for svg and pdf, and unread
    recorded_sha256: str | None  # of the pixels that were saved, before any lossy encoding
    width: int | None  # pixels; None for svg and pdf that do not say
    height: int | None
    format: str  # a registry name


@dataclass(frozen=True, slots=True, kw_only=True)
class _Contents:
    """A file taken apart."""

    texts: Mapping[str, str]  # by PNG keyword
    size: tuple[int, int] | None
    pixel_sha256: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """One program's recipe."""

    parameters: Mapping[str, Any]
    text: str
    plan: GenerationPlan | None = None


def read_recipe(path: str | os.PathLike[str], *, pixels: bool = True) -> Recipe:
    """The recipe inside the picture at ``path``; ``source`` is "none" where there is none.

    Args:
        path: the file.
        pixels: False leaves the pixels undecoded, which is many times quicker: then damage in
            them is not found, and ``pixel_sha256`` is None.

    Raises:
        RequestError: not a picture in a format sfumato reads, or a plan of a newer sfumato.
        StorageError: the file cannot be read, is damaged, or is larger than the limits.
    """
    data = _read_bytes(Path(path))
    container = next((entry for entry in _CONTAINERS if entry[1](data)), None)
    if container is None:
        raise RequestError(
            f"{path} is not a picture that sfumato reads.",
            hint="It reads png, webp, jpeg, svg, pdf and ico.",
        )
    name, _, take_apart = container
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of odd EXIF; odd is what we expect
            contents = take_apart(data, pixels)
        if sum(map(len, contents.texts.values())) > MAX_TEXT:
            raise StorageError("The picture's metadata is larger than 1 MiB.")
        source, found = _first_recipe(contents.texts)
    except SfumatoError as error:
        hint = error.hint or "Use another copy of the file."
        raise type(error)(f"{path}: {error.message}", hint=hint) from None
    except Exception as error:  # decoders fail in many ways on hostile bytes; all mean this
        raise StorageError(
            f"{path} is damaged: {error}.", hint="Use another copy of the file."
        ) from error
    size: tuple[int | None, int | None] = contents.size or (None, None)
    if found.plan is not None and name in ("svg", "pdf"):
        size = found.plan.width, found.plan.height  # paths and pages have no pixels of their own
    return Recipe(
        source=source,
        plan=found.plan,
        parameters=found.parameters,
        text=found.text,
        keyword=_keyword_of(found.text, contents.texts),
        pixel_sha256=contents.pixel_sha256,
        recorded_sha256=contents.texts.get(PIXELS_KEY),
        width=size[0],
        height=size[1],
        format=name,
    )


# ---------------------------------------------------------------- programs


def _from_sfumato(texts: Mapping[str, str]) -> _Found | None:
    if PLAN_KEY not in texts:
        return None
    plan = GenerationPlan.from_json(texts[PLAN_KEY])
    text = texts.get(PARAMETERS_KEY) or a1111_parameters(plan)
    return _Found(plan=plan, parameters=plan_parameters(plan), text=text)


def plan_parameters(plan: GenerationPlan) -> dict[str, Any]:
    """What a plan of one picture says, under the names that every program's recipes share."""
    return {
        "prompt": plan.prompt,
        "negative_prompt": plan.negative_prompt,
        "seed": plan.seeds[0],
        "steps": plan.num_inference_steps,
        "sampler": plan.sampler,
        "scheduler": plan.scheduler,
        "cfg_scale": plan.guidance_scale,
        "width": plan.width,
        "height": plan.height,
        "model": plan.model,
        "model_hash": plan.model_sha256[:10],
        "style": plan.styles[0],
        "background": plan.background,
    }


def _from_invokeai(texts: Mapping[str, str]) -> _Found | None:
    found = read_invokeai(texts)
    return found and _Found(parameters=found[0], text=found[1])


def _from_comfyui(texts: Mapping[str, str]) -> _Found | None:
    found = read_comfyui(texts)
    return found and _Found(parameters=found[0], text=found[1])


def _from_automatic1111(texts: Mapping[str, str]) -> _Found | None:
    text = texts.get(PARAMETERS_KEY, "")
    return _Found(parameters=normalise(parse_parameters(text)), text=text) if text else None


# In this order: ComfyUI's and our own files may carry AUTOMATIC1111's text besides.
_SOURCES: tuple[tuple[str, Callable[[Mapping[str, str]], _Found | None]], ...] = (
    ("sfumato", _from_sfumato),
    ("invokeai", _from_invokeai),
    ("comfyui", _from_comfyui),
    ("automatic1111", _from_automatic1111),
)


def _first_recipe(texts: Mapping[str, str]) -> tuple[str, _Found]:
    for source, read in _SOURCES:
        found = read(texts)
        if found is not None:
            return source, found
    return "none", _Found(parameters={}, text="")


_KEYWORDS = ("invokeai_metadata", "sd-metadata", "Dream", "prompt", "workflow", PARAMETERS_KEY)


def _keyword_of(text: str, texts: Mapping[str, str]) -> str:
    """Where the recipe was found. Other chunks may repeat it, and nobody looks there."""
    return next((key for key in _KEYWORDS if text and texts.get(key) == text), "")


# ---------------------------------------------------------------- formats


def _open_png(data: bytes, pixels: bool) -> _Contents:
    if not pixels:
        data = png_without_pixels(data)  # or Pillow decodes them to find texts behind them
    picture = PngImagePlugin.PngImageFile(io.BytesIO(data))
    contents = _take_apart(picture, pixels)
    found: Mapping[Any, object] = picture.text if pixels else picture.info
    texts = {key: str(value) for key, value in found.items() if isinstance(value, str)}
    return replace(contents, texts={**contents.texts, **texts})


def _open_webp(data: bytes, pixels: bool) -> _Contents:
    _check_pixels(webp_size(data))  # the decoder takes its memory as soon as it is opened
    return _take_apart(WebPImagePlugin.WebPImageFile(io.BytesIO(data)), pixels)


def _open_jpeg(data: bytes, pixels: bool) -> _Contents:
    return _take_apart(JpegImagePlugin.JpegImageFile(io.BytesIO(data)), pixels)


def _open_ico(data: bytes, pixels: bool) -> _Contents:
    return _open_png(frame_of_icon(data), pixels)


def _open_svg(data: bytes, pixels: bool) -> _Contents:
    if len(data) > MAX_SVG_BYTES:
        raise StorageError("The drawing is larger than 32 MiB.")
    size = svg_size(data)
    return _Contents(texts=read_packet(data), size=size)


def _open_pdf(data: bytes, pixels: bool) -> _Contents:
    if b"%%EOF" not in data[-1024:]:
        raise StorageError("The PDF is cut short.")
    return _Contents(texts=read_packet(data), size=None)


_TakeApart = Callable[[bytes, bool], _Contents]  # the file's bytes, whether its pixels are decoded
_CONTAINERS: tuple[tuple[str, Callable[[bytes], bool], _TakeApart], ...] = (
    ("png", lambda data: data.startswith(b"\x89PNG\r\n\x1a\n"), _open_png),
    ("webp", lambda data: data[:4] == b"RIFF" and data[8:12] == b"WEBP", _open_webp),
    ("jpeg", lambda data: data.startswith(b"\xff\xd8\xff"), _open_jpeg),
    ("ico", lambda data: data.startswith(b"\0\0\1\0"), _open_ico),
    ("pdf", lambda data: data.startswith(b"%PDF-"), _open_pdf),
    (
        "svg",
        lambda data: re.match(rb"(\xef\xbb\xbf)?\s*<(\?xml|!--|!DOCTYPE|svg)", data) is not None,
        _open_svg,
    ),
)


def _take_apart(picture: ImageFile, pixels: bool) -> _Contents:
    """The texts that Pillow finds in EXIF and XMP, and the pixels' hash where that is wanted."""
    _check_pixels(picture.size)
    digest = hash_pixels(np.asarray(picture.convert("RGBA"))) if pixels else None
    exif = Image.Image.getexif(picture)  # a PNG's own decodes it
    texts: dict[str, str] = {}
    for packet in (picture.info.get("xmp"), join_extended_xmp(getattr(picture, "applist", ()))):
        if isinstance(packet, bytes):
            texts.update(read_packet(packet))
    comment = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.UserComment)
    if isinstance(comment, bytes) and (text := read_user_comment(comment)):
        texts[PARAMETERS_KEY] = text
    # ComfyUI's WebP: "prompt:{...}" and "workflow:{...}" in whichever tags are free
    for value in exif.values():
        if isinstance(value, str) and value.startswith(("prompt:", "workflow:")):
            key, _, text = value.partition(":")
            texts[key] = text
    return _Contents(texts=texts, size=picture.size, pixel_sha256=digest)


def _check_pixels(size: tuple[int, int]) -> None:
    if size[0] * size[1] > MAX_PIXELS:
        raise StorageError(
            f"The picture has {size[0]}x{size[1]} pixels.",
            hint="sfumato reads up to 16.8 megapixels.",
        )


def _read_bytes(path: Path) -> bytes:
    """The whole file, when it is a plain one of reasonable size."""
    try:
        with open_file(path, most=MAX_FILE_BYTES) as file:
            # a larger number would be allocated first
            return file.read(os.fstat(file.fileno()).st_size)
    except SfumatoError as error:
        raise type(error)(f"{path}: {error.message}", hint=error.hint) from None
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}.") from error
