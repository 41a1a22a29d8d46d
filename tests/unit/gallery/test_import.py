"""Pictures from elsewhere, with the recipes they carry; and out again as a zip file."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable
from datetime import datetime, timezone
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from sfumato.errors import RequestError, StorageError
from sfumato.files import save_image
from sfumato.gallery import Library, Query
from sfumato.gallery.export import write_zip
from sfumato.request import GeneratedImage

Draw = Callable[..., GeneratedImage]

A1111 = (
    "a castle\nNegative prompt: people\n"
    "Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 42, Size: 8x8, Model: dreams"
)
COMFYUI = {
    "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "dreams.safetensors"}},
    "2": {"class_type": "CLIPTextEncode", "inputs": {"text": "a comfy chair", "clip": ["1", 1]}},
    "3": {"class_type": "CLIPTextEncode", "inputs": {"text": "", "clip": ["1", 1]}},
    "4": {
        "class_type": "KSampler",
        "inputs": {"seed": 7, "steps": 9, "cfg": 5, "sampler_name": "euler", "scheduler": "normal",
                   "positive": ["2", 0], "negative": ["3", 0], "model": ["1", 0]},
    },
}  # fmt: skip
INVOKEAI = {"positive_prompt": "a lighthouse", "seed": 3, "steps": 5, "width": 8, "height": 8}


def foreign(path: Path, colour: str, **texts: str) -> Path:
    info = PngImagePlugin.PngInfo()
    for keyword, text in texts.items():
        info.add_text(keyword, text)
    Image.new("RGB", (8, 8), colour).save(path, pnginfo=info)
    return path


@pytest.mark.parametrize(
    ("keyword", "text", "source", "prompt", "seed"),
    [
        ("parameters", A1111, "automatic1111", "a castle", 42),
        ("prompt", json.dumps(COMFYUI), "comfyui", "a comfy chair", 7),
        ("invokeai_metadata", json.dumps(INVOKEAI), "invokeai", "a lighthouse", 3),
        ("comment", "nothing of the kind", "none", "", None),
    ],
)
def test_recipes_of_other_programs_come_along(
    library: Library,
    tmp_path: Path,
    keyword: str,
    text: str,
    source: str,
    prompt: str,
    seed: int | None,
) -> None:
    file = foreign(tmp_path / "old.png", "red", **{keyword: text})
    moment = datetime(2023, 5, 6, 7, 8, 9, tzinfo=timezone.utc)
    os.utime(file, (moment.timestamp(), moment.timestamp()))
    picture, is_new = library.import_file(file, tags=["old"])
    assert is_new
    assert (picture.source, picture.prompt, picture.seed) == (source, prompt, seed)
    assert picture.created_at == moment
    assert picture.path.parent.as_posix().endswith("pictures/2023/05")
    assert picture.path.read_bytes() == file.read_bytes()
    assert (picture.original_name, picture.tags, picture.plan) == ("old.png", ("old",), None)
    assert picture.colours == ("red",)
    assert library.count(Query(text="old", source=source)) == 1


def test_the_same_bytes_are_not_copied_twice(library: Library, tmp_path: Path) -> None:
    file = foreign(tmp_path / "one.png", "red")
    other = tmp_path / "two.png"
    other.write_bytes(file.read_bytes())
    first, _ = library.import_file(file)
    again, is_new = library.import_file(other)
    assert (again.id, is_new) == (first.id, False)
    assert library.count() == 1
    assert len(list(library.folder.files())) == 1


@pytest.mark.parametrize("format_", ["png", "webp", "jpg"])
def test_our_own_files_come_back_with_their_plan(
    own: Library, tmp_path: Path, draw: Draw, format_: str
) -> None:
    image = draw("a red fox", seed=5)
    picture, _ = own.import_file(save_image(image, tmp_path / f"fox.{format_}"))
    assert picture.plan == image.plan
    assert picture.path.suffix == f".{format_}"
    assert own.thumbnail(picture.id).exists()


def test_hostile_metadata_is_taken_as_text(library: Library, tmp_path: Path) -> None:
    text = "<script>alert(1)</script> '; DROP TABLE pictures; -- \x00 \u202e"
    file = foreign(tmp_path / "a.png", "blue", parameters=A1111.replace("a castle", text))
    picture, _ = library.import_file(file)
    assert picture.prompt.startswith("<script>alert(1)</script> '; DROP TABLE pictures; --")
    assert "\x00" not in picture.prompt
    assert library.count(Query(text="script alert drop")) == 1


def test_what_is_no_picture_is_refused_and_leaves_nothing(
    own: Library, tmp_path: Path, draw: Draw
) -> None:
    text = tmp_path / "text.png"
    text.write_text("no picture")
    whole = foreign(tmp_path / "whole.png", "red").read_bytes()
    cut = tmp_path / "cut.png"
    cut.write_bytes(whole[:-30])
    vector = save_image(draw("a blue fox", width=64, height=64), tmp_path / "fox.svg")
    for bad, error in (
        (text, RequestError),
        (cut, StorageError),
        (vector, RequestError),
        (tmp_path / "absent.png", StorageError),
    ):
        with pytest.raises(error):
            own.import_file(bad)
    assert own.count() == 0
    assert list(own.folder.files()) == []


# ---------------------------------------------------------------- export


def test_a_zip_file_holds_the_pictures_and_what_is_known_of_them(
    library: Library, tmp_path: Path, draw: Draw
) -> None:
    best = library.add(draw("a blue fox", width=64, height=64), tags=["wild"])
    library.add(draw("a red fox"))
    library.mark([best.id], rating=5)
    seen: list[tuple[int, int]] = []
    target = library.export(
        tmp_path / "best.zip",
        Query(min_rating=4),
        on_progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(1, 1)]
    with zipfile.ZipFile(target) as archive:
        assert archive.testzip() is None
        manifest = json.loads(archive.read("manifest.json"))
        assert manifest["count"] == 1
        (entry,) = manifest["pictures"]
        assert (entry["id"], entry["rating"], entry["tags"]) == (best.id, 5, ["wild"])
        assert archive.read(entry["file"]) == best.path.read_bytes()
        assert best.svg_path is not None
        assert archive.read(entry["svg"]) == best.svg_path.read_bytes()
        assert str(library.folder.root) not in archive.read("manifest.json").decode()
    assert list(tmp_path.glob(".best*")) == []


def test_a_zip_file_is_whole_or_not_there(own: Library, tmp_path: Path, draw: Draw) -> None:
    pictures = [own.add(draw(seed=seed)) for seed in (1, 2)]
    target = tmp_path / "all.zip"
    with pytest.raises(RequestError, match="No picture is called"):
        own.export(target, identities=[pictures[0].id, "0" * 26])
    with pytest.raises(RequestError, match="No picture matches"):
        own.export(target, Query(text="owl"))
    pictures[0].path.unlink()
    with pytest.raises(StorageError, match="is gone"):
        own.export(target)
    assert not target.exists()
    target.write_text("mine")
    with pytest.raises(StorageError, match="exists"):
        own.export(target)
    assert target.read_text() == "mine"
    with pytest.raises(StorageError):
        own.export(tmp_path / "no such folder" / "all.zip", identities=[pictures[1].id])
    assert sorted(p.name for p in tmp_path.iterdir() if p.suffix in (".zip", ".tmp")) == ["all.zip"]


def test_it_can_be_streamed(own: Library, draw: Draw) -> None:
    class Stream(BytesIO):
        def seekable(self) -> bool:
            return False

    picture = own.add(draw())
    stream = Stream()
    write_zip(own, stream, [picture.id])
    with zipfile.ZipFile(BytesIO(stream.getvalue())) as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) >= 2
