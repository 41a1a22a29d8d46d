"""Faces made of points: a symmetrical one is not odd however it is held, a crooked one is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sfumato.checks import landmarks
from sfumato.checks.landmarks import (
    LANDMARKS,
    eye_distance,
    face_box,
    measure_face,
    turned_by,
)

SIDE = 256
CENTRE = np.array([SIDE / 2, SIDE / 2, 0.0])
Points = NDArray[np.float64]

angles = st.floats(-0.6, 0.6)


def symmetrical() -> Points:
    """A face that looks at us: the right half anywhere, the left one its image."""
    rng = np.random.default_rng(3)
    points = np.zeros((LANDMARKS, 3))
    for right, left in zip(landmarks._RIGHT, landmarks._LEFT, strict=True):
        x, y, z = rng.uniform((4, -50, -20), (50, 50, 20))
        points[right], points[left] = (-x, y, z), (x, y, z)
    points[list(landmarks._MIDDLE), 0] = 0
    points[list(landmarks._EYE)] = eye(-32)
    points[list(landmarks._EYE_MIRRORED)] = eye(32)
    points[10], points[152] = (0, -60, 0), (0, 60, 0)
    return points + CENTRE


def eye(x: float) -> Points:
    turn = np.linspace(0, 2 * np.pi, 8, endpoint=False)
    outwards = np.sign(x)
    return np.stack([x + outwards * 10 * np.cos(turn), -20 + 5 * np.sin(turn), 0 * turn], axis=1)


def held(points: Points, yaw: float, roll: float, scale: float = 1.0) -> Points:
    """Turned to a side, then leant, about the middle."""
    c, s = np.cos(yaw), np.sin(yaw)
    turned = (points - CENTRE) @ np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]])
    c, s = np.cos(roll), np.sin(roll)
    return scale * turned @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]]) + CENTRE


def painted(points: Points, *, left: float = 1.0, left_size: float = 1.0) -> NDArray[np.float32]:
    """Rings around the eyes: ``left`` of full strength, ``left_size`` times as wide."""
    y, x = np.mgrid[:SIDE, :SIDE]
    luma = np.full((SIDE, SIDE), 150.0)
    for names, strength, size in (
        (landmarks._EYE, 1.0, 1.0),
        (landmarks._EYE_MIRRORED, left, left_size),
    ):
        centre = points[list(names)].mean(axis=0)
        away = np.hypot(x - centre[0], y - centre[1]) / size
        luma += strength * 80 * np.cos(away / 2) * np.exp(-((away / 14) ** 2))
    return luma.astype(np.float32)


def mirrored(points: Points) -> Points:
    """What a model that sees no side finds in the mirrored picture."""
    image = points.copy()
    image[landmarks._MIRRORED] = points[landmarks._ALL] * (-1.0, 1.0, 1.0) + (SIDE - 1.0, 0.0, 0.0)
    return image


class TestSymmetrical:
    @settings(max_examples=40, deadline=None)
    @given(yaw=angles, roll=angles, scale=st.floats(0.5, 1.0))
    def test_no_way_of_holding_it_is_odd(self, yaw: float, roll: float, scale: float) -> None:
        points = held(symmetrical(), yaw, roll, scale)
        odd = measure_face(painted(points), points, mirrored(points))
        assert odd.eyes == pytest.approx(0, abs=1e-9)
        assert odd.mouth == pytest.approx(0, abs=1e-9)
        assert odd.unsteady == pytest.approx(0, abs=1e-9)

    @settings(max_examples=40, deadline=None)
    @given(yaw=angles, roll=angles, scale=st.floats(0.5, 2.0))
    def test_turn_and_distance(self, yaw: float, roll: float, scale: float) -> None:
        points = held(symmetrical(), yaw, roll, scale)
        assert turned_by(points) == pytest.approx(abs(np.sin(yaw)), abs=1e-9)
        assert eye_distance(points) == pytest.approx(64 * scale)

    def test_both_eyes_look_alike(self) -> None:
        points = symmetrical()
        odd = measure_face(painted(points), points, None)
        assert odd.detail == pytest.approx(0, abs=0.02)
        assert odd.size == pytest.approx(0, abs=0.02)

    def test_box(self) -> None:
        points = np.array([[3.2, 8.9, 0.0], [10.1, 4.0, 0.0]])
        assert face_box(points) == (3, 4, 11, 9)


class TestCrooked:
    @pytest.mark.parametrize(("yaw", "roll"), [(0, 0), (0.4, 0), (0.2, -0.3)])
    def test_an_eye_moved(self, yaw: float, roll: float) -> None:
        measured = []
        for down in (0, 6, 12):
            points = symmetrical()
            points[list(landmarks._EYE_MIRRORED), 1] += down
            points = held(points, yaw, roll)
            measured.append(measure_face(painted(points), points, None).eyes)
        assert measured[0] < 0.001 < 0.03 < measured[1] < 0.6 * measured[2]

    def test_the_mouth_moved(self) -> None:
        points = symmetrical()
        lips = [*landmarks._LIPS, *landmarks._LIPS_MIRRORED, *landmarks._MIDDLE[:4]]
        points[lips, 0] += 16
        odd = measure_face(painted(points), points, None)
        assert odd.mouth > 0.1
        assert odd.mouth > odd.eyes

    def test_landmarks_that_change_in_the_mirror(self) -> None:
        points = symmetrical()
        other = mirrored(points)
        shifted = np.add(other, (5.0, 2.0, 0.0))  # the whole face: its shape is the same
        assert measure_face(painted(points), points, shifted).unsteady == pytest.approx(0, abs=1e-9)
        other[list(landmarks._LIPS), 1] += 12
        assert measure_face(painted(points), points, other).unsteady > 0.01

    def test_one_eye_washed_out(self) -> None:
        points = symmetrical()
        faint = measure_face(painted(points, left=0.3), points, None)
        gone = measure_face(painted(points, left=0), points, None)
        assert 0.5 < faint.detail < gone.detail

    def test_one_eye_larger(self) -> None:
        points = symmetrical()
        odd = measure_face(painted(points, left_size=1.8), points, None)
        assert odd.size > 0.2
