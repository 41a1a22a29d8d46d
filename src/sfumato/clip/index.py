"""A folder's pictures as vectors in one file, kept up to date, searched exactly.

A picture is known by its content, so one that was moved or copied keeps its vector; a file whose
size and time are those of its row is not even opened. Several processes may work on one index.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from sfumato.clip.base import PictureTextModel
from sfumato.clip.index_file import IndexFile, own_folder
from sfumato.clip.nearest import nearest
from sfumato.errors import SfumatoError, StorageError
from sfumato.folders import scan_pictures

__all__ = ["Hit", "Index", "UpdateReport", "default_index_path", "picture_vector"]

Progress = Callable[[int, int], object]
# path, size, mtime_ns, content, trouble: plain, since there are a hundred thousand of them
_Row = tuple[bytes, int, int, bytes, str | None]
_CONTENT = 3

_BATCH = 32  # pictures: one call of the encoder, and one transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A picture that was found."""

    path: Path
    score: float  # cosine, -1 to 1


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateReport:
    """What an update found, in files."""

    added: int  # new, or changed
    kept: int
    moved: int  # under a new name, the old one gone
    removed: int
    skipped: tuple[tuple[Path, str], ...] = ()  # not read, and why: message and hint on one line


def default_index_path(folder: str | os.PathLike[str]) -> Path:
    """Where the index of a folder lies: ``$XDG_CACHE_HOME/sfumato/indexes/<hash>.sqlite``.

    Not in the folder itself, which may be a camera's card or somebody else's.
    """
    name = hashlib.sha256(os.fsencode(Path(folder).resolve())).hexdigest()[:24]
    return own_folder() / f"{name}.sqlite"


def picture_vector(path: str | os.PathLike[str], model: PictureTextModel) -> NDArray[np.float32]:
    """(D,) unit float32 of a picture file, exactly as an index would keep it.

    Raises: RequestError, StorageError: as ``sfumato.pictures.read_picture``.
    """
    from sfumato.pictures import read_many

    ((_, pixels),) = read_many([path], longest=_longest(model), workers=1)
    if isinstance(pixels, SfumatoError):
        raise pixels
    vector: NDArray[np.float32] = model.encode_pictures([pixels])[0]
    return vector


