"""Somebody's own folder of pictures as a training set, and how long training on it will take.

Captions come from ``NAME.txt`` beside ``NAME.png`` (one a line), from ``captions.csv`` or
``metadata.jsonl`` (columns ``file_name`` and ``text``, as Hugging Face's image folders have them),
or else from the words of the file's name. The set that is written has the layout of the icon
builder's, so that every trainer reads it.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sfumato.errors import RequestError, SfumatoError, StorageError
from sfumato.pictures import read_picture
from sfumato.training.data.pictures import downsample

Pixels = NDArray[np.uint8]

SIZES = (64, 128, 256)
_SUFFIXES = (".png", ".webp", ".jpg", ".jpeg", ".svg")
_FILE_COLUMNS = ("file_name", "file", "filename", "name", "image")
_TEXT_COLUMNS = ("text", "caption", "prompt")


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPicture:
    """One picture of a folder: square pixels (256, 256, 4) straight alpha, and what it shows."""

    path: Path
    captions: tuple[str, ...]
    pixels: Pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPictures:
    """What a folder holds, and what was left out and why."""

    pictures: tuple[OwnPicture, ...]
    skipped: tuple[tuple[str, str], ...]  # file name, reason


def read_folder(folder: Path) -> OwnPictures:
    """Read every picture of ``folder`` (not of folders inside it), in the order of their names.

    A picture that cannot be used is listed in ``skipped`` with the reason.

    Raises: StorageError: no such folder, no usable picture, or a caption table that is damaged or
        names a picture that is not there.
    """
    if not folder.is_dir():
        raise StorageError(f"{folder} is not a folder.")
    table = _read_table(folder)
    pictures, skipped = [], []
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in _SUFFIXES)
    missing = set(table) - {p.name for p in paths}
    if missing:
        raise StorageError(
            f"The captions of {folder} name a picture that is not there: {sorted(missing)[0]}."
        )
    for path in paths:
        captions = _captions_for(path, table)
        if not captions:
            skipped.append((path.name, "has no caption and no words in its name"))
            continue
        try:
            pixels = _read_square(path)
        except StorageError as error:
            skipped.append((path.name, error.message))
            continue
        pictures.append(OwnPicture(path=path, captions=captions, pixels=pixels))
    if not pictures:
        why = f" ({skipped[0][0]}: {skipped[0][1]})" if skipped else ""
        raise StorageError(
            f"{folder} holds no picture to train on{why}.",
            hint="Put PNG, WebP, JPEG or SVG files there, each with its caption in NAME.txt.",
        )
    return OwnPictures(pictures=tuple(pictures), skipped=tuple(skipped))


def prepare_folder(
    folder: Path, out: Path, *, style: str = "own", say: Callable[[str], None] = print
) -> Path:
    """Write the folder's pictures as the new training set ``out``; returns ``out``.

    All pictures get the style's name, which is how to ask for it when drawing. Nothing appears at
    ``out`` until the set is complete.

    Raises: StorageError: nothing usable in ``folder``, or ``out`` exists. RequestError: the style
        is no plain word.
    """
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,30}", style):
        raise RequestError(f"{style!r} cannot name a style.", hint="Use one lower-case word.")
    if out.exists():
        raise StorageError(f"{out} exists already.", hint="Name another directory or remove it.")
    own = read_folder(folder)
    for name, reason in own.skipped:
        say(f"skipped {name}: {reason}")
    partial = out.with_name(f".{out.name}.{os.getpid()}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        for size in SIZES:
            small = [p.pixels if size == SIZES[-1] else downsample(p.pixels, size)
                     for p in own.pictures]  # fmt: skip
            np.save(partial / f"pictures-{size}.npy", np.stack(small))
        lines = [json.dumps(_manifest_line(p, style), ensure_ascii=False) for p in own.pictures]
        (partial / "manifest.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
        (partial / "ATTRIBUTION.md").write_text(
            f"# Attribution\n\n{len(lines)} pictures of the owner's folder `{folder.name}`.\n",
            "utf-8",
        )
        stats = {"preset": "folder", "pictures": len(lines), "skipped": dict(own.skipped)}
        (partial / "stats.json").write_text(json.dumps(stats, indent=2) + "\n", "utf-8")
        partial.rename(out)
    except OSError as error:
        raise StorageError(f"The training set cannot be written to {out}: {error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    say(f"{len(own.pictures)} pictures in {out}, {len(own.skipped)} skipped")
    return out


def _manifest_line(picture: OwnPicture, style: str) -> dict[str, object]:
    return {
        "id": f"own:{picture.path.name}",
        "pack": "own",
        "icon": picture.path.stem,
        "concept": picture.captions[0],
        "group": None,
        "style": style,
        "captions": list(picture.captions),
        "licence": "the owner's",
        "author": "the owner",
        "split": "train",
        "svg_sha256": hashlib.sha256(picture.path.read_bytes()).hexdigest(),
    }


# ---------------------------------------------------------------- captions


def _read_table(folder: Path) -> dict[str, list[str]]:
    """File name to captions, from ``captions.csv`` or ``metadata.jsonl`` where there is one."""
    rows: list[dict[str, str]] = []
    sheet, lines = folder / "captions.csv", folder / "metadata.jsonl"
    try:
        if sheet.is_file():
            rows += csv.DictReader(sheet.read_text("utf-8-sig").splitlines())
        if lines.is_file():
            rows += [json.loads(line) for line in lines.read_text("utf-8").splitlines() if line]
    except (UnicodeDecodeError, ValueError) as error:
        raise StorageError(f"The captions of {folder} cannot be read: {error}") from None
    table: dict[str, list[str]] = {}
    for row in rows:
        name = next((row[c] for c in _FILE_COLUMNS if row.get(c)), None)
        text = next((row[c] for c in _TEXT_COLUMNS if row.get(c)), None)
        if not name or not text:
            raise StorageError(
                f"The captions of {folder} lack a column.", hint="Use file_name and text."
            )
        table.setdefault(name, []).append(text)
    return table


def _captions_for(path: Path, table: dict[str, list[str]]) -> tuple[str, ...]:
    beside = path.with_suffix(".txt")
    if beside.is_file():
        texts = beside.read_text("utf-8", errors="replace").splitlines()
    else:
        texts = table.get(path.name) or [re.sub(r"[\W_\d]+", " ", path.stem)]
    clean = (" ".join(text.lower().split()) for text in texts)
    return tuple(dict.fromkeys(text for text in clean if text))


# ---------------------------------------------------------------- pixels


def _read_square(path: Path) -> Pixels:
    """(256, 256, 4) straight alpha: the whole picture, centred on a transparent square.

    Raises: StorageError: it cannot be read, is too large, or shows nothing.
    """
    side = SIZES[-1]
    try:
        picture = read_picture(path, longest=side)
    except SfumatoError as error:  # its name stands beside the reason already
        reason = error.message.removeprefix(f"{path}: ").removeprefix(f"{path} ")
        raise StorageError(reason) from None
    image = Image.fromarray(picture).convert("RGBa")  # or colours under clear pixels bleed
    if max(image.size) < side:
        scale = side / max(image.size)
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = image.resize(size, Image.Resampling.BICUBIC)
    square = Image.new("RGBa", (side, side))
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    pixels = np.asarray(square.convert("RGBA"))
    if pixels[..., 3].max() < 16:
        raise StorageError("is empty")
    return pixels


# ---------------------------------------------------------------- how long it takes


def estimate(
    preset: str,
    pictures: int,
    device: str,
    *,
    minutes: float | None = None,
    steps: int | None = None,
    batch_size: int | None = None,
) -> str:
    """One sentence on time: a few real training steps are timed on ``device``, then scaled.

    ``minutes`` and ``steps``: a budget in place of the preset's; the smaller one counts.

    Raises: RequestError: unknown preset.
    """
    from sfumato.training.full import FULL_PRESETS
    from sfumato.training.run import PRESETS

    if preset not in PRESETS and preset not in FULL_PRESETS:
        raise RequestError(f"There is no preset {preset!r}.")
    chosen = FULL_PRESETS[preset] if preset in FULL_PRESETS else PRESETS[preset]
    speed = (_full_speed if preset in FULL_PRESETS else _whole_picture_speed)(preset, device)
    if not minutes and not steps:
        minutes, steps = chosen.loop.minutes, chosen.loop.steps
    limits = [minutes] if minutes else []
    if steps:
        limits.append(steps * (batch_size or chosen.batch_size) / speed / 60.0)
    needed = min(limits, default=0.0)
    passes = speed * 60.0 * needed / max(1, pictures)
    times = f"{passes:.0f} times" if passes >= 1.5 else "once or less"
    return (
        f"{_duration(needed)} on {device}: {speed:.3g} pictures a second, "
        f"each of {pictures} seen {times}"
    )


def _duration(minutes: float) -> str:
    if minutes < 1.5:
        return f"about {max(1, round(minutes * 60))} seconds"
    if minutes < 90:
        return f"about {minutes:.0f} minutes"
    return f"about {minutes / 60:.1f} hours"


def _whole_picture_speed(preset: str, device: str) -> float:
    """Pictures a second of the whole-picture model."""
    import torch

    from sfumato.training.run import PRESETS
    from sfumato.training.whole_picture import WholePictureNet, flow_loss

    chosen = PRESETS[preset]
    network = WholePictureNet(chosen.net).to(device)
    random = torch.Generator(device).manual_seed(0)
    size = min(256, chosen.batch_size)
    clean = torch.zeros(size, chosen.net.components, device=device)
    text = torch.zeros(size, 384, device=device)
    style = torch.zeros(size, dtype=torch.int64, device=device)

    def loss() -> torch.Tensor:
        return flow_loss(network, clean, text, style, random)

    return size / _seconds_a_step(network, loss, device, chosen.loop.bf16)


def _full_speed(preset: str, device: str) -> float:
    """Pictures a second of the full model, mean over its stages' shares of the time."""
    import torch

    from sfumato.training.full import FULL_PRESETS
    from sfumato.training.transformer import Batch, Chiaro, flow_loss

    chosen = FULL_PRESETS[preset]
    network = Chiaro(chosen.net).to(device)
    random = torch.Generator(device).manual_seed(0)
    # enough to keep the device busy; a whole batch without torch.compile would not fit
    size = min(128 if device.startswith("cuda") else 2, chosen.batch_size)
    speed = 0.0
    for stage in chosen.stages:
        batch = Batch(
            pictures=torch.zeros(size, stage.side, stage.side, 4, dtype=torch.uint8, device=device),
            text=torch.zeros(size, chosen.net.text_tokens, 384, device=device),
            text_mask=torch.ones(size, chosen.net.text_tokens, device=device),
            style=torch.zeros(size, dtype=torch.int64, device=device),
        )
        teacher = network if stage.distil else None

        def loss(batch: Batch = batch, teacher: Chiaro | None = teacher) -> torch.Tensor:
            return flow_loss(network, batch, random, no_style=0, teacher=teacher)

        speed += stage.share * size / _seconds_a_step(network, loss, device, chosen.loop.bf16)
    return speed


def _seconds_a_step(network: object, loss: Callable[[], object], device: str, bf16: bool) -> float:
    """Mean of three steps after one that warms up; weights stay as they are."""
    import torch

    kind = torch.device(device).type
    began = 0.0
    for step in range(4):
        if step == 1:
            began = time.perf_counter()
        with torch.autocast(kind, dtype=torch.bfloat16, enabled=bf16):
            value = loss()
        value.backward()
        if kind == "cuda":
            torch.cuda.synchronize()
    return (time.perf_counter() - began) / 3.0
