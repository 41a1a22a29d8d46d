"""Captions and pictures made on the fly: recolouring, grounds, emblems, compositions.

A ``Recipe`` is decided first (``plan``: what is shown, in which colours, how it is called), then
drawn (``paint``). The words depend on the plan alone, so that a caption's text states can be
computed once; shade, size and place change every time the recipe is painted. The caption is true
by construction: a colour's name is only given to a shade that ``sfumato.colours`` calls so.

Everything is a pure function of its arguments and an ``np.random.Generator``. Pixels are straight
alpha RGBA, uint8.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sfumato.colours import basic_name, oklab_to_srgb, parse_colour, rgb_of, srgb_to_oklab
from sfumato.training.emblems import EMBLEMS, INSIDE, emblem_mask
from sfumato.training.wording import (
    EMBLEM,
    GRADIENT,
    GROUND,
    LOOSE,
    NUMBERS,
    PLAIN,
    RELATIONS,
    fill_in,
)
from sfumato.wording import plural, with_article

Pixels = NDArray[np.uint8]

PALETTE = (
    "red", "orange", "yellow", "green", "teal", "blue", "navy", "purple", "pink", "brown",
    "black", "white",
)  # fmt: skip
CONTRAST = 0.3  # Oklab distance between a drawing and what it stands on

# how often each kind of picture is planned, and in the curated last stage
KINDS: Mapping[str, float] = {
    "plain": 0.42, "ground": 0.14, "emblem": 0.14, "copies": 0.10, "relation": 0.10, "colours": 0.10
}  # fmt: skip
CURATED_KINDS: Mapping[str, float] = {
    "plain": 0.56, "ground": 0.12, "emblem": 0.14, "copies": 0.06, "relation": 0.06, "colours": 0.06
}  # fmt: skip

# subjects that a mirror would falsify: writing, signs, maps, hands and everything one-handed
_HANDED_WORDS = """
abc abcd alphabet arrow atm backhand banknote book books button calendar card cash certificate clock
compass dice dollar euro exclamation globe hand hands keyboard left letter letters map mark memo
money musical newspaper note notes number numbers page pound question receipt right ruler score
scroll sign speaker text thumbs ticket trademark tv vs watch wc writing yen
"""
HANDED = frozenset(_HANDED_WORDS.split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One picture of the training set, and what the augmenter needs to know about it."""

    row: int
    names: tuple[str, ...]  # best first
    style: str
    mono: bool  # black on nothing: may take any colour
    tone: tuple[float, float, float]  # mean Oklab of its opaque part

    @property
    def mirrors(self) -> bool:
        """Whether it stays true when left and right are swapped."""
        return not any(HANDED & set(name.split()) for name in self.names)


