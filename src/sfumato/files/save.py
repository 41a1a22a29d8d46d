"""Saving: which file, which format, and writing it so that it is whole or not there at all.

A save encodes first and writes then (``sfumato.atomic`` has the steps): a crash at any point leaves
older files untouched and no half picture under a picture's name.
"""

from __future__ import annotations

import errno
import os
import re
import unicodedata
from dataclasses import replace
from pathlib import Path
from typing import Any

from sfumato import atomic
from sfumato.errors import RequestError, StorageError
from sfumato.files.writers import WriteOptions
from sfumato.registry import WRITERS, Entry
from sfumato.request import GeneratedImage, GenerationPlan

_SLUG_LENGTH = 60
_DEFAULT_FORMAT = "png"


def save_image(
    image: GeneratedImage,
    path: str | os.PathLike[str],
    *,
    options: WriteOptions | None = None,
    **changes: Any,
) -> Path:
    """Write a picture and return the file's path.

    Args:
        image: the picture.
        path: a folder (it exists, or the path ends with a separator: then it is made), where the
            file is called ``<prompt>-<seed>.<extension>``, a variation
            ``<prompt>-<seed>-v<its seed>.<extension>``; or a file, whose suffix decides the
            format and is added when missing. An existing file is kept: a number is added to the
            new one's name.
        options: how to write; ``changes`` are fields of ``WriteOptions`` that replace it.

    Raises:
        RequestError: an unknown format or option, or a suffix that contradicts the format.
        StorageError: the file could not be written; nothing is left of it.
    """
    try:
        chosen = replace(options or WriteOptions(), **changes)
    except TypeError as error:
        unknown = str(error).replace("WriteOptions.__init__() ", "")
        raise RequestError(f"The picture cannot be saved so: {unknown}.") from None
    asked = os.fspath(path)
    if "\x00" in asked:
        raise RequestError("The path contains a NUL character.", hint="Remove it.")

    if asked.endswith(tuple(filter(None, (os.sep, os.altsep)))) or _is_folder(Path(asked)):
        entry = _format(chosen.format or _DEFAULT_FORMAT)
        stem = file_stem(image.plan.prompt, image.seed, image.plan)
        target = Path(asked, f"{stem}.{_extension(entry)}")
        data = _encode(image, entry, chosen)
        _make_folder(target.parent)
        return write_new(data, target)

    target = Path(asked)
    entry = _format_of(target, chosen)
    if not target.suffix:
        target = target.with_name(f"{target.name}.{_extension(entry)}")
    if not _is_folder(target.parent):
        raise StorageError(
            f"The folder {target.parent} does not exist.",
            hint="Create it first, or give a path that ends with a slash to have it made.",
        )
    return write_new(_encode(image, entry, chosen), target)


def encode_image(
    image: GeneratedImage, format: str = "png", options: WriteOptions | None = None
) -> bytes:
    """The bytes of the file that ``save_image`` would write in ``format``.

    Raises: RequestError: no such format, or one this picture cannot be written in.
    """
    return _encode(image, _format(format), options or WriteOptions())


def slug(prompt: str) -> str:
    """A file name from words: ASCII, lower case, dashes, at most 60 characters, never empty.

    It is always followed by a dash and a seed or an id, so it cannot become a name that Windows
    keeps for devices (``con``, ``nul``, ``com1``).
    """
    plain = unicodedata.normalize("NFKD", prompt).encode("ascii", "ignore").decode().lower()
    words = re.sub("[^a-z0-9]+", "-", plain).strip("-")
    if len(words) > _SLUG_LENGTH:
        cut = words[: _SLUG_LENGTH + 1]  # end with a whole word when there is one
        words = (cut.rpartition("-")[0] or cut[:_SLUG_LENGTH]).strip("-")
    return words or "picture"


def file_stem(words: str, seed: int | None, plan: GenerationPlan | None) -> str:
    """What every file of a picture is called, before its suffix: ``<words>-<seed>``.

    ``plan`` is the picture's own: a variation has ``-v<its seed>`` behind. A picture from elsewhere
    may lack both.
    """
    variation = () if plan is None else plan.variation_seeds[:1]
    parts = [slug(words), *([] if seed is None else [str(seed)]), *(f"v{v}" for v in variation)]
    return "-".join(parts)


# ---------------------------------------------------------------- which format


def _format(name: str) -> Entry:
    """The format called ``name``, which may also be its extension (``jpg``)."""
    wanted = name.lower().removeprefix(".")
    for entry in WRITERS:
        if wanted in (entry.name, _extension(entry)):
            return entry
    return WRITERS.get(name)  # raises, naming the formats


def _format_of(target: Path, options: WriteOptions) -> Entry:
    """The format that the suffix and the options agree on."""
    if not target.suffix:
        return _format(options.format or _DEFAULT_FORMAT)
    try:
        by_suffix = _format(target.suffix)
    except RequestError as error:
        raise RequestError(
            f"No file format has the suffix {target.suffix!r}.", hint=error.hint
        ) from None
    if options.format is not None and _format(options.format) is not by_suffix:
        raise RequestError(
            f"The file's suffix says {by_suffix.name}, the format asked for is {options.format}.",
            hint="Change one of the two.",
        )
    return by_suffix


def _extension(entry: Entry) -> str:
    return str(entry.details.get("extension", entry.name))


def _encode(image: GeneratedImage, entry: Entry, options: WriteOptions) -> bytes:
    encoded: bytes = entry.resolve()(image, options)
    return encoded


# ---------------------------------------------------------------- whole or not at all


def write_new(data: bytes, target: Path) -> Path:
    """Write ``data`` under ``target``, or under the next free number, and return the path.

    Raises: StorageError: it could not be written; nothing is left of it.
    """
    try:
        return atomic.write_new(target, data)
    except OSError as error:
        raise _storage_error(target, error) from error


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a name too long, a parent that may not be entered: said when writing
        return False


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"The folder {folder} cannot be made: {error.strerror or error}.",
            hint="Choose another folder.",
        ) from error


def _storage_error(target: Path, error: OSError) -> StorageError:
    hint = "Choose another place."
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        hint = "Free some space or choose another disk."
    elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        hint = "Choose a folder that you may write to."
    elif error.errno == errno.ENAMETOOLONG:
        hint = "Choose a shorter name."
    return StorageError(f"{target} could not be written: {error.strerror or error}.", hint=hint)
