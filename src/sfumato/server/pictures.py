"""What the web side does with pictures: other formats and sizes, uploads, search by looks.

Uploads come from anywhere. Their length, format and pixels are checked before anything is decoded;
SVG, which can hold scripts and point elsewhere, is never accepted. What is kept is a copy of our
own making (``clean.py``), never the bytes that were sent.
"""

from __future__ import annotations

import re
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from fastapi import UploadFile
from PIL import Image

from sfumato.checks import check_one
from sfumato.checks.overlay import paint_findings
from sfumato.errors import RequestError, SfumatoError, StorageError
from sfumato.files import WriteOptions, encode_image, read_recipe
from sfumato.finish.compose import render
from sfumato.gallery import Library, Picture, Query
from sfumato.gallery.folder import storage_errors
from sfumato.gallery.thumbnails import file_missing, load_pixels
from sfumato.inspection import open_look
from sfumato.pictures import read_picture, webp_size
from sfumato.plan import VARIATION_STRENGTHS
from sfumato.request import MAX_SIDE, MIN_SIDE, GeneratedImage, GenerationPlan
from sfumato.server.clean import clean_copy, plain_png
from sfumato.server.problems import Problem
from sfumato.server.settings import MAX_UPLOAD_BYTES, MAX_UPLOAD_PIXELS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sfumato.gallery.vectors import Match

TYPES = {
    "png": "image/png",
    "webp": "image/webp",
    "jpeg": "image/jpeg",
    "svg": "image/svg+xml",
    "pdf": "application/pdf",
    "ico": "image/x-icon",
}
_UPLOADS = ("PNG", "JPEG", "WEBP")
_ACCEPTED = "Up to 16.8 megapixels are accepted."
_NAME_BYTES = 200  # of an upload's file; file systems take 255
_INDEXING_SECONDS = 4.0  # of looking at new pictures that one search may cost
_LABELS_OF_SVG = re.compile(r"<title>.*?</title>|<metadata>.*?</metadata>", re.DOTALL)

_AT_ONCE = 4  # pictures whose pixels are in memory: each may take some hundred megabytes

_looking = threading.Lock()  # two searches need not look at the same new pictures
_opening = threading.BoundedSemaphore(_AT_ONCE)  # the framework has forty threads


# ---------------------------------------------------------------- out


def file_name(picture: Picture, extension: str) -> str:
    """An ASCII name to save a picture under: the command line's, where it was drawn here."""
    end = f"-{picture.id[-8:]}" if picture.seed is None else ""
    return f"{picture.stem}{end}.{extension}"


def convert(library: Library, picture: Picture, format_: str, size: int | None) -> bytes:
    """The picture's file in another format, its longer side ``size`` pixels, recipe inside.

    Drawings with paths are rendered anew at that size; others are resampled.

    Raises: RequestError: it has no paths and cannot be SVG; StorageError: its file is gone.
    """
    if format_ == "svg" and picture.svg_path is not None:
        stored = _paths_of(library, picture)
        if stored is None:
            raise file_missing(picture.id, picture.svg_path)
        return (stored if size is None else _sized(stored, picture, size)).encode()
    if format_ == "svg":
        raise RequestError("The picture has no paths.", hint="Ask for png, webp or pdf.")
    # what is known of pictures from elsewhere is no recipe of ours, and must not look like one
    options = WriteOptions(metadata=picture.plan is not None)
    with _opening:
        return encode_image(_image_of(library, picture, size), format_, options)


def encode(library: Library, picture: Picture, format_: str, quality: int | None) -> bytes:
    """The picture's file in a format of pixels; ``quality`` 1 to 100 loses some, None nothing.

    Raises: StorageError: its file is gone.
    """
    if format_ == picture.format and quality is None:
        return _bytes_of(library, picture)
    options = WriteOptions(
        metadata=picture.plan is not None,
        lossless=quality is None,
        quality=92 if quality is None else quality,
    )
    with _opening:
        return encode_image(_image_of(library, picture, None), format_, options)


def reencode(png: bytes, format_: str) -> bytes:
    """One of our own previews in the format that the whole picture will have."""
    if format_ == "png":
        return png
    buffer = BytesIO()
    with Image.open(BytesIO(png)) as preview:
        picture = preview.convert("RGBA")
    if format_ == "jpeg":
        ground = Image.new("RGB", picture.size, "white")
        ground.paste(picture, (0, 0), picture)
        picture = ground
    picture.save(buffer, format_.upper())
    return buffer.getvalue()


def paint(library: Library, picture: Picture) -> bytes:
    """PNG: the picture with numbered marks where something was found, and a legend."""
    title = picture.prompt or picture.original_name or picture.id
    buffer = BytesIO()
    with _opening:
        pixels = load_pixels(library.folder, picture)
        paint_findings(pixels, picture.findings, title).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def share_of(strength: str | float) -> float:
    """How far a variation is from its picture, 0 to 1, as a word or as the number itself.

    Raises: RequestError: there is no such word.
    """
    if not isinstance(strength, str):
        return strength
    if strength not in VARIATION_STRENGTHS:
        raise RequestError(
            f"There is no strength {strength[:40]!r}.", hint="Give subtle, strong or 0 to 1."
        )
    return VARIATION_STRENGTHS[strength]


