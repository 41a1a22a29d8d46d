"""Pictures, their labels and vectors; jobs and their events."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_ID = sa.String(26)
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """From an empty database."""
    _make_pictures()
    _make_text_index()
    _make_jobs()
    op.create_table(
        "settings",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("value", sa.Text(), nullable=False),
    )


def _make_pictures() -> None:
    op.create_table(
        "pictures",
        sa.Column("number", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("id", _ID, nullable=False, unique=True),
        sa.Column("trashed_at", sa.Double()),
        sa.Column("format", sa.String(8), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("file_sha256", sa.String(64), nullable=False),
        sa.Column("pixel_sha256", sa.String(64), nullable=False),
        sa.Column("has_svg", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("source", sa.String(32), nullable=False),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column("negative_prompt", sa.Text(), nullable=False),
        sa.Column("model", sa.Text()),
        sa.Column("seed", sa.BigInteger()),
        sa.Column("parameters", sa.Text(), nullable=False),
        sa.Column("plan", sa.Text()),
        sa.Column("findings", sa.Text(), nullable=False),
        sa.Column("favourite", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("rating", sa.SmallInteger(), nullable=False, server_default="0"),
        sa.Column("original_name", sa.Text()),
        sa.Column("job_id", _ID),
        sa.Column("job_index", sa.SmallInteger()),
        sa.UniqueConstraint("job_id", "job_index", name="uq_pictures_job"),
    )
    op.create_index("ix_pictures_file", "pictures", ["file_sha256"])
    op.create_index("ix_pictures_model", "pictures", ["model", "id"])
    op.create_index("ix_pictures_trash", "pictures", ["trashed_at", "id"])
    op.create_table(
        "labels",
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("value", sa.String(200), primary_key=True),
        sa.Column("picture", _NUMBER, _of_picture(), primary_key=True),
        sa.Column("rank", sa.SmallInteger(), nullable=False, server_default="0"),
    )
    op.create_index("ix_labels_picture", "labels", ["picture"])
    op.create_table(
        "vectors",
        sa.Column("picture", _NUMBER, _of_picture(), primary_key=True, autoincrement=False),
        sa.Column("model_sha256", sa.String(64), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
    )
    op.create_index("ix_vectors_model_sha256", "vectors", ["model_sha256"])


def _make_text_index() -> None:
    if op.get_bind().dialect.name == "sqlite":
        # words are folded before they get here, so the tokenizer has nothing left to fold
        op.execute(
            "CREATE VIRTUAL TABLE pictures_text USING fts5("
            "words, tokenize = 'unicode61 remove_diacritics 0')"
        )
        return
    op.execute(
        "CREATE TABLE pictures_text (picture BIGINT PRIMARY KEY "
        "REFERENCES pictures (number) ON DELETE CASCADE, words tsvector NOT NULL)"
    )
    op.execute("CREATE INDEX ix_pictures_text_words ON pictures_text USING gin (words)")


def _make_jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("number", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("id", _ID, nullable=False, unique=True),
        sa.Column("state", sa.String(9), nullable=False),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("idempotency_key", sa.String(255)),
        sa.Column("asked_sha256", sa.String(64), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("num_images", sa.SmallInteger(), nullable=False),
        sa.Column("limit_seconds", sa.Double(), nullable=False),
        sa.Column("collection", sa.String(200)),
        sa.Column("attempt", sa.SmallInteger(), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("worker", sa.String(128)),
        sa.Column("lease_until", sa.Double()),
        sa.Column("cancel_requested", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("progress", sa.Text()),
        sa.Column("error", sa.Text()),
        sa.Column("last_event", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("started_at", sa.Double()),
        sa.Column("finished_at", sa.Double()),
        sa.UniqueConstraint("owner", "idempotency_key", name="uq_jobs_idempotency"),
    )
    op.create_index("ix_jobs_order", "jobs", ["state", sa.text("priority DESC"), "number"])
    op.create_index("ix_jobs_owner", "jobs", ["owner", "state"])
    op.create_table(
        "job_events",
        sa.Column("job", _NUMBER, _of_job(), primary_key=True, autoincrement=False),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
    )


def _of_picture() -> sa.ForeignKey:
    return sa.ForeignKey("pictures.number", ondelete="CASCADE")


def _of_job() -> sa.ForeignKey:
    return sa.ForeignKey("jobs.number", ondelete="CASCADE")
