"""Colours: the names people use, the main colours of a picture, and "is this red?".

One table serves both directions: a word becomes a colour chosen with a designer's taste
(``parse_colour("red")`` is not ``#ff0000``), and a colour becomes one of the eleven basic colour
terms of Berlin & Kay (``basic_name``), by its nearest neighbour among the table's entries.
"""

from __future__ import annotations

import re
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sfumato.errors import RequestError
from sfumato.oklab import evenly, from_evenly, oklab_to_srgb, srgb_to_oklab

__all__ = [
    "BASIC_TERMS",
    "COLOUR_NAMES",
    "basic_name",
    "cluster_colours",
    "colour_histogram",
    "dominant_colours",
    "ground_colour",
    "nearest_index",
    "oklab_to_srgb",
    "parse_background",
    "parse_colour",
    "rgb_of",
    "srgb_to_oklab",
    "to_hex",
]

BASIC_TERMS = (
    "black",
    "white",
    "grey",
    "red",
    "orange",
    "yellow",
    "green",
    "blue",
    "purple",
    "pink",
    "brown",
)

# name -> (colour, the basic term it belongs to)
_TABLE: dict[str, tuple[str, str]] = {
    "black": ("#1d1d21", "black"),
    "white": ("#ffffff", "white"),
    "grey": ("#8e9299", "grey"),
    "red": ("#dc2f2f", "red"),
    "orange": ("#f58a1f", "orange"),
    "yellow": ("#fcd12a", "yellow"),
    "green": ("#3aa652", "green"),
    "blue": ("#2f6fde", "blue"),
    "purple": ("#8542c4", "purple"),
    "pink": ("#f573a8", "pink"),
    "brown": ("#8a5432", "brown"),
    "amber": ("#ffb51f", "orange"),
    "aqua": ("#2fc8d6", "blue"),
    "azure": ("#2f8ff5", "blue"),
    "beige": ("#e6d5b8", "brown"),
    "bronze": ("#a9713a", "brown"),
    "burgundy": ("#7a1f35", "red"),
    "charcoal": ("#3a3d44", "black"),
    "chocolate": ("#5f3720", "brown"),
    "copper": ("#b8693d", "brown"),
    "coral": ("#ff7357", "orange"),
    "cream": ("#fdf3d8", "white"),
    "crimson": ("#c2183c", "red"),
    "cyan": ("#22bfd6", "blue"),
    "emerald": ("#0f9d6b", "green"),
    "fuchsia": ("#e0329f", "pink"),
    "gold": ("#eab42c", "yellow"),
    "indigo": ("#4b3fb8", "purple"),
    "ivory": ("#fbf8ea", "white"),
    "khaki": ("#b5a66a", "brown"),
    "lavender": ("#b9a5ea", "purple"),
    "lilac": ("#c9a2e0", "purple"),
    "lime": ("#93d021", "green"),
    "magenta": ("#d62ba3", "pink"),
    "maroon": ("#7b2529", "red"),
    "mint": ("#86dcb8", "green"),
    "mustard": ("#d6a31f", "yellow"),
    "navy": ("#1d2f63", "blue"),
    "olive": ("#7c8432", "green"),
    "peach": ("#ffbd94", "orange"),
    "plum": ("#7c3472", "purple"),
    "rose": ("#eb5486", "pink"),
    "ruby": ("#b8163f", "red"),
    "salmon": ("#fa8e7d", "pink"),
    "sand": ("#dcc391", "brown"),
    "scarlet": ("#e53422", "red"),
    "silver": ("#bcc2ca", "grey"),
    "sky blue": ("#6fbdf2", "blue"),
    "tan": ("#cba77b", "brown"),
    "teal": ("#15858a", "blue"),
    "turquoise": ("#2cc4b8", "green"),
    "violet": ("#9455d6", "purple"),
}

