"""Numbers with honest intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Estimate", "estimate_mean"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A figure, its 95 % interval, and how many pictures it rests on."""

    value: float
    low: float
    high: float
    count: int


def estimate_mean(
    values: Sequence[float] | NDArray[np.float64] | NDArray[np.bool_],
    clusters: Sequence[int] | NDArray[np.int64] | None = None,
    draws: int = 2000,
    seed: int = 0,
) -> Estimate:
    """Mean and percentile bootstrap interval.

    Pictures of one prompt resemble each other, so whole prompts are drawn anew: ``clusters``
    says which prompt each value belongs to.

    Raises: ValueError: no values.
    Source: Efron & Tibshirani 1993, chapter 13.
    """
    numbers = np.asarray(values, np.float64)
    if len(numbers) == 0:
        raise ValueError("the mean of nothing")
    owner = np.arange(len(numbers)) if clusters is None else np.asarray(clusters)
    _, owner = np.unique(owner, return_inverse=True)
    sums, sizes = np.bincount(owner, numbers), np.bincount(owner)
    picks = np.random.default_rng(seed).integers(len(sums), size=(draws, len(sums)))
    means = sums[picks].sum(axis=1) / sizes[picks].sum(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return Estimate(
        value=float(numbers.mean()), low=float(low), high=float(high), count=len(numbers)
    )
