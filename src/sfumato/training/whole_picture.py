"""The whole-picture model: rectified flow on one vector a picture. A CPU trains it.

A transformer over image tokens needs a large GPU. A network that spends no arithmetic on spatial
tokens does not: pictures are projected onto a linear basis (closed form, ``PictureBasis``) and a
residual MLP (``WholePictureNet``) predicts the clean coefficients from noisy ones, the noise level,
the style and the sentence vector. What the basis and the flow leave soft, the refiner
(``training/refiner.py``) makes crisp.

Sources: rectified flow, Liu et al. 2022 (arXiv:2209.03003); predicting the picture rather than the
velocity, Li & He 2025 (arXiv:2511.13720); gated MLP, Shazeer 2020 (arXiv:2002.05202); conditioning
by shift, Perez et al. 2018 (FiLM, arXiv:1709.07871).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

SIDE = 64  # pixels of the coarse picture
# noisy latents (B, K), noise levels (B,), sentence vectors (B, 384), styles (B,) to clean latents
Flow = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
CHROMA = SIDE // 2
TEXT_WIDTH = 384


# ---------------------------------------------------------------- pictures <-> vectors


def pictures_to_planes(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(N, 64, 64, 4) uint8 straight alpha to (N, 10240) float32: luma, alpha, half-size chroma.

    Colours are premultiplied, so a transparent pixel has none. Chroma at half size (ITU-R BT.601
    weights) costs nothing the eye sees and makes the basis 40 % smaller.
    """
    rgba = pictures.astype(np.float32) / 255.0
    alpha = rgba[..., 3]
    red, green, blue = (rgba[..., c] * alpha for c in range(3))
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    count = len(pictures)

    def halve(x: NDArray[np.float32]) -> NDArray[np.float32]:
        blocks = x.reshape(count, CHROMA, 2, CHROMA, 2)
        return blocks.sum((2, 4)) / 2.0  # orthonormal: energy is kept

    blueness, redness = halve(blue - luma) * 0.564, halve(red - luma) * 0.713
    parts = [x.reshape(count, -1) for x in (luma, alpha, blueness, redness)]
    return np.concatenate(parts, axis=1).astype(np.float32)


def planes_to_pixels(planes: torch.Tensor) -> torch.Tensor:
    """(N, 10240) back to premultiplied RGBA (N, 4, 64, 64) float32, about 0 to 1, unclipped."""
    area = SIDE * SIDE
    luma = planes[:, :area].view(-1, 1, SIDE, SIDE)
    alpha = planes[:, area : 2 * area].view(-1, 1, SIDE, SIDE)
    chroma = planes[:, 2 * area :].view(-1, 2, CHROMA, CHROMA) / 2.0
    chroma = nn.functional.interpolate(chroma, scale_factor=2, mode="bilinear")
    blueness, redness = chroma[:, :1] / 0.564, chroma[:, 1:] / 0.713
    red, blue = luma + redness, luma + blueness
    green = (luma - 0.299 * red - 0.114 * blue) / 0.587
    return torch.cat([red, green, blue, alpha], dim=1)


class PictureBasis(nn.Module):
    """Mean and principal components of the training pictures, scaled for the flow.

    A coefficient is divided by ``sigma**whitening`` (sigma: its spread over the training set), so
    that fine detail is not drowned by the first few components, then by one number that makes the
    mean square 1, the same as the noise.
    """

    def __init__(self, dimensions: int, components: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(dimensions))
        self.register_buffer("basis", torch.zeros(components, dimensions))
        self.register_buffer("scale", torch.ones(components))

    @classmethod
    def fit(
        cls, planes: NDArray[np.float32], components: int, whitening: float = 0.25
    ) -> PictureBasis:
        """Closed-form PCA through the Gram matrix of (N, D) ``planes``."""
        mean = planes.mean(0)
        centred = torch.from_numpy(planes - mean)
        values, vectors = torch.linalg.eigh(centred @ centred.T)
        keep = torch.argsort(values, descending=True)[:components]
        basis = (vectors[:, keep].T @ centred) / values[keep].clamp_min(1e-9).sqrt()[:, None]
        spread = (values[keep] / len(planes)).clamp_min(1e-9).sqrt()
        partly = spread / spread**whitening
        scale = spread**whitening * partly.square().mean().sqrt()
        result = cls(planes.shape[1], len(keep))
        result.mean.copy_(torch.from_numpy(mean))
        result.basis.copy_(basis)
        result.scale.copy_(scale)
        return result

    def encode(self, planes: torch.Tensor) -> torch.Tensor:
        """(N, D) planes to (N, K) coefficients."""
        return ((planes - self.mean) @ self.basis.T) / self.scale

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """(N, K) coefficients to premultiplied RGBA (N, 4, 64, 64)."""
        return planes_to_pixels((latents * self.scale) @ self.basis + self.mean)


