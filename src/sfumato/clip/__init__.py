"""Pictures and words in one space: embedding, ranking, search, labels, description, questions."""

from __future__ import annotations

import threading
from pathlib import Path

from sfumato.clip.base import PictureTextModel, PictureTextSpec
from sfumato.registry import PICTURE_TEXT_MODELS, Entry

__all__ = ["DEFAULT_MODEL", "PictureTextModel", "PictureTextSpec", "load"]

DEFAULT_MODEL = "sguardo"

_loaded: dict[str, PictureTextModel] = {}
_lock = threading.Lock()
# a public checkpoint on disk: read by the optional torch backend
_CHECKPOINT = Entry(name="checkpoint", target="sfumato.backends.torch.clip:load")


def load(name: str | None = None) -> PictureTextModel:
    """A picture-text model by its registry name, or a checkpoint by its path; kept warm.

    Raises:
        ModelError: there is no such model, or its files are damaged.
        MissingExtraError: a checkpoint needs the ``[torch]`` extra.
    """
    name = name or DEFAULT_MODEL
    with _lock:
        if name not in _loaded:
            is_path = name not in PICTURE_TEXT_MODELS and Path(name).exists()
            entry = _CHECKPOINT if is_path else PICTURE_TEXT_MODELS.get(name)
            model: PictureTextModel = entry.resolve()(name)
            _loaded[name] = model
        return _loaded[name]
