"""Spacings of sigma: each returns ``steps + 1`` float64 values from 1.0 down to exactly 0.0."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def uniform(steps: int) -> NDArray[np.float64]:
    """Equal steps. Source: Liu et al. 2022 (arXiv:2209.03003), section 2."""
    return np.linspace(1.0, 0.0, steps + 1)


def shifted(steps: int, shift: float = 3.0) -> NDArray[np.float64]:
    """More steps at high noise. Source: Esser et al. 2024 (arXiv:2403.03206), eq. 23."""
    sigma = uniform(steps)
    return shift * sigma / (1.0 + (shift - 1.0) * sigma)


def cosine(steps: int) -> NDArray[np.float64]:
    """More steps at both ends. Source: Nichol & Dhariwal 2021 (arXiv:2102.09672), eq. 17."""
    sigma = (1.0 + np.cos(np.pi * np.linspace(0.0, 1.0, steps + 1))) / 2.0
    sigma[-1] = 0.0
    return sigma
