"""What stands around the subject: an emblem's shape, the ground, and colours for both."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np

from sfumato.colours import ground_colour, parse_colour, rgb_of, srgb_to_oklab
from sfumato.prompt import vocabulary as vocab
from sfumato.prompt.phrases import EMPTY, ends
from sfumato.prompt.words import BREAK, colour_at

SHAPES = {**vocab.SHAPES, **dict.fromkeys(vocab.ROUNDED_PHRASES, "rounded")}


def emblem_at(words: Sequence[str], start: int, *, has_before: bool) -> tuple[int, str, str | None]:
    """Length, shape and colour of an emblem phrase that begins at ``start``; length 0: none."""
    at = start
    placed = words[at] if words[at] in vocab.ON_SHAPE else None
    at += placed is not None
    at += at < len(words) and placed is not None and words[at] in vocab.ARTICLES
    colour: str | None = None
    for _ in range(4):
        if at < len(words) and words[at] in vocab.GROUND_FILLERS:
            at += 1
        elif (length := colour_at(words, at)[0]) and colour is None:
            colour = colour_at(words, at)[1]
            at += length
    shape = SHAPES.get(words[at]) if at < len(words) else None
    at += shape is not None
    nouns_from = at
    while at < len(words) and (
        words[at] in vocab.BADGES or (shape and words[at] in {"shaped", *vocab.SHAPE_NOUNS})
    ):
        shape = shape or vocab.BADGES[words[at]]
        at += 1
    if shape is None or (at < len(words) and words[at] not in EMPTY):
        return 0, "", None
    if placed is not None:
        meant = placed != "with" or at > nouns_from or shape == "sunburst"
    else:
        followed = at < len(words) and words[at] in vocab.FRAME_LINKS - {"for"} | {BREAK}
        meant = at > nouns_from and (has_before or followed)
    return (at - start, shape, colour) if meant else (0, "", None)


def ground_at(words: Sequence[str], start: int) -> tuple[int, str]:
    """Length and ground of a phrase that begins at ``start``; length 0: none there."""
    at = start
    placed = words[at] in {"on", "against", "over", "with", "in", "and", "in front of"}
    at += placed
    at += placed and at < len(words) and words[at] in vocab.ARTICLES
    ground = ""
    first = at
    while at < len(words) and at - first < 6 and words[at] not in vocab.GROUND_NOUNS:
        length, colour = colour_at(words, at)
        if length:
            ground = ground or ground_colour(words[at], colour)
            at += length
        elif words[at] in vocab.CLEAR_WORDS:
            ground = "transparent"
            at += 1
        elif words[at] in vocab.GROUND_TONES:
            ground = ground or parse_colour(vocab.GROUND_TONES[words[at]])
            at += 1
        elif words[at] in vocab.GROUND_FILLERS | vocab.ARTICLES:
            at += 1
        else:
            break
    if at < len(words) and words[at] in vocab.GROUND_NOUNS:
        at += 1
        if ground:
            return at - start, ground
        at += at < len(words) and words[at] in {BREAK, "is"}  # "background: blue"
        length, colour = colour_at(words, at)
        return (at + length - start, ground_colour(words[at], colour)) if length else (0, "")
    is_bare = words[start] in {"on", "against"} and ground and at > first
    return (at - start, ground) if is_bare and ends(words, at) else (0, "")


def ground_for(subject: str, tint: str | None) -> str:
    """An emblem's colour when none is named: far from the tint, else dealt out by the subject."""
    if tint is None:
        return vocab.PALE_GROUNDS[zlib.crc32(subject.encode()) % len(vocab.PALE_GROUNDS)]
    own = srgb_to_oklab(np.array(rgb_of(tint), np.float64))
    grounds = vocab.DEEP_GROUNDS if own[0] > 0.72 else vocab.PALE_GROUNDS
    palette = srgb_to_oklab(np.array([rgb_of(ground) for ground in grounds], np.float64))
    return grounds[int(((palette - own) ** 2).sum(axis=-1).argmax())]
