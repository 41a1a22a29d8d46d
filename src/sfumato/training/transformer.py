"""chiaro's full model: a single-stream transformer over words and picture patches.

Words (frozen MiniLM token states) and 8x8 patches of premultiplied RGBA stand in one sequence and
attend to each other; noise level, guidance scale and style are three more tokens in front. The
network predicts the clean picture. There is no VAE, no adaptive norm and no second network: the
guidance scale is a token, so that a distilled student draws with one forward pass a step.

Sources: single stream, Esser et al. 2024 (arXiv:2403.03206); predicting the picture from large
patches through a bottleneck, Li & He 2025 (arXiv:2511.13720); QK-norm, Dehghani et al. 2023
(arXiv:2302.05442); rotary positions, Su et al. 2021 (arXiv:2104.09864); SwiGLU, Shazeer 2020
(arXiv:2002.05202); the guidance scale as an input, Meng et al. 2022 (arXiv:2210.03142).

B is the batch, T the sequence, N the patches, C the width, H the heads, D a head's width.
"""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F

PATCH = 8
CHANNELS = 4
TEXT_WIDTH = 384
PREFIX = 3  # noise level, guidance, style
GRID = 16.0  # rotary units across a picture of any size: the patches of 128 px
MAX_GUIDANCE = 6.0

Denoise = Callable[..., torch.Tensor]  # (latents, sigma, text, text_mask, guidance, style)


@dataclass(frozen=True, slots=True, kw_only=True)
class TransformerConfig:
    """Sizes of the network; the defaults are the full model, 24.9 M parameters."""

    side: int = 128  # pixels; other multiples of the patch work with the same weights
    width: int = 384
    blocks: int = 12
    heads: int = 6
    hidden: int = 1024
    bottleneck: int = 128
    adapters: int = 2
    adapter_hidden: int = 768
    text_tokens: int = 24
    styles: int = 6  # the last one means "no style"


def rotary_table(
    side: int, head: int, device: torch.device | str = "cpu"
) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosines and sines (N, D) of the patches of a ``side`` px picture, rows then columns.

    Half of a head turns with the row, half with the column. Positions are measured in the picture,
    not in patches: the middle of a 64 px picture is where the middle of a 128 px one is.
    """
    count = side // PATCH
    place = (torch.arange(count, device=device) + 0.5) * (GRID / count)  # (n,)
    slower = torch.arange(head // 4, device=device) / (head // 4)
    frequencies = math.pi / 2 * 100.0**-slower  # (D/4,)
    angles = place[:, None] * frequencies  # (n, D/4)
    rows = angles[:, None].expand(count, count, -1)
    columns = angles[None].expand(count, count, -1)
    both = torch.cat([rows, columns], dim=-1).reshape(count * count, head // 2)  # (N, D/2)
    return torch.cat([both, both], -1).cos(), torch.cat([both, both], -1).sin()


def rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Turn each pair (x_i, x_{i+D/2}) of (B, H, T, D) by its position's angle."""
    left, right = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-right, left], dim=-1) * sin


