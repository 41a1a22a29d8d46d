"""sguardo's network: a small residual network that looks, and two layers that read.

The picture half is a residual network of plain 3x3 convolutions, because that is what a CPU trains
fastest: they reach three times the arithmetic of depthwise ones. Eighteen of its channels are not
learned: gradient directions, evened out for contrast, which tell a shape whatever it is coloured.
The head sees where things are (pictures arrive framed) beside what there is.

The text half is a frozen MiniLM sentence vector, projected by one matrix; so pictures of unknown
things land near the words they are near to. A small bend beside the matrix is learned last, once
the pictures stand still (``picture_text_reading.py``).

Source: He et al. 2016 (residual networks); Dalal & Triggs 2005 (oriented gradients); Radford et al.
2021 (arXiv:2103.00020), section 2.3 (the loss and its learned temperature).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

TEXT_WIDTH = 384
DIRECTIONS = 9  # of gradients, over half a turn
_QUIET = 0.02  # gradient energy below which a cell is not brought up to full contrast


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureTextConfig:
    """Sizes of the network."""

    widths: tuple[int, int, int] = (64, 128, 256)  # channels at 16, 8 and 4 pixels a side
    blocks: tuple[int, int, int] = (1, 1, 1)  # residual blocks at each
    stem: int = 24  # channels at 32 pixels a side
    places: int = 64  # channels a place keeps for the head that knows where things are
    dimensions: int = 192  # of the shared space
    bend: int = 1024  # hidden units of the text half's second way


class Convolution(nn.Module):
    """A 3x3 convolution whose weights are one matrix (out, in * 9), so that Muon trains it."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.inputs, self.stride = inputs, stride
        self.matrix = nn.Parameter(torch.randn(outputs, inputs * 9) * math.sqrt(2 / (9 * inputs)))
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, in, H, W) to (B, out, H / stride, W / stride), normalised."""
        weight = self.matrix.view(len(self.matrix), self.inputs, 3, 3)
        weight = weight.contiguous(memory_format=torch.channels_last)
        return self.norm(functional.conv2d(x, weight, stride=self.stride, padding=1))


class Block(nn.Module):
    """Two convolutions beside a straight way through."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = Convolution(width, width), Convolution(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) to the same shape."""
        return functional.silu(x + self.second(functional.silu(self.first(x))))


class Gradients(nn.Module):
    """Directions of the picture's gradients, evened out for contrast; nothing here is learned."""

    def __init__(self) -> None:
        super().__init__()
        angles = torch.arange(DIRECTIONS) * math.pi / DIRECTIONS
        axes = torch.stack([angles.cos(), angles.sin()], 1)[:, :, None, None]
        self.register_buffer("axes", axes)  # (9, 2, 1, 1)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """(B, 4, 64, 64) premultiplied 0..1 to (B, 18, 16, 16): fine cells and coarse ones."""
        x = functional.avg_pool2d(pictures, 2)
        across = x[:, :, 1:-1, 2:] - x[:, :, 1:-1, :-2]
        down = x[:, :, 2:, 1:-1] - x[:, :, :-2, 1:-1]
        energy, strongest = (across * across + down * down).max(1, keepdim=True)
        inverse = torch.rsqrt(energy + 1e-6)
        across = across.gather(1, strongest) * inverse
        down = down.gather(1, strongest) * inverse
        # a direction's vote falls off as the eighth power of the cosine: a soft histogram
        along = functional.conv2d(torch.cat([across, down], 1), self.axes)
        votes = along.square().square().square() * (energy * inverse)
        cells = functional.avg_pool2d(functional.pad(votes, (1, 1, 1, 1)), 2)  # (B, 9, 16, 16)
        around = functional.avg_pool2d(cells.sum(1, keepdim=True), 3, 1, 1)
        fine = (cells / (around + _QUIET)).clamp_min(1e-8).sqrt()
        coarse = functional.interpolate(functional.avg_pool2d(fine, 2), scale_factor=2.0)
        return torch.cat([fine, coarse], 1)


