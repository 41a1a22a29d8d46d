"""Can the drawing be seen: on its ground, on light and dark pages, at the sizes of icons?"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sfumato.checks.look import SHADE, Look, colour_distance, spread
from sfumato.colours import rgb_of
from sfumato.request import Finding

__all__ = [
    "LIGHT",
    "asked_to_vanish",
    "contrast_with",
    "illegible",
    "low_contrast",
    "survival",
    "vanishes",
]

LIGHT = "#ffffff"
_PAGES = (("light", LIGHT), ("dark", "#111111"))
_CONTRASTY = 90  # percentile: the tenth of the drawing that stands out most carries it
_FAINT = 1.3  # WCAG ratio, 1 to 21, of that tenth; a pale yellow on white has 1.4
_MOSTLY, _PARTLY = 0.5, 0.2  # of the outline in the page's colour
_DETAILS = 0.25  # of the drawing's square: less, in the ground's own colour, is eyes without a cat

_REFERENCE = 128  # pixels: what the drawing looks like where nothing is lost
_SIZES = (16, 32)  # pixels: browser tabs, lists, toolbars
_SURVIVES = {16: 0.42, 32: 0.7}  # of the reference's variance; one real icon in fifty has less
_LEAST_SIDE = 4.5  # pixels at 16 of the drawing's longer side: smaller is a dot


def luminance(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(..., 3) sRGB to relative luminance, 0 to 1. Source: WCAG 2.2, "relative luminance"."""
    light: NDArray[np.float64] = _linear()[rgb] @ np.array([0.2126, 0.7152, 0.0722])
    return light


@lru_cache(maxsize=1)
def _linear() -> NDArray[np.float64]:
    """Linear light of each of the 256 levels."""
    level = np.arange(256) / 255.0
    return np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)


def contrast_with(look: Look, ground: str) -> float:
    """WCAG contrast ratio, 1 to 21, with ``ground`` of the tenth of the drawing that differs most.

    Source: WCAG 2.2, "contrast ratio"; success criterion 1.4.11 asks 3 of graphics.
    """
    drawn = look.small[::2, ::2][look.drawn[::2, ::2]][:, :3]
    if len(drawn) == 0:
        return 1.0
    return float(np.percentile(_ratios(drawn, ground), _CONTRASTY))


def asked_to_vanish(look: Look, ground: str) -> bool:
    """Whether the words ask for the drawing, or a thing of it, in nearly the colour ``ground``."""
    if look.asked is None:
        return False
    tints = (look.asked.tint, *(part.tint for part in look.asked.parts))
    asked = [rgb_of(tint) for tint in tints if tint is not None]
    return bool(asked) and float(_ratios(np.array(asked, np.uint8), ground).min()) < _FAINT


def _ratios(rgb: NDArray[np.uint8], ground: str) -> NDArray[np.float64]:
    """(n, 3) sRGB to WCAG contrast ratios with ``ground``."""
    behind = float(luminance(np.array(rgb_of(ground), np.uint8))) + 0.05
    light = luminance(rgb) + 0.05
    ratios: NDArray[np.float64] = np.maximum(light, behind) / np.minimum(light, behind)
    return ratios


def low_contrast(look: Look) -> list[Finding]:
    """The drawing hardly stands out from its own ground."""
    tint = None if look.asked is None else look.asked.tint
    ground = _behind(look)
    if ground is None:
        return []
    if tint is not None and look.drawn_share < _DETAILS and colour_distance(tint, ground) < SHADE:
        return [_faint(f"The drawing was asked for in its ground's colour, {ground}.", 1.0)]
    if not look.has_drawing:
        return []  # ``blank`` says so
    ratio = contrast_with(look, ground)
    if ratio >= _FAINT:
        return []
    message = f"The drawing hardly stands out from its ground: contrast {ratio:.2f}:1."
    return [_faint(message, ratio)]


