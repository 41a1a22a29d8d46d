"""The checks of a finished drawing: is it there, whole, clean, and what was asked?

Each takes (H, W, 4) uint8 pixels, the plan and the conditioning (``None`` where there is none)
and returns findings. They look at a thinned-out picture: what a person cannot see at 512 pixels
is not a defect worth a message.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sfumato.colours import basic_name, dominant_colours, rgb_of, to_hex
from sfumato.oklab import evenly, srgb_to_oklab
from sfumato.regions import find_regions
from sfumato.request import Finding, GenerationPlan

if TYPE_CHECKING:
    from sfumato.models import Conditioning

__all__ = [
    "blank",
    "clipped",
    "off_centre",
    "ragged_alpha",
    "speckles",
    "unknown_subject",
    "wrong_colour",
]

_WORKING_SIDE = 512  # pixels of the longer side that the checks look at
_LEAST_DRAWN = 0.004  # of the drawing's square: less is a mark, not a drawing
_WHOLE_FRAME = 0.97  # of the canvas: a scene that is meant to run to the edges
_ONE_COLOUR = 0.985  # share of a full canvas in one colour that makes it a blank sheet
_GROUND = 12  # levels of 255: a pixel this close in all channels is the ground behind the drawing
_TOUCH = 0.015  # of an edge's length: one stray antialiased pixel is no contact
_OFF = 0.06  # of the shorter side: less than this nobody sees without a ruler
_SPECK = 0.0003  # of the drawing's square: about 18 x 18 pixels at 1024, smaller than any eye
_HAZE = 2.0  # half-clear pixels for each pixel of outline, at 256 pixels a side; a clean edge has 1
_SHADE = 0.1  # distance in evened Oklab between two shades of one colour
_ASKED_SHARE = 0.35  # of the drawing: a red fox keeps its white cheeks and dark ears
# Cosine to the nearest caption the model was shown: "asdfgh" finds a pig at 0.57 and "startup" a
# rocket at 0.60; "tabby kitten" finds a kitten at 0.71, "red panda" a panda at 0.86.
_STRANGER, _RELATIVE = 0.66, 0.9


@dataclass(frozen=True, slots=True)
class _Look:
    """A thinned-out picture with what was drawn told apart from the ground behind it."""

    pixels: NDArray[np.uint8]  # (h, w, 4)
    drawn: NDArray[np.bool_]  # (h, w)
    step: int  # pixels of the picture for each pixel here

    @property
    def square(self) -> int:
        """Area of the square the drawing was placed in."""
        return int(min(self.drawn.shape)) ** 2

    def box(self, mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
        """Bounds of a mask in the picture's own pixels; the mask is not empty."""
        rows, columns = np.nonzero(mask.any(axis=1))[0], np.nonzero(mask.any(axis=0))[0]
        left, top, right, bottom = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
        return (
            int(left) * self.step,
            int(top) * self.step,
            int(right) * self.step,
            int(bottom) * self.step,
        )


