"""Somebody's own folder of pictures becomes a training set."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from sfumato.errors import RequestError, StorageError
from sfumato.training.folder import estimate, prepare_folder, read_folder


def save_picture(path: Path, size: tuple[int, int] = (40, 40), colour: str = "#d0342c") -> None:
    image = Image.new("RGBA", size, (0, 0, 0, 0))
    image.paste(colour, (4, 4, size[0] - 4, size[1] - 4))
    (image.convert("RGB") if path.suffix == ".jpg" else image).save(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four good pictures in four formats, each named in another way, and three bad ones."""
    folder = tmp_path / "mine"
    folder.mkdir()
    save_picture(folder / "a.png")
    (folder / "a.txt").write_text("Red  Fox\nfox in red\n\nred fox\n")
    save_picture(folder / "tea-pot_02.webp", (300, 100))
    save_picture(folder / "c.jpg")
    (folder / "captions.csv").write_text("file_name,text\nc.jpg,blue ship\nc.jpg,a ship\n")
    (folder / "d.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><path d="M0 0h8v8H0z"/></svg>'
    )
    (folder / "metadata.jsonl").write_text('{"file_name": "d.svg", "text": "black box"}\n')
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnot a picture")
    Image.new("RGBA", (32, 32), (0, 0, 0, 0)).save(folder / "nothing.png")
    save_picture(folder / "17.png")
    (folder / "notes.md").write_text("no picture")
    return folder


def test_captions_come_from_beside_from_tables_or_from_the_name(folder: Path) -> None:
    own = read_folder(folder)
    assert {p.path.name: p.captions for p in own.pictures} == {
        "a.png": ("red fox", "fox in red"),
        "c.jpg": ("blue ship", "a ship"),
        "d.svg": ("black box",),
        "tea-pot_02.webp": ("tea pot",),
    }


def test_bad_pictures_are_left_out_and_listed(folder: Path) -> None:
    skipped = dict(read_folder(folder).skipped)
    assert set(skipped) == {"broken.png", "nothing.png", "17.png"}
    assert skipped["broken.png"] == "is not a picture that sfumato reads."
    assert skipped["nothing.png"] == "is empty"
    assert "no caption" in skipped["17.png"]


def test_a_wide_picture_is_centred_on_a_transparent_square(folder: Path) -> None:
    pot = next(p for p in read_folder(folder).pictures if p.path.suffix == ".webp")
    assert pot.pixels.shape == (256, 256, 4)
    assert pot.pixels[..., 3].any(axis=1).nonzero()[0].mean() == pytest.approx(127.5, abs=1)
    assert not pot.pixels[:60, :, 3].any()
    middle = pot.pixels[128, 128].astype(int)
    assert np.abs(middle - (0xD0, 0x34, 0x2C, 255)).max() <= 3  # lossy WebP


