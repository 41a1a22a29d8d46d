"""Lettering, read by optical character recognition: what was asked must read back, nothing else.

The reader is RapidOCR (the ``[ocr]`` extra; PP-OCR models inside, no network), and it sees letters
in much that is none: a drawn circle is an "O" at 0.8, a row of windows "LLL" at 0.99. So only
confident readings of two different characters count as lettering, and less confident ones of three,
set in a line, as garbled.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from sfumato.checks.demands import asked_lettering
from sfumato.checks.look import Look
from sfumato.errors import MissingExtraError
from sfumato.request import Finding
from sfumato.wording import listed

__all__ = ["Reading", "misread_lettering", "read_lettering", "stray_lettering"]

_SIDE = 736  # pixels: what the text detector works at
_SURE = 0.95  # score from which a reading of several characters is lettering
_LEGIBLE = 0.7  # score from which asked lettering counts as readable
_GARBLED = 0.7  # score from which something is lettering at all
_LONG = 1.5  # width over height of what could be a word
_PALE = 150  # mean lightness, of 255, from which a clear drawing is read on a dark ground

# Characters that differ by nothing but their size or a hair: a lone "o" is an "O" is a "0".
_TWINS = str.maketrans("0oOcCsSuUvVwWxXzZkKpPlI1|!’‘“”", "OOOCCSSUUVVWWXXZZKKPPIIIII''\"\"")

_reading = threading.Lock()  # the reader keeps state between its stages


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One line of lettering."""

    text: str
    score: float  # 0..1, the reader's own confidence
    box: tuple[int, int, int, int]  # in the picture's pixels


_known: WeakKeyDictionary[Look, list[Reading]] = WeakKeyDictionary()  # two checks read a picture


def misread_lettering(look: Look) -> list[Finding]:
    """The lettering that the words ask for does not read back; says nothing where they ask none."""
    wanted = () if look.asked is None else asked_lettering(look.asked.prompt)
    if not wanted:
        return []
    lines = [line for line in read_lettering(look) if line.score >= _LEGIBLE]
    read = " ".join(line.text for line in lines)
    missing = [text for text in wanted if _folded(text) not in _folded(read)]
    if missing:
        asked = listed(repr(text) for text in missing)
        seen = f"it reads {read!r}" if read else "no lettering can be read"
        box = _around(lines) if lines else None
        message = f"Asked for the lettering {asked}, but {seen}."
        return [Finding(check="misread_lettering", severity="error", message=message, box=box)]
    if sum(map(len, map(_folded, wanted))) < len(_folded(read)):
        message = f"Besides the asked lettering it reads more: {read!r}."
        return [
            Finding(
                check="misread_lettering", severity="warning", message=message, box=_around(lines)
            )
        ]
    return []


def stray_lettering(look: Look) -> list[Finding]:
    """Lettering that nobody asked for, readable or garbled."""
    wanted = () if look.asked is None else asked_lettering(look.asked.prompt)
    asked = {_folded(text) for text in wanted}
    findings = []
    for line in read_lettering(look):
        different = len({character for character in line.text if character.isalnum()})
        if any(_folded(line.text) in text or text in _folded(line.text) for text in asked):
            continue
        left, top, right, bottom = line.box
        in_line = right - left >= _LONG * (bottom - top)
        if line.score >= _SURE and different >= 2:
            message = f"Lettering that nobody asked for: {line.text!r}."
        elif _GARBLED <= line.score < _SURE and different >= 3 and in_line:
            message = f"Garbled lettering, something like {line.text!r}."
        else:
            continue
        findings.append(
            Finding(
                check="stray_lettering",
                severity="warning",
                message=message,
                box=line.box,
                measure=line.score,
            )
        )
    return findings


def read_lettering(look: Look) -> list[Reading]:
    """Every line that the reader sees in a picture, in reading order; read once a ``Look``.

    Raises: MissingExtraError: the ``[ocr]`` extra is not installed.
    """
    if look not in _known:
        _known[look] = _read(look)
    return _known[look]


def _read(look: Look) -> list[Reading]:
    ground = (255, 255, 255)
    if look.transparent and look.drawn.any():
        light = float(look.small[..., :3][look.drawn].mean())
        ground = (24, 24, 24) if light >= _PALE else ground
    picture = look.on(ground, _SIDE)
    with _reading:
        output: Any = _reader()(np.ascontiguousarray(picture[..., ::-1]))  # it expects BGR
    if output.boxes is None or output.txts is None:
        return []
    down, across = look.height / picture.shape[0], look.width / picture.shape[1]
    readings = []
    for corners, text, score in zip(output.boxes, output.txts, output.scores, strict=True):
        (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
        box = (
            max(0, int(left * across)),
            max(0, int(top * down)),
            min(look.width, int(np.ceil(right * across))),
            min(look.height, int(np.ceil(bottom * down))),
        )
        readings.append(Reading(text=text.strip(), score=float(score), box=box))
    return readings


@lru_cache(maxsize=1)
def _reader() -> Any:
    """The reader, loaded once: half a second."""
    if find_spec("rapidocr") is None:
        raise MissingExtraError("Reading lettering", "ocr")
    from rapidocr import RapidOCR

    return RapidOCR(params={"Global.log_level": "error"})


def _folded(text: str) -> str:
    """The text without blanks, and with one character for those that look alike."""
    return "".join(text.split()).translate(_TWINS)


def _around(lines: Sequence[Reading]) -> tuple[int, int, int, int]:
    boxes = np.array([line.box for line in lines])
    left, top = boxes[:, :2].min(axis=0).tolist()
    right, bottom = boxes[:, 2:].max(axis=0).tolist()
    return left, top, right, bottom
