"""The recipe inside a picture: PNG text, XMP and EXIF, written and read.

What is stored, under the names of PNG's text chunks (XMP holds the same four things):

    parameters      the text AUTOMATIC1111's tools read
    sfumato         the plan as JSON: enough to draw the picture again
    sfumato_pixels  sha256 of the pixels that were saved, so that a redrawing can be compared
    XML:com.adobe.xmp  the XMP packet: the three above, the prompt as description, and IPTC's
                    mark for pictures that were made by a trained model

There is no date in any of it: the same picture gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import re
import struct
from collections.abc import Iterable
from xml.parsers import expat
from xml.sax.saxutils import escape

from PIL import ExifTags, Image

from sfumato import __version__
from sfumato.errors import StorageError
from sfumato.files.a1111 import SAMPLER_NAMES, Parameters, print_parameters
from sfumato.request import GeneratedImage, GenerationPlan

PARAMETERS_KEY = "parameters"
PLAN_KEY = "sfumato"
PIXELS_KEY = "sfumato_pixels"
XMP_KEY = "XML:com.adobe.xmp"
MAX_TEXT = 1024 * 1024  # bytes of metadata we read, after inflation

NAMESPACE = "https://github.com/sfumato-art/sfumato/ns/1.0/"
TRAINED_MODEL = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
_XMP_NAMES = {"parameters": PARAMETERS_KEY, "plan": PLAN_KEY, "pixelSha256": PIXELS_KEY}

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_PACKET_START, _PACKET_END = b"<x:xmpmeta", b"</x:xmpmeta>"

_UNICODE = b"UNICODE\0"
_ASCII = b"ASCII\0\0\0"
_SEGMENT = 65_533  # bytes that one JPEG marker segment holds
_EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"
_EXTENSION_CHUNK = 65_400


# ---------------------------------------------------------------- what is written


def a1111_parameters(plan: GenerationPlan) -> str:
    """The plan of one picture as AUTOMATIC1111's ``parameters`` text."""
    guidance = float(plan.guidance_scale)
    values = {
        "Steps": str(plan.num_inference_steps),
        "Sampler": SAMPLER_NAMES.get(plan.sampler, plan.sampler),
        "Schedule type": plan.scheduler.capitalize(),
        "CFG scale": str(int(guidance)) if guidance.is_integer() else repr(guidance),
        "Seed": str(plan.seeds[0]),
        "Size": f"{plan.width}x{plan.height}",
        "Model hash": plan.model_sha256[:10],
        "Model": plan.model,
        "Version": f"sfumato {__version__}",
    }
    if plan.variation_seeds:
        values["Variation seed"] = str(plan.variation_seeds[0])
        values["Variation seed strength"] = repr(plan.variation_strength)
    return print_parameters(
        Parameters(
            prompt=plan.prompt,
            negative_prompt=plan.negative_prompt,
            values={key: value for key, value in values.items() if value},
        )
    )


def text_fields(image: GeneratedImage) -> dict[str, str]:
    """Every text a PNG carries, by keyword."""
    return {
        PARAMETERS_KEY: a1111_parameters(image.plan),
        PLAN_KEY: image.plan.to_json(),
        PIXELS_KEY: image.pixel_sha256,
        XMP_KEY: xmp_packet(image),
    }


def xmp_packet(image: GeneratedImage) -> str:
    """The XMP packet of a picture, with its wrapper.

    The plan is JSON in ASCII: control characters that XML cannot hold survive as ``\\uXXXX``.
    Texts for people have such characters replaced.

    Source: ISO 16684-1 (XMP), IPTC Photo Metadata Standard 2023.1 (Digital Source Type).
    """
    return _wrapped(
        f"<dc:description><rdf:Alt><rdf:li xml:lang='x-default'>{xml_text(image.plan.prompt)}"
        "</rdf:li></rdf:Alt></dc:description>\n"
        f"<sfumato:parameters>{xml_text(a1111_parameters(image.plan))}</sfumato:parameters>\n"
        f"<sfumato:plan>{xml_text(_ascii_json(image.plan))}</sfumato:plan>\n"
        f"<sfumato:pixelSha256>{image.pixel_sha256}</sfumato:pixelSha256>"
    )


