"""What is odd about a face, measured on its landmarks and on the pixels around its eyes.

A face is nearly its own mirror image in space, however it is turned and lit. So nothing here knows
what a beautiful face is: the left half is compared with the right one, and what a model sees in
the picture with what it sees in the mirrored picture.

Landmarks are the 478 of MediaPipe's face mesh, (478, 3): x and y in pixels, z as deep as x is wide.
Lengths are in eye distances. Source: Kartynnik et al., "Real-time Facial Surface Geometry from
Monocular Video on Mobile GPUs" (2019), arXiv:1907.06724, for the mesh.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = [
    "LANDMARKS",
    "LEFT_EYE",
    "LIPS",
    "RIGHT_EYE",
    "Oddities",
    "eye_distance",
    "face_box",
    "measure_face",
    "turned_by",
]

LANDMARKS = 478

Points = NDArray[np.float64]

# landmarks of the right half and, in the same order, their mirror images (right: the person's own)
_EYE = (33, 133, 159, 145, 158, 153, 160, 144)
_EYE_MIRRORED = (263, 362, 386, 374, 385, 380, 387, 373)
_LIPS = (61, 78, 39, 181, 37, 84, 40, 91)
_LIPS_MIRRORED = (291, 308, 269, 405, 267, 314, 270, 321)
_REST = (70, 105, 107, 98, 234, 127, 93, 58, 172, 136)  # brow, nostril, cheek and jaw
_REST_MIRRORED = (300, 334, 336, 327, 454, 356, 323, 288, 397, 365)
_MIDDLE = (0, 13, 14, 17, 1, 4, 6, 168, 10, 152)  # lips, nose, forehead, chin: their own images
_MIDDLE_LIPS = 4  # of them

RIGHT_EYE, LEFT_EYE = _EYE, _EYE_MIRRORED
LIPS = (*_LIPS, *_LIPS_MIRRORED, *_MIDDLE[:4])

_RIGHT = (*_EYE, *_LIPS, *_REST, *_MIDDLE)
_LEFT = (*_EYE_MIRRORED, *_LIPS_MIRRORED, *_REST_MIRRORED, *_MIDDLE)
_ALL = np.array([*_RIGHT, *_LEFT])
_MIRRORED = np.array([*_LEFT, *_RIGHT])
_HALF = len(_RIGHT)
_EYES = np.array([*range(len(_EYE)), *range(_HALF, _HALF + len(_EYE))])
_FIRST_LIP, _FIRST_MIDDLE = len(_EYE), len(_EYE) + len(_LIPS) + len(_REST)
_MOUTH = np.array(
    [
        start + offset
        for start in (0, _HALF)
        for offset in (
            *range(_FIRST_LIP, _FIRST_LIP + len(_LIPS)),
            *range(_FIRST_MIDDLE, _FIRST_MIDDLE + _MIDDLE_LIPS),
        )
    ]
)

_SCALE = 64.0  # pixels between the eyes in the pictures of the eyes that are compared
_PATCH = (21, 29)  # samples of such a picture, down and across
_REACH = (0.3, 0.42)  # how far it reaches up and down, and to both sides of the eye
_FOCUS = (0.18, 0.25)  # the same of the window that weighs its middle most
_LARGEST = 2.4  # times that one eye is tried as large as the other
_SIZES = 11
_DETAIL = 1.0  # levels of 255: what noise alone makes of detail


@dataclass(frozen=True, slots=True, kw_only=True)
class Oddities:
    """How far a face is from its own mirror image; 0 everywhere in a perfect one."""

    eyes: float  # eye distances between the eyes and their places, seen from the other half
    mouth: float  # the same of the mouth
    unsteady: float  # eye distances between the landmarks and those of the mirrored picture
    detail: float  # log of the ratio between what is to be seen in one eye and in the other
    size: float  # by how much the eyes look more alike when one is enlarged, 0..2


def eye_distance(points: Points) -> float:
    """Pixels between the middles of the eyes, in depth too: a turned head keeps it."""
    return float(
        np.linalg.norm(points[[*_EYE]].mean(axis=0) - points[[*_EYE_MIRRORED]].mean(axis=0))
    )


def face_box(points: Points) -> tuple[int, int, int, int]:
    """Left, top, right, bottom around the landmarks, in their pixels."""
    (left, top), (right, bottom) = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    return int(left), int(top), int(np.ceil(right)), int(np.ceil(bottom))


def turned_by(points: Points) -> float:
    """Sine of the angle that the head is turned to a side: 0 looks at us, 1 is a profile."""
    return float(abs(_axes(_symmetrical(points)[0])[0][2]))


def measure_face(luma: NDArray[np.float32], points: Points, mirrored: Points | None) -> Oddities:
    """Compare a face with its mirror image.

    Args:
        luma: (H, W) of the picture, 0 to 255.
        points: (478, 3) landmarks in it.
        mirrored: (478, 3) landmarks of the same face found in the mirrored picture, in *its*
            pixels; None where it was not found there.
    """
    symmetrical, gaps = _symmetrical(points)
    unit = eye_distance(points)
    detail, size = _eyes_apart(luma, symmetrical)
    return Oddities(
        eyes=float(gaps[_EYES].mean()) / unit,
        mouth=float(gaps[_MOUTH].mean()) / unit,
        unsteady=0.0 if mirrored is None else _unsteady(points, mirrored, luma.shape[1]) / unit,
        detail=detail,
        size=size,
    )


def _symmetrical(points: Points) -> tuple[Points, Points]:
    """The (n, 3) symmetrical face nearest to some landmarks, and (n,) how far each is off.

    The face is mirrored, its landmarks change sides, and it is moved, turned and scaled back onto
    itself. Source: Schoenemann, "A generalized solution of the orthogonal Procrustes problem"
    (1966), with Kabsch's correction against reflections.
    """
    own = points[_ALL]
    other = points[_MIRRORED] * (-1.0, 1.0, 1.0)
    centre, other_centre = own.mean(axis=0), other.mean(axis=0)
    here, there = own - centre, other - other_centre
    left, sizes, right = np.linalg.svd(there.T @ here)
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    scale = float((sizes * signs).sum() / (there**2).sum())
    image = scale * there @ ((left * signs) @ right) + centre
    return (own + image) / 2, np.linalg.norm(own - image, axis=1)


def _axes(symmetrical: Points) -> tuple[Points, Points]:
    """Unit vectors from the right half to the left one, and from forehead to chin."""
    across = (symmetrical[_HALF:] - symmetrical[:_HALF]).sum(axis=0)
    across /= np.linalg.norm(across)
    forehead, chin = symmetrical[_HALF - 2], symmetrical[_HALF - 1]
    down = chin - forehead
    down -= (down @ across) * across
    return across, down / np.linalg.norm(down)


def _unsteady(points: Points, mirrored: Points, width: int) -> float:
    """Pixels by which a face and the same face in the mirror disagree, a common shift apart."""
    back = mirrored[_MIRRORED, :2] * (-1.0, 1.0) + (width - 1.0, 0.0)
    apart = points[_ALL, :2] - back
    return float(np.linalg.norm(apart - np.median(apart, axis=0), axis=1).mean())


# ------------------------------------------------------------ the pixels of the eyes


def _eyes_apart(luma: NDArray[np.float32], symmetrical: Points) -> tuple[float, float]:
    """How the pictures of the two eyes differ in detail, and in size."""
    across, down = _axes(symmetrical)
    right = symmetrical[: len(_EYE)].mean(axis=0)
    left = symmetrical[_HALF : _HALF + len(_EYE)].mean(axis=0)
    unit = float(np.linalg.norm(left - right))
    picture, corner, shrunk = _around(luma, (right + left)[:2] / 2, unit)

    def eye(centre: Points, outwards: float, scale: float = 1.0) -> Points:
        reach_down, reach_across = (reach * unit * scale for reach in _REACH)
        steps = np.linspace(-reach_down, reach_down, _PATCH[0])[:, None, None] * down
        steps = steps + np.linspace(-reach_across, reach_across, _PATCH[1])[:, None] * (
            outwards * across
        )
        return _sampled(picture, ((centre + steps)[..., :2] - corner) * shrunk)

    here, there = eye(right, 1.0), eye(left, -1.0)
    detail = abs(np.log((_detail(here) + _DETAIL) / (_detail(there) + _DETAIL)))
    alike = [
        _alike(eye(right, 1.0, scale), eye(left, -1.0, 1 / scale))
        for scale in np.geomspace(_LARGEST**-0.5, _LARGEST**0.5, _SIZES)
    ]
    return float(detail), float(max(alike) - _alike(here, there))


def _around(
    luma: NDArray[np.float32], middle: Points, unit: float
) -> tuple[NDArray[np.float32], Points, float]:
    """What lies around the eyes at a common size, where it begins, and its scale."""
    reach = 1.6 * unit
    height, width = luma.shape
    left, top = (max(0, int(value - reach)) for value in middle)
    right, bottom = (int(value + reach) + 1 for value in middle)
    part = luma[top : min(bottom, height), left : min(right, width)]
    shrunk = _SCALE / unit
    size = tuple(max(1, round(n * shrunk)) for n in (part.shape[1], part.shape[0]))
    resized = Image.fromarray(part).resize((size[0], size[1]), Image.Resampling.LANCZOS)
    return np.asarray(resized, np.float32), np.array([left, top], np.float64), shrunk


def _sampled(picture: NDArray[np.float32], at: Points) -> Points:
    """Bilinear samples at (..., 2) places; beyond the border what the border shows."""
    height, width = picture.shape
    x = np.clip(at[..., 0], 0, width - 1.001)
    y = np.clip(at[..., 1], 0, height - 1.001)
    column, row = x.astype(np.intp), y.astype(np.intp)
    x, y = x - column, y - row
    above = picture[row, column] * (1 - x) + picture[row, column + 1] * x
    below = picture[row + 1, column] * (1 - x) + picture[row + 1, column + 1] * x
    sampled: Points = above * (1 - y) + below * y
    return sampled


def _detail(patch: Points) -> float:
    """Mean step between neighbours, in levels."""
    return float(np.abs(np.diff(patch, axis=0)).mean() + np.abs(np.diff(patch, axis=1)).mean())


def _window() -> Points:
    down, across = (
        np.exp(-0.5 * (np.linspace(-reach, reach, n) / focus) ** 2)
        for n, reach, focus in zip(_PATCH, _REACH, _FOCUS, strict=True)
    )
    window: Points = np.outer(down, across)
    window /= window.sum()
    return window


_WINDOW = _window()


def _alike(one: Points, other: Points) -> float:
    """Correlation of two patches under the window, -1..1: their lighting does not count."""
    one = one - (_WINDOW * one).sum()
    other = other - (_WINDOW * other).sum()
    power = (_WINDOW * one * one).sum() * (_WINDOW * other * other).sum()
    return float((_WINDOW * one * other).sum() / np.sqrt(power + 1e-3))