def _look(pixels: NDArray[np.uint8], plan: GenerationPlan) -> _Look:
    step = max(1, -(-max(pixels.shape[:2]) // _WORKING_SIDE))
    small = np.ascontiguousarray(pixels[::step, ::step])
    drawn = small[..., 3] >= 128
    grounds = [plan.background] if plan.background != "transparent" else []
    if plan.emblem is not None:
        grounds.append(plan.emblem.colour)
    if grounds:
        for ground in grounds:
            gap = np.abs(small[..., :3].astype(np.int16) - np.array(rgb_of(ground), np.int16))
            drawn &= gap.max(axis=2) > _GROUND
        # where two grounds meet, antialiasing leaves a thread of a third colour
        drawn = _spread(~_spread(~drawn))
    return _Look(small, drawn, step)


def _spread(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The mask and the pixels above, below, left and right of it."""
    wide: NDArray[np.bool_] = mask.copy()
    wide[1:] |= mask[:-1]
    wide[:-1] |= mask[1:]
    wide[:, 1:] |= mask[:, :-1]
    wide[:, :-1] |= mask[:, 1:]
    return wide


def _distance(one: str, other: str) -> float:
    """How far two colours are from each other, in evened Oklab."""
    rgb = np.array([rgb_of(one), rgb_of(other)], np.uint8)
    first, second = evenly(srgb_to_oklab(rgb))
    return float(np.sqrt(((first - second) ** 2).sum()))


def blank(
    pixels: NDArray[np.uint8], plan: GenerationPlan, cond: Conditioning | None
) -> list[Finding]:
    """Nothing, or one flat colour, was drawn."""
    look = _look(pixels, plan)
    if look.drawn.sum() < _LEAST_DRAWN * look.square:
        where = ""
        if plan.emblem is not None:
            where = " on the emblem"
        elif plan.background != "transparent":
            where = " that stands out from the background"
        return [_error("blank", f"Nothing was drawn{where}. Try another seed.")]
    if look.drawn.mean() > _ONE_COLOUR:
        (_, share), *_ = dominant_colours(look.pixels)
        if share > _ONE_COLOUR:
            return [_error("blank", "The whole picture is one flat colour. Try another seed.")]
    return []


def clipped(
    pixels: NDArray[np.uint8], plan: GenerationPlan, cond: Conditioning | None
) -> list[Finding]:
    """The drawing touches the edge of the canvas."""
    look = _look(pixels, plan)
    if look.drawn.mean() > _WHOLE_FRAME:
        return []
    edges = {
        "top": look.drawn[0],
        "right": look.drawn[:, -1],
        "bottom": look.drawn[-1],
        "left": look.drawn[:, 0],
    }
    touched = [name for name, edge in edges.items() if edge.mean() > _TOUCH]
    if not touched:
        return []
    sides = " and ".join(", ".join(touched).rsplit(", ", 1))
    noun = "edge" if len(touched) == 1 else "edges"
    return [
        _warning("clipped", f"The drawing is cut off at the {sides} {noun}.", look.box(look.drawn))
    ]


def off_centre(
    pixels: NDArray[np.uint8], plan: GenerationPlan, cond: Conditioning | None
) -> list[Finding]:
    """The drawing sits away from the middle."""
    look = _look(pixels, plan)
    if not look.drawn.any():
        return []
    box = left, top, right, bottom = look.box(look.drawn)
    height, width = pixels.shape[:2]
    across, down = (left + right - width) / 2, (top + bottom - height) / 2
    side = min(width, height)
    parts = []
    if abs(across) > _OFF * side:
        parts.append(f"{abs(across) / side:.0%} to the {'right' if across > 0 else 'left'}")
    if abs(down) > _OFF * side:
        parts.append(f"{abs(down) / side:.0%} too {'low' if down > 0 else 'high'}")
    if not parts:
        return []
    return [_note("off_centre", f"The drawing sits {' and '.join(parts)}.", box)]


def speckles(
    pixels: NDArray[np.uint8], plan: GenerationPlan, cond: Conditioning | None
) -> list[Finding]:
    """Stray islands of a few pixels."""
    look = _look(pixels, plan)
    # on an emblem the drawing is about 0.6 times as large, and so are its honest details
    limit = _SPECK * look.square * (1.0 if plan.emblem is None else 0.36)
    islands = find_regions(look.drawn)
    stray = islands.areas < limit
    stray[0] = False
    count = int(stray.sum())
    if count == 0:
        return []
    noun = "speck lies" if count == 1 else "specks lie"
    return [
        _warning(
            "speckles",
            f"{count} stray {noun} beside the drawing.",
            look.box(islands.mask_of(stray)),
        )
    ]


def ragged_alpha(
    pixels: NDArray[np.uint8], plan: GenerationPlan, cond: Conditioning | None
) -> list[Finding]:
    """Half-transparent haze where the picture should be clear or solid."""
    if plan.background != "transparent":
        return []
    step = max(1, max(pixels.shape[:2]) // 1024)  # finer than the other checks: edges are thin
    alpha = pixels[::step, ::step, 3]
    half = (alpha > 12) & (alpha < 243)
    solid = alpha >= 128
    outline = int((solid[1:] != solid[:-1]).sum() + (solid[:, 1:] != solid[:, :-1]).sum())
    # a soft edge is as wide as the model's pixel, which grows with the picture
    allowed = _HAZE * outline * max(1.0, min(alpha.shape) / 256)
    if half.sum() <= allowed + 0.001 * alpha.size:
        return []
    share = half.mean()
    return [_warning("ragged_alpha", f"{share:.1%} of the picture is half-transparent haze.")]


def wrong_colour(
    pixels: NDArray[np.uint8], plan: GenerationPlan, cond: Conditioning | None
) -> list[Finding]:
    """The asked colour is not the main one."""
    if plan.tint is None:
        return []
    look = _look(pixels, plan)
    grounds = [plan.background] if plan.background != "transparent" else []
    grounds += [plan.emblem.colour] if plan.emblem is not None else []
    if any(_distance(plan.tint, ground) < _SHADE for ground in grounds):
        return []  # the drawing and its ground were asked for in one colour: nothing to tell apart
    if look.drawn.sum() < _LEAST_DRAWN * look.square:
        return []  # ``blank`` says so
    visible = look.pixels.copy()
    visible[..., 3] = np.where(look.drawn, 255, 0)
    asked = basic_name(rgb_of(plan.tint))
    shares: dict[str, float] = {}
    for rgb, share in dominant_colours(visible, 8):
        # a shade beside the asked colour counts, whichever side of a naming border it is on
        name = asked if _distance(to_hex(rgb), plan.tint) < _SHADE else basic_name(rgb)
        shares[name] = shares.get(name, 0.0) + share
    main = max(shares, key=lambda name: shares[name])
    if main == asked or shares.get(asked, 0.0) >= _ASKED_SHARE:
        return []
    wanted = plan.tint_name or plan.tint
    return [
        _warning(
            "wrong_colour",
            f"Asked for {wanted}, but {shares[main]:.0%} of the drawing is {main} and "
            f"{shares.get(asked, 0.0):.0%} {asked}.",
        )
    ]


def unknown_subject(
    pixels: NDArray[np.uint8], plan: GenerationPlan, cond: Conditioning | None
) -> list[Finding]:
    """The model was never shown this subject."""
    if cond is None or cond.known >= _RELATIVE:
        return []
    if cond.known >= _STRANGER:
        message = f"The model was not shown {plan.subject!r}; it drew what it knows of"
        return [
            Finding(
                check="unknown_subject", severity="note", message=f"{message} {cond.nearest!r}."
            )
        ]
    instead = f" The nearest it knows is {cond.nearest!r}." if cond.nearest else ""
    return [
        _warning(
            "unknown_subject",
            f"The model {plan.model} reads English and does not know {plan.subject!r}.{instead}",
        )
    ]


def _error(check: str, message: str) -> Finding:
    return Finding(check=check, severity="error", message=message)


def _warning(check: str, message: str, box: tuple[int, int, int, int] | None = None) -> Finding:
    return Finding(check=check, severity="warning", message=message, box=box)


def _note(check: str, message: str, box: tuple[int, int, int, int]) -> Finding:
    return Finding(check=check, severity="note", message=message, box=box)
