"""Rank pictures that exist, files or arrays, against a prompt in the words people use.

The scene planner takes the prompt apart as it does for drawing: the subject goes to the
picture-text model, the colour to the count of pixels, and words that only say how to draw
("icon", "flat", "on a blue circle") to neither, since they fit every candidate alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sfumato import clip, models
from sfumato.clip import PictureTextModel
from sfumato.clip.rank import Query, Ranked, closeness, colour_shares, embed_query, order
from sfumato.errors import RequestError
from sfumato.pictures import read_picture
from sfumato.prompt import parse_prompt
from sfumato.prompt.vocabulary import PLAIN_NAMES
from sfumato.request import check_text

__all__ = ["LOOKED_AT", "Ranking", "query_for", "rank"]

LOOKED_AT = 512  # pixels of the longer side that files are read at; models look at fewer
_BATCH = 16  # pictures handed to the network together


def rank(
    prompt: str,
    pictures: Sequence[str | PathLike[str] | NDArray[np.uint8]],
    *,
    model: str | None = None,
) -> list[Ranked]:
    """Files, or (H, W, 4) uint8 sRGB pixels with straight alpha, best first.

    ``Ranked.index`` says which of ``pictures`` it is; equals keep their order. ``model`` is the
    picture-text model that compares, or a checkpoint's path.

    Raises:
        RequestError: the prompt is empty, or something is no picture.
        StorageError: a file cannot be read.
        ModelError: there is no such model, or it is damaged.
    """
    ranking = Ranking(prompt, clip.load(model))
    for picture in pictures:
        ranking.add(_pixels_of(picture))
    return ranking.result()


class Ranking:
    """A ranking that is fed one picture after another and keeps none of them."""

    def __init__(self, prompt: str, model: PictureTextModel) -> None:
        """Raises: RequestError: the prompt is empty."""
        self.query = query_for(prompt)
        self._model = model
        self._words = embed_query(self.query, model)
        self._waiting: list[NDArray[np.uint8]] = []
        self._cosines = [np.zeros(0, np.float32)]
        self._shares = [np.zeros(0)]

    def add(self, pixels: NDArray[np.uint8]) -> None:
        """One more candidate, (H, W, 4) uint8 sRGB with straight alpha."""
        self._waiting.append(pixels)
        if len(self._waiting) == _BATCH:
            self._compare()

    def result(self) -> list[Ranked]:
        """Every candidate so far, best first."""
        self._compare()
        cosines, shares = np.concatenate(self._cosines), np.concatenate(self._shares)
        return order(cosines, shares, self.query, self._model)

    def _compare(self) -> None:
        self._cosines.append(closeness(self._waiting, self._words, self._model))
        self._shares.append(colour_shares(self._waiting, self.query))
        self._waiting = []


def query_for(prompt: str) -> Query:
    """What pictures are compared with when somebody writes ``prompt``.

    Raises: RequestError: it is empty, too long, or no text.
    """
    if not check_text("The prompt", prompt).strip():
        raise RequestError(
            "The prompt is empty.", hint="Say what the pictures should show, such as: a red fox."
        )
    parsed = parse_prompt(prompt, models.spec_of(None))
    if parsed.scene is not None and len(parsed.scene.things) == 1:
        (thing,) = parsed.scene.things  # however many of it: the model that compares cannot count
        return Query(subject=thing.subject, colour=thing.tint)
    spoken = " ".join(prompt.lower().split())
    # the planner says "fox" to a model that was shown no other; here the whole name helps
    whole = (name for name, plain in PLAIN_NAMES.items() if plain == parsed.subject)
    subject = next((name for name in whole if name in spoken), parsed.subject)
    return Query(subject=subject, colour=parsed.tint)


def _pixels_of(picture: str | PathLike[str] | NDArray[np.uint8]) -> NDArray[np.uint8]:
    if not isinstance(picture, np.ndarray):
        return read_picture(Path(picture), longest=LOOKED_AT)
    if picture.ndim != 3 or picture.shape[2] != 4 or picture.dtype != np.uint8:
        raise RequestError(
            f"A picture has shape {picture.shape} and type {picture.dtype}.",
            hint="Give (height, width, 4) pixels of uint8.",
        )
    return picture
