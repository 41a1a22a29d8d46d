"""A PDF of one page that is one picture: its paths where it has them, its pixels where not.

Pillow's own PDF writer stores JPEG inside, has no room for XMP and dates every file; this one
keeps shapes and pixels exactly, carries the recipe, and gives the same bytes for the same picture.
Source: ISO 32000-1, sections 7.5 (file structure), 8.5 (paths), 8.9.5 (images), 14.3 (metadata).
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from PIL import Image

from sfumato.files.shapes import Drawing, Painted

_DPI = 300
_POINTS = 72.0  # an inch
_OPERATORS = {"M": "m", "L": "l", "C": "c", "Z": "h"}


def page_of_paths(
    drawing: Drawing,
    size: tuple[int, int],
    *,
    title: str | None = None,
    xmp: bytes | None = None,
) -> bytes:
    """The file: a ``drawing`` filling a page of ``size`` pixels at 300 dpi, clear where it is."""
    width, height = (side * _POINTS / _DPI for side in size)
    # the drawing's y runs down, the page's runs up
    lines = [
        f"{width / drawing.width:.6f} 0 0 {-height / drawing.height:.6f} 0 {height:.4f} cm 1 j"
    ]
    lines += [_shape(shape) for shape in drawing.shapes]
    content = zlib.compress("\n".join(lines).encode(), 9)
    return _file((width, height), _stream(b"/Filter /FlateDecode", content), b"", [], title, xmp)


def page_of_pixels(
    picture: Image.Image, *, title: str | None = None, xmp: bytes | None = None
) -> bytes:
    """The file: an RGB ``picture`` filling a page of its size at 300 dpi."""
    width, height = (side * _POINTS / _DPI for side in picture.size)
    pixels = _stream(
        b"/Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace /DeviceRGB"
        b" /BitsPerComponent 8 /Filter /FlateDecode" % picture.size,
        zlib.compress(picture.tobytes(), 9),
    )
    content = _stream(b"", b"q %.4f 0 0 %.4f 0 0 cm /Picture Do Q" % (width, height))
    return _file((width, height), content, b"/XObject << /Picture 5 0 R >>", [pixels], title, xmp)


def _shape(shape: Painted) -> str:
    """One shape in the page's operators."""
    words = [f"{_colour(shape.fill)} rg"]
    if shape.stroke is not None:
        words.append(f"{_colour(shape.stroke)} RG {shape.stroke_width:g} w")
    for kind, points in shape.segments:
        # hundredths of a unit, where the document itself has tenths
        numbers = [f"{round(value, 2):g}" for point in points for value in point]
        words.append(" ".join([*numbers, _OPERATORS[kind]]))
    words.append("f" if shape.stroke is None else "B")
    return " ".join(words)


def _colour(rgb: tuple[int, int, int]) -> str:
    return " ".join(f"{channel / 255:.4g}" for channel in rgb)


def _file(
    size: tuple[float, float],
    content: bytes,
    resources: bytes,
    used: Sequence[bytes],
    title: str | None,
    xmp: bytes | None,
) -> bytes:
    """One page around ``content``; ``used`` are the objects from number 5 on that it names.

    ``title`` is shown by viewers in place of the file's name; ``xmp`` is stored uncompressed, so
    that tools which know nothing of PDF find it.
    """
    metadata = b" /Metadata %d 0 R" % (5 + len(used)) if xmp is not None else b""
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R%s >>" % metadata,
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %.4f %.4f] /Contents 4 0 R"
        b" /Resources << %s >> >>" % (*size, resources),
        content,
        *used,
    ]
    trailer = b""
    if xmp is not None:
        objects.append(_stream(b"/Type /Metadata /Subtype /XML", xmp))
    if title is not None:
        # hexadecimal UTF-16: nothing in the title can end the string
        text = ("\ufeff" + title).encode("utf-16-be").hex().upper().encode()
        objects.append(b"<< /Title <%s> >>" % text)
        trailer = b" /Info %d 0 R" % len(objects)

    file = bytearray(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")  # high bytes: transfer as binary
    offsets = []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(file))
        file += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = len(file)
    file += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    for offset in offsets:
        file += b"%010d 00000 n \n" % offset
    file += b"trailer\n<< /Size %d /Root 1 0 R%s >>\n" % (len(objects) + 1, trailer)
    file += b"startxref\n%d\n%%%%EOF\n" % table
    return bytes(file)


def _stream(entries: bytes, data: bytes) -> bytes:
    return b"<< %s /Length %d >>\nstream\n%s\nendstream" % (entries, len(data), data)
