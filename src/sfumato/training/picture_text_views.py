"""What sguardo is shown of a painted picture: framed, turned, outlined, on a ground, worn.

Each drawing is framed as pictures will be when they are looked at (``clip/framing.py``), with some
play; then it is varied in the ways that pictures differ in without showing anything else. All of a
batch at once, on premultiplied planes (B, 4, 64, 64) in 0..1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from sfumato.clip.framing import SIDE


def vary(
    painted: NDArray[np.uint8],
    grounds: Sequence[NDArray[np.float32] | None],
    random: np.random.Generator,
) -> torch.Tensor:
    """Frame (B, 64, 64, 4) straight-alpha drawings, vary them and set them on their grounds.

    Returns (B, 4, 64, 64) float32, premultiplied, in 0..1.
    """
    count = len(painted)
    boxes = [_box(picture[..., 3]) for picture in painted]
    planes = torch.from_numpy(painted).permute(0, 3, 1, 2).float() / 255.0
    planes = torch.cat([planes[:, :3] * planes[:, 3:], planes[:, 3:]], 1)
    x = _place(planes, boxes, random)
    x = _stylise(x, random)
    x = _set_on(x, grounds, random)
    x = _wear(x, random)
    return x.contiguous(memory_format=torch.channels_last) if count else x


def _box(alpha: NDArray[np.uint8]) -> tuple[float, float, float]:
    """Middle (x, y) and longer side of what is drawn, in pixels."""
    inked = alpha >= 16
    rows, columns = np.flatnonzero(inked.any(1)), np.flatnonzero(inked.any(0))
    if len(rows) == 0:
        return SIDE / 2, SIDE / 2, float(SIDE)
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    return (left + right) / 2, (top + bottom) / 2, float(max(bottom - top, right - left))


def _place(
    planes: torch.Tensor, boxes: Sequence[tuple[float, float, float]], random: np.random.Generator
) -> torch.Tensor:
    """Each drawing framed, then a little turned, stretched and moved; some stay small."""
    count = len(planes)
    x, y, side = np.array(boxes).T
    fill = random.uniform(0.82, 1.0, count)
    fill = np.where(random.random(count) < 0.15, random.uniform(0.5, 0.82, count), fill)
    scale = side / fill / SIDE
    turn = random.normal(0.0, 0.1, count)
    stretch = np.exp(random.normal(0.0, 0.06, count))
    moved = random.normal(0.0, 0.03, (2, count))
    theta = np.zeros((count, 2, 3), np.float32)
    theta[:, 0, 0], theta[:, 0, 1] = scale * np.cos(turn) * stretch, -scale * np.sin(turn)
    theta[:, 1, 0], theta[:, 1, 1] = scale * np.sin(turn) * stretch, scale * np.cos(turn)
    theta[:, 0, 2] = x / (SIDE / 2) - 1.0 + moved[0]
    theta[:, 1, 2] = y / (SIDE / 2) - 1.0 + moved[1]
    grid = functional.affine_grid(torch.from_numpy(theta), list(planes.shape), align_corners=False)
    return functional.grid_sample(planes, grid, align_corners=False)


def _stylise(x: torch.Tensor, random: np.random.Generator) -> torch.Tensor:
    """Some drawings get outlines, some lose or shift their colours, some become mere lines."""
    count = len(x)
    lot = random.random(count)
    outlined = torch.from_numpy(np.flatnonzero(lot < 0.14))
    lined = torch.from_numpy(np.flatnonzero((lot >= 0.14) & (lot < 0.18)))
    greyed = torch.from_numpy(np.flatnonzero((lot >= 0.18) & (lot < 0.22)))
    if len(outlined) or len(lined):
        both = torch.cat([outlined, lined])
        part = x[both]
        wide = functional.max_pool2d(part, 3, 1, 1)
        narrow = -functional.max_pool2d(-part, 3, 1, 1)
        edge = ((wide - narrow).amax(1, keepdim=True) * 1.6 - 0.2).clamp(0, 1)  # (n, 1, S, S)
        inked = torch.cat([part[:, :3] * (1 - edge), part[:, 3:].maximum(edge)], 1)
        only = torch.cat([torch.zeros_like(part[:, :3]), edge], 1)
        x[outlined], x[lined] = inked[: len(outlined)], only[len(outlined) :]
    if len(greyed):
        grey = x[greyed][:, :3].mean(1, keepdim=True)
        x[greyed] = torch.cat([grey.expand(-1, 3, -1, -1), x[greyed][:, 3:]], 1)
    # lighter, darker, warmer: never so much that a colour changes its name
    gain = torch.from_numpy(np.exp(random.normal(0.0, 0.08, (count, 3, 1, 1))).astype(np.float32))
    lift = torch.from_numpy(random.normal(0.0, 0.03, (count, 3, 1, 1)).astype(np.float32))
    alpha = x[:, 3:]
    return torch.cat([(x[:, :3] * gain + lift * alpha).clamp_min(0).minimum(alpha), alpha], 1)


def _set_on(
    x: torch.Tensor, grounds: Sequence[NDArray[np.float32] | None], random: np.random.Generator
) -> torch.Tensor:
    """Composite where there is a ground that the drawing stands out from."""
    chosen = [i for i, ground in enumerate(grounds) if ground is not None]
    if not chosen:
        return x
    index = torch.tensor(chosen)
    ends = torch.from_numpy(np.stack([grounds[i] for i in chosen]))  # (n, 2, 3)
    part = x[index]
    alpha = part[:, 3:]
    tone = part[:, :3].sum((2, 3)) / alpha.sum((2, 3)).clamp_min(1e-3)  # (n, 3)
    clear = (tone - ends.mean(1)).norm(dim=1) >= 0.3
    share = torch.linspace(0, 1, SIDE)[None, None, :, None]
    field = ends[:, 0, :, None, None] * (1 - share) + ends[:, 1, :, None, None] * share
    colour = part[:, :3] + (1 - alpha) * field
    solid = torch.cat([colour, torch.ones_like(alpha)], 1)
    x = x.clone()
    x[index] = torch.where(clear[:, None, None, None], solid, part)
    return x


def _wear(x: torch.Tensor, random: np.random.Generator) -> torch.Tensor:
    """Some pictures are blurred, noisy, block-compressed or partly covered."""
    lot = random.random(len(x))
    blurred = torch.from_numpy(np.flatnonzero(lot < 0.12))
    noisy = torch.from_numpy(np.flatnonzero((lot >= 0.12) & (lot < 0.2)))
    covered = np.flatnonzero((lot >= 0.2) & (lot < 0.34))
    blocky = torch.from_numpy(np.flatnonzero((lot >= 0.34) & (lot < 0.42)))
    if len(blurred):
        small = functional.avg_pool2d(x[blurred], 2)
        x[blurred] = functional.interpolate(small, scale_factor=2, mode="bilinear")
    if len(noisy):
        noise = torch.from_numpy(random.normal(0, 0.05, (len(noisy), 3, SIDE, SIDE)))
        part = x[noisy]
        rgb = (part[:, :3] + noise.float() * part[:, 3:]).clamp_min(0).minimum(part[:, 3:])
        x[noisy] = torch.cat([rgb, part[:, 3:]], 1)
    for i in covered:
        high, wide = random.integers(8, 24, 2)
        top, left = random.integers(0, SIDE - high), random.integers(0, SIDE - wide)
        x[i, :, top : top + high, left : left + wide] = x[i, :, :1, :1]
    if len(blocky):
        x[blocky] = _compress(x[blocky], float(random.uniform(0.04, 0.2)))
    return x


def _compress(x: torch.Tensor, step: float) -> torch.Tensor:
    """What JPEG does to (n, 4, 64, 64): cosines of 8x8 blocks, rounded, coarser where finer."""
    places = torch.arange(8)
    basis = torch.cos((2 * places[None] + 1) * places[:, None] * torch.pi / 16) / 2
    basis[0] /= 2**0.5
    coarser = step * (1 + places[:, None] + places[None]) / 4
    blocks = x[:, :3].reshape(len(x), 3, 8, 8, 8, 8).transpose(3, 4)  # (n, 3, 8, 8, 8, 8)
    cosines = basis @ blocks @ basis.T
    kept = torch.round(cosines / coarser) * coarser
    rgb = (basis.T @ kept @ basis).transpose(3, 4).reshape(len(x), 3, SIDE, SIDE)
    return torch.cat([rgb.clamp_min(0).minimum(x[:, 3:]), x[:, 3:]], 1)
