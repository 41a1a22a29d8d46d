"""Files from anywhere: one typed error, one line, no memory taken before the limits."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from sfumato.errors import RequestError, SfumatoError, StorageError
from sfumato.files import encode_image, read_recipe
from sfumato.registry import WRITERS
from sfumato.request import PLAN_SCHEMA, GeneratedImage

MakeImage = Callable[..., GeneratedImage]
FORMATS = WRITERS.names()


def _error(path: Path) -> SfumatoError:
    with pytest.raises((RequestError, StorageError)) as caught:
        read_recipe(path)
    assert "\n" not in caught.value.one_line()
    assert path.name in caught.value.message
    return caught.value


def _file(folder: Path, data: bytes) -> Path:
    (folder / "picture").write_bytes(data)
    return folder / "picture"


def _png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _png(*chunks: bytes, side: int = 8) -> bytes:
    header = _png_chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
    pixels = _png_chunk(b"IDAT", zlib.compress(bytes(9 * 8)))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + pixels + _png_chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"GIF89a", b"PK\x03\x04", b"\x80\x04}q\x00.", b"<html></html>"]
)
def test_not_a_picture(data: bytes, tmp_path: Path) -> None:
    assert isinstance(_error(_file(tmp_path, data)), RequestError)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    assert isinstance(_error(tmp_path / "nothing.png"), StorageError)
    assert isinstance(_error(tmp_path), RequestError)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")  # nobody writes to it: opening it would wait for ever
    assert "not a file" in _error(tmp_path / "pipe.png").message


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no devices here")
def test_endless_device() -> None:
    assert isinstance(_error(Path("/dev/zero")), RequestError)


def test_file_too_large(tmp_path: Path) -> None:
    path = _file(tmp_path, b"\x89PNG\r\n\x1a\n")
    os.truncate(path, 129 * 1024 * 1024)  # sparse: takes no disk
    assert "128 MiB" in _error(path).message


@pytest.mark.parametrize("format", FORMATS)
def test_truncated_anywhere(format: str, make_image: MakeImage, tmp_path: Path) -> None:
    data = encode_image(make_image(width=64, height=64), format)
    for share in (0.01, 0.3, 0.6, 0.95):
        _error(_file(tmp_path, data[: int(len(data) * share)]))


@pytest.mark.parametrize("format", FORMATS)
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_flipped_bytes_read_or_give_a_typed_error(
    format: str,
    data: st.DataObject,
    make_image: MakeImage,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    encoded = bytearray(encode_image(make_image(), format))
    for _ in range(data.draw(st.integers(1, 6))):
        encoded[data.draw(st.integers(0, len(encoded) - 1))] = data.draw(st.integers(0, 255))
    path = _file(tmp_path_factory.mktemp("flipped"), bytes(encoded))
    for pixels in (True, False):
        try:
            read_recipe(path, pixels=pixels)
        except (RequestError, StorageError) as error:
            assert "\n" not in error.one_line()


@pytest.mark.parametrize(
    "magic",
    [
        b"\x89PNG\r\n\x1a\n",
        b"RIFF\0\0\0\0WEBPVP8X",
        b"\xff\xd8\xff",
        b"\0\0\1\0",
        b"%PDF-",
        b"<svg",
    ],
)
@settings(max_examples=40, deadline=None)
@given(rest=st.binary(max_size=200))
def test_noise_behind_a_good_start(
    magic: bytes, rest: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = _file(tmp_path_factory.mktemp("noise"), magic + rest)
    try:
        recipe = read_recipe(path)
    except (RequestError, StorageError):
        return
    assert recipe.source == "none"


# ---------------------------------------------------------------- bombs


def test_png_of_too_many_pixels(tmp_path: Path) -> None:
    assert "pixels" in _error(_file(tmp_path, _png(side=30_000))).message


def test_webp_of_too_many_pixels(tmp_path: Path) -> None:
    side = (16_383).to_bytes(3, "little")
    data = b"RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + side + side
    assert "16384x16384 pixels" in _error(_file(tmp_path, data)).message


def test_jpeg_of_too_many_pixels(tmp_path: Path) -> None:
    Image.new("L", (8, 8)).save(tmp_path / "x.jpg")
    data = (tmp_path / "x.jpg").read_bytes()
    frame = data.index(b"\xff\xc0")
    grown = data[: frame + 5] + struct.pack(">HH", 60_000, 60_000) + data[frame + 9 :]
    assert "60000x60000 pixels" in _error(_file(tmp_path, grown)).message


def test_icon_of_too_many_pixels(tmp_path: Path) -> None:
    frame = _png(side=20_000)
    entry = struct.pack("<BBBBHHII", 0, 0, 0, 0, 1, 32, len(frame), 22)
    data = struct.pack("<HHH", 0, 1, 1) + entry + frame
    assert "20000x20000 pixels" in _error(_file(tmp_path, data)).message


@pytest.mark.parametrize(
    "chunk",
    [
        _png_chunk(b"zTXt", b"parameters\0\0" + zlib.compress(b"x" * 3_000_000)),
        _png_chunk(b"iTXt", b"sfumato\0\1\0\0\0" + zlib.compress(b"x" * 3_000_000)),
        _png_chunk(b"tEXt", b"parameters\0" + b"x" * 1_100_000),
        b"".join(_png_chunk(b"tEXt", b"k%d\0" % n + b"x" * 300_000) for n in range(4)),
    ],
)
def test_png_text_over_one_mebibyte(chunk: bytes, tmp_path: Path) -> None:
    assert isinstance(_error(_file(tmp_path, _png(chunk))), StorageError)


def test_svg_limits(tmp_path: Path) -> None:
    path = _file(tmp_path, b"<svg")
    os.truncate(path, 33 * 1024 * 1024)
    assert "32 MiB" in _error(path).message


@pytest.mark.parametrize(
    "document",
    [
        '<!DOCTYPE svg [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><svg>&b;</svg>',
        '<?xml version="1.0"?>\n<!DOCTYPE svg SYSTEM "http://127.0.0.1/x.dtd"><svg/>',
        '<svg xmlns="http://www.w3.org/2000/svg">&undeclared;</svg>',
        '<svg xmlns="http://www.w3.org/2000/svg"><path></svg>',
        '<?xml version="1.0" encoding="nonsense"?><svg/>',
        '<?xml version="1.0"?><html/>',
    ],
)
def test_svg_that_is_refused(document: str, tmp_path: Path) -> None:
    _error(_file(tmp_path, document.encode()))


def test_packet_with_a_document_type_inside(make_image: MakeImage, tmp_path: Path) -> None:
    data = encode_image(make_image(), "pdf")
    data = data.replace(b"<x:xmpmeta ", b"<x:xmpmeta <!DOCTYPE x> ")
    assert isinstance(_error(_file(tmp_path, data)), StorageError)


@pytest.mark.parametrize("element", [b"<a/>", b"<a>"])
def test_large_svg_is_read_by_its_ends(element: bytes, tmp_path: Path) -> None:
    start = b'<svg xmlns="http://www.w3.org/2000/svg" width="30px" height="20">'
    data = start + element * 600_000
    recipe = read_recipe(_file(tmp_path, data + b"</svg>"))
    assert (recipe.source, recipe.width, recipe.height) == ("none", 30, 20)
    assert "cut short" in _error(_file(tmp_path, data)).message
    assert "cut short" in _error(_file(tmp_path, b"<svg" + b" " * 2_000_000 + b"/>")).message


def test_svg_without_size_is_still_read(tmp_path: Path) -> None:
    path = _file(tmp_path, b'\xef\xbb\xbf<svg xmlns="http://www.w3.org/2000/svg"/>')
    assert (read_recipe(path).source, read_recipe(path).width) == ("none", None)
    path = _file(tmp_path, b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0,0 30 20.5"/>')
    assert (read_recipe(path).width, read_recipe(path).height) == (30, 20)


def test_icon_that_points_outside(tmp_path: Path) -> None:
    entry = struct.pack("<BBBBHHII", 0, 0, 0, 0, 1, 32, 500, 22)
    data = struct.pack("<HHH", 0, 1, 1) + entry + b"x" * 20
    assert "cut short" in _error(_file(tmp_path, data)).message


def test_icon_of_bitmaps_only_has_no_recipe(tmp_path: Path) -> None:
    Image.new("RGBA", (32, 32)).save(tmp_path / "x.ico", bitmap_format="bmp", sizes=[(32, 32)])
    assert isinstance(_error(tmp_path / "x.ico"), RequestError)


def test_plain_lossy_webp(tmp_path: Path) -> None:
    Image.new("RGB", (30, 20)).save(tmp_path / "x.webp")
    recipe = read_recipe(tmp_path / "x.webp")
    assert (recipe.source, recipe.width, recipe.height) == ("none", 30, 20)


# ---------------------------------------------------------------- recipes


def _with_plan(folder: Path, plan: str) -> Path:
    chunks = PngImagePlugin.PngInfo()
    chunks.add_itxt("sfumato", plan)
    Image.new("RGB", (8, 8)).save(folder / "x.png", pnginfo=chunks)
    return folder / "x.png"


@pytest.mark.parametrize(
    "plan", ["", "{", "[]", "{}", '{"schema":1}', '{"schema":99}', "[" * 100_000]
)
def test_damaged_plan(plan: str, tmp_path: Path) -> None:
    _error(_with_plan(tmp_path, plan))


def test_plan_of_a_newer_sfumato_says_so(make_image: MakeImage, tmp_path: Path) -> None:
    newer = (
        make_image()
        .plan.to_json()
        .replace(f'"schema":{PLAN_SCHEMA}', f'"schema":{PLAN_SCHEMA + 1}')
    )
    assert "version" in _error(_with_plan(tmp_path, newer)).hint


def test_recipe_survives_tools_that_rewrite_xmp(make_image: MakeImage, tmp_path: Path) -> None:
    """Simple properties may become attributes of their description."""
    plan = make_image().plan.to_json().replace("&", "&amp;").replace('"', "&quot;")
    packet = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><r:RDF '
        'xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><r:Description '
        f'xmlns:q="https://github.com/sfumato-art/sfumato/ns/1.0/" q:plan="{plan}"/>'
        "</r:RDF></x:xmpmeta>"
    )
    Image.new("RGB", (8, 8)).save(tmp_path / "x.webp", xmp=packet.encode())
    assert read_recipe(tmp_path / "x.webp").plan == make_image().plan


def test_xmp_over_one_mebibyte(make_image: MakeImage, tmp_path: Path) -> None:
    data = encode_image(make_image(), "pdf")
    data = data.replace(b"</x:xmpmeta>", b" " * 1_100_000 + b"</x:xmpmeta>")
    assert "1 MiB" in _error(_file(tmp_path, data)).message


def test_changed_extended_xmp_is_noticed(make_image: MakeImage, tmp_path: Path) -> None:
    data = encode_image(make_image(prompt="a fox " * 1_600, subject="🦊" * 9_000), "jpeg")
    assert read_recipe(_file(tmp_path, data)).plan is not None
    assert data.count(b"http://ns.adobe.com/xmp/extension/") > 1
    at = data.rindex(b"a fox a fox")
    changed = data[:at] + b"a dog" + data[at + 5 :]
    assert "damaged" in _error(_file(tmp_path, changed)).message
