"""Several things in one prompt: where one ends, where the next begins, how they stand.

Only what is plain is taken apart: things joined by "and" or by commas, a relation such as "left
of" or "above", and counts. A thing in the middle that does something or wears something ("a robot
holding a flower and a book") leaves the whole prompt as it is: nobody can tell whose book it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sfumato.prompt import vocabulary as vocab
from sfumato.prompt.phrases import (
    drop_purposes,
    has_content,
    is_around,
    is_colours,
    is_doing,
    split_phrases,
    strip_front,
)
from sfumato.prompt.words import colour_at
from sfumato.request import MAX_KINDS, MAX_THINGS
from sfumato.wording import listed, plural, with_article

__all__ = ["Scene", "Split", "Thing", "make_scene", "split_scene"]

Run = tuple[int, int]  # a thing's number and how many of it stand together

_NUMBER_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_LONGEST_BARE = 3  # words of "apple, pear and banana"; longer ones are no enumeration
_MOST_COLOURS = 12  # words of colours that an "and" is looked at after
_OPPOSITE = {"left": "right", "right": "left", "above": "below", "below": "above"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """One kind of thing in a scene."""

    subject: str
    tint: str | None = None  # "#rrggbb"
    tint_name: str | None = None

    def counted(self, count: int) -> str:
        """``a red apple``, ``two cats``."""
        name = self.subject
        if self.tint_name and not name.startswith(self.tint_name):
            name = f"{self.tint_name} {name}"
        return with_article(name) if count == 1 else f"{_NUMBER_WORDS[count]} {plural(name)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Things that stand apart in one picture, and how."""

    things: tuple[Thing, ...]  # each different one once, as the words name them
    blocks: tuple[tuple[Run, ...], ...]  # groups from left to right, or from top to bottom
    axis: str = ""  # "across", "down"; "": one block, and nothing was said
    shape: str = ""  # "row", "column", "grid"; "": as fits best

    @property
    def is_free(self) -> bool:
        """Whether nothing was said of where things stand."""
        return not self.axis and not self.shape

    @property
    def blocks_of_copies(self) -> list[list[int]]:
        """The number of the thing that each place of each block holds."""
        return [[thing for thing, count in block for _ in range(count)] for block in self.blocks]

    @property
    def words(self) -> str:
        """``two cats and a dog``."""
        runs = [run for block in self.blocks for run in block]
        counts = [
            (at, sum(count for thing, count in runs if thing == at))
            for at in range(len(self.things))
        ]
        return self.words_of(counts)

    def words_of(self, block: Sequence[Run]) -> str:
        """The same for one of its blocks."""
        return listed(self.things[thing].counted(count) for thing, count in block)


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """A prompt cut into the words of each thing."""

    items: tuple[list[str], ...]
    blocks: tuple[tuple[int, ...], ...]  # numbers of items, in the order in which they stand
    axis: str
    shape: str
    between: bool  # the first block stands amidst the second
    others: tuple[list[str], ...]  # phrases that name no thing


def split_scene(words: Sequence[str]) -> Split | None:
    """Cut the words of a prompt, known phrases joined, into things; None where that is unclear.

    One thing alone is returned as well: how many there are of it is for the caller to read. Time
    is linear in the number of words.
    """
    run, others, shape = _enumeration(words)
    cut = _cut(run)
    if cut is None:
        return None
    items, links = cut
    if items[-1] and items[-1][-1] in vocab.ARRANGEMENTS:
        shape = vocab.ARRANGEMENTS[items[-1].pop()]
    if not all(map(_is_thing, items)):
        return None
    if not _is_deed(items[0]) and any(map(_is_deed, items[1:])):  # "a robot singing and waving"
        return None
    blocks: list[list[int]] = [[0]]
    for number, link in enumerate(links, start=1):
        if link == "and":
            blocks[-1].append(number)
        else:
            blocks.append([number])
    directions = {link for link in links if link != "and"}
    if not directions:
        directions, blocks = _said_places(items, blocks)
    if len(directions) > 1 or ("between" in directions and len(blocks) > 2):
        return None
    direction = next(iter(directions), "")
    if direction in ("right", "below"):
        blocks.reverse()
    axis = {"": "", "above": "down", "below": "down"}.get(direction, "across")
    return Split(
        items=tuple(items),
        blocks=tuple(map(tuple, blocks)),
        axis=axis,
        shape="" if axis else shape,
        between=direction == "between",
        others=tuple(others),
    )


def make_scene(split: Split, things: Sequence[Thing], counts: Sequence[int]) -> Scene | None:
    """The scene of items that were read; None where it has one thing, or more than fit.

    Args:
        things: one for each of ``split.items``. counts: how many of each.
    """
    kinds = tuple(dict.fromkeys(things))
    runs = [[(kinds.index(things[at]), counts[at]) for at in block] for block in split.blocks]
    if split.between:
        amidst = _between(*runs)
        if amidst is None:
            return None
        runs = amidst
    if not 2 <= sum(counts) <= MAX_THINGS or len(kinds) > MAX_KINDS:
        return None
    return Scene(things=kinds, blocks=tuple(map(tuple, runs)), axis=split.axis, shape=split.shape)


def _between(middle: list[Run], around: list[Run]) -> list[list[Run]] | None:
    """``a cat between two dogs``, ``a cat between a dog and a hen``: what stands on each side."""
    if len(around) == 2:
        return [[around[0]], middle, [around[1]]]
    ((thing, count),) = around if len(around) == 1 else [(0, 0)]
    half, odd = divmod(count, 2)
    return None if odd or not half else [[(thing, half)], middle, [(thing, half)]]


