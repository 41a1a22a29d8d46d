"""Regular grids that should not be there: seams between patches, painted chequerboards."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sfumato.checks.look import Look
from sfumato.checks.noise import NOISY, noisy_blocks
from sfumato.request import Finding

__all__ = ["chequerboard", "seams"]

_PERIODS = (8, 16, 32, 64, 128)  # pixels a side of a patch, after the decoder's enlargement
_JUMP = (1.5, 48.0)  # levels over a seam; larger ones are edges of the drawing
_LONELY = 3.0  # a seam's jump over those of its neighbours: flat on both sides
_LINE = 0.25  # of a line's solid pixels jump: a seam, not a detail
_LINES = 0.45  # of a grid's lines are seams
_ALMOST = 0.8  # of the best grid's share: as good, and the smaller one is meant
_ELSEWHERE = 0.12  # of all other lines: more, and the picture is striped by itself
_LEAST_LINES = 3
_SAMPLED = 256  # rows or columns on which the lines are looked for

_TILES = (3, 48)  # pixels of a square at 512
_GREYS = (4.0, 110.0)  # levels between the two greys of an editor's chequerboard
_NEUTRAL = 14  # levels between the channels of a grey, JPEG's noise included
_BOARD = 0.45  # correlation one square along; a perfect board has 1, all else about 0
_BORDER = 0.25  # of the border in each grey


def seams(look: Look) -> list[Finding]:
    """Jumps on a regular grid: patches that were decoded apart and do not fit."""
    pixels = look.pixels
    across, down = (max(1, side // _SAMPLED) for side in pixels.shape[:2])
    found = [
        _grid_of(look.luma_of(part), part[..., 3])
        for part in (
            np.ascontiguousarray(pixels[::across]),
            np.ascontiguousarray(pixels[:, ::down].transpose(1, 0, 2)),
        )
    ]
    shares = {period: min(rates.get(period, 0.0) for rates in found) for period in _PERIODS}
    # seams every 32 pixels lie on half of the grid of 16, and on all of the grid of 64
    best = max(shares.values())
    period = next(period for period, share in shares.items() if share >= _ALMOST * best)
    if best < _LINES:
        return []
    noise = noisy_blocks(look) if period == 8 else None
    if noise is not None and noise >= NOISY:
        return []  # JPEG's blocks: ``jpeg_noise`` says so
    return [
        Finding(
            check="seams",
            severity="warning",
            message=f"Seams run through the picture on a grid of {period} pixels.",
            measure=round(shares[period], 4),
        )
    ]


def _grid_of(luma: NDArray[np.float32], alpha: NDArray[np.uint8]) -> dict[int, float]:
    """For each period the share of its grid's lines, upright in (h, w) luma, that are seams."""
    if luma.shape[1] < 4 * _PERIODS[0]:
        return {}
    jump = np.abs(np.diff(luma, axis=1))
    solid = (alpha[:, 1:] >= 250) & (alpha[:, :-1] >= 250)
    lonely = (jump >= _JUMP[0]) & (jump <= _JUMP[1]) & solid
    lonely[:, 1:] &= jump[:, 1:] >= _LONELY * jump[:, :-1]
    lonely[:, :-1] &= jump[:, :-1] >= _LONELY * jump[:, 1:]
    valid = solid.sum(axis=0)
    at = np.flatnonzero(valid >= max(4, len(luma) // 32))
    if len(at) == 0:
        return {}
    is_seam = lonely.sum(axis=0)[at] >= _LINE * valid[at]
    rates = {}
    for period in _PERIODS:
        lines = np.bincount(at % period, minlength=period)
        hits = np.bincount(at % period, is_seam, minlength=period)
        phase = int(np.argmax(np.where(lines >= _LEAST_LINES, hits / np.maximum(lines, 1), 0)))
        if lines[phase] < _LEAST_LINES:
            continue
        others = (is_seam.sum() - hits[phase]) / max(1, len(at) - lines[phase])
        if others < _ELSEWHERE:
            rates[period] = float(hits[phase] / lines[phase])
    return rates


def chequerboard(look: Look) -> list[Finding]:
    """Grey and white squares painted where the canvas should be clear."""
    if look.small[..., 3].min() < 128:
        return []
    greys = _two_greys(look)
    if greys is None:
        return []
    score = _board(look.small[..., :3], *greys)
    if score < _BOARD:
        return []
    return [
        Finding(
            check="chequerboard",
            severity="error",
            message="A chequerboard is painted behind the drawing; the canvas is not clear.",
            measure=round(score, 4),
        )
    ]


def _two_greys(look: Look) -> tuple[float, float] | None:
    """The two neutral levels that most of the border shows; None where it shows something else."""
    edges = np.concatenate([look.small[0], look.small[-1], look.small[:, 0], look.small[:, -1]])
    rgb = edges[:, :3].astype(np.int16)
    neutral = np.ptp(rgb, axis=1) <= _NEUTRAL
    if neutral.mean() < 2 * _BORDER:
        return None
    level = rgb[neutral].mean(axis=1)
    low, high = np.percentile(level, [15, 85])
    if not _GREYS[0] <= high - low <= _GREYS[1]:
        return None
    near = [(np.abs(level - grey) < (high - low) / 3).mean() for grey in (low, high)]
    return None if min(near) < _BORDER else (float(low), float(high))


def _board(rgb: NDArray[np.uint8], low: float, high: float) -> float:
    """How well alternating squares explain (h, w, 3) pixels, up to 1; about 0: not at all."""
    level = rgb.mean(axis=2, dtype=np.float32)
    middle, half = (low + high) / 2, (high - low) / 2
    member = np.abs(np.abs(level - middle) - half) < max(6.0, 0.6 * half)
    member &= np.ptp(rgb, axis=2) <= _NEUTRAL
    sign = np.where(member, np.where(level > middle, 1.0, -1.0), 0.0).astype(np.float32)
    best, tile = 0.0, 0
    for axis in (0, 1):
        # correlation with itself, moved along one axis, where both pixels are of the board
        length = 2 * sign.shape[axis]
        spectrum = np.abs(np.fft.rfft(sign, length, axis=axis)) ** 2
        together = np.abs(np.fft.rfft(member.astype(np.float32), length, axis=axis)) ** 2
        moved = np.fft.irfft(spectrum.sum(axis=1 - axis), length)
        pairs = np.fft.irfft(together.sum(axis=1 - axis), length)
        reach = min(_TILES[1], sign.shape[axis] // 3)
        if reach <= _TILES[0]:
            return 0.0
        curve = moved[: 2 * reach] / np.maximum(pairs[: 2 * reach], 1.0)
        # odd multiples of a square's side do as well as the side itself: the first one is it
        deep = curve[_TILES[0] : reach] < 0.8 * curve[_TILES[0] : reach].min()
        begin = _TILES[0] + int(np.argmax(deep))
        side = begin + int(np.argmin(curve[begin : max(begin + 2, begin * 3 // 2)]))
        score = float(min(-curve[side], curve[min(2 * side, 2 * reach - 1)]))
        if axis == 1:
            best = min(best, score) if abs(side - tile) <= 1 + 0.05 * side else 0.0
        else:
            best, tile = score, side
    return best
