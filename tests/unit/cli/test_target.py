"""What ``-o`` may name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sfumato.cli.target import resolve_target
from sfumato.errors import RequestError, StorageError


def test_nothing_is_the_current_folder_and_a_folder_is_itself(tmp_path: Path) -> None:
    assert resolve_target(None) == Path()
    assert resolve_target(f"{tmp_path}{os.sep}new{os.sep}") == tmp_path / "new"
    assert (tmp_path / "new").is_dir()


def test_a_dash_is_refused_where_it_means_nothing() -> None:
    with pytest.raises(RequestError, match="Standard output"):
        resolve_target("-")
    assert not Path("-.png").exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_is_no_place_for_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(StorageError) as caught:
        resolve_target(str(tmp_path / "pipe"))
    assert "-o -" in caught.value.one_line()
