"""The shared text half: a text means the same alone and in any company."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sfumato.clip.sentences import MAX_TOKENS, WIDTH, SentenceEncoder, open_encoder
from sfumato.clip.wordpiece import WordPiece
from sfumato.errors import ModelError
from sfumato.models.catalogue import WEIGHTS

NETWORK = (WEIGHTS / "chiaro" / "text.onnx").read_bytes()
VOCABULARY = (WEIGHTS / "chiaro" / "vocab.txt").read_bytes()
ODD = ["", " ", "\x00", "🦊", "狐", "ﬁ", "a\u0301", "[CLS]", "\ud7ff", "x" * 5000, "fox " * 400]


@pytest.fixture(scope="module")
def encoder() -> SentenceEncoder:
    return SentenceEncoder(NETWORK, VOCABULARY)


def test_a_text_is_read_by_the_shipped_network(encoder: SentenceEncoder) -> None:
    tokenizer = WordPiece(VOCABULARY.decode().split("\n"), MAX_TOKENS)
    ids = np.array([tokenizer.encode("a red fox")], np.int64)
    session = onnxruntime.InferenceSession(NETWORK)
    states, pooled = session.run(None, {"input_ids": ids, "attention_mask": np.ones_like(ids)})
    np.testing.assert_array_equal(encoder.encode("a red fox"), pooled[0])
    np.testing.assert_array_equal(encoder.states("a red fox"), states[0])
    again = open_encoder(WEIGHTS / "chiaro")
    np.testing.assert_array_equal(again.encode("a red fox"), pooled[0])


def test_a_text_means_the_same_in_any_company(encoder: SentenceEncoder) -> None:
    texts = [f"{colour} {thing} {n}" for n in range(20) for colour in ("red", "blue", "old")
             for thing in ("fox", "sailing ship", "cup of tea")]  # fmt: skip
    texts += texts[:7]
    together = encoder.encode_all(texts)
    assert together.shape == (len(texts), WIDTH)
    assert together.dtype == np.float32
    np.testing.assert_array_equal(together, np.stack([encoder.encode(t) for t in texts]))
    np.testing.assert_array_equal(together[::-1], encoder.encode_all(texts[::-1]))


@given(st.text(max_size=60))
@example("")
def test_any_text_is_a_unit_vector(text: str) -> None:
    assert abs(float(np.linalg.norm(shared().encode(text))) - 1.0) < 1e-4


@pytest.mark.parametrize("text", ODD)
def test_odd_texts_are_read(encoder: SentenceEncoder, text: str) -> None:
    vector = encoder.encode(text)
    assert vector.shape == (WIDTH,)
    assert np.isfinite(vector).all()


def test_a_long_text_is_cut_after_the_last_token_it_may_have(encoder: SentenceEncoder) -> None:
    words = ["fox"] * (MAX_TOKENS - 2)
    cut = encoder.encode(" ".join(words))
    np.testing.assert_array_equal(cut, encoder.encode(" ".join([*words, "castle", "moon"])))
    assert not np.array_equal(cut, encoder.encode(" ".join([*words[:-1], "castle"])))


def test_no_texts_are_no_rows(encoder: SentenceEncoder) -> None:
    assert encoder.encode_all([]).shape == (0, WIDTH)


def test_words_that_mean_alike_lie_together(encoder: SentenceEncoder) -> None:
    ship, boat, apple = encoder.encode_all(["a ship", "a boat", "an apple"])
    assert ship @ boat > ship @ apple + 0.2


def test_damaged_files_are_named() -> None:
    with pytest.raises(ModelError, match="cannot start"):
        SentenceEncoder(NETWORK[: len(NETWORK) // 2], VOCABULARY)
    with pytest.raises(ModelError, match="vocabulary is damaged"):
        SentenceEncoder(NETWORK, b"fox\nship")
    with pytest.raises(ModelError, match="vocabulary is damaged"):
        SentenceEncoder(NETWORK, b"\xff\xfe\xff")


_SHARED: list[SentenceEncoder] = []


def shared() -> SentenceEncoder:
    """One encoder for all examples: starting one takes a tenth of a second."""
    if not _SHARED:
        _SHARED.append(SentenceEncoder(NETWORK, VOCABULARY))
    return _SHARED[0]
