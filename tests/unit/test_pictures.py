"""Pictures from anywhere: read as sRGB with straight alpha, or refused in one line."""

from __future__ import annotations

import io
import os
import random
import struct
import sys
import threading
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms, PngImagePlugin

from sfumato.errors import RequestError, SfumatoError, StorageError
from sfumato.folders import find_pictures
from sfumato.pictures import open_picture, read_many, read_picture

RED, BLUE = (255, 0, 0), (0, 0, 255)


def two_colours(mode: str = "RGB", size: tuple[int, int] = (40, 20)) -> Image.Image:
    """Red on the left, blue on the right."""
    picture = Image.new("RGB", size, RED)
    picture.paste(BLUE, (size[0] // 2, 0, *size))
    return picture.convert(mode)


def saved(folder: Path, name: str, picture: Image.Image, **options: object) -> Path:
    path = folder / name
    picture.save(path, **options)
    return path


def near(pixel: np.ndarray, colour: tuple[int, ...], tolerance: int = 4) -> bool:
    wanted = (*colour, 255)[:4]
    return bool(np.abs(pixel.astype(int) - np.array(wanted)).max() <= tolerance)


def refusal(path: Path, kind: type[SfumatoError] = StorageError) -> str:
    """What is said about a file that is refused; always one line that names it."""
    with pytest.raises(kind) as caught:
        read_picture(path)
    line = caught.value.one_line()
    assert str(path) in line
    assert caught.value.hint
    return line


# ---------------------------------------------------------------- formats and modes


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.gif", "a.bmp", "a.tif", "a.ico"])
def test_every_format_gives_the_same_pixels(tmp_path: Path, name: str) -> None:
    path = saved(tmp_path, name, two_colours(size=(32, 32)))
    picture = open_picture(path)
    assert (picture.pixels.shape, picture.pixels.dtype) == ((32, 32, 4), np.uint8)
    assert near(picture.pixels[16, 4], RED)
    assert near(picture.pixels[16, 28], BLUE)
    assert picture.format in ("png", "jpeg", "webp", "gif", "bmp", "tiff", "ico")
    assert (picture.width, picture.height, picture.frames) == (32, 32, 1)


def test_the_content_decides_not_the_name(tmp_path: Path) -> None:
    path = saved(tmp_path, "really-a.jpg", two_colours(), format="PNG")
    assert open_picture(path).format == "png"


def test_cmyk_becomes_rgb(tmp_path: Path) -> None:
    pixels = read_picture(saved(tmp_path, "print.jpg", two_colours("CMYK"), quality=95))
    assert near(pixels[10, 5], RED, 12)
    assert near(pixels[10, 35], BLUE, 12)


def test_a_palette_keeps_its_transparency(tmp_path: Path) -> None:
    picture = two_colours("P")
    clear = picture.getpixel((39, 0))
    pixels = read_picture(saved(tmp_path, "p.png", picture, transparency=clear))
    assert near(pixels[10, 5], RED)
    assert pixels[10, 35, 3] == 0


def test_greyscale_with_alpha(tmp_path: Path) -> None:
    pixels = read_picture(saved(tmp_path, "la.png", Image.new("LA", (8, 8), (90, 77))))
    assert pixels[4, 4].tolist() == [90, 90, 90, 77]


def test_sixteen_bits_become_eight_without_being_cut_off(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 64, dtype=np.uint16)[None, :].repeat(8, axis=0)
    pixels = read_picture(saved(tmp_path, "deep.png", Image.fromarray(ramp)))
    assert np.abs(pixels[0, :, 0].astype(int) - np.linspace(0, 255, 64)).max() <= 1
    assert (pixels[..., 3] == 255).all()


def test_floats_are_scaled_and_what_is_no_number_is_dark(tmp_path: Path) -> None:
    values = np.array([[0.0, 0.5, 1.0, np.nan, np.inf]], np.float32)
    pixels = read_picture(saved(tmp_path, "float.tif", Image.fromarray(values)))
    assert pixels[0, :, 0].tolist() == [0, 128, 255, 0, 0]


def test_lab_becomes_srgb(tmp_path: Path) -> None:
    lab = ImageCms.profileToProfile(
        two_colours(), ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"),
        outputMode="LAB",
    )  # fmt: skip
    assert lab is not None
    pixels = read_picture(saved(tmp_path, "lab.tif", lab))
    assert near(pixels[10, 5], RED, 12)


def test_colour_profiles_are_followed_and_alpha_survives(tmp_path: Path) -> None:
    """In this profile red and blue are exchanged, which no program does by itself."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack_from(">I", profile, 128)[0]
    at = {bytes(profile[132 + 12 * i : 136 + 12 * i]): 136 + 12 * i for i in range(count)}
    red, blue = at[b"rXYZ"], at[b"bXYZ"]
    profile[red : red + 8], profile[blue : blue + 8] = (
        profile[blue : blue + 8],
        profile[red : red + 8],
    )
    swapped = bytes(profile).replace("sRGB".encode("utf-16-be"), "swap".encode("utf-16-be"))
    picture = two_colours("RGBA")
    picture.putalpha(200)
    pixels = read_picture(saved(tmp_path, "odd.png", picture, icc_profile=swapped))
    assert near(pixels[10, 5], (*BLUE, 200), 12)
    plain = read_picture(saved(tmp_path, "damaged.png", picture, icc_profile=b"nonsense"))
    assert near(plain[10, 5], (*RED, 200))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photographs_stand_upright(tmp_path: Path, orientation: int) -> None:
    upright = two_colours(size=(40, 24))
    upright.paste((0, 255, 0), (0, 0, 20, 12))  # the corner at the top left is green
    back = {
        2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }  # fmt: skip
    held = upright.transpose(back[orientation]) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    for name in ("held.png", "held.tif"):
        picture = open_picture(saved(tmp_path, name, held, exif=exif))
        assert (picture.width, picture.height) == (40, 24)
        assert np.array_equal(picture.pixels, np.asarray(upright.convert("RGBA")))
    small = read_picture(saved(tmp_path, "held.jpg", held, exif=exif, quality=95), longest=20)
    assert small.shape == (12, 20, 4)
    assert near(small[2, 3], (0, 255, 0), 20)


def test_of_an_animation_the_first_frame(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, BLUE, "white")]
    for name in ("a.gif", "a.webp", "a.png"):
        path = saved(tmp_path, name, frames[0], save_all=True, append_images=frames[1:])
        picture = open_picture(path)
        assert picture.frames == 3
        assert near(picture.pixels[4, 4], RED)


# ---------------------------------------------------------------- sizes


def test_longest_shrinks_and_never_enlarges(tmp_path: Path) -> None:
    for name in ("a.jpg", "a.png"):
        path = saved(tmp_path, name, two_colours(size=(400, 200)))
        picture = open_picture(path, longest=50)
        assert picture.pixels.shape == (25, 50, 4)
        assert (picture.width, picture.height) == (400, 200)
        assert read_picture(path, longest=4000).shape == (200, 400, 4)


def test_clear_pixels_lend_no_colour_when_shrinking(tmp_path: Path) -> None:
    picture = Image.new("RGBA", (64, 64), (0, 255, 0, 0))
    picture.paste((255, 0, 0, 255), (0, 0, 31, 64))
    pixels = read_picture(saved(tmp_path, "a.png", picture), longest=16)
    assert (pixels[pixels[..., 3] > 8][:, 1] < 12).all()


def test_a_huge_picture_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    """The header alone says 10,000 × 10,000; there is nothing behind it to decode."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", 10_000, 10_000, 8, 6, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    path = tmp_path / "bomb.png"
    path.write_bytes(bomb + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b""))
    assert "10000×10000" in refusal(path)

    webp = b"VP8X" + struct.pack("<I", 10) + bytes(4) + (16_000).to_bytes(3, "little") * 2
    path = tmp_path / "bomb.webp"
    path.write_bytes(b"RIFF" + struct.pack("<I", len(webp) + 4) + b"WEBP" + webp)
    assert "16001×16001" in refusal(path)

    icon = struct.pack("<HHH", 0, 1, 1) + struct.pack(
        "<BBBBHHII", 16, 16, 0, 0, 1, 32, len(bomb), 22
    )
    path = tmp_path / "bomb.ico"
    path.write_bytes(icon + bomb)
    assert "10000×10000" in refusal(path)

    path = saved(tmp_path, "wide.bmp", Image.new("1", (40_000, 40_000 // 8)))
    data = bytearray(path.read_bytes())
    struct.pack_into("<i", data, 22, 40_000)
    path.write_bytes(data)
    assert "megapixels" in refusal(path)


def test_text_bombs_in_png_do_not_pass(tmp_path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("bomb", "a" * 80_000_000, zip=True)
    assert "damaged" in refusal(saved(tmp_path, "text.png", two_colours(), pnginfo=info))


# ---------------------------------------------------------------- bad files


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "zero.png").write_bytes(b"")
    assert "empty" in refusal(tmp_path / "zero.png")
    (tmp_path / "text.png").write_text("hello")
    assert "It reads png" in refusal(tmp_path / "text.png", RequestError)
    assert "folder" in refusal(tmp_path, RequestError)
    assert "No such file" in refusal(tmp_path / "missing.png")
    (tmp_path / "page.svg").write_text("<?xml version='1.0'?><html/>")
    assert "not an SVG" in refusal(tmp_path / "page.svg")


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.gif", "a.bmp", "a.tif"])
def test_a_truncated_file_is_refused(tmp_path: Path, name: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    path = saved(tmp_path, name, Image.fromarray(noise))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert "damaged" in refusal(path)


@pytest.mark.skipif(sys.platform == "win32", reason="named pipes are POSIX")
def test_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    assert "not a file" in refusal(tmp_path / "pipe.png", RequestError)


@given(st.integers(0, 2**32), st.sampled_from(["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "ICO"]))
def test_flipped_bytes_never_end_in_anything_but_pixels_or_a_sentence(seed: int, kind: str) -> None:
    dice = random.Random(seed)
    buffer = io.BytesIO()
    two_colours(size=(32, 32)).save(buffer, kind)
    data = bytearray(buffer.getvalue())
    for _ in range(dice.randint(1, 8)):
        data[dice.randrange(len(data))] = dice.randrange(256)
    path = Path("mutant")
    path.write_bytes(data[: dice.randint(len(data) // 2, len(data))])
    try:
        pixels = read_picture(path)
    except SfumatoError as error:
        assert "\n" not in error.one_line()
    else:
        assert pixels.ndim == 3
        assert pixels.shape[2] == 4


# ---------------------------------------------------------------- many


def test_find_pictures_is_stable_and_enters_no_loop(tmp_path: Path) -> None:
    for name in (
        "b.png",
        "a.JPG",
        "notes.txt",
        ".hidden.png",
        "sub/c.svg",
        ".git/d.png",
        "z/e.gif",
    ):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "sub" / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "sub" / "link.png").symlink_to(tmp_path / "b.png")
    found = [path.relative_to(tmp_path).as_posix() for path in find_pictures(tmp_path)]
    assert found == ["a.JPG", "b.png", "sub/c.svg", "sub/link.png", "z/e.gif"]
    flat = [path.name for path in find_pictures(tmp_path, recursive=False)]
    assert flat == ["a.JPG", "b.png"]


def test_find_pictures_says_which_folder_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StorageError, match="No such file"):
        list(find_pictures(tmp_path / "missing"))
    (tmp_path / "closed").mkdir()
    (tmp_path / "open.png").touch()
    scandir = os.scandir

    def guarded(path: str) -> object:
        if path.endswith("closed"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", guarded)
    failures: list[Path] = []
    found = list(find_pictures(tmp_path, on_error=lambda path, error: failures.append(path)))
    assert (found, failures) == ([tmp_path / "open.png"], [tmp_path / "closed"])


def test_read_many_survives_bad_files_and_keeps_the_order(tmp_path: Path) -> None:
    paths = [saved(tmp_path, f"{i:02}.png", Image.new("RGB", (4, 4), (i, 0, 0))) for i in range(30)]
    for i in (3, 17, 29):
        paths[i].write_bytes(b"bad")
    results = list(read_many(paths))
    assert [path for path, _ in results] == paths
    for i, (_, result) in enumerate(results):
        if i in (3, 17, 29):
            assert isinstance(result, RequestError)
        else:
            assert result[0, 0, 0] == i


def test_read_many_holds_few_pictures_at_once(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.png", two_colours())
    asked = 0

    def endless() -> object:
        nonlocal asked
        while True:
            asked += 1
            yield path

    results = read_many(endless(), workers=2)
    for _ in range(5):
        next(results)
    results.close()
    assert asked <= 10


def test_silence_ends_with_the_last_reader(tmp_path: Path) -> None:
    """Threads that read at the same time leave the process's filters as they were."""
    path = saved(tmp_path, "a.png", two_colours())
    before = list(warnings.filters)
    threads = [
        threading.Thread(target=lambda: [read_picture(path) for _ in range(20)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(warnings.filters) == before
