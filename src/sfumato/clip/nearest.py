"""The nearest vectors of an index, exactly.

sqlite-vec compares them inside the database, three times as fast as fetching them; where Python
was built without SQLite's extensions (macOS' own, some built from source), NumPy does. Either
works in single precision and finds candidates; those that could belong to the answer are scored in
double precision, so that the answer is that of an exhaustive search, whichever found them.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

__all__ = ["DECIMALS", "load_extension", "nearest"]

DECIMALS = 9  # cosines that agree so far are equal
_COARSE_ERROR = 1e-5  # of a cosine in single precision, with room to spare


def nearest(
    database: sqlite3.Connection,
    query: NDArray[np.float32],
    limit: int,
    *,
    span: tuple[bytes, bytes],
    without: Collection[bytes] = (),
) -> list[tuple[bytes, float]]:
    """(path, cosine) of the ``limit`` nearest files, best first; equal ones by path.

    Args:
        database: an index.
        query: (D,) unit float32.
        limit: how many at most.
        span: only paths between these two.
        without: paths that are left out.

    Raises: sqlite3.DatabaseError: the database is damaged.
    """
    ids, scores = _coarse(database, np.ascontiguousarray(query, "<f4"))
    order = np.argsort(-scores, kind="stable")
    wanted = limit + len(without)
    while True:
        chosen = order
        if wanted < len(order):
            chosen = order[scores[order] >= scores[order[wanted - 1]] - _COARSE_ERROR]
        found = _fine(database, query, ids[chosen].tolist(), span)
        ranked = sorted((-score, path) for path, score in found if path not in without)
        # vectors of other folders are among the chosen, so there may be too few
        if len(ranked) >= limit or len(chosen) == len(order):
            return [(path, -score) for score, path in ranked[:limit]]
        wanted *= 4


def load_extension(database: sqlite3.Connection) -> bool:
    """Teach the connection to compare vectors; False where this Python cannot."""
    try:
        import sqlite_vec

        database.enable_load_extension(True)
        sqlite_vec.load(database)
        database.enable_load_extension(False)
    except (ImportError, AttributeError, sqlite3.OperationalError):
        return False
    return True


def _coarse(
    database: sqlite3.Connection, query: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """(N,) ids and (N,) cosines of every vector, in single precision."""
    if load_extension(database):
        rows = database.execute(
            "SELECT id, 1 - vec_distance_cosine(vector, ?) FROM vectors", (query.tobytes(),)
        ).fetchall()
        table = np.array(rows, np.float64).reshape(-1, 2)
        ids, scores = table[:, 0].astype(np.int64), table[:, 1].astype(np.float32)
    else:
        rows = database.execute("SELECT id, vector FROM vectors").fetchall()
        ids = np.array([row[0] for row in rows], np.int64)
        if not all(isinstance(row[1], bytes) and len(row[1]) == query.nbytes for row in rows):
            raise sqlite3.DatabaseError("a vector has another length")
        joined = b"".join(row[1] for row in rows)
        with np.errstate(all="ignore"):  # a damaged vector holds any number: found out below
            scores = np.frombuffer(joined, "<f4").reshape(len(rows), len(query)) @ query
    if not np.isfinite(scores).all():
        raise sqlite3.DatabaseError("a vector is not finite")
    return ids, scores


def _fine(
    database: sqlite3.Connection,
    query: NDArray[np.float32],
    ids: list[int],
    span: tuple[bytes, bytes],
) -> list[tuple[bytes, float]]:
    """(path, cosine) of the files inside ``span`` that have these vectors."""
    rows = database.execute(
        "SELECT path, vector FROM vectors JOIN files USING (content) "
        "WHERE id IN (SELECT value FROM json_each(?)) AND path > ? AND path < ? "
        "AND trouble IS NULL",
        (json.dumps(ids), *span),
    ).fetchall()
    if not all(isinstance(path, bytes) and len(vector) == query.nbytes for path, vector in rows):
        raise sqlite3.DatabaseError("a row makes no sense")
    matrix = np.frombuffer(b"".join(row[1] for row in rows), "<f4").reshape(-1, len(query))
    scores = matrix.astype(np.float64) @ query.astype(np.float64)
    return list(zip((row[0] for row in rows), scores.round(DECIMALS).tolist(), strict=True))
