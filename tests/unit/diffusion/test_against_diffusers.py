"""Euler, Heun and DPM-Solver++ step for step against diffusers' schedulers.

diffusers integrates the velocity ``v = noise - clean = (x - denoised) / sigma``; given the same
sigmas and the same network it must walk the same path.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from sfumato.diffusion import samplers, schedulers

# diffusers' own imports warn about packages and Python versions; its arithmetic does not
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]
STEPS = 12


def load(name: str) -> Any:
    """A scheduler class, imported only when its test runs (and its warnings are expected)."""
    return getattr(importlib.import_module("diffusers"), name)


def network(x: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """Any smooth function of x and sigma will do for a comparison of update rules."""
    return np.asarray(np.tanh(1.3 * x + 0.2) * (1 - 0.5 * sigma) + 0.1 * sigma, np.float32)


def start() -> NDArray[np.float32]:
    return np.random.default_rng(0).standard_normal((2, 4, 6, 6)).astype(np.float32)


def theirs(scheduler: Any, sigmas: list[float]) -> NDArray[np.float32]:
    sample = torch.from_numpy(start())
    for index, timestep in enumerate(scheduler.timesteps):
        sigma = sigmas[index]
        x = sample.numpy()
        velocity = torch.from_numpy((x - network(x, sigma)) / np.float32(sigma))
        sample = scheduler.step(velocity, timestep, sample, return_dict=False)[0]
    return np.asarray(sample.numpy())


def ours(name: str, sigmas: list[float]) -> NDArray[np.float32]:
    x = start()
    for after in getattr(samplers, name)(network, x, sigmas, []):
        x = after
    return x


@pytest.mark.parametrize("spacing", ["uniform", "shifted"])
def test_euler_walks_the_same_path(spacing: str) -> None:
    sigmas = [float(s) for s in getattr(schedulers, spacing)(STEPS)]
    scheduler = load("FlowMatchEulerDiscreteScheduler")()
    scheduler.set_timesteps(sigmas=sigmas[:-1])
    np.testing.assert_allclose(scheduler.sigmas.numpy(), sigmas, atol=1e-6)
    np.testing.assert_allclose(ours("euler", sigmas), theirs(scheduler, sigmas), atol=2e-5)


def test_shifted_is_the_shift_of_diffusers() -> None:
    scheduler = load("FlowMatchEulerDiscreteScheduler")(shift=3.0)
    scheduler.set_timesteps(sigmas=list(schedulers.uniform(STEPS)[:-1]))
    np.testing.assert_allclose(scheduler.sigmas.numpy(), schedulers.shifted(STEPS), atol=1e-6)


def test_heun_walks_the_same_path() -> None:
    scheduler = load("FlowMatchHeunDiscreteScheduler")()
    scheduler.set_timesteps(STEPS)
    inner = scheduler.sigmas.numpy().astype(float).tolist()  # each level twice but the first
    levels = [inner[0], *inner[1::2]]
    assert levels[0] == 1.0
    assert levels[-1] == 0.0
    np.testing.assert_allclose(ours("heun", levels), theirs(scheduler, inner), atol=5e-5)


def test_dpmpp_2m_walks_the_same_path() -> None:
    scheduler = load("DPMSolverMultistepScheduler")(
        prediction_type="flow_prediction",
        use_flow_sigmas=True,
        flow_shift=1.0,
        solver_order=2,
        algorithm_type="dpmsolver++",
        solver_type="midpoint",
    )
    scheduler.set_timesteps(STEPS)
    sigmas = scheduler.sigmas.numpy().astype(float).tolist()
    np.testing.assert_allclose(ours("dpmpp_2m", sigmas), theirs(scheduler, sigmas), atol=5e-6)
