"""Reading weights from strangers: safetensors only, every limit checked before memory is taken.

A pickled checkpoint can run code when it is opened (CVE-2025-32434 and its kin), so it is refused
by its bytes, whatever its name. A safetensors header is plain JSON; it is still bounded, because a
hostile one can ask for any amount of memory.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from sfumato.errors import MissingExtraError, ModelError

__all__ = [
    "check_folder",
    "check_safetensors",
    "digest",
    "opened_by_transformers",
    "read_config",
    "require_torch",
]

MAX_HEADER_BYTES = 8 * 1024 * 1024
MAX_TENSORS = 20_000
MAX_CONFIG_BYTES = 1024 * 1024
_ITEM_BYTES = {
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "U16": 2, "I16": 2, "F16": 2,
    "BF16": 2, "U32": 4, "I32": 4, "F32": 4, "U64": 8, "I64": 8, "F64": 8,
}  # fmt: skip
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_CONVERT = "Convert it to safetensors first; sfumato never opens pickled weights."


def require_torch(feature: str) -> None:
    """Raises: MissingExtraError: torch or transformers is not installed."""
    try:
        for package in ("torch", "transformers"):
            import_module(package)
    except ImportError:
        raise MissingExtraError(feature, "torch") from None


@contextmanager
def opened_by_transformers(folder: str | Path) -> Iterator[None]:
    """Whatever transformers raises inside, as one line that says what a folder needs."""
    try:
        yield
    except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(
            f"{folder} cannot be opened by transformers: {reason}",
            hint="It needs config, weights, tokenizer and preprocessor_config.json.",
        ) from None


def check_safetensors(path: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the tensors in a file whose header was found sound.

    Raises: ModelError: unreadable, pickled, not safetensors, or its header does not add up.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(8)
            if head[:2] == b"PK" or head[:1] == b"\x80":
                raise ModelError(f"{path} holds pickled weights.", hint=_CONVERT)
            length = struct.unpack("<Q", head)[0] if len(head) == 8 else 0
            if not 2 <= length <= min(MAX_HEADER_BYTES, size - 8):
                raise ModelError(f"{path} is not a safetensors file, or its header is damaged.")
            header = json.loads(file.read(length))
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror}).") from None
    except (ValueError, RecursionError):
        raise ModelError(f"The safetensors header of {path} is not readable JSON.") from None
    if not isinstance(header, dict) or len(header) > MAX_TENSORS:
        raise ModelError(f"The safetensors header of {path} lists no tensors, or far too many.")
    room = size - 8 - length
    shapes = {}
    for name, entry in header.items():
        if name != "__metadata__":
            shapes[name] = _checked_shape(path, name, entry, room)
    return shapes


def _checked_shape(path: Path, name: str, entry: Any, room: int) -> tuple[int, ...]:
    try:
        shape = tuple(entry["shape"])
        begin, end = entry["data_offsets"]
        count = 1
        for side in shape:
            if type(side) is not int or side < 0:
                raise ValueError
            count *= side
        whole = type(begin) is int and type(end) is int and 0 <= begin <= end <= room
        if not whole or end - begin != count * _ITEM_BYTES[entry["dtype"]]:
            raise ValueError
    except (KeyError, TypeError, ValueError):
        raise ModelError(
            f"The tensor {name[:80]!r} of {path} does not fit its file.",
            hint="The file is damaged or cut short: copy it again.",
        ) from None
    return shape


def check_folder(folder: Path) -> list[Path]:
    """The safetensors files of a checkpoint folder, each with a sound header.

    Raises: ModelError: there are none; pickled weights beside them are left alone.
    """
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        pickled = [path.name for path in sorted(folder.iterdir()) if path.suffix in _PICKLES]
        if pickled:
            raise ModelError(f"{folder} holds pickled weights only ({pickled[0]}).", hint=_CONVERT)
        raise ModelError(
            f"{folder} holds no safetensors weights.",
            hint="Give a folder as transformers or open_clip saves it.",
        )
    for path in files:
        check_safetensors(path)
    return files


def read_config(path: Path) -> dict[str, Any]:
    """A JSON object of moderate size.

    Raises: ModelError: missing, too large, or not a JSON object.
    """
    try:
        if path.stat().st_size > MAX_CONFIG_BYTES:
            raise ModelError(f"{path} is too large to be a configuration.")
        config = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror}).") from None
    except (ValueError, RecursionError):
        raise ModelError(f"{path} is not readable JSON.") from None
    if not isinstance(config, dict):
        raise ModelError(f"{path} is not a JSON object.")
    return config


def digest(files: list[Path]) -> str:
    """One sha256 over the bytes of weight files, in order."""
    whole = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                whole.update(block)
    return whole.hexdigest()
