"""Questions about a picture, answered by measuring it; the ones that cannot be are said to be so.

Flat art can be measured: colours, counts, outlines and grounds are facts of the pixels. What a
thing is called comes from the picture-text model. Anything else ("why is the fox sad?") gets no
guess: ``Answer.text`` is then None and ``Answer.reason`` says why.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sfumato.clip.appearance import Appearance, measure
from sfumato.clip.base import PictureTextModel
from sfumato.clip.describe import name_subjects
from sfumato.clip.labels import embed_labels, probabilities
from sfumato.clip.vocabulary import Vocabulary
from sfumato.errors import RequestError
from sfumato.wording import listed, with_article

__all__ = ["EXAMPLES", "Answer", "ask"]

EXAMPLES = (
    "what is it?", "what colour is it?", "what colour is the background?", "how many are there?",
    "is there a fox?", "is it a cat or a dog?", "is it red?", "what shape is it?",
    "is it symmetrical?", "where is it?", "how large is the picture?",
)  # fmt: skip
MAX_CHARACTERS = 300
_BASIC = "black|grey|gray|white|red|orange|yellow|green|blue|purple|pink|brown"
_SHOWN = 0.12  # share of the drawing from which a colour counts as one it has
_MAIN = 0.35  # and from which the drawing "is" that colour
_SYMMETRIC = 0.93
_SURE, _UNSURE = 0.65, 0.35  # probability of a presence: yes above, no below, between: unsure
_RIVALS = 200  # names that a thing asked for must beat to be there
_NUMBERS = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7,
    "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is said to a question."""

    question: str
    text: str | None  # None: it cannot be answered
    confidence: float  # 0 to 1; measured facts are 1
    reason: str  # how the answer was found, or why there is none


@dataclass(frozen=True)
class _Picture:
    """The picture asked about; what is costly is done once and only when needed."""

    pixels: NDArray[np.uint8]
    model: Callable[[], PictureTextModel]
    vocabulary: Callable[[], Vocabulary]

    @cached_property
    def seen(self) -> Appearance:
        return measure(self.pixels)

    @cached_property
    def vector(self) -> NDArray[np.float32]:
        vector: NDArray[np.float32] = self.model().encode_pictures([self.pixels])[0]
        return vector


_Found = tuple[str | None, float, str]  # text, confidence, reason
_Rule = tuple[re.Pattern[str], Callable[[re.Match[str], _Picture], _Found]]


def ask(
    pixels: NDArray[np.uint8],
    question: str,
    model: Callable[[], PictureTextModel],
    vocabulary: Callable[[], Vocabulary],
) -> Answer:
    """Answer an English ``question`` about (H, W, 4) uint8 pixels with straight alpha.

    ``model`` and ``vocabulary`` are called only for questions about meaning.

    Raises: RequestError: the question is empty or too long.
    """
    asked = " ".join(question.split())
    if not asked.strip("?!. "):
        raise RequestError("The question is empty.", hint=f"For example: {EXAMPLES[1]}")
    if len(asked) > MAX_CHARACTERS:
        raise RequestError(
            f"The question has {len(asked):,} characters.",
            hint=f"Shorten it to {MAX_CHARACTERS} or fewer.",
        )
    picture = _Picture(pixels, model, vocabulary)
    plain = re.sub(r"[?!.\s]+$", "", asked.lower()).replace("colors", "colours")
    plain = re.sub(r"\bcolor\b", "colour", plain).replace("what's", "what is")
    for pattern, answer in _RULES:
        if match := pattern.fullmatch(plain):
            text, confidence, reason = answer(match, picture)
            return Answer(question=asked, text=text, confidence=confidence, reason=reason)
    return Answer(
        question=asked,
        text=None,
        confidence=0.0,
        reason="sfumato cannot answer this kind of question; it measures what a picture shows",
    )


def _empty(picture: _Picture) -> _Found | None:
    if picture.seen.is_empty:
        return "nothing", 1.0, "nothing stands before the ground"
    return None


def _main_colour(match: re.Match[str], picture: _Picture) -> _Found:
    if found := _empty(picture):
        return found
    first, *rest = picture.seen.colours
    also = [f"{colour.name} {colour.share:.0%}" for colour in rest if colour.share >= _SHOWN]
    beside = f"; also {', '.join(also)}" if also else ""
    return first.name, 1.0, f"{first.name} covers {first.share:.0%} of the drawing{beside}"


def _all_colours(match: re.Match[str], picture: _Picture) -> _Found:
    if found := _empty(picture):
        return found
    colours = picture.seen.colours
    shares = ", ".join(f"{colour.name} {colour.hex} {colour.share:.0%}" for colour in colours)
    return listed([colour.name for colour in colours]), 1.0, f"of the drawing: {shares}"