def xml_text(text: str) -> str:
    """``text`` as XML character data; what XML 1.0 cannot hold becomes U+FFFD."""
    return escape(_NOT_XML.sub("\ufffd", text), {"\r": "&#13;"})


def exif_block(image: GeneratedImage) -> bytes:
    """EXIF whose UserComment is the ``parameters`` text, as AUTOMATIC1111 writes it."""
    comment = _UNICODE + a1111_parameters(image.plan).encode("utf-16-be")
    exif = Image.Exif()
    exif[ExifTags.IFD.Exif] = {ExifTags.Base.UserComment: comment}
    return exif.tobytes()


def jpeg_segments(image: GeneratedImage) -> dict[str, bytes]:
    """Arguments for Pillow's JPEG encoder: ``exif``, ``xmp`` and ``extra``.

    A JPEG segment holds 64 KiB. A longer XMP packet moves to Extended XMP, which is made for
    that; EXIF has no such way out, so beyond 32,000 characters of prompts the ``parameters``
    text is in XMP alone. Source: XMP specification part 3, section 1.1.3.1.
    """
    segments: dict[str, bytes] = {}
    exif = exif_block(image)
    if len(exif) <= _SEGMENT:
        segments["exif"] = exif
    packet = xmp_packet(image).encode()
    if len(packet) <= _SEGMENT - 29:  # the segment starts with XMP's own 29-byte signature
        return {**segments, "xmp": packet}
    guid = hashlib.md5(packet, usedforsecurity=False).hexdigest().upper()
    segments["xmp"] = _wrapped(f"<xmpNote:HasExtendedXMP>{guid}</xmpNote:HasExtendedXMP>").encode()
    extra = b""
    for offset in range(0, len(packet), _EXTENSION_CHUNK):
        chunk = packet[offset : offset + _EXTENSION_CHUNK]
        body = _EXTENSION + guid.encode() + struct.pack(">II", len(packet), offset) + chunk
        extra += b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body
    return {**segments, "extra": extra}


def _wrapped(properties: str) -> str:
    return (
        "<?xpacket begin='\ufeff' id='W5M0MpCehiHzreSzNTczkc9d'?>\n"
        "<x:xmpmeta xmlns:x='adobe:ns:meta/'>\n"
        "<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>\n"
        "<rdf:Description rdf:about=''"
        " xmlns:dc='http://purl.org/dc/elements/1.1/'"
        " xmlns:xmp='http://ns.adobe.com/xap/1.0/'"
        " xmlns:xmpNote='http://ns.adobe.com/xmp/note/'"
        " xmlns:Iptc4xmpExt='http://iptc.org/std/Iptc4xmpExt/2008-02-29/'"
        f" xmlns:sfumato='{NAMESPACE}'>\n"
        f"<xmp:CreatorTool>sfumato {__version__}</xmp:CreatorTool>\n"
        f"<Iptc4xmpExt:DigitalSourceType>{TRAINED_MODEL}</Iptc4xmpExt:DigitalSourceType>\n"
        f"{properties}\n"
        "</rdf:Description>\n</rdf:RDF>\n</x:xmpmeta>\n<?xpacket end='w'?>"
    )


def _ascii_json(plan: GenerationPlan) -> str:
    return json.dumps(plan.to_dict(), separators=(",", ":"))


# ---------------------------------------------------------------- what is read


