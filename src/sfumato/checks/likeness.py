"""A drawing's fingerprint: what it looks like whatever its place, size, colours and direction.

The drawing is set in the same place by its moments, reduced to 32 x 32 cells of coverage and of
tone (lightness against the drawing's own mean, scaled to one spread), and described by the low
frequencies of both. The cosine basis needs no storage, and mirroring only turns the signs of the
odd frequencies across, so a mirrored copy costs one more product.
Source: Ahmed, Natarajan & Rao 1974 for the transform; Zauner 2010, "Implementation and benchmarking
of perceptual image hash functions", for its low frequencies as a picture's hash.
"""

from __future__ import annotations

from functools import lru_cache
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sfumato.checks.look import Look
from sfumato.regions import fill_holes

__all__ = ["DIMENSIONS", "MIRROR", "distances", "fingerprint", "fingerprints"]

_CELLS = 32
_FREQUENCIES = 12  # down plus across: lower ones are kept
_REACH = 1.6  # half the window, in standard deviations of what was drawn
_TONE = 0.3  # weight of the tone beside coverage: recoloured copies keep most of it
_FLAT = 0.06  # of full scale: less spread of lightness than this is one colour
_RINGING = 24  # levels of 255 that JPEG strays from a ground beside a drawing's edge
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)

_ORDER = np.arange(_CELLS)
_SUM = np.add.outer(_ORDER, _ORDER)
_KEPT = _SUM < _FREQUENCIES
_ACROSS = np.broadcast_to(_ORDER[None, :], _SUM.shape)[_KEPT]

DIMENSIONS = 2 * int(_KEPT.sum())
MIRROR: NDArray[np.float32] = np.tile(np.where(_ACROSS % 2 == 1, -1, 1), 2).astype(np.float32)
"""(DIMENSIONS,) signs: a fingerprint times these is the mirrored picture's."""

_known: WeakKeyDictionary[Look, NDArray[np.float32]] = WeakKeyDictionary()


def fingerprints(look: Look) -> NDArray[np.float32]:
    """(n, DIMENSIONS) unit vectors of a picture, n from 0 to 2; computed once a ``Look``.

    None when nothing was drawn. Two on a ground of its own colour, where an enclosed patch of
    that colour may be a hole or painted: one reading each.
    """
    if look not in _known:
        readings = []
        if look.drawn.any():
            clear = look.transparent and (look.asked is None or look.asked.emblem is None)
            alpha = look.small[..., 3].astype(np.float32) / np.float32(255)
            solid = _without_ringing(look)
            readings = [fingerprint(look.small, alpha if clear else solid)]
            if not clear:
                filled = fill_holes(solid)
                if filled.sum() > solid.sum():
                    readings.append(fingerprint(look.small, filled))
        _known[look] = np.array(readings, np.float32).reshape(-1, DIMENSIONS)
    return _known[look]


def fingerprint(
    pixels: NDArray[np.uint8], coverage: NDArray[np.float32] | NDArray[np.bool_]
) -> NDArray[np.float32]:
    """(DIMENSIONS,) unit vector of (H, W, 4) pixels where ``coverage``, 0..1, is drawn."""
    weight = coverage.astype(np.float32)
    light = (pixels[..., :3] @ _LUMA) / np.float32(255) * weight
    window = _window(weight)
    covered, lit = _reduced(weight, window), _reduced(light, window)
    total = max(float(covered.sum()), 1e-6)
    tone = lit - float(lit.sum()) / total * covered
    spread = max(float(np.sqrt((tone**2).sum() / total)), _FLAT)
    basis, emphasis = _basis()
    parts = [
        (basis @ plane @ basis.T * emphasis)[_KEPT] for plane in (covered, tone * (_TONE / spread))
    ]
    vector = np.concatenate(parts)
    unit: NDArray[np.float32] = (vector / max(float(np.linalg.norm(vector)), 1e-9)).astype(
        np.float32
    )
    return unit


def distances(queries: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """(m,) distance, 0..2, of each of (m, D) ``others`` to the closest reading or its mirror."""
    readings = np.concatenate([queries, queries * MIRROR])  # (2n, D)
    # not BLAS, whose threads would spin on other pictures' cores; see ``colours.nearest_index``
    cosines = np.einsum("md,rd->mr", others, readings).max(axis=1)
    apart: NDArray[np.float32] = np.sqrt(np.maximum(2 - 2 * cosines, 0))
    return apart


def _window(weight: NDArray[np.float32]) -> tuple[float, float, float, float]:
    """The square around the centre of mass, by the spread: a speck or a thin tail moves little."""
    down, across = weight.sum(axis=1, dtype=np.float64), weight.sum(axis=0, dtype=np.float64)
    y, x = np.arange(len(down)) + 0.5, np.arange(len(across)) + 0.5
    total = max(float(down.sum()), 1e-9)
    middle_y, middle_x = float(y @ down) / total, float(x @ across) / total
    variance = float(((y - middle_y) ** 2) @ down + ((x - middle_x) ** 2) @ across) / total
    half = max(_REACH * variance**0.5, 1.0)
    return middle_x - half, middle_y - half, middle_x + half, middle_y + half


def _reduced(
    plane: NDArray[np.float32], window: tuple[float, float, float, float]
) -> NDArray[np.float32]:
    """The mean of ``plane`` in each cell of the window; empty where it lies outside."""
    height, width = plane.shape
    left, top = max(0, int(-window[0]) + 1), max(0, int(-window[1]) + 1)
    right, bottom = (
        max(0, int(window[2] - width) + 1),
        max(0, int(window[3] - height) + 1),
    )
    padded = np.pad(plane, ((top, bottom), (left, right)))
    box = (window[0] + left, window[1] + top, window[2] + left, window[3] + top)
    image = Image.fromarray(padded).resize((_CELLS, _CELLS), Image.Resampling.BOX, box=box)
    return np.asarray(image)


def _without_ringing(look: Look) -> NDArray[np.bool_]:
    """What was drawn, without the faint blocks that JPEG leaves around it on a ground."""
    if look.ground is None:
        return look.drawn
    clean: NDArray[np.bool_] = look.drawn & (look.gap_to(look.ground) > _RINGING)
    return clean if clean.any() else look.drawn


@lru_cache(maxsize=1)
def _basis() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The orthonormal cosine basis (row k: frequency k), and the weight of each frequency.

    Higher frequencies carry the detail that tells two foxes apart but little energy.
    """
    basis = np.sqrt(2 / _CELLS) * np.cos(np.pi * (_ORDER[None] + 0.5) * _ORDER[:, None] / _CELLS)
    basis[0] /= np.sqrt(2)
    return basis, np.sqrt(1.0 + _SUM)
