"""BERT's tokenizer: words to pieces to ids, for the built-in text encoder.

The `tokenizers` package does this too, but brings a download client and its network stack, 46 MB,
into a program that promises to need no network. Sixty lines do what one model needs; a test holds
them against that package.

Source: Devlin et al. 2018 (arXiv:1810.04805), section 3; Wu et al. 2016 (arXiv:1609.08144),
section 4.1 (greedy longest match).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

_DROPPED = frozenset({"Mn", "Cc", "Cf", "Co", "Cs"})  # accents, control characters, private use
_LONGEST_WORD = 100  # characters; anything longer is unknown, as in the original
# CJK ideographs: each is a word of its own
_IDEOGRAPHS = (
    (0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F), (0x2B820, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F),
)  # fmt: skip


class WordPiece:
    """Uncased WordPiece with ``[CLS]`` in front and ``[SEP]`` behind."""

    def __init__(self, vocabulary: list[str], max_tokens: int) -> None:
        """``vocabulary`` in id order, one piece a line of ``vocab.txt``."""
        self._ids = {piece: index for index, piece in enumerate(vocabulary)}
        self._max_tokens = max_tokens
        self._unknown = self._ids["[UNK]"]
        self._longest = max(map(len, vocabulary))

    def encode(self, text: str) -> list[int]:
        """Ids of at most ``max_tokens`` pieces, the two special ones included."""
        ids: list[int] = []
        for word in _words(text):
            ids.extend(self._pieces(word))
            if len(ids) >= self._max_tokens - 2:
                break
        return [self._ids["[CLS]"], *ids[: self._max_tokens - 2], self._ids["[SEP]"]]

    def _pieces(self, word: str) -> list[int]:
        """Greedy longest match from the left; ``[UNK]`` where a stretch matches nothing."""
        if len(word) > _LONGEST_WORD:
            return [self._unknown]
        ids: list[int] = []
        start = 0
        while start < len(word):
            prefix = "##" if start else ""
            for end in range(min(len(word), start + self._longest), start, -1):
                found = self._ids.get(prefix + word[start:end])
                if found is not None:
                    ids.append(found)
                    start = end
                    break
            else:
                return [self._unknown]
        return ids


def _words(text: str) -> Iterator[str]:
    """Lower-case words without accents; punctuation marks and ideographs stand alone."""
    word: list[str] = []
    for character in _clean(text):
        if character == " " or _stands_alone(character):
            if word:
                yield "".join(word)
                word = []
            if character != " ":
                yield character
        else:
            word.append(character)
    if word:
        yield "".join(word)


def _clean(text: str) -> Iterator[str]:
    """Characters after case folding, without accents and control characters, blanks as spaces."""
    for character in unicodedata.normalize("NFD", text):
        category = unicodedata.category(character)
        if character in "\t\n\r" or category == "Zs":
            yield " "
        elif category in _DROPPED or character == "\ufffd":
            continue
        else:
            yield from character.lower()


def _stands_alone(character: str) -> bool:
    code = ord(character)
    if code < 128:
        return not character.isalnum() and code > 32
    return unicodedata.category(character)[0] == "P" or any(
        low <= code <= high for low, high in _IDEOGRAPHS
    )
