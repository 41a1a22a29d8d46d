"""The library's tables. ``migrations/`` makes them; a test holds the two against each other.

Times are seconds since 1970 as double precision, UTC. Lists and mappings are JSON text. The two
databases differ in one table only, the text index, which ``text.py`` hides.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

REVISION = "0001"  # of the migrations: what this version of sfumato reads and writes
METADATA = MetaData()

ID = String(26)
# SQLite numbers rows by itself only where the type is spelled INTEGER
NUMBER = BigInteger().with_variant(Integer, "sqlite")

PICTURES = Table(
    "pictures",
    METADATA,
    Column("number", NUMBER, primary_key=True, autoincrement=True),
    Column("id", ID, nullable=False, unique=True),
    Column("trashed_at", Double),
    Column("format", String(8), nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("file_sha256", String(64), nullable=False),
    Column("pixel_sha256", String(64), nullable=False),
    Column("has_svg", Boolean, nullable=False, server_default=false()),
    Column("source", String(32), nullable=False),
    Column("prompt", Text, nullable=False),
    Column("negative_prompt", Text, nullable=False),
    Column("model", Text),
    Column("seed", BigInteger),
    Column("parameters", Text, nullable=False),
    Column("plan", Text),
    Column("findings", Text, nullable=False),
    Column("favourite", Boolean, nullable=False, server_default=false()),
    Column("rating", SmallInteger, nullable=False, server_default="0"),
    Column("original_name", Text),
    Column("job_id", ID),
    Column("job_index", SmallInteger),
    UniqueConstraint("job_id", "job_index", name="uq_pictures_job"),
    Index("ix_pictures_file", "file_sha256"),
    Index("ix_pictures_model", "model", "id"),
    # a page is read off this index in order, however many pictures there are
    Index("ix_pictures_trash", "trashed_at", "id"),
)

# tags, collections, colours and defects are one thing: words that sets of pictures share
LABELS = Table(
    "labels",
    METADATA,
    Column("kind", String(16), primary_key=True),
    Column("value", String(200), primary_key=True),
    Column("picture", NUMBER, ForeignKey("pictures.number", ondelete="CASCADE"), primary_key=True),
    Column("rank", SmallInteger, nullable=False, server_default="0"),  # colours: largest first
    Index("ix_labels_picture", "picture"),
)

VECTORS = Table(
    "vectors",
    METADATA,
    Column(
        "picture",
        NUMBER,
        ForeignKey("pictures.number", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("model_sha256", String(64), nullable=False, index=True),
    Column("vector", LargeBinary, nullable=False),  # float16, little-endian, unit length
)

SETTINGS = Table(
    "settings",
    METADATA,
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)


class DatabaseTime(FunctionElement[float]):
    """Now, in seconds since 1970, by the database's clock: the only one all workers share."""

    type = Double()
    inherit_cache = True


@compiles(DatabaseTime, "sqlite")
def _sqlite_time(element: DatabaseTime, compiler: Any, **options: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(DatabaseTime, "postgresql")
def _postgresql_time(element: DatabaseTime, compiler: Any, **options: Any) -> str:
    return "extract(epoch from clock_timestamp())::double precision"
