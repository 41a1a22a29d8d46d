"""Where pictures go, what they are called, and that they are whole or not there."""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfumato.errors import RequestError, StorageError
from sfumato.files import WriteOptions, encode_image, read_recipe, save_image
from sfumato.files.save import slug
from sfumato.registry import WRITERS
from sfumato.request import GeneratedImage

MakeImage = Callable[..., GeneratedImage]


# ---------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("a red fox", "a-red-fox"),
        ("Crème brûlée!", "creme-brulee"),
        ("../../etc/passwd", "etc-passwd"),
        ("con", "con"),
        ("狐 🦊", "picture"),
        ("word " * 30, "-".join(["word"] * 12)),
        ("x" * 200, "x" * 60),
    ],
)
def test_slug(prompt: str, name: str) -> None:
    assert slug(prompt) == name


@settings(max_examples=60, deadline=None)
@given(st.text())
def test_slug_is_always_a_safe_name(prompt: str) -> None:
    name = slug(prompt)
    assert 1 <= len(name) <= 60
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert name == name.strip("-")


def test_folder_gets_prompt_and_seed(make_image: MakeImage, folder: Path) -> None:
    assert save_image(make_image(), folder) == folder / "a-red-fox-7.png"
    assert save_image(make_image(), folder, format="jpg").name == "a-red-fox-7.jpg"


def test_device_names_of_windows_do_not_occur(make_image: MakeImage, folder: Path) -> None:
    assert save_image(make_image(prompt="con"), folder).stem == "con-7"


def test_trailing_separator_makes_the_folder(make_image: MakeImage, folder: Path) -> None:
    saved = save_image(make_image(), f"{folder}/new/deep{os.sep}")
    assert saved == folder / "new" / "deep" / "a-red-fox-7.png"
    assert saved.is_file()


def test_existing_files_are_kept(make_image: MakeImage, folder: Path) -> None:
    (folder / "fox.png").write_bytes(b"older")
    names = [save_image(make_image(), folder / "fox.png").name for _ in range(2)]
    assert names == ["fox-2.png", "fox-3.png"]
    assert (folder / "fox.png").read_bytes() == b"older"


def test_missing_suffix_is_added(make_image: MakeImage, folder: Path) -> None:
    assert save_image(make_image(), folder / "fox").name == "fox.png"
    assert save_image(make_image(), folder / "fox", format="webp").name == "fox.webp"


@pytest.mark.parametrize("entry", list(WRITERS), ids=lambda entry: entry.name)
def test_suffix_decides_the_format(entry: Any, make_image: MakeImage, folder: Path) -> None:
    for suffix in {entry.name, entry.details["extension"], entry.name.upper()}:
        saved = save_image(make_image(), folder / f"fox-{suffix}.{suffix}")
        assert read_recipe(saved).format == entry.name


def test_saved_bytes_are_the_encoded_ones(make_image: MakeImage, folder: Path) -> None:
    image = make_image()
    assert image.save(folder / "fox.png").read_bytes() == encode_image(image, "png")
    assert image._repr_png_() == encode_image(image, "png")


# ---------------------------------------------------------------- requests refused


def test_unknown_suffix_names_the_formats(make_image: MakeImage, folder: Path) -> None:
    with pytest.raises(RequestError) as caught:
        save_image(make_image(), folder / "fox.docx")
    assert all(name in caught.value.hint for name in WRITERS.names())
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("fox.png", {"format": "webp"}),
        ("fox.png", {"format": "gif"}),
        ("fox", {"format": "gif"}),
        ("fox.png", {"quality": 0}),
        ("fox.png", {"quality": 92.5}),
        ("fox.png", {"format": 3}),
        ("fox.png", {"colour": "red"}),
        ("f\0x.png", {}),
    ],
)
def test_contradictions_are_refused(
    name: str, options: dict[str, Any], make_image: MakeImage, folder: Path
) -> None:
    with pytest.raises(RequestError):
        save_image(make_image(), str(folder / name), **options)
    assert list(folder.iterdir()) == []


def test_options_and_changes_combine(make_image: MakeImage, folder: Path) -> None:
    saved = save_image(make_image(), folder, options=WriteOptions(format="webp"), metadata=False)
    assert (saved.suffix, read_recipe(saved).source) == (".webp", "none")


# ---------------------------------------------------------------- faults


