"""How commands that look at many pictures read them: in threads, bad files named and skipped."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sfumato.cli.main import say_error
from sfumato.errors import SfumatoError, StorageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BATCH = 16  # pictures handed to a network together
MOST_SAID = 20  # bad files named one by one; the rest are counted


def each_picture(
    files: Sequence[Path], *, longest: int | None = None
) -> Iterator[tuple[Path, NDArray[np.uint8] | None]]:
    """(path, (H, W, 4) uint8 pixels) of every file in order; None where it cannot be read.

    What is wrong with a bad file is one line on stderr. Folders stand for the pictures in them.
    """
    from sfumato.pictures import read_many

    bad = 0
    for path, found in read_many(expanded(files), longest=longest):
        if not isinstance(found, SfumatoError):
            yield path, found
            continue
        bad += 1
        if bad <= MOST_SAID:
            say_error(found.one_line())
        yield path, None
    if bad > MOST_SAID:
        say_error(f"{bad - MOST_SAID} more files could not be read.")


def in_batches(
    pictures: Iterator[tuple[Path, NDArray[np.uint8] | None]], size: int = BATCH
) -> Iterator[tuple[list[Path], list[NDArray[np.uint8]], int]]:
    """(paths, pixels, how many were skipped): for networks that look at several at once."""
    while group := list(islice(pictures, size)):
        good = [(path, pixels) for path, pixels in group if pixels is not None]
        yield [path for path, _ in good], [pixels for _, pixels in good], len(group) - len(good)


def print_object(value: dict[str, Any]) -> None:
    """One JSON object on one line of stdout: JSON Lines, one for each picture."""
    click.echo(json.dumps(value, ensure_ascii=False))


def leave(skipped: int) -> None:
    """End the command with the exit code that says files were skipped, where some were."""
    if skipped:
        click.get_current_context().exit(StorageError.exit_code)


def expanded(files: Sequence[Path]) -> Iterator[Path]:
    """Every file, with the pictures below it in place of each folder.

    A folder that holds none stays in its place: whoever reads it says so.
    """
    from sfumato.folders import find_pictures

    for path in files:
        try:
            inside = find_pictures(path) if path.is_dir() else iter(())
        except OSError:  # a name that is too long, say
            inside = iter(())
        yield next(inside, path)
        yield from inside
