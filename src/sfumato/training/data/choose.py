"""Candidates of a picture set: which drawings take part, what they are called, which go again.

Each ``choose_*`` reads packs that are loaded already and counts in ``dropped`` what it leaves
out and why. Nothing here reads or writes a file.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from sfumato.training.data.archives import Icon, LoadedPack
from sfumato.training.data.captions import (
    EmojiRecord,
    clean_icon_name,
    clean_phrase,
    is_good_phrase,
    make_captions,
    make_glyph_captions,
    make_slug,
    strip_selectors,
)
from sfumato.training.data.pictures import (
    Pixels,
    find_duplicates,
    make_fingerprints,
    make_square_svg,
)
from sfumato.training.data.subjects import (
    USELESS_CATEGORIES,
    VARIANT_WORDS,
    GlyphChoice,
    is_brand,
    refuse_emoji,
)

NEAR_DUPLICATE = 0.04
BLANK_COVERAGE = 0.01


@dataclass(slots=True, kw_only=True)
class Entry:
    """One picture of a set: a line of the manifest, and the SVG that it describes."""

    id: str
    pack: str
    icon: str
    concept: str
    group: str | None
    style: str
    captions: list[str]
    licence: str
    author: str
    split: str
    svg_sha256: str
    svg: str = field(repr=False)

    def manifest_line(self) -> dict[str, Any]:
        """The manifest's fields: everything but the SVG itself."""
        line = asdict(self)
        del line["svg"]
        return line


def make_entry(
    pack: LoadedPack,
    icon: Icon,
    *,
    concept: str,
    captions: list[str],
    group: str | None,
) -> Entry:
    """A picture of the set, still in the training split."""
    svg = make_square_svg(icon)
    return Entry(
        id=f"{pack.pack.name}:{icon.name}",
        pack=pack.pack.name,
        icon=icon.name,
        concept=concept,
        group=group,
        style=pack.pack.style,
        captions=captions,
        licence=pack.pack.licence,
        author=pack.pack.author,
        split="train",
        svg_sha256=hashlib.sha256(svg.encode("utf-8")).hexdigest(),
        svg=svg,
    )


def choose_emoji(
    packs: list[LoadedPack],
    emoji: list[EmojiRecord],
    chars: Iterable[dict[str, str]],
    *,
    min_packs: int,
    strict: bool,
    dropped: Counter[str],
) -> list[Entry]:
    """Every pack's drawing of every emoji that the rules keep, subject by subject."""
    names: dict[str, set[str]] = defaultdict(set)
    for table in chars:
        for hexcode, name in table.items():
            names[strip_selectors(hexcode)].add(name)
    kept = []
    for record in emoji:
        reason = refuse_emoji(record.label, record.subgroup, strict=strict)
        if reason is None:
            kept.append(record)
        else:
            dropped[reason] += 1
    captions = make_captions(kept)
    own = {record.hexcode: make_slug(record.label) for record in emoji}
    claimed = set(own.values())
    entries = []
    for record in kept:
        found = []
        for pack in packs:
            codes = {strip_selectors(code): name for code, name in pack.chars.items()}
            spellings = [codes.get(record.hexcode, ""), own[record.hexcode]]
            spellings += sorted(names[record.hexcode])
            # A pack can mislead: emojione calls its cricket bat "cricket".
            taken = claimed - {own[record.hexcode]}
            drawings = [icon for icon in map(pack.find, spellings) if icon is not None]
            icon = next((icon for icon in drawings if icon.name not in taken), None)
            if icon is not None:
                found.append(
                    make_entry(
                        pack,
                        icon,
                        concept=record.concept,
                        captions=captions[record.concept],
                        group=f"{record.group}/{record.subgroup}",
                    )
                )
        if len(found) < min_packs:
            dropped["in too few packs"] += len(found)
            continue
        entries += found
    return entries


