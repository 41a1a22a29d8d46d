"""Mending: a corrupt database is set aside and rebuilt from the pictures' own files.

What a person said about pictures (stars, ratings, tags, collections) and what the queue held is
in the database alone, so as much as can still be read of the old one is carried over.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, MetaData, Table, insert, select, update

from sfumato.atomic import sync_folder
from sfumato.errors import SfumatoError, StorageError
from sfumato.gallery.folder import storage_errors
from sfumato.gallery.picture import Healed
from sfumato.gallery.records import record_of_file
from sfumato.gallery.tables import LABELS, PICTURES, DatabaseTime

if TYPE_CHECKING:
    from sfumato.gallery.library import Library

_SUFFIXES = ("", "-wal", "-shm", "-journal")  # a database and what SQLite keeps beside it
_ROWS_OF = {
    "pictures": "SELECT * FROM pictures",
    "labels": "SELECT * FROM labels",
    "jobs": "SELECT * FROM jobs",
    "job_events": "SELECT * FROM job_events",
}
# what is in no picture's file
_SAID = ("trashed_at", "favourite", "rating", "findings", "original_name", "job_id", "job_index")


def heal(library: Library) -> Healed:
    """Check the database, then every file against it; mend what can be, report what cannot.

    A picture whose file is missing stays in the database: the file may come back.
    Raises: StorageError: the folder is not there, or the library is open elsewhere.
    """
    library.folder.check()
    damaged = bool(library.database.check(thorough=True))
    aside = library.replace_database() if damaged else None
    return rebuild(library, aside)


def set_aside(library: Library) -> Path:
    """Move the database out of the way and return where it lies now.

    Raises: StorageError: another program has the library open, or it is PostgreSQL.
    """
    if not library.database.is_sqlite:
        raise StorageError(
            "The PostgreSQL database is damaged.", hint="Restore it from its backup, then heal."
        )
    library.database.close()
    if not library.folder.lock(alone=True):
        raise StorageError(
            "The library's database is damaged, and another program has the library open.",
            hint="Stop every other sfumato, then run: sfumato gallery heal",
            code="busy",
        )
    place = library.folder.root / "set-aside"
    moment = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%S%f")
    target = place / f"library-{moment}.db"
    with storage_errors(target):
        place.mkdir(exist_ok=True)
        for suffix in _SUFFIXES:
            source = library.folder.database.with_name(library.folder.database.name + suffix)
            if source.exists():
                source.replace(target.with_name(target.name + suffix))
        sync_folder(library.folder.root)
    library.folder.lock(alone=False)
    return target


def rebuild(library: Library, aside: Path | None = None) -> Healed:
    """Make the database agree with the files: unknown files are added, nothing is removed."""
    aside = aside or _newest_aside(library)
    healed = Healed(set_aside=aside)
    with library.database.read() as connection:
        rows = connection.execute(
            select(PICTURES.c.id, PICTURES.c.format, PICTURES.c.trashed_at)
        ).all()
    known = {row.id for row in rows}
    seen = set()
    for identity, _, trashed, path in library.folder.files():
        seen.add(identity)
        healed.checked += 1
        if identity not in known:
            try:
                _adopt(library, identity, path, trashed)
            except SfumatoError:
                healed.damaged.append(str(path.relative_to(library.folder.root)))
            else:
                healed.added.append(identity)
    healed.missing = sorted(known - seen)
    _straighten(library, [row for row in rows if row.id in seen])
    if aside is not None and healed.added:
        healed.rescued = _carry_over(library, aside)
    return healed


def _adopt(library: Library, identity: str, path: Path, trashed: bool) -> None:
    svg = path.with_suffix(".svg").exists()
    record, _ = record_of_file(identity, path, has_svg=svg)
    with library.database.write() as connection:
        library.insert(connection, record)
        if trashed:
            connection.execute(
                update(PICTURES).where(PICTURES.c.id == identity).values(trashed_at=DatabaseTime())
            )


def _straighten(library: Library, rows: Sequence[Any]) -> None:
    """Put files on the side of the trash's lid where the database says they are."""
    for row in rows:
        trashed = row.trashed_at is not None
        if not library.folder.path_of(row.id, row.format, trashed=trashed).exists():
            for format_ in (row.format, "svg"):
                library.folder.move(row.id, format_, to_trash=trashed)


# ---------------------------------------------------------------- what only the old one knew


def _newest_aside(library: Library) -> Path | None:
    return max((library.folder.root / "set-aside").glob("library-*.db"), default=None)


def _carry_over(library: Library, aside: Path) -> dict[str, int]:
    """Copy what can be read out of the damaged database; returns rows by table."""
    rescued = {"marks": 0, "labels": 0, "jobs": 0, "job_events": 0}
    with (
        suppress(sqlite3.Error),
        closing(_open_damaged(aside)) as old,
        library.database.write() as connection,
    ):
        numbers: dict[int, int] = {}  # of a picture, in the old and in the new database
        new = {row.id: row.number for row in connection.execute(select(PICTURES))}
        for row in _readable(old, "pictures"):
            if row["id"] not in new:
                continue
            numbers[row["number"]] = new[row["id"]]
            said = {name: row[name] for name in _SAID if name in row}
            connection.execute(update(PICTURES).where(PICTURES.c.id == row["id"]).values(said))
            rescued["marks"] += 1
        for row in _readable(old, "labels"):
            if row["picture"] in numbers and row["kind"] in ("tag", "collection"):
                row["picture"] = numbers[row["picture"]]
                connection.execute(insert(LABELS), row)
                rescued["labels"] += 1
        library.index_words(connection, list(new))
        # the queue's room lies above this one: its tables are known by what they hold
        rescued["jobs"] = _copy_rows(connection, old, "jobs", skip_unless_empty=True)
        if rescued["jobs"]:
            rescued["job_events"] = _copy_rows(connection, old, "job_events")
    return rescued


def _open_damaged(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"file:{path.as_posix()}?mode=ro", uri=True)
    connection.row_factory = sqlite3.Row
    connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
    return connection


def _readable(old: sqlite3.Connection, table: str) -> Iterator[dict[str, Any]]:
    """The rows before the first page that cannot be read."""
    with suppress(sqlite3.Error):
        for row in old.execute(_ROWS_OF[table]):
            yield dict(row)


def _copy_rows(
    connection: Connection, old: sqlite3.Connection, name: str, *, skip_unless_empty: bool = False
) -> int:
    table = Table(name, MetaData(), autoload_with=connection)
    if skip_unless_empty and connection.execute(select(table).limit(1)).first() is not None:
        return 0
    copied = 0
    for row in _readable(old, name):
        with suppress(StorageError):
            connection.execute(
                insert(table), {key: value for key, value in row.items() if key in table.c}
            )
            copied += 1
    return copied
