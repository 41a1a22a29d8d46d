"""Mending: a corrupt database is set aside and begun anew from its newest sound copy.

Pictures that are newer than the copy, or all of them where there is none, are added from their own
files. What a person said about pictures (stars, ratings, tags, collections) and what the queue held
is in the database alone, so as much as can still be read of the damaged one is carried over.
"""

from __future__ import annotations

import json
import math
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    Connection,
    MetaData,
    Table,
    case,
    delete,
    insert,
    null,
    select,
    update,
)
from sqlalchemy.exc import DBAPIError, IntegrityError

from sfumato.atomic import sync_folder, write_durably
from sfumato.errors import SfumatoError, StorageError
from sfumato.gallery.backup import backups, restore
from sfumato.gallery.folder import storage_errors
from sfumato.gallery.identity import derived_id
from sfumato.gallery.picture import MAX_RATING, Healed, finding_from_dict
from sfumato.gallery.reader import chunks
from sfumato.gallery.records import Record, record_of_file
from sfumato.gallery.tables import LABELS, PICTURES, DatabaseTime

if TYPE_CHECKING:
    from sfumato.gallery.library import Library

_UNFINISHED = "unfinished"  # names what is set aside while the library is being mended
_ADDING_SECONDS = 60.0  # that a picture's file may be there before the database knows of it
_SUFFIXES = ("", "-wal", "-shm", "-journal")  # a database and what SQLite keeps beside it
_ROWS_OF = {
    "pictures": "SELECT * FROM pictures",
    "labels": "SELECT * FROM labels",
    "jobs": "SELECT * FROM jobs",
    "job_events": "SELECT * FROM job_events",
}
# what is in no picture's file
_SAID = ("trashed_at", "favourite", "rating", "findings", "original_name", "job_id", "job_index")
_GIVEN_LABELS = ("tag", "collection")  # kinds of labels that a person gives


def heal(library: Library) -> Healed:
    """Check the database, then every file against it; mend what can be, report what cannot.

    A picture whose file is missing stays in the database: the file may come back. Other programs
    may go on drawing: what they are adding at this moment is left to them.
    Raises: StorageError: the folder is not there, or the library is open elsewhere.
    """
    library.folder.check()
    damaged = bool(library.database.check(thorough=True))
    if damaged:
        return rebuild(library, library.replace_database())
    return rebuild(library, Healed(), until=_quiet_since(library))


def _quiet_since(library: Library) -> float:
    """Files older than this moment are nobody's who is still about to add them."""
    now = time.time()
    alone = library.folder.lock(alone=True)
    if not library.folder.lock(alone=False):  # a lock that changes is let go for a moment
        raise StorageError(
            "Another program mends the library at this moment.", hint="Try again.", code="busy"
        )
    return now if alone else now - _ADDING_SECONDS


def recover(library: Library) -> Healed | None:
    """Go on with a mending that was cut short, and put a copy in a lost database's place.

    Returns what stands there now, for ``rebuild``; None: nothing of the kind was found.

    Raises: StorageError: another program opens the library at this moment.
    """
    if not library.database.is_sqlite:
        return None
    aside = _unfinished_mending(library)
    lost = not library.folder.database.exists()
    copies = backups(library.folder)
    if aside is None and not (lost and copies):
        return None
    _take_alone(library, "lost" if lost else "damaged")
    restored = restore(library.folder) if lost else next(iter(copies), None)
    return Healed(set_aside=aside, restored=restored)


def replace(library: Library) -> Healed:
    """Move the damaged database out of the way and put its newest sound copy in its place.

    Nobody else can open the library until ``rebuild`` has mended it.

    Raises: StorageError: another program has the library open, or it is PostgreSQL.
    """
    if not library.database.is_sqlite:
        raise StorageError(
            "The PostgreSQL database is damaged.", hint="Restore it from its backup, then heal."
        )
    library.database.close()
    _take_alone(library, "damaged")
    moment = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%S%f")
    target = library.folder.root / "set-aside" / f"library-{moment}.db"
    with storage_errors(target):
        target.parent.mkdir(exist_ok=True)
        write_durably(target.with_name(_UNFINISHED), target.name.encode())
        for suffix in _SUFFIXES:
            source = library.folder.database.with_name(library.folder.database.name + suffix)
            if source.exists():
                source.replace(target.with_name(target.name + suffix))
        sync_folder(library.folder.root)
    return Healed(set_aside=target, restored=restore(library.folder))


