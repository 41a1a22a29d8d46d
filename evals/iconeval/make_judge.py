"""Fit, calibrate and measure the judge of IconEval; write ``judge.npz`` and ``validity.json``.

    python evals/iconeval/make_judge.py --data data/judge --foreign data/curated

Calibration and the ceiling on unseen drawings come from judges of two packs that look at scenes of
the third, each in turn. The judge that ships is fitted to all three; its ceiling on packs of other
houses comes from scenes of the packs in ``--foreign``.
"""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from choose_concepts import CONCEPTS
from fitting import Examples, fit_judge, read_examples
from numpy.typing import NDArray

from sfumato.evals.iconeval.judge import NONE, IconJudge, load_judge, tile_of
from sfumato.evals.iconeval.prompts import IconPrompt, load_concepts, load_prompts
from sfumato.evals.iconeval.scenes import compose_scene
from sfumato.evals.iconeval.scores import Judged, summarise
from sfumato.evals.iconeval.segment import CANVAS, cut_out, reduced
from sfumato.evals.iconeval.shelf import Icon, read_icons

FOREIGN = ("fluent-emoji-flat", "twemoji", "noto", "emojione")
THRESHOLD = 0.3  # as in GenEval
ICON = 192  # pixels; scenes are made at the size that the judge looks at
EVERY = 2  # of the prompts, for the ceilings
HEAPS = 120  # scenes of several subjects, taken whole as examples of "none", a pack


def scenes_of(
    shelf: dict[str, list[Icon]], prompts: tuple[IconPrompt, ...], seed: int
) -> Iterator[tuple[IconPrompt, NDArray[np.uint8]]]:
    """A scene of real icons for each prompt."""
    rng = np.random.default_rng(seed)

    def draw(concept: str) -> NDArray[np.uint8]:
        icons = shelf[concept]
        return icons[int(rng.integers(len(icons)))].draw(ICON)

    for prompt in prompts:
        yield prompt, compose_scene(prompt, draw, rng, CANVAS)


