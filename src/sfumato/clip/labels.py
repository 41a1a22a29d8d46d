"""Zero-shot classification: which of these labels a picture shows, without training on them.

Source: Radford et al. 2021 (arXiv:2103.00020), section 3.1: a classifier made of label texts, and
section 3.1.4: several phrasings a label, averaged in the space of vectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sfumato.clip.base import PictureTextModel, PictureTextSpec
from sfumato.errors import RequestError

__all__ = [
    "TEMPLATES",
    "Guess",
    "check_labels",
    "classify",
    "embed_labels",
    "guesses",
    "probabilities",
]

MAX_LABELS = 10_000
MAX_LABEL_CHARACTERS = 300
# how flat pictures are named, after CLIP's own list of eighty for photographs
TEMPLATES = (
    "{}",
    "a {}",
    "a drawing of a {}",
    "an icon of a {}",
    "an emoji of a {}",
    "a flat illustration of a {}",
    "a sticker of a {}",
    "a cartoon {}",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """One label for one picture."""

    label: str
    probability: float  # among the labels given: they add up to 1
    cosine: float


def check_labels(labels: Sequence[str]) -> list[str]:
    """The labels without surrounding blanks, in their order.

    Raises: RequestError: fewer than two, one is empty or too long, or two are the same.
    """
    cleaned = [" ".join(label.split()) for label in labels]
    if any(not label for label in cleaned):
        raise RequestError("One of the labels is empty.", hint="Give words, parted by commas.")
    if len(cleaned) < 2:
        raise RequestError(
            "A choice needs two labels or more.", hint="For example: --labels cat,dog,bird"
        )
    if len(cleaned) > MAX_LABELS:
        raise RequestError(f"{len(cleaned):,} labels are more than {MAX_LABELS:,}.")
    seen: set[str] = set()
    for label in cleaned:
        if len(label) > MAX_LABEL_CHARACTERS:
            raise RequestError(
                f"The label {label[:30] + '...'!r} has {len(label):,} characters.",
                hint=f"Shorten it to {MAX_LABEL_CHARACTERS} or fewer.",
            )
        if label.casefold() in seen:
            raise RequestError(f"The label {label!r} is given twice.", hint="Leave one out.")
        seen.add(label.casefold())
    return cleaned


def embed_labels(
    labels: Sequence[str], model: PictureTextModel, templates: Sequence[str] = TEMPLATES
) -> NDArray[np.float32]:
    """One unit vector a label, (L, D): the mean of its phrasings."""
    texts = [template.format(label) for label in labels for template in templates]
    vectors = model.encode_texts(texts).reshape(len(labels), len(templates), -1).mean(axis=1)
    unit: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def probabilities(cosines: NDArray[np.float32], scale: float) -> NDArray[np.float64]:
    """(N, L) cosines to rows that add up to 1, with the model's learned scale."""
    logits = scale * cosines.astype(np.float64)
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: NDArray[np.float64] = odds / odds.sum(axis=1, keepdims=True)
    return shares


def classify(
    pictures: Sequence[NDArray[np.uint8]],
    labels: Sequence[str],
    model: PictureTextModel,
    templates: Sequence[str] = TEMPLATES,
) -> list[list[Guess]]:
    """For each (H, W, 4) uint8 picture every label, most probable first.

    Raises: RequestError: the labels are no choice (see ``check_labels``).
    """
    names = check_labels(labels)
    vectors = embed_labels(names, model, templates)
    return [guesses(row, names, vectors, model.spec) for row in model.encode_pictures(pictures)]


def guesses(
    picture: NDArray[np.float32],
    labels: Sequence[str],
    vectors: NDArray[np.float32],
    spec: PictureTextSpec,
) -> list[Guess]:
    """Every label for one picture's unit vector (D,), given the labels' (L, D) vectors."""
    cosines = vectors @ picture
    shares = probabilities(cosines[None], spec.logit_scale)[0]
    return [
        Guess(label=labels[i], probability=float(shares[i]), cosine=float(cosines[i]))
        for i in np.argsort(-shares, kind="stable")
    ]