# More points for naming alone: where the basic terms end is not where a designer would pick.
_EXEMPLARS: tuple[tuple[str, str], ...] = (
    *(("#000000", "black"), ("#2b2b2b", "black"), ("#26292e", "black"), ("#2b211d", "black")),
    *(("#ffffff", "white"), ("#eef1f4", "white"), ("#f4efe9", "white"), ("#f5ecec", "white")),
    *(("#555555", "grey"), ("#66757f", "grey"), ("#d3d6d8", "grey"), ("#9a9089", "grey")),
    *(("#ff0000", "red"), ("#8b0000", "red"), ("#b22222", "red"), ("#f04747", "red")),
    *(("#be1931", "red"), ("#5c0f14", "red"), ("#d94a4a", "red")),
    *(("#ff8c00", "orange"), ("#ffa500", "orange"), ("#e8590c", "orange"), ("#ffac6b", "orange")),
    *(("#f4661b", "orange"), ("#d9701a", "orange")),
    *(("#ffff00", "yellow"), ("#ffe680", "yellow"), ("#ffcc33", "yellow"), ("#c9b200", "yellow")),
    *(("#fff3b0", "yellow"), ("#ffc629", "yellow")),
    *(("#008000", "green"), ("#00ff00", "green"), ("#1b4d2b", "green"), ("#a6d388", "green")),
    *(("#5c913b", "green"), ("#c5e8b7", "green"), ("#00c48c", "green"), ("#77b255", "green")),
    *(("#0000ff", "blue"), ("#87ceeb", "blue"), ("#000080", "blue"), ("#bbddf5", "blue")),
    *(("#5dadec", "blue"), ("#226699", "blue"), ("#00ffff", "blue"), ("#162547", "blue")),
    *(("#800080", "purple"), ("#4b0082", "purple"), ("#aa8ed6", "purple"), ("#d9c8f2", "purple")),
    *(("#9400d3", "purple"), ("#3b1f56", "purple"), ("#c084e8", "purple")),
    *(("#ffc0cb", "pink"), ("#ff69b4", "pink"), ("#ea596e", "pink"), ("#ff1493", "pink")),
    *(("#f4abba", "pink"), ("#ff8fc7", "pink"), ("#ffb3ad", "pink"), ("#fadadd", "pink")),
    *(("#8b4513", "brown"), ("#c1694f", "brown"), ("#662113", "brown"), ("#d99e82", "brown")),
    *(("#3e2723", "brown"), ("#bf6952", "brown"), ("#a0522d", "brown"), ("#6b4a1b", "brown")),
)

_SYNONYMS = {
    "gray": "grey",
    "violette": "violet",
    "skyblue": "sky blue",
    "golden": "gold",
    "silvery": "silver",
    "off-white": "ivory",
    "off white": "ivory",
    "navy blue": "navy",
    "baby blue": "sky blue",
    "royal blue": "blue",
    "forest green": "dark green",
    "lime green": "lime",
    "hot pink": "fuchsia",
    "wine": "burgundy",
}

COLOUR_NAMES: tuple[str, ...] = (*_TABLE, *(word for word in _SYNONYMS))

# modifier -> (how far towards black (-) or white (+) in lightness, factor on chroma)
_MODIFIERS: dict[str, tuple[float, float]] = {
    "light": (0.45, 0.75),
    "pale": (0.62, 0.5),
    "pastel": (0.55, 0.6),
    "soft": (0.3, 0.75),
    "dark": (-0.32, 0.9),
    "deep": (-0.22, 1.0),
    "bright": (0.1, 1.25),
    "vivid": (0.0, 1.3),
}

_HEX = re.compile(r"#?(?:([0-9a-f]{3})|([0-9a-f]{6}))")


def parse_colour(text: str) -> str:
    """A colour's name, ``#rgb`` or ``#rrggbb`` as ``#rrggbb``.

    A name may carry one of light, pale, pastel, soft, dark, deep, bright, vivid.

    Raises: RequestError: no such colour.
    """
    words = " ".join(text.lower().replace("_", " ").split())
    if words.startswith("#") and (match := _HEX.fullmatch(words)):
        digits = match[2] or "".join(digit * 2 for digit in match[1])
        return f"#{digits}"
    words = _SYNONYMS.get(words, words)
    if words in _TABLE:
        return _TABLE[words][0]
    modifier, _, name = words.replace("-", " ").partition(" ")
    name = _SYNONYMS.get(name, name)
    if modifier in _MODIFIERS and name in _TABLE:
        return _modified(_TABLE[name][0], *_MODIFIERS[modifier])
    raise RequestError(
        f"There is no colour called {text!r}.",
        hint="Give a name such as navy or light green, or a code such as #1d4ed8.",
    )