def _no_links(*names: Any) -> None:
    raise OSError(errno.EPERM, "Operation not permitted")


def _full(descriptor: int) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_full_disk_leaves_nothing(
    make_image: MakeImage, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "older.png").write_bytes(b"older")
    monkeypatch.setattr(os, "fsync", _full)
    with pytest.raises(StorageError, match="No space left") as caught:
        save_image(make_image(), folder / "fox.png")
    assert "space" in caught.value.hint
    assert [file.name for file in folder.iterdir()] == ["older.png"]


def test_writer_that_fails_half_way_leaves_nothing(
    make_image: MakeImage, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class HalfFile(io.FileIO):
        def write(self, data: Any) -> int:
            super().write(bytes(data)[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "open", lambda path, mode: HalfFile(path, mode.replace("b", "")))
    with pytest.raises(StorageError, match=r"fox\.png could not be written"):
        save_image(make_image(), folder / "fox.png")
    assert list(folder.iterdir()) == []


def test_interruption_leaves_nothing(
    make_image: MakeImage, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        save_image(make_image(), folder / "fox.png")
    assert list(folder.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has no folders to sync")
@pytest.mark.parametrize(("reason", "fails"), [(errno.EINVAL, False), (errno.EIO, True)])
def test_folder_that_cannot_be_synced(
    reason: int, fails: bool, make_image: MakeImage, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some network drives have no such operation; a disk that fails at it is another matter."""
    sync = os.fsync

    def refuse_folders(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(reason, os.strerror(reason))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", refuse_folders)
    if fails:
        with pytest.raises(StorageError):
            save_image(make_image(), folder)
    else:
        assert read_recipe(save_image(make_image(), folder)).source == "sfumato"


def test_without_hard_links_nothing_is_lost_either(
    make_image: MakeImage, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "fox.png").write_bytes(b"older")
    monkeypatch.setattr(os, "link", _no_links)
    saved = save_image(make_image(), folder / "fox.png")
    assert saved.name == "fox-2.png"
    assert read_recipe(saved).source == "sfumato"
    assert (folder / "fox.png").read_bytes() == b"older"
    assert len(list(folder.iterdir())) == 2


def test_failed_replace_gives_the_name_back(
    make_image: MakeImage, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "link", _no_links)
    monkeypatch.setattr(os, "replace", _no_links)
    monkeypatch.setattr(Path, "replace", _no_links)
    with pytest.raises(StorageError, match="not permitted"):
        save_image(make_image(), folder / "fox.png")
    assert list(folder.iterdir()) == []


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere"
)
def test_read_only_folder(make_image: MakeImage, folder: Path) -> None:
    folder.chmod(0o500)
    try:
        with pytest.raises(StorageError) as caught:
            save_image(make_image(), folder)
        assert "may write" in caught.value.hint
    finally:
        folder.chmod(0o700)


def test_folder_that_refuses_new_files(
    make_image: MakeImage, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, mode: str) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(StorageError, match="Permission denied") as caught:
        save_image(make_image(), folder)
    assert "may write" in caught.value.hint


def test_missing_parent_says_what_to_do(make_image: MakeImage, folder: Path) -> None:
    with pytest.raises(StorageError, match="does not exist") as caught:
        save_image(make_image(), folder / "nowhere" / "fox.png")
    assert "Create it" in caught.value.hint


def test_folder_below_a_file(make_image: MakeImage, folder: Path) -> None:
    (folder / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="cannot be made"):
        save_image(make_image(), f"{folder}/file/deeper/")


def test_name_too_long(make_image: MakeImage, folder: Path) -> None:
    with pytest.raises(StorageError) as caught:
        save_image(make_image(), folder / f"{'x' * 400}.png")
    assert "shorter" in caught.value.hint
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("links", [True, False])
def test_sixteen_threads_one_name(
    links: bool, make_image: MakeImage, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not links:
        monkeypatch.setattr(os, "link", _no_links)
    images = [make_image(seeds=(seed,)) for seed in range(16)]
    with ThreadPoolExecutor(16) as pool:
        saved = list(pool.map(lambda image: save_image(image, folder / "fox.png"), images))
    assert len(set(saved)) == 16
    assert set(folder.iterdir()) == set(saved)
    for image, path in zip(images, saved, strict=True):
        assert read_recipe(path).plan == image.plan
