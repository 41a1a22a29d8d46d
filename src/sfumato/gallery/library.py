"""The library: add, find, mark, trash. Safe to use from threads and from several processes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from sfumato.errors import RequestError, StorageError
from sfumato.gallery.database import Database
from sfumato.gallery.folder import Folder, default_folder
from sfumato.gallery.identity import new_id
from sfumato.gallery.picture import (
    MAX_RATING,
    Healed,
    Picture,
    Query,
    check_label,
)
from sfumato.gallery.reader import Reader, chunks, unknown_picture
from sfumato.gallery.records import (
    Record,
    encode,
    record_of_file,
    record_of_image,
    words_of,
)
from sfumato.gallery.tables import LABELS, PICTURES, SETTINGS, DatabaseTime
from sfumato.request import GeneratedImage

if TYPE_CHECKING:
    from typing_extensions import Self


class Library(Reader):
    """A folder of pictures and its database. Close it, or use it as a context."""

    healed: Healed | None = None  # what was mended when it was opened
    changes = 0  # how often a person changed something through this object: see ``backup.py``

    @classmethod
    def open(
        cls,
        location: str | Path | None = None,
        *,
        database: str | None = None,
        create: bool = True,
        check: bool = False,
    ) -> Library:
        """The library at ``location``: a folder, or a database's URL; None is the person's own.

        A database that is corrupt is set aside and rebuilt from the pictures' files. ``check``
        looks for damage in every page of it, as a server should when it starts.

        Args:
            location: the folder, else ``$SFUMATO_LIBRARY``, else the data directory.
            database: a ``postgresql+psycopg://`` URL; None keeps an SQLite file in the folder.
            create: make a missing library; False raises instead.

        Raises:
            StorageError: code "library_missing": no library there, or not the database's.
            MissingExtraError: PostgreSQL without the ``[postgres]`` extra.
        """
        if isinstance(location, str) and "://" in location:
            database, location = location, None
        root = default_folder() if location is None else Path(location).expanduser().absolute()
        folder = Folder.open(root, create=create)
        if not folder.lock(alone=False):
            raise StorageError(
                f"The library at {root} is being repaired by another program.",
                hint="Try again when it is done.",
                code="busy",
            )
        library = cls(folder, Database(database or folder.database))
        try:
            library._begin(check)
        except BaseException:
            library.close()
            raise
        return library

    def _begin(self, check: bool) -> None:
        from sfumato.gallery.heal import rebuild, recover

        lost = self.database.is_sqlite and not self.folder.database.exists()
        found = recover(self)
        mending = found is not None or (lost and next(self.folder.files(), None) is not None)
        try:
            self.database.migrate()
            damage = self.database.check() if check else []
        except StorageError as error:
            if error.code != "corrupt" or not self.database.is_sqlite:
                raise
            damage = [error.message]
        if damage:
            found = self.replace_database()
        self._recognise()
        if damage or mending:
            self.healed = rebuild(self, found or Healed())

    def replace_database(self) -> Healed:
        """Set the damaged database aside and begin with its newest sound copy, or an empty one.

        ``heal`` adds what is newer. Returns what was done so far.

        Raises: StorageError: other programs have the library open.
        """
        from sfumato.gallery.heal import replace

        found = replace(self)
        self.database.migrate()
        self._recognise()
        return found

    def _recognise(self) -> None:
        """Folder and database belong together: neither may stand in for a lost other one."""
        mine = {"name": "library", "value": self.folder.identity}
        known = select(SETTINGS.c.value).where(SETTINGS.c.name == "library")
        with self.database.read() as connection:
            found = connection.execute(known).scalar_one_or_none()
        if found is None:
            with self.database.write() as connection:
                self.database.one_at_a_time(connection)
                found = connection.execute(known).scalar_one_or_none()
                if found is None:
                    connection.execute(insert(SETTINGS), mine)
                    found = self.folder.identity
        if found != self.folder.identity:
            raise StorageError(
                f"The database {self.database.name} belongs to another folder than "
                f"{self.folder.root}.",
                hint="Is its disk mounted? No picture was deleted.",
                code="library_missing",
            )

    def close(self) -> None:
        """Close the database."""
        self.database.close()
        self.folder.unlock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # ------------------------------------------------------------ adding

    def add(
        self,
        image: GeneratedImage,
        *,
        tags: Sequence[str] = (),
        collections: Sequence[str] = (),
    ) -> Picture:
        """Keep a drawn picture: durable on disk and in the database when this returns.

        Raises: StorageError: it could not be stored; nothing of it is left.
        """
        record = self.prepare(image, new_id(), tags=tags, collections=collections)
        try:
            with self.database.write() as connection:
                self.insert(connection, record)
        except BaseException:
            self._discard(record)
            raise
        return self.get(record.id)

    def prepare(
        self,
        image: GeneratedImage,
        identity: str,
        *,
        tags: Sequence[str] = (),
        collections: Sequence[str] = (),
        job: tuple[str, int] | None = None,
    ) -> Record:
        """Write a picture's files durably; the library knows of it after ``insert``.

        The queue inserts in the transaction that advances the job, so that both happen or none.
        ``job`` is (id, index). Raises: StorageError.
        """
        data, svg = encode(image)
        record = record_of_image(
            identity,
            image,
            data,
            tags=tuple(check_label("tag", name) for name in tags),
            collections=tuple(check_label("collection", name) for name in collections),
            job=job,
        )
        if svg is not None:
            self.folder.write(self.folder.path_of(identity, "svg"), svg)
        self.folder.write(self.folder.path_of(identity, "png"), data)
        return record

    def insert(self, connection: Connection, record: Record) -> None:
        """Make a prepared picture known, in the caller's transaction."""
        added = insert(PICTURES).values(**record.row).returning(PICTURES.c.number)
        number = connection.execute(added).scalar_one()
        rows = [
            {"kind": kind, "value": value, "picture": number, "rank": rank}
            for kind, values in record.labels.items()
            for rank, value in enumerate(values)
        ]
        if rows:
            connection.execute(insert(LABELS), rows)
        self.text.put(connection, number, record.words())

    def import_file(
        self,
        path: str | Path,
        *,
        tags: Sequence[str] = (),
        collections: Sequence[str] = (),
    ) -> tuple[Picture, bool]:
        """Copy a picture file into the library with the recipe it carries; the file is kept.

        Reads recipes of AUTOMATIC1111, ComfyUI, InvokeAI and our own. Returns the picture and
        whether it is new: a file whose very bytes are here already is not copied twice.

        Raises: RequestError: not a picture the library keeps; StorageError: unreadable.
        """
        path = Path(path)
        try:
            made = path.stat().st_mtime
        except OSError as error:
            raise StorageError(f"{path} cannot be read: {error.strerror}.") from None
        record, data = record_of_file(
            new_id(made),
            path,
            original_name=path.name,
            tags=tuple(check_label("tag", name) for name in tags),
            collections=tuple(check_label("collection", name) for name in collections),
        )
        same = select(PICTURES.c.id).where(PICTURES.c.file_sha256 == record.row["file_sha256"])
        with self.database.read() as connection:
            known = connection.execute(same).scalars().first()
        if known is None:
            self.folder.write(self.folder.path_of(record.id, record.row["format"]), data)
            try:
                with self.database.write() as connection:
                    self.database.one_at_a_time(connection)
                    known = connection.execute(same).scalars().first()
                    if known is None:  # nobody imported the same file meanwhile
                        self.insert(connection, record)
            except BaseException:
                self._discard(record)
                raise
            if known is None:
                return self.get(record.id), True
            self._discard(record)
        return self.get(known), False

    def _discard(self, record: Record) -> None:
        """Take back the files of a picture that the database does not know."""
        self.folder.path_of(record.id, record.row["format"]).unlink(missing_ok=True)
        self.folder.path_of(record.id, "svg").unlink(missing_ok=True)

    # ------------------------------------------------------------ marking

    def mark(
        self,
        identities: Iterable[str],
        *,
        favourite: bool | None = None,
        rating: int | None = None,
        add_tags: Sequence[str] = (),
        remove_tags: Sequence[str] = (),
        add_to: Sequence[str] = (),
        remove_from: Sequence[str] = (),
    ) -> int:
        """Change what a person says about pictures, all of them or none; returns how many.

        Args:
            identities: the pictures' ids.
            favourite: set or clear the star; None leaves it.
            rating: 0 (none) to 5; None leaves it.
            add_tags, remove_tags: tags' names.
            add_to, remove_from: collections' names; one exists while it has pictures.

        Raises: RequestError: no such picture, or a value that cannot be.
        """
        if rating is not None and not 0 <= rating <= MAX_RATING:
            raise RequestError(
                f"The rating is {rating}.", hint=f"Give a number from 0 to {MAX_RATING}."
            )
        values: dict[str, Any] = {}
        if favourite is not None:
            values["favourite"] = favourite
        if rating is not None:
            values["rating"] = rating
        added = [("tag", name) for name in add_tags] + [("collection", name) for name in add_to]
        removed = [("tag", name) for name in remove_tags]
        removed += [("collection", name) for name in remove_from]
        added = [(kind, check_label(kind, name)) for kind, name in added]
        removed = [(kind, check_label(kind, name)) for kind, name in removed]
        with self.database.write() as connection:
            rows = self._rows(connection, identities)
            numbers = [row.number for row in rows]
            for chunk in chunks(numbers):
                if values:
                    connection.execute(
                        update(PICTURES).where(PICTURES.c.number.in_(chunk)).values(**values)
                    )
                for kind, name in (*added, *removed):  # an added one is replaced, never doubled
                    self._drop_label(connection, chunk, kind, name)
                if added:
                    connection.execute(
                        insert(LABELS),
                        [
                            {"kind": kind, "value": name, "picture": number, "rank": 0}
                            for number in chunk
                            for kind, name in dict.fromkeys(added)
                        ],
                    )
            if added or removed:
                self.index_words(connection, [row.id for row in rows])
        self.changes += 1
        return len(numbers)

    @staticmethod
    def _drop_label(connection: Connection, numbers: Sequence[int], kind: str, name: str) -> None:
        connection.execute(
            delete(LABELS).where(
                LABELS.c.kind == kind, LABELS.c.value == name, LABELS.c.picture.in_(numbers)
            )
        )

    def index_words(self, connection: Connection, identities: Iterable[str]) -> None:
        """Make full-text search agree with the pictures' labels, in the caller's transaction."""
        for row in self._rows(connection, identities):
            named = select(LABELS.c.value).where(
                LABELS.c.picture == row.number, LABELS.c.kind.in_(("tag", "collection"))
            )
            labels = connection.execute(named).scalars().all()
            self.text.put(connection, row.number, words_of(row._asdict(), labels))

    def _rows(self, connection: Connection, identities: Iterable[str]) -> list[Row[Any]]:
        """Rows of all these pictures, or an error."""
        wanted = list(dict.fromkeys(identities))
        rows: list[Row[Any]] = []
        for chunk in chunks(wanted):
            rows += connection.execute(
                select(PICTURES).where(PICTURES.c.id.in_(chunk)).order_by(PICTURES.c.number)
            )
        missing = set(wanted) - {row.id for row in rows}
        if missing:
            raise unknown_picture(min(missing))
        return rows

    # ------------------------------------------------------------ trash

    def trash(self, identities: Iterable[str]) -> int:
        """Move pictures to the trash, where ``restore`` finds them; returns how many moved."""
        return self._throw(identities, to_trash=True)

    def restore(self, identities: Iterable[str]) -> int:
        """Take pictures out of the trash; returns how many moved."""
        return self._throw(identities, to_trash=False)

    def _throw(self, identities: Iterable[str], *, to_trash: bool) -> int:
        self.folder.check()
        with self.database.write() as connection:
            rows = [
                row
                for row in self._rows(connection, identities)
                if (row.trashed_at is not None) is not to_trash
            ]
            for row in rows:
                for format_ in (row.format, "svg") if row.has_svg else (row.format,):
                    self.folder.move(row.id, format_, to_trash=to_trash)
            for chunk in chunks([row.number for row in rows]):
                at = DatabaseTime() if to_trash else None
                connection.execute(
                    update(PICTURES).where(PICTURES.c.number.in_(chunk)).values(trashed_at=at)
                )
        self.changes += 1
        return len(rows)

    def purge(self, identities: Iterable[str] | None = None) -> int:
        """Delete pictures in the trash for good, all of them by default; returns how many.

        Raises: RequestError: one of them is not in the trash.
        """
        self.folder.check()
        if identities is None:
            identities = [picture.id for picture in self.walk(Query(trashed=True))]
        with self.database.write() as connection:
            rows = self._rows(connection, identities)
            for row in rows:
                if row.trashed_at is None:
                    raise RequestError(
                        f"The picture {row.id} is not in the trash.",
                        hint="Only what was put in the trash can be deleted for good.",
                    )
            for chunk in chunks([row.number for row in rows]):
                self.text.drop(connection, chunk)
                connection.execute(delete(PICTURES).where(PICTURES.c.number.in_(chunk)))
            # before the commit: a crash here leaves rows without files, which heal reports,
            # rather than files without rows, which heal would bring back from the dead
            for row in rows:
                self.folder.remove(row.id, row.format)
        return len(rows)

    def purge_older(self, seconds: float) -> int:
        """Delete for good what was put in the trash so long ago; returns how many pictures."""
        old = select(PICTURES.c.id).where(PICTURES.c.trashed_at < DatabaseTime() - seconds)
        with self.database.read() as connection:
            identities = connection.execute(old).scalars().all()
        return self.purge(identities) if identities else 0

    # ------------------------------------------------------------ whole library

    def export(
        self,
        target: str | Path,
        query: Query | None = None,
        *,
        identities: Sequence[str] | None = None,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> Path:
        """Write pictures and a manifest to a zip file; see ``gallery.export``."""
        from sfumato.gallery.export import export

        return export(self, Path(target), query, identities, on_progress)

    def heal(self) -> Healed:
        """Check every file against the database and mend what can be; see ``gallery.heal``."""
        from sfumato.gallery.heal import heal

        return heal(self)
