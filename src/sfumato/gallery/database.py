"""One database behind library and queue: SQLite in the folder, or PostgreSQL by its URL.

Writing transactions begin with the write lock (``BEGIN IMMEDIATE``), so that two of them wait for
one another instead of failing halfway. A commit that returned is on disk: ``synchronous=FULL``.

Source: sqlite.org/wal.html, "The WAL-Reset Bug": before 3.51.3 two connections may corrupt a
database in WAL mode, so older versions run with a rollback journal.
"""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, inspect, select, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from sfumato.errors import MissingExtraError, RequestError, StorageError
from sfumato.gallery.commits import GroupCommit
from sfumato.gallery.tables import REVISION, DatabaseTime

WAL_IS_SAFE = sqlite3.sqlite_version_info >= (3, 51, 3)
OLDEST_SQLITE = (3, 35, 0)  # UPDATE ... RETURNING
_BUSY_SECONDS = 30.0
T = TypeVar("T")
_WRITES = "sfumato_writes"
# any number does; everything that must happen one at a time on PostgreSQL takes the same one
_ADVISORY_LOCK = 0x5F0A70
_CORRUPT = re.compile("malformed|not a database|disk image|missing from index|invalid page", re.I)


class Database:
    """Connections, transactions and the schema. Use from any thread; close when done."""

    def __init__(self, address: str | Path) -> None:
        """A database file, or a URL such as ``postgresql+psycopg://user@host/name``.

        Nothing is opened yet. Raises: RequestError: not a usable address; MissingExtraError:
        PostgreSQL without its driver; StorageError: this Python's SQLite is too old.
        """
        self.url = _url_of(address)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self._engine = _make_sqlite(self.url) if self.is_sqlite else _make_postgresql(self.url)
        self._writing = threading.Lock()
        self._together = GroupCommit(self.write)

    @property
    def name(self) -> str:
        """The address without its password."""
        return self.url.render_as_string(hide_password=True)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads. Keep it short: on SQLite it delays writers.

        Raises: StorageError: code "corrupt" where the database is damaged.
        """
        with _translated(self.name), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that is durable when the block ends, and undone when it raises.

        Raises: StorageError: codes "corrupt" and "disk_full" say so.
        """
        with _translated(self.name):
            if not self.is_sqlite:
                with self._engine.begin() as connection:
                    yield connection
                return
            # threads of one process queue here, fairly and without SQLite's polling
            with self._writing, self._engine.connect() as connection:
                connection = connection.execution_options(**{_WRITES: True})
                with connection.begin():
                    yield connection

    def write_together(self, work: Callable[[Connection], T]) -> T:
        """``work(connection)``, durable when this returns; what it raises undoes it alone.

        Threads that write at the same moment share one commit, so that a disk of a hundred
        commits a second takes thousands of small writes. Raises: as ``write`` and ``work`` do.
        """
        return self._together.run(work)

    def one_at_a_time(self, connection: Connection) -> None:
        """Until the transaction ends, no other one passes here. SQLite's writers never do."""
        if not self.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})

    def now(self) -> float:
        """Seconds since 1970 by the database's clock."""
        with self.read() as connection:
            return float(connection.execute(select(DatabaseTime())).scalar_one())

    def migrate(self) -> None:
        """Bring the schema to this version's; nothing to do is the usual, cheap case.

        Raises: StorageError: a newer sfumato wrote it, or it cannot be changed.
        """
        with self.read() as connection:
            if _revision(connection) == REVISION:
                return
        with self.write() as connection:
            self.one_at_a_time(connection)  # two programs that start together migrate once
            found = _revision(connection)
            if found == REVISION:
                return
            from sfumato.gallery.migrations import upgrade

            upgrade(connection, found)

    def check(self, *, thorough: bool = False) -> list[str]:
        """What is wrong with the database's structure, as it says itself; empty when it is sound.

        PostgreSQL checks its pages when it reads them and has nothing to say here.
        """
        if not self.is_sqlite:
            return []
        pragma = "integrity_check" if thorough else "quick_check"
        try:
            with self.read() as connection:
                rows = connection.execute(text(f"PRAGMA {pragma}(20)")).scalars().all()
        except StorageError as error:
            if error.code != "corrupt":
                raise
            return [error.message]
        return [str(row) for row in rows if row != "ok"]

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()


