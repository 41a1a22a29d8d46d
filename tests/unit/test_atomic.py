"""Files are whole or not there; how saving pictures uses this is in ``files/test_save.py``."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from sfumato.atomic import claim, replacing, temporary_beside, write_durably, write_new


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    return folder


def _full(descriptor: int) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_replacing_takes_the_older_files_place(folder: Path) -> None:
    path = folder / "cache.npz"
    path.write_bytes(b"older")
    with replacing(path) as temporary:
        temporary.write_bytes(b"newer")
        assert path.read_bytes() == b"older"
    assert path.read_bytes() == b"newer"
    assert list(folder.iterdir()) == [path]


def test_an_error_leaves_the_older_file_and_nothing_else(folder: Path) -> None:
    path = folder / "cache.npz"
    path.write_bytes(b"older")

    def fail_half_way() -> None:
        with replacing(path) as temporary:
            temporary.write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail_half_way()
    assert path.read_bytes() == b"older"
    assert list(folder.iterdir()) == [path]


def test_a_full_disk_leaves_the_older_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / "settings.json"
    write_durably(path, b"older")
    monkeypatch.setattr(os, "fsync", _full)
    with pytest.raises(OSError, match="No space left"):
        write_durably(path, b"newer")
    assert path.read_bytes() == b"older"
    assert list(folder.iterdir()) == [path]


def test_new_files_are_numbered_and_none_is_replaced(folder: Path) -> None:
    target = folder / "fox.png"
    written = [write_new(target, content) for content in (b"1", b"2", b"3")]
    assert [path.name for path in written] == ["fox.png", "fox-2.png", "fox-3.png"]
    assert [path.read_bytes() for path in written] == [b"1", b"2", b"3"]
    assert sorted(folder.iterdir()) == sorted(written)


@pytest.mark.parametrize("links", [True, False])
def test_a_taken_name_cannot_be_claimed(
    links: bool, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*names: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    if not links:
        monkeypatch.setattr(os, "link", refuse)
    path = folder / "pictures.zip"
    path.write_bytes(b"older")
    with temporary_beside(path) as temporary:
        temporary.write_bytes(b"newer")
        with pytest.raises(FileExistsError):
            claim(temporary, path)
        claim(temporary, folder / "pictures-2.zip")
    assert path.read_bytes() == b"older"
    assert (folder / "pictures-2.zip").read_bytes() == b"newer"
    assert len(list(folder.iterdir())) == 2


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_files_get_the_permissions_that_new_files_have_here(folder: Path) -> None:
    older = os.umask(0o027)
    try:
        write_durably(folder / "index.npz", b"data")
    finally:
        os.umask(older)
    assert stat.S_IMODE((folder / "index.npz").stat().st_mode) == 0o640


def test_a_name_as_long_as_the_disk_allows_can_be_written(folder: Path) -> None:
    path = folder / f"{'x' * 251}.png"
    write_durably(path, b"data")
    assert path.read_bytes() == b"data"
