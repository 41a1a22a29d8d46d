"""Durability settings, the schema's history, and writes that share a commit."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Table, insert, select, text

import sfumato.jobs.tables
from sfumato.errors import MissingExtraError, RequestError, StorageError
from sfumato.gallery import Database, Library
from sfumato.gallery import database as module
from sfumato.gallery.migrations import configuration
from sfumato.gallery.tables import METADATA, REVISION, SETTINGS


@pytest.fixture
def database(library: Library) -> Database:
    return library.database


def test_the_migrations_make_the_tables_that_the_code_uses(database: Database) -> None:
    assert sfumato.jobs.tables.JOBS.metadata is METADATA

    def ours(thing: object, name: str, kind: str, reflected: bool, other: object) -> bool:
        return not (kind == "table" and isinstance(thing, Table) and "pictures_text" in name)

    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"include_object": ours})
        assert compare_metadata(context, METADATA) == []


def test_the_newest_migration_is_the_one_the_code_expects() -> None:
    assert ScriptDirectory.from_config(configuration()).get_current_head() == REVISION


def test_a_newer_schema_is_refused_and_left_alone(folder: Path, address: str | None) -> None:
    with Library.open(folder, database=address) as library, library.database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StorageError, match="newer sfumato"):
        Library.open(folder, database=address)


def test_sqlite_is_as_durable_as_it_can_be(own: Library) -> None:
    with own.database.read() as connection:

        def pragma(name: str) -> object:
            return connection.execute(text(f"PRAGMA {name}")).scalar_one()

        assert pragma("synchronous") == 2  # FULL
        assert pragma("foreign_keys") == 1
        assert pragma("busy_timeout") == 30_000
        assert pragma("journal_mode") == ("wal" if module.WAL_IS_SAFE else "truncate")


def test_an_old_sqlite_leaves_wal_mode(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mode = text("PRAGMA journal_mode")
    monkeypatch.setattr(module, "WAL_IS_SAFE", True)
    newer = Library.open(folder)
    with newer.database.read() as connection:
        assert connection.execute(mode).scalar_one() == "wal"
        monkeypatch.setattr(module, "WAL_IS_SAFE", False)
        with pytest.raises(StorageError):  # the newer program still has it open
            Library.open(folder)
    newer.close()
    with Library.open(folder) as older, older.database.read() as connection:
        assert connection.execute(mode).scalar_one() == "truncate"


@pytest.mark.parametrize("url", ["mysql://a/b", "postgresql://", "nonsense://x", "://"])
def test_other_addresses_are_refused(url: str) -> None:
    if url == "postgresql://":
        with pytest.raises(StorageError, match="could not be used"):
            Database("postgresql+psycopg://nobody:secret@127.0.0.1:1/none").now()
        return
    with pytest.raises(RequestError):
        Database(url)


def test_passwords_are_not_shown() -> None:
    pytest.importorskip("psycopg")
    database = Database("postgresql://me:secret@host/name")
    assert "secret" not in database.name
    with pytest.raises(StorageError) as caught:
        Database("postgresql+psycopg://me:secret@127.0.0.1:1/name").now()
    assert "secret" not in caught.value.one_line()


def test_a_missing_driver_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match="postgres"):
        Database("postgresql://host/name")


def test_the_databases_clock_is_about_ours(database: Database) -> None:
    assert abs(database.now() - time.time()) < 60


# ---------------------------------------------------------------- group commit


def put(connection: Connection, name: str) -> str:
    connection.execute(insert(SETTINGS).values(name=name, value="x"))
    return name


def names(database: Database) -> set[str]:
    with database.read() as connection:
        return set(connection.execute(select(SETTINGS.c.name)).scalars())


def test_writes_together_are_all_there(database: Database) -> None:
    wanted = [f"n{number}" for number in range(60)]

    def write(name: str) -> str:
        return database.write_together(lambda connection: put(connection, name))

    with ThreadPoolExecutor(12) as pool:
        told = list(pool.map(write, wanted))
    assert told == wanted
    assert names(database) >= set(wanted)


def test_writes_that_wait_share_one_transaction(database: Database) -> None:
    transactions: list[object] = []
    first_is_in, go = threading.Event(), threading.Event()

    def slow(connection: Connection) -> None:
        first_is_in.set()
        assert go.wait(30)

    def note(connection: Connection) -> None:
        transactions.append(connection.get_transaction())

    with ThreadPoolExecutor(9) as pool:
        leader = pool.submit(database.write_together, slow)
        assert first_is_in.wait(30)
        others = [pool.submit(database.write_together, note) for _ in range(8)]
        while len(database._together._waiting) < 8:
            time.sleep(0.001)
        go.set()
        for future in (leader, *others):
            future.result()
    assert len(transactions) == 8
    assert len({id(transaction) for transaction in transactions}) == 1


def test_who_fails_is_undone_alone(database: Database) -> None:
    class OwnError(Exception):
        pass

    def one(number: int) -> str:
        def work(connection: Connection) -> str:
            put(connection, f"n{number}")
            if number % 3 == 0:
                raise OwnError(number)
            return f"n{number}"

        try:
            return database.write_together(work)
        except OwnError as error:
            assert error.args == (number,)
            return "failed"

    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(one, range(24)))
    assert told == ["failed" if n % 3 == 0 else f"n{n}" for n in range(24)]
    kept = {name for name in names(database) if name.startswith("n")}
    assert kept == {f"n{n}" for n in range(24) if n % 3}


def test_a_commit_that_fails_fails_for_all(own: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    database = own.database

    def twice(connection: Connection) -> None:
        put(connection, "library")  # a name that is taken: the database itself refuses

    with pytest.raises(StorageError):
        database.write_together(twice)
    assert database.write_together(lambda connection: put(connection, "after")) == "after"