# ---------------------------------------------------------------- engines


def _url_of(address: str | Path) -> URL:
    if isinstance(address, Path) or "://" not in address:
        return URL.create("sqlite", database=str(address))
    try:
        url = make_url(address)
        backend = url.get_backend_name()
    except (ArgumentError, ValueError):
        raise RequestError(
            "The database's address is not a URL.",
            hint="Give one such as postgresql+psycopg://user@host/name.",
        ) from None
    if backend == "sqlite" and url.database:
        return url
    if backend != "postgresql":
        raise RequestError(
            f"sfumato does not work with {backend} databases.",
            hint="Leave --database out for SQLite, or give a postgresql+psycopg:// URL.",
        )
    if find_spec("psycopg") is None:
        raise MissingExtraError("PostgreSQL", "postgres")
    # the plain name means the driver that the extra installs
    return url.set(drivername="postgresql+psycopg")


def _make_sqlite(url: URL) -> Engine:
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise StorageError(
            f"This Python's SQLite is {sqlite3.sqlite_version}; 3.35 or newer is needed.",
            hint="Install a newer Python.",
        )
    engine = create_engine(
        url, connect_args={"timeout": _BUSY_SECONDS}, pool_size=8, pool_timeout=_BUSY_SECONDS
    )

    @event.listens_for(engine, "connect")
    def _configure(connection: sqlite3.Connection, record: object) -> None:
        try:
            _set_up_sqlite(connection)
        except sqlite3.Error:
            connection.close()  # nobody else would, and it may hold a lock
            raise

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _set_up_sqlite(connection: sqlite3.Connection) -> None:
    connection.isolation_level = None  # sqlite3 must not begin transactions by itself
    connection.execute(f"PRAGMA busy_timeout = {int(_BUSY_SECONDS * 1000)}")
    wanted = "wal" if WAL_IS_SAFE else "truncate"
    (mode,) = connection.execute(f"PRAGMA journal_mode = {wanted}").fetchone()
    if mode == "wal" and not WAL_IS_SAFE:
        raise sqlite3.OperationalError(
            f"it is in WAL mode, which SQLite {sqlite3.sqlite_version} may corrupt; close every "
            "other program that has it open"
        )
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _make_postgresql(url: URL) -> Engine:
    return create_engine(
        url,
        pool_size=8,
        pool_pre_ping=True,  # the server may have been restarted meanwhile
        pool_timeout=_BUSY_SECONDS,
        connect_args={"connect_timeout": 10, "application_name": "sfumato"},
    )


def _revision(connection: Connection) -> str | None:
    """The schema's revision; None for an empty database."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(
        text("SELECT version_num FROM alembic_version")
    ).scalar_one_or_none()
    return found


# ---------------------------------------------------------------- errors


@contextmanager
def _translated(name: str) -> Iterator[None]:
    """Errors of the driver as one line that says what to do."""
    try:
        yield
    except PoolTimeout:
        raise StorageError(
            f"The database {name} is busy.", hint="Try again in a moment.", code="busy"
        ) from None
    except (DBAPIError, InterfaceError) as error:
        raise _storage_error(name, error) from error
    except SQLAlchemyError as error:
        raise StorageError(f"The database {name} could not be used: {error}.") from error


def _storage_error(name: str, error: DBAPIError) -> StorageError:
    reason = " ".join(str(error.orig).split())
    if _CORRUPT.search(reason):
        return StorageError(
            f"The database {name} is damaged: {reason}.",
            hint="Run: sfumato gallery heal",
            code="corrupt",
        )
    if "is full" in reason or "No space left" in reason:
        return StorageError(
            f"There is no room for the database {name}.",
            hint="Free some space; nothing that was saved is lost.",
            code="disk_full",
        )
    if "locked" in reason:
        return StorageError(
            f"The database {name} is busy.", hint="Try again in a moment.", code="busy"
        )
    hint = "Check that its folder may be written to."
    if not name.startswith("sqlite"):
        hint = "Check that the server runs and the address is right."
    return StorageError(f"The database {name} could not be used: {reason}.", hint=hint)
