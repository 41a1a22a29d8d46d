"""Who draws: a model, or one of the two baselines that a model should lie between.

``retrieval`` shows the training picture whose caption is nearest to the prompt: what knowing the
words without being able to draw is worth. ``oracle`` lays the asked scene out of real icons: what
a model that always draws rightly would score with this judge.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from sfumato import models
from sfumato.errors import ModelError
from sfumato.evals.iconeval.prompts import IconPrompt, load_concepts
from sfumato.evals.iconeval.scenes import SIDE, compose_scene
from sfumato.evals.iconeval.shelf import Icon, read_icons, read_rows
from sfumato.evals.shapes import Pixels
from sfumato.generate import generate
from sfumato.models import DirectModel
from sfumato.plan import make_plan
from sfumato.request import GenerationRequest

__all__ = ["BASELINES", "ModelPainter", "Oracle", "Painter", "Retrieval"]

_LEAD = "a flat icon of "
_READS = "chiaro"  # whose captions and text encoder retrieval uses


class Painter(Protocol):
    """Anything that can be evaluated."""

    identity: dict[str, Any]  # plain JSON types; two runs of one identity give the same pictures

    def paint(self, prompt: IconPrompt, seeds: tuple[int, ...]) -> Iterator[tuple[int, Pixels]]:
        """(seed, (H, W, 4) straight alpha) for each seed, in order."""


class ModelPainter:
    """A model of the registry, at 512 x 512 with its own finishing: what a user would get.

    512 pixels are twice what the judge looks at, and half the time of the default size.
    """

    def __init__(self, name: str, side: int = SIDE) -> None:
        """Raises: ModelError: there is no such model, or it is damaged."""
        spec = models.spec_of(name)
        self._name, self._side = spec.name, side
        self.identity = {"model": spec.name, "model_sha256": spec.sha256, "side": side}

    def paint(self, prompt: IconPrompt, seeds: tuple[int, ...]) -> Iterator[tuple[int, Pixels]]:
        """Draw the prompt once for each seed; neighbouring seeds are drawn side by side.

        Raises: what ``sfumato.generate`` raises.
        """
        for first, count in _runs(seeds):
            request = GenerationRequest(
                prompt=prompt.text,
                model=self._name,
                seed=first,
                num_images=count,
                width=self._side,
                height=self._side,
            )
            for image in generate(request).images:
                yield image.seed, image.pixels


class Retrieval:
    """The training picture with the nearest caption; several seeds show several packs' pictures."""

    def __init__(self, data: Path, side: int = SIDE) -> None:
        """``data`` is the folder that the built-in model was trained on.

        Raises: StorageError: not such a folder. ModelError: the built-in model is damaged.
        """
        self._icons: dict[str, list[Icon]] = {}
        for row, svg in read_rows(data):
            icon = Icon(concept=row["concept"], pack=row["pack"], svg=svg)
            self._icons.setdefault(icon.concept, []).append(icon)
        self._side = side
        spec = models.spec_of(_READS)
        self.identity = {
            "baseline": "retrieval",
            "model_sha256": spec.sha256,
            "data_sha256": _digest(data),
            "side": side,
        }

    def paint(self, prompt: IconPrompt, seeds: tuple[int, ...]) -> Iterator[tuple[int, Pixels]]:
        """Pictures of the nearest subject, coloured ones first.

        Raises: ModelError: the model knows a subject that the folder has not.
        """
        icons = self._icons.get(self._nearest(prompt))
        if not icons:
            raise ModelError(
                f"The training data has no picture of {self._nearest(prompt)!r}.",
                hint="Give the folder that the built-in model was trained on with --data.",
            )
        for i, seed in enumerate(seeds):
            yield seed, icons[i % len(icons)].draw(self._side)

    def _nearest(self, prompt: IconPrompt) -> str:
        model = models.load(_READS)
        assert not isinstance(model, DirectModel)
        plan = make_plan(GenerationRequest(prompt=prompt.text, seed=0), model.spec)
        # all the words, not only those that the planner takes for the subject
        plan = replace(plan, subject=prompt.text.removeprefix(_LEAD))
        return model.encode_prompt(plan).nearest


class Oracle:
    """The scene itself, laid out of real icons that the judge was not fitted to."""

    def __init__(self, data: Path, side: int = SIDE) -> None:
        """``data`` is a folder of coloured icons of other packs than the judge's.

        Raises: StorageError: not such a folder, or it lacks a concept.
        """
        self._icons = read_icons(data, load_concepts())
        self._side = side
        self.identity = {"baseline": "oracle", "data_sha256": _digest(data), "side": side}

    def paint(self, prompt: IconPrompt, seeds: tuple[int, ...]) -> Iterator[tuple[int, Pixels]]:
        """Each seed chooses other icons, places and grounds."""
        for seed in seeds:
            rng = np.random.default_rng(seed)

            def draw(concept: str, rng: np.random.Generator = rng) -> Pixels:
                icons = self._icons[concept]
                return icons[int(rng.integers(len(icons)))].draw()

            yield seed, compose_scene(prompt, draw, rng, self._side)


BASELINES: dict[str, Callable[[Path], Painter]] = {"retrieval": Retrieval, "oracle": Oracle}


def _runs(seeds: Sequence[int]) -> list[tuple[int, int]]:
    """(first, how many) of each stretch of consecutive seeds, in order."""
    runs: list[tuple[int, int]] = []
    for seed in seeds:
        if runs and seed == sum(runs[-1]):
            runs[-1] = runs[-1][0], runs[-1][1] + 1
        else:
            runs.append((seed, 1))
    return runs


def _digest(data: Path) -> str:
    return hashlib.sha256((data / "manifest.jsonl").read_bytes()).hexdigest()
