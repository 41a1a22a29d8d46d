"""Where a picture goes: the folder or file that ``-o`` names, made ready before drawing begins."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from sfumato.cli.params import format_of
from sfumato.errors import RequestError, StorageError


def resolve_target(output: str | None, format_: str | None = None) -> Path:
    """The folder or file that ``output`` names; None is the current folder.

    Raises:
        StorageError: the place cannot be written to, or is a device.
        RequestError: it is "-", which is no file, or the name's suffix is no format, or not the
            one asked for.
    """
    if output is None:
        return make_folder(Path())
    if output == "-":
        raise RequestError("Standard output cannot be the target here.", hint="Name a file.")
    target = Path(output)
    if _is_device(target):
        raise StorageError(
            f"{output!r} is not a place for a picture file.", hint="Use -o - to write to a pipe."
        )
    separators = tuple(filter(None, (os.sep, os.altsep)))
    if output.endswith(separators) or _is_folder(target):
        return make_folder(target)
    if target.suffix and format_ not in (None, format_of(target)):
        raise RequestError(
            f"{output!r} does not end like the format {format_}.", hint="Change one of the two."
        )
    make_folder(target.parent)
    return target


def missing_folders(output: str | None) -> list[Path]:
    """The folders that ``output`` needs and that are not there yet, the innermost first."""
    try:
        target = Path(output or ".")
        return [folder for folder in (target, *target.parents) if not folder.exists()]
    except (OSError, ValueError):
        return []


def remove_empty(folders: list[Path]) -> None:
    """Take away those of ``folders`` that are empty, the innermost first."""
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.rmdir()


def make_folder(folder: Path) -> Path:
    """``folder``, made if it is missing, and writable.

    Raises: StorageError: it is a file, or cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise StorageError(
            f"The folder {str(folder)!r} cannot be made ({reason}).", hint="Choose another with -o."
        ) from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise StorageError(
            f"The folder {str(folder)!r} cannot be written to.", hint="Choose another with -o."
        )
    return folder


def _is_device(path: Path) -> bool:
    """Whether it exists and is neither a file nor a folder: a terminal, a pipe, /dev/full."""
    try:
        return path.exists() and not (path.is_file() or path.is_dir())
    except (OSError, ValueError):
        return False


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except ValueError:  # a NUL inside, in older Pythons
        return False
