"""Batches for sguardo: painted pictures, their captions, and which pairs are no mismatch.

The pictures and captions are the augmenter's (``augment.py``): recoloured glyphs, grounds, emblems,
counts and pairs with captions that are true by construction.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from sfumato.atomic import replacing
from sfumato.colours import basic_name, dominant_colours
from sfumato.training.augment import (
    PALETTE,
    Part,
    Recipe,
    Shelf,
    Subject,
    paint,
    plan,
    read_subjects,
    shades,
)
from sfumato.training.corpus import Corpus
from sfumato.training.picture_text_views import vary
from sfumato.training.wording import with_article

HELDOUT_CONCEPTS = 12  # per mille of the concepts, kept away whole
_CURATED = 0.5  # share of recipes that call the subject by its own name
_SIMPLE = 0.3  # share of recipes in plain words
_COMMON = 5  # how much more often a subject that several packs draw is shown
_DOMINANT = 0.5  # share of a drawing that makes a colour its colour
TEMPLATES = (
    "{w}", "{w}", "{a}", "{w} icon", "an icon of {a}", "a drawing of {a}", "a picture of {a}",
    "{w} emoji", "a {style} drawing of {a}", "{w}, {style}", "clip art of {a}",
)  # fmt: skip
COLOUR_TEMPLATES = ("{c} {w}", "a {c} {w}", "{c} {w} icon", "a drawing of a {c} {w}")


@dataclass(frozen=True, slots=True)
class Shown:
    """A recipe, and what decides whether another caption is wrong about it."""

    recipe: Recipe
    concepts: tuple[int, int]  # of the one or two subjects; -1 where there is no second
    shows: int  # number of its combination of colours, ground, emblem and count; 0: not known
    says: int  # the same of what the caption tells; 0: nothing
    strict: bool  # the caption tells of something that a plain picture lacks, whatever its colours


class Recipes:
    """A fixed list of recipes over a corpus, with the sentence vectors of their captions."""

    def __init__(
        self,
        corpus: Corpus,
        count: int,
        seed: int,
        encode: Callable[[Sequence[str]], NDArray[np.float32]],
        cache: Path | None = None,
    ) -> None:
        names = sorted({row["concept"] for row in corpus.rows})
        number = {name: i for i, name in enumerate(names)}
        self.concepts = names
        self.pictures = corpus.pictures
        self.concept_of = np.array([number[row["concept"]] for row in corpus.rows])
        self.related = related_concepts(corpus.rows, number)
        subjects = read_subjects([{**r, "split": "train"} for r in corpus.rows], corpus.pictures)
        self.tones = np.array([s.tone for s in subjects], np.float32)
        self.mono = np.array([s.mono for s in subjects])
        colours = [_own_colour(s, corpus.pictures[s.row]) for s in subjects]
        drawn = {c: set() for c in names}
        for row in corpus.rows:
            drawn[row["concept"]].add(row["pack"])
        shelf = Shelf(
            subject
            for subject, row in zip(subjects, corpus.rows, strict=True)
            for _ in range(_COMMON if len(drawn[row["concept"]]) > 1 else 1)
        )
        kinds: dict[tuple[object, ...], int] = {(): 0}
        self.shown = [
            self._show(*_recipe(shelf, colours, np.random.default_rng((seed, i))), colours, kinds)
            for i in range(count)
        ]
        captions = sorted({shown.recipe.caption for shown in self.shown})
        index = {caption: i for i, caption in enumerate(captions)}
        self.caption_of = np.array([index[shown.recipe.caption] for shown in self.shown])
        self.vectors = _cached(captions, encode, cache)  # (C, 384)
        self._pairs = torch.tensor([shown.concepts for shown in self.shown])  # (R, 2)
        self._shows = torch.tensor([shown.shows for shown in self.shown])
        self._says = torch.tensor([shown.says for shown in self.shown])
        self._strict = torch.tensor([shown.strict for shown in self.shown])

    def _show(
        self,
        recipe: Recipe,
        told: bool,
        colours: Sequence[str | None],
        kinds: dict[tuple[object, ...], int],
    ) -> Shown:
        """Number what a recipe shows and what its caption tells (``told``: its own colour too)."""
        concepts = list(dict.fromkeys(int(self.concept_of[p.row]) for p in recipe.parts))
        strict = len(recipe.parts) > 1 or recipe.emblem is not None
        dressed = strict or recipe.ground or any(p.colour for p in recipe.parts)
        own = (colours[recipe.parts[0].row],)  # a plain drawing's own colour, where it has one
        key = (
            tuple(p.colour for p in recipe.parts) if dressed else own, recipe.layout,
            recipe.ground, recipe.gradient, recipe.emblem, recipe.emblem_colour,
        )  # fmt: skip
        shows = kinds.setdefault(key, len(kinds)) if dressed or own[0] else 0
        says = shows if dressed or told else 0
        return Shown(recipe, (*concepts, -1)[:2], shows, says, strict)

    def no_mismatch(self, pictures: torch.Tensor, texts: torch.Tensor) -> torch.Tensor:
        """(B,) and (T,) recipe numbers to (B, T) bool: the text may well be true of the picture.

        A text about something else is wrong. One about the same thing is wrong where it tells of
        a colour, count or ground that the picture does not have; a plain one is right.
        """
        ours, theirs = self._pairs[pictures], self._pairs[texts]  # (B, 2), (T, 2)
        same = torch.zeros(len(pictures), len(texts), dtype=torch.bool)
        for i in range(2):
            for j in range(2):
                known = (ours[:, i, None] >= 0) & (theirs[None, :, j] >= 0)
                same |= known & self.related[ours[:, i, None], theirs[None, :, j]]
        mine, said = self._shows[pictures][:, None], self._says[texts][None]
        # of a picture whose colours have no name only a strict telling is known to be wrong
        telling = torch.where(mine > 0, said > 0, self._strict[texts][None])
        return same & ~(telling & (mine != said))

    def no_mismatch_but_own(self, pictures: torch.Tensor, texts: torch.Tensor) -> torch.Tensor:
        """The same, where the first B of the texts belong to the B pictures: what a loss masks.

        One caption may stand twice in the list: it is as right as the picture's own.
        """
        masked = self.no_mismatch(pictures, texts)
        captions = torch.from_numpy(self.caption_of)
        masked |= captions[pictures][:, None] == captions[texts][None]
        masked[:, : len(pictures)].fill_diagonal_(False)
        return masked


def related_concepts(rows: Sequence[dict], number: dict[str, int]) -> torch.Tensor:
    """(C, C) bool: concepts that share a caption, or one of which names the other's kind."""
    sharing: dict[str, set[int]] = {}
    for row in rows:
        for caption in {row["concept"], *row["captions"]}:
            sharing.setdefault(caption, set()).add(number[row["concept"]])
    related = torch.eye(len(number), dtype=torch.bool)
    for caption, members in sharing.items():
        own = number.get(caption)
        some = sorted(members) if len(members) <= 40 else ([] if own is None else [own])
        for concept in some:
            related[concept, some] = True
    by_word: dict[str, list[tuple[int, set[str]]]] = {}
    for name, index in number.items():
        words = set(name.split())
        for word in words:
            by_word.setdefault(word, []).append((index, words))
    for name, index in number.items():
        own_words = set(name.split())
        for other, words in by_word[min(own_words, key=lambda w: len(by_word[w]))]:
            if own_words <= words:  # "tree" and "palm tree"
                related[index, other] = related[other, index] = True
    return related


