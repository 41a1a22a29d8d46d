"""A PDF of one page that is one picture.

Pillow's own PDF writer stores JPEG inside, has no room for XMP and dates every file; this one
keeps the pixels exactly, carries the recipe, and gives the same bytes for the same picture.
Source: ISO 32000-1, sections 7.5 (file structure), 8.9.5 (images), 14.3 (metadata).
"""

from __future__ import annotations

import zlib

from PIL import Image

_DPI = 300
_POINTS = 72.0  # an inch


def one_page(picture: Image.Image, *, title: str | None = None, xmp: bytes | None = None) -> bytes:
    """The file: an RGB ``picture`` filling a page of its size at 300 dpi.

    ``title`` is shown by viewers in place of the file's name; ``xmp`` is stored uncompressed, so
    that tools which know nothing of PDF find it.
    """
    width, height = (side * _POINTS / _DPI for side in picture.size)
    drawing = b"q %.4f 0 0 %.4f 0 0 cm /Picture Do Q" % (width, height)
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R%s >>" % (b" /Metadata 6 0 R" if xmp is not None else b""),
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %.4f %.4f] /Contents 4 0 R"
        b" /Resources << /XObject << /Picture 5 0 R >> >> >>" % (width, height),
        _stream(b"", drawing),
        _stream(
            b"/Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace /DeviceRGB"
            b" /BitsPerComponent 8 /Filter /FlateDecode" % picture.size,
            zlib.compress(picture.tobytes(), 9),
        ),
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
