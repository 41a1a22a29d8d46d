"""One function a file format: a picture and its options in, the bytes of a file out.

To add a format, write such a function and register it in ``sfumato.registry.WRITERS``; storing
metadata means putting ``metadata.xmp_packet`` (or another of its texts) where the format keeps
such things, so that ``read_recipe`` finds it.
"""

from __future__ import annotations

import io
import re
import struct
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor, PngImagePlugin

from sfumato.errors import BackendError, RequestError
from sfumato.files.metadata import exif_block, jpeg_segments, text_fields, xml_text, xmp_packet
from sfumato.files.pdf import page_of_paths, page_of_pixels
from sfumato.files.shapes import read_drawing
from sfumato.request import GeneratedImage

ICO_SIDES = (16, 24, 32, 48, 64, 128, 256)  # pixels
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_SVG_ROOT = re.compile(r"<svg\b[^>]*(?<!/)>")


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteOptions:
    """How a picture becomes a file.

    Raises: RequestError: a value is out of range.
    """

    format: str | None = None  # a registry name; None: from the path's suffix, else png
    metadata: bool = True  # False: the file holds the drawing and nothing else
    quality: int = 92  # 1 to 100; for jpeg, and for webp with lossless=False
    lossless: bool = True  # for webp; the other formats are always one or the other

    def __post_init__(self) -> None:
        if isinstance(self.quality, bool) or not isinstance(self.quality, int):
            raise RequestError(f"The quality must be a whole number, not {self.quality!r}.")
        if not 1 <= self.quality <= 100:
            raise RequestError(
                f"The quality is {self.quality}.", hint="Give a number from 1 to 100."
            )
        if self.format is not None and not isinstance(self.format, str):
            raise RequestError(f"The format must be a name, not {self.format!r}.")


def write_png(image: GeneratedImage, options: WriteOptions) -> bytes:
    """PNG, RGBA, 8 bits; the recipe in iTXt chunks."""
    texts = text_fields(image) if options.metadata else {}
    return _png(_rgba(image), texts) if image.svg is None else _flat_png(image.pixels, texts)


def write_webp(image: GeneratedImage, options: WriteOptions) -> bytes:
    """WebP, lossless unless asked otherwise; colours below full transparency are kept too."""
    extra: dict[str, bytes] = {}
    if options.metadata:
        extra = {"exif": exif_block(image), "xmp": xmp_packet(image).encode()}
    stream = io.BytesIO()
    if options.lossless:
        _rgba(image).save(stream, "WEBP", lossless=True, exact=True, **extra)
    else:
        _rgba(image).save(stream, "WEBP", quality=options.quality, **extra)
    return stream.getvalue()


def write_jpeg(image: GeneratedImage, options: WriteOptions) -> bytes:
    """JPEG without chroma subsampling, which would blur the edges of flat drawings.

    The format has no transparency: the drawing lies on the plan's background, or on white.
    """
    stream = io.BytesIO()
    _opaque(image).save(
        stream,
        "JPEG",
        quality=options.quality,
        subsampling="4:4:4",
        optimize=True,
        **(jpeg_segments(image) if options.metadata else {}),
    )
    return stream.getvalue()


def write_svg(image: GeneratedImage, options: WriteOptions) -> bytes:
    """The paths the pixels were rendered from, with the prompt as title.

    Raises: RequestError: the picture was not drawn as paths.
    """
    if image.svg is None:
        raise RequestError(
            f"Pictures of the model {image.plan.model!r} have no paths to write as svg.",
            hint="Use --format png.",
        )
    if not options.metadata:
        return image.svg.encode()
    root = _SVG_ROOT.search(image.svg)
    if root is None:
        raise BackendError("The picture's paths are not an SVG document.")
    title = f"<title>{xml_text(image.plan.prompt)}</title>"
    recipe = f"<metadata>{xmp_packet(image)}</metadata>"
    return f"{image.svg[: root.end()]}{title}{recipe}{image.svg[root.end() :]}".encode()


