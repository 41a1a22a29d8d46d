"""Reads a whole scene from a prompt, for models that draw one subject and nothing else.

Rules, no network: the same words always give the same plan. Each step takes the words it
understands out of the prompt and leaves the rest; what remains is the subject. No step may take
the last word that could be one, so ``icon`` and ``orange`` stay what they are. Where the rest
names several things (``sfumato.prompt.scene``), each of them is read as a prompt of its own.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from sfumato.models import ModelSpec
from sfumato.prompt import vocabulary as vocab
from sfumato.prompt.beyond import leave_out, say_language
from sfumato.prompt.phrases import (
    begins_scene,
    drop_purposes,
    ends,
    has_content,
    is_around,
    is_colours,
    is_picture_for,
    keep_content,
    split_phrases,
    strip_front,
)
from sfumato.prompt.scene import Scene, Thing, make_scene, split_scene
from sfumato.prompt.surroundings import SHAPES, emblem_at, ground_at, ground_for
from sfumato.prompt.words import (
    BREAK,
    PhraseBook,
    colour_at,
    count_of,
    is_mostly_foreign,
    match_longest,
    singular,
    split_words,
    translate_emoji,
)
from sfumato.request import MAX_KINDS, MAX_THINGS, Emblem

MAX_SUBJECT_WORDS = 8
MAX_QUOTED = 60  # characters of a left-out part that a note repeats

_NAMES = vocab.COLOURED_NAMES | vocab.TINTED_NAMES | vocab.WHOLE_NAMES
_PHRASES = PhraseBook(
    {name for name in _NAMES if " " in name}
    | vocab.RELATION_PHRASES
    | vocab.COUNT_PHRASES
    | vocab.AND_PHRASES
    | vocab.ROUNDED_PHRASES
    | {badge for badge in vocab.BADGES if " " in badge}
)
_FILLER_PHRASES = PhraseBook(vocab.FILLER_PHRASES)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedPrompt:
    """What a prompt says, part by part."""

    subject: str  # the noun phrase left for the text encoder; of a scene, all its things in words
    style: str | None = None  # one of the model's styles
    background: str = "transparent"  # or "#rrggbb"
    tint: str | None = None  # "#rrggbb"
    tint_name: str | None = None  # the words the tint came from
    emblem: Emblem | None = None
    emblem_coloured: bool = False  # the words gave the emblem's colour
    scene: Scene | None = None  # several things; their tints are their own
    notes: tuple[str, ...] = ()  # sentences for people


def parse_prompt(prompt: str, spec: ModelSpec) -> ParsedPrompt:
    """Read subject, style, colour, ground and emblem from ``prompt``.

    Only for models with the capability ``scene_planner``; others read the prompt themselves and
    get it unchanged. Any text is accepted; time is linear in its length.
    """
    if "scene_planner" not in spec.capabilities:
        return ParsedPrompt(subject=prompt)
    text = translate_emoji(unicodedata.normalize("NFKC", prompt))
    if is_mostly_foreign(text):
        note = say_language(spec.name)
        return ParsedPrompt(subject=" ".join(prompt.split()) or prompt, notes=(note,))
    beyond = leave_out(text, spec)
    words = split_words(beyond.text)
    if not any(word != BREAK for word in words):
        return ParsedPrompt(subject=" ".join(prompt.split()) or prompt)
    parsed = _Reading(words, spec).parse()
    return replace(parsed, notes=(*beyond.notes, *parsed.notes))


class _Reading:
    """One prompt being read: the words not yet understood, and what was understood so far."""

    def __init__(self, words: Sequence[str], spec: ModelSpec, *, alone: bool = True) -> None:
        fillers_joined = _FILLER_PHRASES.join(_PHRASES.join(words))
        # a joined filler must not split a name, so names are joined first and fillers among them
        self.words = keep_content(
            [word for word in fillers_joined if word not in vocab.FILLER_PHRASES], list(words)
        )
        self.said = [word for word in words if word != BREAK]
        self.spec = spec
        self.alone = alone  # False: the words of one thing of a scene
        self.style: str | None = None
        self.background = "transparent"
        self.tint: str | None = None
        self.tint_name: str | None = None
        self.shape: str | None = None
        self.shape_colour: str | None = None
        self.left_out: list[str] = []
        self.count = 1
        self.several = False  # more were asked for than are drawn
        self.too_many = False  # and more than are ever laid out
        self.has_purpose = False  # words behind "for", of which nothing is drawn
        self.notes: list[str] = []

    def parse(self) -> ParsedPrompt:
        """Every step, in the order in which they depend on one another."""
        self._take_style()
        self._take_emblem()
        self._take_grounds()
        scene = self._read_scene() if self.alone else None
        if scene is not None:
            return self._parsed_scene(scene)
        phrase = self._choose_phrase()
        phrase = self._take_tint(phrase)
        phrase = self._take_count(phrase)
        subject = " ".join(self._shorten(phrase))
        subject = vocab.PLAIN_NAMES.get(subject, subject)
        return ParsedPrompt(
            subject=subject,
            style=self.style,
            background=self.background,
            tint=self.tint,
            tint_name=self.tint_name,
            emblem=self._make_emblem(subject, self.tint),
            emblem_coloured=self.shape_colour is not None,
            notes=(*self._say_what_is_left_out(subject), *self.notes),
        )

    # ------------------------------------------------------------ several things

    def _read_scene(self) -> Scene | None:
        """The things that the words name; None for one thing, or where it is not plain."""
        split = split_scene(self.words)
        if split is None or (len(split.items) > 1 and is_picture_for(self.words)):
            return None
        readings = [_Reading(item, self.spec, alone=False) for item in split.items]
        parsed = [reading.parse() for reading in readings]
        *before, last = readings
        if not (all(one.is_whole() for one in before) and last.is_whole(to_its_end=False)):
            return None
        things = [
            Thing(subject=one.subject, tint=one.tint, tint_name=one.tint_name) for one in parsed
        ]
        counts = [reading.count for reading in readings]
        scene = make_scene(split, things, counts)
        if scene is None:
            self.too_many = sum(counts) > MAX_THINGS or len(set(things)) > MAX_KINDS
            return None
        for segment in split.others:
            self._take_other(segment)
        self.left_out = [*last.left_out, *self.left_out]
        self.notes += [note for reading in readings for note in reading.notes]
        # a colour that was said of all of them: "a fox and a hen, in blue"
        coloured = (
            one if one.tint else replace(one, tint=self.tint, tint_name=self.tint_name)
            for one in scene.things
        )
        return replace(scene, things=tuple(coloured))

    def is_whole(self, *, to_its_end: bool = True) -> bool:
        """Whether these words were read as one kind of thing and nothing else.

        ``to_its_end``: not even a scene or a purpose after it, as in "a robot holding a flower".
        """
        around = self.shape is not None or self.style is not None
        around = around or self.background != "transparent"
        goes_on = bool(self.left_out) or self.has_purpose
        return not (around or self.several or (to_its_end and goes_on))

    def _parsed_scene(self, scene: Scene) -> ParsedPrompt:
        rest = _shortly(self.left_out)
        left = (f"{self.spec.name} draws no scenery: leaving out “{rest}”.",) if rest else ()
        return ParsedPrompt(
            subject=scene.words,
            style=self.style,
            background=self.background,
            emblem=self._make_emblem(scene.words, scene.things[0].tint),
            emblem_coloured=self.shape_colour is not None,
            scene=scene,
            notes=(*left, *self.notes),
        )

    # ------------------------------------------------------------ style

    def _take_style(self) -> None:
        """``flat``, ``in cartoon style``, ``line art``: the first one wins."""
        table = {**self.spec.style_words, **{style: style for style in self.spec.styles}}
        kept: list[str] = []
        at = 0
        while at < len(self.words):
            count, style = match_longest(self.words, at, table)
            if not count:
                kept.append(self.words[at])
                at += 1
                continue
            self.style = self.style or style
            at += count
            while kept and kept[-1] in {"in", "with", *vocab.ARTICLES}:
                kept.pop()  # "in a flat style" goes as a whole
            while at < len(self.words) and self.words[at] in {"style", "styled", "look"}:
                at += 1
        self.words = keep_content(kept, self.words)

    # ------------------------------------------------------------ emblem

    def _take_emblem(self) -> None:
        """``on a blue circle``, ``shield emblem of a lion``, ``rocket app icon``."""
        kept: list[str] = []
        at = 0
        found: tuple[str, str | None] | None = None
        has_before = False
        while at < len(self.words):
            has_before = has_before or (bool(kept) and has_content(kept[-1:]))
            count, shape, colour = emblem_at(self.words, at, has_before=has_before)
            if count and found is None:
                found = (shape, colour)
                at += count
            else:
                kept.append(self.words[at])
                at += 1
        rest = strip_front([word for word in kept if word != BREAK])
        if found is not None and has_content(rest) and not is_colours(rest):
            self.words = kept
            self.shape, self.shape_colour = found

    def _make_emblem(self, subject: str, tint: str | None) -> Emblem | None:
        if self.shape is None:
            return None
        return Emblem(shape=self.shape, colour=self.shape_colour or ground_for(subject, tint))

    # ------------------------------------------------------------ ground and "in blue"

    def _take_grounds(self) -> None:
        """``on a navy background``, ``on white``, ``no background``; also ``fox in blue``."""
        kept: list[str] = []
        at = 0
        background: str | None = None
        while at < len(self.words):
            count, ground = ground_at(self.words, at)
            if count:
                background = background or ground
                at += count
                continue
            length, colour = colour_at(self.words, at + 1) if self.words[at] == "in" else (0, "")
            if length and ends(self.words, at + 1 + length) and has_content(kept):
                self._set_tint(colour, self.words[at + 1 : at + 1 + length])
                at += 1 + length
                continue
            kept.append(self.words[at])
            at += 1
        self.words = keep_content(kept, self.words)
        self.background = background or "transparent"

    # ------------------------------------------------------------ the noun phrase

    def _choose_phrase(self) -> list[str]:
        """The first phrase that can be a subject, cut where a scene begins."""
        phrases = [phrase for phrase in drop_purposes(split_phrases(self.words)) if phrase]
        # where every word was understood as something else ("cartoon:"), they are the subject
        pairs = [(strip_front(phrase), phrase) for phrase in phrases] or [(self.said, self.said)]
        ranked = [one for one, _ in sorted(pairs, key=lambda pair: is_around(pair[1]))]
        main = next(
            (s for s in ranked if has_content(s) and not is_colours(s)),
            next((s for s in ranked if is_colours(s)), ranked[0]),
        )
        for segment, phrase in pairs:
            if segment is not main:
                self._take_other(phrase)
        cut = next((at for at in range(1, len(main)) if begins_scene(main, at)), len(main))
        after = main[cut:]
        self.has_purpose = after[:1] == ["for"]  # a book cover: no part of the picture
        if has_content(after) and (not self.has_purpose or _adds_a_thing(after)):
            self.left_out.insert(0, " ".join(after))
        return main[:cut]

    def _take_other(self, phrase: list[str]) -> None:
        """A phrase beside the one that names the subject: an emblem's shape, a colour, a scene."""
        segment = strip_front(phrase)
        length, colour = colour_at(segment, 0)
        shape = SHAPES.get(" ".join(segment[length:]))
        if shape is not None:
            self.shape, self.shape_colour = shape, colour or self.shape_colour
        elif is_colours(segment):
            self._set_tint(colour, segment[:length])
        elif has_content(segment):
            self.left_out.append(" ".join(phrase if is_around(phrase) else segment))

    def _take_tint(self, phrase: list[str]) -> list[str]:
        """Take out colours that describe the subject, and end the phrase at a second subject."""
        kept: list[str] = []
        at = 0
        colours: list[tuple[str, list[str]]] = []
        while at < len(phrase):
            word = phrase[at]
            length, colour = colour_at(phrase, at)
            if length and not self._is_thing(phrase, at, length, after=bool(kept)):
                colours.append((colour, phrase[at : at + length]))
                at += length
            elif word in vocab.JOINS and (colours or has_content(kept)):
                if not kept and at + 1 < len(phrase) and colour_at(phrase, at + 1)[0]:
                    at += 1  # "red and blue parrot"
                    continue
                if kept and has_content(phrase[at:]):
                    self.several = True
                    self.left_out.insert(0, " ".join(strip_front(phrase[at + 1 :])))
                    break
                at += 1
            else:
                kept.append(word)
                at += 1
        if not has_content(kept):
            return phrase
        if len(colours) == 1 and kept[0] in vocab.PLAIN_SHAPES and len(kept) == 1:
            kept = [*colours[0][1], *kept]
        for colour, names in colours:
            self._set_tint(colour, names)
        if len(colours) > 1:
            self.notes.append(f"{self.spec.name} tints with one colour: {self.tint_name}.")
        for word in kept:
            if word in vocab.TINTED_NAMES:
                names = word.split()
                length, colour = colour_at(names, 0)  # "red question mark" names two more words
                self._set_tint(colour, names[:length])
        return kept

    @staticmethod
    def _is_thing(phrase: Sequence[str], at: int, length: int, *, after: bool) -> bool:
        """Whether a colour's name is meant as the thing: ``chocolate cake``, ``blood orange``."""
        if length > 1:
            return False
        is_last = at + 1 == len(phrase) or phrase[at + 1] in vocab.FRAMES
        if is_last:
            return phrase[at] in vocab.THINGS_WHEN_LAST or not after
        return phrase[at] in vocab.THINGS_BEFORE_COLOURS or phrase[at + 1] == "of"

    def _set_tint(self, colour: str, names: Sequence[str]) -> None:
        if self.tint is None:
            self.tint, self.tint_name = colour, " ".join(names)

    # ------------------------------------------------------------ how many, how long

    def _take_count(self, phrase: list[str]) -> list[str]:
        """``three stars`` becomes ``star``, three times."""
        phrase = strip_front(phrase)
        if len(phrase) < 2 or not (phrase[0] in vocab.COUNTS or phrase[0].isdigit()):
            return phrase
        number = count_of(phrase[0])
        rest = strip_front(phrase[1:])
        head = rest.index("of") - 1 if "of" in rest[1:] else len(rest) - 1
        while head > 0 and rest[head] in vocab.FRAMES:
            head -= 1
        noun, one = rest[head], singular(rest[head])
        is_plural = one != noun or noun in vocab.SAME_IN_PLURAL
        if not is_plural and noun not in vocab.ONE_THING_IN_S:
            # "five pointed star", "8 bit heart", "2024 calendar": the number belongs to the name
            is_careless = head == 0 and number <= MAX_THINGS  # "2 fox"
            if not (phrase[0].isdigit() and number and (number == 1 or is_careless)):
                return phrase
        if phrase[0] == "pair of" and (one == noun or noun in vocab.PAIRED):
            return phrase  # "a pair of scissors" is one thing
        is_drawn = noun not in vocab.NOT_DRAWN and phrase[1] not in vocab.FRAMES
        if number == 1:
            pass
        elif number <= MAX_THINGS and is_drawn and number and (is_plural or head == 0):
            self.count = number
        else:
            self.several, self.too_many = True, number > MAX_THINGS and is_drawn
        return [*rest[:head], one, *rest[head + 1 :]]

    def _shorten(self, phrase: list[str]) -> list[str]:
        """Drop framing at the end and empty praise in between, and keep to a readable length."""
        end = len(phrase)
        while end > 1 and phrase[end - 1] in vocab.FRAMES | vocab.FRAME_LINKS | vocab.JOINS:
            end -= 1
        phrase = keep_content([w for w in phrase[:end] if w not in vocab.FILLERS], phrase[:end])
        if len(phrase) > MAX_SUBJECT_WORDS:
            self.left_out.insert(0, " ".join(phrase[MAX_SUBJECT_WORDS:]))
        return phrase[:MAX_SUBJECT_WORDS]

    def _say_what_is_left_out(self, subject: str) -> tuple[str, ...]:
        if not (self.several or self.left_out or self.count > 1):
            return ()
        why = f"{self.spec.name} draws one subject at a time"
        if self.too_many:
            why = f"Up to {MAX_KINDS} kinds of things, {MAX_THINGS} in all, fit into one picture"
        note = f"{why}: drawing the {subject}"
        rest = _shortly(self.left_out)
        return (f"{note}, leaving out “{rest}”." if rest else f"{note}.",)


def _adds_a_thing(words: Sequence[str]) -> bool:
    """Whether an "and" is followed by what may be another thing: ``and a drum``, ``and 2 owls``."""
    return any(
        word in vocab.ANDS
        and (after in vocab.ARTICLES or after in vocab.NUMBERS or after.isdecimal())
        for word, after in pairwise(words)
    )


def _shortly(parts: Sequence[str]) -> str:
    """What is left out, as a note repeats it."""
    rest = ", ".join(part for part in parts if part)
    return rest[:MAX_QUOTED].rsplit(" ", 1)[0] + " …" if len(rest) > MAX_QUOTED else rest