def test_pictures_are_read_as_everything_reads_them(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6  # the camera was held sideways
    Image.new("RGB", (90, 30), "red").save(tmp_path / "held camera.jpg", exif=exif)
    grey = np.full((30, 30), 40_000, np.uint16)  # of 65,535: Pillow alone cuts it off to white
    Image.fromarray(grey).save(tmp_path / "deep scan.png")
    secret = tmp_path / "secret.png"
    Image.new("RGB", (8, 8), "red").save(secret)
    root = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8">{}</svg>'
    (tmp_path / "a stranger.svg").write_text(
        root.format(f'<path d="M0 0h8v4H0z"/><image href="{secret}" width="8" height="8"/>')
    )
    (tmp_path / "deep groups.svg").write_text(root.format("<g>" * 9000 + "</g>" * 9000))
    own = read_folder(tmp_path)
    pixels = {p.path.name: p.pixels for p in own.pictures}
    rows, columns = (pixels["held camera.jpg"][..., 3].any(axis=axis).sum() for axis in (1, 0))
    assert (rows, columns) == (256, 85)
    assert abs(int(pixels["deep scan.png"][128, 128, 0]) - 156) <= 1
    assert not pixels["a stranger.svg"][..., 0].any()  # no red: the other file was not opened
    assert [name for name, _ in own.skipped] == ["deep groups.svg"]


def test_a_small_picture_fills_the_square(folder: Path) -> None:
    fox = read_folder(folder).pictures[0]
    rows = fox.pixels[..., 3].any(axis=1).nonzero()[0]
    assert rows[0] == pytest.approx(25, abs=4)
    assert rows[-1] == pytest.approx(230, abs=4)


def test_the_set_has_the_layout_of_the_icon_builder(folder: Path, tmp_path: Path) -> None:
    said: list[str] = []
    out = prepare_folder(folder, tmp_path / "set", style="studio", say=said.append)
    assert {p.name for p in out.iterdir()} == {
        "manifest.jsonl", "pictures-64.npy", "pictures-128.npy", "pictures-256.npy",
        "ATTRIBUTION.md", "stats.json",
    }  # fmt: skip
    assert np.load(out / "pictures-64.npy").shape == (4, 64, 64, 4)
    rows = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
    assert [row["concept"] for row in rows] == ["red fox", "blue ship", "black box", "tea pot"]
    assert {(row["style"], row["split"]) for row in rows} == {("studio", "train")}
    assert json.loads((out / "stats.json").read_text())["skipped"].keys() == {
        "broken.png", "nothing.png", "17.png",
    }  # fmt: skip
    assert any("nothing.png" in line for line in said)
    assert said[-1].startswith("4 pictures")


def test_the_trainers_read_the_set(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from sfumato.training.corpus import read_corpus

    out = prepare_folder(folder, tmp_path / "set", say=lambda _: None)
    corpus = read_corpus(out)
    assert corpus.styles == ["own"]
    assert corpus.pictures.shape == (4, 64, 64, 4)


def test_nothing_is_left_behind_when_it_fails(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill_the_disk(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("sfumato.training.folder.np.save", fill_the_disk)
    before = set(tmp_path.iterdir())
    with pytest.raises(StorageError, match="no space left"):
        prepare_folder(folder, tmp_path / "set", say=lambda _: None)
    assert set(tmp_path.iterdir()) == before


def test_an_existing_set_is_not_overwritten(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    with pytest.raises(StorageError, match="exists already"):
        prepare_folder(folder, tmp_path / "set")


@pytest.mark.parametrize("style", ["", "My Style", "../up", "a" * 40])
def test_a_style_is_one_plain_word(folder: Path, tmp_path: Path, style: str) -> None:
    with pytest.raises(RequestError, match="style"):
        prepare_folder(folder, tmp_path / "set", style=style)


def test_a_folder_without_pictures_says_what_to_put_there(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(StorageError) as caught:
        read_folder(tmp_path / "empty")
    assert "NAME.txt" in caught.value.hint
    with pytest.raises(StorageError, match="not a folder"):
        read_folder(tmp_path / "absent")


@pytest.mark.parametrize(
    ("table", "content", "message"),
    [
        ("captions.csv", b"file_name,text\nabsent.png,x\n", "absent.png"),
        ("captions.csv", b"picture,words\nc.jpg,x\n", "lack a column"),
        ("captions.csv", b"file_name,text\n\xff\xfe", "cannot be read"),
        ("metadata.jsonl", b"{not json\n", "cannot be read"),
    ],
)
def test_a_damaged_caption_table_is_an_error(
    folder: Path, table: str, content: bytes, message: str
) -> None:
    (folder / table).write_bytes(content)
    with pytest.raises(StorageError, match=message):
        read_folder(folder)


@pytest.mark.parametrize("preset", ["whole-picture-tiny", "full-tiny"])
def test_the_estimate_times_real_steps(preset: str) -> None:
    pytest.importorskip("torch")
    said = estimate(preset, 50, "cpu")
    assert said.startswith("about ")
    assert "on cpu" in said
    assert "each of 50 seen" in said


def test_the_estimate_is_of_the_budget_that_was_given() -> None:
    pytest.importorskip("torch")

    def said(**budget: float) -> str:
        return estimate("whole-picture-tiny", 50, "cpu", **budget)

    assert "each of 50 seen 7 times" in said(steps=11, batch_size=32)
    assert said(minutes=200.0).startswith("about 3.3 hours on cpu")
    assert "each of 50 seen 7 times" in said(steps=11, batch_size=32, minutes=1e6)  # the smaller


def test_an_unknown_preset_has_no_estimate() -> None:
    pytest.importorskip("torch")
    with pytest.raises(RequestError, match="no preset 'huge'"):
        estimate("huge", 50, "cpu")
