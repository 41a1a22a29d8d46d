"""The published prompts: what each asks for, in words and in a form that can be checked.

``prompts.jsonl`` is what counts; ``make_prompts`` wrote it from ``concepts.json`` and one seed, and
writes the same file whenever it is asked again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

import numpy as np

from sfumato.errors import StorageError

__all__ = [
    "COLOURS",
    "RELATIONS",
    "SEEDS",
    "TASKS",
    "Concept",
    "IconPrompt",
    "Wanted",
    "load_concepts",
    "load_prompts",
    "make_prompts",
    "to_jsonl",
]

TASKS = {
    "single": 80,
    "two": 99,
    "counting": 80,
    "colours": 94,
    "position": 100,
    "attribution": 100,
}  # task -> prompts, as in GenEval after its duplicates were taken out
COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown")
RELATIONS = ("left of", "right of", "above", "below")
NUMBERS = {2: "two", 3: "three", 4: "four"}
SEEDS = 4  # pictures of each prompt
SEED = 43  # of the draw of prompts

_PACKAGE = "sfumato.evals.iconeval"
_LEAD = "a flat icon of"
_PICTURE_SEED = 20_000  # of the first picture; away from what people type and tune with


@dataclass(frozen=True, slots=True, kw_only=True)
class Concept:
    """One of the 80 things that prompts ask for."""

    name: str
    plural: str
    labels: tuple[str, ...]  # what icon packs call it
    colours: tuple[str, ...]  # main colours of chiaro's training pictures of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One clause: this many of a concept, perhaps of a colour."""

    concept: str
    count: int = 1
    colour: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IconPrompt:
    """One prompt and the clauses that a picture must fulfil."""

    id: int
    task: str
    text: str
    wanted: tuple[Wanted, ...]
    relation: str = ""  # of the first wanted to the second
    seen: bool  # chiaro was trained on a picture that the prompt describes
    seeds: tuple[int, ...]


def load_prompts() -> tuple[IconPrompt, ...]:
    """The 553 published prompts, in order of their ids.

    Raises: StorageError: the installation is damaged.
    """
    return _load_prompts()


@lru_cache(maxsize=1)
def _load_prompts() -> tuple[IconPrompt, ...]:
    return tuple(_from_row(json.loads(line)) for line in _read("prompts.jsonl").splitlines())


@lru_cache(maxsize=1)
def load_concepts() -> tuple[Concept, ...]:
    """The 80 concepts, in alphabetical order.

    Raises: StorageError: the installation is damaged.
    """
    rows = json.loads(_read("concepts.json"))
    return tuple(
        Concept(
            name=row["name"],
            plural=row["plural"],
            labels=tuple(row["labels"]),
            colours=tuple(row["colours"]),
        )
        for row in rows
    )


def make_prompts(concepts: Sequence[Concept], seed: int = SEED) -> tuple[IconPrompt, ...]:
    """Draw the prompts of every task, none twice; the same for the same arguments.

    A pair is one prompt whichever comes first, and no colour is asked of a thing twice.
    """
    rng = np.random.default_rng(seed)
    prompts: list[IconPrompt] = []
    for task, count in TASKS.items():
        taken: set[Any] = set()
        order = rng.permutation(len(concepts))
        while len(taken) < count:
            first, second = (concepts[int(i)] for i in rng.choice(len(concepts), 2, replace=False))
            if task == "single":
                first = concepts[int(order[len(taken)])]
            draw = _draw(task, first, second, rng)
            if draw[0] in taken:
                continue
            taken.add(draw[0])
            number = len(prompts)
            prompts.append(
                IconPrompt(
                    id=number,
                    task=task,
                    text=f"{_LEAD} {draw[1]}",
                    wanted=draw[2],
                    relation=draw[3],
                    seen=draw[4],
                    seeds=tuple(_PICTURE_SEED + number * SEEDS + i for i in range(SEEDS)),
                )
            )
    return tuple(prompts)


def to_jsonl(prompts: Iterable[IconPrompt]) -> str:
    """One line a prompt, as in ``prompts.jsonl``; clauses leave out what they do not ask."""
    lines = []
    for prompt in prompts:
        row = asdict(prompt)
        row["wanted"] = [
            {key: value for key, value in asdict(one).items() if value} for one in prompt.wanted
        ]
        lines.append(json.dumps({key: value for key, value in row.items() if value != ""}) + "\n")
    return "".join(lines)


def _draw(
    task: str, first: Concept, second: Concept, rng: np.random.Generator
) -> tuple[Any, str, tuple[Wanted, ...], str, bool]:
    """What makes the prompt unique, its words, its clauses, its relation, and if it was seen."""
    count = int(rng.integers(2, 5))
    hue, other = (COLOURS[int(i)] for i in rng.choice(len(COLOURS), 2, replace=False))
    relation = RELATIONS[int(rng.integers(len(RELATIONS)))]
    one, two = first.name, second.name
    if task == "single":
        return one, _a_or_an(one), (Wanted(concept=one),), "", True
    if task == "counting":
        words = f"{NUMBERS[count]} {first.plural}"
        return (one, count), words, (Wanted(concept=one, count=count),), "", False
    if task == "colours":
        words = _a_or_an(f"{hue} {one}")
        return (one, hue), words, (Wanted(concept=one, colour=hue),), "", hue in first.colours
    pair = frozenset((one, two))
    if task == "two":
        words = f"{_a_or_an(one)} and {_a_or_an(two)}"
        return pair, words, (Wanted(concept=one), Wanted(concept=two)), "", False
    if task == "position":
        words = f"{_a_or_an(one)} {relation} {_a_or_an(two)}"
        return pair, words, (Wanted(concept=one), Wanted(concept=two)), relation, False
    words = f"{_a_or_an(f'{hue} {one}')} and {_a_or_an(f'{other} {two}')}"
    coloured = (Wanted(concept=one, colour=hue), Wanted(concept=two, colour=other))
    return pair, words, coloured, "", False


def _from_row(row: dict[str, Any]) -> IconPrompt:
    return IconPrompt(
        id=row["id"],
        task=row["task"],
        text=row["text"],
        wanted=tuple(Wanted(**one) for one in row["wanted"]),
        relation=row.get("relation", ""),
        seen=row["seen"],
        seeds=tuple(row["seeds"]),
    )


def _a_or_an(words: str) -> str:
    """GenEval's article, also before plurals ("a scissors"): published prompts stay as they are.

    ``wording.with_article`` knows better and would make another list of them.
    """
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def _read(name: str) -> str:
    try:
        return resources.files(_PACKAGE).joinpath(name).read_text("utf-8")
    except (OSError, ModuleNotFoundError) as error:
        raise StorageError(
            f"{name} of iconeval cannot be read ({error}).",
            hint="Reinstall sfumato: pip install --force-reinstall sfumato",
        ) from None