def _colour_count(match: re.Match[str], picture: _Picture) -> _Found:
    names = [colour.name for colour in picture.seen.colours]
    return str(len(names)), 1.0, f"colours by name: {', '.join(names) or 'none'}"


def _background(match: re.Match[str], picture: _Picture) -> _Found:
    seen = picture.seen
    if seen.transparent:
        return "transparent", 1.0, "most of the border is transparent"
    if seen.ground is None:
        return None, 0.0, "the border has no single colour: the picture runs to its edges"
    return seen.ground.name, 1.0, f"the border is {seen.ground.hex}"


def _is_background(match: re.Match[str], picture: _Picture) -> _Found:
    asked = match["ground"].replace("gray", "grey").replace("see-through", "transparent")
    text, confidence, reason = _background(match, picture)
    return _yes(text == asked) if text else None, confidence, reason


def _is_colour(match: re.Match[str], picture: _Picture) -> _Found:
    asked = match["colour"].replace("gray", "grey")
    share = sum(c.share for c in picture.seen.colours if c.name == asked)
    main = bool(picture.seen.colours) and picture.seen.colours[0].name == asked
    return _yes(main or share >= _MAIN), 1.0, f"{share:.0%} of the drawing is {asked}"


def _has_colour(match: re.Match[str], picture: _Picture) -> _Found:
    asked = match["colour"].replace("gray", "grey")
    share = sum(c.share for c in picture.seen.colours if c.name == asked)
    return _yes(share >= _SHOWN), 1.0, f"{share:.0%} of the drawing is {asked}"


def _count(match: re.Match[str], picture: _Picture) -> _Found:
    if not picture.seen.transparent and picture.seen.ground is None:
        return None, 0.0, "the subjects cannot be told from the ground"
    reason = "separate islands of similar size; subjects that touch count as one"
    return str(picture.seen.count), 0.8, reason


def _is_count(match: re.Match[str], picture: _Picture) -> _Found:
    text, confidence, reason = _count(match, picture)
    if text is None:
        return None, confidence, reason
    number = _NUMBERS.get(match["number"], -1)
    asked = number if number >= 0 else int(match["number"])
    return _yes(int(text) == asked), confidence, f"{text} found: {reason}"


def _shape(match: re.Match[str], picture: _Picture) -> _Found:
    if found := _empty(picture):
        return found
    shape = picture.seen.shape
    if shape is None:
        return "irregular", 0.8, "its outline is no plain shape"
    return shape, 0.9, f"its outline fills nine tenths or more of {with_article(shape)}"


def _is_shape(match: re.Match[str], picture: _Picture) -> _Found:
    asked = match["shape"].replace("round", "circle")
    shape = picture.seen.shape
    same = shape == asked or (asked == "circle" and shape == "oval")
    return _yes(same), 0.9, f"its outline is {with_article(shape) if shape else 'no plain shape'}"


def _symmetrical(match: re.Match[str], picture: _Picture) -> _Found:
    alike = picture.seen.symmetry
    return _yes(alike >= _SYMMETRIC), 0.9, f"{alike:.0%} of it equals its mirror image"


def _where(match: re.Match[str], picture: _Picture) -> _Found:
    if found := _empty(picture):
        return found
    left, top, right, bottom = picture.seen.box
    across, down = (left + right) / 2, (top + bottom) / 2
    row = "top" if down < 0.4 else "bottom" if down > 0.6 else ""
    column = "left" if across < 0.4 else "right" if across > 0.6 else ""
    text = " ".join(part for part in (row, column) if part) or "in the middle"
    return text, 1.0, f"its centre is at {across:.0%} from the left and {down:.0%} from the top"


def _size(match: re.Match[str], picture: _Picture) -> _Found:
    height, width = picture.pixels.shape[:2]
    return f"{width}×{height} pixels", 1.0, "read from the picture"


def _what(match: re.Match[str], picture: _Picture) -> _Found:
    if found := _empty(picture):
        return found
    subjects = name_subjects(picture.vector, picture.model(), picture.vocabulary())
    others = ", ".join(f"{s.name} {s.probability:.0%}" for s in subjects[1:4])
    best = subjects[0]
    return best.name, best.probability, f"nearest of {len(subjects):,} names; then {others}"