def write_pdf(image: GeneratedImage, options: WriteOptions) -> bytes:
    """One PDF page the size of the picture at 300 dpi: its paths, exact at any size.

    A picture without paths is stored as lossless pixels, on the plan's background or on white.
    """
    title = image.plan.prompt if options.metadata else None
    xmp = xmp_packet(image).encode() if options.metadata else None
    drawing = None if image.svg is None else read_drawing(image.svg)
    if drawing is None:
        return page_of_pixels(_opaque(image), title=title, xmp=xmp)
    height, width = image.pixels.shape[:2]
    return page_of_paths(drawing, (width, height), title=title, xmp=xmp)


def write_ico(image: GeneratedImage, options: WriteOptions) -> bytes:
    """An icon of 16 to 256 px frames, none larger than the picture; the largest has the recipe.

    A picture below 16 px is one frame of its own size; one that is not square is centred on a
    transparent square. Every frame is a PNG, which all systems since 2007 read.
    Source: learn.microsoft.com, "The format of icon resources".
    """
    picture = _rgba(image)
    side = max(picture.size)
    square = Image.new("RGBA", (side, side))
    square.paste(picture, ((side - picture.width) // 2, (side - picture.height) // 2))
    sides = [s for s in ICO_SIDES if s <= side] or [side]
    frames = []
    for s in sides:
        # Pillow multiplies by alpha before it resamples RGBA: no dark fringes
        frame = square.resize((s, s), Image.Resampling.LANCZOS)
        frames.append(
            _png(frame, text_fields(image) if options.metadata and s == sides[-1] else {})
        )
    offset = 6 + 16 * len(frames)
    directory = struct.pack("<HHH", 0, 1, len(frames))
    for s, frame_bytes in zip(sides, frames, strict=True):
        # width and height are one byte each: 0 means 256; one plane of 32 bits a pixel
        directory += struct.pack(
            "<BBBBHHII", s % 256, s % 256, 0, 0, 1, 32, len(frame_bytes), offset
        )
        offset += len(frame_bytes)
    return directory + b"".join(frames)


def _rgba(image: GeneratedImage) -> Image.Image:
    return Image.fromarray(image.pixels)


def _opaque(image: GeneratedImage) -> Image.Image:
    """RGB: the drawing on its background, white where that is transparent."""
    ground = image.plan.background if image.plan.background.startswith("#") else "#ffffff"
    paper = Image.new("RGBA", (image.pixels.shape[1], image.pixels.shape[0]))
    paper.paste((*ImageColor.getrgb(ground)[:3], 255), (0, 0, *paper.size))
    return Image.alpha_composite(paper, _rgba(image)).convert("RGB")


def _png(picture: Image.Image, texts: dict[str, str]) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, "PNG", pnginfo=_text_chunks(texts))
    return stream.getvalue()


def _flat_png(pixels: NDArray[np.uint8], texts: dict[str, str]) -> bytes:
    """A PNG of (H, W, 4) pixels without prediction from neighbours, which helps photographs.

    Flat areas come out a fifth smaller and in half the time of Pillow's writer, and other pictures
    can be drawn meanwhile. Source: the PNG specification (third edition), sections 5, 7 and 9.
    """
    height, width = pixels.shape[:2]
    rows = np.zeros((height, 1 + 4 * width), np.uint8)  # each begins with its filter: 0, none
    rows[:, 1:] = pixels.reshape(height, -1)
    stream = io.BytesIO(_PNG_SIGNATURE)
    stream.seek(len(_PNG_SIGNATURE))
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)  # 8 bits; 6: RGBA
    PngImagePlugin.putchunk(stream, b"IHDR", header)
    for kind, body, *_ in _text_chunks(texts).chunks:
        PngImagePlugin.putchunk(stream, kind, body)
    PngImagePlugin.putchunk(stream, b"IDAT", zlib.compress(rows.data, 6))
    PngImagePlugin.putchunk(stream, b"IEND")
    return stream.getvalue()


def _text_chunks(texts: dict[str, str]) -> PngImagePlugin.PngInfo:
    chunks = PngImagePlugin.PngInfo()
    for keyword, text in texts.items():
        chunks.add_itxt(keyword, text)
    return chunks
