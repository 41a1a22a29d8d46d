"""The library's folder: where each file lies, and writing so that it is there or not at all.

    sfumato-library.json        the marker: this folder is a library, and which one
    library.db                  the database, unless it is PostgreSQL
    pictures/2026/11/<id>.png   with its recipe inside; <id>.svg beside it when it has paths
    trash/2026/11/<id>.png      deleted pictures, until the trash is emptied
    cache/                      thumbnails and previews; may be deleted at any time
    backups/                    copies of the database, a day each
    set-aside/                  corrupt databases that were replaced

A folder without its marker is not ours or not there (a disk that is not mounted): nothing is
written into it, and no picture counts as deleted because of it.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sfumato.atomic import LEFTOVERS, replacing, sync_folder, temporary_beside, write_durably
from sfumato.errors import StorageError
from sfumato.gallery.identity import is_id, new_id, time_of
from sfumato.registry import data_folder

MARKER = "sfumato-library.json"
DATABASE = "library.db"
EXTENSIONS = {"png": "png", "webp": "webp", "jpeg": "jpg"}  # of the formats a library holds
_FORMATS = {extension: name for name, extension in EXTENSIONS.items()}


def default_folder() -> Path:
    """``$SFUMATO_LIBRARY``, else ``$XDG_DATA_HOME/sfumato/library``.

    Raises: StorageError: nobody can say where that is.
    """
    chosen = os.environ.get("SFUMATO_LIBRARY")
    if chosen:
        return Path(chosen).expanduser()
    return data_folder() / "library"


class Folder:
    """A library's folder that exists and is marked."""

    def __init__(self, root: Path, identity: str) -> None:
        self.root = root
        self._root = root.as_posix()
        self.identity = identity  # of the library: the database holds the same one
        self._lock_file: int | None = None

    @classmethod
    def open(cls, root: Path, *, create: bool) -> Folder:
        """The library at ``root``; a missing or empty folder is made one when ``create`` is set.

        Raises: StorageError: not there, not a library, or not writable.
        """
        marker = root / MARKER
        try:
            identity = json.loads(marker.read_text("utf-8"))["library"]
        except FileNotFoundError:
            if not create:
                raise StorageError(
                    f"There is no library at {root}.",
                    hint="Is its disk mounted? Nothing was changed.",
                    code="library_missing",
                ) from None
            identity = _make(root)
        except (OSError, ValueError, KeyError, TypeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise StorageError(f"The library's marker {marker} cannot be read: {reason}.") from None
        if not isinstance(identity, str) or not is_id(identity):
            raise StorageError(f"The library's marker {marker} names no library.")
        return cls(root, identity)

    def check(self) -> None:
        """Raises: StorageError: code "library_missing": the folder has gone since it was opened."""
        if not (self.root / MARKER).is_file():
            raise StorageError(
                f"The library at {self.root} is not there.",
                hint="Is its disk mounted? No picture was deleted.",
                code="library_missing",
            )

    # ------------------------------------------------------------ where things are

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.root / DATABASE

    def path_of(self, identity: str, format_: str, *, trashed: bool = False) -> Path:
        """Where the picture's file belongs; ``format_`` may be "svg" for its paths."""
        made, place = time_of(identity), "trash" if trashed else "pictures"
        extension = EXTENSIONS.get(format_, format_)
        # joined at once: lists ask this for every picture of theirs
        return Path(f"{self._root}/{place}/{made.year}/{made.month:02}/{identity}.{extension}")

    def find(self, identity: str, format_: str, *, trashed: bool) -> Path:
        """Where the file is: a crash may have left it on the other side of the trash's lid."""
        path = self.path_of(identity, format_, trashed=trashed)
        if path.exists():
            return path
        other = self.path_of(identity, format_, trashed=not trashed)
        return other if other.exists() else path

    def thumbnail(self, identity: str) -> Path:
        """Where a picture's thumbnail is kept."""
        made = time_of(identity)
        return self.root / "cache" / "thumbnails" / f"{made:%Y}" / f"{made:%m}" / f"{identity}.webp"

    def preview(self, job_id: str, index: int) -> Path:
        """Where the preview of a picture in the making is kept."""
        return self.root / "cache" / "previews" / f"{job_id}-{index}.png"

    def files(self) -> Iterator[tuple[str, str, bool, Path]]:
        """(id, format, trashed, path) of every picture's file, oldest first."""
        for name, trashed in (("pictures", False), ("trash", True)):
            for path in sorted((self.root / name).glob("*/*/*.*")):
                format_ = _FORMATS.get(path.suffix[1:])
                if format_ is not None and is_id(path.stem):
                    yield path.stem, format_, trashed, path

    def free_bytes(self) -> int:
        """Free space on the library's disk."""
        return shutil.disk_usage(self.root).free

    # ------------------------------------------------------------ writing

    def write(self, path: Path, data: bytes) -> None:
        """Write ``data`` under ``path``, durable when this returns; an older file is replaced.

        Raises: StorageError: code "disk_full" says so; nothing is left behind.
        """
        self.check()
        with storage_errors(path):
            make_folders(path.parent, self.root)
            write_durably(path, data)

    def write_cache(self, path: Path, data: bytes) -> None:
        """As ``write``, but whole or not there only: what can be made again need not be durable."""
        with storage_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as temporary:
                temporary.write_bytes(data)

    def move(self, identity: str, format_: str, *, to_trash: bool) -> None:
        """Move a picture's file into the trash or out of it; where it is there already, nothing."""
        source = self.path_of(identity, format_, trashed=not to_trash)
        target = self.path_of(identity, format_, trashed=to_trash)
        with storage_errors(target):
            if source.exists():
                make_folders(target.parent, self.root)
                source.replace(target)
                sync_folder(target.parent)

    def remove(self, identity: str, format_: str) -> None:
        """Delete a picture's files for good."""
        paths = [self.path_of(identity, name, trashed=True) for name in (format_, "svg")]
        paths.append(self.thumbnail(identity))
        with storage_errors(paths[0]):
            for path in paths:
                path.unlink(missing_ok=True)

    def tidy(self, older_than_seconds: float) -> int:
        """Delete previews and half-written files that a crash left so long ago; returns how many.

        Raises: StorageError: one of them cannot be deleted.
        """
        before = time.time() - older_than_seconds
        places = [self.root, self.root / "cache" / "previews", self.root / "backups"]
        for name in ("pictures", "trash", "cache/thumbnails"):
            places += (self.root / name).glob("*/*")
        removed = 0
        for place in places:
            wanted = "*" if place.name == "previews" else LEFTOVERS
            for path in place.glob(wanted):
                with storage_errors(path), suppress(FileNotFoundError):
                    if path.is_file() and path.stat().st_mtime < before:
                        path.unlink()
                        removed += 1
        return removed

    # ------------------------------------------------------------ who has it open

    def lock(self, *, alone: bool) -> bool:
        """Hold the library, together with others or ``alone``; False: somebody is in the way.

        The lock ends with ``unlock`` or with the process. Where the system has no such locks
        (Windows refuses to move a file that is open instead), this is always true.
        """
        try:
            import fcntl
        except ImportError:
            return True
        if self._lock_file is None:
            with storage_errors(self.root):
                self._lock_file = os.open(self.root / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(
                self._lock_file, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB
            )
        except OSError as error:
            return error.errno not in (errno.EWOULDBLOCK, errno.EACCES)
        return True

    def unlock(self) -> None:
        """Let the library go."""
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None


def _make(root: Path) -> str:
    """Mark an empty folder as a new library."""
    with storage_errors(root):
        root.mkdir(parents=True, exist_ok=True)
        # keys may be made before the first picture
        allowed = (".lock", "keys.json", ".keys.json.lock")
        if any(path.name not in allowed for path in root.iterdir()):
            raise StorageError(
                f"The folder {root} holds other things and is no library.",
                hint="Choose an empty folder; a library keeps its marker beside its pictures.",
                code="library_missing",
            )
        identity = new_id()
        marker = root / MARKER
        content = {"library": identity, "about": "pictures of sfumato; keep this file"}
        with temporary_beside(marker) as temporary:
            temporary.write_text(json.dumps(content) + "\n")
            try:
                os.link(temporary, marker)  # two programs that start together agree on one marker
            except FileExistsError:
                identity = json.loads(marker.read_text("utf-8"))["library"]
            except OSError:  # no hard links on this disk
                temporary.replace(marker)
        sync_folder(root)
    return str(identity)


def make_folders(folder: Path, root: Path) -> None:
    """Make ``folder`` and its parents below ``root``; their names are durable too."""
    if folder.is_dir():
        return
    if folder != root:
        make_folders(folder.parent, root)
    with suppress(FileExistsError):
        folder.mkdir()
    sync_folder(folder.parent)


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """The system's errors as one line that says what to do."""
    try:
        yield
    except OSError as error:
        code, hint = None, "Check the library's folder."
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            code, hint = "disk_full", "Free some space; nothing that was saved is lost."
        elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            hint = "Make the library's folder writable, or choose another library."
        reason = error.strerror or error
        raise StorageError(
            f"{path} could not be written: {reason}.", hint=hint, code=code
        ) from error
