"""What choosing is worth: the best of several drawings by a ranker, by the judge, and by luck."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from sfumato import clip, models
from sfumato.clip.rank import Query, closeness, embed_query
from sfumato.generate import finish_sketch, sketch
from sfumato.models import spec_of
from sfumato.selection.one import mendable, worth
from sfumato.training.judge import Judge

from .naming import judge_pictures
from .prompts import Prompt
from .shape import without_emblem
from .statistics import estimate_mean

FIRST_SEED = 20_000  # away from those of the other figures
SIZES = (1, 2, 4, 8)  # best of how many
CANDIDATES = max(SIZES)
MOST_FINISHED = 3  # sketches of a choice that are finished at most, as ``sfumato.selection`` does

Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Candidates:
    """Eight drawings of each of P prompts, row by row, before and after finishing."""

    sketches: NDArray[np.uint8]  # (P * 8, s, s, 4)
    pictures: NDArray[np.uint8]  # (P * 8, side, side, 4)
    faulty: NDArray[np.int64]  # (P * 8,): 2 an error, 1 a warning, 0 clean
    subjects: Sequence[str]  # (P,) the words each prompt's sketches are compared with
    styles: Sequence[str]  # (P * 8,)
    model_sha256: str


def draw_candidates(prompts: Sequence[Prompt], model: str, side: int) -> Candidates:
    """Draw and finish eight candidates of each prompt, no seed twice.

    Raises: SfumatoError: the model is not there or cannot draw.
    """
    models.load(model)

    def draw(number: int) -> list[tuple[Any, ...]]:
        drawn = sketch(
            prompts[number].text,
            model=model,
            seed=FIRST_SEED + number * CANDIDATES,
            num_images=CANDIDATES,
            width=side,
            height=side,
            threads=1,
        )
        finished = [finish_sketch(one) for one in drawn]
        return [
            (one.pixels[0], image.pixels, _severity(image.findings), one.plan)
            for one, image in zip(drawn, finished, strict=True)
        ]

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        rows = [
            row
            for rows in track(
                pool.map(draw, range(len(prompts))),
                "drawing",
                total=len(prompts),
                console=Console(stderr=True),
                transient=True,
            )
            for row in rows
        ]
    sketches, pictures, faulty, plans = zip(*rows, strict=True)
    return Candidates(
        sketches=np.stack(sketches),
        pictures=np.stack(pictures),
        faulty=np.array(faulty, np.int64),
        subjects=[plan.subject for plan in plans[::CANDIDATES]],
        styles=[plan.styles[0] for plan in plans],
        model_sha256=plans[0].model_sha256,
    )


def draw_or_read(prompts: Sequence[Prompt], model: str, side: int, kept: Path | None) -> Candidates:
    """``draw_candidates``, or what ``kept`` holds when it was drawn from the same by the same."""
    if kept is None:
        return draw_candidates(prompts, model, side)
    wanted = json.dumps([spec_of(model).sha256, side, [prompt.text for prompt in prompts]])
    if kept.exists():
        with np.load(kept) as archive:
            if str(archive["wanted"]) == wanted:
                return Candidates(
                    archive["sketches"],
                    archive["pictures"],
                    archive["faulty"],
                    [str(x) for x in archive["subjects"]],
                    [str(x) for x in archive["styles"]],
                    str(archive["model_sha256"]),
                )
    drawn = draw_candidates(prompts, model, side)
    kept.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        kept,
        wanted=np.array(wanted),
        sketches=drawn.sketches,
        pictures=drawn.pictures,
        faulty=drawn.faulty,
        subjects=np.array(drawn.subjects),
        styles=np.array(drawn.styles),
        model_sha256=np.array(drawn.model_sha256),
    )
    return drawn


def measure_choice(
    prompts: Sequence[Prompt], drawn: Candidates, judge: Judge, ranker: str | None
) -> Figures:
    """Accuracy and faults of what the ranker, the judge itself and luck would choose.

    Each prompt's eight candidates are one choice of eight, two of four, four of two and eight of
    one; the interval is over prompts.
    """
    expected = [prompt.concepts for prompt in prompts for _ in range(CANDIDATES)]
    shown = drawn.pictures.copy()
    for i, prompt in enumerate(p for p in prompts for _ in range(CANDIDATES)):
        if prompt.shape:
            shown[i] = without_emblem(shown[i])
    answers = judge_pictures(judge, shown, expected)
    shape = (len(prompts), CANDIDATES)
    right, top5 = answers.top1.reshape(shape), answers.top5.reshape(shape)
    faulty = drawn.faulty.reshape(shape)
    cosines = _closeness(drawn, ranker).reshape(shape)
    oracle = right + 0.1 * top5  # the judge's own first answer, then its first five

    blind = np.zeros(CANDIDATES, np.int64)  # the judge's own choice heeds no faults
    figures: Figures = {}
    for size in SIZES:
        ours = np.array([_picks(cosines[i], faulty[i], size) for i in range(len(prompts))])
        ceiling = np.array([_picks(worth, blind, size) for worth in oracle])
        figures[str(size)] = {
            "ranker": _accuracy(ours, right, top5, faulty),
            "judge": _accuracy(ceiling, right, top5, faulty),
        }
    every = np.tile(np.arange(CANDIDATES), (len(prompts), 1))
    gained = figures[str(CANDIDATES)]["ranker"]["top1"]["value"] - right.mean()
    room = figures[str(CANDIDATES)]["judge"]["top1"]["value"] - right.mean()
    best = np.array([_picks(cosines[i], faulty[i], CANDIDATES)[0] for i in range(len(prompts))])
    styles = np.array(drawn.styles).reshape(shape)[np.arange(len(prompts)), best]
    names, counts = np.unique(styles, return_counts=True)
    return {
        "prompts": len(prompts),
        "candidates": CANDIDATES,
        "luck": _accuracy(every, right, top5, faulty),
        "best_of": figures,
        "share_of_the_room": None if room <= 0 else round(float(gained / room), 4),
        "styles_of_best_of_8": {str(n): int(c) for n, c in zip(names, counts, strict=True)},
    }


def _accuracy(
    picks: NDArray[np.intp],
    right: NDArray[np.float64],
    top5: NDArray[np.float64],
    faulty: NDArray[np.int64],
) -> Figures:
    """Figures of the (P, choices) picked candidates; ``gain`` is against every candidate."""
    rows, prompts = np.arange(len(picks))[:, None], np.arange(len(picks))
    owner = np.repeat(prompts, picks.shape[1])
    gain = right[rows, picks].mean(axis=1) - right.mean(axis=1)  # (P,): paired by prompt
    return {
        "top1": asdict(estimate_mean(right[rows, picks].ravel(), owner)),
        "top5": asdict(estimate_mean(top5[rows, picks].ravel(), owner)),
        "faulty": asdict(estimate_mean((faulty[rows, picks] > 0).ravel(), owner)),
        "gain_top1": asdict(estimate_mean(gain)),
    }


def _picks(
    worth: NDArray[np.floating[Any]],
    faulty: NDArray[np.int64],
    size: int,
) -> list[int]:
    """Which of the eight each choice of ``size`` takes, as ``sfumato.selection`` decides it: the
    worthiest that is clean among the first three, else the mildest of them."""
    picks = []
    for start in range(0, CANDIDATES, size):
        own = start + np.argsort(-worth[start : start + size], kind="stable")[:MOST_FINISHED]
        picks.append(int(own[np.argmin(faulty[own])]))  # the first among equals
    return picks


def _closeness(drawn: Candidates, ranker: str | None) -> NDArray[np.float64]:
    """What ``sfumato.selection`` orders every sketch by, given its own prompt's subject."""
    model = clip.load(ranker)
    parts = []
    for i, subject in enumerate(drawn.subjects):
        own = list(drawn.sketches[i * CANDIDATES : (i + 1) * CANDIDATES])
        cosines = closeness(own, embed_query(Query(subject=subject), model), model)
        worths = [worth(float(c), pixels) for c, pixels in zip(cosines, own, strict=True)]
        parts.append(np.array(worths))
    return np.concatenate(parts)


def _severity(findings: Sequence[Any]) -> int:
    """0 where nothing that a seed may mend is wrong; else the more, the more and worse there is.

    Ordered as ``sfumato.selection`` orders candidates: errors first, then warnings, then notes.
    """
    count = Counter(finding.severity for finding in mendable(findings))
    if not count["error"] and not count["warning"]:
        return 0
    return 10_000 * count["error"] + 100 * count["warning"] + count["note"]
