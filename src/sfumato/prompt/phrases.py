"""Questions about a run of words: is there a subject in it, where does it begin and end?"""

from __future__ import annotations

from collections.abc import Sequence

from sfumato.prompt import vocabulary as vocab
from sfumato.prompt.words import BREAK, colour_at

# Words that are never a subject beside one that could be.
EMPTY = (
    vocab.ARTICLES
    | vocab.FILLERS
    | vocab.FILLER_PHRASES
    | vocab.FRAMES
    | vocab.FRAME_LINKS
    | vocab.CUTS
    | vocab.JOINS
    | vocab.ASKING
    | vocab.GROUND_NOUNS
    | {BREAK, "style", "styled", "look", "shaped", "colour", "color"}
)

# Relations that join nothing to a thing but scenery, dress or a purpose.
_AROUND = vocab.CUTS - vocab.LINKS.keys() - vocab.PLACES.keys() - vocab.ARRANGEMENTS.keys()


def has_content(words: Sequence[str]) -> bool:
    """Whether any of the words could be a subject."""
    return any(word not in EMPTY for word in words)


def keep_content(shorter: list[str], longer: list[str]) -> list[str]:
    """``shorter``, unless nothing that could be a subject is left in it."""
    return shorter if has_content(shorter) or (not has_content(longer) and shorter) else longer


def split_phrases(words: Sequence[str]) -> list[list[str]]:
    """The runs of words between marks; empty ones where marks follow one another."""
    segments: list[list[str]] = [[]]
    for word in words:
        if word == BREAK:
            segments.append([])
        else:
            segments[-1].append(word)
    return segments


def ends(words: Sequence[str], at: int) -> bool:
    """Whether a phrase ends at ``at``: nothing follows, or a mark or a relation does."""
    return at >= len(words) or words[at] == BREAK or words[at] in vocab.CUTS | vocab.JOINS


def begins_scene(words: Sequence[str], at: int) -> bool:
    """Whether the noun phrase ends before ``at``: a relation, or something the subject does."""
    word = words[at]
    return word in vocab.CUTS or (is_doing(word) and words[at - 1] not in vocab.DOERS)


def is_doing(word: str) -> bool:
    """Whether a word says what somebody does: ``breathing``, but not ``king`` or ``building``."""
    return word.endswith("ing") and len(word) > 5 and word not in vocab.NOUNS_IN_ING


def is_around(phrase: Sequence[str]) -> bool:
    """Whether a phrase says what is around a thing or on it: ``in a forest``, ``with a hat``."""
    return bool(phrase) and phrase[0] in _AROUND


def drop_purposes(phrases: Sequence[list[str]]) -> list[list[str]]:
    """Without ``for a book cover``, where another phrase can be a subject."""
    drawn = [phrase for phrase in phrases if phrase[:1] != ["for"]]
    has_subject = any(has_content(one) and not is_colours(strip_front(one)) for one in drawn)
    return drawn if has_subject else list(phrases)


def is_picture_for(words: Sequence[str]) -> bool:
    """Whether one picture is asked for and then for what: ``logo for a coffee shop and bakery``."""
    if "for" not in words:
        return False
    before = words[: words.index("for")]
    is_one = not before or (before[-1] in vocab.FRAMES and not before[-1].endswith("s"))
    return is_one and not has_content(before)


def is_colours(words: Sequence[str]) -> bool:
    """Whether the words name a colour and nothing else."""
    at = 0
    while at < len(words):
        length = colour_at(words, at)[0]
        if not length and words[at] not in vocab.JOINS | vocab.GROUND_FILLERS:
            return False
        at += length or 1
    return bool(words) and bool(colour_at(words, 0)[0])


def _frame_length(words: Sequence[str], start: int) -> int:
    """Words of "logo of", "vector drawing of", "industrial design of" at ``start``; 0 for none."""
    at = start
    while at < min(start + 2, len(words)) and not (
        words[at] in EMPTY | vocab.FRAMES_WITH_OF or colour_at(words, at)[0]
    ):
        at += 1  # "concept" of "concept art of"
    first = at
    while at < min(first + 3, len(words)) and words[at] in vocab.FRAMES_WITH_OF:
        at += 1
    links = vocab.FRAME_LINKS if first == start else {"of"}
    is_frame = first < at < len(words) - 1 and words[at] in links
    return at + 1 - start if is_frame else 0


def _is_asked_for(words: Sequence[str], at: int) -> bool:
    """Whether the "us" at ``at`` is ours, as in "draw us a map", and not that of a "US map"."""
    following = words[at + 1]
    begins = following in vocab.ARTICLES or following in vocab.NUMBERS or following.isdecimal()
    return at > 0 and words[at - 1] in vocab.ASKING and begins


def strip_front(words: Sequence[str]) -> list[str]:
    """Drop articles, requests, praise and framing before the noun phrase."""
    at = 0
    while at < len(words) - 1:
        word, following = words[at], words[at + 1]
        framed = _frame_length(words, at)
        if framed:
            at += framed
        elif (
            word in vocab.ARTICLES
            or (word in vocab.ASKING and (word != "us" or _is_asked_for(words, at)))
            or word in vocab.FILLERS
            or word in vocab.FRAME_LINKS
            or word in vocab.CUTS
            or word in vocab.JOINS
            or (word in vocab.LEADING_FRAMES and following not in vocab.FRAMES)
        ):
            at += 1
        else:
            break
    return list(words[at:])
