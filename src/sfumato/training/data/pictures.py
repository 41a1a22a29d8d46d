"""Vectors to pixels: a square SVG, a clean 64-pixel picture, and what tells two pictures apart.

Pixels are straight-alpha RGBA. Everything that averages pixels does so on premultiplied values,
because the colour under a transparent pixel means nothing.
"""

from __future__ import annotations

import gzip
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import resvg_py
from numpy.typing import NDArray
from PIL import Image

from sfumato.atomic import replacing
from sfumato.errors import StorageError
from sfumato.training.data.archives import Icon

Pixels = NDArray[np.uint8]
Progress = Callable[[int, int, str], None]

FINGERPRINT_SIZE = 16


def make_square_svg(icon: Icon) -> str:
    """A standalone SVG with the drawing centred on a square canvas; ``currentColor`` is black."""
    left, top, width, height = icon.box
    side = max(width, height)
    x, y = left - (side - width) / 2, top - (side - height) / 2
    body = icon.body.replace("currentColor", "#000")
    xlink = ' xmlns:xlink="http://www.w3.org/1999/xlink"' if "xlink:" in body else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg"{xlink} width="{side:g}" height="{side:g}" '
        f'viewBox="{x:g} {y:g} {side:g} {side:g}">{body}</svg>'
    )


def render_svg(svg: str, size: int) -> Pixels:
    """Draw an SVG. Returns ``(size, size, 4)`` uint8, straight alpha, transparent ground.

    Raises :class:`StorageError` when the SVG cannot be drawn.
    """
    try:
        png = resvg_py.svg_to_bytes(svg_string=svg, width=size, height=size, skip_system_fonts=True)
    except ValueError as error:
        raise StorageError(f"An SVG cannot be drawn: {error}") from error
    with Image.open(io.BytesIO(bytes(png))) as image:
        return np.asarray(image.convert("RGBA"), dtype=np.uint8)


def downsample(pixels: Pixels, size: int) -> Pixels:
    """Average square blocks down to ``(size, size, 4)``, on premultiplied values.

    The side of ``pixels`` must be a multiple of ``size``.
    """
    side = pixels.shape[0]
    if side % size:
        raise ValueError(f"{side} is not a multiple of {size}")
    block = side // size
    values = pixels.astype(np.float32)
    values[..., :3] *= values[..., 3:] / 255.0
    means = values.reshape(size, block, size, block, 4).mean(axis=(1, 3))  # (S, S, 4)
    alpha = means[..., 3:]
    colour = np.where(alpha > 0, means[..., :3] * 255.0 / np.maximum(alpha, 1e-6), 0.0)
    straight = np.concatenate([colour, alpha], axis=-1)
    pictures: Pixels = np.clip(np.rint(straight), 0, 255).astype(np.uint8)
    return pictures


def render_clean(svg: str, size: int) -> Pixels:
    """Draw at four times the size (256 px for 64) and average down: ``(size, size, 4)``."""
    return downsample(render_svg(svg, size * 4), size)


def premultiply(pictures: Pixels) -> NDArray[np.float32]:
    """``(..., 4)`` uint8 straight alpha to float32 in 0..1, colour times alpha."""
    values = pictures.astype(np.float32) / 255.0
    values[..., :3] *= values[..., 3:]
    return values


def make_fingerprints(pictures: Pixels) -> NDArray[np.float32]:
    """``(N, S, S, 4)`` pictures to ``(N, 1024)`` unit-range vectors: 16x16 premultiplied means."""
    count, side = pictures.shape[:2]
    block = side // FINGERPRINT_SIZE
    flat = np.empty((count, FINGERPRINT_SIZE * FINGERPRINT_SIZE * 4), dtype=np.float32)
    for start in range(0, count, 512):
        part = premultiply(pictures[start : start + 512])
        means = part.reshape(len(part), FINGERPRINT_SIZE, block, FINGERPRINT_SIZE, block, 4)
        flat[start : start + 512] = means.mean(axis=(2, 4)).reshape(len(part), -1)
    return flat


def find_duplicates(prints: NDArray[np.float32], threshold: float) -> dict[int, int]:
    """Pictures that look like an earlier one: ``{later index: earlier index}``.

    ``threshold`` is the root mean square difference of fingerprints, in 0..1. A picture that is
    itself a duplicate hides no other.
    """
    squares = (prints**2).sum(axis=1)
    limit = threshold**2 * prints.shape[1]
    duplicate_of: dict[int, int] = {}
    for start in range(0, len(prints), 1024):
        block = prints[start : start + 1024]
        distance = squares[start : start + 1024, None] + squares[None] - 2.0 * block @ prints.T
        for row, column in zip(*np.nonzero(distance < limit), strict=True):
            later, earlier = start + int(row), int(column)
            if earlier < later and later not in duplicate_of and earlier not in duplicate_of:
                duplicate_of[later] = earlier
    return duplicate_of


def render_all(
    svgs: Iterable[str],
    out: NDArray[np.uint8],
    *,
    total: int,
    on_progress: Progress | None = None,
) -> None:
    """Draw every SVG into ``out`` ``(N, S, S, 4)``; one that cannot be drawn stays transparent."""
    size = out.shape[1]

    def draw(svg: str) -> Pixels:
        try:
            return render_clean(svg, size)
        except StorageError:
            return np.zeros((size, size, 4), dtype=np.uint8)

    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        for done, picture in enumerate(pool.map(draw, svgs), start=1):
            out[done - 1] = picture
            if on_progress is not None and (done % 100 == 0 or done == total):
                on_progress(done, total, "draw")


def read_manifest(directory: Path) -> list[dict[str, Any]]:
    """The lines of ``manifest.jsonl``, in the order of the picture arrays."""
    path = directory / "manifest.jsonl"
    if not path.is_file():
        raise StorageError(f"{directory} holds no picture set.", hint="Build one first.")
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def read_svgs(directory: Path) -> Iterator[str]:
    """The SVG texts of a picture set, in the order of its manifest."""
    with gzip.open(directory / "svg.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)["svg"]


def render_pictures(
    directory: Path, size: int, *, on_progress: Progress | None = None
) -> NDArray[np.uint8]:
    """The set's pictures at ``size``: ``(N, size, size, 4)`` uint8, a read-only memory map.

    Drawn once into ``pictures-{size}.npy`` (written beside it and renamed when complete), and
    only opened after that.
    """
    path = directory / f"pictures-{size}.npy"
    total = len(read_manifest(directory))
    if not path.is_file():
        with replacing(path) as temporary:
            out = np.lib.format.open_memmap(
                temporary, mode="w+", dtype=np.uint8, shape=(total, size, size, 4)
            )
            render_all(read_svgs(directory), out, total=total, on_progress=on_progress)
            out.flush()
            del out
    pictures: NDArray[np.uint8] = np.load(path, mmap_mode="r")
    if pictures.shape != (total, size, size, 4):
        raise StorageError(
            f"{path} does not match the manifest beside it.", hint="Delete it; it is drawn again."
        )
    return pictures
