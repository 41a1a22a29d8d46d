"""Find the picture files of a folder, by their names; none is opened.

Apart from ``pictures``, which reads them: a search that finds nothing new loads no image library.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from sfumato.errors import StorageError

__all__ = ["find_pictures", "scan_pictures"]

_SUFFIXES = (
    ".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".gif", ".bmp", ".dib", ".tif",
    ".tiff", ".ico", ".svg",
)  # fmt: skip


def find_pictures(
    folder: str | os.PathLike[str],
    recursive: bool = True,
    *,
    on_error: Callable[[Path, StorageError], object] | None = None,
) -> Iterator[Path]:
    """Picture files below ``folder``, by suffix, in a stable order.

    Files and folders whose names begin with a dot are passed over, links to folders are not
    followed, so nothing is found twice and no loop is entered.

    Args:
        folder: where to look.
        recursive: look into the folders inside, too.
        on_error: is told of every inner folder that cannot be read, and why.

    Raises: StorageError: ``folder`` itself cannot be read.
    """
    for entry in scan_pictures(folder, recursive, on_error=on_error):
        yield Path(entry.path)


def scan_pictures(
    folder: str | os.PathLike[str],
    recursive: bool = True,
    *,
    on_error: Callable[[Path, StorageError], object] | None = None,
) -> Iterator[os.DirEntry[str]]:
    """What ``find_pictures`` finds, as directory entries: cheaper, and they know their stat.

    Raises: as ``find_pictures`` does.
    """
    folders = [os.fspath(folder)]
    top = True
    while folders:
        path = folders.pop()
        try:
            with os.scandir(path) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            failure = StorageError(
                f"The folder {path} cannot be read: {reason}.", hint="Name a folder of pictures."
            )
            if top:
                raise failure from None
            if on_error is not None:
                on_error(Path(path), failure)
            continue
        finally:
            top = False
        inner = []
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                inner.append(entry.path)
            elif entry.name.lower().endswith(_SUFFIXES) and not entry.is_dir():
                yield entry
        if recursive:
            folders.extend(reversed(inner))
