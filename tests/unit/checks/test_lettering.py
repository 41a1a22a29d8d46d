"""Lettering: what the reader says is judged; and the reader itself, really run, on drawn signs."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from sfumato.checks import Look, lettering, why_skipped
from sfumato.checks.lettering import misread_lettering, read_lettering, stray_lettering
from sfumato.errors import MissingExtraError
from sfumato.registry import CHECKS

Lines = list[tuple[str, float]]


def sign(text: str, side: int = 512) -> NDArray[np.uint8]:
    image = Image.new("RGBA", (side, side))
    pen = ImageDraw.Draw(image)
    font = ImageFont.load_default(side / 6)
    pen.rounded_rectangle((10, side * 0.3, side - 10, side * 0.7), 30, (200, 30, 40, 255))
    pen.text(((side - pen.textlength(text, font)) / 2, side * 0.38), text, "white", font)
    return np.asarray(image)


def reading(monkeypatch: pytest.MonkeyPatch, lines: Lines, wide: float = 200) -> None:
    """Put ``lines`` into the reader's mouth, one below the other, ``wide`` x 40 pixels each."""
    corners = np.array([[0, 0], [wide, 0], [wide, 40], [0, 40]], np.float32)
    output = SimpleNamespace(
        boxes=np.stack([corners + np.array([20, 20 + 60 * row]) for row in range(len(lines))])
        if lines
        else None,
        txts=tuple(text for text, _ in lines) or None,
        scores=tuple(score for _, score in lines) or None,
    )
    monkeypatch.setattr(lettering, "_reader", lambda: lambda picture: output)


def look(prompt: str | None) -> Look:
    return Look(np.full((400, 400, 4), 255, np.uint8), prompt=prompt)


class TestAsked:
    def test_read_back(self, monkeypatch: pytest.MonkeyPatch) -> None:
        reading(monkeypatch, [("OPEN", 0.99)])
        assert misread_lettering(look('a sign that says "OPEN"')) == []

    def test_two_lines_and_blanks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        reading(monkeypatch, [("LATE", 0.99), ("NIGHT BAR", 0.97)])
        assert misread_lettering(look('"LATE NIGHT  BAR" in neon')) == []

    @pytest.mark.parametrize("lines", [[("OPFN", 0.99)], [("OPE", 0.99)], [("OPEN", 0.4)], []])
    def test_misread(self, monkeypatch: pytest.MonkeyPatch, lines: Lines) -> None:
        reading(monkeypatch, lines)
        (found,) = misread_lettering(look('a sign that says "OPEN"'))
        assert found.severity == "error"
        readable = [text for text, score in lines if score > 0.5]
        assert (repr(readable[0]) if readable else "no lettering") in found.message

    def test_lower_case_is_not_what_was_asked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        reading(monkeypatch, [("Bread", 0.99)])
        assert misread_lettering(look('"BREAD" on a shop'))

    def test_letters_that_look_alike_pass(self, monkeypatch: pytest.MonkeyPatch) -> None:
        reading(monkeypatch, [("H0llWAV", 0.99)])
        assert misread_lettering(look('"HOIlWAV" on a sign')) == []

    def test_more_than_asked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        reading(monkeypatch, [("OPEN", 0.99), ("NEVER", 0.99)])
        (found,) = misread_lettering(look('a sign that says "OPEN"'))
        assert found.severity == "warning"
        assert "NEVER" in found.message

    def test_nothing_asked_nothing_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(lettering, "_reader", lambda: pytest.fail("the reader was started"))
        assert misread_lettering(look("a fox")) == []
        assert misread_lettering(look(None)) == []


class TestStray:
    def test_lettering_has_its_place(self, monkeypatch: pytest.MonkeyPatch) -> None:
        reading(monkeypatch, [("SALE", 0.99)])
        (found,) = stray_lettering(look("a fox"))
        assert "nobody asked for: 'SALE'" in found.message
        assert found.box == (20, 20, 220, 60)

    def test_garbled(self, monkeypatch: pytest.MonkeyPatch) -> None:
        reading(monkeypatch, [("SXLF", 0.8)])
        (found,) = stray_lettering(look(None))
        assert "Garbled" in found.message

    @pytest.mark.parametrize(
        "line", [("O", 0.79), ("LLLL", 0.99), ("888", 0.8), ("abc", 0.5), ("B", 1.0)]
    )
    def test_what_only_looks_like_letters(
        self, monkeypatch: pytest.MonkeyPatch, line: tuple[str, float]
    ) -> None:
        reading(monkeypatch, [line])
        assert stray_lettering(look("a house")) == []

    def test_a_square_patch_is_not_garbled_lettering(self, monkeypatch: pytest.MonkeyPatch) -> None:
        reading(monkeypatch, [("SXLF", 0.8)], wide=45)
        assert stray_lettering(look(None)) == []

    def test_asked_lettering_is_not_stray(self, monkeypatch: pytest.MonkeyPatch) -> None:
        reading(monkeypatch, [("OPEN", 0.99), ("SALE", 0.99)])
        (found,) = stray_lettering(look('a sign that says "OPEN"'))
        assert "SALE" in found.message


class TestWithoutTheExtra:
    @pytest.fixture(autouse=True)
    def missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(lettering, "find_spec", lambda name: None)
        monkeypatch.setattr("sfumato.checks.find_spec", lambda name: None)
        lettering._reader.cache_clear()

    def test_the_exact_line_is_said(self) -> None:
        with pytest.raises(MissingExtraError) as raised:
            read_lettering(look(None))
        assert raised.value.hint == "Install them with: pip install 'sfumato[ocr]'"

    def test_the_check_is_skipped(self) -> None:
        assert "sfumato[ocr]" in why_skipped(CHECKS.get("misread_lettering"))


@pytest.mark.slow
@pytest.mark.parametrize("text", ["OPEN", "Late Night"])
def test_a_real_sign_reads_back(text: str) -> None:
    pytest.importorskip("rapidocr")
    shown = Look(sign(text), prompt=f'a sign that says "{text}"')
    assert misread_lettering(shown) == []
    (line,) = read_lettering(shown)
    left, top, right, bottom = line.box
    assert 130 < top < bottom < 380
    assert 0 < left < 256 < right < 512
    (found,) = misread_lettering(Look(sign(text), prompt='a sign that says "CLOSED"'))
    assert text in found.message
