"""Training data in a suitcase: vectors instead of pixels, and large files in pieces.

A picture set of 40,000 drawings is gigabytes of pixels and a few megabytes of compressed paths.
``pack`` writes the paths, the manifest and the text encoder; ``unpack`` checks every digest and
draws the pixels again on as many processes as there are.

    python -m sfumato.training.pack pack DATA PACK
    python -m sfumato.training.pack unpack PACK DATA --processes 16
    python -m sfumato.training.pack join ema.safetensors
"""

from __future__ import annotations

import gzip
import hashlib
import json
import lzma
import multiprocessing
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

import click
import numpy as np

from sfumato.atomic import replacing, temporary_beside
from sfumato.errors import StorageError
from sfumato.models.catalogue import WEIGHTS
from sfumato.training.data.pictures import downsample, read_manifest, read_svgs, render_svg

PACK_LIMIT = 64 << 20
PIECE_LIMIT = 16 << 20
_CHUNK = 64  # pictures that a worker draws at a time
Item = TypeVar("Item")
Result = TypeVar("Result")
_TEXT_FILES = ("text.onnx", "vocab.txt")
_PACKED = ("svg.jsonl.xz", "manifest.jsonl.xz", *_TEXT_FILES)


def pack(data: Path, out: Path, *, encoder: Path, limit: int = PACK_LIMIT) -> int:
    """Pack the picture set ``data`` and the text encoder into ``out``; the size in bytes.

    Raises: StorageError: the set has no vectors, or the pack would be larger than ``limit``.
    """
    if not (data / "svg.jsonl.gz").is_file():
        raise StorageError(
            f"{data} holds pixels without their vectors and cannot be packed.",
            hint="Copy the folder as it is.",
        )
    out.mkdir(parents=True, exist_ok=True)
    with gzip.open(data / "svg.jsonl.gz", "rb") as lines:
        (out / "svg.jsonl.xz").write_bytes(lzma.compress(lines.read(), preset=6))
    manifest = (data / "manifest.jsonl").read_bytes()
    (out / "manifest.jsonl.xz").write_bytes(lzma.compress(manifest, preset=6))
    for name in _TEXT_FILES:
        shutil.copyfile(encoder / name, out / name)
    digests = {name: _digest(out / name) for name in _PACKED}
    (out / "pack.json").write_text(json.dumps(digests, indent=1), "utf-8")
    size = sum((out / name).stat().st_size for name in (*_PACKED, "pack.json"))
    if size > limit:
        raise StorageError(
            f"The pack would take {size / 2**20:.0f} MiB; the limit is {limit / 2**20:.0f} MiB.",
            hint="Pack a smaller preset.",
        )
    return size


def unpack(
    folder: Path, out: Path, *, sides: Sequence[int] = (64, 128), processes: int = 1
) -> None:
    """Write the picture set of a pack into ``out`` and draw it at every size of ``sides``.

    Raises: StorageError: a file is missing or is not the one that was packed.
    """
    try:
        digests = json.loads((folder / "pack.json").read_text("utf-8"))
        if not isinstance(digests, dict):
            raise ValueError("pack.json lists no files")
    except (OSError, ValueError) as error:
        raise StorageError(f"{folder} is not a pack ({error}).") from None
    for name in _PACKED:
        path = folder / name
        if name not in digests or not path.is_file() or _digest(path) != digests[name]:
            raise StorageError(f"{path} is missing or damaged.", hint="Pack it again.")
    (out / "text").mkdir(parents=True, exist_ok=True)
    for name in _TEXT_FILES:
        shutil.copyfile(folder / name, out / "text" / name)
    (out / "manifest.jsonl").write_bytes(_unxz(folder / "manifest.jsonl.xz"))
    with gzip.open(out / "svg.jsonl.gz", "wb", compresslevel=1) as lines:
        lines.write(_unxz(folder / "svg.jsonl.xz"))
    draw_pictures(out, sides, processes=processes)


def draw_pictures(
    data: Path,
    sides: Sequence[int],
    *,
    processes: int = 1,
    say: Callable[[str], None] | None = None,
) -> None:
    """Draw the set's vectors at every size that is not there yet: ``pictures-{side}.npy``.

    Each picture is drawn once at four times the largest size and averaged down to all of them;
    every size must divide the next larger one.
    """
    wanted = [side for side in sides if not (data / f"pictures-{side}.npy").is_file()]
    if not wanted:
        return
    if not (data / "svg.jsonl.gz").is_file():
        _shrink_pictures(data, wanted)
        return
    total = len(read_manifest(data))
    with ExitStack() as stack:
        parts = {
            side: stack.enter_context(temporary_beside(data / f"pictures-{side}.npy"))
            for side in wanted
        }
        for side, part in parts.items():
            shape = (total, side, side, 4)
            np.lib.format.open_memmap(part, mode="w+", dtype=np.uint8, shape=shape).flush()
        spans = [(i, min(i + _CHUNK, total)) for i in range(0, total, _CHUNK)]
        done = 0
        for count in spread(_draw, spans, processes=processes, start=_start, given=(data, parts)):
            done += count
            if say is not None and done % (16 * _CHUNK) == 0:
                say(f"{done}/{total} drawn")
        for side, part in parts.items():
            part.replace(data / f"pictures-{side}.npy")