def is_kept_away(name: str, per_mille: int = HELDOUT_CONCEPTS) -> bool:
    """Whether this concept (or picture) is never trained on: a lot drawn from its name."""
    lot = int.from_bytes(hashlib.sha256(f"concept {name}".encode()).digest()[:4], "big")
    return lot % 1000 < per_mille


def _own_colour(subject: Subject, pixels: NDArray[np.uint8]) -> str | None:
    """The name of the colour that most of a coloured drawing has; none where there is no such."""
    if subject.mono:
        return None
    shares: dict[str, float] = {}
    for rgb, share in dominant_colours(pixels[::2, ::2], 6):
        name = basic_name(rgb)
        shares[name] = shares.get(name, 0.0) + share
    name, share = max(shares.items(), key=lambda item: item[1], default=("", 0.0))
    return name if share >= _DOMINANT and name in PALETTE else None


def _recipe(
    shelf: Shelf, colours: Sequence[str | None], rng: np.random.Generator
) -> tuple[Recipe, bool]:
    """One of the augmenter's recipes, or a subject alone in plain words; tells its own colour?"""
    if rng.random() >= _SIMPLE:
        return plan(shelf, rng, curated=bool(rng.random() < _CURATED)), False
    subject: Subject = shelf.subjects[int(rng.integers(len(shelf.subjects)))]
    name = subject.names[0 if rng.random() < 0.6 else int(rng.integers(len(subject.names)))]
    colour = colours[subject.row]
    templates = TEMPLATES if colour is None or rng.random() < 0.6 else COLOUR_TEMPLATES
    template = templates[int(rng.integers(len(templates)))]
    caption = template.format(w=name, a=with_article(name), c=colour, style=subject.style)
    part = Part(row=subject.row, colour=None, mirrors=subject.mirrors)
    told = templates is COLOUR_TEMPLATES
    return Recipe(caption=caption, style=subject.style, parts=(part,)), told


