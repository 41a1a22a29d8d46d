"""Looking: everything the library answers without changing anything."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, func, select

from sfumato.errors import RequestError
from sfumato.gallery.conditions import conditions_of
from sfumato.gallery.database import Database
from sfumato.gallery.folder import Folder
from sfumato.gallery.identity import is_id
from sfumato.gallery.picture import MAX_PAGE, Page, Picture, Query, check_cursor
from sfumato.gallery.records import picture_of
from sfumato.gallery.tables import LABELS, PICTURES
from sfumato.gallery.text import index_for
from sfumato.gallery.thumbnails import make_thumbnail

LABEL_KINDS = ("tag", "collection", "colour", "defect")
_CHUNK = 500  # rows a statement: SQLite limits how many values one may hold


class Reader:
    """The half of a library that only reads."""

    def __init__(self, folder: Folder, database: Database) -> None:
        """Use ``Library.open``."""
        self.folder = folder
        self.database = database
        self.text = index_for(is_sqlite=database.is_sqlite)

    def get(self, identity: str) -> Picture:
        """One picture, also from the trash.

        Raises: RequestError: code "no_such_picture".
        """
        found = self.get_many([identity])
        if not found:
            raise unknown_picture(identity)
        return found[0]

    def get_many(self, identities: Iterable[str]) -> list[Picture]:
        """Pictures in the order of their ids here; those that do not exist are left out."""
        wanted = list(dict.fromkeys(identities))
        rows: list[Row[Any]] = []
        with self.database.read() as connection:
            for chunk in chunks(wanted):
                rows += connection.execute(select(PICTURES).where(PICTURES.c.id.in_(chunk)))
            found = {picture.id: picture for picture in self._pictures(connection, rows)}
        return [found[identity] for identity in wanted if identity in found]

    def with_bytes(self, data: bytes) -> Picture | None:
        """The picture whose file holds exactly these bytes, also from the trash."""
        same = PICTURES.c.file_sha256 == hashlib.sha256(data).hexdigest()
        with self.database.read() as connection:
            rows = connection.execute(select(PICTURES).where(same).limit(1)).all()
            found = self._pictures(connection, rows)
        return found[0] if found else None

    def resolve(self, text_: str) -> str:
        """The id that begins or ends with ``text_``, as a person shortens it.

        Raises: RequestError: code "no_such_picture": none or several.
        """
        text_ = text_.strip().lower()
        if is_id(text_):
            return text_
        if len(text_) < 4 or not text_.isalnum():
            raise unknown_picture(text_)
        close = PICTURES.c.id.like(f"{text_}%") | PICTURES.c.id.like(f"%{text_}")
        with self.database.read() as connection:
            found = connection.execute(select(PICTURES.c.id).where(close).limit(2)).scalars().all()
        if len(found) != 1:
            raise unknown_picture(text_, several=bool(found))
        return str(found[0])

    def query(
        self, query: Query | None = None, *, limit: int = 50, cursor: str | None = None
    ) -> Page:
        """Pictures that match, newest first.

        Args:
            query: which; None is everything outside the trash.
            limit: 1 to 500 pictures a page.
            cursor: ``Page.next_cursor`` of the page before.

        Raises: RequestError: a limit or cursor that cannot be.
        """
        if not 1 <= limit <= MAX_PAGE:
            raise RequestError(
                f"The page's length is {limit}.", hint=f"Give a number from 1 to {MAX_PAGE}."
            )
        wanted = select(PICTURES).where(*conditions_of(query or Query(), self.text))
        if cursor is not None:
            wanted = wanted.where(PICTURES.c.id < check_cursor(cursor))
        wanted = wanted.order_by(PICTURES.c.id.desc()).limit(limit + 1)
        with self.database.read() as connection:
            rows = connection.execute(wanted).all()
            pictures = self._pictures(connection, rows[:limit])
        more = len(rows) > limit
        return Page(
            pictures=tuple(pictures), next_cursor=pictures[-1].id if more and pictures else None
        )

    def walk(self, query: Query | None = None) -> Iterator[Picture]:
        """Every picture that matches, newest first, a page in memory at a time."""
        cursor: str | None = None
        while True:
            page = self.query(query, limit=MAX_PAGE, cursor=cursor)
            yield from page.pictures
            cursor = page.next_cursor
            if cursor is None:
                return

    def count(self, query: Query | None = None) -> int:
        """How many pictures match."""
        wanted = select(func.count()).select_from(PICTURES)
        with self.database.read() as connection:
            found = wanted.where(*conditions_of(query or Query(), self.text))
            return int(connection.execute(found).scalar_one())

    def labels(self, kind: str) -> dict[str, int]:
        """Every tag, collection, colour or defect outside the trash, with its count, by name.

        Raises: RequestError: no such kind of label.
        """
        if kind not in LABEL_KINDS:
            raise RequestError(
                f"There are no labels called {kind!r}.",
                hint=f"Choose one of: {', '.join(LABEL_KINDS)}.",
            )
        counted = (
            select(LABELS.c.value, func.count())
            .join(PICTURES, PICTURES.c.number == LABELS.c.picture)
            .where(LABELS.c.kind == kind, PICTURES.c.trashed_at.is_(None))
            .group_by(LABELS.c.value)
            .order_by(LABELS.c.value)
        )
        with self.database.read() as connection:
            return {row[0]: row[1] for row in connection.execute(counted)}

    def models(self) -> dict[str, int]:
        """Every model that drew a picture outside the trash, with its count."""
        counted = (
            select(PICTURES.c.model, func.count())
            .where(PICTURES.c.model.is_not(None), PICTURES.c.trashed_at.is_(None))
            .group_by(PICTURES.c.model)
            .order_by(PICTURES.c.model)
        )
        with self.database.read() as connection:
            return {row[0]: row[1] for row in connection.execute(counted)}

    def thumbnail(self, identity: str) -> Path:
        """The path of a WebP of at most 320×320 pixels, made when it is first asked for.

        Raises: RequestError: no such picture; StorageError: its file is gone or damaged.
        """
        if is_id(identity):
            cached = self.folder.thumbnail(identity)
            if cached.exists():
                return cached
        return make_thumbnail(self.folder, self.get(identity))

    def _pictures(self, connection: Connection, rows: Sequence[Row[Any]]) -> list[Picture]:
        labels: dict[int, dict[str, list[str]]] = {}
        for chunk in chunks([row.number for row in rows]):
            wanted = select(LABELS).where(LABELS.c.picture.in_(chunk)).order_by(LABELS.c.rank)
            for label in connection.execute(wanted):
                kinds = labels.setdefault(label.picture, {})
                kinds.setdefault(label.kind, []).append(label.value)
        return [picture_of(row, labels.get(row.number, {}), self.folder) for row in rows]

    def summary(self) -> dict[str, Any]:
        """Counts and sizes, for the health page and ``gallery path``."""
        with self.database.read() as connection:
            size = connection.execute(select(func.sum(PICTURES.c.size_bytes))).scalar_one()
        return {
            "folder": str(self.folder.root),
            "database": self.database.name,
            "pictures": self.count(),
            "trashed": self.count(Query(trashed=True)),
            "bytes": int(size or 0),
            "free_bytes": self.folder.free_bytes(),
        }


def chunks(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Values in lots that one statement can hold."""
    for start in range(0, len(values), _CHUNK):
        yield values[start : start + _CHUNK]


def unknown_picture(identity: str, *, several: bool = False) -> RequestError:
    """The error of an id that no picture, or more than one, has."""
    shown = json.dumps(identity[:40])
    what = "Several pictures are" if several else "No picture is"
    return RequestError(
        f"{what} called {shown}.",
        hint="Give more of the id; sfumato gallery list shows them.",
        code="no_such_picture",
    )
