"""Is the picture clear and solid where it should be, and its outline free of another ground?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sfumato.checks.legible import LIGHT, asked_to_vanish
from sfumato.checks.look import Look
from sfumato.request import Finding

__all__ = ["halo", "opaque_ground", "ragged_alpha"]

_HAZE = 2.0  # half-clear pixels for each pixel of outline, at 256 pixels a side; a clean edge has 1

_FRINGE = 5  # pixels at 512: a wider rim is drawn on purpose, as on a sticker
_INSIDE = 4  # pixels behind the fringe that must be of one colour, so that there is a fringe
_PLAIN = 10.0  # levels between pixels of one colour
_OFFSET = 32.0  # levels between the fringe and what lies behind it
_RIMMED = 0.32  # of the outline; clean icons stay below 0.14, a small drawing's own rim at 0.28
_LEAST_SAMPLES = 40  # of the outline: fewer say nothing


def ragged_alpha(look: Look) -> list[Finding]:
    """Half-transparent haze where the picture should be clear or solid."""
    if look.asked is not None and look.asked.background not in (None, "transparent"):
        return []
    step = max(1, max(look.height, look.width) // 1024)  # finer than the other checks: thin edges
    alpha = look.pixels[::step, ::step, 3]
    half = (alpha > 12) & (alpha < 243)
    solid = alpha >= 128
    outline = int((solid[1:] != solid[:-1]).sum() + (solid[:, 1:] != solid[:, :-1]).sum())
    # a soft edge is as wide as the model's pixel, which grows with the picture
    allowed = _HAZE * outline * max(1.0, min(alpha.shape) / 256)
    if half.sum() <= allowed + 0.001 * alpha.size:
        return []
    share = float(half.mean())
    return [
        Finding(
            check="ragged_alpha",
            severity="warning",
            message=f"{share:.1%} of the picture is half-transparent haze.",
            mask=look.mask_of(half),
            measure=round(share, 4),
        )
    ]


def rims(look: Look) -> tuple[float, float, NDArray[np.bool_]] | None:
    """Share of the outline that has a thin rim, how much lighter it is, and where it is.

    The outline is sampled where it stands across a row or a column, with a few solid pixels of
    one colour behind the rim. None where there are too few such places. The last is (h, w), as
    ``small``.
    """
    rgb, alpha = look.small[..., :3].astype(np.int16), look.small[..., 3]
    solid = alpha >= 128
    depth = _FRINGE + _INSIDE
    where = np.zeros(solid.shape, np.bool_)
    lighter: list[NDArray[np.float32]] = []
    samples = 0
    for flip in (1, -1):
        for turn in (False, True):
            own = (rgb, solid, where) if not turn else (rgb.swapaxes(0, 1), solid.T, where.T)
            colour, body, rim = (part[:, ::flip] for part in own)
            if body.shape[1] <= depth + 1:
                continue
            # clear at x, solid from x + 1 to x + depth
            begins = ~body[:, : -depth - 1] & body[:, 1:-depth]
            rows, columns = np.nonzero(begins)
            within = columns[:, None] + 1 + np.arange(depth)
            keep = body[rows[:, None], within].all(axis=1)
            rows, within = rows[keep], within[keep]
            line = colour[rows[:, None], within].astype(np.float32)  # (n, depth, 3)
            behind = line[:, _FRINGE:]
            plain = np.ptp(behind, axis=1).max(axis=1) <= _PLAIN
            rows, line, behind = rows[plain], line[plain], behind[plain].mean(axis=1)
            gap = line[:, 0] - behind
            samples += len(gap)
            lighter.append(gap.mean(axis=1))
            seen = np.abs(gap).max(axis=1) >= _OFFSET
            rim[rows[seen], within[plain][seen, 0]] = True
    if samples < _LEAST_SAMPLES:
        return None
    moved = np.concatenate(lighter)
    share = float(where.sum() / samples)
    seen = np.abs(moved) >= _OFFSET / 2
    return share, float(moved[seen].mean()) if seen.any() else 0.0, where


def halo(look: Look) -> list[Finding]:
    """A thin light or dark rim around the drawing, left from another ground."""
    if not look.transparent:
        return []
    found = rims(look)
    if found is None or found[0] < _RIMMED:
        return []
    share, lighter, where = found
    if lighter <= 0 and look.plan is not None and asked_to_vanish(look, LIGHT):
        return []  # the line that white drawings get, thin where many stand on one canvas
    kind = "light" if lighter > 0 else "dark"
    return [
        Finding(
            check="halo",
            severity="warning",
            message=f"A {kind} fringe of another ground runs along {min(share, 1.0):.0%} of the "
            "outline.",
            mask=look.mask_of(where),
            measure=round(share, 4),
        )
    ]


def opaque_ground(look: Look) -> list[Finding]:
    """A ground where a clear canvas was asked for."""
    plan = look.plan
    if plan is None or plan.background != "transparent" or plan.emblem is not None:
        return []
    if plan.finish == "raster" or not look.alpha_kept:
        return []  # the model paints whole scenes, or the file cannot be clear
    if look.small[..., 3].min() < 250:
        return []
    return [
        Finding(
            check="opaque_ground",
            severity="warning",
            message="The canvas was to be transparent, but nothing of it is.",
            measure=1.0,
        )
    ]
