"""The schema's history, run by Alembic inside the caller's transaction: all of it or nothing."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from sfumato.errors import StorageError


def configuration() -> Config:
    """Alembic's settings, without a file."""
    settings = Config()
    settings.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    settings.set_main_option("path_separator", "os")
    return settings


def upgrade(connection: Connection, found: str | None) -> None:
    """Bring the schema from revision ``found`` (None: nothing there) to the newest.

    Raises: StorageError: a newer sfumato wrote it, or SQLite was built without its text search.
    """
    settings = configuration()
    if found is not None:
        try:
            ScriptDirectory.from_config(settings).get_revision(found)
        except CommandError:
            raise StorageError(
                f"The library's database has schema {found}, which a newer sfumato wrote.",
                hint="Install the newest sfumato.",
            ) from None
    settings.attributes["connection"] = connection
    try:
        command.upgrade(settings, "head")
    except OperationalError as error:
        if "fts5" in str(error.orig):
            raise StorageError(
                "This Python's SQLite was built without FTS5, its text search.",
                hint="Install another Python, or give a PostgreSQL database.",
            ) from error
        raise