class Block(nn.Module):
    """Attention, then SwiGLU, each behind an RMSNorm and added to the stream."""

    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_attend = nn.RMSNorm(width, eps=1e-6)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.norm_q = nn.RMSNorm(width // heads, eps=1e-6)
        self.norm_k = nn.RMSNorm(width // heads, eps=1e-6)
        self.attend_out = nn.Linear(width, width, bias=False)
        self.norm_feed = nn.RMSNorm(width, eps=1e-6)
        self.gate_up = nn.Linear(width, 2 * hidden, bias=False)
        self.down = nn.Linear(hidden, width, bias=False)
        # a block starts as the identity: depth costs nothing until it is of use
        nn.init.zeros_(self.attend_out.weight)
        nn.init.zeros_(self.down.weight)

    def forward(
        self, x: torch.Tensor, turn: tuple[torch.Tensor, torch.Tensor] | None = None
    ) -> torch.Tensor:
        """(B, T, C) to (B, T, C); ``turn`` is the rotary table of all T positions."""
        b, t, c = x.shape
        qkv = self.qkv(self.norm_attend(x)).view(b, t, 3, self.heads, c // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)  # (B, H, T, D) each
        q, k = self.norm_q(q.float()), self.norm_k(k.float())  # angles stay float32 under bf16
        if turn is not None:
            q, k = rotate(q, *turn), rotate(k, *turn)
        mixed = F.scaled_dot_product_attention(q.to(v.dtype), k.to(v.dtype), v)  # (B, H, T, D)
        x = x + self.attend_out(mixed.transpose(1, 2).reshape(b, t, c))
        gate, up = self.gate_up(self.norm_feed(x)).chunk(2, dim=-1)  # (B, T, hidden) each
        return x + self.down(F.silu(gate) * up)


class ScalarToken(nn.Module):
    """One number a picture, as a token: sines and cosines, then a small network."""

    def __init__(self, width: int, highest: float) -> None:
        super().__init__()
        cycles = torch.exp(torch.linspace(math.log(0.5), math.log(highest), 32))
        self.register_buffer("cycles", 2 * math.pi * cycles, persistent=False)
        self.embed_in = nn.Linear(64, width)
        self.embed_out = nn.Linear(width, width)

    def forward(self, value: torch.Tensor) -> torch.Tensor:
        """(B,) in 0..1 to (B, 1, C)."""
        angles = value.float()[:, None] * self.cycles  # (B, 32)
        waves = torch.cat([angles.sin(), angles.cos()], dim=-1)  # (B, 64)
        return self.embed_out(F.silu(self.embed_in(waves)))[:, None]


class Chiaro(nn.Module):
    """``net(latents, sigma, text, text_mask, guidance, style) -> clean``."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        width, pixels = config.width, PATCH * PATCH * CHANNELS
        self.edge_in = nn.Linear(pixels, config.bottleneck, bias=False)
        self.edge_widen = nn.Linear(config.bottleneck, width)
        self.sigma_token = ScalarToken(width, 64.0)
        self.guidance_token = ScalarToken(width, 8.0)
        self.style_embed = nn.Embedding(config.styles, width)
        self.text_embed = nn.Linear(TEXT_WIDTH, width)
        self.absent_embed = nn.Parameter(0.02 * torch.randn(config.text_tokens, width))
        self.adapters = nn.ModuleList(
            Block(width, config.heads, config.adapter_hidden) for _ in range(config.adapters)
        )
        self.body = nn.ModuleList(
            Block(width, config.heads, config.hidden) for _ in range(config.blocks)
        )
        self.norm_out = nn.RMSNorm(width, eps=1e-6)
        self.edge_out = nn.Linear(width, pixels)
        nn.init.normal_(self.style_embed.weight, std=0.02)
        nn.init.zeros_(self.edge_out.weight)
        nn.init.zeros_(self.edge_out.bias)

    def forward(
        self,
        latents: torch.Tensor,
        sigma: torch.Tensor,
        text: torch.Tensor,
        text_mask: torch.Tensor,
        guidance: torch.Tensor,
        style: torch.Tensor,
    ) -> torch.Tensor:
        """The clean picture, (B, 4, S, S) float32, premultiplied RGBA scaled to -1..1.

        Args:
            latents: (B, 4, S, S) noisy picture. sigma: (B,) its noise, 1 (all) to 0 (none).
            text: (B, 24, 384) token states. text_mask: (B, 24), 1 where there is a token; all
                zeros is "no text". guidance: (B,) scale, 1 is off. style: (B,) int64.
        """
        side = latents.shape[-1]
        absent = self.absent_embed[: text.shape[1]]
        # what the padding holds never reaches the network; attention needs no mask, which keeps
        # its fast kernels
        words = torch.where(text_mask[..., None] > 0, self.text_embed(text), absent)  # (B, 24, C)
        for adapter in self.adapters:
            words = adapter(words)
        scale = (guidance.clamp(1.0, MAX_GUIDANCE) - 1.0) / (MAX_GUIDANCE - 1.0)
        front = [self.sigma_token(sigma), self.guidance_token(scale)]  # (B, 1, C) each
        front += [self.style_embed(style)[:, None], words]  # (B, 1, C), (B, 24, C)
        # both edges stay float32: at low noise the loss divides by sigma^2 and would see bf16's
        # rounding
        with torch.autocast(latents.device.type, enabled=False):
            patches = self.edge_widen(self.edge_in(split_patches(latents.float())))  # (B, N, C)
        x = torch.cat([*front, patches], dim=1)  # (B, T, C), T = 3 + 24 + N
        turn = self._turn(side, x.shape[1] - patches.shape[1], x.device)
        for block in self.body:
            x = block(x, turn)
        with torch.autocast(latents.device.type, enabled=False):
            out = self.edge_out(self.norm_out(x[:, -patches.shape[1] :].float()))  # (B, N, 256)
        return join_patches(out, side)

    def _turn(
        self, side: int, unmoved: int, device: torch.device
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The rotary table of the whole sequence, (T, D) twice; front tokens do not turn."""
        cos, sin = rotary_table(side, self.config.width // self.config.heads, device)
        return F.pad(cos, (0, 0, unmoved, 0), value=1.0), F.pad(sin, (0, 0, unmoved, 0))


def training_flops(config: TransformerConfig, side: int) -> float:
    """Floating-point operations of one picture, forward and backward; edges left out."""
    tokens = PREFIX + config.text_tokens + (side // PATCH) ** 2
    width, hidden = config.width, config.hidden
    linear = 2 * tokens * (4 * width * width + 3 * width * hidden)
    attention = 4 * tokens * tokens * width
    return 3.0 * config.blocks * (linear + attention)


def split_patches(x: torch.Tensor) -> torch.Tensor:
    """(B, 4, S, S) to (B, N, 256), patches row by row."""
    b, c, side, _ = x.shape
    n = side // PATCH
    x = x.view(b, c, n, PATCH, n, PATCH).permute(0, 2, 4, 1, 3, 5)  # (B, n, n, 4, 8, 8)
    return x.reshape(b, n * n, c * PATCH * PATCH)


def join_patches(x: torch.Tensor, side: int) -> torch.Tensor:
    """(B, N, 256) back to (B, 4, S, S)."""
    n = side // PATCH
    x = x.view(x.shape[0], n, n, CHANNELS, PATCH, PATCH).permute(0, 3, 1, 4, 2, 5)
    return x.reshape(x.shape[0], CHANNELS, side, side)


def to_latents(pictures: torch.Tensor) -> torch.Tensor:
    """(B, S, S, 4) uint8 straight alpha to (B, 4, S, S) float32, premultiplied, -1..1."""
    rgba = pictures.permute(0, 3, 1, 2).float() / 255.0
    return torch.cat([rgba[:, :3] * rgba[:, 3:], rgba[:, 3:]], dim=1) * 2.0 - 1.0


def to_pictures(latents: torch.Tensor) -> torch.Tensor:
    """(B, 4, S, S) premultiplied -1..1 back to (B, S, S, 4) uint8 straight alpha."""
    rgba = (latents.float() * 0.5 + 0.5).clamp(0.0, 1.0)
    alpha = rgba[:, 3:]
    colour = (rgba[:, :3] / alpha.clamp_min(1e-3)).clamp(0.0, 1.0) * (alpha > 0)
    return (torch.cat([colour, alpha], dim=1).permute(0, 2, 3, 1) * 255.0).round().byte()


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What one training step sees."""

    pictures: torch.Tensor  # (B, S, S, 4) uint8 straight alpha
    text: torch.Tensor  # (B, 24, 384)
    text_mask: torch.Tensor  # (B, 24) float
    style: torch.Tensor  # (B,) int64


def flow_loss(
    network: Denoise,
    batch: Batch,
    random: torch.Generator,
    *,
    no_style: int,
    teacher: Denoise | None = None,
) -> torch.Tensor:
    """Velocity-space error of the predicted picture, its denominator floored at 0.05.

    ``sigma = sigmoid(N(0.8, 0.8))``: most samples are where words still decide the picture. One
    caption in ten is dropped, and one style in ten, which is what guidance subtracts.

    With a ``teacher``, the first half of the batch learns what the teacher draws under a random
    guidance scale from 1 to 6, in one pass; the other half stays with the data, so that scale 1
    does not drift.
    Source: Li & He 2025 (arXiv:2511.13720), eq. 5-6; Meng et al. 2022 (arXiv:2210.03142), eq. 4.
    """
    clean = to_latents(batch.pictures)  # (B, 4, S, S)
    size, device = len(clean), clean.device
    sigma = torch.sigmoid(0.8 + 0.8 * torch.randn(size, generator=random, device=device))
    noise = torch.randn(clean.shape, generator=random, device=device)
    level = sigma[:, None, None, None]
    noisy = (1 - level) * clean + level * noise
    drop = torch.rand(size, 2, generator=random, device=device) < 0.1  # (B, 2)
    lot = torch.rand(size, generator=random, device=device)
    guidance, target = torch.ones_like(sigma), clean
    if teacher is not None:
        half = size // 2
        drop[:half] = False
        # squared: the useful scales are the small ones
        guidance[:half] = 1.0 + (MAX_GUIDANCE - 1.0) * lot[:half].square()
        with torch.no_grad():
            aimed = _guided(
                teacher,
                noisy[:half],
                sigma[:half],
                batch.text[:half],
                batch.text_mask[:half],
                guidance[:half],
                batch.style[:half],
            )
        target = torch.cat([aimed, clean[half:]])
    text_mask = batch.text_mask * (~drop[:, :1])
    style = torch.where(drop[:, 1], no_style, batch.style)
    error = network(noisy, sigma, batch.text, text_mask, guidance, style) - target
    return (error.square().mean((1, 2, 3)) / sigma.clamp_min(0.05).square()).mean()


def _guided(
    network: Denoise,
    latents: torch.Tensor,
    sigma: torch.Tensor,
    text: torch.Tensor,
    text_mask: torch.Tensor,
    guidance: torch.Tensor,
    style: torch.Tensor,
) -> torch.Tensor:
    """``uncond + s * (cond - uncond)`` in two passes of an undistilled network, kept in range."""
    plain = torch.ones_like(guidance)
    cond = network(latents, sigma, text, text_mask, plain, style).float()
    uncond = network(latents, sigma, text, torch.zeros_like(text_mask), plain, style).float()
    return (uncond + guidance[:, None, None, None] * (cond - uncond)).clamp(-1.0, 1.0)


@torch.no_grad()
def sample(
    network: Denoise,
    noise: torch.Tensor,
    text: torch.Tensor,
    text_mask: torch.Tensor,
    style: torch.Tensor,
    *,
    steps: int = 8,
    guidance: float = 2.5,
    distilled: bool = True,
) -> torch.Tensor:
    """Euler sampling for contact sheets: (B, 4, S, S) noise to (B, 4, S, S) pictures in -1..1."""
    x = noise
    scale = torch.full((len(x),), guidance, device=x.device)
    sigmas = torch.linspace(1, 0, steps + 1).tolist()
    for sigma, following in pairwise(sigmas):
        level = torch.full((len(x),), sigma, device=x.device)
        call = network if distilled else lambda *given: _guided(network, *given)
        clean = call(x, level, text, text_mask, scale, style).float()
        x = clean + (following / sigma) * (x - clean)
    return x


# ---------------------------------------------------------------- export


def export_transformer(run: Path, out: Path) -> Path:
    """Write ``out/transformer.onnx`` from a run's averaged weights; the path.

    Inputs ``latents`` (B, 4, S, S), ``sigma`` (B,), ``text`` (B, 24, 384), ``text_mask`` (B, 24),
    ``guidance`` (B,), ``style`` (B,) int64; output ``clean`` (B, 4, S, S); all others float32. S is
    the side of the run's last stage.
    """
    card = json.loads((run / "run.json").read_text("utf-8"))
    config = TransformerConfig(**card["net"])
    network = Chiaro(config).eval()
    weights = load_file(run / "ema.safetensors")
    network.load_state_dict({k: v.float() for k, v in weights.items()})
    batch = torch.export.Dim("batch", min=1)
    given = (
        torch.zeros(2, 4, config.side, config.side),
        torch.full((2,), 0.5),
        torch.zeros(2, config.text_tokens, 384),
        torch.ones(2, config.text_tokens),
        torch.ones(2),
        torch.zeros(2, dtype=torch.int64),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns of its own internals
        program = torch.onnx.export(
            network,
            given,
            dynamo=True,
            input_names=["latents", "sigma", "text", "text_mask", "guidance", "style"],
            output_names=["clean"],
            dynamic_shapes=tuple({0: batch} for _ in given),
            verbose=False,
        )
    out.mkdir(parents=True, exist_ok=True)
    path = out / "transformer.onnx"
    program.save(str(path))
    return path
