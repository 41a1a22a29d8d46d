"""Faces broken on purpose: what models that draw people get wrong, from barely to badly.

Every plant takes (H, W, 3) uint8 pixels around a face, where its eyes and its mouth are, a strength
and a random generator, and returns the broken pixels. It bends the picture or paints over it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["PLANTS", "Anatomy", "Plant"]

Pixels = NDArray[np.uint8]
Field = NDArray[np.float32]
Point = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Anatomy:
    """Where things are, in pixels."""

    right: Point  # the person's own right eye
    left: Point
    mouth: Point
    middle: Point

    @property
    def unit(self) -> float:
        """Eye distance."""
        return float(np.linalg.norm(self.left - self.right))

    @property
    def across(self) -> Point:
        """From the right eye to the left one, one pixel long."""
        return (self.left - self.right) / self.unit

    @property
    def down(self) -> Point:
        """From the eyes to the mouth, as far as that is at a right angle to ``across``."""
        x, y = self.across
        return np.array([-y, x])

    def eye(self, rng: np.random.Generator) -> Point:
        """One of the two."""
        return self.right if rng.random() < 0.5 else self.left


@dataclass(frozen=True, kw_only=True)
class Plant:
    """A defect, and how strong it is planted."""

    name: str
    unit: str
    strengths: tuple[float, ...]
    visible: float  # the strength from which people see it at once
    make: Callable[[Pixels, Anatomy, float, np.random.Generator], Pixels]


def _grid(picture: Pixels) -> tuple[Field, Field]:
    height, width = picture.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return x, y


def _bent(picture: Pixels, dx: Field, dy: Field) -> Pixels:
    """Every pixel is taken from (dx, dy) beside it."""
    x, y = _grid(picture)
    return np.asarray(
        cv2.remap(
            picture,
            (x + dx).astype(np.float32),
            (y + dy).astype(np.float32),
            cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REFLECT,
        )
    )


def _around(picture: Pixels, middle: Point, reach: float) -> Field:
    """1 near a point, 0 beyond ``reach``, smooth between."""
    x, y = _grid(picture)
    away = np.hypot(x - middle[0], y - middle[1]) / reach
    return 1 / (1 + np.exp(np.clip((away - 1) * 8, -30, 30)))


def _either(rng: np.random.Generator) -> float:
    return 1.0 if rng.random() < 0.5 else -1.0


def eye_moved(picture: Pixels, face: Anatomy, strength: float, rng: np.random.Generator) -> Pixels:
    """One eye higher or lower than the other."""
    window = _around(picture, face.eye(rng), 0.38 * face.unit)
    x, y = face.down * strength * face.unit * _either(rng)
    return _bent(picture, -window * x, -window * y)


def eye_enlarged(
    picture: Pixels, face: Anatomy, strength: float, rng: np.random.Generator
) -> Pixels:
    """One eye larger."""
    eye = face.eye(rng)
    window = _around(picture, eye, 0.42 * face.unit * strength**0.5) * (1 - 1 / strength)
    x, y = _grid(picture)
    return _bent(picture, -window * (x - eye[0]), -window * (y - eye[1]))


def eye_erased(picture: Pixels, face: Anatomy, strength: float, rng: np.random.Generator) -> Pixels:
    """Skin in place of an eye."""
    eye = face.eye(rng)
    inside = (_ellipse(picture, eye, face) < 1).astype(np.uint8)
    skin = cv2.inpaint(picture, inside, 5, cv2.INPAINT_TELEA)
    skin = cv2.GaussianBlur(skin, (0, 0), max(1.0, 0.03 * face.unit))
    window = cv2.GaussianBlur(inside.astype(np.float32), (0, 0), max(1.0, 0.02 * face.unit))
    return _mixed(picture, np.asarray(skin), np.asarray(window) * np.float32(strength))


def eye_too_many(
    picture: Pixels, face: Anatomy, strength: float, rng: np.random.Generator
) -> Pixels:
    """A third eye, on the cheek or on the forehead."""
    eye = face.eye(rng)
    place = eye + face.down * face.unit * (0.75 if rng.random() < 0.5 else -0.6)
    x, y = eye - place
    copy = _bent(picture, np.full(picture.shape[:2], x), np.full(picture.shape[:2], y))
    edge = np.clip((_ellipse(picture, place, face) - 1) * 6, -30, 30)
    return _mixed(picture, copy, np.float32(strength) / (1 + np.exp(edge)))


def mouth_moved(
    picture: Pixels, face: Anatomy, strength: float, rng: np.random.Generator
) -> Pixels:
    """The mouth to one side."""
    window = _around(picture, face.mouth, 0.55 * face.unit)
    x, y = face.across * strength * face.unit * _either(rng)
    return _bent(picture, -window * x, -window * y)


def mouth_turned(
    picture: Pixels, face: Anatomy, strength: float, rng: np.random.Generator
) -> Pixels:
    """The mouth turned in its place."""
    angle = _around(picture, face.mouth, 0.6 * face.unit) * np.deg2rad(strength) * _either(rng)
    x, y = _grid(picture)
    x, y = x - np.float32(face.mouth[0]), y - np.float32(face.mouth[1])
    c, s = np.cos(angle), np.sin(angle)
    return _bent(picture, c * x + s * y - x, -s * x + c * y - y)


def halves_apart(
    picture: Pixels, face: Anatomy, strength: float, rng: np.random.Generator
) -> Pixels:
    """One half of the face lower than the other, as if two were joined."""
    x, y = _grid(picture)
    side = (x - face.middle[0]) * face.across[0] + (y - face.middle[1]) * face.across[1]
    half = 1 / (1 + np.exp(np.clip(-side / (0.05 * face.unit), -30, 30)))
    window = _around(picture, face.middle, 1.2 * face.unit) * half
    x, y = face.down * strength * face.unit * _either(rng)
    return _bent(picture, -window * x, -window * y)


def melted(picture: Pixels, face: Anatomy, strength: float, rng: np.random.Generator) -> Pixels:
    """Everything out of its place at random, smoothly."""
    window = _around(picture, face.middle, 1.1 * face.unit)
    waves = []
    for _ in range(2):
        noise = rng.standard_normal(picture.shape[:2]).astype(np.float32)
        noise = np.asarray(cv2.GaussianBlur(noise, (0, 0), 0.28 * face.unit))
        waves.append(noise / noise.std() * strength * face.unit * window)
    return _bent(picture, waves[0], waves[1])


def _ellipse(picture: Pixels, middle: Point, face: Anatomy) -> Field:
    """Below 1 in an ellipse the size of an eye."""
    x, y = _grid(picture)
    x, y = x - middle[0], y - middle[1]
    along = (x * face.across[0] + y * face.across[1]) / (0.36 * face.unit)
    athwart = (x * face.down[0] + y * face.down[1]) / (0.22 * face.unit)
    return along * along + athwart * athwart


def _mixed(picture: Pixels, other: Pixels, share: Field) -> Pixels:
    mixed = picture * (1 - share[..., None]) + other * share[..., None]
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8)


_DISTANCES = "eye distances"

PLANTS = tuple(
    Plant(name=name, unit=unit, strengths=strengths, visible=visible, make=make)
    for name, unit, strengths, visible, make in (
        ("an eye moved up or down", _DISTANCES, (0.06, 0.12, 0.2, 0.3), 0.2, eye_moved),
        ("an eye enlarged", "times", (1.2, 1.4, 1.7, 2.2), 1.7, eye_enlarged),
        ("an eye painted over", "share", (0.4, 0.7, 1.0), 0.7, eye_erased),
        ("an eye too many", "", (1.0,), 1.0, eye_too_many),
        ("the mouth moved sideways", _DISTANCES, (0.1, 0.2, 0.3, 0.4), 0.2, mouth_moved),
        ("the mouth turned", "degrees", (10.0, 20.0, 30.0, 45.0), 20.0, mouth_turned),
        ("two halves that do not meet", _DISTANCES, (0.08, 0.15, 0.25, 0.35), 0.15, halves_apart),
        ("melted", f"{_DISTANCES}, deviation", (0.03, 0.06, 0.1, 0.15), 0.1, melted),
    )
)