def _unfinished_mending(library: Library) -> Path | None:
    """The database that was set aside by a mending that did not come to its end."""
    marker = library.folder.root / "set-aside" / _UNFINISHED
    try:
        aside = marker.with_name(Path(marker.read_text("utf-8")).name)
    except (FileNotFoundError, ValueError):
        return None
    return aside if aside.is_file() else None


def _take_alone(library: Library, state: str) -> None:
    if not library.folder.lock(alone=True):
        raise StorageError(
            f"The library's database is {state}, and another program has the library open.",
            hint="Stop every other sfumato, then run: sfumato gallery heal",
            code="busy",
        )


def rebuild(library: Library, healed: Healed, *, until: float = math.inf) -> Healed:
    """Make the database agree with the files: unknown files are added, nothing is removed.

    ``healed`` says what stands in the database's place, and is returned with what was done.
    ``until``: unknown files that were written later, in seconds since 1970, are left alone.
    """
    try:
        _agree(library, healed, until)
        if healed.set_aside is not None:
            healed.rescued = _carry_over(library, healed.set_aside)
        if healed.added:
            _reunite(library, healed.added)
        with storage_errors(library.folder.root):
            (library.folder.root / "set-aside" / _UNFINISHED).unlink(missing_ok=True)
    finally:
        library.folder.lock(alone=False)
    return healed


def _agree(library: Library, healed: Healed, until: float) -> None:
    with library.database.read() as connection:
        rows = connection.execute(
            select(PICTURES.c.id, PICTURES.c.format, PICTURES.c.trashed_at)
        ).all()
    known = {row.id for row in rows}
    seen = {}
    for identity, _, trashed, path in library.folder.files():
        seen[identity] = trashed
        healed.checked += 1
        if identity in known or _written_after(path, until):
            continue
        try:
            record, _ = record_of_file(identity, path, has_svg=path.with_suffix(".svg").exists())
        except SfumatoError:
            if path.exists():  # nobody deleted it or took it elsewhere meanwhile
                healed.damaged.append(str(path.relative_to(library.folder.root)))
        else:
            if _adopt(library, record, trashed):
                healed.added.append(identity)
    # looked at again: what was deleted or moved meanwhile is not missing
    unseen = library.get_many(sorted(known - seen.keys()))
    healed.missing = [picture.id for picture in unseen if not picture.path.exists()]
    there = [row for row in rows if row.id in seen]
    if healed.restored is None:
        _straighten(library, there)
    else:
        _believe(library, [row.id for row in there if (row.trashed_at is not None) != seen[row.id]])


def _written_after(path: Path, moment: float) -> bool:
    try:
        return path.stat().st_mtime > moment
    except FileNotFoundError:  # deleted or moved meanwhile: whoever did it knows it
        return True


def _adopt(library: Library, record: Record, trashed: bool) -> bool:
    """Add a picture from its file; False: somebody else has added it meanwhile."""
    mine = PICTURES.c.id == record.id
    try:
        with library.database.write() as connection:
            if connection.execute(select(PICTURES.c.id).where(mine)).first() is not None:
                return False
            library.insert(connection, record)
            if trashed:
                connection.execute(update(PICTURES).where(mine).values(trashed_at=DatabaseTime()))
    except StorageError as error:
        if isinstance(error.__cause__, IntegrityError):  # PostgreSQL lets two write at once
            return False
        raise
    return True


def _straighten(library: Library, rows: Sequence[Any]) -> None:
    """Put files on the side of the trash's lid where the database says they are."""
    for row in rows:
        trashed = row.trashed_at is not None
        if not library.folder.path_of(row.id, row.format, trashed=trashed).exists():
            for format_ in (row.format, "svg"):
                library.folder.move(row.id, format_, to_trash=trashed)


