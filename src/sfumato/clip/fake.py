"""A picture-text model that knows eleven colours and nothing else: no weights, exact, instant.

Tests and demonstrations use it: a picture's vector is how much of each basic colour it shows, a
text's vector is the colours it names, and whatever else the text says decides its last entries.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sfumato.clip.base import PictureTextSpec
from sfumato.colours import basic_name, dominant_colours

COLOURS = (
    "black", "grey", "white", "red", "orange", "yellow", "green", "blue", "purple", "pink", "brown",
)  # fmt: skip
_HASHED = 5  # entries that tell texts without colours apart


class ColourModel:
    """Implements ``PictureTextModel`` over colour names."""

    spec = PictureTextSpec(
        name="fake",
        summary="compares colours by name, instantly",
        licence="MIT",
        sha256=hashlib.sha256(b"sfumato.clip.fake 1").hexdigest(),
        dimensions=len(COLOURS) + _HASHED,
        picture_size=64,
        logit_scale=10.0,
    )

    def encode_pictures(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """N pictures (H, W, 4) uint8 to (N, 16) unit float32: the share of each colour."""
        vectors = np.zeros((len(pictures), self.spec.dimensions), np.float32)
        for row, pixels in zip(vectors, pictures, strict=True):
            for rgb, share in dominant_colours(pixels, 8):
                name = basic_name(rgb)
                if name in COLOURS:
                    row[COLOURS.index(name)] += share
            row[-1] = 1e-3  # nothing drawn: still a direction
        return _unit(vectors)

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """N texts to (N, 16) unit float32: the colours they name."""
        vectors = np.zeros((len(texts), self.spec.dimensions), np.float32)
        for row, text in zip(vectors, texts, strict=True):
            words = re.findall(r"[a-z]+", text.lower())
            for word in words:
                if word in COLOURS:
                    row[COLOURS.index(word)] = 1.0
            digest = hashlib.sha256(" ".join(words).encode()).digest()
            row[len(COLOURS) :] = [0.2 * byte / 255 for byte in digest[:_HASHED]]
        return _unit(vectors)


def load(name: str) -> ColourModel:
    """The only one there is."""
    return ColourModel()


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: NDArray[np.float32] = vectors / np.maximum(lengths, 1e-12)
    return unit
