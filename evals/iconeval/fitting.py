"""Fit the judge of IconEval to rows of the judge packs, in closed form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfumato.evals.iconeval.judge import NONE, IconJudge, tile_of
from sfumato.evals.iconeval.prompts import Concept
from sfumato.evals.iconeval.shelf import read_rows
from sfumato.evals.shapes import describe, discriminants_of, label_means, unit
from sfumato.svg import render_svg

COPIES = 5  # varied copies of each picture, beside itself and its mirror image
BETWEEN_PACKS = 0.25  # weight of the scatter between drawings of one concept; copies have 1


@dataclass(frozen=True, slots=True)
class Examples:
    """The judge packs' pictures as features."""

    rows: Sequence[dict[str, Any]]
    features: NDArray[np.float32]  # (1 + copies + 1, N, D): itself, varied copies, mirrored
    labels: NDArray[np.str_]  # (N,) what the packs call it
    packs: NDArray[np.str_]  # (N,)

    def mask(self, packs: Sequence[str]) -> NDArray[np.bool_]:
        """The rows of some packs."""
        return np.isin(self.packs, packs)


def read_examples(folder: Path, seed: int = 0) -> Examples:
    """Render and describe every picture of the judge packs. A minute or two."""
    rows, tiles = [], []
    for row, svg in read_rows(folder):
        picture = render_svg(svg.encode(), longest=256)[0]
        solid = picture[..., 3] >= 128
        if solid.any():
            rows.append(row)
            tiles.append(tile_of(picture, solid))
    whole = np.stack(tiles)
    rng = np.random.default_rng(seed)
    varied = [describe(whole, rng) for _ in range(COPIES)]
    features = np.stack([describe(whole), *varied, describe(whole[:, :, ::-1])])
    labels = np.array([row["concept"] for row in rows])
    return Examples(rows, features, labels, np.array([row["pack"] for row in rows]))


def fit_judge(
    examples: Examples, chosen: NDArray[np.bool_], concepts: Sequence[Concept]
) -> IconJudge:
    """A judge from the ``chosen`` rows, not yet calibrated.

    Copies of one picture say what does not matter for certain; two packs' drawings of one concept
    say so too, but they are two or three, and weigh less.
    """
    features = examples.features[:, chosen]
    names, labels = np.unique(examples.labels[chosen], return_inverse=True)
    own = features.mean(axis=0)  # (N, D) of each picture
    inside = (features - own).reshape(-1, features.shape[2])
    means = label_means(own, labels)
    apart = own - means[labels]
    freedom = max(1, int((np.bincount(labels) - 1).sum()))
    within = inside.T @ inside / len(inside) + BETWEEN_PACKS * (apart.T @ apart) / freedom
    mean = own.mean(axis=0)
    projection = discriminants_of(mean, means, within)
    embedded = np.stack([unit(np.asarray((one - mean) @ projection)) for one in features])
    number = {label: i for i, concept in enumerate(concepts) for label in concept.labels}
    return IconJudge(
        mean=mean.astype(np.float32),
        projection=projection,
        prototypes=unit(label_means(embedded.mean(axis=0), labels).astype(np.float32)),
        owner=np.array([number.get(str(name), NONE) for name in names]),
        concepts=[concept.name for concept in concepts],
        sharpness=20.0,
        doubt=0.0,
        threshold=0.0,
    )