def _believe(library: Library, identities: Sequence[str]) -> None:
    """An older copy of the database does not know what was thrown away or restored since."""
    with library.database.write() as connection:
        for chunk in chunks(identities):
            connection.execute(
                update(PICTURES)
                .where(PICTURES.c.id.in_(chunk))
                .values(
                    trashed_at=case((PICTURES.c.trashed_at.is_(None), DatabaseTime()), else_=null())
                )
            )


def _reunite(library: Library, added: Sequence[str]) -> None:
    """Pictures that the database did not know of may belong to jobs that it has as unfinished.

    Their ids follow from the job's, so that the worker who takes such a job draws only the others.
    """
    with library.database.write() as connection:
        jobs = Table("jobs", MetaData(), autoload_with=connection)
        unfinished = select(jobs.c.id, jobs.c.num_images).where(jobs.c.state != "done")
        owners = {
            derived_id(job.id, index): (job.id, index)
            for job in connection.execute(unfinished)
            for index in range(job.num_images)
        }
        for identity in owners.keys() & set(added):
            job_id, index = owners[identity]
            connection.execute(
                update(PICTURES)
                .where(PICTURES.c.id == identity, PICTURES.c.job_id.is_(None))
                .values(job_id=job_id, job_index=index)
            )


# ---------------------------------------------------------------- what only the old one knew


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
            said = {"number": new[row["id"]], **_plausible(row)}
            rescued["marks"] += _replace_row(connection, PICTURES, said)
        labels, whole = _all_readable(old, "labels")
        if whole:  # a copy still has those that somebody took away since
            _forget_labels(connection, list(numbers.values()))
        for row in labels:
            if row["picture"] in numbers and row["kind"] in _GIVEN_LABELS:
                row["picture"] = numbers[row["picture"]]
                rescued["labels"] += _replace_row(connection, LABELS, row)
        library.index_words(connection, list(new))
        # the queue's room lies above this one: its tables are known by what they hold
        for name in ("jobs", "job_events"):
            table = Table(name, MetaData(), autoload_with=connection)
            for row in _readable(old, name):
                rescued[name] += _replace_row(connection, table, row)
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


def _all_readable(old: sqlite3.Connection, table: str) -> tuple[list[dict[str, Any]], bool]:
    """Those rows, and whether they are all that the table has."""
    rows: list[dict[str, Any]] = []
    with suppress(sqlite3.Error):
        rows.extend(map(dict, old.execute(_ROWS_OF[table])))  # those before an error stay
        return rows, True
    return rows, False


def _forget_labels(connection: Connection, numbers: Sequence[int]) -> None:
    """Take away what a person filed these pictures under."""
    for chunk in chunks(numbers):
        connection.execute(
            delete(LABELS).where(LABELS.c.picture.in_(chunk), LABELS.c.kind.in_(_GIVEN_LABELS))
        )


def _plausible(row: dict[str, Any]) -> dict[str, Any]:
    """What a person and the queue said about a picture; what damage made of it is left out."""
    with suppress(ValueError, TypeError, KeyError):
        [finding_from_dict(finding) for finding in json.loads(row["findings"])]
        if row["favourite"] in (0, 1) and row["rating"] in range(MAX_RATING + 1):
            return {name: row[name] for name in _SAID if name in row}
    return {}


def _replace_row(connection: Connection, table: Table, row: dict[str, Any]) -> bool:
    """Change the row with this key, or add it; False where it does not fit."""
    fitting = {name: value for name, value in row.items() if name in table.c}
    savepoint = connection.begin_nested()
    try:
        keys = [column == fitting[column.name] for column in table.primary_key]
        if not connection.execute(update(table).where(*keys).values(fitting)).rowcount:
            connection.execute(insert(table), fitting)
    except (DBAPIError, KeyError):  # half a row, or one that contradicts a sound one
        savepoint.rollback()
        return False
    savepoint.commit()
    return True
