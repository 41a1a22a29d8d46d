"""Measure how often a synonym finds its subject, by the temperature that drawing starts from.

    python evals/temperature.py --train-data data/curated

Draws synonyms from the captions of the training pictures, in those pictures' styles, as far as the
latents, and looks which training picture lies nearest: right is any that has the caption. Prints
one JSON line and adds it to ``benchmarks/results/temperature.jsonl``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measures.record import ROOT, append_record, make_record
from numpy.typing import NDArray

from sfumato.backends import onnx
from sfumato.diffusion import sample, starting_noise
from sfumato.models.catalogue import WEIGHTS
from sfumato.plan import make_plan
from sfumato.request import GenerationRequest
from sfumato.training.corpus import Corpus, read_corpus
from sfumato.training.warm_start import load_shipped
from sfumato.training.whole_picture import pictures_to_planes

RESULTS = ROOT / "benchmarks" / "results" / "temperature.jsonl"
TEMPERATURES = (1.0, 0.7, 0.5, 0.3)


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--train-data", type=Path, required=True, help="what the model saw")
    parser.add_argument("--captions", type=int, default=400)
    parser.add_argument("--results", type=Path, default=RESULTS)
    asked = parser.parse_args(arguments)
    corpus, model = read_corpus(asked.train_data), onnx.load("chiaro")
    _, basis, _ = load_shipped(WEIGHTS / "chiaro", corpus.styles)
    known = basis.encode(torch.from_numpy(pictures_to_planes(corpus.pictures))).numpy()
    orders = synonyms(corpus, asked.captions)
    figures: dict[str, Any] = {"model_sha256": model.spec.sha256, "captions": len(orders)}
    figures["right"] = {
        str(value): share_right(model, corpus, known, orders, value) for value in TEMPERATURES
    }
    command = f"python evals/temperature.py --train-data data/curated --captions {len(orders)}"
    record = make_record("temperature", command, figures)
    append_record(record, asked.results)
    print(json.dumps(record, ensure_ascii=False))
    return 0


def synonyms(corpus: Corpus, count: int) -> list[tuple[str, str]]:
    """(caption, style), at most ``count``, each a picture's word that is not its own name."""
    every = sorted(
        {
            (caption, row["style"])
            for row in corpus.rows
            for caption in row["captions"]
            if caption != row["concept"]
        }
    )
    chosen = np.random.default_rng(0).permutation(len(every))[:count]
    return [every[at] for at in chosen]


def share_right(
    model: onnx.OnnxModel,
    corpus: Corpus,
    known: NDArray[np.float32],
    orders: Sequence[tuple[str, str]],
    temperature: float,
) -> float:
    """Of the drawings, those nearest to a training picture that has the caption they were asked by.

    ``known`` is (N, K), the latents of the corpus's pictures.
    """
    right = 0
    for seed, (caption, style) in enumerate(orders):
        request = GenerationRequest(prompt=caption, style=style, seed=seed, temperature=temperature)
        nearest = ((known - latents(model, request)) ** 2).sum(axis=1).argmin()
        row = corpus.rows[int(nearest)]
        right += caption in (row["concept"], *row["captions"])
    return right / len(orders)


def latents(model: onnx.OnnxModel, request: GenerationRequest) -> NDArray[np.float32]:
    """What ``request`` is drawn to, (K,), before it is decoded; one thing at a time."""
    plan = make_plan(request, model.spec).drawings[0]
    cond = model.encode_prompt(plan)
    start, rngs = starting_noise(plan, model.spec.latent_shape)
    drawn = sample(
        lambda x, sigma: model.denoise(x, sigma, cond, plan.guidance_scale),
        start,
        sampler=plan.sampler,
        scheduler=plan.scheduler,
        num_inference_steps=plan.num_inference_steps,
        rngs=rngs,
        on_step=lambda *_: None,
    )
    return drawn[0]


if __name__ == "__main__":
    raise SystemExit(main())