class PictureNet(nn.Module):
    """Framed pictures to unit vectors."""

    def __init__(self, config: PictureTextConfig) -> None:
        super().__init__()
        fine, middle, coarse = config.widths
        self.gradients = Gradients()
        self.stem = Convolution(4, config.stem, 2)
        self.enter = Convolution(config.stem, fine - 2 * DIRECTIONS, 2)
        self.at_16 = nn.Sequential(*(Block(fine) for _ in range(config.blocks[0])))
        self.to_8 = Convolution(fine, middle, 2)
        self.at_8 = nn.Sequential(*(Block(middle) for _ in range(config.blocks[1])))
        self.to_4 = Convolution(middle, coarse, 2)
        self.at_4 = nn.Sequential(*(Block(coarse) for _ in range(config.blocks[2])))
        self.narrow = nn.Conv2d(coarse, config.places, 1)
        self.where = nn.Linear(config.places * 16, config.dimensions)
        self.what = nn.Linear(coarse, config.dimensions)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """(B, 4, 64, 64) premultiplied 0..1 to (B, D) unit vectors."""
        with torch.autocast(pictures.device.type, enabled=False):
            shape = self.gradients(pictures)
        x = functional.silu(self.stem(pictures - 0.5))  # (B, 24, 32, 32)
        x = torch.cat([functional.silu(self.enter(x)), shape.to(x.dtype)], 1)  # (B, 64, 16, 16)
        x = self.at_16(x)
        x = self.at_8(functional.silu(self.to_8(x)))
        x = self.at_4(functional.silu(self.to_4(x)))  # (B, 256, 4, 4)
        mixed = self.where(self.narrow(x).flatten(1)) + self.what(x.mean((2, 3)))
        return functional.normalize(mixed.float(), dim=-1)


class Reading(nn.Module):
    """Sentence vectors to the shared space: straight, and a bend that starts as nothing."""

    def __init__(self, config: PictureTextConfig) -> None:
        super().__init__()
        self.straight = nn.Linear(TEXT_WIDTH, config.dimensions, bias=False)
        nn.init.orthogonal_(self.straight.weight)
        self.inner = nn.Linear(TEXT_WIDTH, config.bend)
        self.outer = nn.Linear(config.bend, config.dimensions)
        nn.init.zeros_(self.outer.weight)
        nn.init.zeros_(self.outer.bias)

    def forward(self, sentences: torch.Tensor) -> torch.Tensor:
        """(B, 384) unit sentence vectors to (B, D) unit vectors."""
        # a unit vector's entries are small: brought up to one, so that the bend bends
        bent = self.outer(functional.gelu(self.inner(sentences * math.sqrt(TEXT_WIDTH))))
        return functional.normalize((self.straight(sentences) + bent).float(), dim=-1)


class PictureTextNet(nn.Module):
    """Both halves and the temperature between them."""

    def __init__(self, config: PictureTextConfig) -> None:
        super().__init__()
        self.config = config
        self.picture = PictureNet(config)
        self.read = Reading(config)
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    def bend_later(self) -> None:
        """Leave the bend out of training: with it the text half only learns captions by heart."""
        for layer in (self.read.inner, self.read.outer):
            layer.requires_grad_(False)

    def scale(self) -> torch.Tensor:
        """What cosines are multiplied with before the softmax; at most 100."""
        return self.log_scale.exp().clamp(max=100.0)


def contrastive_loss(
    pictures: torch.Tensor, texts: torch.Tensor, scale: torch.Tensor, masked: torch.Tensor
) -> torch.Tensor:
    """Symmetric InfoNCE. The first B of the texts belong to the B pictures, the others to nobody.

    Args:
        pictures: (B, D) unit vectors.
        texts: (B + K, D) unit vectors.
        masked: (B, B + K) bool, pairs that are no mismatch: they do not count as negatives.
    """
    count = len(pictures)
    logits = scale * pictures @ texts.T  # (B, B + K)
    logits = logits.masked_fill(masked, -1e4)
    own = torch.arange(count, device=logits.device)
    to_text = functional.cross_entropy(logits, own)
    to_picture = functional.cross_entropy(logits[:, :count].T, own)
    return (to_text + to_picture) / 2
