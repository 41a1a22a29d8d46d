"""Our WordPiece against the library's, on any text, with the vocabulary that ships."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sfumato.clip.wordpiece import WordPiece
from sfumato.models.catalogue import WEIGHTS

MOST = 24


@lru_cache
def vocabulary() -> tuple[str, ...]:
    return tuple((WEIGHTS / "chiaro" / "vocab.txt").read_text("utf-8").split("\n"))


@lru_cache
def ours() -> WordPiece:
    return WordPiece(list(vocabulary()), MOST)


@lru_cache
def theirs() -> Any:
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    ids = {piece: index for index, piece in enumerate(vocabulary())}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        special_tokens=[("[CLS]", ids["[CLS]"]), ("[SEP]", ids["[SEP]"])],
    )
    tokenizer.enable_truncation(MOST)
    return tokenizer


# characters that Unicode has named: what the others are depends on the version of its tables
CHARACTERS = st.characters(exclude_categories=["Cn", "Cs"])
WORDS = st.sampled_from(
    ["red", "fox", "lighthouse", "skyscraper", "Ünïcode", "t-rex", "naïve", "3D", "🦊", "狐狸"]
)


@given(st.one_of(st.text(CHARACTERS, max_size=60), st.lists(WORDS, max_size=30).map(" ".join)))
@example("A Red Fox, flat!")
@example("x" * 101)
@example("ﬀ\u0301 \u200b\ufffd\x7f\t\r\n")
def test_it_gives_the_same_ids_as_the_library(text: str) -> None:
    assert ours().encode(text) == theirs().encode(text).ids


@pytest.mark.parametrize("text", ["", "fox", "fox " * 100])
def test_it_never_exceeds_the_limit_and_always_has_both_ends(text: str) -> None:
    ids = ours().encode(text)
    assert 2 <= len(ids) <= MOST
    assert [vocabulary()[ids[0]], vocabulary()[ids[-1]]] == ["[CLS]", "[SEP]"]
