"""What a plant is, and the list of all of them."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfumato.checks import Look
from sfumato.request import GenerationPlan

Pixels = NDArray[np.uint8]  # (H, W, 4), straight alpha
Broken = Look | Sequence[Look] | None  # several: the last is broken; None: not on this picture
Breaker = Callable[["Sample", float, np.random.Generator], Broken]


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A clean picture: an icon that somebody drew, or a drawing that somebody accepted."""

    name: str
    source: str  # "icons" or "chiaro"
    pixels: Pixels
    caption: str  # what it shows, in words
    style: str
    plan: GenerationPlan | None = None  # chiaro's

    @property
    def free(self) -> bool:
        """Whether the drawing stands on a clear canvas, with no ground or emblem behind it."""
        clear = float((self.pixels[..., 3] < 128).mean())
        return clear > 0.1 and (self.plan is None or self.plan.emblem is None)

    def look(self, pixels: Pixels | None = None, **changes: Any) -> Look:
        """How the checks see it: with its plan, or one of the same picture where it has none."""
        pixels = self.pixels if pixels is None else pixels
        return Look(pixels, self.plan_with(pixels, **changes) if changes or self.plan else None)

    def plan_with(self, pixels: Pixels | None = None, **changes: Any) -> GenerationPlan:
        """The plan with some fields changed; sizes follow the pixels."""
        height, width = (self.pixels if pixels is None else pixels).shape[:2]
        fields: dict[str, Any] = {
            "prompt": self.caption,
            "negative_prompt": "",
            "subject": self.caption,
            "model": "icons",
            "model_sha256": "0" * 64,
            "seeds": (1,),
            "styles": (self.style,),
            "num_inference_steps": 1,
            "guidance_scale": 1.0,
            "sampler": "euler",
            "scheduler": "uniform",
            "background": "transparent",
        }
        if self.plan is not None:
            fields = {key: getattr(self.plan, key) for key in GenerationPlan.__dataclass_fields__}
        return GenerationPlan(**{**fields, "width": width, "height": height, **changes})


@dataclass(frozen=True, kw_only=True)
class Plant:
    """One way to break a picture, from barely to badly."""

    check: str  # the check that should speak
    name: str
    unit: str  # what a strength means
    strengths: tuple[float, ...]
    visible: float  # from this strength on people see it: recall counts from here
    make: Breaker
    trained: bool = False  # breaks training pictures of the built-in model, not clean ones


PLANTS: list[Plant] = []
# check -> why nothing is planted for it: it is only asked about clean pictures
UNPLANTED: dict[str, str] = {}
# check -> (clean pictures that are not clean in its eyes, why)
EXEMPT: dict[str, tuple[Callable[[Sample], bool], str]] = {}


def exempt(check: str, reason: str, predicate: Callable[[Sample], bool]) -> None:
    """Leave clean pictures out where what the check looks for is truly there."""
    EXEMPT[check] = predicate, reason


def unplanted(check: str, reason: str) -> None:
    """Count false alarms alone: what the check looks for cannot be made here."""
    UNPLANTED[check] = reason


def plant(
    check: str,
    name: str,
    *,
    unit: str,
    strengths: Sequence[float],
    visible: float,
    trained: bool = False,
) -> Callable[[Breaker], Breaker]:
    """Register a function ``(sample, strength, rng) -> Look | looks | None`` as a plant."""

    def keep(make: Breaker) -> Breaker:
        PLANTS.append(
            Plant(
                check=check,
                name=name,
                unit=unit,
                strengths=tuple(strengths),
                visible=visible,
                make=make,
                trained=trained,
            )
        )
        return make

    return keep


def load_themes() -> list[Plant]:
    """Import every theme beside this file, so that its plants are registered."""
    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
        importlib.import_module(f"planted.{module.name}")
    return PLANTS