def _cached(
    captions: list[str], encode: Callable[[Sequence[str]], NDArray[np.float32]], cache: Path | None
) -> NDArray[np.float32]:
    """The captions' sentence vectors, kept in ``cache`` for the next start of the same run."""
    key = hashlib.sha256("\n".join(captions).encode()).hexdigest()
    if cache is not None and cache.exists():
        with np.load(cache) as kept:
            if str(kept["key"]) == key:
                return kept["vectors"].astype(np.float32)
    vectors = encode(captions)
    if cache is not None:
        with replacing(cache) as temporary, temporary.open("wb") as file:
            np.savez(file, key=np.array(key), vectors=vectors.astype(np.float16))
    return vectors.astype(np.float16).astype(np.float32)


class Feed:
    """Endless batches: (B, 4, 64, 64) premultiplied pictures, (B + K, 384) texts, (B, B + K)."""

    def __init__(self, recipes: Recipes, *, batch_size: int, others: int, seed: int) -> None:
        self.recipes, self.batch_size, self.others = recipes, batch_size, others
        self.random = np.random.default_rng(seed)

    def batch(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """One batch; the first B texts belong to the pictures, the K others to nobody."""
        recipes, count = self.recipes, self.batch_size
        numbers = self.random.integers(len(recipes.shown), size=count + self.others)
        pictures = self.paint(numbers[:count])
        texts = torch.from_numpy(recipes.vectors[recipes.caption_of[numbers]])
        chosen = torch.from_numpy(numbers)
        return pictures, texts, recipes.no_mismatch_but_own(chosen[:count], chosen)

    def paint(self, numbers: Iterable[int]) -> torch.Tensor:
        """The pictures of these recipes, varied: (B, 4, 64, 64) premultiplied."""
        painted, grounds = [], []
        for number in numbers:
            recipe = self.recipes.shown[number].recipe
            bare = replace(recipe, ground=None) if recipe.ground else recipe
            painted.append(paint(bare, self.recipes.pictures, self.random))
            grounds.append(self._ground(recipe))
        return vary(np.stack(painted), grounds, self.random)

    def _ground(self, recipe: Recipe) -> NDArray[np.float32] | None:
        """(2, 3) colours at top and bottom in 0..1, or none: transparent."""
        random = self.random
        if recipe.ground:
            known = shades(recipe.ground)
            ends = known[random.integers(len(known), size=2)].astype(np.float32) / 255.0
            return ends if recipe.gradient else ends[:1].repeat(2, 0)
        lot = random.random()
        if lot < 0.42:
            return None
        if lot < 0.64:
            return np.ones((2, 3), np.float32)
        if lot < 0.72:
            return np.zeros((2, 3), np.float32)
        ends = random.random((2, 3), np.float32)
        return ends if lot > 0.92 else ends[:1].repeat(2, 0)