def _present(match: re.Match[str], picture: _Picture) -> _Found:
    if picture.seen.is_empty:
        return "no", 1.0, "nothing stands before the ground"
    thing = match["thing"]
    vocabulary, model = picture.vocabulary(), picture.model()
    asked = embed_labels([thing], model)[0]
    # the thing asked for competes with what the picture looks like most, its near names aside
    cosines = vocabulary.vectors @ picture.vector
    kin = vocabulary.vectors @ asked
    rivals = [i for i in np.argsort(-cosines)[:_RIVALS] if kin[i] < _kinship(vocabulary, kin)]
    scores = np.concatenate([[asked @ picture.vector], cosines[rivals]]).astype(np.float32)
    share = float(probabilities(scores[None], model.spec.logit_scale)[0, 0])
    nearest = vocabulary.names[int(cosines.argmax())]
    reason = f"{thing!r} gets {share:.0%} against other names; it looks most like {nearest!r}"
    if _UNSURE < share < _SURE:
        return None, share, f"too close to call: {reason}"
    return _yes(share >= _SURE), max(share, 1 - share), reason


def _kinship(vocabulary: Vocabulary, kin: NDArray[np.float32]) -> float:
    """Cosine from which a name means nearly the same: halfway from the best to the 1 % mark."""
    return float((kin.max() + np.quantile(kin, 0.99)) / 2)


def _choice(match: re.Match[str], picture: _Picture) -> _Found:
    options = [re.sub(r"^(a|an|the) ", "", part) for part in match["options"].split(" or ")]
    parts = [piece.strip() for option in options for piece in option.split(",") if piece.strip()]
    if len(parts) < 2:
        return None, 0.0, "there are no two things to choose between"
    model = picture.model()
    cosines = (embed_labels(parts, model) @ picture.vector)[None]
    shares = probabilities(cosines, model.spec.logit_scale)[0]
    best = int(shares.argmax())
    told = ", ".join(f"{part} {share:.0%}" for part, share in zip(parts, shares, strict=True))
    return parts[best], float(shares[best]), f"among the choices: {told}"


def _yes(is_so: bool) -> str:
    return "yes" if is_so else "no"


_IT = r"(?:it|this|that|the \w+(?: \w+)?|this \w+)"
_GROUND = r"(?:the |its )?(?:back)?ground"
_SHAPE = r"circle|round|oval|square|rectangle|triangle|diamond|hexagon|star|heart"
_NAME = r"[\w' -]+"
_THERE = r"(?:is|are) there"
_HAS = rf"(?:does {_IT} have|has {_IT})"
_COUNTED = "|".join(_NUMBERS) + r"|\d{1,3}"
_ANY = r"(?: a| an| any| some| the)?"
_SHOWS = r"(?: show| depict| contain| really)?"
_IN_IT = r"(?: in (?:it|this|the picture|the image))?"
# the first that fits wins: from the particular to the general
_RULES: tuple[_Rule, ...] = tuple(
    (re.compile(pattern), answer)
    for pattern, answer in (
        (rf"(?:what|which) colour (?:is|has) {_GROUND}", _background),
        (rf"what is {_GROUND}|what kind of {_GROUND} (?:is|does).*", _background),
        (rf"is {_GROUND} (?P<ground>transparent|see-through|{_BASIC})", _is_background),
        (r"how many colours.*", _colour_count),
        (r"(?:what|which) colours (?:are|does|can|is).*", _all_colours),
        (rf"(?:what|which)(?: is the)?(?: main)? colour(?: (?:is|of) {_IT})?", _main_colour),
        (rf"is {_IT} (?:mostly |mainly )?(?P<colour>{_BASIC})", _is_colour),
        (rf"(?:{_THERE}|{_HAS}){_ANY} (?P<colour>{_BASIC})(?: in .*)?", _has_colour),
        (rf"{_THERE} (?:exactly )?(?P<number>{_COUNTED})(?: \w+){{0,3}}", _is_count),
        (r"how many (?!colours).+", _count),
        (rf"(?:what|which) shape (?:is|has) {_IT}|what is the shape(?: of {_IT})?", _shape),
        (rf"is {_IT}{_ANY} (?P<shape>{_SHAPE})(?: shaped)?", _is_shape),
        (rf"is {_IT} (?:left-right )?symmetric(?:al)?", _symmetrical),
        (rf"where is {_IT}(?: in .*| placed)?", _where),
        (r"(?:how (?:large|big|wide|high|tall)|what (?:size|resolution)) is .*", _size),
        (rf"is {_IT} (?P<options>.+ or .+)", _choice),
        (rf"(?:what|who) (?:is|does) (?:{_IT}(?: show| depict)?|shown|in .*)", _what),
        (r"what (?:(?:do|can) you see|object is (?:it|this|shown))", _what),
        (r"what is (?:shown|drawn|depicted).*", _what),
        (rf"(?:{_THERE}|(?:can|do) you see){_ANY} (?P<thing>{_NAME}?){_IN_IT}", _present),
        (rf"(?:is|does) {_IT}{_SHOWS}{_ANY} (?P<thing>{_NAME})", _present),
    )
)
