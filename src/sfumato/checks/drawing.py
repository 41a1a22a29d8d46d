"""Is the drawing there, whole, in its place, and clean?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sfumato.checks.look import SHADE, Look, colour_distance, spread
from sfumato.colours import dominant_colours
from sfumato.request import Finding
from sfumato.wording import listed

if TYPE_CHECKING:
    from sfumato.models import Conditioning

__all__ = ["blank", "clipped", "off_centre", "speckles", "unknown_subject"]

_WHOLE_FRAME = 0.97  # of the canvas: a scene that is meant to run to the edges
_ONE_COLOUR = 0.985  # share of a full canvas in one colour that makes it a blank sheet
_NO_GROUND = (None, "transparent")
_TOUCH = 0.015  # of an edge's length: one stray antialiased pixel is no contact
_LEAST_TOUCH = 2  # pixels at 512: on a sliver of a canvas one pixel is a large share of an edge
_BEHIND = 0.012  # of the shorter side: there the drawing is compared with its contact
_CUT = 0.65  # contact over width there; a round drawing that only just reaches the edge has 0.4
_OFF = 0.06  # of the shorter side: less than this nobody sees without a ruler
_OFF_LENGTH = 0.03  # of the side it is off along: a ribbon's short side is no measure of its long
_SPECK = 0.0003  # of the drawing's square: about 18 x 18 pixels at 1024, smaller than any eye
_STANDS_OUT = 40  # levels of 255 between a speck and the ground
# Cosine to the nearest caption the model was shown: "asdfgh" finds a pig at 0.57 and "startup" a
# rocket at 0.60; "tabby kitten" finds a kitten at 0.71, "red panda" a panda at 0.86.
_STRANGER, _RELATIVE = 0.66, 0.9


def blank(look: Look) -> list[Finding]:
    """Nothing, or one flat colour, was drawn."""
    if look.has_drawing and look.drawn.mean() <= _ONE_COLOUR:
        return []
    if look.small[..., 3].min() >= 128:
        (_, share), *_ = dominant_colours(look.small[::2, ::2])
        if share > _ONE_COLOUR and (look.asked is None or look.asked.background in _NO_GROUND):
            return [_blank("The whole picture is one flat colour.", share)]
    if look.has_drawing:
        return []
    where = ""
    if look.asked is not None and look.asked.emblem is not None:
        where = " on the emblem"
    elif look.ground is not None:
        where = " that stands out from the background"
    return [_blank(f"Nothing was drawn{where}.", look.drawn_share)]


def _blank(message: str, measure: float) -> Finding:
    hint = "Try another seed."
    return Finding(
        check="blank", severity="error", message=f"{message} {hint}", measure=round(measure, 4)
    )


def clipped(look: Look) -> list[Finding]:
    """The drawing touches the edge of the canvas."""
    drawn = look.drawn
    if drawn.mean() > _WHOLE_FRAME:
        return []
    behind = min(round(_BEHIND * min(drawn.shape)), min(drawn.shape) - 1)
    shares: dict[str, float] = {}
    touched = []
    for name, turns in (("top", 0), ("right", 1), ("bottom", 2), ("left", 3)):
        turned = np.rot90(drawn, turns)  # counter-clockwise: this edge is now the first row
        contact = int(turned[0].sum())
        shares[name] = contact / turned.shape[1]
        if shares[name] <= _TOUCH or contact < _LEAST_TOUCH:
            continue
        if contact >= _CUT * turned[behind].sum():
            touched.append(name)
    if not touched:
        return []
    noun = "edge" if len(touched) == 1 else "edges"
    return [
        Finding(
            check="clipped",
            severity="warning",
            message=f"The drawing is cut off at the {listed(touched)} {noun}.",
            box=look.box(drawn),
            measure=round(max(shares.values()), 4),
        )
    ]


def off_centre(look: Look) -> list[Finding]:
    """The drawing sits away from the middle."""
    if not look.drawn.any() or _hides_in_its_ground(look):
        return []
    box = left, top, right, bottom = look.box(look.drawn)
    across, down = (left + right - look.width) / 2, (top + bottom - look.height) / 2
    side = min(look.width, look.height)
    parts = []
    if abs(across) > max(_OFF * side, _OFF_LENGTH * look.width, look.step):
        parts.append(f"{abs(across) / side:.0%} to the {'right' if across > 0 else 'left'}")
    if abs(down) > max(_OFF * side, _OFF_LENGTH * look.height, look.step):
        parts.append(f"{abs(down) / side:.0%} too {'low' if down > 0 else 'high'}")
    if not parts:
        return []
    return [
        Finding(
            check="off_centre",
            severity="note",
            message=f"The drawing sits {listed(parts)}.",
            box=box,
            measure=round(max(abs(across), abs(down)) / side, 4),
        )
    ]


def _hides_in_its_ground(look: Look) -> bool:
    """Whether the drawing was asked for in its ground's colour: then its outline is not seen."""
    if look.asked is None:
        return False
    tints = [look.asked.tint, *(part.tint for part in look.asked.parts)]
    return any(
        colour_distance(tint, own) < SHADE
        for tint in tints
        for own in look.grounds
        if tint is not None
    )


def speckles(look: Look) -> list[Finding]:
    """Stray islands of a few pixels."""
    # on an emblem the drawing is about 0.6 times as large, and so are its honest details
    emblem = look.asked is not None and look.asked.emblem is not None
    limit = _SPECK * look.square * (0.36 if emblem else 1.0)
    if look.plan is not None:
        limit /= look.plan.num_things  # and so are those of several things
    stray = look.regions.areas < limit
    body = look.regions.mask_of(~stray & (look.regions.areas > 0))
    stray[0] = False
    if stray.any():
        # a thin tip that antialiasing parts from the drawing is no island
        beside = look.regions.labels[spread(spread(spread(body)))]
        stray[np.unique(beside)] = False
    if look.ground is not None:
        # beside edges that were saved as JPEG, ringing rises out of the ground, but not far
        apart = look.gap_to(look.ground) >= _STANDS_OUT
        stray &= np.bincount(look.regions.labels[apart], minlength=len(stray)) > 0
    count = int(stray.sum())
    if count == 0:
        return []
    noun = "speck lies" if count == 1 else "specks lie"
    where = look.regions.mask_of(stray)
    return [
        Finding(
            check="speckles",
            severity="warning",
            message=f"{count} stray {noun} beside the drawing.",
            box=look.box(where),
            mask=look.mask_of(where),
            measure=float(count),
        )
    ]


def unknown_subject(look: Look) -> list[Finding]:
    """The model was never shown this subject, or one of these."""
    if look.plan is None:
        return []
    pairs = zip(look.plan.drawings, look.conds, strict=False)  # without conds nothing is known
    return [
        _stranger(drawing.subject, cond, look.plan.model)
        for drawing, cond in pairs
        if cond.known < _RELATIVE
    ]


def _stranger(subject: str, cond: Conditioning, model: str) -> Finding:
    known = round(float(cond.known), 4)
    if cond.known >= _STRANGER:
        message = f"The model was not shown {subject!r}; it drew what it knows of"
        return Finding(
            check="unknown_subject",
            severity="note",
            message=f"{message} {cond.nearest!r}.",
            measure=known,
        )
    instead = f" The nearest it knows is {cond.nearest!r}." if cond.nearest else ""
    return Finding(
        check="unknown_subject",
        severity="warning",
        message=f"The model {model} reads English and does not know {subject!r}.{instead}",
        measure=known,
    )
