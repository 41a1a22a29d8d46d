"""What a picture is called: one name for a subject in every pack, then synonyms, then tags.

Names come from emojibase (labels, tags, shortcodes) and Unicode CLDR (keywords), cleaned and
ordered so that the first phrase says exactly what is drawn and the last ones only hint at it.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sfumato.errors import StorageError
from sfumato.training.data.archives import fetch_archive, read_json
from sfumato.training.data.packs import CLDR, EMOJIBASE
from sfumato.training.data.subjects import split_words

MAX_CAPTIONS = 8
MAX_WORDS = 5

# Unicode's names are for software; these are what a person would write.
PLAIN_NAMES: dict[str, str] = {
    "person: beard": "bearded person",
    "hot beverage": "coffee cup",
    "ear of corn": "corn",
    "lady beetle": "ladybug",
    "steaming bowl": "bowl of ramen",
    "shallow pan of food": "paella",
    "pot of food": "pot of stew",
    "rescue worker’s helmet": "rescue helmet",
    "man’s shoe": "formal shoe",
    "woman’s hat": "sun hat",
    "woman’s clothes": "blouse",
    "automobile": "car",
    "locomotive": "steam locomotive",
    "mantelpiece clock": "mantel clock",
    "hourglass done": "hourglass",
    "high voltage": "lightning bolt",
    "building construction": "construction site",
    "globe showing Americas": "earth globe",
    "pool 8 ball": "billiard ball",
    "game die": "dice",
    "framed picture": "framed painting",
    "speaker high volume": "loudspeaker",
    "loudspeaker": "public address speaker",
    "optical disk": "compact disc",
    "locked": "padlock",
    "unlocked": "open padlock",
    "pick": "pickaxe",
    "magnifying glass tilted left": "magnifying glass",
    "closed mailbox with raised flag": "mailbox",
    "notebook with decorative cover": "notebook",
    "wastebasket": "trash can",
    "headstone": "gravestone",
    "leafy green": "lettuce",
    "night with stars": "starry night",
    "fire engine": "fire truck",
    "sport utility vehicle": "suv",
    "person in lotus position": "person meditating",
    "person biking": "cyclist",
    "person surfing": "surfer",
    "person running": "runner",
    "person golfing": "golfer",
    "person lifting weights": "weightlifter",
    "person juggling": "juggler",
    "person fencing": "fencer",
    "person climbing": "climber",
    "person swimming": "swimmer",
    "fork and knife with plate": "plate with fork and knife",
    "1st place medal": "gold medal",
    "2nd place medal": "silver medal",
    "3rd place medal": "bronze medal",
    "alien monster": "space invader",
    "sauropod": "long-necked dinosaur",
    "honeybee": "bee",
    "cheese wedge": "cheese",
    "rolled-up newspaper": "newspaper",
    "bullseye": "target",
    "folding hand fan": "hand fan",
    "vertical traffic light": "traffic light",
    "enraged face": "red angry face",
    "custard": "pudding",
    "flag in hole": "golf flag",
    "billed cap": "baseball cap",
    "ringed planet": "saturn",
    "satellite antenna": "satellite dish",
    "collision": "explosion",
    "pouting cat": "angry cat",
    "wrapped gift": "gift box",
    "postal horn": "post horn",
    "high-heeled shoe": "high heel",
    "performing arts": "theatre masks",
    "carpentry saw": "saw",
    "martial arts uniform": "karate uniform",
    "one-piece swimsuit": "swimsuit",
    "mobile phone": "smartphone",
    "motor scooter": "scooter",
    "musical keyboard": "piano keyboard",
}

# Words that say nothing about what is in the picture.
EMPTY_TAGS = split_words("""
face symbol sign object emotion animal food emoji thing person people man woman body color colour
place building tool drink clothing vehicle vehicles nature weather sport japanese japan
celebration entertainment the and of travel plant fruit vegetable game geometric happy eye mouth
open smile sad love music office restaurant adult human lol omg haha hehe lmao rofl hi ok yes no
tada yolo bae ily xoxo bff wtf smh tbh idk iykyk 100 af btw fail fyi gg yay
""")

_WORD = re.compile(r"[a-z0-9]+(?:[-'’][a-z0-9]+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class EmojiRecord:
    """One emoji: its hexcode without variation selectors, label, place in the tree, other names."""

    hexcode: str
    label: str
    group: str
    subgroup: str
    tags: tuple[str, ...]
    shortcodes: tuple[str, ...]
    keywords: tuple[str, ...]

    @property
    def concept(self) -> str:
        """The subject's canonical lower-case English name."""
        return clean_phrase(PLAIN_NAMES.get(self.label, self.label))


def make_slug(label: str) -> str:
    """Iconify's spelling of a label: ``woman’s hat`` to ``womans-hat``, plain ASCII."""
    plain = unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode("ascii")
    return re.sub(r"[^a-z0-9]+", "-", plain.lower().replace("'", "")).strip("-")


