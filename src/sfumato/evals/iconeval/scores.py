"""From verdicts to figures: a share for each task, intervals over prompts, and pure luck."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfumato.evals.iconeval.judge import Subject
from sfumato.evals.iconeval.prompts import TASKS, IconPrompt
from sfumato.evals.iconeval.rules import Verdict, check
from sfumato.evals.statistics import Estimate, estimate_mean

__all__ = ["Judged", "mean_over_tasks", "summarise"]

DRAWS = 2000  # of the bootstrap
_SHUFFLES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One picture: what was asked for and what the judge found."""

    prompt: IconPrompt
    seed: int
    subjects: tuple[Subject, ...]

    @property
    def verdict(self) -> Verdict:
        """Whether it is as asked."""
        return check(self.prompt, self.subjects)


def summarise(judged: Sequence[Judged], draws: int = DRAWS, seed: int = 0) -> dict[str, Any]:
    """Every figure of a run as plain JSON types.

    ``score`` is the mean over the tasks that have pictures; ``floor`` is what the same pictures
    score against other prompts of their task; ``seen`` and ``unseen`` split each task by whether
    chiaro was trained on what the prompt describes. Intervals are 95 %, percentile bootstrap over
    whole prompts.

    Raises: ValueError: no pictures.
    """
    if not judged:
        raise ValueError("nothing was judged")
    tasks: dict[str, Any] = {}
    by_task: dict[str, tuple[NDArray[np.float64], NDArray[np.int64]]] = {}
    for task in TASKS:
        own = [one for one in judged if one.prompt.task == task]
        if not own:
            continue
        right = np.array([one.verdict.correct for one in own], np.float64)
        prompts = np.array([one.prompt.id for one in own])
        seen = np.array([one.prompt.seen for one in own])
        by_task[task] = right, prompts
        tasks[task] = {
            **asdict(estimate_mean(right, prompts, draws, seed)),
            "prompts": len(set(prompts.tolist())),
            "floor": _floor(own, seed),
            "seen": _part(right, prompts, seen, draws, seed),
            "unseen": _part(right, prompts, ~seen, draws, seed),
        }
    return {
        "score": asdict(mean_over_tasks(by_task, draws, seed)),
        "floor": float(np.mean([figures["floor"] for figures in tasks.values()])),
        "pictures": len(judged),
        "tasks": tasks,
    }


def mean_over_tasks(
    tasks: dict[str, tuple[NDArray[np.float64], NDArray[np.int64]]],
    draws: int = DRAWS,
    seed: int = 0,
) -> Estimate:
    """GenEval's score: the mean of the tasks' shares.

    ``tasks`` maps a name to (values, the prompt of each). Prompts are drawn anew within each task.
    """
    rng = np.random.default_rng(seed)
    resampled = np.zeros(draws)
    for values, prompts in tasks.values():
        _, owner = np.unique(prompts, return_inverse=True)
        sums, sizes = np.bincount(owner, values), np.bincount(owner)
        picks = rng.integers(len(sums), size=(draws, len(sums)))
        resampled += sums[picks].sum(axis=1) / sizes[picks].sum(axis=1) / len(tasks)
    low, high = np.percentile(resampled, [2.5, 97.5])
    return Estimate(
        value=float(np.mean([values.mean() for values, _ in tasks.values()])),
        low=float(low),
        high=float(high),
        count=sum(len(values) for values, _ in tasks.values()),
    )


def _part(
    right: NDArray[np.float64],
    prompts: NDArray[np.int64],
    where: NDArray[np.bool_],
    draws: int,
    seed: int,
) -> dict[str, Any] | None:
    if not where.any():
        return None
    return asdict(estimate_mean(right[where], prompts[where], draws, seed))


def _floor(own: Sequence[Judged], seed: int) -> float:
    """The pictures against other prompts of their task, several times over; never their own."""
    rng = np.random.default_rng(seed)
    prompts = {one.prompt.id: one.prompt for one in own}
    if len(prompts) < 2:
        return 0.0
    hits = 0
    for _ in range(_SHUFFLES):
        circle = rng.permutation(list(prompts)).tolist()
        following = dict(zip(circle, [*circle[1:], circle[0]], strict=True))
        for one in own:
            hits += check(prompts[following[one.prompt.id]], one.subjects).correct
    return hits / (_SHUFFLES * len(own))
