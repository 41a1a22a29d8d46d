"""Build a picture set: choose, name, draw, de-duplicate, split and write it, all or nothing.

``build_data`` reads top to bottom: load the packs, choose candidates, draw them, drop blanks and
look-alikes, hold some out, write. The set is a directory:

- ``manifest.jsonl``  one line a picture, in the order of the arrays
- ``svg.jsonl.gz``    the same pictures as standalone square SVGs
- ``pictures-64.npy`` ``(N, 64, 64, 4)`` uint8, straight alpha
- ``ATTRIBUTION.md``, ``stats.json``
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sfumato.errors import RequestError, StorageError
from sfumato.training.data.archives import LoadedPack, load_pack
from sfumato.training.data.captions import EmojiRecord, load_emoji
from sfumato.training.data.choose import (
    Entry,
    choose_distinct,
    choose_emoji,
    choose_glyphs,
    choose_loose,
    drop_exact_duplicates,
    rare_ids,
)
from sfumato.training.data.packs import PACKS, pack_named
from sfumato.training.data.pictures import Pixels, render_all
from sfumato.training.data.subjects import GlyphChoice, load_glyphs

Progress = Callable[[int, int, str], None]

PICTURE_SIZE = 64
HELDOUT_PER_MILLE = 30  # of the (concept, style) cells


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """Which packs a set draws from, and how strictly subjects are chosen.

    ``min_packs``: a colour subject must be drawn by that many packs. ``strict``: only subjects
    that the rules of ``subjects.py`` call clear; otherwise every drawing but the plainly useless.
    ``unseen_per_mille``: of the subjects, kept from training whole. A set of two thousand subjects
    that people ask for spares none of them.
    """

    name: str
    colour: tuple[str, ...]
    mono: tuple[str, ...]
    min_packs: int
    strict: bool
    heldout: bool
    unseen_per_mille: int = 0


_EMOJI = ("fluent-emoji-flat", "twemoji", "noto", "emojione")
_GLYPHS = ("game-icons", "mdi", "ph")

PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(name="curated", colour=_EMOJI, mono=_GLYPHS, min_packs=2, strict=True, heldout=True),
        Preset(
            name="full",
            colour=tuple(pack.name for pack in PACKS if pack.role == "colour"),
            mono=tuple(pack.name for pack in PACKS if pack.role == "mono"),
            min_packs=1,
            strict=False,
            heldout=True,
            unseen_per_mille=10,
        ),
        Preset(
            name="judge",
            colour=tuple(pack.name for pack in PACKS if pack.role == "judge"),
            mono=(),
            min_packs=1,
            strict=True,
            heldout=False,
        ),
    )
}


def build_data(
    out: Path, *, preset: str, cache: Path, on_progress: Progress | None = None
) -> dict[str, Any]:
    """Build the picture set ``preset`` into the new directory ``out``; returns its statistics.

    ``cache`` keeps the npm archives between builds. Nothing appears at ``out`` until the set is
    complete. ``on_progress(done, total, what)`` is called as packs are read and pictures drawn.

    Raises :class:`RequestError` for an unknown preset, :class:`StorageError` when ``out`` exists
    already, an archive is not the pinned one or nothing is left to write.
    """
    if preset not in PRESETS:
        raise RequestError(
            f"There is no data preset called {preset!r}.",
            hint="Presets: " + ", ".join(PRESETS) + ".",
        )
    if out.exists():
        raise StorageError(f"{out} exists already.", hint="Name another directory or remove it.")
    chosen = PRESETS[preset]
    emoji = load_emoji(cache)
    names = (*chosen.colour, *chosen.mono)
    packs: dict[str, LoadedPack] = {}
    for done, name in enumerate(names, start=1):
        packs[name] = load_pack(pack_named(name), cache)
        if on_progress is not None:
            on_progress(done, len(names), "read packs")
    # The judge's packs list no code points; a training pack's names for them are the same.
    codes = [p.chars for p in packs.values()] + [load_pack(pack_named("noto"), cache).chars]
    return make_set(
        out,
        preset=chosen,
        packs=packs,
        emoji=emoji,
        chars=codes,
        glyphs=load_glyphs(),
        on_progress=on_progress,
    )


def make_set(
    out: Path,
    *,
    preset: Preset,
    packs: dict[str, LoadedPack],
    emoji: list[EmojiRecord],
    chars: Iterable[dict[str, str]],
    glyphs: Iterable[GlyphChoice],
    on_progress: Progress | None = None,
) -> dict[str, Any]:
    """The building itself, from packs that are loaded already; see :func:`build_data`."""
    dropped: Counter[str] = Counter()
    colour = [packs[name] for name in preset.colour]
    mono = [packs[name] for name in preset.mono]

    entries = choose_emoji(
        colour,
        emoji,
        chars,
        min_packs=preset.min_packs,
        strict=preset.strict,
        dropped=dropped,
    )
    words = {entry.concept: entry.captions for entry in entries}
    if preset.strict:
        entries += choose_glyphs(mono, glyphs, emoji, words, dropped=dropped)
    else:
        entries += choose_loose(colour, mono, entries, dropped=dropped)
    entries = drop_exact_duplicates(entries, dropped)

    pictures = np.zeros((len(entries), PICTURE_SIZE, PICTURE_SIZE, 4), dtype=np.uint8)
    svgs = (entry.svg for entry in entries)
    render_all(svgs, pictures, total=len(entries), on_progress=on_progress)
    keep = choose_distinct(entries, pictures, dropped)
    rare = rare_ids([entries[i] for i in keep], preset.colour, preset.min_packs)
    keep = [i for i in keep if entries[i].id not in rare]
    dropped["in too few packs"] += len(rare)
    if not keep:
        raise StorageError(f"No picture is left for the preset {preset.name!r}.")
    entries = [entries[i] for i in keep]
    if preset.heldout:
        hold_out(entries, preset.unseen_per_mille)
    stats = count(entries, preset, dropped)
    write_set(out, entries, pictures[keep], stats)
    return stats


def hold_out(entries: list[Entry], unseen_per_mille: int = 0) -> None:
    """Mark what is kept from training, chosen by hash, in place.

    Whole subjects become ``unseen``; of the rest about 3 % of the (concept, style) cells become
    ``heldout``, where the concept keeps at least one picture to train on. What is drawn of the
    first says what a model makes of words alone, of the second whether style and subject part.
    """
    styles: dict[str, set[str]] = defaultdict(set)
    for entry in entries:
        styles[entry.concept].add(entry.style)
    for entry in sorted(entries, key=lambda entry: (entry.concept, entry.style)):
        left = styles[entry.concept]
        cell = f"{entry.concept}|{entry.style}"
        if _lot(entry.concept) < unseen_per_mille:
            entry.split = "unseen"
        elif _lot(cell) < HELDOUT_PER_MILLE and (entry.style not in left or len(left) > 1):
            left.discard(entry.style)
            entry.split = "heldout"


def _lot(name: str) -> int:
    """0 to 999, always the same for a name."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") % 1000


