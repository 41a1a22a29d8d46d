"""How fast the models are on this machine, measured once and remembered by their weights."""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sfumato.errors import StorageError
from sfumato.registry import cache_folder

if TYPE_CHECKING:
    from sfumato.clip import PictureTextModel, PictureTextSpec
    from sfumato.models import ModelSpec

__all__ = [
    "LookingSpeed",
    "Speed",
    "known_looking_speed",
    "known_speed",
    "measure_looking_speed",
    "measure_speed",
]

SPEED_PROMPT = "a red apple"
SPEED_SIDE = 1024  # pixels: the default picture
_PICTURES = 48  # a batch that keeps every core busy
_TEXTS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """How long one picture took here, by the weights it was measured with."""

    model_sha256: str
    seconds: float  # one picture of 1024x1024, the model already loaded
    cores: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LookingSpeed:
    """How fast a picture-text model looked and read here, by the weights it was measured with."""

    model_sha256: str
    pictures_per_s: float  # of 1024x1024, in a batch, the model already loaded
    texts_per_s: float  # of a few words, in a batch
    cores: int


def measure_speed(spec: ModelSpec) -> Speed:
    """Time one warm picture and remember it.

    Raises: what ``sfumato.generate`` raises.
    """
    from sfumato.generate import generate
    from sfumato.request import GenerationRequest

    request = GenerationRequest(
        prompt=SPEED_PROMPT, seed=1, model=spec.name, width=SPEED_SIDE, height=SPEED_SIDE
    )
    generate(request)  # loads the model and warms its kernels
    started = time.perf_counter()
    generate(request)
    speed = Speed(
        model_sha256=spec.sha256,
        seconds=round(time.perf_counter() - started, 3),
        cores=os.cpu_count() or 1,
    )
    _remember(spec.name, asdict(speed))
    return speed


def known_speed(spec: ModelSpec) -> Speed | None:
    """The last measurement on this machine, unless the weights have changed since."""
    with suppress(KeyError, TypeError):
        speed = Speed(**_read_speeds()[spec.name])
        return speed if speed.model_sha256 == spec.sha256 else None
    return None


def measure_looking_speed(model: PictureTextModel) -> LookingSpeed:
    """Time a warm batch of pictures and one of texts, and remember both.

    Raises: what the model raises.
    """
    import numpy as np

    picture = np.zeros((SPEED_SIDE, SPEED_SIDE, 4), np.uint8)
    middle = slice(SPEED_SIDE // 4, 3 * SPEED_SIDE // 4)
    picture[middle, middle] = (217, 38, 38, 255)
    pictures = [picture] * _PICTURES
    texts = [f"{SPEED_PROMPT} and {number} pears" for number in range(_TEXTS)]
    model.encode_pictures(pictures[:1])  # starts both halves and warms their kernels
    model.encode_texts(texts[:1])
    started = time.perf_counter()
    model.encode_pictures(pictures)
    looked = time.perf_counter()
    model.encode_texts(texts)
    speed = LookingSpeed(
        model_sha256=model.spec.sha256,
        pictures_per_s=round(_PICTURES / (looked - started), 1),
        texts_per_s=round(_TEXTS / (time.perf_counter() - looked), 1),
        cores=os.cpu_count() or 1,
    )
    _remember(_looking_key(model.spec), asdict(speed))
    return speed


def known_looking_speed(spec: PictureTextSpec) -> LookingSpeed | None:
    """The last measurement on this machine, unless the weights have changed since."""
    with suppress(KeyError, TypeError):
        speed = LookingSpeed(**_read_speeds()[_looking_key(spec)])
        return speed if speed.model_sha256 == spec.sha256 else None
    return None


def _looking_key(spec: PictureTextSpec) -> str:
    return f"picture-text/{spec.name}"  # no name of a model that draws holds a slash


def _speed_file() -> Path:
    return cache_folder() / "speed.json"


def _read_speeds() -> dict[str, Any]:
    try:
        values = json.loads(_speed_file().read_text("utf-8"))
    except (OSError, ValueError, StorageError):
        return {}  # never measured, or a cache that is damaged or has no place: measure again
    return values if isinstance(values, dict) else {}


def _remember(key: str, speed: dict[str, Any]) -> None:
    from sfumato.atomic import replacing

    speeds = {**_read_speeds(), key: speed}
    with suppress(OSError, StorageError):  # a cache that cannot be kept is measured again
        path = _speed_file()
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(speeds, indent=1), "utf-8")
