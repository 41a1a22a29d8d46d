"""Classifier-free guidance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def guided(
    cond: NDArray[np.float32], uncond: NDArray[np.float32], scale: float
) -> NDArray[np.float32]:
    """``uncond + scale * (cond - uncond)``: 1.0 is off, larger follows the text more closely.

    Shapes: both (B, ...) float32, returned likewise.
    Source: Ho & Salimans 2022 (arXiv:2207.12598), eq. 6 with w = scale - 1.
    """
    if scale == 1.0:
        return cond
    result: NDArray[np.float32] = uncond + np.float32(scale) * (cond - uncond)
    return result
