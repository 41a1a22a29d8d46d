"""What the training-data builder stands on: archives it may trust, and pixels it may compare."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sfumato.errors import StorageError
from sfumato.training.data import archives, packs
from sfumato.training.data.archives import Icon, fetch_archive
from sfumato.training.data.packs import Archive, Pack
from sfumato.training.data.pictures import (
    downsample,
    find_duplicates,
    make_fingerprints,
    make_square_svg,
    render_clean,
)

# --- pixels ------------------------------------------------------------------------------------


def test_a_wide_drawing_is_centred_on_a_square() -> None:
    icon = Icon(
        name="bar", body='<rect width="40" height="10" fill="currentColor"/>', box=(0, 0, 40, 10)
    )
    svg = make_square_svg(icon)
    assert 'viewBox="0 -15 40 40"' in svg
    assert "currentColor" not in svg
    alpha = render_clean(svg, 64)[..., 3]
    rows = np.nonzero(alpha.max(axis=1))[0]
    assert (rows[0], rows[-1]) == (24, 39)


def test_downsampling_does_not_let_transparent_pixels_darken_an_edge() -> None:
    pixels = np.zeros((4, 4, 4), dtype=np.uint8)
    pixels[:, :2] = (255, 128, 0, 255)
    pixels[:, 2:] = (0, 0, 255, 0)
    small = downsample(pixels, 1)
    assert small[0, 0].tolist() == [255, 128, 0, 128]
    with pytest.raises(ValueError, match="multiple"):
        downsample(pixels, 3)


def test_duplicates_point_at_an_earlier_picture_that_stays() -> None:
    prints = np.zeros((4, 8), dtype=np.float32)
    prints[1] = 0.9
    prints[2] = 0.01
    prints[3] = 0.91
    assert find_duplicates(prints, 0.05) == {2: 0, 3: 1}
    assert find_duplicates(prints, 0.001) == {}


def test_a_dropped_picture_hides_no_other() -> None:
    prints = np.zeros((3, 8), dtype=np.float32)
    prints[1], prints[2] = 0.04, 0.08
    assert find_duplicates(prints, 0.05) == {1: 0}


def test_fingerprints_ignore_the_colour_under_transparent_pixels() -> None:
    first = np.zeros((1, 64, 64, 4), dtype=np.uint8)
    second = first.copy()
    second[..., 0] = 255
    np.testing.assert_array_equal(make_fingerprints(first), make_fingerprints(second))


# --- archives ----------------------------------------------------------------------------------


def make_archive(folder: Path, files: dict[str, Any], *, version: str = "1.0.0") -> Archive:
    """An npm archive written into ``folder`` and pinned to the hash it has."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = Archive(package="@iconify-json/noto", version=version, sha512="")
    with tarfile.open(folder / wanted.file_name, "w:gz") as bundle:
        for name, content in files.items():
            payload = json.dumps(content).encode()
            entry = tarfile.TarInfo(name)
            entry.size = len(payload)
            bundle.addfile(entry, io.BytesIO(payload))
    digest = hashlib.sha512((folder / wanted.file_name).read_bytes()).digest()
    return replace(wanted, sha512="sha512-" + base64.b64encode(digest).decode())


@pytest.fixture
def no_npm(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Records what npm would have been asked, and fetches nothing."""
    asked: list[list[str]] = []

    def run(command: list[str], **_: Any) -> None:
        asked.append(command)

    monkeypatch.setattr(archives.subprocess, "run", run)
    return asked


def test_a_cached_archive_is_used_without_npm(tmp_path: Path, no_npm: list[list[str]]) -> None:
    body = {"icons": {"fox": {"body": "<g/>", "width": 12}}, "width": 24, "height": 24}
    metadata = {"categories": {"Animal": ["fox"]}}
    archive = make_archive(
        tmp_path, {"package/icons.json": body, "package/metadata.json": metadata}
    )
    pack = replace(packs.pack_named("noto"), version="1.0.0", sha512=archive.sha512)
    loaded = archives.load_pack(pack, tmp_path)
    assert loaded.categories == {"fox": {"Animal"}}
    assert loaded.icons["fox"].box == (0, 0, 12, 24)
    assert no_npm == []


def test_a_changed_archive_is_refused(tmp_path: Path, no_npm: list[list[str]]) -> None:
    archive = make_archive(tmp_path, {"package/icons.json": {"icons": {}}})
    path = tmp_path / archive.file_name
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(StorageError, match="is not the pinned"):
        fetch_archive(archive, tmp_path)
    assert no_npm == [["npm", "pack", "--silent", "--ignore-scripts", "@iconify-json/noto@1.0.0"]]


def test_a_missing_archive_is_asked_of_npm_at_its_version(
    tmp_path: Path, no_npm: list[list[str]]
) -> None:
    archive = Archive(package="emojibase-data", version="17.0.0", sha512="sha512-x")
    with pytest.raises(StorageError, match=r"left no emojibase-data-17\.0\.0\.tgz"):
        fetch_archive(archive, tmp_path / "cache")
    assert no_npm[0][-1] == "emojibase-data@17.0.0"


def test_a_missing_npm_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_: Any, **__: Any) -> None:
        raise FileNotFoundError("npm")

    monkeypatch.setattr(archives.subprocess, "run", run)
    with pytest.raises(StorageError) as caught:
        fetch_archive(packs.EMOJIBASE, tmp_path)
    assert "npm client" in caught.value.message
    assert "Node.js" in caught.value.hint


def test_a_damaged_archive_and_an_absent_member(tmp_path: Path) -> None:
    archive = make_archive(tmp_path, {"package/a.json": [1]})
    path = tmp_path / archive.file_name
    assert archives.read_json(path, "a.json") == [1]
    assert archives.read_json(path, "b.json") is None
    path.write_bytes(b"not an archive")
    with pytest.raises(StorageError, match="cannot be read"):
        archives.read_json(path, "a.json")


def test_every_pinned_pack_states_version_hash_licence_and_author() -> None:
    names = [pack.name for pack in packs.PACKS]
    assert len(names) == len(set(names))
    for pack in packs.PACKS:
        assert isinstance(pack, Pack)
        assert len(base64.b64decode(pack.sha512.removeprefix("sha512-"))) == 64
        assert pack.licence
        assert pack.author
        assert pack.url.startswith("https://")
        assert pack.style_words
    with pytest.raises(StorageError, match="no pinned picture pack"):
        packs.pack_named("logos")
