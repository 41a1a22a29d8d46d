"""A diffusers pipeline over a random-weight MLP, as people write pipelines, for ``engine.py``."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import DiffusionPipeline, FlowMatchEulerDiscreteScheduler
from numpy.typing import NDArray
from torch import nn


class ResidualMlp(nn.Module):
    """The network of ``engine.make_mlp``: ``x + sigma``, then ``x + relu(x A) B`` a block."""

    def __init__(self, weights: list[tuple[NDArray[Any], NDArray[Any]]]) -> None:
        super().__init__()
        self.blocks = nn.ParameterList(
            nn.Parameter(torch.from_numpy(matrix), requires_grad=False)
            for pair in weights
            for matrix in pair
        )

    def forward(self, x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        """(B, width) float32 to the same."""
        x = x + sigma
        for inwards, outwards in zip(self.blocks[::2], self.blocks[1::2], strict=True):
            x = x + torch.relu(x @ inwards) @ outwards
        return x


class FreeNetwork(nn.Module):
    """Costs nothing, so that only the loop around it is measured."""

    def forward(self, x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        """``x`` as it is."""
        return x


class VectorPipeline(DiffusionPipeline):
    """Denoises one vector a picture; guidance in one batch of two, as diffusers' pipelines do."""

    def __init__(self, network: nn.Module, scheduler: FlowMatchEulerDiscreteScheduler) -> None:
        super().__init__()
        self.register_modules(network=network, scheduler=scheduler)
        self.set_progress_bar_config(disable=True)

    @torch.no_grad()
    def __call__(
        self, width: int, num_inference_steps: int, guidance_scale: float, generator: Any
    ) -> torch.Tensor:
        """Clean latents (1, width)."""
        latents = torch.randn((1, width), generator=generator)
        self.scheduler.set_timesteps(num_inference_steps)
        for timestep in self.progress_bar(self.scheduler.timesteps):
            both = torch.cat([latents, latents])
            plain, guided = self.network(both, timestep / 1000).chunk(2)
            velocity = plain + guidance_scale * (guided - plain)
            latents = self.scheduler.step(velocity, timestep, latents).prev_sample
        return latents


class DiffusersLoop:
    """The pipeline over the network with ``weights``, and over one that costs nothing."""

    def __init__(self, weights: list[tuple[NDArray[Any], NDArray[Any]]]) -> None:
        self._width = weights[0][0].shape[0]
        self._full = VectorPipeline(ResidualMlp(weights), FlowMatchEulerDiscreteScheduler())
        self._free = VectorPipeline(FreeNetwork(), FlowMatchEulerDiscreteScheduler())

    def draw(self, steps: int, scale: float, *, threads: int, free: bool = False) -> torch.Tensor:
        """One picture's latents on ``threads`` threads."""
        torch.set_num_threads(threads)
        pipeline = self._free if free else self._full
        generator = torch.Generator().manual_seed(1)
        return pipeline(self._width, steps, scale, generator)
