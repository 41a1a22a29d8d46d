"""Writing files so that each is whole or not there: beside, down to the disk, then under its name.

A crash at any point leaves older files untouched and no half file under a name that anybody reads.
Everything here raises plain ``OSError``: its callers know what the file is and what to advise.
"""

from __future__ import annotations

import errno
import itertools
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

LEFTOVERS = ".sfumato-*.tmp"  # what a program that was killed may leave of its writing


@contextmanager
def temporary_beside(path: Path) -> Iterator[Path]:
    """A free name in ``path``'s folder, to write to and rename; whatever is left there goes."""
    # never longer than a name that the user chose: what fits the disk's limit there fits here
    temporary = path.with_name(f".sfumato-{secrets.token_hex(8)}.tmp")
    try:
        yield temporary
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A name to write to that takes ``path``'s place when the block ends without an error.

    The file is whole or not there, but not yet durable: for what can be made again.
    """
    with temporary_beside(path) as temporary:
        yield temporary
        temporary.replace(path)


def write_durably(path: Path, data: bytes) -> None:
    """Write a file that survives a crash once this returns; an older one is replaced."""
    with temporary_beside(path) as temporary:
        _write(temporary, data)
        temporary.replace(path)
    sync_folder(path.parent)


def write_new(path: Path, data: bytes) -> Path:
    """Write durably under ``path`` or, where that is taken, the next free number; returns which.

    ``fox.png``, ``fox-2.png``, ``fox-3.png`` ... No file is ever replaced.
    """
    with temporary_beside(path) as temporary:
        _write(temporary, data)
        for number in itertools.count(1):
            name = path.name if number == 1 else f"{path.stem}-{number}{path.suffix}"
            with suppress(FileExistsError):
                claim(temporary, path.with_name(name))
                break
    sync_folder(path.parent)
    return path.with_name(name)


def claim(temporary: Path, path: Path) -> None:
    """Give a finished file its name, if that is free. Raises: FileExistsError: it is not."""
    try:
        os.link(temporary, path)  # atomic, and never replaces
    except FileExistsError:
        raise
    except OSError:
        # no hard links here (FAT, some network drives); any other trouble shows again below
        path.open("xb").close()
        try:
            temporary.replace(path)
        except BaseException:
            path.unlink(missing_ok=True)
            raise


def sync_file(file: IO[bytes]) -> None:
    """Make what was written so far durable."""
    file.flush()
    os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable. Windows cannot open folders and needs no such step."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network drives
            raise
    finally:
        os.close(descriptor)


def _write(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        sync_file(file)
