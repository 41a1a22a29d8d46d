"""Is the picture crisp and smooth: no blur, no JPEG noise, no bands in its gradients?

Flat areas are never blurred or noisy by themselves, so everything here is measured where
something happens: on edges, beside them, and along the steps of gradients.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sfumato.checks.look import Look
from sfumato.request import Finding

__all__ = ["NOISY", "banding", "blur", "edge_width", "jpeg_noise", "noisy_blocks"]

_REACH = 8  # pixels to each side of an edge, at 512, in which its whole step must lie
_STEP = 48.0  # levels of 255: weaker edges may be soft on purpose (shading, glints)
_LEAST_EDGE = 200  # pixels of such edges: fewer say nothing about the picture
_CRISPEST = 20  # percentile: a picture is blurred when even its crisper edges are wide
_WIDE = 2.2  # pixels at 512 from one side of an edge to the other; real icons have 1.0 to 1.3

_MIDDLE = 1024  # pixels of a row that are looked at
_BLOCK = 8  # pixels a side of a JPEG block
_SWING = (2.0, 24.0)  # levels: second differences of ringing; an edge's own are larger
_SWINGS = 20  # of a block's 48 second differences: a noisy block; an edge alone makes fewer
NOISY = 0.16  # of the blocks in which anything happens; clean icons stay below 0.09
_MELTED = 4.0  # pixels: JPEG alone does not make edges as wide as that
_FLAT_BLOCKS = 0.3  # of all blocks: a photograph has texture, and texture is not noise
_LEAST_BLOCKS = 30  # with something in them: fewer say nothing

_PLATEAU = 4  # pixels at 512: the narrowest band that is seen as one
_BAND_STEP = (2.5, 28.0)  # levels: smaller steps are not seen, larger ones are colours of their own
_EVEN = 2.0  # the larger of two neighbouring steps over the smaller: a gradient's are alike
_CHAIN = 4  # steps in a row that go the same way: shading by hand has two or three tones
_BANDED = 0.03  # of the picture


def edge_width(look: Look) -> float | None:
    """Width in pixels of the crisper edges at 512; None where there are too few edges.

    The step over an edge divided by its steepest slope: 1 for a hard edge, sigma * sqrt(2 pi)
    for one under a Gaussian.
    """
    widths = []
    for luma in (look.luma, look.luma.T):
        if luma.shape[1] <= 2 * _REACH + 1 or luma.shape[0] < 3:
            continue
        slope = np.abs(np.diff(luma, axis=1))  # (h, w - 1)
        # slope[x] lies between x and x + 1; the window reaches the same way to both sides of it
        total = np.abs(luma[:, 2 * _REACH - 1 :] - luma[:, : -2 * _REACH + 1])
        centre = slope[:, _REACH - 1 : _REACH - 1 + total.shape[1]]
        peak = (centre > 0) & (total >= _STEP)
        peak[:, 1:-1] &= (centre[:, 1:-1] >= centre[:, :-2]) & (centre[:, 1:-1] >= centre[:, 2:])
        # edges that lean more than they stand are measured on the other axis
        rise = np.zeros_like(centre)
        rise[1:-1] = np.abs(luma[2:] - luma[:-2])[:, _REACH - 1 : _REACH - 1 + total.shape[1]] / 2
        peak &= rise <= centre
        peak[[0, -1]] = False
        leaning = np.hypot(centre[peak], rise[peak])  # across the edge, not along the row
        widths.append(total[peak] / leaning)
    found = np.concatenate(widths) if widths else np.zeros(0, np.float32)
    if len(found) < _LEAST_EDGE:
        return None
    return float(np.percentile(found, _CRISPEST))


def blur(look: Look) -> list[Finding]:
    """Even the crispest edges are soft."""
    width = edge_width(look)
    if width is None or width <= _WIDE:
        return []
    return [
        Finding(
            check="blur",
            severity="warning",
            message=f"The picture is blurred: its edges are {width:.1f} pixels wide at 512.",
            measure=round(width, 2),
        )
    ]


def noisy_blocks(look: Look) -> float | None:
    """Which share of the 8 x 8 blocks with anything in them is noisy.

    In flat art saved as JPEG every block that an edge touches rings all over; an edge by itself
    fills a line of its block. None where the picture is no flat art, or too little is in it.
    """
    height, width = (side // _BLOCK * _BLOCK for side in (look.height, look.width))
    if min(height, width) < _BLOCK:
        return None
    # of a large picture the middle, and there every second band of blocks: that is enough
    left = max(0, (width - _MIDDLE) // 2 // _BLOCK * _BLOCK)
    part = look.pixels[:height, left : min(width, left + _MIDDLE)]
    stride = max(1, height // 512)
    bands = part.reshape(-1, _BLOCK, part.shape[1], 4)[::stride]
    luma = look.luma_of(np.ascontiguousarray(bands)).reshape(len(bands), _BLOCK, -1, _BLOCK)
    swings = np.abs(luma[..., 2:] - 2 * luma[..., 1:-1] + luma[..., :-2])
    some = swings >= _SWING[0]
    lively = some.any(axis=(1, 3))
    if lively.sum() < _LEAST_BLOCKS or 1 - lively.mean() < _FLAT_BLOCKS:
        return None
    noisy = (some & (swings <= _SWING[1])).sum(axis=(1, 3)) >= _SWINGS
    return float(noisy.sum() / lively.sum())


def jpeg_noise(look: Look) -> list[Finding]:
    """Flat art with the ringing that JPEG leaves around edges."""
    share = noisy_blocks(look)
    if share is None or share < NOISY:
        return []
    width = edge_width(look)
    if width is not None and width > _MELTED:
        return []  # the swings are the slopes of soft edges: ``blur`` says so
    return [
        Finding(
            check="jpeg_noise",
            severity="warning",
            message=f"JPEG noise lies around {share:.0%} of the edges; flat art is better kept "
            "as PNG, WebP or SVG.",
            measure=round(share, 4),
        )
    ]


def banding(look: Look) -> list[Finding]:
    """A gradient that goes in visible steps."""
    banded = stepped_pixels(look.luma) | stepped_pixels(look.luma.T).T
    share = float(banded.mean())
    if share < _BANDED:
        return []
    return [
        Finding(
            check="banding",
            severity="warning",
            message=f"Gradients go in visible steps on {share:.0%} of the picture.",
            box=look.box(banded),
            mask=look.mask_of(banded),
            measure=round(share, 4),
        )
    ]


def stepped_pixels(luma: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(h, w): pixels of plateaus that follow one another in small, even steps along a row."""
    height, width = luma.shape
    banded = np.zeros(luma.shape, np.bool_)
    if width <= _PLATEAU:
        return banded
    change = np.ones((height, width), np.bool_)  # a run of one level begins here
    change[:, 1:] = np.abs(np.diff(luma, axis=1)) > 0.6
    starts = np.flatnonzero(change)
    lengths = np.diff(starts, append=height * width)
    long = lengths >= _PLATEAU
    starts, lengths = starts[long], lengths[long]
    if len(starts) <= _CHAIN:
        return banded
    row, level = starts // width, luma.ravel()[starts]
    step = np.diff(level)
    gap = starts[1:] - (starts[:-1] + lengths[:-1])
    size = np.abs(step)
    small = (size >= _BAND_STEP[0]) & (size <= _BAND_STEP[1])
    small &= (row[1:] == row[:-1]) & (gap < _PLATEAU)
    alike = small[1:] & small[:-1] & (np.sign(step[1:]) == np.sign(step[:-1]))
    alike &= np.maximum(size[1:], size[:-1]) <= _EVEN * np.minimum(size[1:], size[:-1])
    # chains of ``alike`` that are long enough: n steps make n - 1 pairs
    padded = np.concatenate([[False], alike, [False]])
    edges = np.flatnonzero(padded[1:] != padded[:-1])
    for first, last in zip(edges[0::2], edges[1::2], strict=True):
        if last - first >= _CHAIN - 1:  # runs first .. last + 1
            banded.ravel()[starts[first] : starts[last + 1] + lengths[last + 1]] = True
    return banded
