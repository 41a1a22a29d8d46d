"""Picture to prompts: four ways to ask for something like it.

The subject comes from retrieval (the names nearest to the picture's vector), everything else is
measured: colours, ground, count, outline. Each prompt is one that sfumato itself understands.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sfumato.clip.appearance import Appearance, measure
from sfumato.clip.base import PictureTextModel
from sfumato.clip.labels import probabilities
from sfumato.clip.vocabulary import Vocabulary
from sfumato.wording import listed, plural, with_article

__all__ = ["Description", "Subject", "describe", "describe_words", "name_subjects"]

_CANDIDATES = 5  # names that are told
_ONE_COLOUR = 0.97  # of the drawing in one named colour: a glyph
_DISTINCT = 0.15  # share above which a colour is worth naming
_NEUTRAL = ("black", "grey", "white")
_NUMBERS = ("", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A name a picture may deserve."""

    name: str
    probability: float  # among all names of the vocabulary
    cosine: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What a picture shows, and four prompts for more like it."""

    prompts: tuple[str, ...]
    subjects: tuple[Subject, ...]  # most probable first
    colours: tuple[str, ...]  # names, largest share first
    ground: str  # "transparent", a colour's name, or "a scene"
    count: int
    shape: str | None
    style: str


def name_subjects(
    vector: NDArray[np.float32], model: PictureTextModel, vocabulary: Vocabulary
) -> list[Subject]:
    """Every name of the vocabulary for a picture's unit vector (D,), most probable first."""
    cosines = vocabulary.vectors @ vector
    shares = probabilities(cosines[None], model.spec.logit_scale)[0]
    order = np.argsort(-cosines, kind="stable")
    return [
        Subject(name=vocabulary.names[i], probability=float(shares[i]), cosine=float(cosines[i]))
        for i in order
    ]


def describe(
    pixels: NDArray[np.uint8], model: PictureTextModel, vocabulary: Vocabulary
) -> Description:
    """Describe (H, W, 4) uint8 pixels with straight alpha."""
    seen = measure(pixels)
    colours = tuple(colour.name for colour in seen.colours)
    ground = _ground(seen)
    if seen.is_empty:
        blank = "nothing" if seen.transparent else f"a plain {ground} square"
        return Description(
            prompts=(blank,), subjects=(), colours=(), ground=ground, count=0, shape=None, style=""
        )
    subjects = name_subjects(model.encode_pictures([pixels])[0], model, vocabulary)
    style = _style(seen)
    return Description(
        prompts=_prompts([subject.name for subject in subjects[:3]], seen, style, ground),
        subjects=tuple(subjects[:_CANDIDATES]),
        colours=colours,
        ground=ground,
        count=seen.count,
        shape=seen.shape,
        style=style,
    )


def describe_words(captions: list[str], seen: Appearance) -> Description:
    """A description around captions that another model wrote, best first; measures stay ours."""
    return Description(
        prompts=tuple(dict.fromkeys(caption for caption in captions if caption)),
        subjects=(),
        colours=tuple(colour.name for colour in seen.colours),
        ground=_ground(seen),
        count=seen.count,
        shape=seen.shape,
        style=_style(seen),
    )


def _ground(seen: Appearance) -> str:
    if seen.transparent:
        return "transparent"
    return seen.ground.name if seen.ground is not None else "a scene"


def _style(seen: Appearance) -> str:
    """One colour is a glyph; everything else is called flat, the safest word for flat art."""
    return "glyph" if seen.colours and seen.colours[0].share >= _ONE_COLOUR else "flat"


def _prompts(names: list[str], seen: Appearance, style: str, ground: str) -> tuple[str, ...]:
    first, second, third = (names * 3)[:3]
    colours = [colour.name for colour in seen.colours if colour.share >= _DISTINCT]
    main = next((name for name in colours if name not in _NEUTRAL), None)
    tint = main or (colours[0] if colours else "")
    behind = f"on a {ground} background" if ground != "a scene" else ""
    look = "one-colour glyph" if style == "glyph" else "flat illustration"
    return (
        _joined(_counted(first, seen.count, tint), look, behind),
        _joined(f"{_tinted(first, tint)} icon"),
        _joined(f"sticker of {with_article(first)}", listed(colours), behind),
        _joined(with_article(second if seen.count < 2 else third), look, listed(colours)),
    )


def _counted(name: str, count: int, tint: str) -> str:
    if 2 <= count < len(_NUMBERS) and not _is_counted(name):
        return f"{_NUMBERS[count]} {_tinted(plural(name), tint)} side by side"
    return with_article(_tinted(name, tint))


def _is_counted(name: str) -> bool:
    """Whether a name begins with a number of its own, as "three leaves" and "eight ball" do."""
    return name.split()[0] in _NUMBERS


def _tinted(name: str, tint: str) -> str:
    """ "red" and "apple" to "red apple"; an orange is no "orange orange"."""
    if not tint or tint in name.split():
        return name
    if _is_counted(name) and with_article(name) == name:  # several: "three orange leaves"
        number, _, things = name.partition(" ")
        return f"{number} {tint} {things}"
    return f"{tint} {name}"


def _joined(*parts: str) -> str:
    return ", ".join(part for part in parts if part)
