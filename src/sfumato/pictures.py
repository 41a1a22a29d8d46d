"""Read any picture a folder may hold, safely, as sRGB pixels with straight alpha.

Files come from anywhere, so every limit is checked before the memory is taken, only the formats
listed here are opened, and whatever goes wrong becomes one line that says what and what to do.
Photographs stand upright (EXIF), colours are sRGB (ICC), 16 bits become 8, of an animation the
first frame is read.
"""

from __future__ import annotations

import os
import stat
import struct
import threading
import warnings
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from sfumato.errors import RequestError, SfumatoError, StorageError
from sfumato.srgb import to_srgb
from sfumato.svg import MAX_BYTES as MAX_SVG_BYTES
from sfumato.svg import looks_like_svg, render_svg

__all__ = ["Picture", "open_picture", "read_many", "read_picture"]

MAX_PIXELS = 64_000_000
MAX_FILE_BYTES = 512 * 1024 * 1024
SMALLEST_DRAWING = 512  # pixels: an icon of 24 units is a drawing, not a picture of 24 pixels

_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "ICO")
_READS = "It reads png, jpeg, webp, gif, bmp, tiff, ico and svg."
_COPY = "Use another copy of the file."
_ORIENTATION = 0x0112  # EXIF tag
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture that was read, and what its file is."""

    pixels: NDArray[np.uint8]  # (H, W, 4) sRGB, straight alpha
    width: int  # pixels of the file, upright; ``pixels`` may be smaller where that was asked
    height: int
    format: str  # "png", "jpeg", "webp", "gif", "bmp", "tiff", "ico", "svg"
    frames: int = 1  # of an animation or of pages; the first was read


def read_picture(
    path: str | os.PathLike[str],
    *,
    longest: int | None = None,
    smallest_drawing: int = SMALLEST_DRAWING,
) -> NDArray[np.uint8]:
    """The pixels of a picture file: (H, W, 4) uint8 sRGB with straight alpha, upright.

    Args:
        path: the file.
        longest: make the longer side at most this many pixels; JPEGs are then decoded small,
            which is several times faster. Drawings (SVG) are rendered at exactly this size.
        smallest_drawing: without ``longest``, drawings are rendered with at least this many
            pixels on the longer side; 1 keeps their own size.

    Raises:
        RequestError: not a file, or not a picture in a format that is read.
        StorageError: unreadable, damaged, empty, or larger than the limits.
    """
    return open_picture(path, longest=longest, smallest_drawing=smallest_drawing).pixels


def open_picture(
    path: str | os.PathLike[str],
    *,
    longest: int | None = None,
    smallest_drawing: int = SMALLEST_DRAWING,
) -> Picture:
    """The same with what the file is: its size, its format, how many frames it has.

    Raises: as ``read_picture`` does.
    """
    if longest is not None and longest < 1:
        raise ValueError("longest must be at least 1")
    file_path = Path(path)
    try:
        with open_file(file_path) as file, _quiet():
            head = file.read(4096)
            if not head:
                raise StorageError("The file is empty.", hint=_COPY)
            file.seek(0)
            if looks_like_svg(head):
                data = file.read(MAX_SVG_BYTES + 1)
                pixels, (width, height) = render_svg(
                    data, longest=longest, smallest=smallest_drawing
                )
                return Picture(pixels=pixels, width=width, height=height, format="svg")
            return _open_raster(file, head, longest)
    except SfumatoError as error:
        raise type(error)(f"{file_path}: {error.message}", hint=error.hint) from None
    except UnidentifiedImageError:
        raise RequestError(
            f"{file_path} is not a picture that sfumato reads.", hint=_READS
        ) from None
    except Image.DecompressionBombError:
        raise StorageError(f"{file_path}: {_TOO_LARGE[0]}", hint=_TOO_LARGE[1]) from None
    except MemoryError:
        raise StorageError(f"{file_path} needs more memory than there is.") from None
    except Exception as error:  # decoders fail in many ways on hostile bytes; all mean this
        reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise StorageError(f"{file_path} is damaged: {reason}.", hint=_COPY) from error


def read_many(
    paths: Iterable[str | os.PathLike[str]],
    *,
    longest: int | None = None,
    smallest_drawing: int = SMALLEST_DRAWING,
    workers: int | None = None,
) -> Iterator[tuple[Path, NDArray[np.uint8] | SfumatoError]]:
    """Read pictures in threads: (path, pixels or what is wrong with the file), in order.

    One bad file never ends it. At most a few pictures wait decoded, however long ``paths`` is.
    """
    count = workers or min(4, os.cpu_count() or 1)

    def read(path: Path) -> NDArray[np.uint8] | SfumatoError:
        try:
            return read_picture(path, longest=longest, smallest_drawing=smallest_drawing)
        except SfumatoError as error:
            return error

    pool = ThreadPoolExecutor(count, thread_name_prefix="read-picture")
    waiting: deque[tuple[Path, Future[NDArray[np.uint8] | SfumatoError]]] = deque()
    remaining = (Path(path) for path in paths)
    try:
        for path in islice(remaining, 2 * count):
            waiting.append((path, pool.submit(read, path)))
        while waiting:
            path, future = waiting.popleft()
            result = future.result()
            for following in islice(remaining, 1):
                waiting.append((following, pool.submit(read, following)))
            yield path, result
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def webp_size(data: bytes) -> tuple[int, int]:
    """Width and height in pixels, without decoding. Source: RFC 9649, sections 2.5 to 2.7.

    Raises: StorageError: the header is damaged.
    """
    kind, body = data[12:16], data[20:30]
    if kind == b"VP8X" and len(body) == 10:
        return (
            int.from_bytes(body[4:7], "little") + 1,
            int.from_bytes(body[7:10], "little") + 1,
        )
    if kind == b"VP8 " and len(body) == 10 and body[3:6] == b"\x9d\x01\x2a":
        width, height = struct.unpack("<HH", body[6:10])
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L" and len(body) >= 5 and body[0] == 0x2F:
        bits = int.from_bytes(body[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    raise StorageError("The WebP header is damaged.", hint=_COPY)


# ---------------------------------------------------------------- one file

_TOO_LARGE = ("The picture has more than 64 megapixels.", "Scale it down first.")


def open_file(path: Path, *, most: int = MAX_FILE_BYTES) -> BinaryIO:
    """The file, when it is a plain one of at most ``most`` bytes: a pipe would be waited for.

    Raises:
        RequestError: a folder, a pipe, a device.
        StorageError: unreadable, or too large.
    """
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise RequestError("This is a folder.", hint="Give a picture inside it.")
        if not stat.S_ISREG(status.st_mode):
            raise RequestError("This is not a file.", hint="Give a picture file.")
        if status.st_size > most:
            raise StorageError(
                f"The file is larger than {most // 2**20} MiB.", hint="It was not read."
            )
        return path.open("rb")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise StorageError(
            f"The file cannot be read ({reason}).", hint="Check its name and permissions."
        ) from None


def _open_raster(file: BinaryIO, head: bytes, longest: int | None) -> Picture:
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        _check_size(webp_size(head))  # the decoder takes its memory as soon as it is opened
    elif head.startswith(b"\0\0\1\0"):
        _check_icon(file.read())
        file.seek(0)
    with Image.open(file, formats=_FORMATS) as picture:
        _check_size(picture.size)
        size, frames = picture.size, int(getattr(picture, "n_frames", 1))
        if longest is not None and max(size) > longest:
            scale = longest / max(size)
            picture.draft(None, (max(1, round(size[0] * scale)), max(1, round(size[1] * scale))))
        picture.load()
        if picture.size[0] * picture.size[1] > size[0] * size[1]:
            size = picture.size  # an icon's directory may be smaller than what it holds
        turn = _UPRIGHT.get(_orientation(picture))
        srgb = to_srgb(picture)
        if longest is not None and max(srgb.size) > longest:
            srgb.thumbnail((longest, longest), Image.Resampling.LANCZOS, reducing_gap=2.0)
        if turn is not None:
            srgb = srgb.transpose(turn)
        sideways = turn is not None and turn not in tuple(_UPRIGHT.values())[:3]
        width, height = size[::-1] if sideways else size
        name = (picture.format or "").lower()
        return Picture(
            pixels=np.asarray(srgb),
            width=width,
            height=height,
            format="jpeg" if name == "mpo" else name,
            frames=1 if name in ("ico", "mpo") else frames,
        )


def _check_size(size: tuple[int, int]) -> None:
    if size[0] * size[1] > MAX_PIXELS:
        raise StorageError(
            f"The picture has {size[0]}×{size[1]} pixels.",
            hint="Up to 64 megapixels are read: scale it down first.",
        )


def _check_icon(data: bytes) -> None:
    """An icon's directory says how large its pictures are, and need not tell the truth."""
    (count,) = struct.unpack_from("<H", data, 4)
    for number in range(count):
        (offset,) = struct.unpack_from("<I", data, 6 + 16 * number + 12)
        if data.startswith(b"\x89PNG\r\n\x1a\n", offset):
            _check_size(struct.unpack_from(">II", data, offset + 16))
        else:
            width, height = struct.unpack_from("<ii", data, offset + 4)
            _check_size((abs(width), abs(height)))


def _orientation(picture: Image.Image) -> int:
    """How a camera was held, 1 to 8. TIFFs come upright already, and then say 1."""
    try:
        return int(picture.getexif().get(_ORIENTATION, 1))
    except Exception:  # damaged EXIF tells nothing, and the picture is still good
        return 1


# ---------------------------------------------------------------- silence

_silence = threading.Lock()
_readers = 0
_filters: Any = None


@contextmanager
def _quiet() -> Iterator[None]:
    """No warnings of Pillow's about odd files: odd is what we expect.

    ``warnings.catch_warnings`` is one for the whole process, so threads that read at the same
    time share one.
    """
    global _readers, _filters
    with _silence:
        if _readers == 0:
            _filters = warnings.catch_warnings()
            _filters.__enter__()
            warnings.simplefilter("ignore")
        _readers += 1
    try:
        yield
    finally:
        with _silence:
            _readers -= 1
            if _readers == 0:
                _filters.__exit__(None, None, None)
