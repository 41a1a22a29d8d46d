"""One random generator a picture, so that a picture never depends on its batch.

Philox is counter-based and specified (Salmon et al. 2011): the same seed gives the same numbers
on every platform and NumPy version that keeps ``standard_normal``'s stream (NEP 19).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sfumato.request import GenerationPlan


def noise_for(seed: int) -> np.random.Generator:
    """The generator of one picture."""
    return np.random.Generator(np.random.Philox(key=seed))


def initial_noise(
    generators: list[np.random.Generator], latent_shape: tuple[int, ...]
) -> NDArray[np.float32]:
    """Standard normal start, (B, *latent_shape) float32, one row a generator."""
    return np.stack([g.standard_normal(latent_shape, dtype=np.float32) for g in generators])


def starting_noise(
    plan: GenerationPlan, latent_shape: tuple[int, ...]
) -> tuple[NDArray[np.float32], list[np.random.Generator]]:
    """Where each picture of a plan starts, (B, *latent_shape), and the generators to go on with.

    A temperature below 1 starts nearer to the middle of the noise, where the words decide alone.
    Source: Kingma & Dhariwal 2018 (arXiv:1807.03039), section 6, "reduced-temperature".
    """
    generators = [noise_for(seed) for seed in plan.seeds]
    noise = initial_noise(generators, latent_shape)
    if plan.variation_seeds:
        others = [noise_for(seed) for seed in plan.variation_seeds]
        noise = pulled_towards(noise, initial_noise(others, latent_shape), plan.variation_strength)
    return noise * np.float32(plan.temperature), generators


def pulled_towards(
    noise: NDArray[np.float32], other: NDArray[np.float32], strength: float
) -> NDArray[np.float32]:
    """``noise`` moved towards ``other``, both (B, *latent_shape), along the arc between them.

    Normal noise lies near a sphere, and so does every point of the arc: a straight line would pass
    nearer to the centre, where the model has seen nothing. 0 gives ``noise``, 1 gives ``other``.
    Source: Shoemake 1985, "Animating rotation with quaternion curves" (slerp).
    """
    moved: NDArray[np.float32] = noise.copy()
    for row, start, end in zip(moved, noise, other, strict=True):
        lengths = float(np.linalg.norm(start)) * float(np.linalg.norm(end))
        angle = float(np.arccos(np.clip(np.vdot(start, end) / max(lengths, 1e-12), -1.0, 1.0)))
        if np.sin(angle) < 1e-6:  # the same direction: nothing lies between
            row[...] = (1 - strength) * start + strength * end
        else:
            row[...] = (
                np.sin((1 - strength) * angle) * start + np.sin(strength * angle) * end
            ) / np.sin(angle)
    return moved
