"""Sizes and parts of files that Pillow does not open, or opens too late for our limits."""

from __future__ import annotations

import re
import struct

from sfumato.errors import RequestError, StorageError
from sfumato.files.metadata import MAX_TEXT, hardened_parser, parse_xml

_PNG = b"\x89PNG\r\n\x1a\n"
_PIXEL_CHUNKS = (b"IDAT", b"acTL", b"fcTL", b"fdAT")  # those of animations too
_LENGTH = re.compile(r"\s*(\d{1,6})(?:\.\d*)?(?:px)?\s*")


def frame_of_icon(data: bytes) -> bytes:
    """The largest PNG inside an ICO file.

    Raises:
        RequestError: an icon of bitmaps only, which cannot carry a recipe.
        StorageError: the directory points outside the file.
    """
    (count,) = struct.unpack_from("<H", data, 4)
    best: tuple[int, int, int] | None = None  # width, offset, length
    for number in range(count):
        length, offset = struct.unpack_from("<II", data, 6 + 16 * number + 8)
        if offset + length > len(data):
            raise StorageError("The icon is cut short.")
        if data.startswith(_PNG, offset):
            (width,) = struct.unpack_from(">I", data, offset + 16)
            best = max(best or (0, 0, 0), (width, offset, length))
    if best is None:
        raise RequestError("The icon holds no PNG frames.", hint="Convert it to PNG first.")
    return data[best[1] : best[1] + best[2]]


def png_without_pixels(data: bytes) -> bytes:
    """A PNG's other chunks, in their order: for reading what it says without decoding it.

    Raises: StorageError: it ends before its end.
    Source: the PNG specification (third edition), section 5.3.
    """
    kept, at = [data[: len(_PNG)]], len(_PNG)
    while at + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data):
            break
        if kind not in _PIXEL_CHUNKS:
            kept.append(data[at:end])
        if kind == b"IEND":
            return b"".join(kept)
        at = end
    raise StorageError("The picture is cut short.")


def svg_size(data: bytes) -> tuple[int, int] | None:
    """Width and height in pixels that an SVG's root element gives.

    The first MiB is checked, which is all of most drawings: parsing 32 MiB of nested elements
    would take seconds and hundreds of megabytes, and a document type can only stand in front.

    Raises:
        RequestError: XML of another kind.
        StorageError: not well-formed, cut short, or it declares a document type.
    """
    parser = hardened_parser("}")
    roots: list[dict[str, str]] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        if name not in ("http://www.w3.org/2000/svg}svg", "svg"):
            raise RequestError("The file is XML but not an SVG drawing.")
        roots.append(attributes)
        parser.StartElementHandler = None  # the rest is only checked

    parser.StartElementHandler = start
    whole = len(data) <= MAX_TEXT
    parse_xml(parser, data[:MAX_TEXT], "The drawing", whole=whole)
    if not whole and (not roots or b"svg>" not in data[-1024:]):
        raise StorageError("The drawing is cut short.")
    corners = re.split(r"[\s,]+", roots[0].get("viewBox", "").strip())
    for sides in ((roots[0].get("width", ""), roots[0].get("height", "")), corners[2:4]):
        lengths = [length for side in sides if (length := _LENGTH.fullmatch(side))]
        if len(lengths) == 2:
            return int(lengths[0][1]), int(lengths[1][1])
    return None