def resized(plan: GenerationPlan, size: int) -> GenerationPlan:
    """The same drawing with a longer side of ``size`` pixels.

    Raises: RequestError: a size that no picture can have.
    """
    if not MIN_SIDE <= size <= MAX_SIDE:
        raise RequestError(
            "No picture can have a side of that size.",
            hint=f"Ask for {MIN_SIDE} to {MAX_SIDE} pixels.",
        )
    width, height = _sides(plan.width, plan.height, size)
    return replace(plan, width=max(width, MIN_SIDE), height=max(height, MIN_SIDE))


def _image_of(library: Library, picture: Picture, size: int | None) -> GeneratedImage:
    """The stored picture as one that was just drawn: what the writers take."""
    plan, svg = picture.plan, None
    if plan is not None:
        stored = _paths_of(library, picture)  # lost ones leave the pixels
        svg = None if stored is None else _LABELS_OF_SVG.sub("", stored)
    if svg is not None and size is not None and plan is not None:
        plan = resized(plan, size)
        pixels = render(svg, plan.width, plan.height)
    else:
        pixels = load_pixels(library.folder, picture)
        pixels = pixels if size is None else _resampled(pixels, size)
        if plan is not None and size is not None:
            plan = resized(plan, size)
    return GeneratedImage(
        pixels=pixels,
        plan=_stand_in(picture, pixels) if plan is None else plan,
        index=picture.job_index or 0,
        findings=picture.findings,
        svg=svg,
    )


def stored_file(library: Library, picture: Picture) -> Path:
    """The picture's own file. Raises: StorageError: it is gone."""
    if not picture.path.is_file():
        library.folder.check()
        raise file_missing(picture.id, picture.path)
    return picture.path


def _paths_of(library: Library, picture: Picture) -> str | None:
    """The drawing's SVG; None: it has none, or it is lost."""
    if picture.svg_path is None:
        return None
    try:
        return picture.svg_path.read_text("utf-8")
    except FileNotFoundError:
        library.folder.check()  # without its disk every file would seem to be lost
        return None


def _bytes_of(library: Library, picture: Picture) -> bytes:
    path = stored_file(library, picture)
    with storage_errors(path):
        return path.read_bytes()


def _stand_in(picture: Picture, pixels: NDArray[np.uint8]) -> GenerationPlan:
    """A plan for a picture from elsewhere: writers ask it for the ground, and write none of it."""
    height, width = pixels.shape[:2]
    return GenerationPlan(
        prompt=picture.prompt[:10_000], negative_prompt="", subject="", model=picture.model or "",
        model_sha256="", seeds=(min(max(picture.seed or 0, 0), 2**32 - 1),), styles=("",),
        width=min(max(width, 16), 4096), height=min(max(height, 16), 4096),
        num_inference_steps=1, guidance_scale=1.0, sampler="", scheduler="",
        background="transparent", finish="raster",
    )  # fmt: skip