def tell_apart(
    judge: IconJudge, examples: Examples, pack: str, shelf: dict[str, list[Icon]]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Cosines to the prototypes for icons of one pack and for heaps of several, with the truth."""
    number = {label: i for i, c in enumerate(load_concepts()) for label in c.labels}
    rows = np.flatnonzero(examples.packs == pack)
    ways = [(examples.features[c][rows] - judge.mean) @ judge.projection for c in (0, -1)]
    units = [way / np.linalg.norm(way, axis=1, keepdims=True) for way in ways]
    icons = units[0] + units[1]
    truth = [number.get(str(examples.labels[i]), NONE) for i in rows]
    several = [p for p in load_prompts() if p.task in ("two", "counting")]
    heaps = []
    for _, scene in scenes_of(shelf, tuple(several[:HEAPS]), seed=5):
        cut = cut_out(reduced(scene))
        heaps.append(tile_of(cut, cut[..., 3] >= 128))
    embedded = np.concatenate([icons, judge.embed(np.stack(heaps))])
    embedded /= np.linalg.norm(embedded, axis=1, keepdims=True)
    return embedded, np.array(truth + [NONE] * len(heaps))


def calibrated(judge: IconJudge, seen: list[tuple[IconJudge, Any, Any]]) -> IconJudge:
    """Sharpness and doubt of the highest likelihood, concepts and "none" weighing alike.

    Chances that are right on unseen drawings can be held against GenEval's own threshold.
    """
    best, found = -np.inf, (20.0, 0.0)
    for sharpness in (8, 11, 15, 20, 26, 34, 45):
        for doubt in (-4.0, -3.0, -2.0, -1.5, -1.0, -0.5, 0.0, 0.5):
            likelihood = []
            for one, embedded, truth in seen:
                chances = replace(one, sharpness=sharpness, doubt=doubt).probabilities(embedded)
                hit = np.log(np.maximum(chances[np.arange(len(truth)), truth], 1e-6))
                likelihood.append(hit[truth != NONE].mean() + hit[truth == NONE].mean())
            if np.mean(likelihood) > best:
                best, found = float(np.mean(likelihood)), (float(sharpness), doubt)
    return replace(judge, sharpness=found[0], doubt=found[1], threshold=THRESHOLD)


def naming(judge: IconJudge, embedded: Any, truth: NDArray[np.int64]) -> dict[str, float]:
    """On single icons: the right name first, the right name and sure enough, and of other things
    the share that gets no name."""
    chances = judge.probabilities(embedded)[:, :-1]
    right, sure = chances.argmax(axis=1) == truth, chances.max(axis=1) >= judge.threshold
    own = truth != NONE
    return {
        "first": float(right[own].mean()),
        "named": float((right & sure)[own].mean()),
        "others_left_unnamed": float((~sure)[~own].mean()),
    }


def measure(judge: IconJudge, shelf: dict[str, list[Icon]], seed: int) -> dict[str, Any]:
    """Half of the prompts as scenes of real icons: share found right, and found right by luck."""
    judged = [
        Judged(prompt=prompt, seed=seed, subjects=judge.find_subjects(scene))
        for prompt, scene in scenes_of(shelf, load_prompts()[::EVERY], seed)
    ]
    figures = summarise(judged)
    named = [
        any(one.name == wanted.concept for one in picture.subjects)
        for picture in judged
        for wanted in picture.prompt.wanted
    ]
    return {
        "score": figures["score"],
        "floor": figures["floor"],
        "subjects_named": float(np.mean(named)),
        "tasks": {
            task: {key: own[key] for key in ("value", "low", "high", "count", "floor")}
            for task, own in figures["tasks"].items()
        },
    }


def packed(judge: IconJudge) -> bytes:
    """The weights as a compressed archive, int8 where nothing suffers."""
    scales = np.abs(judge.projection).max(axis=0) / 127
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        mean=judge.mean.astype(np.float16),
        projection=np.rint(judge.projection / scales).astype(np.int8),
        projection_scales=scales.astype(np.float32),
        prototypes=np.rint(judge.prototypes * (127 / np.abs(judge.prototypes).max())).astype(
            np.int8
        ),
        owner=judge.owner.astype(np.int16),
        concepts=np.array("\n".join(judge.concepts)),
        calibration=np.array([judge.sharpness, judge.doubt, judge.threshold]),
    )
    return buffer.getvalue()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the judge packs")
    parser.add_argument("--foreign", type=Path, required=True, help="packs of other houses")
    asked = parser.parse_args()
    concepts = load_concepts()
    examples = read_examples(asked.data)
    packs = sorted(set(examples.packs))
    shelves = {pack: read_icons(asked.data, concepts, [pack]) for pack in packs}
    partial = {pack: fit_judge(examples, examples.packs != pack, concepts) for pack in packs}
    seen = [
        (partial[pack], *tell_apart(partial[pack], examples, pack, shelves[pack])) for pack in packs
    ]
    judge = calibrated(fit_judge(examples, np.ones(len(examples.packs), bool), concepts), seen)
    data = packed(judge)
    CONCEPTS.with_name("judge.npz").write_bytes(data)
    judge = load_judge(io.BytesIO(data))  # what ships is what is measured
    validity: dict[str, Any] = {"unseen_drawings": {}, "foreign_packs": {}}
    for own, embedded, truth in seen:
        pack = packs[len(validity["unseen_drawings"])]
        own = replace(own, sharpness=judge.sharpness, doubt=judge.doubt, threshold=judge.threshold)
        validity["unseen_drawings"][pack] = {
            "icons": naming(own, embedded, truth),
            **measure(own, shelves[pack], seed=11),
        }
        print(pack, json.dumps(validity["unseen_drawings"][pack]), flush=True)
    for pack in FOREIGN:
        shelf = read_icons(asked.foreign, concepts, [pack])
        validity["foreign_packs"][pack] = measure(judge, shelf, seed=12)
        print(pack, json.dumps(validity["foreign_packs"][pack]), flush=True)
    validity |= {"threshold": judge.threshold, "packs": packs, "pictures": len(examples.rows)}
    text = json.dumps(validity, indent=1)
    CONCEPTS.with_name("validity.json").write_text(text + "\n", "utf-8")
    print(f"judge.npz: {len(data):,} bytes")


if __name__ == "__main__":
    main()