def count(entries: list[Entry], preset: Preset, dropped: Counter[str]) -> dict[str, Any]:
    """What the set holds and what was left out, for ``stats.json``."""

    def tally(values: Iterable[str]) -> dict[str, int]:
        return dict(sorted(Counter(values).items()))

    return {
        "preset": preset.name,
        "pictures": len(entries),
        "concepts": len({entry.concept for entry in entries}),
        "packs": tally(entry.pack for entry in entries),
        "styles": tally(entry.style for entry in entries),
        "groups": tally((entry.group or "none").split("/")[0] for entry in entries),
        "splits": tally(entry.split for entry in entries),
        "dropped": dict(dropped.most_common()),
    }


def make_attribution(entries: list[Entry]) -> str:
    """Who drew the pictures and under which licence, pack by pack."""
    lines = ["# Attribution", "", "The pictures of this set come from:", ""]
    for name, pictures in sorted(Counter(entry.pack for entry in entries).items()):
        pack = pack_named(name)
        lines.append(
            f"- **{name}** {pack.version}: {pictures} pictures by {pack.author}, "
            f"{pack.licence}, <{pack.url}>"
        )
    lines += [
        "",
        "Pictures were set on a square canvas and drawn as pixels; nothing else was changed.",
        "Names and tags: emojibase-data (MIT) and Unicode CLDR (Unicode-3.0).",
        "",
    ]
    return "\n".join(lines)


def write_set(out: Path, entries: list[Entry], pictures: Pixels, stats: dict[str, Any]) -> None:
    """Write everything into a sibling directory, then rename it to ``out``."""
    partial = out.with_name(f".{out.name}.{os.getpid()}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        with (partial / "manifest.jsonl").open("w", encoding="utf-8") as lines:
            for entry in entries:
                lines.write(json.dumps(entry.manifest_line(), ensure_ascii=False) + "\n")
        with gzip.open(partial / "svg.jsonl.gz", "wt", encoding="utf-8") as lines:
            for entry in entries:
                lines.write(json.dumps({"id": entry.id, "svg": entry.svg}) + "\n")
        np.save(partial / f"pictures-{PICTURE_SIZE}.npy", pictures)
        (partial / "ATTRIBUTION.md").write_text(make_attribution(entries), encoding="utf-8")
        (partial / "stats.json").write_text(json.dumps(stats, indent=2) + "\n", encoding="utf-8")
        partial.rename(out)
    except OSError as error:
        raise StorageError(f"The picture set cannot be written to {out}: {error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
