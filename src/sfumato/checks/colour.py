"""Are the colours those that were asked for?"""

from __future__ import annotations

from sfumato.checks.look import SHADE, Look, colour_distance
from sfumato.colours import basic_name, rgb_of, to_hex
from sfumato.request import Finding

__all__ = ["wrong_colour"]

_ASKED_SHARE = 0.35  # of the drawing: a red fox keeps its white cheeks and dark ears


def wrong_colour(look: Look) -> list[Finding]:
    """The asked colour is not the main one."""
    if look.asked is None or look.asked.tint is None:
        return []
    tint = look.asked.tint
    if any(colour_distance(tint, ground) < SHADE for ground in look.grounds):
        return []  # the drawing and its ground were asked for in one colour: nothing to tell apart
    if not look.has_drawing:
        return []  # ``blank`` says so
    asked = basic_name(rgb_of(tint))
    shares: dict[str, float] = {}
    for rgb, share in look.colours:
        # a shade beside the asked colour counts, whichever side of a naming border it is on
        name = asked if colour_distance(to_hex(rgb), tint) < SHADE else basic_name(rgb)
        shares[name] = shares.get(name, 0.0) + share
    main = max(shares, key=lambda name: shares[name])
    found = shares.get(asked, 0.0)
    if main == asked or found >= _ASKED_SHARE:
        return []
    wanted = look.asked.tint_name or tint
    return [
        Finding(
            check="wrong_colour",
            severity="warning",
            message=f"Asked for {wanted}, but {shares[main]:.0%} of the drawing is {main} and "
            f"{found:.0%} {asked}.",
            measure=round(found, 4),
        )
    ]
