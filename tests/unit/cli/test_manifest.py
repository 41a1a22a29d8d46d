"""A batch's manifest survives being killed, and never touches somebody else's file."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from sfumato.cli.manifest import Manifest, Record
from sfumato.errors import StorageError


def record(folder: Path, row: str, content: bytes = b"pixels") -> Record:
    (folder / f"{row}.png").write_bytes(content)
    return Record(
        row=row,
        line=1,
        prompt="狐",
        file=f"{row}.png",
        seed=7,
        sha256=hashlib.sha256(content).hexdigest(),
        pixel_sha256="p",
        plan_sha256="q",
    )


def test_a_picture_is_done_while_its_file_is_untouched(tmp_path: Path) -> None:
    Manifest(tmp_path).append(record(tmp_path, "a"))
    again = Manifest(tmp_path)
    assert again.is_done("a")
    assert not again.is_done("b")
    (tmp_path / "a.png").write_bytes(b"edited")
    assert not again.is_done("a")
    (tmp_path / "a.png").unlink()
    assert not again.is_done("a")
    found = again.find("a")
    assert found is not None
    assert found.seed == 7  # what draws the missing picture again


@pytest.mark.parametrize("keep", [1, 5, 30])
def test_a_torn_last_line_is_dropped_and_the_rest_goes_on(tmp_path: Path, keep: int) -> None:
    manifest = Manifest(tmp_path)
    for row in ("a", "b"):
        manifest.append(record(tmp_path, row))
    lines = manifest.path.read_bytes().splitlines(keepends=True)
    manifest.path.write_bytes(lines[0] + lines[1][:keep])

    resumed = Manifest(tmp_path)
    assert resumed.is_done("a")
    assert not resumed.is_done("b")
    resumed.append(record(tmp_path, "c"))
    resumed.append(record(tmp_path, "d"))
    rows = [json.loads(line)["row"] for line in manifest.path.read_text("utf-8").splitlines()]
    assert rows == ["a", "c", "d"]
    assert Manifest(tmp_path).is_done("d")


@pytest.mark.parametrize(
    "content", [b'{"name": "mine"}', b'{"name": "mine"}\n', b"\xff\n", b"[]\n"]
)
def test_another_programs_manifest_is_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "manifest.jsonl"
    path.write_bytes(content)
    with pytest.raises(StorageError, match=r"manifest\.jsonl"):
        Manifest(tmp_path)
    assert path.read_bytes() == content


def test_a_manifest_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    manifest = Manifest(tmp_path)
    drawn = record(tmp_path, "a")
    manifest.path.mkdir()
    with pytest.raises(StorageError, match="cannot be written"):
        manifest.append(drawn)