def choose_glyphs(
    packs: list[LoadedPack],
    glyphs: Iterable[GlyphChoice],
    emoji: list[EmojiRecord],
    captions: dict[str, list[str]],
    *,
    dropped: Counter[str],
) -> list[Entry]:
    """The hand-picked glyphs, one a subject; an emoji of the same name lends name and words."""
    by_name = {pack.pack.name: pack for pack in packs}
    records = {clean_phrase(record.label): record for record in emoji}
    records |= {record.concept: record for record in emoji}
    entries: dict[str, Entry] = {}
    for choice in glyphs:
        pack = by_name.get(choice.pack)
        if pack is None:
            continue
        icon = pack.find(choice.icon)
        if icon is None:
            dropped["glyph not in its pack"] += 1
            continue
        record = records.get(clean_phrase(choice.subject))
        concept = record.concept if record else clean_phrase(choice.subject)
        if concept in entries:
            dropped["glyph of a subject drawn already"] += 1
            continue
        entries[concept] = make_entry(
            pack,
            icon,
            concept=concept,
            captions=make_glyph_captions(concept, (choice.subject, *choice.synonyms), captions),
            group=f"{record.group}/{record.subgroup}" if record else None,
        )
    return list(entries.values())


def choose_loose(
    colour: list[LoadedPack],
    mono: list[LoadedPack],
    taken: list[Entry],
    *,
    dropped: Counter[str],
) -> list[Entry]:
    """Every other drawing that is no brand, variant, letter or flag, named by its icon name."""
    used = {entry.id for entry in taken}
    groups = {entry.concept: entry.group for entry in taken}
    words = {entry.concept: entry.captions for entry in taken}
    emoji_packs = {entry.pack for entry in taken if entry.group is not None}
    entries = []
    for pack in (*colour, *mono):
        # What a true emoji pack holds beyond emojibase is skin tones, flags and other variants.
        if pack.pack.name in emoji_packs and pack.chars:
            continue
        suffix = {"ph": "-fill", "solar": "-bold"}.get(pack.pack.name, "")
        for icon in pack.icons.values():
            name = icon.name.removesuffix(suffix)
            subject = clean_icon_name(name)
            if not icon.name.endswith(suffix) or VARIANT_WORDS & set(name.split("-")):
                dropped["variant"] += 1
            elif is_brand(name):
                dropped["brand"] += 1
            elif USELESS_CATEGORIES & pack.categories.get(icon.name, set()):
                dropped["useless category"] += 1
            elif "flag" in name or "skin-tone" in name or not is_good_phrase(subject):
                dropped["flag, letter or unnamed"] += 1
            elif f"{pack.pack.name}:{icon.name}" not in used:
                captions = make_glyph_captions(subject, (), words)
                group = groups.get(subject)
                entries.append(
                    make_entry(pack, icon, concept=subject, captions=captions, group=group)
                )
    return entries


def drop_exact_duplicates(entries: list[Entry], dropped: Counter[str]) -> list[Entry]:
    """One entry for every SVG text and for every picture name; the shortest concept stays.

    Fluent draws "cat face" and "grinning cat" alike: the plainer name is the truer one.
    """
    svgs: set[str] = set()
    ids: set[str] = set()
    unique: set[int] = set()
    for index in sorted(range(len(entries)), key=lambda i: (len(entries[i].concept), i)):
        entry = entries[index]
        if entry.svg_sha256 in svgs or entry.id in ids:
            dropped["exact duplicate"] += 1
            continue
        svgs.add(entry.svg_sha256)
        ids.add(entry.id)
        unique.add(index)
    return [entry for index, entry in enumerate(entries) if index in unique]


def choose_distinct(entries: list[Entry], pictures: Pixels, dropped: Counter[str]) -> list[int]:
    """Indices of the pictures that show something and do not look like an earlier one."""
    coverage = pictures[..., 3].mean(axis=(1, 2)) / 255.0
    shown = [i for i in range(len(entries)) if coverage[i] >= BLANK_COVERAGE]
    dropped["blank"] += len(entries) - len(shown)
    duplicates = find_duplicates(make_fingerprints(pictures[shown]), NEAR_DUPLICATE)
    dropped["near duplicate"] += len(duplicates)
    return [index for place, index in enumerate(shown) if place not in duplicates]


def rare_ids(entries: list[Entry], colour: Iterable[str], min_packs: int) -> set[str]:
    """Pictures of colour subjects that fewer than ``min_packs`` colour packs draw."""
    names = set(colour)
    packs: dict[str, set[str]] = defaultdict(set)
    for entry in entries:
        if entry.pack in names:
            packs[entry.concept].add(entry.pack)
    return {
        entry.id
        for entry in entries
        if entry.pack in names and len(packs[entry.concept]) < min_packs
    }