def parse_background(text: str) -> str:
    """What lies behind the drawing: ``"transparent"``, ``"opaque"`` or ``"#rrggbb"``.

    Raises: RequestError: neither of the two words nor a colour.
    """
    word = text.strip().lower()
    if word in ("transparent", "none", "clear"):
        return "transparent"
    if word in ("opaque", "solid"):
        return "opaque"
    try:
        colour = parse_colour(text)
    except RequestError:
        raise RequestError(
            f"The background {text!r} is not known.",
            hint="Give transparent, opaque, a colour's name or a code such as #1d4ed8.",
        ) from None
    return ground_colour(word, colour)


def ground_colour(name: str, colour: str) -> str:
    """What the ``colour`` called ``name`` is as a ground: black is all black there.

    A drawing in ``#000000`` looks like a hole, so black in it is softer; a ground is measured
    against the page around it.
    """
    return "#000000" if name == "black" else colour


def rgb_of(colour: str) -> tuple[int, int, int]:
    """``#rrggbb`` as three bytes."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def to_hex(rgb: NDArray[np.float64] | NDArray[np.uint8] | tuple[int, int, int]) -> str:
    """Three numbers from 0 to 255 as ``#rrggbb``; fractions are rounded."""
    red, green, blue = (round(float(channel)) for channel in rgb)
    return f"#{red:02x}{green:02x}{blue:02x}"


# ---------------------------------------------------------------- naming and counting


def basic_name(rgb: NDArray[np.uint8] | tuple[int, int, int]) -> str:
    """Which of the eleven basic colour terms (Berlin & Kay 1969) a colour belongs to.

    The term of the nearest exemplar in Oklab, with differences of hue and chroma counted more
    than differences of lightness: a shaded red is still red.
    """
    lab = evenly(srgb_to_oklab(np.asarray(rgb, np.uint8)))
    exemplars, terms = _naming_points()
    weights = np.array([0.6, 1.5, 1.5])
    distance = (((exemplars - lab) * weights) ** 2).sum(axis=1)
    return terms[int(distance.argmin())]


def dominant_colours(
    pixels: NDArray[np.uint8], k: int = 6
) -> list[tuple[tuple[int, int, int], float]]:
    """Up to ``k`` main colours of the opaque part of (H, W, 4) pixels, largest share first.

    Shares add up to 1. A picture with no opaque pixel has no colours.
    """
    solid = pixels[pixels[..., 3] >= 128][:, :3]  # (N, 3)
    if len(solid) == 0:
        return []
    colours, weights = colour_histogram(solid, np.ones(len(solid)))
    even = evenly(srgb_to_oklab(colours))
    centres, shares, _ = cluster_colours(even, weights, k, merge_below=0.035)
    rgb = oklab_to_srgb(from_evenly(centres))
    return [
        ((int(r), int(g), int(b)), float(share))
        for (r, g, b), share in zip(rgb, shares, strict=True)
    ]