class Shelf:
    """All subjects, by style and by kind, ready to be picked from."""

    def __init__(self, subjects: Iterable[Subject]) -> None:
        self.subjects = tuple(subjects)
        self.mono = tuple(s for s in self.subjects if s.mono)
        styles: dict[str, list[Subject]] = {}
        for subject in self.subjects:
            styles.setdefault(subject.style, []).append(subject)
        self.by_style = {style: tuple(members) for style, members in styles.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One drawing inside a picture."""

    row: int
    colour: str | None  # a name of PALETTE, or as it was drawn
    mirrors: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What a training picture shows and what it is called."""

    caption: str
    style: str
    parts: tuple[Part, ...]
    layout: str = "one"  # "one", "row", "column", "grid"
    ground: str | None = None  # colour of the whole canvas; none: transparent
    gradient: bool = False
    emblem: str | None = None
    emblem_colour: str | None = None


# ---------------------------------------------------------------- what is known of a picture


def read_subjects(rows: Sequence[Mapping[str, Any]], pictures: Pixels) -> list[Subject]:
    """The training rows of a manifest as subjects; ``pictures`` (N, 64, 64, 4), the same order."""
    subjects = []
    for start in range(0, len(rows), 1024):
        part = np.asarray(pictures[start : start + 1024])
        weight = part[..., 3].astype(np.float32) / 255.0  # (n, S, S)
        inked = np.maximum(weight.sum((1, 2)), 1e-3)  # (n,)
        mean = np.einsum("nijc,nij->nc", part[..., :3].astype(np.float32), weight) / inked[:, None]
        highest = (part[..., :3].max(-1) * (part[..., 3] > 16)).max((1, 2))  # (n,)
        tones = srgb_to_oklab(mean.astype(np.float64))
        for offset, row in enumerate(rows[start : start + 1024]):
            if row["split"] == "train":
                subjects.append(
                    Subject(
                        row=start + offset,
                        names=tuple(row["captions"]),
                        style=row["style"],
                        mono=bool(highest[offset] <= 24),
                        tone=tuple(float(x) for x in tones[offset]),
                    )
                )
    return subjects


# ---------------------------------------------------------------- colours


@lru_cache(maxsize=32)
def shades(name: str) -> Pixels:
    """(K, 3) shades that may all be called ``name``, the plain one first, K up to 33.

    Each is nearer to ``name`` than to any other of PALETTE and belongs to the same basic term.
    """
    centre = rgb_of(parse_colour(name))
    random = np.random.default_rng(7)
    spread = random.normal(0.0, (0.05, 0.022, 0.022), (96, 3))
    tried = oklab_to_srgb(_lab(name) + spread)  # (96, 3)
    centres = np.stack([_lab(other) for other in PALETTE])  # (12, 3)
    distance = ((srgb_to_oklab(tried)[:, None] - centres) ** 2).sum(-1)  # (96, 12)
    term = basic_name(centre)
    own = [
        rgb
        for rgb, nearest in zip(tried, distance.argmin(1), strict=True)
        if PALETTE[int(nearest)] == name and basic_name(rgb) == term
    ]
    return np.array([centre, *own[:32]], np.uint8)


@lru_cache(maxsize=32)
def _lab(name: str) -> NDArray[np.float64]:
    return srgb_to_oklab(np.array(rgb_of(parse_colour(name)), np.uint8))


@lru_cache(maxsize=4096)
def grounds_for(tone: tuple[float, float, float]) -> tuple[str, ...]:
    """Names of PALETTE that a drawing of this mean Oklab colour stands out from."""
    found = [n for n in PALETTE if float(np.linalg.norm(_lab(n) - np.array(tone))) >= CONTRAST]
    return tuple(found)


# ---------------------------------------------------------------- deciding


def plan(shelf: Shelf, rng: np.random.Generator, *, curated: bool = False) -> Recipe:
    """Decide on a picture and its caption.

    ``curated``: every subject by its own name and fewer compositions, for the last stage.
    """
    kind = _kind(CURATED_KINDS if curated else KINDS, rng)
    if kind == "colours" and len(shelf.mono) >= 2:
        return _plan_colours(shelf, rng)
    subject = _pick(shelf.subjects, rng)
    if kind == "relation":
        return _plan_relation(shelf, subject, rng)
    if kind == "plain" and not curated and len(subject.names) > 1 and rng.random() < 0.4:
        return _plan_synonym(subject, rng)
    part, words, tone = _dress(subject, rng)
    if kind == "copies":
        return _plan_copies(subject, part, words, rng)
    grounds = grounds_for(tone)
    if kind == "ground" and grounds:
        colour, gradient = _pick(grounds, rng), bool(rng.random() < 0.25)
        caption = fill_in(
            GRADIENT if gradient else GROUND, rng, words=words, style=subject.style, ground=colour
        )
        return Recipe(
            caption=caption, style=subject.style, parts=(part,), ground=colour, gradient=gradient
        )
    if kind == "emblem" and grounds:
        shape, colour = _pick(EMBLEMS, rng), _pick(grounds, rng)
        caption = fill_in(EMBLEM[shape], rng, words=words, style=subject.style, ground=colour)
        return Recipe(
            caption=caption,
            style=subject.style,
            parts=(part,),
            emblem=shape,
            emblem_colour=colour,
        )
    lot = rng.random()
    if lot < 0.25:
        caption = words
    elif lot < 0.35:
        caption = with_article(words)
    else:  # two thirds in a longer phrase
        caption = fill_in(PLAIN, rng, words=words, style=subject.style)
    return Recipe(caption=caption, style=subject.style, parts=(part,))


def recipe_at(shelf: Shelf, seed: int, number: int, *, curated: bool = False) -> Recipe:
    """The ``number``-th recipe of an endless list that ``seed`` names: nothing is stored."""
    return plan(shelf, np.random.default_rng((seed, number)), curated=curated)


def _pick(items: Sequence[Any], rng: np.random.Generator) -> Any:
    return items[int(rng.integers(len(items)))]


def _kind(kinds: Mapping[str, float], rng: np.random.Generator) -> str:
    lot = rng.random() * sum(kinds.values())
    for kind, share in kinds.items():
        lot -= share
        if lot < 0:
            return kind
    return "plain"


def _dress(
    subject: Subject, rng: np.random.Generator, colour: str | None = None, name: str = ""
) -> tuple[Part, str, tuple[float, float, float]]:
    """A drawing of the subject, its words, and its mean Oklab colour once it is painted."""
    name = name or subject.names[0]
    if subject.mono and colour is None and rng.random() < 0.85:
        colour = str(_pick(PALETTE, rng))
    part = Part(row=subject.row, colour=colour, mirrors=subject.mirrors)
    if colour is None:
        return part, name, subject.tone
    lab = _lab(colour)
    return part, f"{colour} {name}", (float(lab[0]), float(lab[1]), float(lab[2]))


def _plan_synonym(subject: Subject, rng: np.random.Generator) -> Recipe:
    """A plain picture by one of its other names; tags may be adjectives, so no article."""
    part, words, _ = _dress(subject, rng, name=str(_pick(subject.names[1:], rng)))
    caption = words
    if rng.random() < 0.4:
        caption = fill_in(LOOSE, rng, words=words, style=subject.style)
    return Recipe(caption=caption, style=subject.style, parts=(part,))


def _plan_copies(subject: Subject, part: Part, words: str, rng: np.random.Generator) -> Recipe:
    count = int(rng.integers(2, 5))
    layout = "row" if count == 2 or (count == 3 and rng.random() < 0.5) else "grid"
    many = plural(words)
    phrases = [f"{NUMBERS[count]} {many}", f"{count} {many}", f"{NUMBERS[count]} {many}, icon"]
    if layout == "row":
        phrases.append(f"{NUMBERS[count]} {many} in a row")
    return Recipe(
        caption=_pick(phrases, rng), style=subject.style, parts=(part,) * count, layout=layout
    )


def _plan_relation(shelf: Shelf, subject: Subject, rng: np.random.Generator) -> Recipe:
    other = _pick(shelf.by_style[subject.style], rng)
    (first, a, _), (second, b, _) = _dress(subject, rng), _dress(other, rng)
    relation = _pick(tuple(RELATIONS), rng)
    template = _pick(RELATIONS[relation], rng)
    return Recipe(
        caption=template.format(a=with_article(a), b=with_article(b)),
        style=subject.style,
        parts=(first, second),
        layout="row" if relation == "left" else "column",
    )


def _plan_colours(shelf: Shelf, rng: np.random.Generator) -> Recipe:
    """Two glyphs in two colours: the caption must bind each colour to its own subject."""
    subject = _pick(shelf.mono, rng)
    same = tuple(s for s in shelf.by_style[subject.style] if s.mono)
    one = int(rng.integers(len(PALETTE)))
    two = (one + int(rng.integers(1, len(PALETTE)))) % len(PALETTE)
    first, a, _ = _dress(subject, rng, PALETTE[one])
    second, b, _ = _dress(_pick(same, rng), rng, PALETTE[two])
    phrases = (f"{a} and {b}", f"{with_article(a)} and {with_article(b)}", f"{a}, {b}")
    return Recipe(
        caption=_pick(phrases, rng),
        style=subject.style,
        parts=(first, second),
        layout="row" if rng.random() < 0.6 else "column",
    )


# ---------------------------------------------------------------- drawing


def recolour(pixels: Pixels, rgb: NDArray[np.uint8]) -> Pixels:
    """(H, W, 4) with one colour everywhere and the alpha it had."""
    painted = pixels.copy()
    painted[..., :3] = rgb
    return painted


def mirror(pixels: Pixels) -> Pixels:
    """(H, W, 4) with left and right swapped."""
    return pixels[:, ::-1]


def resize(pixels: Pixels, side: int) -> Pixels:
    """(S, S, 4) to (side, side, 4), averaged on premultiplied values."""
    if pixels.shape[0] == side:
        return pixels
    image = Image.fromarray(pixels).convert("RGBa")
    # Hamming: as sharp as bilinear is soft, without Lanczos' rings around flat shapes
    return np.asarray(image.resize((side, side), Image.Resampling.HAMMING).convert("RGBA"))


_PLACES: Mapping[tuple[str, int], tuple[tuple[float, float], ...]] = {
    ("row", 2): ((0.26, 0.5), (0.74, 0.5)),
    ("column", 2): ((0.5, 0.26), (0.5, 0.74)),
    ("row", 3): ((0.175, 0.5), (0.5, 0.5), (0.825, 0.5)),
    ("grid", 3): ((0.5, 0.26), (0.26, 0.74), (0.74, 0.74)),
    ("grid", 4): ((0.26, 0.26), (0.74, 0.26), (0.26, 0.74), (0.74, 0.74)),
}


def paint(recipe: Recipe, pictures: Pixels, rng: np.random.Generator) -> Pixels:
    """Draw a recipe: (S, S, 4), from the set's pictures (N, S, S, 4) at the same size."""
    side = int(pictures.shape[1])
    canvas = Image.fromarray(_ground(recipe, side, rng))
    if recipe.emblem is not None and recipe.emblem_colour is not None:
        field = np.empty((side, side, 4), np.uint8)
        field[..., :3] = _shade(recipe.emblem_colour, rng)
        field[..., 3] = emblem_mask(recipe.emblem, side)
        canvas.alpha_composite(Image.fromarray(field))
    if len(recipe.parts) == 1:
        places: tuple[tuple[float, float], ...] = ((0.5, 0.5),)
        size = 0.78 if recipe.ground else 1.0
        size = INSIDE.get(recipe.emblem or "", size)
        if size < 1.0 or rng.random() < 0.3:  # a third of the plain ones a little smaller
            size *= 1.0 - 0.12 * rng.random()
    else:
        places = _PLACES[recipe.layout, len(recipe.parts)]
        size = (0.3 if len(places) == 3 and recipe.layout == "row" else 0.46) - 0.04 * rng.random()
    # copies of one thing look alike: the same shade, turned the same way
    looks: dict[tuple[int, str | None], Pixels] = {}
    for part, (x, y) in zip(recipe.parts, places, strict=True):
        key = (part.row, part.colour)
        if key not in looks:
            looks[key] = _draw_part(part, pictures, max(4, round(size * side)), rng)
        drawn = looks[key]
        corner = [
            min(max(round(at * side - drawn.shape[0] / 2), 0), side - drawn.shape[0])
            for at in (x, y)
        ]
        canvas.alpha_composite(Image.fromarray(drawn), (corner[0], corner[1]))
    return np.asarray(canvas)


def _shade(name: str, rng: np.random.Generator) -> NDArray[np.uint8]:
    known = shades(name)
    chosen: NDArray[np.uint8] = known[int(rng.integers(len(known)))]
    return chosen


def _ground(recipe: Recipe, side: int, rng: np.random.Generator) -> Pixels:
    if recipe.ground is None:
        return np.zeros((side, side, 4), np.uint8)
    top, bottom = _shade(recipe.ground, rng), _shade(recipe.ground, rng)
    share = np.linspace(0.0, 1.0, side)[:, None] if recipe.gradient else np.zeros((side, 1))
    column = np.rint(top * (1.0 - share) + bottom * share)  # (S, 3)
    filled = np.full((side, side, 4), 255, np.uint8)
    filled[..., :3] = column[:, None]
    return filled


def _draw_part(part: Part, pictures: Pixels, side: int, rng: np.random.Generator) -> Pixels:
    pixels = np.asarray(pictures[part.row])
    if part.colour is not None:
        pixels = recolour(pixels, _shade(part.colour, rng))
    if part.mirrors and rng.random() < 0.25:
        pixels = mirror(pixels)
    return resize(np.ascontiguousarray(pixels), side)
