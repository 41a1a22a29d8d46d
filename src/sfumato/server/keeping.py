"""Small JSON files of a server: settings and sweeps, whole or not there, damaged ones named."""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from sfumato.errors import StorageError


def write_atomically(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Replace a file by ``data``: readers see the old bytes or the new ones, never a mixture.

    Raises: StorageError: it cannot be written; the old file is as it was.
    """
    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)  # noqa: PTH105 - the temporary name is text
    except OSError as error:
        with suppress(OSError):
            os.unlink(temporary)  # noqa: PTH108
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