class Index:
    """The vectors of one model for the pictures of any number of folders. Use it as a context."""

    def __init__(self, file: IndexFile, model: PictureTextModel) -> None:
        """Use ``Index.open``."""
        self._file = file
        self._model = model

    @classmethod
    def open(cls, path: str | os.PathLike[str], model: PictureTextModel) -> Index:
        """Open an index for ``model``, or begin one.

        One of another model or version is begun anew, a damaged one is set aside; ``remark``
        then says so.

        Raises: StorageError: the file is something else, or cannot be written.
        """
        return cls(IndexFile(Path(path), model.spec), model)

    def __enter__(self) -> Index:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    @property
    def remark(self) -> str:
        """For people: why every picture is read anew, where that is so."""
        return self._file.remark

    def update(
        self, folder: str | os.PathLike[str], on_progress: Progress | None = None
    ) -> UpdateReport:
        """Bring the index up to date with the pictures below ``folder``.

        Args:
            folder: what is known of other folders stays.
            on_progress: is told (done, total) of the files that are new or changed. What was
                done before an interruption is kept.

        Raises: StorageError: the folder cannot be read, or the index not be written.
        """
        root = Path(folder).resolve()
        return self._file.attempt(lambda: self._update(root, on_progress))

    def search(
        self,
        vector: NDArray[np.float32],
        limit: int = 20,
        *,
        folder: str | os.PathLike[str] | None = None,
        without: Iterable[str | os.PathLike[str]] = (),
    ) -> list[Hit]:
        """The nearest pictures, best first; equal ones by path. The result is exact.

        Args:
            vector: (D,) unit float32.
            limit: how many at most.
            folder: only pictures below it.
            without: paths that are left out.

        Raises: StorageError: the index cannot be read.
        """
        if limit < 1:
            raise ValueError("limit must be at least 1")
        if vector.shape != (self._model.spec.dimensions,):
            raise ValueError(f"the vector has the shape {vector.shape}")
        span = _span(None if folder is None else Path(folder).resolve())
        hidden = {_key(path) for path in without}
        found = self._file.attempt(
            lambda: nearest(self._file.database, vector, limit, span=span, without=hidden)
        )
        return [Hit(path=Path(os.fsdecode(path)), score=score) for path, score in found]

    # ------------------------------------------------------------ up to date

    def _update(self, folder: Path, on_progress: Progress | None) -> UpdateReport:
        known = self._known(folder)
        survey = _survey(folder, known)
        gone = Counter(known[path][_CONTENT] for path in known.keys() - survey.seen)
        counts: Counter[str] = Counter(kept=survey.unchanged)
        skipped = list(survey.skipped)
        total = len(survey.changed)
        for done, file in enumerate(self._take_in(survey.changed), start=1):
            old = known.get(file.path)
            if file.trouble is not None:
                skipped.append((Path(os.fsdecode(file.path)), file.trouble))
            elif old is not None and old[_CONTENT] == file.content:
                counts["kept"] += 1  # touched, not changed
            elif old is None and gone[file.content] > 0:
                gone[file.content] -= 1
                counts["moved"] += 1
            else:
                counts["added"] += 1
            if on_progress is not None:
                on_progress(done, total)
        if total or gone:
            self._forget(known.keys() - survey.seen)
        return UpdateReport(
            added=counts["added"],
            kept=counts["kept"],
            moved=counts["moved"],
            removed=gone.total(),
            skipped=tuple(sorted(skipped)),
        )

    def _known(self, folder: Path) -> dict[bytes, _Row]:
        rows = self._file.database.execute(
            "SELECT path, size, mtime_ns, content, trouble FROM files WHERE path > ? AND path < ?",
            _span(folder),
        ).fetchall()
        if not all(type(row[0]) is type(row[3]) is bytes for row in rows):
            raise sqlite3.DatabaseError("a row makes no sense")
        return {row[0]: row for row in rows}

    def _take_in(self, changed: Sequence[_File]) -> Iterator[_File]:
        """Store each file, a batch at a time, and give it with its content or its trouble."""
        if not changed:
            return
        from sfumato.pictures import read_many  # only now: loading the image library takes time

        have = {row[0] for row in self._file.database.execute("SELECT content FROM vectors")}
        files = {file.path: file for file in changed}
        settled: list[_File] = []  # nothing more to find out, not yet stored
        decoded: list[tuple[_File, NDArray[np.uint8]]] = []

        def unknown() -> Iterator[Path]:
            for file in changed:
                try:
                    file.content = _content_of(Path(os.fsdecode(file.path)))
                except OSError as error:
                    file.trouble = f"It cannot be read: {error.strerror}."
                if file.trouble is not None or file.content in have:
                    settled.append(file)
                else:
                    yield Path(os.fsdecode(file.path))

        def store() -> list[_File]:
            vectors = self._embed([pixels for _, pixels in decoded])
            stored = [*settled, *(file for file, _ in decoded)]
            with self._file.writing() as database:
                database.executemany(
                    "INSERT OR IGNORE INTO vectors (content, vector) VALUES (?, ?)",
                    [(file.content, v) for (file, _), v in zip(decoded, vectors, strict=True)],
                )
                database.executemany(
                    "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?)",
                    [
                        (file.path, file.size, file.mtime_ns, file.content, file.trouble)
                        for file in stored
                        if file.content  # one that could not be read is tried again next time
                    ],
                )
                database.executemany(
                    "DELETE FROM files WHERE path = ?",
                    [(file.path,) for file in stored if not file.content],
                )
            have.update(file.content for file, _ in decoded)
            settled.clear()
            decoded.clear()
            return stored

        for path, result in read_many(unknown(), longest=_longest(self._model)):
            file = files[os.fsencode(path)]
            if isinstance(result, SfumatoError):
                file.trouble = _without_path(result, path)
                settled.append(file)
            else:
                decoded.append((file, result))
            if len(decoded) >= _BATCH:
                yield from store()
        if settled or decoded:
            yield from store()

    def _embed(self, pictures: Sequence[NDArray[np.uint8]]) -> list[bytes]:
        if not pictures:
            return []
        vectors = self._model.encode_pictures(pictures)  # (N, D)
        return [np.ascontiguousarray(row, "<f4").tobytes() for row in vectors]

    def _forget(self, gone: Iterable[bytes]) -> None:
        with self._file.writing() as database:
            database.executemany("DELETE FROM files WHERE path = ?", [(path,) for path in gone])
            database.execute("DELETE FROM vectors WHERE content NOT IN (SELECT content FROM files)")


