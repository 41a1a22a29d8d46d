"""Does a pattern repeat without a seam?

Laid side by side, a picture's last column meets its first. The step between the two is compared
with the steps between neighbouring columns inside, which say what this picture's own outlines and
grain look like: a seam is a step that is wider than nearly all of those.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sfumato.checks.demands import asks_to_tile
from sfumato.checks.look import Look
from sfumato.request import Finding
from sfumato.wording import listed

__all__ = ["broken_seam", "seam", "tileable"]

_STEP = 8.0  # levels of 255 between neighbours on a flat colour that eyes see as an edge
_GRAIN = 4.0  # times the median step inside: in a photograph every pixel differs a little
_ROWS = 128  # of the inside that are looked at: enough to know its outlines
_USUAL = 0.995  # quantile of neighbouring columns: the longest upright outlines inside
_LEAST = 0.015  # of an edge's length: one cut leaf is a seam, one pixel is not
_STRIP = 0.02  # of a side: how wide a seam is marked


def broken_seam(look: Look) -> list[Finding]:
    """A pattern that should tile shows a seam; only where the words ask for one that does."""
    if look.asked is None or not asks_to_tile(look.asked.prompt):
        return []
    return _findings(look, "broken_seam")


def tileable(look: Look) -> list[Finding]:
    """Whether any picture tiles, asked or not."""
    return _findings(look, "tileable")


def seam(pixels: NDArray[np.uint8]) -> tuple[float, NDArray[np.bool_]]:
    """How the right edge of (H, W, 4) straight-alpha pixels meets the left one.

    Returns: the share of rows with a step, 0 where it is no longer than steps inside, and (H,)
    which rows those are. W is at least 3.
    """
    some = pixels[:: max(1, pixels.shape[0] // _ROWS)]
    inside = _steps(some[:, :-1], some[:, 1:])  # (h, W - 1)
    limit = max(_STEP, _GRAIN * float(np.median(inside)))
    broken = _steps(pixels[:, -1], pixels[:, 0]) > limit  # (H,)
    usual = float(np.quantile((inside > limit).mean(axis=0), _USUAL))
    share = float(broken.mean())
    if share <= max(_LEAST, usual):
        return 0.0, np.zeros_like(broken)
    return share, broken


def _steps(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(...) largest difference of a channel between (..., 4) pixels, colours as far as seen."""
    first, second = (
        np.concatenate([p[..., :3] * (p[..., 3:] / np.float32(255)), p[..., 3:]], axis=-1)
        for p in (one.astype(np.float32), other.astype(np.float32))
    )
    steps: NDArray[np.float32] = np.abs(first - second).max(axis=-1)
    return steps


def _findings(look: Look, check: str) -> list[Finding]:
    if min(look.height, look.width) < 3:
        return []
    sideways, rows = seam(look.pixels)
    upright, columns = seam(look.pixels.swapaxes(0, 1))
    if not sideways and not upright:
        return []
    mask = np.zeros((look.height, look.width), np.bool_)
    across, down = (max(1, round(_STRIP * side)) for side in (look.width, look.height))
    mask[rows, :across] = mask[rows, -across:] = True
    mask[:down, columns] = mask[-down:, columns] = True
    parts = []
    if sideways:
        parts.append(f"the left and right edges do not meet on {sideways:.0%} of their length")
    if upright:
        parts.append(f"the top and bottom edges do not meet on {upright:.0%}")
    return [
        Finding(
            check=check,
            severity="warning",
            message=f"Laid side by side, {listed(parts)}.",
            box=look.box(mask),
            mask=look.mask_of(mask),
            measure=max(sideways, upright),
        )
    ]
