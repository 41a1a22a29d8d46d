"""The file of an index: an SQLite database that is ours, current, and whole, or made anew.

It is a cache, so nothing in it is worth a question: one of another model or version is emptied,
a damaged one is set aside. But a file that sfumato did not write is never touched.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from sfumato.clip.base import PictureTextSpec
from sfumato.errors import StorageError
from sfumato.registry import cache_folder

__all__ = ["IndexFile", "own_folder"]

_T = TypeVar("_T")

_APPLICATION = 0x5366496E  # "SfIn", in the header of every index
_VERSION = 1  # of the schema below
_PATIENCE = 30.0  # seconds to wait for another process that writes
_OF_THE_PLACE = ("locked", "unable to open", "readonly", "full", "I/O")  # in SQLite's messages

# A picture is known by its content: moved or copied, it keeps its vector.
_SCHEMA = (
    "CREATE TABLE about (model TEXT NOT NULL, dimensions INTEGER NOT NULL)",
    """CREATE TABLE files (
        path BLOB PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
        content BLOB NOT NULL, trouble TEXT
    ) WITHOUT ROWID""",
    "CREATE INDEX files_by_content ON files (content)",
    """CREATE TABLE vectors (
        id INTEGER PRIMARY KEY, content BLOB UNIQUE NOT NULL, vector BLOB NOT NULL
    )""",
)


def own_folder() -> Path:
    """Where indexes lie that nobody named: ``$XDG_CACHE_HOME/sfumato/indexes``.

    Raises: StorageError: nobody can say where that is.
    """
    return cache_folder() / "indexes"


class IndexFile:
    """One connection to an index that holds the vectors of one model."""

    def __init__(self, path: Path, spec: PictureTextSpec) -> None:
        """Open the file, or begin it.

        Raises: StorageError: the file is something else, or cannot be written.
        """
        self.path = path
        self.remark = ""  # for people: why everything is read anew, where it is
        self._about = (spec.sha256, spec.dimensions)
        self._identity: tuple[int, int] | None = None
        self.database = self._connect()
        self.attempt(self._prepare)

    def close(self) -> None:
        """Let go of the file."""
        self.database.close()

    def attempt(self, work: Callable[[], _T]) -> _T:
        """Do it; where the file turns out to be damaged, set it aside and do it once more.

        Raises: StorageError: the file cannot be used.
        """
        try:
            return work()
        except sqlite3.OperationalError as error:  # the place, or what is in the file
            if any(words in str(error) for words in _OF_THE_PLACE):
                raise self._unusable(error) from None
        except (sqlite3.DatabaseError, UnicodeDecodeError):  # the second: text that is none
            pass
        self.database.close()
        self._set_aside()
        self.database = self._connect()
        try:
            self._prepare()
            return work()
        except sqlite3.Error as error:
            raise self._unusable(error) from None

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction, whole or not at all.

        Raises: StorageError: another process emptied the index for another model.
        """
        with self.database as database:
            database.execute("BEGIN IMMEDIATE")
            if not self._is_current():
                raise StorageError(
                    f"The index {self.path} was just taken over for another model.",
                    hint="Give each model its own with --index.",
                )
            yield database

    def _connect(self) -> sqlite3.Connection:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._refuse_strangers()
            database = sqlite3.connect(self.path, timeout=_PATIENCE)
        except (OSError, ValueError, sqlite3.OperationalError) as error:
            raise self._unusable(error) from None
        self._identity = None
        with suppress(OSError):
            status = self.path.stat()
            self._identity = (status.st_dev, status.st_ino)
        return database

    def _refuse_strangers(self) -> None:
        """Never touch a file that somebody else wrote, such as a picture named by mistake."""
        try:
            with self.path.open("rb") as file:
                head = file.read(100)
        except FileNotFoundError:
            return
        number = int.from_bytes(head[68:72], "big")  # SQLite keeps the application's number there
        if not head or (head.startswith(b"SQLite format 3\0") and number == _APPLICATION):
            return
        if self.path.parent != own_folder():
            raise StorageError(
                f"{self.path} is not an index of sfumato.", hint="Name another file with --index."
            )
        self._set_aside()

    def _prepare(self) -> None:
        """Begin an empty index, or begin again where this one is not for us."""
        if self._is_current():
            return
        with self.database as database:
            database.execute("BEGIN IMMEDIATE")
            if self._is_current():  # since another process was waited for
                return
            tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            for (name,) in tables.fetchall():
                database.execute(f'DROP TABLE "{name}"')
                self.remark = (
                    "The index was made by another model or version; every picture is read anew."
                )
            for statement in _SCHEMA:
                database.execute(statement)
            database.execute("INSERT INTO about VALUES (?, ?)", self._about)
            database.execute(f"PRAGMA application_id = {_APPLICATION}")
            database.execute(f"PRAGMA user_version = {_VERSION}")

    def _is_current(self) -> bool:
        if self.database.execute("PRAGMA user_version").fetchone() != (_VERSION,):
            return False
        about = self.database.execute("SELECT model, dimensions FROM about").fetchall()
        return about == [self._about]

    def _set_aside(self) -> None:
        """Rename the damaged file, unless another process just did."""
        try:
            status = self.path.stat()
            if self._identity in (None, (status.st_dev, status.st_ino)):
                self.path.replace(self.path.with_name(f"{self.path.name}.damaged"))
                self.path.with_name(f"{self.path.name}-journal").unlink(missing_ok=True)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise self._unusable(error) from None
        self.remark = "The index was damaged and is set aside; every picture is read anew."

    def _unusable(self, error: Exception) -> StorageError:
        reason = getattr(error, "strerror", None) or str(error)
        return StorageError(
            f"The index {self.path} cannot be used: {reason}.",
            hint="Name another file with --index.",
        )
