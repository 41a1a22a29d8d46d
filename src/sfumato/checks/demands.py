"""What words demand beyond subject and colour: how many, lettering, tiling, symmetry.

The planner leaves these out, since no small model obeys them; the checks that read them here say
whether the picture does. Where the words leave room for doubt, nothing was demanded: a check that
guesses is a check that people switch off.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Literal

from sfumato.prompt import vocabulary as vocab
from sfumato.prompt.phrases import split_phrases
from sfumato.prompt.surroundings import emblem_at, ground_at
from sfumato.prompt.words import PhraseBook, colour_at, singular, split_words

__all__ = ["Symmetry", "asked_count", "asked_lettering", "asked_symmetry", "asks_to_tile"]

Symmetry = Literal["left-right", "top-bottom", "both", "rotational"]

MAX_COUNT = 24
_MAX_LETTERING = 60  # characters: more in quotes is a quotation, not a sign
_MAX_BETWEEN = 4  # "three very small round red apples"

_NUMBERS = {
    **{"one": 1, "single": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7},
    **{"eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "dozen": 12},
    **{"couple of": 2, "pair of": 2, "trio of": 3, "set of": None, "group of": None},
}
_NUMBER_PHRASES = PhraseBook(
    {phrase for phrase in _NUMBERS if " " in phrase} | vocab.RELATION_PHRASES
)
_SAME_IN_PLURAL = {"fish", "sheep", "deer", "moose", "swine", "bison", "salmon", "trout", "squid"}
# "a two-tone logo in three colours": these are counted but not drawn one by one
_NOT_DRAWN = {
    *("colours", "colors", "tones", "shades", "hues", "points", "sides", "steps", "layers"),
    *("styles", "lines", "strokes", "times", "years", "days", "hours", "minutes", "degrees"),
    *("dimensions", "pixels", "inches", "words", "letters", "corners", "legs", "arms", "eyes"),
    *("wings", "petals", "leaves", "rays", "stripes", "columns", "rows"),
}
_CONTAINERS = vocab.FRAMES_WITH_OF | {"set of", "group of", "pattern", "trio of"}

_QUOTED = re.compile(r'"([^"]+)"|“([^”]+)”|„([^“”]+)[“”]|«([^»]+)»')
_SAYS = r"(?:says?|saying|reads?|reading|spells?|spelling|words?|text|lettering|letters?|caption"
_SAYS += r"|captioned|titled?|labell?ed|inscribed|inscription|slogan|called|named)"
_SINGLE_QUOTED = re.compile(rf"\b{_SAYS}:?\s+(?:with\s+)?['‘]([^'’]+)['’]", re.IGNORECASE)
_IN_CAPITALS = re.compile(rf"\b(?i:{_SAYS}):?\s+((?:[A-Z0-9]+\b(?: & |[ &-])?)+)(?<![ &-])")

_TILES = re.compile(
    r"\b(?:seamless(?:ly)?|tile?able|tiling|repeat(?:ing)? (?:pattern|texture|background|wallpaper)"
    r"|endless (?:pattern|texture)|(?:pattern|texture) that (?:tiles|repeats))\b"
)
_SYMMETRIC = re.compile(
    r"\b(?<!not )(?<!no )(?<!without )(?<!nearly )symmetr(?:ic(?:al)?|ically|y)\b"
)
_TURNED = re.compile(r"\b(?:radial|rotational|point|circular)(?:ly)?[ -]symmetr")
_ACROSS = re.compile(r"\bhorizontal(?:ly)?[ -]symmetr|\btop[ -](?:to[ -])?bottom[ -]symmetr")
_TWICE = re.compile(r"\b(?:both (?:axes|ways|sides)|four-?fold|4-?fold|all sides)\b")


def asked_count(prompt: str) -> int | None:
    """How many subjects the words ask for, 1 to 24; None where they name no number.

    ``three apples`` is 3, ``a fox and two rabbits`` is 3, ``five pointed star`` is None, and so is
    everything placed in a scene (``three cats in a basket``), where subjects need not stand apart.
    """
    words = split_words(unicodedata.normalize("NFKC", prompt))
    words = _NUMBER_PHRASES.join(_without_surroundings(words))
    counts = [_count_of(phrase) for phrase in split_phrases(words)]
    named = [count for count in counts if count]
    if len(named) != 1 or any(count == 0 for count in counts):
        return None
    return named[0] if named[0] <= MAX_COUNT else None


def asked_lettering(prompt: str) -> tuple[str, ...]:
    """The texts that should be readable in the picture: what is quoted, or ``the word OPEN``."""
    found = [next(filter(None, groups)) for groups in _QUOTED.findall(prompt)]
    found += _SINGLE_QUOTED.findall(prompt)
    if not found:
        found = _IN_CAPITALS.findall(prompt)
    texts = (" ".join(text.split()) for text in found)
    outside = _QUOTED.sub("", prompt).strip(" .,;:!?")
    if not outside:
        return ()  # the whole prompt was typed in quotes
    return tuple(text for text in texts if text and len(text) <= _MAX_LETTERING)


def asks_to_tile(prompt: str) -> bool:
    """Whether the picture should repeat without a seam."""
    return _TILES.search(_plain(prompt)) is not None


def asked_symmetry(prompt: str) -> Symmetry | None:
    """Which symmetry the words ask for: left-right unless they say another; None for none."""
    plain = _plain(prompt)
    if _SYMMETRIC.search(plain) is None:
        return None
    if _TURNED.search(plain):
        return "rotational"
    if _TWICE.search(plain):
        return "both"
    return "top-bottom" if _ACROSS.search(plain) else "left-right"


def _plain(prompt: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", prompt).lower().split())


# ---------------------------------------------------------------- counting words


def _without_surroundings(words: Sequence[str]) -> list[str]:
    """The words without "on a blue shield" and "on white": those are not subjects."""
    kept: list[str] = []
    at = 0
    while at < len(words):
        length = emblem_at(words, at, has_before=bool(kept))[0] or ground_at(words, at)[0]
        if not length:
            kept.append(words[at])
        at += length or 1
    return kept


def _count_of(phrase: Sequence[str]) -> int | None:
    """Subjects of one phrase; None: no number in it; 0: a number, but no telling of what."""
    if not any(_number(word) for word in phrase):
        return None
    total, explicit = 0, False
    for part in _conjuncts(phrase):
        at = next((at for at, word in enumerate(part) if _number(word)), None)
        if at is None:
            if not {"a", "an"} & set(part):
                return 0  # "salt and two eggs"
            total += 1
            continue
        number = _number(part[at])
        noun = _noun_after(part, at, number)
        if noun is None:
            return None if len(part) == len(phrase) else 0
        in_scene = any(word in vocab.CUTS for word in (*part[:at], *part[noun:]))
        in_bowl = at > 0 and part[at - 1] == "of" and not _CONTAINERS & set(part[:at])
        if in_scene or in_bowl:
            return 0
        total += number
        explicit = True
    return total if explicit else 0


def _conjuncts(words: Sequence[str]) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for word in words:
        if word in vocab.JOINS:
            parts.append([])
        else:
            parts[-1].append(word)
    return [part for part in parts if part]


def _number(word: str) -> int:
    """The number a word is, 0 for none."""
    if word.isascii() and word.isdigit() and len(word) <= 3:
        return int(word)
    return _NUMBERS.get(word) or 0


def _noun_after(words: Sequence[str], at: int, number: int) -> int | None:
    """Index of the counted noun, a plural unless one is asked for; None where there is none."""
    for index in range(at + 1, min(len(words), at + 2 + _MAX_BETWEEN)):
        word = words[index]
        if word in vocab.CUTS or word in _NOT_DRAWN or f"{word}s" in _NOT_DRAWN:
            return None
        if colour_at(words, index)[0] or word in vocab.FILLERS:
            continue
        if number == 1:
            return index
        if singular(word) != word or word in _SAME_IN_PLURAL:
            return index
    return None
