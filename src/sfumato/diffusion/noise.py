"""One random generator a picture, so that a picture never depends on its batch.

Philox is counter-based and specified (Salmon et al. 2011): the same seed gives the same numbers
on every platform and NumPy version that keeps ``standard_normal``'s stream (NEP 19).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def noise_for(seed: int) -> np.random.Generator:
    """The generator of one picture."""
    return np.random.Generator(np.random.Philox(key=seed))


def initial_noise(
    generators: list[np.random.Generator], latent_shape: tuple[int, ...]
) -> NDArray[np.float32]:
    """Standard normal start, (B, *latent_shape) float32, one row a generator."""
    return np.stack([g.standard_normal(latent_shape, dtype=np.float32) for g in generators])
