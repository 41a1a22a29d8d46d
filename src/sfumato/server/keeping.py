"""Small JSON files of a server: settings and sweeps, whole or not there, damaged ones named."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sfumato.atomic import replacing, sync_file, sync_folder
from sfumato.errors import StorageError

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL
_turn = threading.Lock()


@contextmanager
def changing(path: Path) -> Iterator[None]:
    """Inside, nobody else reads a file to write it anew: no change of two at once is lost.

    Readers need not wait. Where the system has no such locks (Windows), threads alone take turns.

    Raises: StorageError: the folder cannot be written to.
    """
    with _turn:
        try:
            import fcntl
        except ImportError:
            yield
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = os.open(path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StorageError(f"{path} cannot be changed ({error.strerror}).") from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


def write_atomically(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Replace a file by ``data``: readers see the old bytes or the new ones, never a mixture.

    Raises: StorageError: it cannot be written; the old file is as it was.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # made with its rights: a list of keys is never readable to others, not for a moment
        with (
            replacing(path) as temporary,
            os.fdopen(os.open(temporary, _NEW_FILE, mode), "wb") as file,
        ):
            file.write(data)
            sync_file(file)
        sync_folder(path.parent)
    except OSError as error:
        raise StorageError(f"{path} cannot be written ({error.strerror}).") from None


def write_json(path: Path, value: Any) -> None:
    """A JSON value as a file. Raises: StorageError."""
    write_atomically(path, json.dumps(value, ensure_ascii=False, indent=1).encode())


def read_json(path: Path) -> dict[str, Any] | None:
    """The JSON object in a file; None where there is no file.

    Raises: StorageError: it is damaged.
    """
    try:
        value = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise StorageError(f"{path} cannot be read ({error}).", hint="Delete it.") from None
    if not isinstance(value, dict):
        raise StorageError(f"{path} is not a JSON object.", hint="Delete it.")
    return value
