"""Distances between two sets of embeddings, with intervals."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sfumato.evals.statistics import Estimate, estimate_mean

__all__ = ["Estimate", "estimate_kid", "estimate_mean", "frechet_distance", "kid"]


def kid(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Kernel inception distance: the unbiased squared MMD with a cubic kernel, (n, d) and (m, d).

    Unit vectors are scaled by sqrt(d), so the kernel is (cosine + 1)^3. Around 0 (it may be
    negative) for two samples of one distribution.

    Source: Bińkowski et al. 2018 (arXiv:1801.01401), section 4 and equation 4 of Gretton 2012.
    """
    n, m = len(first), len(second)
    if min(n, m) < 2:
        raise ValueError("KID needs two pictures on each side")
    x, y = first.astype(np.float64), second.astype(np.float64)
    within_x, within_y, across = (x @ x.T + 1) ** 3, (y @ y.T + 1) ** 3, (x @ y.T + 1) ** 3
    own_x = (within_x.sum() - np.trace(within_x)) / (n * (n - 1))
    own_y = (within_y.sum() - np.trace(within_y)) / (m * (m - 1))
    return float(own_x + own_y - 2 * across.mean())


def estimate_kid(
    first: NDArray[np.float32], second: NDArray[np.float32], draws: int = 200, seed: int = 0
) -> Estimate:
    """KID and the middle 95 % of it over random halves of both sets.

    A bootstrap would draw pictures twice, which the unbiased estimate takes for closeness.
    Halves are noisier than the whole, so the interval is on the wide side.
    """
    rng = np.random.default_rng(seed)
    size = min(len(first), len(second)) // 2
    values = [
        kid(
            first[rng.choice(len(first), size, replace=False)],
            second[rng.choice(len(second), size, replace=False)],
        )
        for _ in range(draws)
    ]
    low, high = np.percentile(values, [2.5, 97.5])
    return Estimate(
        value=kid(first, second),
        low=float(low),
        high=float(high),
        count=min(len(first), len(second)),
    )


def frechet_distance(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Fréchet distance between normal distributions fitted to (n, d) and (m, d).

    Biased upwards for few pictures: compare only distances that were taken with equal n.

    Source: Heusel et al. 2017 (arXiv:1706.08500), equation 6.
    """
    x, y = first.astype(np.float64), second.astype(np.float64)
    cov_x, cov_y = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    root_x = _matrix_root(cov_x)
    # tr sqrt(Cx Cy) equals tr sqrt(Rx Cy Rx), which is symmetric: eigh is enough
    middle = np.linalg.eigvalsh(root_x @ cov_y @ root_x)
    cross = np.sqrt(np.clip(middle, 0, None)).sum()
    gap = ((x.mean(axis=0) - y.mean(axis=0)) ** 2).sum()
    return float(max(0.0, gap + np.trace(cov_x) + np.trace(cov_y) - 2 * cross))


def _matrix_root(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    values, vectors = np.linalg.eigh(matrix)
    root: NDArray[np.float64] = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    return root