def read_packet(data: bytes) -> dict[str, str]:
    """Our fields of the first XMP packet in ``data``, under their PNG keywords.

    ``data`` may be a packet or a whole file around one. A packet without our namespace gives
    nothing, whatever state it is in.

    Raises: StorageError: our packet is not well-formed, too long, or declares a document type.
    """
    start = data.find(_PACKET_START)
    end = data.find(_PACKET_END, start)
    if start < 0 or end < 0:
        return {}
    packet = data[start : end + len(_PACKET_END)]
    if NAMESPACE.encode() not in packet:
        return {}
    if len(packet) > MAX_TEXT:
        raise StorageError("The picture's XMP metadata is larger than 1 MiB.")
    return _PacketReader().read(packet)


class _PacketReader:
    """Collects the properties of our namespace, written as elements or as attributes."""

    def __init__(self) -> None:
        self._found: dict[str, str] = {}
        self._open: str | None = None  # keyword of the property being read
        self._pieces: list[str] = []

    def read(self, packet: bytes) -> dict[str, str]:
        parser = hardened_parser("}")
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._pieces.append
        parse_xml(parser, packet, "The picture's XMP metadata")
        return self._found

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._open = self._keyword(name)
        self._pieces.clear()
        for attribute, value in attributes.items():
            keyword = self._keyword(attribute)
            if keyword is not None:
                self._found[keyword] = value

    def _end(self, name: str) -> None:
        if self._open is not None:
            self._found[self._open] = "".join(self._pieces)
        self._open = None

    @staticmethod
    def _keyword(name: str) -> str | None:
        namespace, _, local = name.rpartition("}")
        return _XMP_NAMES.get(local) if namespace == NAMESPACE else None


def hardened_parser(namespace_separator: str | None = None) -> expat.XMLParserType:
    """An XML parser that refuses document types, and with them every entity but XML's own five.

    Expat fetches nothing by itself; without a document type nothing can expand either.
    """
    parser = expat.ParserCreate(namespace_separator=namespace_separator)

    def refuse(*declaration: object) -> None:
        raise StorageError("The picture declares an XML document type.", hint="It was not read.")

    parser.StartDoctypeDeclHandler = refuse
    return parser


def parse_xml(parser: expat.XMLParserType, data: bytes, what: str, *, whole: bool = True) -> None:
    """Feed ``data`` to ``parser``; with ``whole`` false it may stop in the middle.

    Raises: StorageError: not well-formed, or in an encoding nobody uses.
    """
    try:
        parser.Parse(data, whole)
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise StorageError(f"{what} is damaged: {error}.") from None


def read_user_comment(comment: bytes) -> str:
    """The text of an EXIF UserComment; UTF-16 of either byte order, as writers differ."""
    kind, body = comment[:8], comment[8:]
    if kind == _UNICODE:
        # mostly Latin text has its zero bytes first in big-endian order, second in little-endian
        little = body[1::2].count(0) > body[::2].count(0)
        return body.decode("utf-16-le" if little else "utf-16-be", "replace")
    if kind == _ASCII:
        return body.decode("utf-8", "replace").rstrip("\0")
    return ""


def join_extended_xmp(segments: Iterable[tuple[str, bytes]]) -> bytes:
    """The Extended XMP packet of a JPEG's (marker, bytes) segments; empty when there is none.

    Raises: StorageError: a piece is missing or changed.
    """
    pieces: dict[int, bytes] = {}
    guid = b""
    start = len(_EXTENSION)
    for marker, body in segments:
        if marker != "APP1" or not body.startswith(_EXTENSION) or len(body) < start + 40:
            continue
        if guid and body[start : start + 32] != guid:
            continue  # left over from an earlier editing; the first one counts
        guid = body[start : start + 32]
        (offset,) = struct.unpack(">I", body[start + 36 : start + 40])
        pieces[offset] = body[start + 40 :]
    packet = b"".join(pieces[offset] for offset in sorted(pieces))
    if packet:
        digest = hashlib.md5(packet, usedforsecurity=False).hexdigest().upper()
        if digest.encode() != guid:
            raise StorageError("The picture's extended XMP metadata is damaged.")
    return packet
