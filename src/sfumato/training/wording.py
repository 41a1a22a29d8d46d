"""How a training picture is called.

In a phrasing ``{w}`` stands for the subject's words, ``{a}`` for the same with an article,
``{style}`` for its style, ``{g_}`` for a ground's or emblem's colour and ``{g}`` for that with an
article.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sfumato.wording import with_article

NUMBERS = {2: "two", 3: "three", 4: "four"}

PLAIN = (
    "logo of {a}, {style}, transparent background", "{w} icon, {style}", "{style} icon of {a}",
    "{a} on a transparent background", "{style} illustration of {a}", "{w}, {style} style",
    "sticker of {a}", "{w} logo", "{w} icon", "emblem of {a}, {style}", "drawing of {a}",
)  # fmt: skip
LOOSE = ("{w} icon", "{w}, {style}", "{w} logo")  # for synonyms and tags, which may be no nouns
GROUND = (
    "{a} on {g} background", "{w}, {g_} background", "{w} icon, {style}, {g_} background",
    "logo of {a} on {g} background",
)  # fmt: skip
GRADIENT = ("{a} on {g} gradient background", "{w}, {g_} gradient background")
EMBLEM = {
    "circle": ("{a} on {g} circle", "round {g_} badge with {a}", "{w} in {g} circle"),
    "rounded square": ("{a} on {g} rounded square", "{w} app icon, {g_} rounded square"),
    "shield": ("{a} on {g} shield", "{g_} shield emblem with {a}", "{w} crest, {g_} shield"),
    "hexagon": ("{a} on {g} hexagon", "{g_} hexagon badge with {a}"),
    "ring": ("{a} inside {g} ring", "{w} logo, {g_} ring around it"),
    "sunburst": ("{a} in front of {g} sunburst", "{w} with {g} sunburst behind"),
}
RELATIONS = {
    "left": ("{a} left of {b}", "{a} to the left of {b}", "{b} to the right of {a}"),
    "above": ("{a} above {b}", "{b} below {a}", "{b} under {a}"),
}


def fill_in(
    templates: Sequence[str], rng: np.random.Generator, *, words: str, style: str, ground: str = ""
) -> str:
    """One phrasing at random, filled in."""
    chosen = templates[int(rng.integers(len(templates)))]
    a, g = with_article(words), with_article(ground)
    return chosen.format(w=words, a=a, style=style, g=g, g_=ground)
