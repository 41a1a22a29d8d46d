"""Who writes descriptions and answers questions: our own measures, or a public model on disk."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfumato import clip
from sfumato.clip.base import PictureTextModel
from sfumato.clip.describe import Description, describe
from sfumato.clip.questions import Answer, ask
from sfumato.clip.vocabulary import Vocabulary, load_vocabulary
from sfumato.registry import PICTURE_TEXT_MODELS, Entry

__all__ = ["answerer", "describer"]

Pixels = NDArray[np.uint8]  # (H, W, 4), straight alpha

# public captioning and question-answering checkpoints: read by the optional torch backend, which
# answers None for a folder that holds another kind of model
_CAPTIONS = Entry(name="captions", target="sfumato.backends.torch.captions:load_describer")
_ANSWERS = Entry(name="answers", target="sfumato.backends.torch.captions:load_answerer")


def describer(model: str | None = None) -> Callable[[Pixels], Description]:
    """What turns a picture into a ``Description``.

    ``model`` is a picture-text model by name or path, or a folder with a captioning checkpoint.

    Raises: ModelError: there is no such model; MissingExtraError: it needs the torch extra.
    """
    own: Callable[[Pixels], Description] | None = _from_disk(_CAPTIONS, model)
    if own is not None:
        return own
    loaded = clip.load(model)
    vocabulary = load_vocabulary(loaded)
    return lambda pixels: describe(pixels, loaded, vocabulary)


def answerer(model: str | None = None) -> Callable[[Pixels, str], Answer]:
    """What answers a question about a picture; models load when a question needs them.

    Raises: as ``describer``.
    """
    own: Callable[[Pixels, str], Answer] | None = _from_disk(_ANSWERS, model)
    if own is not None:
        return own

    def loaded() -> PictureTextModel:
        return clip.load(model)

    @lru_cache(maxsize=1)
    def vocabulary() -> Vocabulary:
        return load_vocabulary(loaded())

    return lambda pixels, question: ask(pixels, question, loaded, vocabulary)


def _from_disk(entry: Entry, model: str | None) -> Any:
    """The checkpoint's own describer or answerer; None where ``model`` is of another kind."""
    if model is None or model in PICTURE_TEXT_MODELS or not Path(model).is_dir():
        return None
    return entry.resolve()(model)
