"""The refiner: a small convolutional network from the coarse picture to a crisp one, x4.

The flow draws 64 px with soft edges, the speckle of a basis that was cut short and, on subjects it
knows less well, ghosts of other drawings. A small network learns to mend that: it sees what the
flow that ships, few bits and all, makes of every picture (``flow_drawings``) beside what was meant.

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
from sfumato.training.whole_picture import SIDE, Flow, PictureBasis, WholePictureData, draw

SCALE = 4  # 64 px in, 256 px out
_NO_HINT = 0.25  # share of the training pictures whose hint is withheld
# squared distances, as shares of a picture's own square: what is this near was meant
_NEAR_ANY, _NEAR_OWN = 0.12, 0.35


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
    """Premultiplied RGBA (B, 4, 64, 64), about 0..1, to (B, 4, 256, 256), unclipped.

    The basis gives the coarse picture what a thousand numbers can say in straight lines; the
    ``hint`` reads the same numbers once more, bent, and tells the deepest level what they left out.
    """

    def __init__(
        self,
        components: int = 1024,
        widths: tuple[int, ...] = (48, 80, 128, 192),
        hint_width: int = 512,
        hint_depth: int = 128,
        side: int = SIDE,
    ) -> None:
        super().__init__()
        self.enter = nn.Conv2d(4, widths[0], 3, padding=1)
        side >>= len(widths) - 1
        self.hint = nn.Sequential(
            nn.Linear(components, hint_width),
            nn.SiLU(),
            nn.Linear(hint_width, hint_depth * side * side, bias=False),
            nn.Unflatten(1, (hint_depth, side, side)),
            nn.Conv2d(hint_depth, widths[-1], 1),
        )
        nn.init.zeros_(self.hint[-1].weight)
        nn.init.zeros_(self.hint[-1].bias)
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

    def forward(self, coarse: torch.Tensor, latents: torch.Tensor) -> torch.Tensor:
        """``latents``: the (B, K) numbers that ``coarse`` was made from."""
        x = self.enter(coarse)  # (B, 48, 64, 64)
        kept = []
        for before, down in zip(self.before, self.down, strict=True):
            x = before(x)
            kept.append(x)
            x = down(x)
        hint = self.hint(latents)
        if self.training:  # pictures that no one has seen must be mended from their pixels alone
            hint = hint * (torch.rand(len(hint), 1, 1, 1, device=hint.device) >= _NO_HINT)
        x = self.middle(x + hint)  # (B, 192, 8, 8)
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
def flow_drawings(
    flow: Flow,
    feed: WholePictureData,
    rows: torch.Tensor,
    text: torch.Tensor,
) -> torch.Tensor:
    """The pictures ``rows`` (B,) as ``flow`` draws them, (B, K) latents, mistakes of all kinds.

    Of each picture by luck: drawn from noise or half of it under its own words; half drawn under
    words with foreign ones mixed in; or half drawn from a start that another picture shines
    through. ``flow`` takes and gives what ``WholePictureNet.forward`` does.
    """
    random, size = feed.random, len(rows)
    luck = torch.rand(size, 6, generator=random)
    wording, shining = (luck[:, 0] >= 0.45) & (luck[:, 0] < 0.8), luck[:, 0] >= 0.8
    foreign = torch.where(wording, 0.1 + 0.4 * luck[:, 1], 0.0)[:, None]
    other = feed.vectors[torch.randint(len(feed.vectors), (size,), generator=random)]
    text = nn.functional.normalize((1 - foreign) * text + foreign * other, dim=-1)
    through = torch.where(shining, 0.05 + 0.3 * luck[:, 2], 0.0)[:, None]
    other = feed.latents[torch.randint(len(feed.latents), (size,), generator=random)]
    start = (1 - through) * feed.latents[rows] + through * other
    own = torch.where(luck[:, 3] < 0.6, 1.0, 0.35 + 0.65 * luck[:, 4])
    half = 0.35 + 0.55 * luck[:, 5]
    sigma = torch.where(shining, 0.2 + 0.4 * luck[:, 5], torch.where(wording, half, own))
    noise = torch.randn(start.shape, generator=random)
    x = (1 - sigma)[:, None] * start + sigma[:, None] * noise
    return draw(flow, text, feed.styles[rows], x, sigma=sigma, steps=8)


def whose(drawn: torch.Tensor, rows: torch.Tensor, latents: torch.Tensor) -> torch.Tensor:
    """Which picture each drawing (B, K) shows, (B,): the nearest of ``latents`` (N, K).

    Where none is near it is the one of ``rows`` that was asked for, or -1 where that is far too.
    """
    squares = latents.square().sum(1)
    apart = (torch.cdist(drawn, latents).square() / squares).T  # (N, B), shares
    nearest, which = apart.min(0)
    own = apart[rows, torch.arange(len(rows))]
    return torch.where(nearest < _NEAR_ANY, which, torch.where(own < _NEAR_OWN, rows, -1))


class RefinerFeed:
    """Pairs of what the flow drew and what was meant, picture by picture."""

    def __init__(
        self,
        feed: WholePictureData,
        basis: PictureBasis,
        pictures: NDArray[np.uint8],
        numbers: NDArray[np.int64],
        flow: Flow,
        *,
        rounds: int = 6,
    ) -> None:
        """Have ``flow`` draw every picture ``rounds`` times (about two minutes on two cores).

        Args:
            pictures: (M, 256, 256, 4) uint8, straight alpha; may be a memory map.
            numbers: (N,) the row of ``pictures`` that belongs to each of the feed's.
        """
        self.feed, self.basis = feed, basis
        self.pictures, self.numbers = pictures, numbers
        # the pictures themselves are among them: a flow that knows nothing yet draws none
        drawn, shown = [feed.latents.half()], [torch.arange(len(feed.latents))]
        for _ in range(rounds * -(-len(feed.latents) // 64)):
            rows, _, text, _ = feed.numbered_batch(64)
            latents = flow_drawings(flow, feed, rows, text)
            row = whose(latents, rows, feed.latents)
            drawn.append(latents[row >= 0].half())
            shown.append(row[row >= 0])
        self._drawn, self._shown = torch.cat(drawn), torch.cat(shown)

    def batch(self, size: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Latents (B, K), coarse (B, 4, 64, 64) and true (B, 4, 256, 256), premultiplied."""
        chosen = torch.randint(len(self._shown), (size,), generator=self.feed.random)
        rows, latents = self._shown[chosen], self._drawn[chosen].float()
        with torch.autocast("cpu", enabled=False):
            coarse = self.basis.decode(latents)
        target = torch.from_numpy(self.pictures[self.numbers[rows.numpy()]])
        target = target.permute(0, 3, 1, 2).float() / 255.0
        return latents, coarse, torch.cat([target[:, :3] * target[:, 3:], target[:, 3:]], dim=1)


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
    components = feed.feed.latents.shape[1]
    network = Refiner(components).to(memory_format=torch.channels_last)
    loop = Loop(network, out, config, "cpu")
    if loop.resume():
        say(f"continuing at step {loop.step}")

    def loss() -> torch.Tensor:
        latents, coarse, target = feed.batch(batch_size)
        refined = network(coarse.contiguous(memory_format=torch.channels_last), latents)
        return refiner_loss(refined.float(), target).mean()

    def sheet() -> None:
        latents, coarse, target = feed.batch(12)
        averaged = Refiner(components)
        averaged.load_state_dict(loop.ema_state())
        with torch.no_grad():
            refined = averaged.eval()(coarse, latents)
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
        LoopConfig(minutes=minutes), learning_rate=8e-4, ema_decay=0.998, warmup_steps=150
    )


def _on_white(pixels: torch.Tensor) -> NDArray[np.uint8]:
    """(B, 4, H, W) premultiplied to one (H, B*W, 3) strip."""
    white = (pixels[:, :3] + 1.0 - pixels[:, 3:]).clamp(0, 1).permute(2, 0, 3, 1)
    return (white.reshape(pixels.shape[2], -1, 3) * 255).byte().numpy()
