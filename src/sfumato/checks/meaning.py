"""Does the picture show what was asked? Two questions to the picture-text model, both answered no.

The first is the calibrated one: are picture and words so far apart that a match is unlikely? A
cosine alone is easily low for a rare word, so the second compares: among common subjects, are
there many that this picture resembles more? Only then is it said, with what the picture looks
like instead. A model whose cosines nobody calibrated says nothing.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sfumato import clip
from sfumato.checks.look import Look
from sfumato.clip.calibration import Calibration, calibration_of
from sfumato.clip.labels import embed_labels
from sfumato.clip.vocabulary import subject_names
from sfumato.errors import SfumatoError
from sfumato.request import Finding

__all__ = ["references", "subject_mismatch"]

_REFERENCES = 500  # subjects that a picture is compared with
_UNLIKELY = 0.12  # probability of a match, if half of all pairs matched, below which it is none
_MANY = 0.2  # of the references resemble the picture more than the asked subject does
_INFORMATIVE = 0.2  # share of wrong texts that a calibration must catch to be worth asking
_LONGEST = 60  # characters of a subject that a message repeats


def subject_mismatch(look: Look) -> list[Finding]:
    """The picture does not look like the asked subject to the built-in picture-text model."""
    if look.asked is None or look.embedding is None or not look.drawn.any():
        return []
    calibration = _calibration()
    if calibration is None or calibration.mismatches_caught < _INFORMATIVE:
        return []
    subject = look.asked.subject
    own = _subject_vector(subject)
    cosine = float(own @ look.embedding)
    likely = float(calibration.match_probability(np.array([cosine], np.float32))[0])
    if likely >= _UNLIKELY:
        return []
    names, vectors = references()
    cosines = vectors @ look.embedding
    if (cosines > cosine).mean() < _MANY:
        return []
    best = int(cosines.argmax())
    shown = subject if len(subject) <= _LONGEST else subject[: _LONGEST - 1] + "…"
    return [
        Finding(
            check="subject_mismatch",
            severity="warning",
            message=f"Looks more like {names[best]!r} ({cosines[best]:.2f}) than {shown!r} "
            f"({cosine:.2f}).",
            box=look.box(look.drawn),
            measure=likely,
        )
    ]


@lru_cache(maxsize=1)
def references() -> tuple[tuple[str, ...], NDArray[np.float32]]:
    """(N,) common subjects and their (N, D) unit vectors: the shortest names, which are common.

    Embedded when a picture first is in doubt, a second's work.
    """
    names = sorted(subject_names(), key=lambda name: (name.count(" "), len(name), name))
    chosen = tuple(names[:_REFERENCES])
    return chosen, embed_labels(chosen, clip.load(), ("{}",))


@lru_cache(maxsize=1)
def _calibration() -> Calibration | None:
    """What the default model's cosines mean; None without a model or without a calibration."""
    try:
        return calibration_of(clip.load())
    except SfumatoError:
        return None


@lru_cache(maxsize=64)
def _subject_vector(subject: str) -> NDArray[np.float32]:
    """(D,) unit: the subject's words; one prompt is asked of many pictures."""
    vectors = embed_labels([subject], clip.load(), ("{}",))
    return vectors.reshape(-1)
