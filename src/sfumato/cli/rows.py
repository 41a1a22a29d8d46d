"""Read a batch: a text file with a prompt a line, or a CSV or JSONL file with a row a picture.

A file that cannot be understood as a whole (its encoding, its columns) is refused; a row that
cannot is kept with its error, so that the other rows are still drawn.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from sfumato.cli.params import COLUMNS
from sfumato.errors import RequestError, SfumatoError, StorageError

_ALIASES = {"n": "num_images", "negative_prompt": "negative", "o": "output"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of a batch: where it stands, its cells as typed values, or what is wrong with it."""

    line: int  # 1-based, in the file
    cells: dict[str, Any] = field(default_factory=dict)
    error: SfumatoError | None = None


def prompt_lines(text: str) -> list[tuple[int, str]]:
    """(line number, prompt) of every line that is neither blank nor a # comment."""
    lines = ((number, line.strip()) for number, line in enumerate(text.split("\n"), start=1))
    return [(number, line) for number, line in lines if line and not line.startswith("#")]


def read_rows(path: Path) -> list[Row]:
    """The rows of ``path``, read by its extension: .csv, .jsonl, anything else a prompt a line.

    Raises:
        StorageError: the file cannot be read or is not UTF-8.
        RequestError: a column is unknown, or there is nothing to draw.
    """
    text = _read_text(path)
    kind = path.suffix.lower()
    if kind == ".csv":
        rows = list(_csv_rows(path.name, text))
    elif kind in (".jsonl", ".ndjson"):
        rows = list(_json_rows(text))
    else:
        rows = [Row(line=number, cells={"prompt": line}) for number, line in prompt_lines(text)]
    if not rows:
        raise RequestError(f"{path} has nothing to draw.", hint="Put one prompt on each line.")
    return rows


def _read_text(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise StorageError(
            f"{path} is not UTF-8 text (byte {error.start}).", hint="Save it as UTF-8."
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise StorageError(
            f"{path} cannot be read ({reason}).", hint="Check the name after --from."
        ) from None


def _csv_rows(name: str, text: str) -> Iterator[Row]:
    # a file's own line ends: str.splitlines would split at U+2028 and \x0b inside a cell too
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        header = [_column(cell) for cell in next(reader, [])]
        for column in header:
            if column not in COLUMNS:
                raise _unknown("column", name, column)
        if "prompt" not in header:
            raise RequestError(f"{name} has no column 'prompt'.", hint="Its first line names them.")
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) > len(header):
                error = RequestError(
                    f"The row has {len(cells)} cells, the first line names {len(header)}.",
                    hint='Put text that holds a comma between "quotes".',
                )
                yield Row(line=reader.line_num, error=error)
                continue
            yield _typed_row(reader.line_num, dict(zip(header, cells, strict=False)))
    except csv.Error as error:
        raise RequestError(f"{name} line {reader.line_num} is not CSV: {error}.") from None


def _json_rows(text: str) -> Iterator[Row]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield Row(line=number, error=RequestError(f"The line is not JSON: {error}."))
            continue
        if not isinstance(value, dict):
            yield Row(line=number, error=RequestError("The line is not a JSON object."))
            continue
        cells = {_column(key): cell for key, cell in value.items()}
        unknown = next((column for column in cells if column not in COLUMNS), None)
        if unknown is not None:
            yield Row(line=number, error=_unknown("key", "The line", unknown))
            continue
        yield _typed_row(number, cells)


def _typed_row(line: int, cells: dict[str, Any]) -> Row:
    """Read each cell as the option of its name reads its value; empty cells are not given."""
    typed: dict[str, Any] = {}
    for column, cell in cells.items():
        if cell is None or cell == "":
            continue
        try:
            typed[column] = _typed(column, cell)
        except click.BadParameter as error:
            message = f"{column}: {error.message}"
            return Row(line=line, cells=typed, error=RequestError(message))
        except SfumatoError as error:
            return Row(line=line, cells=typed, error=error)
    return Row(line=line, cells=typed)


def _typed(column: str, cell: Any) -> Any:
    kind = COLUMNS[column]
    if isinstance(cell, (list, dict)) or (kind is click.STRING and not isinstance(cell, str)):
        raise RequestError(f"{column} is {json.dumps(cell)[:40]}.", hint="Write it as text.")
    value = kind.convert(str(cell), None, None)
    if column == "output" and (Path(value).name != value or "\\" in value):
        raise RequestError(
            f"output is {value!r}.", hint="Name a file without a folder; -o names the folder."
        )
    return value


def _column(name: object) -> str:
    plain = str(name).strip().lower().replace("-", "_")
    return _ALIASES.get(plain, plain)


def _unknown(kind: str, where: str, column: str) -> RequestError:
    return RequestError(
        f"{where} has a {kind} {column!r} that sfumato does not know.",
        hint=f"Known: {', '.join(COLUMNS)}.",
    )
