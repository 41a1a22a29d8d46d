"""``sfumato eval`` with the fake model."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import Sfumato

FAKE = ("eval", "iconeval", "--model", "fake", "--limit", "1", "--seeds", "1")


def test_every_task_has_a_figure_beside_real_icons_and_luck(sfumato: Sfumato) -> None:
    outcome = sfumato(*FAKE)
    assert outcome.code == 0, outcome.err
    for task in ("single", "two", "counting", "colours", "position", "attribution"):
        assert task in outcome.text
    assert "real icons" in outcome.text
    assert "a part of the prompts" in outcome.text
    assert "Do not" in outcome.text


def test_json_holds_every_figure(sfumato: Sfumato) -> None:
    figures = sfumato(*FAKE, "--tasks", "single, colours", "--json").json
    assert set(figures["tasks"]) == {"single", "colours"}
    assert figures["pictures"] == 2
    assert figures["model"] == "fake"
    assert figures["score"]["low"] <= figures["score"]["value"] <= figures["score"]["high"]
    assert figures["judge"]["foreign_packs"]


def test_pictures_and_verdicts_are_kept_and_taken_up_again(sfumato: Sfumato, folder: Path) -> None:
    first = sfumato(*FAKE, "--tasks", "single", "--out", "run", "--json")
    assert first.code == 0, first.err
    verdicts = folder / "run" / "verdicts.jsonl"
    before = verdicts.read_text()
    assert len(list((folder / "run" / "pictures").glob("*.png"))) == 1
    assert sfumato(*FAKE, "--tasks", "single", "--out", "run", "--json").json == first.json
    assert verdicts.read_text() == before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--tasks", "sculpting"), "no task called 'sculpting'"),
        (("--baseline", "oracle"), "needs icons"),
        (("--baseline", "oracle", "--model", "fake", "--data", "."), "both given"),
        (("--model", "fake", "--data", "."), "--data goes with --baseline"),
        (("--baseline", "oracle", "--data", "."), "holds no icons"),
        (("--seeds", "5"), "not in the range"),
        (("--model", "nothing"), "nothing"),
    ],
)
def test_mistakes_are_one_line(sfumato: Sfumato, options: tuple[str, ...], words: str) -> None:
    outcome = sfumato("eval", "iconeval", *options)
    assert outcome.code != 0
    assert words in outcome.err
    assert len(outcome.err.splitlines()) == 1


def test_evaluations_are_listed(sfumato: Sfumato) -> None:
    outcome = sfumato("eval", "--help")
    assert outcome.code == 0
    assert "iconeval" in outcome.text
    assert "GenEval" in outcome.text
