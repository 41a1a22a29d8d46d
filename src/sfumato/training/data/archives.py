"""Fetch the pinned archives with npm, check that they arrived unchanged, and read them.

``fetch_archive`` reuses a cached archive whose hash matches, asks the ``npm`` client for it
otherwise, and refuses anything else. Archives are read in place; nothing is unpacked to disk.
"""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sfumato.errors import StorageError
from sfumato.training.data.packs import Archive, Pack


@dataclass(frozen=True, slots=True, kw_only=True)
class Icon:
    """One drawing of a pack: SVG body and its view box ``(left, top, width, height)``."""

    name: str
    body: str
    box: tuple[float, float, float, float]


@dataclass(slots=True, kw_only=True)
class LoadedPack:
    """A pack's drawings, other names for them, and its code points and categories, if any."""

    pack: Pack
    icons: dict[str, Icon]
    aliases: dict[str, str] = field(default_factory=dict)
    chars: dict[str, str] = field(default_factory=dict)
    categories: dict[str, set[str]] = field(default_factory=dict)

    def find(self, name: str) -> Icon | None:
        """The drawing called ``name``, or the one that ``name`` is another name for."""
        return self.icons.get(name) or self.icons.get(self.aliases.get(name, ""))


def archive_integrity(path: Path) -> str:
    """The npm integrity string of a file: ``sha512-`` and the digest in base64."""
    digest = hashlib.sha512(path.read_bytes()).digest()
    return "sha512-" + base64.b64encode(digest).decode("ascii")


def fetch_archive(archive: Archive, cache: Path) -> Path:
    """The archive's path in ``cache``, fetched with the npm client unless it lies there already.

    Raises :class:`StorageError` when npm cannot deliver it or its SHA-512 is not the pinned one;
    a wrong file is never used.
    """
    path = cache / archive.file_name
    if path.is_file() and archive_integrity(path) == archive.sha512:
        return path
    cache.mkdir(parents=True, exist_ok=True)
    wanted = f"{archive.package}@{archive.version}"
    try:
        subprocess.run(
            ["npm", "pack", "--silent", "--ignore-scripts", wanted],
            cwd=cache,
            check=True,
            capture_output=True,
            text=True,
            timeout=300,
        )
    except FileNotFoundError as error:
        raise StorageError(
            f"{wanted} is not in {cache}, and the npm client that would fetch it is missing.",
            hint="Install Node.js, or put the archive into the cache.",
        ) from error
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        raise StorageError(
            f"npm could not fetch {wanted}.", hint="Check the network, then run it again."
        ) from error
    if not path.is_file():
        raise StorageError(f"npm fetched {wanted} but left no {archive.file_name}.")
    found = archive_integrity(path)
    if found != archive.sha512:
        raise StorageError(
            f"{path} is not the pinned {wanted}: its hash is {found[:20]}..., "
            f"not {archive.sha512[:20]}...",
            hint="Delete the file and run it again; if it stays, the registry's copy has changed.",
        )
    return path


def read_json(path: Path, member: str) -> Any:
    """One JSON file of an npm archive, read without unpacking the rest; None if it is absent."""
    try:
        with tarfile.open(path, "r:gz") as bundle:
            try:
                entry = tarfile.data_filter(bundle.getmember(f"package/{member}"), "/")
            except KeyError:
                return None
            stream = bundle.extractfile(entry) if entry.isreg() else None
            if stream is None:
                return None
            return json.loads(stream.read())
    except (OSError, tarfile.TarError, ValueError) as error:
        raise StorageError(f"{member} in {path} cannot be read: {error}") from error


def load_pack(pack: Pack, cache: Path) -> LoadedPack:
    """Fetch, verify and read one pack. Hidden drawings and turned or mirrored aliases are left."""
    path = fetch_archive(pack.archive, cache)
    data = read_json(path, "icons.json")
    if not isinstance(data, dict) or "icons" not in data:
        raise StorageError(f"{path} holds no icons.json.")
    chars, metadata = read_json(path, "chars.json"), read_json(path, "metadata.json")
    return parse_pack(pack, data, chars or {}, (metadata or {}).get("categories", {}))


def parse_pack(
    pack: Pack,
    data: dict[str, Any],
    chars: dict[str, str],
    categories: dict[str, list[str]] | None = None,
) -> LoadedPack:
    """Read Iconify's JSON: sizes fall back to the pack's own, then to 16."""
    icons: dict[str, Icon] = {}
    for name, entry in data["icons"].items():
        if entry.get("hidden"):
            continue
        left, top, width, height = (
            float(entry.get(key, data.get(key, default)))
            for key, default in (("left", 0), ("top", 0), ("width", 16), ("height", 16))
        )
        icons[name] = Icon(name=name, body=entry["body"], box=(left, top, width, height))
    aliases = {
        name: entry["parent"]
        for name, entry in data.get("aliases", {}).items()
        if set(entry) == {"parent"} and entry["parent"] in icons
    }
    of_icon: dict[str, set[str]] = {}
    for category, names in (categories or {}).items():
        for name in names:
            of_icon.setdefault(name, set()).add(category)
    return LoadedPack(
        pack=pack, icons=icons, aliases=aliases, chars=dict(chars), categories=of_icon
    )
