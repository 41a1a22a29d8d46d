"""Measure a picture-text model on packs that it never saw, beside a closed-form baseline.

    python evals/looking.py --model sguardo --train-data data/full --judge data/judge

**Naming**: every picture of OpenMoji, EmojiOne v1 and Noto v1 against all subjects' names, on
several grounds and after common damage. **Finding**: pictures that were held out of training, by
their names and the other way round. **Colours**: held-out glyphs in eight colours, against the
eight captions. The baseline is the judge's method (gradient histograms and linear discriminants in
closed form) fitted to the same training pictures; it names subjects by their pictures, not words.

Prints one JSON line and adds it to ``benchmarks/results/looking.jsonl``.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from measures.record import ROOT, append_record, make_record
from measures.statistics import estimate_mean
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from sfumato import clip
from sfumato.clip import PictureTextModel
from sfumato.clip.calibration import calibration_of
from sfumato.errors import SfumatoError
from sfumato.training.corpus import Corpus, read_corpus
from sfumato.training.data.pictures import find_duplicates, make_fingerprints
from sfumato.training.judge import describe, fit_discriminants
from sfumato.training.picture_text import QUESTIONS, split_corpus

RESULTS = ROOT / "benchmarks" / "results" / "looking.jsonl"
COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown")
PAINT = ("#d92626", "#f28c1e", "#f5d327", "#2e9e45", "#2a62d6", "#8033b3", "#f27fb2", "#7a4a26")
_TWIN = 0.04  # fingerprint distance below which two pictures are one drawing

Pixels = NDArray[np.uint8]


def on_ground(rgb: tuple[int, int, int]) -> Callable[[Pixels], Pixels]:
    """Set a picture on an opaque ground."""

    def change(pixels: Pixels) -> Pixels:
        ground = Image.new("RGBA", pixels.shape[1::-1], (*rgb, 255))
        ground.alpha_composite(Image.fromarray(pixels))
        return np.asarray(ground)

    return change


def compressed(pixels: Pixels) -> Pixels:
    """On white, through JPEG at quality 30, at four times the size it has."""
    white = Image.fromarray(on_ground((255, 255, 255))(pixels)).convert("RGB")
    buffer = io.BytesIO()
    white.resize((256, 256), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=30)
    return np.asarray(Image.open(buffer).convert("RGBA"))


def blurred(pixels: Pixels) -> Pixels:
    """Softened with a radius of 1.5 of its 64 pixels."""
    image = Image.fromarray(pixels).convert("RGBa").filter(ImageFilter.GaussianBlur(1.5))
    return np.asarray(image.convert("RGBA"))


def small_in_a_corner(pixels: Pixels) -> Pixels:
    """At half its size in a corner of a canvas with three times its area, on white."""
    canvas = Image.new("RGBA", (112, 80), (255, 255, 255, 255))
    half = Image.fromarray(pixels).convert("RGBa").resize((32, 32), Image.Resampling.BOX)
    canvas.alpha_composite(half.convert("RGBA"), (70, 6))
    return np.asarray(canvas)


CHANGES: dict[str, Callable[[Pixels], Pixels]] = {
    "transparent": lambda pixels: pixels,
    "white": on_ground((255, 255, 255)),
    "black": on_ground((0, 0, 0)),
    "sky blue": on_ground((120, 190, 240)),
    "mirrored": lambda pixels: np.ascontiguousarray(pixels[:, ::-1]),
    "jpeg 30": compressed,
    "blurred": blurred,
    "small in a corner": small_in_a_corner,
}


def ask(model: PictureTextModel, subjects: Sequence[str]) -> NDArray[np.float32]:
    """(S, D) unit vectors: each subject's name in every phrasing, averaged."""
    texts = [question.format(subject) for subject in subjects for question in QUESTIONS]
    vectors = model.encode_texts(texts).reshape(len(subjects), len(QUESTIONS), -1).mean(axis=1)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def measure_naming(model: PictureTextModel, judge: Corpus, trained: Pixels) -> dict[str, Any]:
    """Top 1 and top 5 over all of the judge's subjects: by pack, by ground, by damage."""
    subjects = sorted({row["concept"] for row in judge.rows})
    number = {subject: i for i, subject in enumerate(subjects)}
    labels = np.array([number[row["concept"]] for row in judge.rows])
    packs = np.array([row["pack"] for row in judge.rows])
    asked = ask(model, subjects)
    twins = find_duplicates(make_fingerprints(np.concatenate([trained, judge.pictures])), _TWIN)
    fresh = np.array([len(trained) + i not in twins for i in range(len(labels))])
    figures: dict[str, Any] = {
        "subjects": len(subjects),
        "pictures": len(labels),
        "twins of training pictures": int((~fresh).sum()),
    }
    for name, change in CHANGES.items():
        seen = model.encode_pictures([change(picture) for picture in judge.pictures])
        ranks = rank_of_own(seen @ asked.T, labels)
        figures[name] = shares(ranks, (1, 5))
        if name in ("transparent", "white"):
            figures[name]["without twins"] = shares(ranks[fresh], (1, 5))
            for pack in sorted(set(packs)):
                figures[name][str(pack)] = shares(ranks[packs == pack], (1, 5))
    return figures


