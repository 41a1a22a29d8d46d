"""The refiner: a small convolutional network from the coarse picture to a crisp one, x4.

The flow draws 64 px with soft edges, a little speckle and, on subjects it knows less well, ghosts
of other drawings. What to do about that is a local question, so a small network learns it fast: it
sees the flow's own mistakes (``flow_mistakes``) beside the picture that was meant.

Shape: a U-Net at 64, 32, 16 and 8 px and a pixel shuffle to 256 px (Ronneberger et al. 2015,
arXiv:1505.04597; Shi et al. 2016, arXiv:1609.05158).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from sfumato.training.loop import Loop, LoopConfig
from sfumato.training.whole_picture import PictureBasis, WholePictureData, WholePictureNet

SCALE = 4  # 64 px in, 256 px out


class ConvPair(nn.Module):
    """Two 3x3 convolutions with a skip around them; width and resolution stay."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) to the same."""
        hidden = nn.functional.silu(self.first(nn.functional.silu(x)))
        return x + self.second(hidden)


class Refiner(nn.Module):
    """Premultiplied RGBA (B, 4, 64, 64), about 0..1, to (B, 4, 256, 256), unclipped."""

    def __init__(self, widths: tuple[int, ...] = (48, 80, 128, 192)) -> None:
        super().__init__()
        self.enter = nn.Conv2d(4, widths[0], 3, padding=1)
        self.down = nn.ModuleList()
        self.up = nn.ModuleList()
        self.before = nn.ModuleList(ConvPair(w) for w in widths[:-1])
        self.after = nn.ModuleList(ConvPair(w) for w in widths[:-1])
        self.middle = nn.Sequential(ConvPair(widths[-1]), ConvPair(widths[-1]))
        for wide, wider in pairwise(widths):
            self.down.append(nn.Conv2d(wide, wider, 2, stride=2))
            self.up.append(nn.Conv2d(wider, 4 * wide, 1))
        self.leave = nn.Sequential(
            nn.SiLU(),
            nn.Conv2d(widths[0], widths[0], 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(widths[0], 4 * SCALE * SCALE, 3, padding=1),
        )
        nn.init.zeros_(self.leave[-1].weight)
        nn.init.zeros_(self.leave[-1].bias)

    def forward(self, coarse: torch.Tensor) -> torch.Tensor:
        """See the class."""
        x = self.enter(coarse)  # (B, 48, 64, 64)
        kept = []
        for before, down in zip(self.before, self.down, strict=True):
            x = before(x)
            kept.append(x)
            x = down(x)
        x = self.middle(x)  # (B, 192, 8, 8)
        for level in reversed(range(len(self.up))):
            x = nn.functional.pixel_shuffle(self.up[level](x), 2) + kept[level]
            x = self.after[level](x)
        detail = nn.functional.pixel_shuffle(self.leave(x), SCALE)  # (B, 4, 256, 256)
        base = nn.functional.interpolate(coarse, scale_factor=SCALE, mode="bilinear")
        return base + detail


def refiner_loss(refined: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Absolute error of premultiplied RGBA and of its neighbour differences, (B, ...) to (B,).

    Absolute, not squared: where an edge may lie here or there, the median is crisp and the mean
    is a blur. The differences keep flat areas flat.
    """
    plain = (refined - target).abs().mean((1, 2, 3))
    total = plain
    for axis in (2, 3):
        step = refined.diff(dim=axis) - target.diff(dim=axis)
        total = total + step.abs().mean((1, 2, 3))
    return total


@torch.no_grad()
def flow_mistakes(
    network: WholePictureNet,
    basis: PictureBasis,
    latents: torch.Tensor,
    text: torch.Tensor,
    style: torch.Tensor,
    random: torch.Generator,
    *,
    steps: int = 5,
    guidance: float = 1.5,
) -> torch.Tensor:
    """Coarse pictures as the flow would draw them, aligned with the true ones: (B, 4, 64, 64).

    Each picture is taken to a random noise level between 0.35 and 1 and drawn again from there, so
    that mild and severe mistakes are both seen.
    """
    sigma = 0.35 + 0.65 * torch.rand(len(latents), 1, generator=random)
    noise = torch.randn(latents.shape, generator=random)
    x = (1 - sigma) * latents + sigma * noise
    shares = torch.linspace(1, 0, steps + 1).tolist()
    for share, following in pairwise(shares):
        level = (sigma * share)[:, 0]
        clean = network(x, level, text, style)
        without = network(x, level, torch.zeros_like(text), style)
        clean = without + guidance * (clean - without)
        x = clean + (following / share) * (x - clean)
    return basis.decode(x)


class RefinerFeed:
    """Pairs of what the flow drew and what was meant, picture by picture."""

    def __init__(
        self,
        feed: WholePictureData,
        basis: PictureBasis,
        pictures: NDArray[np.uint8],
        numbers: NDArray[np.int64],
        flow: Callable[[], WholePictureNet],
    ) -> None:
        """Pair the feed's pictures with their large versions.

        Args:
            pictures: (M, 256, 256, 4) uint8, straight alpha; may be a memory map.
            numbers: (N,) the row of ``pictures`` that belongs to each of the feed's.
            flow: gives the newest averaged network each time it is called.
        """
        self.feed, self.basis, self._flow = feed, basis, flow
        self.pictures, self.numbers = pictures, numbers
        self._network = flow()
        self._age = 0

    def batch(self, size: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Coarse (B, 4, 64, 64) and true (B, 4, 256, 256), premultiplied."""
        self._age += 1
        if self._age % 400 == 0:
            self._network = self._flow()
        rows, clean, text, style = self.feed.numbered_batch(size)
        with torch.autocast("cpu", enabled=False):
            coarse = flow_mistakes(self._network, self.basis, clean, text, style, self.feed.random)
        target = torch.from_numpy(self.pictures[self.numbers[rows.numpy()]])
        target = target.permute(0, 3, 1, 2).float() / 255.0
        return coarse, torch.cat([target[:, :3] * target[:, 3:], target[:, 3:]], dim=1)


def train_refiner(
    feed: RefinerFeed,
    out: Path,
    config: LoopConfig,
    *,
    batch_size: int = 16,
    say: Callable[[str], None] = print,
) -> Loop:
    """Train (or go on training) the refiner in ``out``; draws ``refined.png`` at every save."""
    torch.manual_seed(0)
    network = Refiner().to(memory_format=torch.channels_last)
    loop = Loop(network, out, config, "cpu")
    if loop.resume():
        say(f"continuing at step {loop.step}")

    def loss() -> torch.Tensor:
        coarse, target = feed.batch(batch_size)
        refined = network(coarse.contiguous(memory_format=torch.channels_last))
        each = refiner_loss(refined.float(), target)
        # where the flow drew another picture altogether there is nothing local to learn
        aside = (coarse - nn.functional.avg_pool2d(target, SCALE)).abs().mean((1, 2, 3))
        return (each * (aside < 0.08)).sum() / batch_size

    def sheet() -> None:
        coarse, target = feed.batch(12)
        averaged = Refiner()
        averaged.load_state_dict(loop.ema_state())
        with torch.no_grad():
            refined = averaged.eval()(coarse)
        rows = [nn.functional.interpolate(coarse, scale_factor=SCALE), refined, target]
        strips = [_on_white(row) for row in rows]
        Image.fromarray(np.concatenate(strips)).save(out / "refined.png")

    loop.run(loss, batch_size=batch_size, say=say, on_save=sheet)
    sheet()
    return loop


def keep_refiner(refiner: Refiner, out: Path) -> None:
    """Store a finished refiner in a run's folder, in the form ``export`` reads."""
    out.mkdir(parents=True, exist_ok=True)
    weights = {f"ema.{k}": v.contiguous() for k, v in refiner.state_dict().items()}
    save_file(weights, out / "state.safetensors")


def refiner_config(minutes: float) -> LoopConfig:
    """The loop settings the shipped refiner was trained with."""
    return replace(
        LoopConfig(minutes=minutes), learning_rate=6e-4, ema_decay=0.998, warmup_steps=100
    )


def _on_white(pixels: torch.Tensor) -> NDArray[np.uint8]:
    """(B, 4, H, W) premultiplied to one (H, B*W, 3) strip."""
    white = (pixels[:, :3] + 1.0 - pixels[:, 3:]).clamp(0, 1).permute(2, 0, 3, 1)
    return (white.reshape(pixels.shape[2], -1, 3) * 255).byte().numpy()
