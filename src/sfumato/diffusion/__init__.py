"""Rectified flow in four short files: noise, schedulers, samplers, guidance.

Throughout, ``sigma`` is the share of noise: ``x = (1 - sigma) * clean + sigma * noise``, from 1
(pure noise) to 0 (the picture). Source: Liu et al. 2022 (arXiv:2209.03003), eq. 1; Esser et al.
2024 (arXiv:2403.03206), eq. 1.
"""

from sfumato.diffusion.guidance import guided
from sfumato.diffusion.noise import initial_noise, noise_for, starting_noise
from sfumato.diffusion.sample import sample

__all__ = ["guided", "initial_noise", "noise_for", "sample", "starting_noise"]
