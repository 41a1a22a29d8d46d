"""The text half that chiaro and sguardo share: words to MiniLM's sentence vector.

One text a call, whatever was asked at once: the encoder's int8 activations are scaled by the whole
batch, so in a batch of many a text's vector would lean on its neighbours (a cosine of 0.96 was
seen between both). Several texts are read side by side on threads instead, and a text means
the same alone and in any company.

Source: Wang et al. 2020, MiniLM (arXiv:2002.10957); Reimers & Gurevych 2019 (arXiv:1908.10084).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sfumato.clip.sessions import open_session
from sfumato.clip.wordpiece import WordPiece
from sfumato.errors import ModelError
from sfumato.models.catalogue import verified_bytes

MAX_TOKENS = 24
WIDTH = 384
_PART = 16  # texts that a thread takes at a time, at most


@lru_cache(maxsize=4)
def encoder_of(folder: Path, network_sha256: str, vocabulary_sha256: str) -> SentenceEncoder:
    """The text encoder in a model's folder, started once for all who read with it.

    Raises: ModelError: a file is missing or not the one its digest names.
    """
    return SentenceEncoder(
        verified_bytes(folder, "text.onnx", network_sha256),
        verified_bytes(folder, "vocab.txt", vocabulary_sha256),
    )


def open_encoder(folder: Path) -> SentenceEncoder:
    """The text encoder of a folder that was just built, or is trusted as it is.

    Raises: OSError: a file is missing; ModelError: one is damaged.
    """
    return SentenceEncoder(*((folder / name).read_bytes() for name in ("text.onnx", "vocab.txt")))


class SentenceEncoder:
    """A started text encoder; safe to use from several threads."""

    def __init__(self, network: bytes, vocabulary: bytes) -> None:
        """``network`` is the content of ``text.onnx``, ``vocabulary`` that of ``vocab.txt``.

        Raises: ModelError: ONNX Runtime cannot start the network, or the vocabulary is not one.
        """
        try:
            self._tokenizer = WordPiece(vocabulary.decode("utf-8").split("\n"), MAX_TOKENS)
        except (KeyError, ValueError) as error:
            raise ModelError(
                f"The text encoder's vocabulary is damaged ({error!r}).",
                hint="Reinstall sfumato: pip install --force-reinstall sfumato",
            ) from None
        self._session = open_session(network)

    def encode(self, text: str) -> NDArray[np.float32]:
        """One text, cut after 24 tokens, to a unit vector: (384,) float32."""
        return self._read(text, "pooled")

    def states(self, text: str) -> NDArray[np.float32]:
        """One text, cut after 24 tokens, to what each of its T tokens means: (T, 384) float32."""
        return self._read(text, "states")

    def encode_all(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """N texts to (N, 384) unit float32, each exactly what ``encode`` says of it alone."""
        different = list(dict.fromkeys(texts))
        cores = os.cpu_count() or 1
        size = max(1, min(_PART, -(-len(different) // cores)))  # few texts are shared out as well
        parts = [different[i : i + size] for i in range(0, len(different), size)]

        def read(part: list[str]) -> list[NDArray[np.float32]]:
            return [self.encode(text) for text in part]

        if len(parts) <= 1:
            known = dict(zip(different, read(different), strict=True))
        else:
            with ThreadPoolExecutor(cores) as pool:
                rows = (row for part in pool.map(read, parts) for row in part)
                known = dict(zip(different, rows, strict=True))
        if not texts:
            return np.zeros((0, WIDTH), np.float32)
        return np.stack([known[text] for text in texts])

    def _read(self, text: str, output: str) -> NDArray[np.float32]:
        ids = np.array([self._tokenizer.encode(text)], np.int64)
        feed = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        result: NDArray[np.float32] = self._session.run([output], feed)[0][0]
        return result