# ---------------------------------------------------------------- the network


@dataclass(frozen=True, slots=True, kw_only=True)
class NetConfig:
    """Sizes of the network; the defaults are what ships."""

    components: int = 1024
    width: int = 1024
    hidden: int = 1408
    blocks: int = 6
    cond: int = 384
    styles: int = 6  # the last one means "no style"


class GatedBlock(nn.Module):
    """RMSNorm, then ``down(silu(gate(x) + shift(cond)) * up(x))``, added to the float32 stream."""

    def __init__(self, config: NetConfig) -> None:
        super().__init__()
        self.norm = nn.RMSNorm(config.width)
        self.gate_up = nn.Linear(config.width, 2 * config.hidden, bias=False)
        self.shift = nn.Linear(config.cond, config.hidden)
        self.down = nn.Linear(config.hidden, config.width, bias=False)
        nn.init.zeros_(self.down.weight)

    def forward(self, x: torch.Tensor, cond: torch.Tensor) -> torch.Tensor:
        """(B, width), (B, cond) to (B, width)."""
        gate, up = self.gate_up(self.norm(x)).chunk(2, dim=-1)
        return x + self.down(nn.functional.silu(gate + self.shift(cond)) * up)


class WholePictureNet(nn.Module):
    """Predicts clean coefficients: ``net(noisy, sigma, text, style) -> clean``."""

    def __init__(self, config: NetConfig) -> None:
        super().__init__()
        self.config = config
        self.edge_in = nn.Linear(config.components, config.width)
        self.text_in = nn.Linear(TEXT_WIDTH, config.cond)
        self.text_null = nn.Parameter(torch.zeros(TEXT_WIDTH))
        self.style_embed = nn.Embedding(config.styles, config.cond)
        self.time_in = nn.Linear(64, config.cond)
        self.mix = nn.Sequential(
            nn.RMSNorm(config.cond),
            nn.Linear(config.cond, 2 * config.cond),
            nn.SiLU(),
            nn.Linear(2 * config.cond, config.cond),
        )
        self.cond_in = nn.Linear(config.cond, config.width)
        self.body = nn.ModuleList(GatedBlock(config) for _ in range(config.blocks))
        self.norm_out = nn.RMSNorm(config.width)
        self.edge_out = nn.Linear(config.width, config.components)
        nn.init.zeros_(self.edge_out.weight)
        nn.init.zeros_(self.edge_out.bias)

    def forward(
        self, noisy: torch.Tensor, sigma: torch.Tensor, text: torch.Tensor, style: torch.Tensor
    ) -> torch.Tensor:
        """(B, K) float, (B,) in 0..1, (B, 384) unit vectors (zeros: no text), (B,) int64."""
        # sentence vectors have unit length over 384 numbers; bring them to about unit variance
        absent = (text.abs().sum(-1, keepdim=True) == 0).to(text.dtype)
        text = text * math.sqrt(TEXT_WIDTH) + absent * self.text_null
        cond = self.text_in(text) + self.style_embed(style) + self.time_in(waves(sigma))
        cond = cond + self.mix(cond)
        # the two edges and the stream stay float32: at low noise the loss divides by sigma^2 and
        # would see bf16's rounding
        with torch.autocast(noisy.device.type, enabled=False):
            x = self.edge_in(noisy.float())
        x = x + self.cond_in(cond)
        for block in self.body:
            x = block(x, cond)
        with torch.autocast(noisy.device.type, enabled=False):
            return self.edge_out(self.norm_out(x.float()))


def waves(sigma: torch.Tensor) -> torch.Tensor:
    """(B,) noise levels to (B, 64) sines and cosines of 32 frequencies from 1/2 to 64 cycles."""
    frequencies = torch.exp(torch.linspace(math.log(0.5), math.log(64.0), 32, device=sigma.device))
    angles = sigma.float()[:, None] * frequencies * 2 * math.pi
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