def colour_histogram(
    rgb: NDArray[np.uint8], weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(N, 3) colours to the mean colours and weights of the 32 x 32 x 32 bins in use."""
    key = (rgb >> 3).astype(np.int64) @ np.array([1024, 32, 1])
    _, inverse = np.unique(key, return_inverse=True)
    inverse = inverse.reshape(-1)
    mass = np.bincount(inverse, weights).astype(np.float64)
    sums = np.stack([np.bincount(inverse, weights * rgb[:, i]) for i in range(3)], axis=1)
    return sums / mass[:, None], mass


def cluster_colours(
    lab: NDArray[np.float64],
    weights: NDArray[np.float64],
    k: int,
    *,
    merge_below: float,
    iterations: int = 10,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.intp]]:
    """Weighted k-means, the same result every time.

    Seeds are the heaviest point, then again and again the point that is both heavy and far from
    the seeds so far (square root of its weight times squared distance, so that small but
    striking areas such as eyes get their own). Centres closer than ``merge_below`` are merged.

    Args:
        lab: (N, 3) distinct colours in a space where distance means difference, N >= 1.
        weights: (N,) how much of each there is.

    Returns: centres (m, 3) with m <= k, their shares (m,) in falling order, and (N,) the centre
        of each point.
    """
    seeds = [int(weights.argmax())]
    nearest = ((lab - lab[seeds[0]]) ** 2).sum(axis=1)
    pull = np.sqrt(weights)
    while len(seeds) < min(k, len(lab)) and nearest.max() > (merge_below / 2) ** 2:
        seeds.append(int((pull * nearest).argmax()))
        nearest = np.minimum(nearest, ((lab - lab[seeds[-1]]) ** 2).sum(axis=1))
    centres = lab[seeds]
    for _ in range(iterations):
        owner = nearest_index(lab, centres)
        centres, mass = _means(lab, weights, owner, len(centres))
        centres = centres[mass > 0]
    centres, mass = _means(lab, weights, nearest_index(lab, centres), len(centres))
    centres, mass = _merge_close(centres, mass, merge_below)
    order = np.argsort(-mass, kind="stable")
    centres, mass = centres[order], mass[order]
    return centres, mass / mass.sum(), nearest_index(lab, centres)


def nearest_index(lab: NDArray[np.float64], centres: NDArray[np.float64]) -> NDArray[np.intp]:
    """(N,) index of the centre closest to each of (N, 3) points."""
    # no matrix product: one of this size wakes BLAS's threads, which then spin for a tenth of a
    # second on the core where the next picture is drawn
    light, a, b = np.ascontiguousarray(lab.T)
    index, least = np.zeros(len(lab), np.intp), np.full(len(lab), np.inf)
    for number, (x, y, z) in enumerate(centres.tolist()):
        # |p - c|^2 without |p|^2, which is the same for every centre
        cost = (x * x + y * y + z * z) - 2.0 * (light * x + a * y + b * z)
        index[cost < least] = number
        np.minimum(cost, least, out=least)
    return index


def _means(
    lab: NDArray[np.float64], weights: NDArray[np.float64], owner: NDArray[np.intp], count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    mass = np.bincount(owner, weights, count).astype(np.float64)
    sums = np.stack([np.bincount(owner, weights * lab[:, i], count) for i in range(3)], axis=1)
    return sums / np.maximum(mass, 1e-12)[:, None], mass


def _merge_close(
    centres: NDArray[np.float64], mass: NDArray[np.float64], limit: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    while len(centres) > 1:
        gaps = np.sqrt(((centres[:, None] - centres[None]) ** 2).sum(axis=2))
        np.fill_diagonal(gaps, np.inf)
        first, second = np.unravel_index(int(gaps.argmin()), gaps.shape)
        if gaps[first, second] >= limit:
            break
        total = mass[first] + mass[second]
        centres[first] = (centres[first] * mass[first] + centres[second] * mass[second]) / total
        mass[first] = total
        centres, mass = np.delete(centres, second, axis=0), np.delete(mass, second)
    return centres, mass


def _modified(colour: str, towards: float, chroma: float) -> str:
    lab = srgb_to_oklab(np.array(rgb_of(colour), np.uint8))
    end = 0.97 if towards > 0 else 0.0
    lab[0] += abs(towards) * (end - lab[0])
    lab[1:] *= chroma
    return to_hex(oklab_to_srgb(lab))


@lru_cache(maxsize=1)
def _naming_points() -> tuple[NDArray[np.float64], tuple[str, ...]]:
    points = [*_TABLE.values(), *_EXEMPLARS]
    rgb = np.array([rgb_of(colour) for colour, _ in points], np.uint8)
    return evenly(srgb_to_oklab(rgb)), tuple(term for _, term in points)
