"""sguardo, the built-in picture-text model, and models trained with ``sfumato train clip``.

The picture half is one small network, ``picture.onnx``, which looks at framed pictures of 64 px.
The text half is the encoder that chiaro reads prompts with and two learned layers,
``reading.onnx``; the encoder ships once, in chiaro's folder, and the sheet names its digests.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfumato.clip.base import PictureTextSpec
from sfumato.clip.calibration import Calibration
from sfumato.clip.sentences import SentenceEncoder, encoder_of
from sfumato.clip.sessions import open_session, run_session
from sfumato.errors import ModelError
from sfumato.models.catalogue import (
    WEIGHTS,
    read_sheet,
    sheet_identity,
    weight_bytes,
)
from sfumato.registry import own_picture_text_folder

TEXT_FILES = ("text.onnx", "vocab.txt")
TEXT_FOLDER = WEIGHTS / "chiaro"
_PART = 8  # pictures a thread takes at a time


def load(name: str) -> Sguardo:
    """Read, verify and start a picture-text model of ours, by its name.

    Raises: ModelError: a file is missing, truncated or changed.
    """
    built_in = WEIGHTS / name
    return Sguardo(built_in if built_in.is_dir() else own_picture_text_folder() / name)


class Sguardo:
    """Implements ``PictureTextModel``; ``calibration`` says what its cosines mean."""

    spec: PictureTextSpec
    calibration: Calibration | None

    def __init__(self, folder: Path) -> None:
        """Read and verify the model in ``folder``; each half starts when it is first needed."""
        self._sheet = read_sheet(folder)
        self.spec = _spec(folder.name, self._sheet)
        found = self._sheet.get("calibration")
        self.calibration = None if found is None else Calibration.from_sheet(found)
        self._network = weight_bytes(folder, self._sheet, "picture.onnx")
        self._reading = open_session(weight_bytes(folder, self._sheet, "reading.onnx"))

    def encode_pictures(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """N pictures, each (H, W, 4) uint8 sRGB with straight alpha and any size: (N, D) unit."""
        parts = [pictures[i : i + _PART] for i in range(0, len(pictures), _PART)]
        if not parts:
            return np.zeros((0, self.spec.dimensions), np.float32)
        session = self._picture
        if len(parts) == 1:
            return _look(session, parts[0])
        # framing and the network both release the interpreter lock
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            return np.concatenate(list(pool.map(lambda part: _look(session, part), parts)))

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """N texts: (N, D) unit float32. A text is cut after 24 tokens."""
        if not texts:
            return np.zeros((0, self.spec.dimensions), np.float32)
        return run_session(self._reading, sentences=self._sentences.encode_all(texts))

    @cached_property
    def _picture(self) -> Any:
        """The picture half, started: a search by words in an index may never need it."""
        return open_session(self._network)

    @cached_property
    def _sentences(self) -> SentenceEncoder:
        """The shared text encoder, which must be the one that the layers were trained with."""
        shipped = read_sheet(TEXT_FOLDER)
        digests = {name: shipped["files"][name]["sha256"] for name in TEXT_FILES}
        if self._sheet.get("text") != digests:
            raise ModelError(
                f"{self.spec.name!r} was trained with another text encoder than this sfumato has.",
                hint="Train it again with this version, or reinstall the version it came from.",
            )
        return encoder_of(TEXT_FOLDER, digests["text.onnx"], digests["vocab.txt"])


def _look(session: Any, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
    from sfumato.clip.framing import SIDE, frame  # loads the image library; words need none

    framed = np.stack([frame(picture, SIDE) for picture in pictures])  # (n, 64, 64, 4)
    return run_session(session, pictures=framed)


def _spec(name: str, sheet: dict[str, Any]) -> PictureTextSpec:
    try:
        return PictureTextSpec(
            name=name,
            summary=sheet["summary"],
            licence=sheet["licence"],
            sha256=sheet_identity(sheet),
            dimensions=int(sheet["dimensions"]),
            picture_size=int(sheet["picture_size"]),
            logit_scale=float(sheet["logit_scale"]),
            parameters=int(sheet["parameters"]),
            size_bytes=sum(entry["bytes"] for entry in sheet["files"].values()),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelError(
            f"The model.json of {name!r} is damaged ({error!r} is missing or wrong).",
            hint="Reinstall sfumato: pip install --force-reinstall sfumato",
        ) from None
