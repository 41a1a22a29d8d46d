"""Pictures as one zip file, with a manifest that says everything the library knows of them.

    manifest.json           {"sfumato": version, "pictures": [{"file": ..., ...}, ...]}
    2026-11/fox-7-<id>.png  the files as they are, recipes inside; .svg beside those with paths

The file is written piece by piece, so its size does not matter, and under a temporary name, so it
is whole or not there.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from sfumato import __version__
from sfumato.atomic import claim, sync_file, sync_folder, temporary_beside
from sfumato.errors import RequestError, StorageError
from sfumato.gallery.folder import storage_errors
from sfumato.gallery.picture import Picture, Query

if TYPE_CHECKING:
    from sfumato.gallery.library import Library

_PAGE = 200  # pictures asked for at once


def export(
    library: Library,
    target: Path,
    query: Query | None = None,
    identities: Sequence[str] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write the pictures of ``query``, or those named, to ``target``; returns its path.

    Raises:
        RequestError: nothing matches, or a picture does not exist.
        StorageError: the target exists or cannot be written, or a picture's file is gone; then no
            zip file is left.
    """
    if target.exists():
        raise StorageError(f"{target} exists.", hint="Choose another name; nothing is overwritten.")
    if identities is None:
        identities = [picture.id for picture in library.walk(query)]
    if not identities:
        raise RequestError("No picture matches.", hint="Ask for more: sfumato gallery list.")
    with storage_errors(target), temporary_beside(target) as temporary:
        with temporary.open("xb") as file:
            write_zip(library, file, identities, on_progress)
            sync_file(file)
        claim(temporary, target)
        sync_folder(target.parent)
    return target


def write_zip(
    library: Library,
    file: IO[bytes],
    identities: Sequence[str],
    on_progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write the zip into an open file, which need not be seekable (a web response is not).

    Raises: RequestError: no such picture; StorageError: a picture's file is gone.
    """
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:  # pictures are compressed
        with archive.open("manifest.json", "w", force_zip64=True) as manifest:
            opening = json.dumps({"sfumato": __version__, "count": len(identities)})
            manifest.write(opening[:-1].encode() + b', "pictures": [\n')
            for number, picture in enumerate(_pictures(library, identities)):
                entry = json.dumps(_entry(picture), ensure_ascii=False)
                manifest.write((",\n" if number else "").encode() + entry.encode())
            manifest.write(b"\n]}\n")
        for done, picture in enumerate(_pictures(library, identities), start=1):
            _add(archive, picture.path, _name(picture))
            if picture.svg_path is not None:
                _add(archive, picture.svg_path, _name(picture, "svg"))
            if on_progress is not None:
                on_progress(done, len(identities))


def _pictures(library: Library, identities: Sequence[str]) -> Iterator[Picture]:
    for start in range(0, len(identities), _PAGE):
        wanted = identities[start : start + _PAGE]
        found = library.get_many(wanted)
        if len(found) < len(set(wanted)):
            library.get(min(set(wanted) - {picture.id for picture in found}))  # says which
        yield from found


def _add(archive: zipfile.ZipFile, path: Path, name: str) -> None:
    try:
        archive.write(path, name)
    except FileNotFoundError:
        raise StorageError(
            f"{path} is gone.", hint="Leave the picture out, or put its file back."
        ) from None


def _name(picture: Picture, extension: str | None = None) -> str:
    suffix = picture.path.suffix if extension is None else f".{extension}"
    return f"{picture.created_at:%Y-%m}/{picture.stem}-{picture.id}{suffix}"


def _entry(picture: Picture) -> dict[str, Any]:
    entry = picture.to_dict()
    del entry["path"], entry["svg_path"]  # of this machine, and nobody else's business
    svg = None if picture.svg_path is None else _name(picture, "svg")
    return {"file": _name(picture), "svg": svg, **entry}
