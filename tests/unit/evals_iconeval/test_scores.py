from __future__ import annotations

import numpy as np
import pytest

from sfumato.evals.iconeval.prompts import Wanted
from sfumato.evals.iconeval.scores import Judged, mean_over_tasks, summarise

from .conftest import found, prompt_for


def judged(task: str, id: int, concept: str, drawn: str, *, seen: bool = True) -> list[Judged]:
    """Two pictures of ``drawn`` for a prompt that asks for ``concept``."""
    prompt = prompt_for(task, Wanted(concept=concept), id=id, seen=seen)
    return [Judged(prompt=prompt, seed=seed, subjects=(found(drawn),)) for seed in (1, 2)]


def test_the_score_is_the_mean_over_tasks_not_pictures() -> None:
    run = [
        *judged("single", 0, "key", "key"),
        *judged("single", 1, "star", "star"),
        *judged("single", 2, "ring", "ring"),
        *judged("colours", 3, "ring", "key"),
    ]
    figures = summarise(run, draws=200)
    assert figures["tasks"]["single"]["value"] == 1.0
    assert figures["tasks"]["colours"]["value"] == 0.0
    assert figures["score"]["value"] == 0.5
    assert figures["score"]["count"] == figures["pictures"] == 8
    assert set(figures["tasks"]) == {"single", "colours"}


def test_luck_is_the_pictures_against_other_prompts_alone() -> None:
    right = [*judged("single", 0, "key", "key"), *judged("single", 1, "star", "star")]
    assert summarise(right)["tasks"]["single"]["floor"] == 0.0
    # the same picture whatever is asked: half right, and as often by luck
    same = [*judged("single", 0, "key", "key"), *judged("single", 1, "star", "key")]
    assert (
        summarise(same)["tasks"]["single"] | {"value": 0.5, "floor": 0.5}
        == (summarise(same)["tasks"]["single"])
    )
    assert summarise(right[:2])["tasks"]["single"]["floor"] == 0.0


def test_seen_and_unseen_are_apart() -> None:
    run = [
        *judged("colours", 0, "key", "key", seen=True),
        *judged("colours", 1, "star", "key", seen=False),
    ]
    figures = summarise(run)["tasks"]["colours"]
    assert figures["seen"]["value"] == 1.0
    assert figures["unseen"]["value"] == 0.0
    assert summarise(run[:2])["tasks"]["colours"]["unseen"] is None


def test_intervals_are_the_same_every_time_and_hold_the_value() -> None:
    rng = np.random.default_rng(0)
    tasks = {
        name: (rng.integers(0, 2, 80).astype(float), np.repeat(np.arange(20), 4))
        for name in ("a", "b")
    }
    first = mean_over_tasks(tasks)
    assert first == mean_over_tasks(tasks)
    assert first.low < first.value < first.high
    assert first != mean_over_tasks(tasks, seed=1)


def test_pictures_of_one_prompt_are_drawn_together() -> None:
    values = np.repeat([1.0, 0.0], 50)
    clustered = mean_over_tasks({"a": (values, np.repeat([0, 1], 50))})
    apart = mean_over_tasks({"a": (values, np.arange(100))})
    assert (clustered.low, clustered.high) == (0.0, 1.0)
    assert apart.high - apart.low < 0.3


def test_nothing_has_no_score() -> None:
    with pytest.raises(ValueError, match="nothing"):
        summarise([])
