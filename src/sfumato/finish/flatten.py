"""Take the texture out of areas that were meant to be flat, and leave their edges.

Total variation prefers few, sharp steps to many small ones, which is what a flat drawing is: a
blotch disappears when its contrast times its size is small, an eye survives because its contrast
is large. How strongly to smooth is measured on the drawing itself.

Source: Rudin, Osher & Fatemi 1992 (the model); Beck & Teboulle 2009, "Fast gradient-based
algorithms for constrained total variation image denoising" (the iteration).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["flattened", "slope", "texture"]

_ITERATIONS = 30
_STRENGTH = 3.5  # times the texture: blotches several pixels wide go
_STRONGEST = 0.18
_UNSEEN = 0.004  # texture that no later stage would see: clean input passes untouched


def flattened(lab: NDArray[np.float64], inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(s, s, 3) evened Oklab with texture removed; steps across the outline do not count.

    Args:
        inside: (s, s), the pixels that belong to the drawing; others keep their values.
    """
    found = texture(lab, inside)
    if found < _UNSEEN:
        return lab
    rows, columns = np.nonzero(inside.any(axis=1))[0], np.nonzero(inside.any(axis=0))[0]
    window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    result: NDArray[np.float64] = lab.copy()
    smooth = _total_variation(
        np.ascontiguousarray(lab[window].transpose(2, 0, 1), np.float32),
        inside[window],
        min(_STRENGTH * found, _STRONGEST),
    )
    result[window] = np.where(inside[window][..., None], smooth.transpose(1, 2, 0), lab[window])
    return result


def texture(lab: NDArray[np.float64], inside: NDArray[np.bool_]) -> float:
    """The median slope of a drawing: 0 where it is flat, because most of it is not edge."""
    return float(np.median(slope(lab)[inside])) if inside.any() else 0.0


def slope(lab: NDArray[np.float64]) -> NDArray[np.float64]:
    """(s, s) colour difference across each pixel.

    Central differences: in the middle of a thin line or a small eye both sides are alike, so
    such marks count as flat and keep their colour.
    """
    padded = np.pad(lab.transpose(2, 0, 1), ((0, 0), (1, 1), (1, 1)), mode="edge")
    across = padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]
    down = padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]
    across *= across
    down *= down
    steepness: NDArray[np.float64] = np.sqrt(across.sum(axis=0) + down.sum(axis=0))
    return steepness


def _total_variation(
    image: NDArray[np.float32], inside: NDArray[np.bool_], weight: float
) -> NDArray[np.float32]:
    """The (3, h, w) image that minimises |u - image|^2 / 2 + weight * TV(u), channels together."""
    down = (inside[1:] & inside[:-1]).astype(np.float32)  # steps that count
    across = (inside[:, 1:] & inside[:, :-1]).astype(np.float32)
    p = np.zeros((3, image.shape[1] - 1, image.shape[2]), np.float32)  # dual, one per step down
    q = np.zeros((3, image.shape[1], image.shape[2] - 1), np.float32)  # and one per step across
    p_ahead, q_ahead, momentum = p.copy(), q.copy(), 1.0
    # the rate is folded into the masks; arrays are reused, since fetching memory costs most here
    rate = np.float32(1.0 / (8.0 * weight))
    down, across = rate * down, rate * across
    u, size = np.empty_like(image), np.empty(image.shape[1:], np.float32)
    p_next, q_next = np.empty_like(p), np.empty_like(q)
    for _ in range(_ITERATIONS):
        _without_divergence(image, p_ahead, q_ahead, weight, out=u)
        np.subtract(u[:, :-1], u[:, 1:], out=p_next)
        np.subtract(u[:, :, :-1], u[:, :, 1:], out=q_next)
        p_next *= down
        q_next *= across
        p_next += p_ahead
        q_next += q_ahead
        size.fill(0.0)
        size[:-1] += np.einsum("chw,chw->hw", p_next, p_next)
        size[:, :-1] += np.einsum("chw,chw->hw", q_next, q_next)
        np.sqrt(size, out=size)
        np.maximum(size, 1.0, out=size)
        p_next /= size[:-1]
        q_next /= size[:, :-1]
        following = (1.0 + math.sqrt(1.0 + 4.0 * momentum**2)) / 2.0
        pull = np.float32((momentum - 1.0) / following)
        # what is ahead: next + pull * (next - now), in the memory of "now", which is done with
        p, p_next = p_next, _ahead(p, p_next, pull, out=p_ahead)
        q, q_next = q_next, _ahead(q, q_next, pull, out=q_ahead)
        momentum = following
    return _without_divergence(image, p, q, weight, out=u)


def _ahead(
    now: NDArray[np.float32],
    following: NDArray[np.float32],
    pull: np.float32,
    out: NDArray[np.float32],
) -> NDArray[np.float32]:
    """``following + pull * (following - now)`` into ``out``; returns ``now``, free to be reused."""
    np.subtract(following, now, out=out)
    out *= pull
    out += following
    return now


def _without_divergence(
    image: NDArray[np.float32],
    p: NDArray[np.float32],
    q: NDArray[np.float32],
    weight: float,
    out: NDArray[np.float32],
) -> NDArray[np.float32]:
    """``image - weight * divergence(p, q)``."""
    out.fill(0.0)
    out[:, :-1] -= p
    out[:, 1:] += p
    out[:, :, :-1] -= q
    out[:, :, 1:] += q
    out *= np.float32(weight)
    out += image
    return out
