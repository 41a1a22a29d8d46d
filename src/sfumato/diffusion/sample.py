"""Run a sampler over a scheduler's sigmas, reporting and stopping between steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from sfumato.registry import SAMPLERS, SCHEDULERS


def sample(
    denoised: Callable[[NDArray[np.float32], float], NDArray[np.float32]],
    latents: NDArray[np.float32],
    *,
    sampler: str,
    scheduler: str,
    num_inference_steps: int,
    rngs: Sequence[np.random.Generator],
    on_step: Callable[[int, int, NDArray[np.float32]], None],
) -> NDArray[np.float32]:
    """Clean latents from noise, shapes as given.

    ``on_step(step, total, clean)`` is called after every step with what the model takes the clean
    latents to be by then, and may raise to stop.
    Raises: RequestError: no such sampler or scheduler.
    """
    clean = latents

    def watched(x: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
        nonlocal clean
        clean = denoised(x, sigma)
        return clean

    sigmas = [float(s) for s in SCHEDULERS.resolve(scheduler)(num_inference_steps)]
    rule = SAMPLERS.resolve(sampler)
    for step, after in enumerate(rule(watched, latents, sigmas, rngs), start=1):
        latents = after
        on_step(step, num_inference_steps, clean)
    return latents
