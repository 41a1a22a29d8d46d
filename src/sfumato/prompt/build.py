"""What a layout may know of things before they are drawn: how slender or broad, standing or not.

Most icons fill a square. The nouns of the first three lists do not, in most of the packs that the
built-in model learned from. A drawing that turns out otherwise is still laid out whole, only
smaller than it could be.
"""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["proportions", "stands"]

_SLENDER = """
    amphora; battery; beer bottle; bowling pin; candle; champagne glass; clock tower; column;
    easel; floor lamp; gas cylinder; ice pop; lava lamp; milk carton; nail; obelisk; popsicle;
    seahorse; skeleton; soda bottle; soda can; thermometer; traffic light; vase; watchtower;
    wine bottle
"""
_BROAD = """
    armadillo; badger; banknote; bed; bicycle; bike; bus; cannon; car; cassette; couch; fedora;
    gamepad; goggles; hippo; hippopotamus; jeep; keyboard; lips; lorry; moped; motorbike;
    motorcycle; sandal; saturn; snowmobile; sofa; sombrero; speedboat; submarine; table; tapir;
    ticket; tortoise; truck; van
"""
_LONG = """
    airship; bow tie; bridge; caravan; caterpillar; fence; game controller; glasses; igloo;
    limousine; race car; racing car; record player; seesaw; shoe; sports car; sunglasses
"""
# In the air, in the water or nowhere, as signs are: beside others they hang at half height.
_HOVERING = """
    aeroplane; airplane; airship; angel; arrow; asterisk; balloon; bat; bee; biplane; bolt;
    bubble; butterfly; check mark; cloud; comet; cross; diamond; dolphin; dragonfly; drone;
    droplet; earth; exclamation mark; fairy; feather; fish; fly; ghost; globe; heart;
    helicopter; hexagon; jellyfish; jet; kite; leaf; lightning; mars; meteor; moon; mosquito;
    moth; note; octagon; parachute; pentagon; petal; plane; planet; question mark; rainbow;
    raindrop; satellite; saturn; saucer; seahorse; shark; snowflake; spaceship; spark; sparkle;
    square; squid; star; sun; symbol; triangle; ufo; wasp; whale; zeppelin
"""


def _names(text: str) -> list[str]:
    return [" ".join(name.split()) for name in text.split(";")]


_WIDTH_OVER_HEIGHT = {
    name: ratio
    for names, ratio in ((_SLENDER, 0.5), (_BROAD, 1.5), (_LONG, 2.1))
    for name in _names(names)
}
_IN_THE_AIR = frozenset(_names(_HOVERING))
_BEHIND = frozenset({"of", "with", "in", "on", "at"})


def proportions(subject: str) -> tuple[float, float]:
    """How wide and how high a drawing of ``subject`` is likely to be; the longer side is 1."""
    ratio = next((_WIDTH_OVER_HEIGHT[n] for n in _nouns(subject) if n in _WIDTH_OVER_HEIGHT), 1.0)
    return min(ratio, 1.0), min(1.0 / ratio, 1.0)


def stands(subject: str) -> bool:
    """Whether a thing rests on the ground; a sun, a fish and a heart do not."""
    return not any(noun in _IN_THE_AIR for noun in _nouns(subject))


def _nouns(subject: str) -> Iterator[str]:
    """What a thing is, first as exactly as it is said: ``floor lamp``, then ``lamp``."""
    words = subject.lower().replace("-", " ").split()
    ends = (at for at, word in enumerate(words) if at and word in _BEHIND)
    words = words[: next(ends, len(words))]
    yield " ".join(words[-2:])
    yield " ".join(words[-1:])