# ---------------------------------------------------------------- the folder


@dataclass(slots=True)
class _File:
    """A file that is new or changed; what is in it is found out on the way."""

    path: bytes
    size: int
    mtime_ns: int
    content: bytes = b""  # SHA-256
    trouble: str | None = None


@dataclass(slots=True)
class _Survey:
    """What lies below a folder, compared with what was known."""

    seen: set[bytes] = field(default_factory=set)
    changed: list[_File] = field(default_factory=list)
    unchanged: int = 0
    skipped: list[tuple[Path, str]] = field(default_factory=list)


def _survey(folder: Path, known: dict[bytes, _Row]) -> _Survey:
    """Look at every picture's size and time; open none.

    Raises: StorageError: the folder cannot be read.
    """
    survey = _Survey()

    def skip(path: Path, error: StorageError) -> None:
        survey.skipped.append((path, _without_path(error, path)))

    for entry in scan_pictures(folder, on_error=skip):
        try:
            status = entry.stat()
        except OSError as error:  # a link into nowhere, or deleted just now
            reason = error.strerror or str(error)
            survey.skipped.append((Path(entry.path), f"It cannot be read: {reason}."))
            continue
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
            survey.skipped.append((Path(entry.path), "It is not a file."))
            continue
        path = os.fsencode(entry.path)
        survey.seen.add(path)
        row = known.get(path)
        if row is None or row[1:3] != (status.st_size, status.st_mtime_ns):
            survey.changed.append(_File(path, status.st_size, status.st_mtime_ns))
        elif (trouble := row[4]) is not None:
            survey.skipped.append((Path(entry.path), trouble))
        else:
            survey.unchanged += 1
    return survey


def _longest(model: PictureTextModel) -> int:
    """Pixels a picture is decoded with: the encoder scales it down once more, to its own size."""
    return 2 * model.spec.picture_size


def _span(folder: Path | None) -> tuple[bytes, bytes]:
    """Between which paths everything below a folder lies."""
    if folder is None:
        return b"", b"\xff" * 8
    separator = os.fsencode(os.sep)
    inside = os.fsencode(folder).removesuffix(separator) + separator  # the root has one
    return inside, inside[:-1] + bytes([inside[-1] + 1])


def _key(path: str | os.PathLike[str]) -> bytes:
    """A file's path as the index has it: through a real folder, but under its own name."""
    file = Path(path)
    return os.fsencode(file.parent.resolve() / file.name)


def _content_of(path: Path) -> bytes:
    """SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            digest.update(part)
    return digest.digest()


def _without_path(error: SfumatoError, path: Path) -> str:
    """What is wrong with a file, for a list that names it already."""
    sentence = error.one_line().removeprefix(f"{path}: ")
    return sentence.replace(f"{path} ", "It ", 1) if sentence.startswith(f"{path} ") else sentence
