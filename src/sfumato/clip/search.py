"""Find pictures in a folder: by words, or by a picture they should look like."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sfumato import clip
from sfumato.clip.base import PictureTextModel
from sfumato.clip.index import Hit, Index, UpdateReport, default_index_path, picture_vector
from sfumato.clip.labels import embed_labels
from sfumato.errors import RequestError, StorageError

__all__ = ["SearchResult", "search"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    """What was found, best first, and what was done to find it."""

    hits: tuple[Hit, ...]
    report: UpdateReport  # what changed in the folder since the last search, and what was skipped
    remark: str = ""  # for people: why every picture was read anew, where that is so

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.hits)

    def __len__(self) -> int:
        return len(self.hits)


def search(
    query: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    limit: int = 20,
    model: str | None = None,
    index: str | os.PathLike[str] | None = None,
    on_progress: Callable[[int, int], object] | None = None,
) -> SearchResult:
    """The pictures below ``folder`` that fit ``query`` best.

    The first search looks at every picture; later ones only at those that are new or changed.

    Args:
        query: words; or a ``Path``: a picture that the found ones should look like. The picture
            itself is not among them.
        folder: where to look, the folders inside included.
        limit: how many at most.
        model: a picture-text model by name, or a checkpoint by its path; the built-in one if not
            given.
        index: the file that keeps what was seen; if not given, one in the user's cache.
        on_progress: is told (done, total) of the pictures that had to be looked at.

    Raises:
        RequestError: the query is empty or the limit below 1.
        StorageError: the folder holds no picture, or it, the index or the query's picture cannot
            be read.
        ModelError: there is no such model.
    """
    if isinstance(query, str) and not query.strip():
        raise RequestError("There is nothing to search for.", hint='Try: "a red fox".')
    if limit < 1:
        raise RequestError(f"The limit is {limit}.", hint="Ask for at least one picture.")
    loaded = clip.load(model)
    words = isinstance(query, str)
    # words are read beside the walk through the folder, which takes as long
    with ThreadPoolExecutor(1) as beside:
        vector = beside.submit(_vector_of, query, loaded)
        if not words:
            vector.result()  # of a picture that cannot be read people hear before a long walk
        with Index.open(index or default_index_path(folder), loaded) as opened:
            report = opened.update(folder, on_progress)
            if report.added + report.kept + report.moved == 0:
                raise _nothing_there(Path(folder), report)
            hidden = [] if words else [query]
            remark = opened.remark
            hits = opened.search(vector.result(), limit, folder=folder, without=hidden)
            if opened.remark != remark:  # damage in the vectors shows only now, and emptied it
                report = opened.update(folder, on_progress)
                hits = opened.search(vector.result(), limit, folder=folder, without=hidden)
            return SearchResult(hits=tuple(hits), report=report, remark=opened.remark)


def _vector_of(query: str | os.PathLike[str], model: PictureTextModel) -> NDArray[np.float32]:
    """(D,) unit: of words in several phrasings, or of a picture."""
    if isinstance(query, str):
        vector: NDArray[np.float32] = embed_labels([query], model)[0]
        return vector
    return picture_vector(query, model)


def _nothing_there(folder: Path, report: UpdateReport) -> StorageError:
    if not report.skipped:
        return StorageError(
            f"There is no picture in {folder}.",
            hint="It looks for png, jpeg, webp, gif, bmp, tiff, ico and svg files.",
        )
    path, reason = report.skipped[0]
    count = len(report.skipped)
    return StorageError(f"None of the {count} pictures in {folder} can be read; {path}: {reason}")
