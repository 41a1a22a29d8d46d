"""What each format holds, read by somebody else's reader."""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Callable
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
import resvg_py
from PIL import Image, PdfParser

from sfumato.errors import BackendError, RequestError
from sfumato.files import WriteOptions, encode_image
from sfumato.files.metadata import TRAINED_MODEL, xmp_packet
from sfumato.files.writers import ICO_SIDES
from sfumato.registry import WRITERS
from sfumato.request import GeneratedImage

MakeImage = Callable[..., GeneratedImage]
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
IPTC = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}"
DC = "{http://purl.org/dc/elements/1.1/}"
SVG = "{http://www.w3.org/2000/svg}"


def _open(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


@pytest.mark.parametrize("format", ["png", "webp", "jpeg", "svg", "pdf"])
def test_iptc_says_that_a_model_made_it(format: str, make_image: MakeImage) -> None:
    data = encode_image(make_image(prompt="fox & <hound>"), format)
    packet = re.search(rb"<x:xmpmeta.*</x:xmpmeta>", data, re.DOTALL)
    assert packet is not None
    description = ElementTree.fromstring(packet[0]).find(f"{RDF}RDF/{RDF}Description")
    assert description is not None
    assert description.findtext(f"{IPTC}DigitalSourceType") == TRAINED_MODEL
    assert description.findtext(f"{DC}description/{RDF}Alt/{RDF}li") == "fox & <hound>"


def test_packet_is_xml_whatever_the_prompt(make_image: MakeImage) -> None:
    prompt = "".join(map(chr, range(1, 0x300))) + "]]> </metadata> \ufffe\uffff🦊"
    root = ElementTree.fromstring(xmp_packet(make_image(prompt=prompt)))
    shown = root.findtext(f".//{DC}description/{RDF}Alt/{RDF}li")
    assert shown is not None
    assert shown.endswith("]]> </metadata> \ufffd\ufffd🦊")


def test_png_texts_are_international_text_chunks(make_image: MakeImage) -> None:
    data = encode_image(make_image(prompt="füchse"), "png")
    assert data.count(b"iTXt") == 4
    texts = _open(data).info
    assert texts["parameters"].startswith("füchse\nSteps: 20, Sampler: Euler a")
    assert texts["sfumato"] == make_image(prompt="füchse").plan.to_json()
    assert texts["sfumato_pixels"] == make_image().pixel_sha256


def test_png_of_a_flat_drawing_is_smaller_than_pillows(make_image: MakeImage) -> None:
    rows, columns = np.mgrid[:300, :200]
    from_edge = 80.0 - np.hypot(rows - 150, columns - 100)  # of a disc, with a soft rim
    alpha = np.clip(255.0 * (from_edge + 0.5), 0.0, 255.0)
    image = make_image(width=200, height=300)
    pixels = np.stack([np.full_like(alpha, shade) for shade in (192, 58, 43)] + [alpha], axis=2)
    pixels = np.where(alpha[..., None] > 0, pixels, 0).astype(np.uint8)
    flat = encode_image(replace(image, pixels=pixels), "png", WriteOptions(metadata=False))
    traced_by_nobody = replace(image, pixels=pixels, svg=None)
    usual = encode_image(traced_by_nobody, "png", WriteOptions(metadata=False))
    assert (np.asarray(_open(flat)) == pixels).all()
    assert (np.asarray(_open(usual)) == pixels).all()
    assert len(flat) < 0.9 * len(usual)


@pytest.mark.parametrize("format", ["jpeg", "webp"])
def test_exif_comment_is_what_a1111_reads(format: str, make_image: MakeImage) -> None:
    comment = (
        _open(encode_image(make_image(prompt="füchse"), format)).getexif().get_ifd(34665)[37510]
    )
    assert comment.startswith(b"UNICODE\0")
    assert comment[8:].decode("utf-16-be").startswith("füchse\nSteps: 20")


@pytest.mark.parametrize(
    ("background", "ground"), [("transparent", (255, 255, 255)), ("#204060", (32, 64, 96))]
)
def test_jpeg_and_pdf_lie_on_the_ground(
    background: str, ground: tuple[int, int, int], make_image: MakeImage
) -> None:
    image = make_image(background=background, width=64, height=64)
    pixels = image.pixels.copy()
    pixels[32:, :, 3] = 0
    image = replace(image, pixels=pixels)
    shown = np.asarray(_open(encode_image(image, "jpeg", WriteOptions(quality=100))))
    assert np.abs(shown[48:, :].astype(int) - ground).max() <= 2
    without_paths = replace(image, svg=None)
    assert (_pdf_pixels(encode_image(without_paths, "pdf"), 64)[32:] == ground).all()


def _pdf_pixels(data: bytes, side: int) -> np.ndarray:
    stream = re.search(rb"FlateDecode /Length (\d+) >>\nstream\n", data)
    assert stream is not None
    raw = zlib.decompress(data[stream.end() : stream.end() + int(stream[1])])
    return np.frombuffer(raw, np.uint8).reshape(side, side, 3)


def test_pdf_is_one_page_at_300_dpi(make_image: MakeImage) -> None:
    prompt = "fox (1) \\ «🦊»\n<<>>"
    image = make_image(prompt=prompt, width=600, height=300)
    pdf = PdfParser.PdfParser(buf=bytearray(encode_image(image, "pdf")))
    assert len(pdf.pages) == 1
    page, _ = pdf.get_value(pdf.buf, pdf.xref_table[pdf.pages[0].object_id][0] + len("3 0 obj\n"))
    assert page[b"MediaBox"] == [0, 0, 144, 72]
    assert pdf.info[b"Title"].decode("utf-16") == prompt


def test_pdf_offsets_are_right_with_and_without_metadata(make_image: MakeImage) -> None:
    for metadata in (True, False):
        data = encode_image(make_image(), "pdf", WriteOptions(metadata=metadata))
        table = int(data.split(b"startxref\n")[1].split()[0])
        entries = re.findall(rb"(\d{10}) 00000 n \n", data[table:])
        for number, offset in enumerate(entries, start=1):
            assert data[int(offset) :].startswith(b"%d 0 obj\n" % number)


def test_a_pdf_holds_paths_where_the_picture_has_them(make_image: MakeImage) -> None:
    vector = encode_image(make_image(), "pdf", WriteOptions(metadata=False))
    pixels = encode_image(replace(make_image(), svg=None), "pdf", WriteOptions(metadata=False))
    assert b"/XObject" not in vector
    assert b"/XObject" in pixels
    stream = re.search(rb"/Length (\d+) >>\nstream\n", vector)
    assert stream is not None
    lines = (
        zlib.decompress(vector[stream.end() : stream.end() + int(stream[1])]).decode().split("\n")
    )
    # 24 pixels at 300 dpi are 5.76 points; the canvas has 1024 units, downwards
    assert lines[0] == "0.005625 0 0 -0.005625 0 5.7600 cm 1 j"
    assert lines[1] == "0.7529 0.2275 0.1686 rg 4 4 m 20 4 l 20 20 l h f"


def test_svg_looks_the_same_with_its_recipe(make_image: MakeImage) -> None:
    image = make_image(prompt="a <b> & ]]> </metadata></svg>")
    assert image.svg is not None
    text = encode_image(image, "svg").decode()
    assert ElementTree.fromstring(text).findtext(f"{SVG}title") == image.plan.prompt
    with_recipe = bytes(resvg_py.svg_to_bytes(svg_string=text))
    assert with_recipe == bytes(resvg_py.svg_to_bytes(svg_string=image.svg))
    assert encode_image(image, "svg", WriteOptions(metadata=False)).decode() == image.svg


def test_svg_needs_paths(make_image: MakeImage) -> None:
    with pytest.raises(RequestError, match="no paths") as caught:
        encode_image(replace(make_image(), svg=None), "svg")
    assert "png" in caught.value.hint
    with pytest.raises(BackendError):
        encode_image(replace(make_image(), svg="<svg/>"), "svg")


@pytest.mark.parametrize(
    ("size", "sides"),
    [((400, 300), ICO_SIDES), ((40, 20), ICO_SIDES[:3]), ((16, 16), ICO_SIDES[:1])],
)
def test_ico_has_every_size_that_the_picture_fills(
    size: tuple[int, int], sides: tuple[int, ...], make_image: MakeImage
) -> None:
    icon = _open(encode_image(make_image(width=size[0], height=size[1]), "ico"))
    assert icon.info["sizes"] == {(side, side) for side in sides}
    for side in sides:
        icon.size = (side, side)
        frame = np.asarray(icon.copy())
        assert frame.shape == (side, side, 4)
        assert frame[:, :, 3].any()
        if size[0] != size[1]:
            assert frame[0, :, 3].max() <= 2  # the padding above; resampling rings a little


def test_ico_of_a_tiny_picture_is_one_frame_of_its_size(make_image: MakeImage) -> None:
    whole = make_image(width=16, height=16)
    icon = _open(encode_image(replace(whole, pixels=whole.pixels[:5, :8]), "ico"))
    assert icon.info["sizes"] == {(8, 8)}
    frame = np.asarray(icon)
    assert np.array_equal(frame[1:6], whole.pixels[:5, :8])
    assert not frame[0, :, 3].any()


def test_ico_has_no_dark_fringe(make_image: MakeImage) -> None:
    """Clear pixels are black underneath; none of that black may reach the edge."""
    pixels = np.zeros((256, 256, 4), np.uint8)
    pixels[100:, 100:] = (255, 255, 255, 255)
    icon = _open(encode_image(replace(make_image(width=256, height=256), pixels=pixels), "ico"))
    icon.size = (24, 24)
    frame = np.asarray(icon.copy())
    edge = (frame[..., 3] > 16) & (frame[..., 3] < 255)
    assert edge.any()
    assert frame[edge][:, :3].min() >= 240


def test_unknown_format_is_refused(make_image: MakeImage) -> None:
    with pytest.raises(RequestError) as caught:
        encode_image(make_image(), "gif")
    assert all(name in caught.value.hint for name in WRITERS.names())