def _behind(look: Look) -> str | None:
    """The colour right behind the drawing: the emblem's, but inside a ring that of the ground."""
    emblem = None if look.asked is None else look.asked.emblem
    if emblem is None or emblem.shape == "ring":
        return look.ground
    return emblem.colour


def _faint(message: str, ratio: float) -> Finding:
    return Finding(
        check="low_contrast", severity="warning", message=message, measure=round(ratio, 3)
    )


def vanishes(look: Look) -> list[Finding]:
    """A transparent drawing that cannot be seen on light, or on dark, pages.

    The inside of a ring is clear. White petals on a green stalk count where white was asked for,
    so that other pictures may have their highlights; what has a line around it is seen.
    """
    emblem = None if look.asked is None else look.asked.emblem
    if not look.transparent or not look.has_drawing or look.ground is not None:
        return []
    if emblem is not None and emblem.shape != "ring":
        return []
    found = []
    for page, ground in _PAGES:
        ratio, lost = contrast_with(look, ground), _lost_outline(look, ground)
        if ratio < _FAINT and lost > _MOSTLY:
            message = f"On {page} pages the drawing vanishes: contrast {ratio:.2f}:1."
        elif lost > _PARTLY and asked_to_vanish(look, ground):
            message = f"On {page} pages {lost:.0%} of the drawing's outline vanishes."
        else:
            continue
        found.append(
            Finding(
                check="vanishes",
                severity="note",
                message=message,
                box=look.box(look.drawn),
                measure=round(ratio, 3),
            )
        )
    return found


def _lost_outline(look: Look, page: str) -> float:
    """Which part of the drawing's outline hardly differs from ``page``, 0 to 1."""
    outline = look.small[look.drawn & spread(~look.drawn)][:, :3]
    return float((_ratios(outline, page) < _FAINT).mean()) if len(outline) else 0.0


def survival(look: Look, side: int) -> float | None:
    """How much of what is seen at 128 pixels is left at ``side``: 1 is all; None: nothing there.

    The share of the variance of the large picture that the small one, enlarged, explains.
    """
    large = look.luma_of(look.at(_REFERENCE))
    if max(look.height, look.width) < _REFERENCE or float(large.std()) < 1.0:
        return None
    small = look.luma_of(look.at(side))
    shape = large.shape[1], large.shape[0]
    again = np.asarray(Image.fromarray(small).resize(shape, Image.Resampling.BICUBIC))
    if look.drawn.any():
        left, top, right, bottom = look.box(look.drawn)
        scale = _REFERENCE / max(look.height, look.width)
        rows = slice(int(top * scale), int(bottom * scale) + 1)
        columns = slice(int(left * scale), int(right * scale) + 1)
        large, again = large[rows, columns], again[rows, columns]
    spread = float(np.square(large - large.mean()).mean())
    return 1.0 - float(np.square(large - again).mean()) / max(spread, 1e-6)


def illegible(look: Look) -> list[Finding]:
    """Too fine, or too small in its canvas, to be made out at 16 or 32 pixels."""
    if not look.has_drawing:
        return []
    left, top, right, bottom = look.box(look.drawn)
    length = max(right - left, bottom - top) * _SIZES[0] / max(look.height, look.width)
    if length < _LEAST_SIDE:
        return [_lost(f"At 16 pixels the drawing is {length:.1f} pixels large.", length / 16)]
    for side in reversed(_SIZES):  # what fails at 32 fails at 16
        kept = survival(look, side)
        if kept is not None and kept < _SURVIVES[side]:
            sizes = "16 and 32" if side == 32 else "16"
            message = f"At {sizes} pixels the drawing cannot be made out: {max(kept, 0):.0%} of it"
            return [_lost(f"{message} is left at {side}.", kept)]
    return []


def _lost(message: str, measure: float) -> Finding:
    return Finding(check="illegible", severity="note", message=message, measure=round(measure, 4))
