"""The text states of a run's captions, computed once and read from a memory map.

A recipe of the augmenter is named by a seed and a number, so the captions of the first few hundred
thousand recipes can be listed without drawing anything. Each distinct caption goes once through the
int8 text encoder that drawing uses; a run then looks its states up. Nothing here loads torch, so
that worker processes start quickly.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sfumato.atomic import replacing, temporary_beside
from sfumato.clip.sentences import MAX_TOKENS, SentenceEncoder, open_encoder
from sfumato.training.augment import Recipe, Shelf, Subject, read_subjects, recipe_at
from sfumato.training.data.pictures import read_manifest
from sfumato.training.pack import spread

TEXT_TOKENS = MAX_TOKENS
TEXT_WIDTH = 384
_CHUNK = 512  # captions, or recipes, that a worker takes at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class BankPlan:
    """What a bank is made from; equal plans over equal data make equal banks."""

    recipes: int  # for the first stages
    curated: int  # for the last one
    seed: int
    extra: tuple[str, ...] = ()  # captions that no recipe has: those of the contact sheet


class Bank:
    """Recipes by number, and the token states of their captions.

    Numbers below ``plan.recipes`` are ordinary recipes; the ``plan.curated`` above are curated.
    """

    def __init__(self, folder: Path) -> None:
        card = json.loads((folder / "bank.json").read_text("utf-8"))
        card["plan"]["extra"] = tuple(card["plan"]["extra"])
        self.plan = BankPlan(**card["plan"])
        self.captions: NDArray[np.int32] = np.load(folder / "bank-captions.npy")  # (R + E,)
        self.starts: NDArray[np.int64] = np.load(folder / "bank-starts.npy")  # (C + 1,)
        self.states: NDArray[np.float16] = np.load(folder / "bank-states.npy", mmap_mode="r")
        self.shelf = Shelf(Subject(**_tuples(row)) for row in card["subjects"])

    def recipe(self, number: int) -> Recipe:
        """The recipe with this number."""
        return _recipe(self.shelf, self.plan, number)

    def numbers(self, curated: bool) -> tuple[int, int]:
        """First and last + 1 of the ordinary or of the curated recipes."""
        plan = self.plan
        return (plan.recipes, plan.recipes + plan.curated) if curated else (0, plan.recipes)

    def extra_numbers(self) -> NDArray[np.int64]:
        """The numbers under which the extra captions' states are found."""
        plan = self.plan
        return np.arange(len(plan.extra)) + plan.recipes + plan.curated


def _tuples(row: dict[str, object]) -> dict[str, object]:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in row.items()}


def _recipe(shelf: Shelf, plan: BankPlan, number: int) -> Recipe:
    return recipe_at(shelf, plan.seed, number, curated=number >= plan.recipes)


def prepare_bank(
    data: Path,
    folder: Path,
    encoder: Path,
    plan: BankPlan,
    *,
    processes: int = 1,
    say: Callable[[str], None] = print,
) -> Bank:
    """Make the bank of ``data`` in ``folder``, or open the one that is there for the same plan.

    ``encoder`` holds ``text.onnx`` and ``vocab.txt``.
    """
    card = folder / "bank.json"
    if card.exists():
        bank = Bank(folder)
        if bank.plan == plan:
            return bank
    folder.mkdir(parents=True, exist_ok=True)
    card.unlink(missing_ok=True)  # a bank with a card is complete
    pictures = np.load(data / "pictures-64.npy", mmap_mode="r")
    subjects = read_subjects(read_manifest(data), pictures)
    captions = _list_captions(subjects, plan, processes)
    distinct = sorted({*captions, *plan.extra})
    index = {caption: i for i, caption in enumerate(distinct)}
    say(f"{len(captions)} recipes, {len(distinct)} captions to encode")
    counts = _write_states(distinct, folder / "bank-states.npy", encoder, processes)
    np.save(folder / "bank-starts.npy", np.concatenate([[0], np.cumsum(counts)]).astype(np.int64))
    numbers = np.array([index[c] for c in (*captions, *plan.extra)], np.int32)
    np.save(folder / "bank-captions.npy", numbers)
    written = json.dumps(
        {"plan": _plain(plan), "subjects": [_plain(s) for s in subjects]}, ensure_ascii=False
    )
    with replacing(card) as temporary:
        temporary.write_text(written, "utf-8")
    return Bank(folder)


def _plain(thing: BankPlan | Subject) -> dict[str, object]:
    return {name: getattr(thing, name) for name in thing.__slots__}


def _list_captions(subjects: list[Subject], plan: BankPlan, processes: int) -> list[str]:
    """The captions of all recipes, in order."""
    total = plan.recipes + plan.curated
    ranges = [(i, min(i + _CHUNK, total)) for i in range(0, total, _CHUNK)]
    found: list[str] = []
    for part in spread(
        _captions_of, ranges, processes=processes, start=_start_shelf, given=(subjects, plan)
    ):
        found += part
    return found


def _write_states(
    captions: Sequence[str], path: Path, encoder: Path, processes: int
) -> NDArray[np.int64]:
    """Write every caption's states one after another, (tokens, 384) float16; their counts."""
    chunks = [list(captions[i : i + _CHUNK]) for i in range(0, len(captions), _CHUNK)]
    counts: list[NDArray[np.int64]] = []
    with temporary_beside(path) as raw:
        with raw.open("wb") as out:
            for states, count in spread(
                _states_of, chunks, processes=processes, start=_start_encoder, given=(encoder,)
            ):
                counts.append(count)
                states.tofile(out)
        whole = np.concatenate(counts)
        flat = np.memmap(raw, np.float16, "r", shape=(int(whole.sum()), TEXT_WIDTH))
        np.save(path, flat)
        del flat  # Windows keeps a mapped file
    return whole


# ---------------------------------------------------------------- in the workers

_worker: dict[str, object] = {}  # what a worker process keeps between two chunks


def _start_shelf(subjects: list[Subject], plan: BankPlan) -> None:
    _worker["shelf"], _worker["plan"] = Shelf(subjects), plan


def _captions_of(span: tuple[int, int]) -> list[str]:
    shelf, plan = _worker["shelf"], _worker["plan"]
    assert isinstance(shelf, Shelf) and isinstance(plan, BankPlan)
    return [_recipe(shelf, plan, number).caption for number in range(*span)]


def _start_encoder(encoder: Path) -> None:
    _worker["encoder"] = open_encoder(encoder)


def _states_of(captions: list[str]) -> tuple[NDArray[np.float16], NDArray[np.int64]]:
    encoder = _worker["encoder"]
    assert isinstance(encoder, SentenceEncoder)
    states = [encoder.states(caption).astype(np.float16) for caption in captions]
    return np.concatenate(states), np.array([len(s) for s in states], np.int64)
