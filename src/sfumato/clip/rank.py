"""Which of several pictures fits the words best, and a sentence that says why.

Two things are compared, each by what knows it best. The *subject* is a cosine between picture and
words in a picture-text model's space. The *colour* is counted on the pixels by our own names of
colours: an embedding that has seen many red foxes calls a blue fox close to "red fox", a count of
pixels does not.

The score is the softmax over the candidates of the model's learned scale times the cosine, each
candidate's odds multiplied by how far its colour agrees: a candidate's share of the evidence.
Source: Radford et al. 2021 (arXiv:2103.00020), section 2.3 for the scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sfumato.clip.appearance import measure
from sfumato.clip.base import PictureTextModel
from sfumato.clip.calibration import calibration_of
from sfumato.clip.labels import embed_labels
from sfumato.colours import basic_name, rgb_of
from sfumato.errors import ModelError

__all__ = ["Query", "Ranked", "closeness", "colour_shares", "embed_query", "order", "rank"]

_ENOUGH = 0.35  # of the drawing: a red fox keeps its white cheeks; the colour check's own limit
_LEAST = 0.02  # agreement of a drawing without any of the colour: it loses, but is not out
_DIGITS = 5  # of a logarithm of odds: closer than this is equal, whatever the batch rounded to


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What pictures are compared with."""

    subject: str  # the words for the picture-text model
    colour: str | None = None  # "#rrggbb" the drawing should have; None: any

    @property
    def colour_term(self) -> str | None:
        """The basic colour term that is counted on the pixels."""
        return None if self.colour is None else basic_name(rgb_of(self.colour))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """One candidate's place and the reasons for it."""

    index: int  # among the candidates, in the order they were given
    score: float  # 0..1; all candidates' scores add up to 1
    closeness: float  # cosine to the subject's words, -1..1
    match: float | None  # probability that it shows the subject; None: the model is not calibrated
    colour_share: float | None  # of the drawing in the asked colour, 0..1; None: none was asked
    why: str  # half a sentence for people


def rank(
    pictures: Sequence[NDArray[np.uint8]], query: Query, model: PictureTextModel
) -> list[Ranked]:
    """(H, W, 4) uint8 sRGB pictures with straight alpha, best first; equals keep their order.

    Raises: ModelError: the model's vectors hold something that is no number.
    """
    words = embed_query(query, model)
    return order(closeness(pictures, words, model), colour_shares(pictures, query), query, model)


def embed_query(query: Query, model: PictureTextModel) -> NDArray[np.float32]:
    """The subject's words as one unit vector (D,): the mean of several phrasings."""
    vector: NDArray[np.float32] = embed_labels([query.subject], model)[0]
    return vector


def closeness(
    pictures: Sequence[NDArray[np.uint8]], words: NDArray[np.float32], model: PictureTextModel
) -> NDArray[np.float32]:
    """Cosine of each of N pictures to ``words``, a unit vector (D,): (N,).

    Raises: ModelError: one of them is no number.
    """
    if not len(pictures):
        return np.zeros(0, np.float32)
    cosines: NDArray[np.float32] = model.encode_pictures(pictures) @ words
    if not np.isfinite(cosines).all():
        raise ModelError(
            f"The picture-text model {model.spec.name!r} gave a vector that is no number.",
            hint="Choose another, or install it again.",
        )
    return cosines


def colour_shares(pictures: Sequence[NDArray[np.uint8]], query: Query) -> NDArray[np.float64]:
    """How much of each drawing is in the asked colour, (N,) 0..1; all of it where any will do.

    The ground behind a drawing does not count.
    """
    term = query.colour_term
    if term is None:
        return np.ones(len(pictures))
    shares = np.zeros(len(pictures))
    for i, pixels in enumerate(pictures):
        shares[i] = sum(c.share for c in measure(pixels).colours if c.name == term)
    return shares


def order(
    cosines: NDArray[np.float32],
    shares: NDArray[np.float64],
    query: Query,
    model: PictureTextModel,
) -> list[Ranked]:
    """Rank N candidates by (N,) cosines and (N,) shares of the asked colour, best first."""
    if not len(cosines):
        return []
    agreement = np.log(np.clip(shares / _ENOUGH, _LEAST, 1.0))
    odds = np.round(model.spec.logit_scale * cosines.astype(np.float64) + agreement, _DIGITS)
    scores = np.exp(odds - odds.max())
    scores /= scores.sum()
    ranking = np.argsort(-odds, kind="stable")
    calibration = calibration_of(model)
    matches = None if calibration is None else calibration.match_probability(cosines)
    return [
        Ranked(
            index=int(i),
            score=float(scores[i]),
            closeness=float(cosines[i]),
            match=None if matches is None else float(matches[i]),
            colour_share=None if query.colour is None else float(shares[i]),
            why=_why(int(i), int(ranking[0]), cosines, shares, query),
        )
        for i in ranking
    ]


def _why(
    own: int,
    first: int,
    cosines: NDArray[np.float32],
    shares: NDArray[np.float64],
    query: Query,
) -> str:
    """``closest to “fox” (0.31, the others 0.24 to 0.29), 82% red``."""
    others = np.delete(cosines, own)
    is_closest = not len(others) or bool(cosines[own] >= others.max())
    if own != first or not len(others):
        reason = f"{cosines[own]:.2f} to “{query.subject}”"
    else:
        near = "closest" if is_closest else "close"
        reason = f"{near} to “{query.subject}” ({cosines[own]:.2f}, {_range(others)})"
    if query.colour is None:
        return reason
    if own == first and not is_closest:
        return f"{reason} and more {query.colour_term} ({shares[own]:.0%})"
    return f"{reason}, {shares[own]:.0%} {query.colour_term}"


def _range(others: NDArray[np.float32]) -> str:
    low, high = f"{others.min():.2f}", f"{others.max():.2f}"
    if len(others) == 1:
        return f"the other {low}"
    return f"the others {low}" if low == high else f"the others {low} to {high}"