def strip_selectors(hexcode: str) -> str:
    """A hexcode in lower case without variation selectors, so that packs agree on it."""
    return "-".join(part for part in hexcode.lower().split("-") if part not in {"fe0f", "fe0e"})


def clean_phrase(text: str) -> str:
    """Lower case, plain apostrophes, hyphens kept inside words, no marks, single spaces."""
    text = unicodedata.normalize("NFC", text.lower()).replace("’", "'").replace("_", " ")
    text = re.sub(r"[^\w\s'-]", " ", text)
    return " ".join(text.split())


def clean_icon_name(name: str) -> str:
    """An icon's name as words: ``wolf-head`` to ``wolf head``; counters and sizes are dropped."""
    words = [word for word in name.split("-") if not re.fullmatch(r"\d+|[a-z]", word)]
    return clean_phrase(" ".join(words))


def load_emoji(cache: Path) -> list[EmojiRecord]:
    """Every emoji that emojibase puts into a group, with CLDR's English keywords."""
    emojibase, cldr = fetch_archive(EMOJIBASE, cache), fetch_archive(CLDR, cache)
    data = read_json(emojibase, "en/data.json")
    groups = read_json(emojibase, "meta/groups.json")
    annotations = read_json(cldr, "annotations/en/annotations.json")
    if not data or not groups or not annotations:
        raise StorageError("The emoji names are incomplete in the cached archives.")
    shortcodes = [
        read_json(emojibase, f"en/shortcodes/{name}.json") or {}
        for name in ("github", "emojibase", "joypixels")
    ]
    return parse_emoji(data, groups, shortcodes, annotations["annotations"]["annotations"])


def parse_emoji(
    data: Iterable[Mapping[str, Any]],
    groups: Mapping[str, Mapping[str, str]],
    shortcodes: Iterable[Mapping[str, Any]],
    annotations: Mapping[str, Mapping[str, list[str]]],
) -> list[EmojiRecord]:
    """Join emojibase's records, its shortcodes and CLDR's keywords by emoji."""
    tables = list(shortcodes)
    records = []
    for entry in data:
        if entry.get("group") is None:
            continue
        codes: list[str] = []
        for table in tables:
            found = table.get(entry["hexcode"], [])
            codes.extend([found] if isinstance(found, str) else found)
        emoji = entry["emoji"].replace("\ufe0f", "")
        records.append(
            EmojiRecord(
                hexcode=strip_selectors(entry["hexcode"]),
                label=entry["label"],
                group=groups["groups"][str(entry["group"])],
                subgroup=groups["subgroups"][str(entry["subgroup"])],
                tags=tuple(entry.get("tags", ())),
                shortcodes=tuple(codes),
                keywords=tuple(annotations.get(emoji, {}).get("default", ())),
            )
        )
    return records


def is_good_phrase(text: str) -> bool:
    """Whether a phrase can stand for a subject: words, not empty, not codes or slang."""
    words = text.split()
    if not words or len(words) > MAX_WORDS or len(text) < 3 or text in EMPTY_TAGS:
        return False
    return all(_WORD.fullmatch(word) for word in words) and not re.search(r"\d", text)


def make_captions(records: Iterable[EmojiRecord]) -> dict[str, list[str]]:
    """Captions by concept, best first: canonical name, label, shortcode names, then tags.

    A tag is kept only when it points at few subjects (at most three) and is not itself another
    subject's name: ``animal`` on a fox teaches nothing, ``cat`` on a lion teaches a mistake.
    """
    known = list(records)
    names = {record.concept for record in known} | {clean_phrase(r.label) for r in known}
    tags_of = {
        record.hexcode: [clean_phrase(tag) for tag in (*record.tags, *record.keywords)]
        for record in known
    }
    spread = Counter(tag for tags in tags_of.values() for tag in set(tags))
    captions: dict[str, list[str]] = {}
    for record in known:
        own = {record.concept, clean_phrase(record.label)}
        synonyms = [clean_phrase(code) for code in record.shortcodes]
        phrases = [record.concept, clean_phrase(record.label)]
        phrases += [s for s in synonyms if is_good_phrase(s) and s not in names - own]
        for tag in tags_of[record.hexcode]:
            if is_good_phrase(tag) and tag not in names - own and spread[tag] <= 3:
                phrases.append(tag)
        captions[record.concept] = list(dict.fromkeys(phrases))[:MAX_CAPTIONS]
    return captions


def make_glyph_captions(
    subject: str, synonyms: Iterable[str], emoji_captions: Mapping[str, list[str]]
) -> list[str]:
    """Captions of a one-colour glyph: its subject, its synonyms, then the emoji's own words."""
    phrases = [clean_phrase(subject), *(clean_phrase(word) for word in synonyms)]
    phrases += emoji_captions.get(phrases[0], [])
    return list(dict.fromkeys(phrases))[:MAX_CAPTIONS]
