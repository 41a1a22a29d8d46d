"""The queue's tables, in the library's database; ``gallery/migrations`` makes them."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
)

from sfumato.gallery.tables import ID, METADATA, NUMBER

JOBS = Table(
    "jobs",
    METADATA,
    Column("number", NUMBER, primary_key=True, autoincrement=True),
    Column("id", ID, nullable=False, unique=True),
    Column("state", String(9), nullable=False),
    Column("priority", SmallInteger, nullable=False),
    Column("owner", String(64), nullable=False),
    Column("idempotency_key", String(255)),
    Column("asked_sha256", String(64), nullable=False),  # of the request before its seed was fixed
    Column("request", Text, nullable=False),
    Column("num_images", SmallInteger, nullable=False),
    Column("limit_seconds", Double, nullable=False),
    Column("collection", String(200)),
    Column("attempt", SmallInteger, nullable=False),
    Column("fence", BigInteger, nullable=False),  # grows with every claim: old ones are refused
    Column("worker", String(128)),
    Column("lease_until", Double),  # by the database's clock
    Column("cancel_requested", Boolean, nullable=False, server_default=false()),
    Column("progress", Text),
    Column("error", Text),
    Column("last_event", Integer, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("started_at", Double),
    Column("finished_at", Double),
    UniqueConstraint("owner", "idempotency_key", name="uq_jobs_idempotency"),
)
# the order in which jobs are drawn: claiming reads its first entry, however long the queue is
Index("ix_jobs_order", JOBS.c.state, JOBS.c.priority.desc(), JOBS.c.number)
Index("ix_jobs_owner", JOBS.c.owner, JOBS.c.state)

EVENTS = Table(
    "job_events",
    METADATA,
    Column(
        "job",
        NUMBER,
        ForeignKey("jobs.number", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", Double, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("data", Text, nullable=False),
)
