"""``sfumato vary``: pictures near one that was drawn, from its file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from sfumato.errors import BackendError

Sfumato = Callable[..., Any]


@pytest.fixture
def drawn(draw: Sfumato) -> str:
    assert draw("a red ball", "--seed", "5", "--style", "flat", "-o", "ball.png", "-q").code == 0
    return "ball.png"


def test_variations_share_the_seed_and_count_up_their_own(drawn: str, sfumato: Sfumato) -> None:
    outcome = sfumato("vary", drawn, "-n", "3", "--seed", "8", "--json", "-o", "near/")
    assert outcome.code == 0, outcome.err
    found = [json.loads(line) for line in outcome.out.splitlines()]
    assert [entry["seed"] for entry in found] == [5, 5, 5]
    assert [entry["plan"]["variation_seeds"] for entry in found] == [[8], [9], [10]]
    assert {entry["plan"]["variation_strength"] for entry in found} == {0.25}
    assert len(list(Path("near").iterdir())) == 3


def test_files_are_named_by_the_variations_own_seed(drawn: str, sfumato: Sfumato) -> None:
    assert sfumato("vary", drawn, "-n", "2", "--seed", "8", "-q", "-o", "near/").code == 0
    names = sorted(path.name for path in Path("near").iterdir())
    assert names == ["a-red-ball-5-v8.png", "a-red-ball-5-v9.png"]


def test_strengths_have_names_and_numbers(drawn: str, sfumato: Sfumato) -> None:
    for given, stored in (("strong", 0.6), ("0.1", 0.1)):
        outcome = sfumato("vary", drawn, "-n", "1", "--strength", given, "--json")
        assert json.loads(outcome.out)["plan"]["variation_strength"] == stored


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (("--strength", "wild"), 2, "wild"),
        (("--strength", "0"), 2, "strength 0"),
        (("--strength", "nan"), 2, "nan"),
        (("-n", "0"), 2, "number of pictures"),
        (("-q", "--json"), 2, "exclude"),
    ],
)
def test_bad_options_are_one_line(
    drawn: str, sfumato: Sfumato, args: tuple[str, ...], code: int, words: str
) -> None:
    outcome = sfumato("vary", drawn, *args)
    assert outcome.code == code
    assert words in outcome.err
    assert outcome.err.count("\n") == 1


def test_a_picture_without_a_recipe_has_nothing_to_start_from(sfumato: Sfumato) -> None:
    Image.new("RGB", (8, 8)).save("plain.png")
    outcome = sfumato("vary", "plain.png")
    assert outcome.code == 2
    assert "no recipe" in outcome.err


def test_a_new_folder_goes_again_where_nothing_could_be_drawn(
    drawn: str, sfumato: Sfumato, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object, **options: object) -> None:
        raise BackendError("The engine failed.")

    monkeypatch.setattr("sfumato.backends.fake.FakeModel.denoise", fail)
    assert sfumato("vary", drawn, "-o", "new/deep/").code == 5
    assert not Path("new").exists()