def _resampled(pixels: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    # Pillow multiplies by alpha before it resamples RGBA: no dark fringes
    drawn = Image.fromarray(pixels).resize(_sides(width, height, size), Image.Resampling.LANCZOS)
    return np.asarray(drawn)


def _sides(width: int, height: int, size: int) -> tuple[int, int]:
    scale = size / max(width, height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def _sized(svg: str, picture: Picture, size: int) -> str:
    scale = size / max(picture.width, picture.height)
    sides = f'width="{picture.width * scale:g}" height="{picture.height * scale:g}"'
    return svg.replace("<svg ", f"<svg {sides} ", 1)


# ---------------------------------------------------------------- in


async def uploaded(file: UploadFile) -> bytes:
    """The bytes of an upload that is worth decoding.

    Raises: Problem: too large, too many pixels, or of a format that is not accepted.
    """
    data = await file.read(MAX_UPLOAD_BYTES + 1)
    check_upload(data)
    return data


def check_upload(data: bytes) -> tuple[int, int]:
    """Width and height of a picture, read from its header alone.

    Raises: Problem: too large, too many pixels, or of a format that is not accepted.
    """
    if len(data) > MAX_UPLOAD_BYTES:
        raise Problem("too_large", "The file is larger than 32 MiB.")
    try:
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            _check_pixels(webp_size(data))  # its decoder takes memory as soon as it is opened
        with Image.open(BytesIO(data), formats=_UPLOADS) as picture:
            size: tuple[int, int] = picture.size
    except Problem:
        raise
    except Image.DecompressionBombError:
        raise Problem("too_large", "The picture has too many pixels.", hint=_ACCEPTED) from None
    except Exception:  # headers fail in many ways on hostile bytes; all mean this
        raise Problem(
            "unsupported_media", "The file is not a picture that is accepted here.",
            hint="Send a PNG, JPEG or WebP file.",
        ) from None  # fmt: skip
    _check_pixels(size)
    return size


def _check_pixels(size: tuple[int, int]) -> None:
    if size[0] * size[1] > MAX_UPLOAD_PIXELS:
        raise Problem(
            "too_large", f"The picture has {size[0]}×{size[1]} pixels.",
            hint=_ACCEPTED,
        )  # fmt: skip


def recipe_of(data: bytes, name: str) -> dict[str, Any]:
    """What a picture says about how it was made."""
    with _as_file(data, name) as path:
        recipe = read_recipe(path)
    return {
        "source": recipe.source,
        "parameters": _plain(dict(recipe.parameters)),
        "plan": None if recipe.plan is None else recipe.plan.to_dict(),
        "text": recipe.text,
        "pixel_sha256": recipe.pixel_sha256,
        "recorded_sha256": recipe.recorded_sha256,
        "width": recipe.width,
        "height": recipe.height,
        "format": recipe.format,
    }


def keep(library: Library, data: bytes, name: str) -> tuple[Picture, bool]:
    """Keep an upload's drawing and its recipe; whether it is new."""
    known = library.with_bytes(data)  # one of our own files that comes back, or an imported one
    if known is not None:
        return known, False
    with _as_file(data, name) as path:
        path.write_bytes(clean_copy(path))
        return library.import_file(path)


def cleaned(data: bytes) -> bytes:
    """An upload as a PNG with its recipe and nothing else."""
    with _as_file(data, "picture") as path:
        return clean_copy(path)


def pixels_of(data: bytes) -> NDArray[np.uint8]:
    """(H, W, 4) uint8 pixels of an upload, upright and in sRGB."""
    with _as_file(data, "picture") as path:
        return read_picture(path)


def resample(data: bytes, size: tuple[int, int], how: Image.Resampling) -> bytes:
    """An upload in another size, as a PNG without metadata."""
    drawn = Image.fromarray(pixels_of(data)).resize(size, how)
    return plain_png(np.asarray(drawn))


def check(data: bytes, name: str, prompt: str | None) -> list[dict[str, Any]]:
    """What is wrong with an upload; ``prompt`` goes before what its own recipe says."""
    with _as_file(data, name) as path:
        findings = check_one(open_look(path, prompt, use_recipe=prompt is None))
    return [_without_mask(asdict(finding)) for finding in findings]


@contextmanager
def _as_file(data: bytes, name: str) -> Iterator[Path]:
    """An upload as a file of its own name; errors name that and not where it lies meanwhile.

    Whoever wants one more than may be open at once waits.
    """
    with _opening, tempfile.TemporaryDirectory(prefix="sfumato-upload-") as folder:
        path = Path(folder, _safe_name(name))
        path.write_bytes(data)
        try:
            yield path
        except SfumatoError as error:
            theirs = isinstance(error, StorageError) and str(path) in error.message
            error.message = error.message.replace(f"{path.parent}/", "")
            if theirs:  # damaged: no fault of this machine's disk
                raise Problem("bad_request", error.message, hint=error.hint) from None
            raise


def _safe_name(name: str) -> str:
    """The last part of a name, as any file system takes it."""
    last = re.split(r"[/\\]", name)[-1]
    plain = "".join(c for c in last if c.isprintable()).strip(". ")
    short = plain.encode("utf-8", "ignore")[-_NAME_BYTES:].decode("utf-8", "ignore")
    return short.strip(". ") or "picture"


def _plain(value: Any) -> Any:
    """Other programs' parameters as JSON can hold them."""
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    if isinstance(value, float) and not np.isfinite(value):
        return str(value)
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    return value if isinstance(value, (int, float, bool)) or value is None else str(value)


def _without_mask(finding: dict[str, Any]) -> dict[str, Any]:
    finding.pop("mask")  # long, and the overlay shows it
    return finding


# ---------------------------------------------------------------- by looks


def nearest(
    library: Library, wanted: Query, *, text: str | None, like: str | None, limit: int
) -> list[Match]:
    """Pictures by what they show: most like words, or most like another picture, best first.

    New pictures are looked at first, the newest ones, for some seconds at most; the next search
    goes on with the others.

    Raises: RequestError: both or neither, or no such picture; ModelError: no picture-text model.
    """
    from sfumato.gallery.vectors import PictureSearch

    if (text is None) == (like is None):
        raise RequestError("Search by words or by a picture.", hint="Give text, or like.")
    search = PictureSearch(library)  # the model behind it is loaded once
    enough = threading.Event()
    timer = threading.Timer(_INDEXING_SECONDS, enough.set)
    timer.daemon = True
    timer.start()
    try:
        with _looking:
            search.update(stop=enough)
    finally:
        timer.cancel()
    if text is not None:
        return search.by_text(text, query=wanted, limit=limit)
    assert like is not None
    return search.by_picture(like, query=wanted, limit=limit)
