"""What a picture-text model promises: pictures and words become vectors in one space.

Every command that ranks, searches, classifies, describes or asks works on this protocol, so the
built-in model, a public CLIP checkpoint and one somebody trained are interchangeable.
Source: Radford et al. 2021, "Learning Transferable Visual Models From Natural Language
Supervision" (arXiv:2103.00020); Zhai et al. 2023, SigLIP (arXiv:2303.15343).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureTextSpec:
    """What a picture-text model is, known once it is loaded."""

    name: str
    summary: str
    licence: str
    sha256: str  # over the weights: vectors of two models never mix
    dimensions: int  # of the shared space
    picture_size: int  # pixels a side the picture encoder looks at
    logit_scale: float  # learned: softmax(scale * cosine + bias) over candidates is calibrated
    logit_bias: float = 0.0  # of sigmoid losses; 0 for softmax losses
    parameters: int = 0
    size_bytes: int = 0


@runtime_checkable
class PictureTextModel(Protocol):
    """Embeds pictures and texts; rows are unit vectors, so a product is a cosine."""

    @property
    def spec(self) -> PictureTextSpec:
        """What this model is."""
        ...

    def encode_pictures(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """N pictures, each (H, W, 4) uint8 sRGB with straight alpha and any size: (N, D) unit."""
        ...

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """N texts: (N, D) unit float32. A text longer than the model reads is cut, not refused."""
        ...
