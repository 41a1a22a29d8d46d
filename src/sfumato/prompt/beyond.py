"""What a prompt asks for that no small model of flat drawings can do, said plainly.

Lettering, photographs, the faces of known people and words of other languages: each is taken out
where that leaves something to draw, and a note says so. Names are told from other words by their
capitals, so this reads the prompt as it was written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sfumato.models import ModelSpec
from sfumato.prompt import vocabulary as vocab
from sfumato.prompt.phrases import EMPTY, split_phrases
from sfumato.prompt.words import BREAK, PhraseBook, colour_at, match_longest, split_words

_QUOTED = r"[\"“”„«»]([^\"“”„«»]{1,80})[\"“”«»]"
_SAYING = r"(?:(?:that|which)\s+)?(?:say|says|saying|read|reads|reading|spelling|spells)"
_WITH_WORDS = (
    r"(?:with|and)\s+(?:the\s+|a\s+)?(?:big\s+|bold\s+)?"
    r"(?:words?|text|letters?|lettering|slogan|caption|initials|headline)"
)
_BEFORE_QUOTES = rf"(?:{_SAYING}|{_WITH_WORDS}|written|labelled|labeled)\s*:?\s*"
_LETTERING = (
    re.compile(rf"\s*\b{_BEFORE_QUOTES}{_QUOTED}", re.I),
    # without quotation marks the words go on to the next mark; "reading" alone may mean a book
    re.compile(
        rf"\s+(?:{_WITH_WORDS}|(?:that|which)\s+(?:says|reads)|saying)\s+([^,.;:!?\n]+)", re.I
    ),
)
# Nothing said before the marks: lettering beside a subject (``birthday card "For you"``), else the
# subject itself (``icon of "settings"``).
_ONLY_QUOTED = re.compile(rf"(?<!letter)(?<!letter )\s*{_QUOTED}")
_PHOTOGRAPH = re.compile(
    r"\b(?:photo(?:graph)?s?|snapshots?)\s+of\b"
    r"|\b(?:(?:photo|hyper|ultra)[-\s]?realistic|photorealism|photographic)\b,?",
    re.I,
)
_LIKENESS = re.compile(r"\b[Pp]ortrait|\b[Ll]ikeness|\b[Cc]aricature|\b[Ss]elfie|\b[Hh]eadshot")
_NAME = re.compile(
    r"\s+of\s+((?:[A-Z][\w’'.-]*)(?:\s+(?:(?:van|von|der|den|de|da|the)\s+)*[A-Z][\w’'.-]*)+)"
)
# English after all.
_BORROWED = re.compile(
    r"\s*(?:la|le|das|der|el|il|un|uno)\s+(?:croissant|niño|nino|card|flag|boot)\b"
)
_ASIDES = PhraseBook(
    vocab.FILLER_PHRASES | vocab.RELATION_PHRASES | {name for name in vocab.BADGES if " " in name}
)
_NAMES = vocab.COLOURED_NAMES | vocab.TINTED_NAMES | vocab.WHOLE_NAMES | vocab.NAMED_WHOLE
_LANGUAGE = (
    "{} reads English; it draws what it can from other languages. An English word for the subject "
    "works best."
)


@dataclass(frozen=True, slots=True)
class Beyond:
    """The prompt without what cannot be drawn, and a sentence for each thing left out."""

    text: str
    notes: tuple[str, ...]


def say_language(model: str) -> str:
    """The sentence for a prompt in another language than English."""
    return _LANGUAGE.format(model)


def leave_out(text: str, spec: ModelSpec) -> Beyond:
    """Take lettering, photographs and likenesses out of a prompt.

    Args:
        text: the prompt as it was written, capitals and quotation marks included.
        spec: the model, for its name and its words for styles.
    """
    model = spec.name
    text = " ".join(text.split())
    notes: list[str] = []
    if is_latin_foreign(text):
        notes.append(say_language(model))
    words: list[str] = []
    for pattern in _LETTERING:
        rest = pattern.sub(" ", text)
        if rest != text and has_words(rest):
            words += [found.strip() for found in pattern.findall(text)]
            text = rest
    rest = _ONLY_QUOTED.sub(" ", text)
    if rest != text and has_subject(rest, spec):
        words += [found.strip() for found in _ONLY_QUOTED.findall(text)]
        text = rest
    elif rest != text:
        text = _ONLY_QUOTED.sub(r" \1 ", text)
    if words:
        quoted = ", ".join(f"“{word}”" for word in words)
        notes.append(f"{model} draws flat pictures without lettering: leaving out {quoted}.")
    text, name = _without_name(text)
    if name:
        notes.append(
            f"{model} draws flat pictures and knows nobody's face: a person in place of “{name}”."
        )
    rest = _PHOTOGRAPH.sub(" ", text)
    if rest != text and has_words(rest):
        text = rest
        notes.append(f"{model} draws flat pictures, no photographs.")
    return Beyond(text, tuple(notes))


def has_words(text: str) -> bool:
    """Whether anything is left that could be drawn."""
    words = re.findall(r"[^\W\d_]{2,}", text.lower())
    return any(word not in {"an", "the", "of", "with", "and", "in", "on"} for word in words)


def has_subject(text: str, spec: ModelSpec) -> bool:
    """Whether there is something to draw beside what is around it: not in ``icon in a forest``."""
    styles = {**spec.style_words, **dict.fromkeys(spec.styles, "")}
    return any(
        _names_subject(phrase, styles) for phrase in split_phrases(_ASIDES.join(split_words(text)))
    )


def _names_subject(words: Sequence[str], styles: Mapping[str, str]) -> bool:
    """The same for one phrase, up to the word that begins a scene."""
    at = 0
    while at < len(words):
        word = words[at]
        style = match_longest(words, at, styles)[0]
        colour = 0 if word in vocab.THINGS_BEFORE_COLOURS else colour_at(words, at)[0]
        if style or colour:
            at += max(style, colour)
            continue
        is_framed = at > 0 and words[at - 1] in vocab.FRAMES and word in vocab.FRAME_LINKS
        if word in vocab.CUTS and not is_framed:
            return False
        if word not in EMPTY | vocab.BADGES.keys():
            return True
        at += 1
    return False


def is_latin_foreign(text: str) -> bool:
    """Whether the prompt begins as a noun phrase of another language in Latin letters does."""
    first, _, rest = text.strip().partition(" ")
    return (
        first.lower() in vocab.ARTICLES_ELSEWHERE
        and bool(rest.strip())
        and not _BORROWED.match(text.lower())
    )


def _without_name(text: str) -> tuple[str, str]:
    """The text with a portrayed person's name as "a person", and that name; "" where none is."""
    asked = _LIKENESS.search(text)
    found = _NAME.match(text, asked.end()) if asked else None
    # "Portrait Of Red Fox": capitals say nothing
    if found is None or text.istitle() or _is_thing(found[1]):
        return text, ""
    return f"{text[: found.start(1)]}a person{text[found.end(1) :]}", found[1]


def _is_thing(name: str) -> bool:
    """Whether capitals name an animal, a place or a known thing: ``Mount Fuji``, ``Red Fox``."""
    words = [word for word in split_words(name) if word != BREAK]
    *front, last = words
    if " ".join(words) in _NAMES or last in vocab.NAMED_LAST or front[0] in vocab.NAMED_FIRST:
        return True
    is_described = all(colour_at([word], 0)[0] or word in vocab.DESCRIBING for word in front)
    return last in vocab.SURNAMES and is_described
