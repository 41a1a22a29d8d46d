"""Update rules. Each is a generator that walks the sigmas and yields the latents after each step.

All share one signature: ``denoised(x, sigma)`` returns the network's estimate of the clean
latents, ``sigmas`` has ``steps + 1`` values from 1 to 0, ``rngs`` holds one generator a picture.
With ``x = (1 - sigma) clean + sigma noise`` the probability-flow ODE is
``dx/dsigma = (x - denoised) / sigma``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Latents = NDArray[np.float32]
Denoiser = Callable[[Latents, float], Latents]


def euler(
    denoised: Denoiser, x: Latents, sigmas: Sequence[float], rngs: Sequence[np.random.Generator]
) -> Iterator[Latents]:
    """First order. Source: Liu et al. 2022 (arXiv:2209.03003), eq. 2 discretised."""
    for sigma, following in pairwise(sigmas):
        clean = denoised(x, sigma)
        ratio = np.float32(following / sigma)
        x = clean + ratio * (x - clean)
        yield x


def heun(
    denoised: Denoiser, x: Latents, sigmas: Sequence[float], rngs: Sequence[np.random.Generator]
) -> Iterator[Latents]:
    """Second order, two network calls a step. Source: Karras et al. 2022, algorithm 1."""
    for sigma, following in pairwise(sigmas):
        clean = denoised(x, sigma)
        if following == 0.0:
            x = clean  # where the Euler step lands, without its rounding
        else:
            step = np.float32(following - sigma)
            slope = (x - clean) / np.float32(sigma)
            trial = x + step * slope
            ahead = (trial - denoised(trial, following)) / np.float32(following)
            x = x + step * (slope + ahead) * np.float32(0.5)
        yield x


def dpmpp_2m(
    denoised: Denoiser, x: Latents, sigmas: Sequence[float], rngs: Sequence[np.random.Generator]
) -> Iterator[Latents]:
    """Second order multistep in the log signal-to-noise ratio, one network call a step.

    Source: Lu et al. 2022 (arXiv:2211.01095), algorithm 2, with alpha = 1 - sigma. The first
    step (alpha = 0) and the last (sigma = 0) are first order, where the rule has its limits.
    """
    previous: Latents | None = None
    last_h = 0.0
    for sigma, following in pairwise(sigmas):
        clean = denoised(x, sigma)
        h = np.inf
        if following > 0.0 and sigma < 1.0:
            h = float(np.log((1 - following) / following) - np.log((1 - sigma) / sigma))
        if previous is None or not np.isfinite(h) or not np.isfinite(last_h):
            estimate = clean
        else:
            weight = np.float32(h / last_h / 2.0)
            estimate = clean + weight * (clean - previous)
        ratio = np.float32(following / sigma)
        # exp(-h) alpha_next = ratio * alpha, so this is the paper's update without infinities
        x = ratio * x + np.float32((1 - following) - (following / sigma) * (1 - sigma)) * estimate
        previous, last_h = clean, h
        yield x


def euler_ancestral(
    denoised: Denoiser, x: Latents, sigmas: Sequence[float], rngs: Sequence[np.random.Generator]
) -> Iterator[Latents]:
    """Euler to a cleaner level, then fresh noise back up to the next one.

    Source: Song et al. 2021 (arXiv:2010.02502), eq. 16 with eta = 1, written for alpha = 1 - sigma.
    """
    for sigma, following in pairwise(sigmas):
        clean = denoised(x, sigma)
        if following == 0.0:
            x = clean
        else:
            alpha, alpha_next = 1.0 - sigma, 1.0 - following
            # variance of x_next given x and clean in the matching Markov chain
            ratio = 1.0 - (alpha * following) ** 2 / max((alpha_next * sigma) ** 2, 1e-12)
            up = following * float(np.sqrt(max(ratio, 0.0)))
            down = float(np.sqrt(max(following**2 - up**2, 0.0)))
            noise = (x - np.float32(alpha) * clean) / np.float32(sigma)
            fresh = np.stack([rng.standard_normal(x.shape[1:], dtype=np.float32) for rng in rngs])
            x = np.float32(alpha_next) * clean + np.float32(down) * noise + np.float32(up) * fresh
        yield x
