"""Of which colour is a drawing? Decided by names of colours alone, no network."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from sfumato.colours import basic_name, dominant_colours

__all__ = ["colour_shares", "has_colour", "main_colour"]

NEUTRALS = frozenset({"black", "white", "grey"})
LEAST_SHARE = 0.2  # of the foreground: a red nose does not make a fox red


def colour_shares(pixels: NDArray[np.uint8]) -> dict[str, float]:
    """Share of each basic colour term in the opaque part of (H, W, 4) pixels; adds up to 1."""
    shares: dict[str, float] = defaultdict(float)
    for rgb, share in dominant_colours(pixels, k=8):
        shares[basic_name(rgb)] += share
    return dict(shares)


def has_colour(pixels: NDArray[np.uint8], asked: str) -> bool:
    """Whether ``asked`` (one of the eleven basic terms) is the drawing's main colour.

    It must cover a fifth of the foreground and be the largest of its kind: outlines, eyes and
    highlights are black, white or grey in every drawing, so those three do not compete with a
    chromatic colour.
    """
    shares = colour_shares(pixels)
    if shares.get(asked, 0.0) < LEAST_SHARE:
        return False
    rivals = shares if asked in NEUTRALS else {k: v for k, v in shares.items() if k not in NEUTRALS}
    return max(rivals, key=lambda term: rivals[term]) == asked


def main_colour(pixels: NDArray[np.uint8]) -> str:
    """The one term by which people would call the drawing; "" where nothing is opaque.

    For the chromatic terms it agrees with ``has_colour``; a drawing without any is called by its
    largest neutral.
    """
    shares = colour_shares(pixels)
    if not shares:
        return ""
    largest = max(shares, key=lambda term: (term not in NEUTRALS, shares[term]))
    if shares[largest] >= LEAST_SHARE:
        return largest
    return max(shares, key=lambda term: shares[term])
