"""Oklab, the colour space in which distance is what eyes see as difference.

Source: Ottosson 2020, "A perceptual color space for image processing".
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["evenly", "from_evenly", "oklab_to_srgb", "srgb_to_oklab"]

_TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
_FROM_LAB = np.linalg.inv(_TO_LAB)
_FROM_LMS = np.linalg.inv(_TO_LMS)


def srgb_to_oklab(rgb: NDArray[np.uint8] | NDArray[np.float64]) -> NDArray[np.float64]:
    """(..., 3) sRGB from 0 to 255 to Oklab: L from 0 to 1, a and b about -0.4 to 0.4.

    Source: Ottosson 2020, "A perceptual color space for image processing".
    """
    if rgb.dtype == np.uint8:
        linear = _linear_of_byte()[rgb]
    else:
        linear = _to_linear(np.asarray(rgb, np.float64) / 255.0)
    lab: NDArray[np.float64] = np.cbrt(linear @ _TO_LMS.T) @ _TO_LAB.T
    return lab


def oklab_to_srgb(lab: NDArray[np.float64]) -> NDArray[np.uint8]:
    """(..., 3) Oklab to uint8 sRGB.

    A colour that screens cannot show keeps its lightness and hue and loses chroma, because plain
    clipping would turn a vivid blue into a violet.
    """
    lab = np.asarray(lab, np.float64)
    outside = ~_in_gamut(lab)
    if outside.any():
        lab = lab.copy()
        lab[outside] = _with_less_chroma(lab[outside])
    linear = np.clip(_lab_to_linear(lab), 0.0, 1.0)
    gamma = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.rint(gamma * 255.0).astype(np.uint8)


def _with_less_chroma(lab: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 3) colours that no screen shows, on the border of those that one does."""
    low, high = np.zeros(len(lab)), np.ones(len(lab))
    axis = np.array([0.0, 1.0, 1.0])
    for _ in range(12):  # bisection: 2**-12 of the chroma is far below one grey level
        middle = (low + high) / 2
        fits = _in_gamut(lab * (1 - axis) + lab * axis * middle[..., None])
        low, high = np.where(fits, middle, low), np.where(fits, high, middle)
    paler: NDArray[np.float64] = lab * (1 - axis) + lab * axis * low[..., None]
    return paler


# Oklab's cube root makes differences near black look large: two blacks that nobody can tell apart
# lie 0.2 from each other. The toe below bends lightness there, as CIELAB's linear piece does.
_K1, _K2 = 0.206, 0.03
_K3 = (1.0 + _K1) / (1.0 + _K2)


def evenly(lab: NDArray[np.float64]) -> NDArray[np.float64]:
    """(..., 3) Oklab with distances that also hold near black: use it to compare colours.

    Source: Ottosson 2021, "Okhsv and Okhsl", the lightness estimate L_r. a and b shrink with L.
    """
    light = np.asarray(lab, np.float64)[..., :1]
    shifted = _K3 * light - _K1
    toe = 0.5 * (shifted + np.sqrt(shifted**2 + 4.0 * _K2 * _K3 * light))
    ratio = toe / np.maximum(light, 1e-6)
    return np.concatenate([toe, lab[..., 1:] * ratio], axis=-1)


def from_evenly(even: NDArray[np.float64]) -> NDArray[np.float64]:
    """The inverse of ``evenly``."""
    toe = np.asarray(even, np.float64)[..., :1]
    light = (toe**2 + _K1 * toe) / (_K3 * (toe + _K2))
    ratio = light / np.maximum(toe, 1e-6)
    return np.concatenate([light, even[..., 1:] * ratio], axis=-1)


@lru_cache(maxsize=1)
def _linear_of_byte() -> NDArray[np.float64]:
    return _to_linear(np.arange(256) / 255.0)


def _to_linear(gamma: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(gamma <= 0.04045, gamma / 12.92, ((gamma + 0.055) / 1.055) ** 2.4)


def _lab_to_linear(lab: NDArray[np.float64]) -> NDArray[np.float64]:
    linear: NDArray[np.float64] = (lab @ _FROM_LAB.T) ** 3 @ _FROM_LMS.T
    return linear


def _in_gamut(lab: NDArray[np.float64]) -> NDArray[np.bool_]:
    linear = _lab_to_linear(lab)
    return np.asarray(((linear >= -1e-4) & (linear <= 1.0001)).all(axis=-1))
