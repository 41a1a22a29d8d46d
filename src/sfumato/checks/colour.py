"""Are the colours those that were asked for?"""

from __future__ import annotations

from sfumato.checks.look import SHADE, Look, colour_distance
from sfumato.checks.pieces import of_each
from sfumato.colours import basic_name, rgb_of, to_hex
from sfumato.request import Finding

__all__ = ["palette_drift", "wrong_colour"]

_DRIFT = 0.03  # distance in evened Oklab: seen side by side; our own drawings stay below 0.02
_DRIFT_SHARE = 0.1  # of the drawing: a smaller patch is not the colour that was asked for
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


def drifts(look: Look) -> list[tuple[str, str, str, float]]:
    """(what, asked, found, distance) of each colour that the plan fixed."""
    if look.asked is None:
        return []
    ground, tint = look.asked.background, look.asked.tint
    found: list[tuple[str, str, str, float]] = []
    shown = look.border_colour
    if ground is not None and ground != "transparent" and shown is not None:
        found.append(("ground", ground, shown, colour_distance(ground, shown)))
    if tint is not None and look.has_drawing:
        shades = [to_hex(rgb) for rgb, share in look.colours if share >= _DRIFT_SHARE]
        gaps = {shade: colour_distance(shade, tint) for shade in shades}
        if gaps:
            nearest = min(shades, key=lambda shade: gaps[shade])
            found.append(("drawing", tint, nearest, gaps[nearest]))
    return found


def palette_drift(look: Look) -> list[Finding]:
    """A colour that was asked for came out as another shade."""
    several = look.asked is not None and look.asked.parts  # each has a tint, all have one ground
    return _moved(look, "drawing") + (of_each(_moved_in_thing, look) if several else [])


def _moved_in_thing(look: Look) -> list[Finding]:
    return _moved(look, "drawing" if look.asked is None else look.asked.subject)


def _moved(look: Look, drawing: str) -> list[Finding]:
    """What came out as another shade; the ``drawing`` is called so."""
    moved = [drift for drift in drifts(look) if drift[3] > _DRIFT]
    # a tint that is not there at all is ``wrong_colour``
    moved = [drift for drift in moved if drift[0] != "drawing" or not wrong_colour(look)]
    tint_name = None if look.asked is None else look.asked.tint_name
    return [
        Finding(
            check="palette_drift",
            severity="warning" if what == "ground" else "note",
            message=f"The ground {_shades(asked, shade)}."
            if what == "ground"
            else f"The {drawing} {_shades(asked, shade, tint_name)}.",
            measure=round(gap, 4),
        )
        for what, asked, shade, gap in moved
    ]


def _shades(asked: str, shade: str, name: str | None = None) -> str:
    """Two colours in words and as codes; ``name`` is how the asked one was called."""
    if name is None or name.startswith("#"):
        name = basic_name(rgb_of(asked))
    found = basic_name(rgb_of(shade))
    another = "another " if found == name else ""
    return f"was to be {name} ({asked}) and is {another}{found} ({shade})"
