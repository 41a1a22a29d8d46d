"""Search by what pictures show: vectors of a picture-text model, compared exactly.

A vector is kept per picture as 16-bit floats, whose rounding is far below what separates
pictures. Comparing a hundred thousand of them takes one pass over some hundred megabytes, so there
is no approximate index that would have to be kept in step.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from sqlalchemy import delete, insert, select

from sfumato import clip
from sfumato.errors import StorageError
from sfumato.gallery.conditions import conditions_of
from sfumato.gallery.picture import Picture, Query
from sfumato.gallery.tables import PICTURES, VECTORS
from sfumato.gallery.thumbnails import load_pixels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sfumato.clip import PictureTextModel
    from sfumato.gallery.library import Library

_BATCH = 32  # pictures encoded and stored at once: what a crash may cost
_ROWS = 4096  # vectors compared at once: bounds memory at any size of library
_STORED = np.dtype("<f2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A picture and how near it is: the cosine of the two vectors, -1 to 1."""

    picture: Picture
    score: float


_unreadable: dict[Path, int | None] = {}  # when they were last written to, as they were tried


def _state_of(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None


class PictureSearch:
    """Finds pictures of a library by words or by another picture."""

    def __init__(self, library: Library, model: str | None = None) -> None:
        """Loads the picture-text model; None is the default one.

        Raises: ModelError: it is not there; full-text search works without it.
        """
        self._library = library
        self._model: PictureTextModel = clip.load(model)

    def update(
        self,
        on_progress: Callable[[int, int], None] | None = None,
        stop: threading.Event | None = None,
    ) -> int:
        """Encode every picture that has no vector of this model yet; returns how many.

        Pictures that cannot be read are passed over. ``on_progress(done, total)``. Two at once
        do the same work twice, and no harm.
        """
        missing = self._missing()
        done = 0
        for start in range(0, len(missing), _BATCH):
            if stop is not None and stop.is_set():
                break
            done += self._encode(missing[start : start + _BATCH])
            if on_progress is not None:
                on_progress(min(start + _BATCH, len(missing)), len(missing))
        return done

    def by_text(self, words: str, *, query: Query | None = None, limit: int = 20) -> list[Match]:
        """The pictures that show most what the words say, best first, among those of ``query``."""
        return self._nearest(self._model.encode_texts([words])[0], query, limit)

    def by_pixels(
        self, pixels: NDArray[np.uint8], *, query: Query | None = None, limit: int = 20
    ) -> list[Match]:
        """The pictures most like (H, W, 4) uint8 pixels, best first."""
        return self._nearest(self._model.encode_pictures([pixels])[0], query, limit)

    def by_picture(
        self, identity: str, *, query: Query | None = None, limit: int = 20
    ) -> list[Match]:
        """The pictures most like one of the library, best first, without itself.

        Raises: RequestError: no such picture; StorageError: it was never looked at, and its file is
        gone.
        """
        picture = self._library.get(identity)
        wanted = self._known(identity)
        if wanted is None:  # it was not looked at yet
            pixels = load_pixels(self._library.folder, picture)
            wanted = self._model.encode_pictures([pixels])[0]
        found = self._nearest(wanted, query, limit + 1)
        return [match for match in found if match.picture.id != identity][:limit]

    # ------------------------------------------------------------ inside

    def _known(self, identity: str) -> NDArray[np.float32] | None:
        """The stored (D,) vector of a picture; None: there is none."""
        wanted = (
            select(VECTORS.c.vector)
            .join(PICTURES, VECTORS.c.picture == PICTURES.c.number)
            .where(PICTURES.c.id == identity, VECTORS.c.model_sha256 == self._model.spec.sha256)
        )
        with self._library.database.read() as connection:
            stored = connection.execute(wanted).scalar_one_or_none()
        return None if stored is None else np.frombuffer(stored, _STORED).astype(np.float32)

    def _missing(self) -> list[tuple[int, str]]:
        mine = select(VECTORS.c.picture).where(VECTORS.c.model_sha256 == self._model.spec.sha256)
        wanted = (
            select(PICTURES.c.number, PICTURES.c.id)
            .where(PICTURES.c.number.not_in(mine))
            .order_by(PICTURES.c.id.desc())
        )
        with self._library.database.read() as connection:
            return [(row.number, row.id) for row in connection.execute(wanted)]

    def _encode(self, batch: list[tuple[int, str]]) -> int:
        pictures = {picture.id: picture for picture in self._library.get_many(i for _, i in batch)}
        numbers, pixels = [], []
        for number, identity in batch:
            picture = pictures.get(identity)
            if picture is None:  # purged just now
                continue
            state = _state_of(picture.path)
            if _unreadable.get(picture.path) == state:
                continue
            try:
                pixels.append(load_pixels(self._library.folder, picture))
            except StorageError:  # gone or damaged: not tried again before it has changed
                _unreadable[picture.path] = state
                continue
            numbers.append(number)
        if not numbers:
            return 0
        vectors = self._model.encode_pictures(pixels).astype(_STORED)  # (N, D)
        with self._library.database.write() as connection:
            kept = set(
                connection.execute(
                    select(PICTURES.c.number).where(PICTURES.c.number.in_(numbers))
                ).scalars()
            )
            connection.execute(delete(VECTORS).where(VECTORS.c.picture.in_(numbers)))
            rows = [
                {
                    "picture": number,
                    "model_sha256": self._model.spec.sha256,
                    "vector": vector.tobytes(),
                }
                for number, vector in zip(numbers, vectors, strict=True)
                if number in kept
            ]
            if rows:
                connection.execute(insert(VECTORS), rows)
        return len(rows)

    def _nearest(self, wanted: NDArray[np.float32], query: Query | None, limit: int) -> list[Match]:
        chosen = conditions_of(query or Query(), self._library.text)
        statement = (
            select(PICTURES.c.id, VECTORS.c.vector)
            .join(VECTORS, VECTORS.c.picture == PICTURES.c.number)
            .where(VECTORS.c.model_sha256 == self._model.spec.sha256, *chosen)
        )
        ids: list[str] = []
        scores: list[NDArray[np.float32]] = []
        with self._library.database.read() as connection:
            streamed = connection.execution_options(yield_per=_ROWS).execute(statement)
            for rows in streamed.partitions():
                ids += [row.id for row in rows]
                stored = np.frombuffer(b"".join(row.vector for row in rows), _STORED)
                vectors = stored.reshape(len(rows), -1).astype(np.float32)  # (N, D)
                scores.append(vectors @ wanted)
        if not ids:
            return []
        every = np.concatenate(scores)  # (pictures,)
        best = np.argsort(-every, kind="stable")[:limit]
        score = {ids[index]: float(every[index]) for index in best}
        found = self._library.get_many(score)
        return [Match(picture=picture, score=round(score[picture.id], 4)) for picture in found]