# ---------------------------------------------------------------- which words belong to things


def _enumeration(words: Sequence[str]) -> tuple[list[str], list[list[str]], str]:
    """The words that name things, the phrases that do not, and the arrangement they ask for."""
    named: list[list[str]] = []
    others: list[list[str]] = []
    shape = ""
    for segment in drop_purposes(split_phrases(words)):
        rest = strip_front(segment)
        if len(rest) == 1 and rest[0] in vocab.ARRANGEMENTS:
            shape = vocab.ARRANGEMENTS[rest[0]]
        elif has_content(rest) and not is_colours(rest):
            named.append(segment)
        elif rest:
            others.append(segment)
    named, around = _trimmed(named)
    others = [*around, *others]
    if len(named) < 2:
        return (named[0] if named else []), others, shape
    same = len(set(map(tuple, named))) == 1  # three times one emoji
    if not (same or all(map(_is_counted, named)) or _is_bare_list(named)):
        return named[0], [*named[1:], *others], shape
    run = list(named[0])
    for segment in named[1:]:
        is_linked = segment[0] in vocab.ANDS or segment[0] in vocab.LINKS
        run += segment if is_linked else ["and", *segment]
    return run, others, shape


def _trimmed(named: list[list[str]]) -> tuple[list[list[str]], list[list[str]]]:
    """Phrases without those before and behind all things: ``a fox, an owl, in a forest``."""
    things = [at for at, segment in enumerate(named) if not is_around(segment)]
    first, last = (things[0], things[-1] + 1) if things else (0, len(named))
    return named[first:last], [*named[:first], *named[last:]]


def _is_counted(segment: Sequence[str]) -> bool:
    """Whether a phrase begins as one of several does: ``an owl``, ``logo of a fox``, ``2 dogs``."""
    if is_around(segment):  # "a fox, with a hat"
        return False
    rest = strip_front(segment)
    front = segment[: len(segment) - len(rest)]
    return rest[0] in vocab.NUMBERS or rest[0].isdecimal() or bool(vocab.ARTICLES & set(front))


def _is_bare_list(segments: Sequence[Sequence[str]]) -> bool:
    """``apple, pear and banana``: short names, and "and" before the last of them."""
    *head, last = segments
    return bool(vocab.ANDS & set(last)) and all(
        len(strip_front(segment)) <= _LONGEST_BARE and not _BINDING & set(segment)
        for segment in head
    )


_BINDING = vocab.CUTS | vocab.JOINS


def _cut(run: Sequence[str]) -> tuple[list[list[str]], list[str]] | None:
    """The words of each thing and what links it to the one before; None where there are too many.

    A link needs something on both sides: ``a glass half and``, ``below`` stay with their thing.
    """
    items: list[list[str]] = [[]]
    links: list[str] = []
    content = [at for at, word in enumerate(run) if has_content([word])]
    last = content[-1] if content else -1
    found = False  # something that could be a thing in the current item
    for at, word in enumerate(run):
        link = "and" if word in vocab.ANDS else vocab.LINKS.get(word)
        if (
            link
            and found
            and at < last
            and not (link == "and" and _joins_colours(items[-1], run, at))
        ):
            if link != "and":
                while len(items[-1]) > 1 and items[-1][-1] in vocab.POSTURES:
                    items[-1].pop()  # "a cat sitting next to a dog"
            items.append([])
            links.append(link)
            found = False
            if len(items) > MAX_THINGS:
                return None
        else:
            items[-1].append(word)
            found = found or has_content([word])
    return items, links


def _joins_colours(item: Sequence[str], run: Sequence[str], at: int) -> bool:
    """Whether the "and" at ``at`` joins colours of one thing: ``red and blue parrot``."""
    item = item[-_MOST_COLOURS:]
    if not is_colours(strip_front(item)):
        return False
    if item[-1] not in vocab.THINGS_WHEN_LAST:
        return True
    return bool(colour_at(run, at + 1)[0])  # "orange and white cat", but "orange and lemon"


def _is_thing(item: Sequence[str]) -> bool:
    """Whether words can be a thing on their own, beside another."""
    rest = strip_front(item)
    if not has_content(rest):
        return False
    if is_colours(rest) and rest[-1] not in vocab.THINGS_WHEN_LAST:
        return False
    if len(rest) == 1:
        return rest[0] not in vocab.QUALITIES and (len(rest[0]) > 1 or not rest[0].isalpha())
    return True


def _is_deed(item: Sequence[str]) -> bool:
    """Whether words say what the thing before them does: ``waving``, ``waving a flag``."""
    is_alone = len(item) == 1 or item[1] in vocab.ARTICLES
    return is_alone and (is_doing(item[0]) or item[0] in vocab.DOINGS)


def _said_places(
    items: Sequence[list[str]], blocks: list[list[int]]
) -> tuple[set[str], list[list[int]]]:
    """``a cat on the left and a dog on the right``: the direction said behind the things."""
    if len(items) != 2:
        return set(), blocks
    places = [vocab.PLACES.get(item[-1], "") if len(item) > 1 else "" for item in items]
    first = places[0] or _OPPOSITE.get(places[1], "")
    second = places[1] or _OPPOSITE.get(places[0], "")
    if not first or second != _OPPOSITE[first]:
        return set(), blocks
    for item, place in zip(items, places, strict=True):
        if place:
            item.pop()
    return {first}, [[0], [1]]
