"""Full-text search: SQLite's FTS5 and PostgreSQL's tsvector behind one interface.

Words are folded here, not by the databases, so that both find the same: lower case, no accents,
every CJK character a word of its own. What is typed means: ``fox lo`` words that begin so, in any
order; ``"red fox"`` these words in a row; ``-blue`` without.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    String,
    and_,
    column,
    func,
    select,
    table,
    text,
    true,
)

from sfumato.gallery.tables import PICTURES

MAX_TERMS = 32  # of one search; more are beyond what anyone types

# one word: a run of letters and digits; or one character of a script without spaces
_WORD = re.compile(r"[぀-ヿ㐀-鿿豈-﫿가-힯]|[^\W_぀-ヿ㐀-鿿豈-﫿가-힯]+")
_TERM = re.compile(r'(-?)(?:"([^"]*)"?|(\S+))')


_FTS5 = table("pictures_text", column("rowid", Integer), column("words", String))
_TSVECTOR = table("pictures_text", column("picture", Integer), column("words", String))


@dataclass(frozen=True, slots=True)
class Term:
    """Words in a row. The last one may go on where the person had not finished typing it."""

    words: tuple[str, ...]
    excluded: bool
    whole: bool


def fold(typed: str) -> list[str]:
    """The words of a text as they are compared."""
    # what a sign stands for may be a capital again: the Unicode Standard, D146
    plain = unicodedata.normalize("NFKD", typed.casefold())
    plain = unicodedata.normalize("NFKD", plain.casefold())
    kept = "".join(c for c in plain if not unicodedata.combining(c))
    return _WORD.findall(unicodedata.normalize("NFC", kept))


def parse_search(typed: str) -> list[Term]:
    """What was typed into a search box; never fails."""
    terms = []
    for minus, phrase, word in _TERM.findall(typed)[:MAX_TERMS]:
        words = tuple(fold(phrase or word))
        if words:
            terms.append(Term(words, excluded=bool(minus), whole=bool(phrase)))
    return terms


class TextIndex(Protocol):
    """Words of pictures, by their number."""

    def put(self, connection: Connection, number: int, words: Sequence[str]) -> None:
        """Replace the words of a picture."""
        ...

    def drop(self, connection: Connection, numbers: Sequence[int]) -> None:
        """Forget pictures."""
        ...

    def matches(self, terms: Sequence[Term]) -> ColumnElement[bool]:
        """A condition on ``PICTURES``. ``terms`` is not empty."""
        ...


class SqliteText:
    """FTS5, whose row numbers are the pictures'."""

    def put(self, connection: Connection, number: int, words: Sequence[str]) -> None:
        """Replace the words of a picture."""
        connection.execute(
            text("INSERT OR REPLACE INTO pictures_text (rowid, words) VALUES (:number, :words)"),
            {"number": number, "words": " ".join(words)},
        )

    def drop(self, connection: Connection, numbers: Sequence[int]) -> None:
        """Forget pictures."""
        connection.execute(
            text("DELETE FROM pictures_text WHERE rowid = :number"),
            [{"number": number} for number in numbers],
        )

    def matches(self, terms: Sequence[Term]) -> ColumnElement[bool]:
        """Words are quoted, so nothing typed is ever an operator of FTS5."""
        wanted = [self._phrase(term) for term in terms if not term.excluded]
        unwanted = [self._phrase(term) for term in terms if term.excluded]
        found = self._holds(" ".join(wanted)) if wanted else true()
        return and_(found, ~self._holds(" OR ".join(unwanted))) if unwanted else found

    @staticmethod
    def _holds(match: str) -> ColumnElement[bool]:
        hit = _FTS5.c.words.op("MATCH", is_comparison=True)(match)
        return PICTURES.c.number.in_(select(_FTS5.c.rowid).where(hit))

    @staticmethod
    def _phrase(term: Term) -> str:
        return f'"{" ".join(term.words)}"{"" if term.whole else "*"}'


class PostgresText:
    """A tsvector of plain words and a GIN index."""

    def put(self, connection: Connection, number: int, words: Sequence[str]) -> None:
        """Replace the words of a picture. A tsvector counts 16,383 places; later words share."""
        connection.execute(
            text(
                "INSERT INTO pictures_text (picture, words) VALUES (:number, "
                "to_tsvector('simple', :words)) "
                "ON CONFLICT (picture) DO UPDATE SET words = EXCLUDED.words"
            ),
            {"number": number, "words": " ".join(words)},
        )

    def drop(self, connection: Connection, numbers: Sequence[int]) -> None:
        """The foreign key does it."""

    def matches(self, terms: Sequence[Term]) -> ColumnElement[bool]:
        """Words are quoted, so nothing typed is ever an operator of tsquery."""
        query = " & ".join(("!" if term.excluded else "") + self._phrase(term) for term in terms)
        hit = _TSVECTOR.c.words.op("@@", is_comparison=True)(func.to_tsquery("simple", query))
        return PICTURES.c.number.in_(select(_TSVECTOR.c.picture).where(hit))

    @staticmethod
    def _phrase(term: Term) -> str:
        quoted = [f"'{word}'" for word in term.words]
        if not term.whole:
            quoted[-1] += ":*"
        return f"({' <-> '.join(quoted)})"


def index_for(*, is_sqlite: bool) -> TextIndex:
    """The text index of a database."""
    return SqliteText() if is_sqlite else PostgresText()