def measure_finding(model: PictureTextModel, kept: Corpus) -> dict[str, Any]:
    """Held-out pictures by name and names by held-out picture: R@1, 5 and 10."""
    subjects = sorted({row["concept"] for row in kept.rows})
    number = {subject: i for i, subject in enumerate(subjects)}
    labels = np.array([number[row["concept"]] for row in kept.rows])
    asked = ask(model, subjects)
    figures: dict[str, Any] = {"pictures": len(labels), "subjects": len(subjects)}
    for name in ("transparent", "white"):
        seen = model.encode_pictures([CHANGES[name](picture) for picture in kept.pictures])
        cosines = seen @ asked.T  # (N, S)
        order = np.argsort(-cosines, axis=0, kind="stable")  # (N, S): pictures, best first
        first = (labels[order] == np.arange(len(subjects))).argmax(axis=0)
        figures[name] = {
            "text to picture": shares(first, (1, 5, 10)),
            "picture to text": shares(rank_of_own(cosines, labels), (1, 5, 10)),
        }
    return figures


def measure_colours(model: PictureTextModel, kept: Corpus) -> dict[str, Any]:
    """Held-out one-colour glyphs, painted in eight colours: the right one of eight captions."""
    right = []
    for row, picture in zip(kept.rows, kept.pictures, strict=True):
        if row["style"] != "glyph":
            continue
        texts = model.encode_texts([f"a {colour} {row['concept']}" for colour in COLOURS])
        painted = []
        for colour in PAINT:
            copy = picture.copy()
            copy[..., :3] = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
            painted.append(copy)
        named = (model.encode_pictures(painted) @ texts.T).argmax(axis=1)
        right.append(named == np.arange(len(COLOURS)))
    return {"glyphs": len(right), "right": asdict(estimate_mean(np.concatenate(right)))}


def measure_baseline(learnt: Corpus, judge: Corpus) -> dict[str, Any]:
    """The closed form on the training pictures of the judge's subjects; top 1 and top 5."""
    subjects = sorted({row["concept"] for row in judge.rows})
    number = {subject: i for i, subject in enumerate(subjects)}
    chosen = [i for i, row in enumerate(learnt.rows) if row["concept"] in number]
    own = np.array([number[learnt.rows[i]["concept"]] for i in chosen])
    random = np.random.default_rng(0)
    pictures = learnt.pictures[chosen]
    features = np.concatenate([describe(pictures), *(describe(pictures, random) for _ in range(4))])
    labels = np.tile(own, 5)
    known = np.unique(labels)  # a subject that no training pack draws has no prototype
    place = np.searchsorted(known, labels)
    mean, projection = fit_discriminants(features, place)

    def embed(described: NDArray[np.float32]) -> NDArray[np.float32]:
        vectors = (described - mean) @ projection
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)

    embedded = embed(features)
    sums = np.zeros((len(known), embedded.shape[1]), np.float32)
    np.add.at(sums, place, embedded)
    prototypes = np.full((len(subjects), embedded.shape[1]), 0, np.float32)
    prototypes[known] = sums / np.linalg.norm(sums, axis=1, keepdims=True)
    both = embed(describe(judge.pictures)) + embed(describe(judge.pictures[:, :, ::-1]))
    wanted = np.array([number[row["concept"]] for row in judge.rows])
    ranks = rank_of_own(both @ prototypes.T, wanted)
    packs = np.array([row["pack"] for row in judge.rows])
    figures = {str(p): shares(ranks[packs == p], (1, 5)) for p in sorted(set(packs))}
    return {"training pictures": len(chosen), **shares(ranks, (1, 5)), **figures}


def rank_of_own(scores: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """(N, S) scores and (N,) right answers: how many others score higher, (N,)."""
    own = scores[np.arange(len(labels)), labels]
    return (scores > own[:, None]).sum(axis=1)


def shares(ranks: NDArray[np.int64], marks: Sequence[int]) -> dict[str, Any]:
    """The share of ranks below each mark, with the interval of the first."""
    found: dict[str, Any] = {f"@{mark}": round(float((ranks < mark).mean()), 4) for mark in marks}
    estimate = estimate_mean((ranks < marks[0]).astype(np.float64))
    found["interval"] = [round(estimate.low, 4), round(estimate.high, 4)]
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default=clip.DEFAULT_MODEL)
    parser.add_argument("--train-data", type=Path, required=True, help="what the model learnt from")
    parser.add_argument("--judge", type=Path, required=True, help="packs it never saw")
    parser.add_argument("--results", type=Path, default=RESULTS)
    asked = parser.parse_args(arguments)
    try:
        model = clip.load(asked.model)
        learnt, kept = split_corpus(read_corpus(asked.train_data, None))
        judge = read_corpus(asked.judge, None)
        figures: dict[str, Any] = {
            "model": {"name": model.spec.name, "sha256": model.spec.sha256},
            "naming": measure_naming(model, judge, learnt.pictures),
            "finding": measure_finding(model, kept),
            "colours": measure_colours(model, kept),
            "baseline": measure_baseline(learnt, judge),
        }
    except SfumatoError as error:
        print(error.one_line(), file=sys.stderr)
        return error.exit_code
    calibration = calibration_of(model)
    figures["calibration"] = None if calibration is None else calibration.to_sheet()
    command = "python evals/looking.py --train-data data/full --judge data/judge"
    record = make_record("looking", command, figures)
    append_record(record, asked.results)
    print(json.dumps(record, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
