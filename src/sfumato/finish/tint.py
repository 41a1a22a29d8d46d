"""Give a drawing another main colour: a blue fox, a green apple, a black cat.

The largest family of hues moves to the asked colour together, so shades stay shades of one
colour; eyes, whites and outlines have no hue and stay. A drawing without colour, such as a black
glyph or a white rabbit, is taken by its main grey instead.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sfumato.colours import BASIC_TERMS, basic_name, rgb_of
from sfumato.oklab import oklab_to_srgb, srgb_to_oklab

__all__ = ["Tint", "is_glyph", "make_tint"]

_COLOURFUL = 0.045  # Oklab chroma from which a colour has a hue that people name
_FAMILY = np.radians(45.0)  # hues this near the main one move fully, to nearly twice as far partly
_LEAST_FAMILY = 0.2  # share of the drawing below which its colour is decoration, as on a panda
_AGAINST_GREY = 0.4  # of the grey area: a stone castle with a blue roof is a grey castle
_NEAR_ENOUGH = 0.1  # Oklab distance at which a colour needs no change
_DARK = 0.36  # Oklab lightness: on a body darker than this, dark eyes need light

_STEEPEST = 1.4  # how much a difference of lightness may grow


@dataclass(frozen=True, slots=True)
class Tint:
    """Moves ``main`` to ``target`` (both (3,) Oklab) and its family of colours with it."""

    main: NDArray[np.float64]
    target: NDArray[np.float64]
    by_hue: bool  # False: the family is a range of greys

    def apply(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(..., 3) sRGB colours after the tint."""
        lab = srgb_to_oklab(rgb)
        light, chroma = lab[..., 0], np.hypot(lab[..., 1], lab[..., 2])
        hue = np.arctan2(lab[..., 2], lab[..., 1])
        main_hue = float(np.arctan2(self.main[2], self.main[1]))
        target_hue = float(np.arctan2(self.target[2], self.target[1]))
        target_chroma = float(np.hypot(self.target[1], self.target[2]))
        new_light = self._lightness(light)
        if self.by_hue:
            turn = (hue - main_hue + np.pi) % (2 * np.pi) - np.pi
            member = _fade(np.abs(turn), _FAMILY, 1.8 * _FAMILY)
            member = member * (1.0 - _fade(chroma, 0.4 * _COLOURFUL, _COLOURFUL))
            new_hue = target_hue + 0.4 * turn
            main_chroma = float(np.hypot(self.main[1], self.main[2]))
            new_chroma = chroma * min(target_chroma / main_chroma, 3.0)
        else:
            member = _fade(np.abs(light - self.main[0]), 0.3, 0.5)
            member = member * _fade(chroma, _COLOURFUL, 1.6 * _COLOURFUL)
            new_hue = np.full_like(hue, target_hue)
            headroom = np.clip((1.0 - new_light) / max(1.0 - float(self.target[0]), 0.05), 0, 1)
            new_chroma = target_chroma * headroom
        moved = np.stack(
            [new_light, new_chroma * np.cos(new_hue), new_chroma * np.sin(new_hue)], axis=-1
        )
        rest = lab.copy()
        if self.target[0] < _DARK:
            # what was dark on a lighter body (eyes, a nose) would drown in it
            drowned = _fade(light, _DARK, _DARK + 0.08) * float(self.main[0] > _DARK)
            rest[..., 0] += drowned * (self.target[0] + 0.6 - light)
        return oklab_to_srgb(rest + member[..., None] * (moved - rest))

    def _lightness(self, light: NDArray[np.float64]) -> NDArray[np.float64]:
        """Black and white stay, the main colour's lightness becomes the target's."""
        main = min(max(float(self.main[0]), 0.02), 0.98)
        target = float(self.target[0])
        # no steeper than this, or noise in a black would become stripes in a pink
        below = target - (main - light) * min(target / main, _STEEPEST)
        above = target + (light - main) * min((1.0 - target) / (1.0 - main), _STEEPEST)
        return np.clip(np.where(light <= main, below, above), 0.0, 1.0)


def make_tint(
    colours: NDArray[np.uint8], shares: NDArray[np.float64], tint: str, name: str | None
) -> Tint | None:
    """The tint that brings a drawing of ``colours`` (k, 3) and ``shares`` (k,) to ``tint``.

    ``None`` where nothing has to change: no colours, or the main one already goes by that name.
    """
    if len(colours) == 0:
        return None
    lab = srgb_to_oklab(colours)
    chroma = np.hypot(lab[:, 1], lab[:, 2])
    hue = np.arctan2(lab[:, 2], lab[:, 1])
    turn = np.abs((hue[:, None] - hue[None] + np.pi) % (2 * np.pi) - np.pi)
    colourful = chroma >= _COLOURFUL
    family = (turn < _FAMILY) & colourful[:, None] & colourful[None]  # (k, k)
    mass = family @ shares
    grey = float(shares[~colourful & (lab[:, 0] > 0.35) & (lab[:, 0] < 0.93)].sum())
    by_hue = bool(mass.max() >= max(_LEAST_FAMILY, _AGAINST_GREY * grey))
    members = family[int(mass.argmax())] if by_hue else ~colourful
    if not members.any():  # a drop of colour and nothing else
        members = colourful
    main = lab[int(np.where(members, shares, -1.0).argmax())]
    target = srgb_to_oklab(np.array(rgb_of(tint), np.uint8))

    close = float(np.sqrt(((main - target) ** 2).sum())) < _NEAR_ENOUGH
    same_name = basic_name(oklab_to_srgb(main)) == basic_name(rgb_of(tint))
    if close or (same_name and name in (None, "gray", *BASIC_TERMS)):
        return None
    return Tint(main, target, by_hue or bool(colourful[members].all()))


def is_glyph(colours: NDArray[np.uint8], shares: NDArray[np.float64]) -> bool:
    """Whether a drawing is one black or grey shape, free to take any colour."""
    if len(colours) == 0 or shares[0] < 0.9:
        return False
    light, a, b = srgb_to_oklab(colours[0]).tolist()
    return bool(np.hypot(a, b) < _COLOURFUL and light < 0.6)


def _fade(value: NDArray[np.float64], full: float, none: float) -> NDArray[np.float64]:
    """1 up to ``full``, falling smoothly to 0 at ``none``."""
    part = np.clip((value - full) / (none - full), 0.0, 1.0)
    return np.asarray(1.0 - part * part * (3.0 - 2.0 * part))
