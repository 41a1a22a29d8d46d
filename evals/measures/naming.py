"""Does the judge name the subject that was asked for?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sfumato.training.judge import SIDE, Judge

from .memory import shrink

_SHUFFLES = 20


@dataclass(frozen=True, slots=True)
class Answers:
    """The judge's opinion of N pictures: right or wrong, 1.0 or 0.0."""

    embedded: NDArray[np.float32]  # (N, d) unit vectors
    ranked: NDArray[np.int64]  # (N, 5) numbers of concepts, likeliest first
    top1: NDArray[np.float64]  # (N,) the first is right
    top5: NDArray[np.float64]  # (N,) one of five is right
    group: NDArray[np.float64]  # (N,) the first is of the right kind, such as animal-mammal

    def where(self, mask: NDArray[np.bool_]) -> Answers:
        """The answers of some pictures alone."""
        return Answers(
            self.embedded[mask],
            self.ranked[mask],
            self.top1[mask],
            self.top5[mask],
            self.group[mask],
        )


def judge_pictures(
    judge: Judge, pictures: NDArray[np.uint8], expected: Sequence[Sequence[str]]
) -> Answers:
    """Ask the judge about (N, S, S, 4) pictures; ``expected`` lists the right names of each.

    S is a multiple of 64. A picture without a right name counts as wrong: leave those out, or
    read only ``embedded``.
    """
    embedded = judge.embed(shrink(pictures, SIDE))
    return _mark(judge, embedded, judge.rank(embedded), expected)


def floor_accuracy(
    judge: Judge, answers: Answers, expected: Sequence[Sequence[str]], seed: int = 0
) -> dict[str, float]:
    """What the same answers score against other pictures' names: the level of pure luck."""
    rng = np.random.default_rng(seed)
    scores = []
    for _ in range(_SHUFFLES):
        order = rng.permutation(len(expected))
        names = [expected[i] for i in order]
        shuffled = _mark(judge, answers.embedded, answers.ranked, names)
        scores.append([shuffled.top1.mean(), shuffled.top5.mean(), shuffled.group.mean()])
    top1, top5, group = np.mean(scores, axis=0)
    return {"top1": float(top1), "top5": float(top5), "group": float(group)}


def _mark(
    judge: Judge,
    embedded: NDArray[np.float32],
    ranked: NDArray[np.int64],
    expected: Sequence[Sequence[str]],
) -> Answers:
    group_of = dict(zip(judge.concepts, judge.groups, strict=True))
    named = [[judge.concepts[number] for number in row] for row in ranked]
    pairs = list(zip(named, expected, strict=True))
    top1 = [row[0] in right for row, right in pairs]
    top5 = [any(name in right for name in row) for row, right in pairs]
    group = [
        group_of[row[0]] in {group_of[name] for name in right if name in group_of}
        for row, right in pairs
    ]
    columns = [np.array(column, np.float64) for column in (top1, top5, group)]
    return Answers(embedded, ranked, *columns)
