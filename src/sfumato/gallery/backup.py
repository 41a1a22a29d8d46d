"""Copies of the database, for the day on which it cannot be read at all.

Pictures bring their recipes along, but stars, ratings, tags, collections and the queue are in the
database alone. ``backups/library-20261130.db`` is that day's newest copy; a few days are kept. What
heals a library begins with the newest copy that is sound and adds the pictures that are newer.

PostgreSQL has backups of its own, which know more about it than we do.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from contextlib import closing, suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from sfumato.atomic import replacing, sync_file, sync_folder
from sfumato.errors import StorageError
from sfumato.gallery.folder import storage_errors

if TYPE_CHECKING:
    from sfumato.gallery.folder import Folder
    from sfumato.gallery.library import Library

GENERATIONS = 3  # days of which a copy is kept
_KEPT_FREE = 1024**3  # bytes: below it the queue rests, and copies must not be why


def back_up(
    library: Library, *, min_seconds: float = 0.0, kept_free: int = _KEPT_FREE
) -> Path | None:
    """Copy the database, whole and checked or not at all, and forget the oldest copies.

    Writers wait while it is copied; readers do not.

    Args:
        library: whose database.
        min_seconds: do nothing while the newest copy is younger than this.
        kept_free: room in bytes that must be left on the disk.

    Returns: the copy; None where there is nothing to do: no change since the newest one, one that
        is young enough, or PostgreSQL.

    Raises: StorageError: code "disk_full": too little room; "corrupt": the copy is not sound, and
        older ones are as they were.
    """
    folder = library.folder
    if not library.database.is_sqlite:
        return None
    folder.check()
    changed = _changed_ns(folder)
    newest = next(iter(backups(folder)), None)
    if newest is not None:
        status = newest.stat()
        # a copy is dated by the change that it holds, and by when it was made
        if status.st_mtime_ns == changed or time.time() - status.st_ctime < min_seconds:
            return None
    if folder.free_bytes() - folder.database.stat().st_size < kept_free:
        raise StorageError(
            "There is too little room to back up the library's database.",
            hint="Free some space; nothing that was saved is lost.",
            code="disk_full",
        )
    place = _place(folder)
    target = place / f"library-{datetime.now(timezone.utc):%Y%m%d}.db"
    with storage_errors(target):
        place.mkdir(exist_ok=True)
        with replacing(target) as temporary:
            _copy(folder.database, temporary)
            os.utime(temporary, ns=(changed, changed))
        sync_folder(place)
        for old in backups(folder)[GENERATIONS:]:
            old.unlink(missing_ok=True)
    return target


def backups(folder: Folder) -> list[Path]:
    """Every copy there is, newest first."""
    return sorted(_place(folder).glob("library-*.db"), reverse=True)


def restore(folder: Folder) -> Path | None:
    """Put the newest sound copy where the database was; returns which, None: there is none.

    The database must be out of the way, and nobody else have the library open.

    Raises: StorageError: it cannot be written.
    """
    for copy in backups(folder):
        if not _is_sound(copy, folder.identity):
            continue
        with storage_errors(folder.database):
            with (
                replacing(folder.database) as temporary,
                copy.open("rb") as source,
                temporary.open("xb") as target,
            ):
                shutil.copyfileobj(source, target, 1024 * 1024)
                sync_file(target)
            sync_folder(folder.root)
        return copy
    return None


def _place(folder: Folder) -> Path:
    return folder.root / "backups"


def _changed_ns(folder: Folder) -> int:
    """When the database was last written to; in WAL mode that is another file."""
    moments = [folder.database.stat().st_mtime_ns]
    with suppress(FileNotFoundError):
        moments.append(folder.database.with_name(f"{folder.database.name}-wal").stat().st_mtime_ns)
    return max(moments)


def _copy(database: Path, target: Path) -> None:
    """Copy in one step under a read lock, look for damage, and make it durable.

    Source: sqlite.org/backup.html; copied in several steps, each write of another process would
    begin it anew.
    """
    try:
        with (
            # not read-only: the journal of a program that was killed is to be rolled back first
            closing(sqlite3.connect(database, timeout=30.0)) as source,
            closing(sqlite3.connect(target, isolation_level=None)) as copy,
        ):
            copy.execute("PRAGMA synchronous = OFF")  # nobody reads it before it is durable
            source.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, also where the other has two
            found = [str(row[0]) for row in copy.execute("PRAGMA quick_check(3)")]
    except sqlite3.DatabaseError as error:
        found = [str(error)]
    if found != ["ok"]:
        raise _failure("; ".join(found))
    with target.open("rb+") as file:
        sync_file(file)


def _failure(reason: str) -> StorageError:
    if "locked" in reason:
        code, hint = "busy", "Try again in a moment."
    elif "full" in reason:
        code, hint = "disk_full", "Free some space; nothing that was saved is lost."
    else:
        code, hint = "corrupt", "Run: sfumato gallery heal"
    return StorageError(
        f"The library's database could not be copied: {reason}.", hint=hint, code=code
    )


def _is_sound(copy: Path, identity: str) -> bool:
    """Whether a copy is whole, and of this library."""
    with (
        suppress(sqlite3.Error, OSError),
        closing(sqlite3.connect(f"file:{copy.as_posix()}?mode=ro", uri=True)) as opened,
    ):
        whole = opened.execute("PRAGMA quick_check(1)").fetchone()
        named = opened.execute("SELECT value FROM settings WHERE name = 'library'").fetchone()
        return bool(whole == ("ok",) and named == (identity,))
    return False