def _shrink_pictures(data: Path, sides: Sequence[int]) -> None:
    """Average a set without vectors down from the nearest larger size that it has.

    Raises: StorageError: it has none.
    """
    known = sorted(
        int(path.stem.removeprefix("pictures-")) for path in data.glob("pictures-[0-9]*.npy")
    )
    for side in sides:
        source = next((k for k in known if k > side and k % side == 0), None)
        if source is None:
            raise StorageError(f"{data} has neither vectors nor pictures of {side} px or more.")
        pictures = np.load(data / f"pictures-{source}.npy", mmap_mode="r")
        small = np.stack([downsample(picture, side) for picture in pictures])
        with replacing(data / f"pictures-{side}.npy") as temporary, temporary.open("wb") as out:
            np.save(out, small)


def spread(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    processes: int,
    start: Callable[..., None],
    given: tuple[object, ...],
) -> Iterator[Result]:
    """``map`` in this process or in several, results in order; ``start(*given)`` comes first."""
    if processes <= 1 or len(items) <= 1:
        start(*given)
        yield from map(function, items)
        return
    context = multiprocessing.get_context("spawn")  # threads of a parent do not survive a fork
    with ProcessPoolExecutor(processes, context, start, given) as pool:
        yield from pool.map(function, items)


# what a worker process keeps between two chunks
_svgs: list[str] = []
_canvases: dict[int, np.ndarray] = {}


def _start(data: Path, parts: dict[int, Path]) -> None:
    _svgs[:] = read_svgs(data)
    _canvases.clear()
    for side, part in parts.items():
        _canvases[side] = np.lib.format.open_memmap(part, mode="r+")


def _draw(span: tuple[int, int]) -> int:
    """Draw pictures ``span[0]`` to ``span[1]``; one that cannot be drawn stays transparent."""
    largest = max(_canvases)
    for row in range(*span):
        try:
            drawn = render_svg(_svgs[row], largest * 4)
        except StorageError:
            continue
        for side in sorted(_canvases, reverse=True):  # each from the one before: means of means
            drawn = downsample(drawn, side)
            _canvases[side][row] = drawn
    for canvas in _canvases.values():
        canvas.flush()
    return span[1] - span[0]


# ---------------------------------------------------------------- pieces


def split_file(path: Path, limit: int = PIECE_LIMIT) -> list[Path]:
    """Write ``path.000``, ``path.001`` … of at most ``limit`` bytes each beside it."""
    for old in path.parent.glob(path.name + ".[0-9][0-9][0-9]"):
        old.unlink()
    pieces = []
    with path.open("rb") as whole:
        while block := whole.read(limit):
            piece = path.with_name(f"{path.name}.{len(pieces):03d}")
            piece.write_bytes(block)
            pieces.append(piece)
    return pieces


def join_pieces(path: Path) -> Path:
    """Put ``path.000`` … together into ``path`` again.

    Raises: StorageError: there are no pieces, or one in the middle is missing.
    """
    pieces = sorted(path.parent.glob(path.name + ".[0-9][0-9][0-9]"))
    if [p.suffix for p in pieces] != [f".{i:03d}" for i in range(len(pieces))] or not pieces:
        raise StorageError(f"The pieces of {path} are not complete.")
    with replacing(path) as temporary, temporary.open("wb") as whole:
        for piece in pieces:
            whole.write(piece.read_bytes())
    return path


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _unxz(path: Path) -> bytes:
    return lzma.decompress(path.read_bytes())


# ---------------------------------------------------------------- the command line

_PATH = click.Path(path_type=Path)


@click.group()
def main() -> None:
    """Pack a picture set, unpack it elsewhere, join a file's pieces."""


@main.command("pack")
@click.argument("data", type=_PATH)
@click.argument("out", type=_PATH)
@click.option("--encoder", type=_PATH, default=WEIGHTS / "chiaro", help="Folder of text.onnx.")
def _pack(data: Path, out: Path, encoder: Path) -> None:
    click.echo(f"{pack(data, out, encoder=encoder) / 2**20:.1f} MiB in {out}")


@main.command("unpack")
@click.argument("folder", type=_PATH)
@click.argument("out", type=_PATH)
@click.option("--side", "sides", type=int, multiple=True, default=(64, 128), show_default=True)
@click.option("--processes", type=int, default=os.cpu_count() or 1, show_default=True)
def _unpack(folder: Path, out: Path, sides: tuple[int, ...], processes: int) -> None:
    unpack(folder, out, sides=sides, processes=processes)
    click.echo(f"{len(read_manifest(out))} pictures in {out}")


@main.command("join")
@click.argument("path", type=_PATH)
def _join(path: Path) -> None:
    click.echo(str(join_pieces(path)))


if __name__ == "__main__":
    main()
