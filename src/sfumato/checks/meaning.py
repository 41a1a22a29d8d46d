"""Does the picture show what was asked? A question to the picture-text model, answered no.

A cosine alone says little: some words are close to every picture, and some pictures to every word.
So the asked subject is compared with what else this picture resembles, and a subject with many
near relatives must be closer than one that stands alone. How close a true match comes was measured
on pictures that the model never saw (``data/mismatch.json``, written by ``evals/mismatch.py``); a
model that nobody measured says nothing.
Source: Conneau et al. 2018, "Word Translation Without Parallel Data" (arXiv:1710.04087),
equation 7, with the names of a vocabulary as both neighbourhoods.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sfumato import clip
from sfumato.checks.look import Look
from sfumato.clip.calibration import Calibration
from sfumato.clip.labels import embed_labels
from sfumato.clip.vocabulary import Vocabulary, load_vocabulary
from sfumato.errors import SfumatoError
from sfumato.request import Finding

__all__ = ["MEASURED", "match_scores", "relatives", "subject_mismatch"]

MEASURED = Path(__file__).parent / "data" / "mismatch.json"
_RIVALS = 5  # names that a picture, or a subject, is closest to
_CROWD = 0.4  # how much a subject's own relatives count against the picture's
_INFORMATIVE = 0.2  # share of wrong subjects that a calibration must catch to be worth asking
_LONGEST = 60  # characters of a subject that a message repeats


def subject_mismatch(look: Look) -> list[Finding]:
    """The picture does not look like the asked subject to the built-in picture-text model."""
    if look.asked is None or look.embedding is None or not look.drawn.any():
        return []
    calibration = _calibration()
    if calibration is None or calibration.mismatches_caught < _INFORMATIVE:
        return []
    subject = look.asked.subject
    own, names = _subject_vector(subject), _names()
    score = match_scores(look.embedding[None], own[None], relatives(own[None], names), names)
    if score[0] >= calibration.doubtful_below:
        return []
    cosines = names.vectors @ look.embedding
    best = int(cosines.argmax())
    shown = subject if len(subject) <= _LONGEST else subject[: _LONGEST - 1] + "…"
    return [
        Finding(
            check="subject_mismatch",
            severity="warning",
            message=f"Looks more like {names.names[best]!r} ({cosines[best]:.2f}) than {shown!r} "
            f"({own @ look.embedding:.2f}).",
            box=look.box(look.drawn),
            measure=float(calibration.match_probability(score)[0]),
        )
    ]


def match_scores(
    pictures: NDArray[np.float32],
    subjects: NDArray[np.float32],
    kin: NDArray[np.float32],
    names: Vocabulary,
) -> NDArray[np.float32]:
    """How much closer each picture is to its subject than to what it resembles most; (N,).

    Args:
        pictures: (N, D) unit vectors.
        subjects: (N, D) unit vectors, one for each picture.
        kin: (N,) how close each subject's own relatives are, from ``relatives``.
        names: what pictures are compared with.
    """
    cosines = (pictures * subjects).sum(axis=1)
    rivals = np.partition(pictures @ names.vectors.T, -_RIVALS, axis=1)[:, -_RIVALS:].mean(axis=1)
    scores: NDArray[np.float32] = cosines - rivals - np.float32(_CROWD) * kin
    return scores


def relatives(subjects: NDArray[np.float32], names: Vocabulary) -> NDArray[np.float32]:
    """(N, D) unit vectors of words to (N,): the mean cosine to the next names but the nearest.

    The nearest is left out: of a subject in the vocabulary it is the subject itself.
    """
    nearest = np.sort(subjects @ names.vectors.T, axis=1)[:, -_RIVALS - 1 : -1]
    kin: NDArray[np.float32] = nearest.mean(axis=1)
    return kin


@lru_cache(maxsize=1)
def _names() -> Vocabulary:
    return load_vocabulary(clip.load())


@lru_cache(maxsize=1)
def _calibration() -> Calibration | None:
    """What the default model's scores mean; None without a model or where nobody measured it."""
    try:
        model = clip.load()
    except SfumatoError:
        return None
    measured = json.loads(MEASURED.read_text("utf-8"))
    if measured["model"] != model.spec.sha256:
        return None
    return Calibration.from_sheet(measured["calibration"])


@lru_cache(maxsize=64)
def _subject_vector(subject: str) -> NDArray[np.float32]:
    """(D,) unit: the subject in several phrasings; one prompt is asked of many pictures."""
    return embed_labels([subject], clip.load()).reshape(-1)
