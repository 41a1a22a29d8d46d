"""The manifest of a batch: one JSON line a picture, which makes the batch resumable.

The file is only ever appended to, after the picture is safely on disk, so a batch that was killed
at any moment continues where it stood. A row is recognised by the digest of what it asks for, not
by its line number: rows may be moved, and a changed row is a new one.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from sfumato.errors import StorageError

MANIFEST_NAME = "manifest.jsonl"
_BEGINNING = b'{"row": "'  # how every line begins


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One picture of a batch, as its manifest line says it."""

    row: str  # digest of what was asked
    line: int  # where it stood in the batch when it was drawn, 1-based
    prompt: str
    file: str  # name inside the folder
    seed: int
    sha256: str  # of the file's bytes
    pixel_sha256: str
    plan_sha256: str


class Manifest:
    """The records of one folder, read once and appended to as pictures are finished."""

    def __init__(self, folder: Path) -> None:
        """Raises: StorageError: a manifest.jsonl is there that is not ours or cannot be read."""
        self._folder = folder
        self.path = folder / MANIFEST_NAME
        self._records: dict[str, Record] = {}
        self._whole: int | None = None  # bytes to keep, where the last line is torn
        self._read()

    def find(self, row: str) -> Record | None:
        """The last record of the row that digests to ``row``."""
        return self._records.get(row)

    def is_done(self, row: str) -> bool:
        """Whether the row's picture is in the folder, byte for byte as it was saved."""
        record = self._records.get(row)
        return record is not None and digest_file(self._folder / record.file) == record.sha256

    def append(self, record: Record) -> None:
        """Add a record and make sure it reached the disk.

        Raises: StorageError: it could not be written.
        """
        line = json.dumps(asdict(record), ensure_ascii=False) + "\n"
        try:
            if self._whole is not None:
                os.truncate(self.path, self._whole)
            with self.path.open("a", encoding="utf-8", newline="\n") as file:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise StorageError(
                f"{self.path} cannot be written ({error.strerror}).",
                hint="The pictures drawn so far are kept; make room and run the batch again.",
            ) from None
        self._whole = None
        self._records[record.row] = record

    def _read(self) -> None:
        try:
            content = self.path.read_bytes()
            whole = content.rfind(b"\n") + 1
            text = content[:whole].decode("utf-8")
        except FileNotFoundError:
            return
        except (OSError, UnicodeDecodeError) as error:
            raise self._not_ours(f"cannot be read ({error})") from None
        rest = content[whole:]  # what a batch left that was killed while writing a line
        if rest and not (rest.startswith(_BEGINNING) or _BEGINNING.startswith(rest)):
            raise self._not_ours("is not a manifest of sfumato")
        self._whole = whole if rest else None
        for number, line in enumerate(text.split("\n")[:-1], start=1):
            try:
                record = Record(**json.loads(line))
            except (ValueError, TypeError):
                raise self._not_ours(f"line {number} is not a manifest's") from None
            self._records[record.row] = record

    def _not_ours(self, why: str) -> StorageError:
        return StorageError(
            f"{self.path} {why}.", hint="Move that file away, or choose another folder with -o."
        )


def digest_file(path: Path) -> str | None:
    """sha256 of a file's bytes, or None where there is no such file."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


def digest_text(text: str) -> str:
    """sha256 of a text in UTF-8."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
