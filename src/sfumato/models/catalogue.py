"""Find, verify and load models.

A backend's entry in ``registry.MODELS`` names a ``load(name)`` function; the module
that holds it also has ``spec(name) -> ModelSpec``, which must not read weights. Built-in weights
lie in ``models/weights/<name>/`` with a ``model.json`` that names every file's sha256.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from sfumato.errors import ModelError, SfumatoError
from sfumato.models.base import Model, ModelSpec
from sfumato.registry import MODELS

DEFAULT_MODEL = "chiaro"
WEIGHTS = Path(__file__).parent / "weights"


def spec_of(name: str | None = None) -> ModelSpec:
    """The sheet of a model, without reading its weights.

    Raises: ModelError: no such model.
    """
    entry = MODELS.get(name or DEFAULT_MODEL)
    module = entry.target.partition(":")[0]
    sheet: ModelSpec = replace(entry, target=f"{module}:spec").resolve()(entry.name)
    return sheet


def usable_specs() -> list[ModelSpec]:
    """The sheet of every model that can be read; ``spec_of`` says what is wrong with another."""
    sheets = []
    for name in MODELS.names():
        with suppress(SfumatoError):
            sheets.append(spec_of(name))
    return sheets


def load(name: str | None = None) -> Model:
    """A model, ready to draw and kept warm for the next call.

    Raises:
        ModelError: no such model, or its files are missing or damaged.
    """
    return _load(MODELS.get(name or DEFAULT_MODEL).name)


@lru_cache(maxsize=2)
def _load(name: str) -> Model:
    model: Model = MODELS.resolve(name)(name)
    return model


def read_sheet(folder: Path) -> dict[str, Any]:
    """The ``model.json`` of a weights folder.

    Raises: ModelError: it is missing or not readable.
    """
    path = folder / "model.json"
    try:
        sheet = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(
            f"The model folder {folder.name!r} has no readable model.json ({error}).",
            hint=how_to_mend(folder),
        ) from None
    if not isinstance(sheet, dict):
        raise ModelError(f"{path.name} of {folder.name!r} is not a JSON object.")
    return sheet


def how_to_mend(folder: Path) -> str:
    """What a person can do about a damaged model ``folder``."""
    if folder.parent == WEIGHTS:
        return "Reinstall sfumato: pip install --force-reinstall sfumato"
    return "Copy it again from where it came, or export it again: sfumato train export"


def sheet_identity(sheet: dict[str, Any]) -> str:
    """One sha256 for a whole model: over the names and digests of its files.

    Raises: KeyError, TypeError: the sheet lacks its list of files.
    """
    digest = hashlib.sha256()
    for name in sorted(sheet["files"]):
        digest.update(f"{name} {sheet['files'][name]['sha256']}\n".encode())
    return digest.hexdigest()


def weight_bytes(folder: Path, sheet: dict[str, Any], name: str) -> bytes:
    """The bytes of a weight file that the sheet lists, checked against its digest.

    Raises: ModelError: not listed, missing, truncated or changed.
    """
    return verified_bytes(folder, name, weight_digest(folder, sheet, name))


def weight_digest(folder: Path, sheet: dict[str, Any], name: str) -> str:
    """The sha256 that a sheet names for a weight file.

    Raises: ModelError: the sheet does not list it.
    """
    try:
        return str(sheet["files"][name]["sha256"])
    except (KeyError, TypeError):
        raise ModelError(
            f"The model folder {folder.name!r} is not complete: its model.json lists no {name}.",
            hint=how_to_mend(folder),
        ) from None


def verified_bytes(folder: Path, name: str, sha256: str) -> bytes:
    """The bytes of one weight file, checked against the digest its sheet names.

    Raises: ModelError: missing, truncated or changed; both digests are named.
    """
    path = folder / name
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"The weight file {path} cannot be read ({error.strerror}).",
            hint=how_to_mend(folder),
        ) from None
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise ModelError(
            f"The weight file {path} is damaged: sha256 {found}, expected {sha256}.",
            hint=how_to_mend(folder),
        )
    return content
