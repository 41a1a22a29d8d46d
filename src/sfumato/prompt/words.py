"""From text to words: emoji to names, splitting, keeping compound names whole, colours, plurals."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

from sfumato.colours import COLOUR_NAMES, parse_colour
from sfumato.errors import RequestError
from sfumato.prompt import vocabulary as vocab

BREAK = ","

_TOKEN = re.compile(
    r"#(?:[0-9a-f]{6}|[0-9a-f]{3})(?![0-9a-z])"  # a colour's code
    r"|[^\W_]+(?:[-'’][^\W_]+)*"  # a word, "t-rex" and "witch's" in one piece
    r"|[&+]"
    r"|[^\w\s&+#'’_-]"  # any other mark ends a phrase
)
_SPLIT_SUFFIX = re.compile(r"(?<=\w)-(?=(?:shaped|coloured|colored|style|styled)\b)")
_LAST_WORDS_OF_COLOURS = frozenset(name.split()[-1] for name in COLOUR_NAMES)
_LONGEST_COLOUR = 3


def translate_emoji(text: str) -> str:
    """Emoji become their English names; joiners, selectors and flags' letters are dropped.

    An emoji begins a phrase of its own (``my cat ❤``), except after a colour or a number
    (``red 🦊``, ``3 🦊``) and where it is joined to another (``🦊 and 🐰``).
    """
    pieces: list[str] = []
    word, spaced = "", True  # the word just before, and whether it has ended
    for character in text:
        code = ord(character)
        if code in (0xFE0E, 0xFE0F, 0x200D) or 0x1F3FB <= code <= 0x1F3FF:
            continue
        name = emoji_name(character) if code >= 0x2190 else ""
        if name:
            before = word.lower()
            joined = before in vocab.ANDS or count_of(before) or colour_at([before], 0)[0]
            starts = "" if joined else f" {BREAK}"
            pieces.append(f"{starts} {name} ")
            word = name
        elif unicodedata.category(character) == "So":
            pieces.append(" ")
        else:
            pieces.append(character)
            if character.isspace():
                spaced = True
            else:
                word = character if spaced else word + character
                spaced = False
    return "".join(pieces)


def emoji_name(character: str) -> str:
    """What a person would call one emoji: ``🦊`` is "fox"; empty for all other characters."""
    if unicodedata.category(character) != "So":
        return ""
    name = unicodedata.name(character, "").lower().removesuffix(" sign")
    if name.startswith("regional indicator"):
        return ""
    animal, _, face = name.partition(" ")
    if face == "face" and animal in vocab.WHOLE_FACES:
        return animal
    return vocab.EMOJI_NAMES.get(name, name)


def is_mostly_foreign(text: str) -> bool:
    """Whether more than half of the letters lie outside ASCII."""
    letters = [character for character in text if character.isalpha()]
    return sum(not letter.isascii() for letter in letters) * 2 > len(letters)


def split_words(text: str) -> list[str]:
    """Lower-case words of a prompt, ``BREAK`` for each run of punctuation."""
    plain = text.lower().replace("_", " ")
    words: list[str] = []
    for token in _TOKEN.findall(_SPLIT_SUFFIX.sub(" ", plain)):
        is_word = token[0].isalnum() or token[0] in "#&+"
        if is_word:
            words.append(token)
        elif words and words[-1] != BREAK:
            words.append(BREAK)
    return words


class PhraseBook:
    """Phrases that are found among words and joined to one word each, the longest first."""

    def __init__(self, phrases: Iterable[str]) -> None:
        self._by_first: dict[str, list[tuple[str, ...]]] = {}
        for phrase in sorted(phrases, key=lambda phrase: (-len(phrase.split()), phrase)):
            parts = tuple(phrase.split())
            self._by_first.setdefault(parts[0], []).append(parts)

    def join(self, words: Sequence[str]) -> list[str]:
        """The same words with every known phrase as one item: ``["polar bear", "logo"]``."""
        joined: list[str] = []
        at = 0
        while at < len(words):
            parts = next(
                (
                    parts
                    for parts in self._by_first.get(words[at], ())
                    if tuple(words[at : at + len(parts)]) == parts
                ),
                (words[at],),
            )
            joined.append(" ".join(parts))
            at += len(parts)
        return joined


def match_longest(words: Sequence[str], at: int, table: Mapping[str, str]) -> tuple[int, str]:
    """How many words from ``at`` on are a key of ``table`` and its value; ``(0, "")`` for none."""
    for count in (3, 2, 1):
        value = table.get(" ".join(words[at : at + count]))
        if value is not None and at + count <= len(words):
            return count, value
    return 0, ""


def colour_at(words: Sequence[str], at: int) -> tuple[int, str]:
    """How many words from ``at`` on name a colour and its ``#rrggbb``; ``(0, "")`` for none."""
    for count in range(min(_LONGEST_COLOUR, len(words) - at), 0, -1):
        last = words[at + count - 1]
        if last not in _LAST_WORDS_OF_COLOURS and not last.startswith("#"):
            continue
        try:
            return count, parse_colour(" ".join(words[at : at + count]))
        except RequestError:
            continue
    return 0, ""


def count_of(word: str) -> int:
    """The number that a word or digits say; 0 where they say none, or one nobody could count."""
    if word.isascii() and word.isdecimal() and len(word) <= 4:
        return int(word)
    return vocab.NUMBERS.get(word, 0)


def singular(word: str) -> str:
    """One of what ``word`` names several of; a word that is not a plural comes back unchanged."""
    *front, last = word.split(" ")
    if last in vocab.SINGULARS:
        last = vocab.SINGULARS[last]
    elif last.endswith("men") and len(last) > 4 and last not in vocab.ONE_THING_IN_MEN:
        last = last[:-3] + "man"  # snowmen, firemen
    elif last in vocab.ONE_THING_IN_S or len(last) < 4 or not last.endswith("s"):
        pass
    elif last.endswith("ies"):
        last = last[:-3] + "y"
    elif last.endswith(("ches", "shes", "sses", "xes", "zes", "oes")):
        last = last[:-2]
    elif not last.endswith(("ss", "us", "is")):
        last = last[:-1]
    return " ".join((*front, last))