# ---------------------------------------------------------------- the objective


class WholePictureData:
    """Coefficients, sentence vectors and styles in memory; draws random training batches."""

    def __init__(
        self,
        latents: torch.Tensor,
        captions: list[NDArray[np.float32]],
        styles: NDArray[np.int64],
        *,
        seed: int = 0,
        device: str = "cpu",
    ) -> None:
        self.latents = latents.to(device)
        counts = torch.tensor([len(c) for c in captions], device=device)
        self._first = torch.cumsum(counts, 0) - counts  # row of each picture's own name
        self._counts = counts
        self.vectors = torch.from_numpy(np.concatenate(captions)).to(device)
        self.styles = torch.from_numpy(styles).to(device)
        self.random = torch.Generator(device).manual_seed(seed)
        self.device = device

    def batch(self, size: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Latents (B, K), sentence vectors (B, 384), styles (B,)."""
        return self.numbered_batch(size)[1:]

    def numbered_batch(
        self, size: int
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Picture numbers (B,), then what ``batch`` gives.

        A picture is called by its own name six times in ten, else by a random caption of its own,
        or by a point between the two: unseen wordings fall between seen ones.
        """
        rng, dev = self.random, self.device
        rows = torch.randint(len(self.latents), (size,), generator=rng, device=dev)
        other = torch.rand(size, generator=rng, device=dev) * self._counts[rows]
        first = self._first[rows]
        name, synonym = self.vectors[first], self.vectors[first + other.long()]
        blend = torch.rand(size, 1, generator=rng, device=dev)
        kind = torch.rand(size, 1, generator=rng, device=dev)
        blend = torch.where(kind < 0.55, 0.0, torch.where(kind < 0.75, blend, 1.0))
        text = name + blend * (synonym - name)
        text = text + 0.012 * torch.randn(text.shape, generator=rng, device=dev)
        text = nn.functional.normalize(text, dim=-1)
        return rows, self.latents[rows], text, self.styles[rows]


def flow_loss(
    network: WholePictureNet,
    clean: torch.Tensor,
    text: torch.Tensor,
    style: torch.Tensor,
    random: torch.Generator,
) -> torch.Tensor:
    """Velocity-space error of the predicted picture, its denominator floored at 0.05.

    ``sigma = sigmoid(N(0.8, 0.8))`` spends most samples where words still decide the picture.
    Text is dropped 10 % of the time and style 10 %, which is what guidance subtracts.
    Source: Li & He 2025 (arXiv:2511.13720), eq. 5-6.
    """
    size, device = len(clean), clean.device
    normal = torch.randn(size, generator=random, device=device)
    sigma = torch.sigmoid(0.8 + 0.8 * normal)
    noise = torch.randn(clean.shape, generator=random, device=device)
    noisy = (1 - sigma)[:, None] * clean + sigma[:, None] * noise
    drop = torch.rand(size, 2, generator=random, device=device) < 0.1
    text = text * (~drop[:, :1])
    style = torch.where(drop[:, 1], network.config.styles - 1, style)
    error = network(noisy, sigma, text, style) - clean
    return (error.square().mean(-1) / sigma.clamp_min(0.05).square()).mean()


@torch.no_grad()
def draw(
    network: Flow,
    text: torch.Tensor,
    style: torch.Tensor,
    start: torch.Tensor,
    *,
    sigma: torch.Tensor | None = None,
    steps: int = 16,
    guidance: float = 1.5,
) -> torch.Tensor:
    """Euler sampling in torch, for contact sheets and the refiner's pairs: (B, K) latents.

    Args:
        sigma: (B,) the noise level of each row of ``start``; pure noise if not given.
    """
    x, nothing = start, torch.zeros_like(text)
    sigma = torch.ones(len(x), device=x.device) if sigma is None else sigma
    for share, following in pairwise(torch.linspace(1, 0, steps + 1).tolist()):
        clean = network(x, sigma * share, text, style)
        if guidance != 1.0:
            without = network(x, sigma * share, nothing, style)
            clean = without + guidance * (clean - without)
        x = clean + (following / share) * (x - clean)
    return x
