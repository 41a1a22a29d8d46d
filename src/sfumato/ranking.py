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
from sfumato.clip.rank import Query, Ranked, closeness, colour_shares, embed_query, order
from sfumato.errors import RequestError
from sfumato.pictures import read_picture
from sfumato.prompt import parse_prompt
from sfumato.request import check_text

__all__ = ["LOOKED_AT", "query_for", "rank"]

LOOKED_AT = 512  # pixels of the longer side that files are read at; models look at fewer
_BATCH = 32  # pictures in memory at once


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
    query = query_for(prompt)
    ranker = clip.load(model)
    words = embed_query(query, ranker)
    cosines, shares = [np.zeros(0, np.float32)], [np.zeros(0)]
    for start in range(0, len(pictures), _BATCH):
        batch = [_pixels_of(picture) for picture in pictures[start : start + _BATCH]]
        cosines.append(closeness(batch, words, ranker))
        shares.append(colour_shares(batch, query))
    return order(np.concatenate(cosines), np.concatenate(shares), query, ranker.spec)


def query_for(prompt: str) -> Query:
    """What pictures are compared with when somebody writes ``prompt``.

    Raises: RequestError: it is empty, too long, or no text.
    """
    if not check_text("The prompt", prompt).strip():
        raise RequestError(
            "The prompt is empty.", hint="Say what the pictures should show, such as: a red fox."
        )
    parsed = parse_prompt(prompt, models.spec_of(None))
    return Query(subject=parsed.subject, colour=parsed.tint)


def _pixels_of(picture: str | PathLike[str] | NDArray[np.uint8]) -> NDArray[np.uint8]:
    if not isinstance(picture, np.ndarray):
        return read_picture(Path(picture), longest=LOOKED_AT)
    if picture.ndim != 3 or picture.shape[2] != 4 or picture.dtype != np.uint8:
        raise RequestError(
            f"A picture has shape {picture.shape} and type {picture.dtype}.",
            hint="Give (height, width, 4) pixels of uint8.",
        )
    return picture
