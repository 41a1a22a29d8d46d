"""Choosing from the command line: what is said, written into the file, and done in a batch."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sfumato as api
from sfumato import selection
from sfumato.cli import params
from sfumato.errors import RequestError

Sfumato = Callable[..., Any]
FAKE = ("--ranker", "fake")
FAULT = api.Finding(check="speckles", severity="warning", message="a fault")


@pytest.fixture(autouse=True)
def found(monkeypatch: pytest.MonkeyPatch) -> list[api.Finding]:
    """What the checks find in every picture: nothing, until a test puts something in."""
    findings: list[api.Finding] = []
    module = sys.modules["sfumato.generate"]  # the package shows the function of that name
    monkeypatch.setattr(module, "run_checks", lambda pixels, plan, cond: tuple(findings))
    return findings


def test_the_line_and_a_note_say_how_it_was_chosen(draw: Sfumato, folder: Path) -> None:
    outcome = draw("a red panda", "--seed", "5", "--best-of", "4", *FAKE)
    assert outcome.code == 0, outcome.err
    first, *rest = outcome.text.splitlines()
    assert "best of 4" in first.split(" · ")
    (note,) = [line for line in rest if "Best of 4 sketches (seeds 5 to 8)" in line]
    (path,) = folder.glob("*.png")
    assert note.strip().removeprefix("note: ") in api.read_recipe(path).plan.notes


def test_redo_draws_the_chosen_picture_again(draw: Sfumato, sfumato: Sfumato, folder: Path) -> None:
    assert draw("a red panda", "--best-of", "3", "--retry", "1", *FAKE).code == 0
    (path,) = folder.glob("*.png")
    assert sfumato("redo", path.name, "--quiet").code == 0


def test_json_says_what_was_tried_and_whether_it_passed(draw: Sfumato) -> None:
    outcome = draw("a red panda", "--seed", "5", "-n", "2", "--best-of", "2", "--json", *FAKE)
    choices = [value["choice"] for value in outcome.objects]
    assert [choice["tried"] for choice in choices] == [[5, 6], [7, 8]]
    assert all(len(choice["closeness"]) == 2 for choice in choices)
    assert all(choice["passed"] for choice in choices)
    assert [value["seed"] for value in outcome.objects] == [c["finished"][0] for c in choices]
    assert "choice" not in draw("a red panda", "--seed", "5", "--json").objects[0]


def test_a_warning_says_that_none_was_clean(draw: Sfumato, found: list[api.Finding]) -> None:
    found.append(FAULT)
    outcome = draw("a fox", "--seed", "5", "--retry", "2", *FAKE)
    assert outcome.code == 0  # a picture was drawn; what is wrong with it is said
    assert "  warning: None of 3 drawings was clean (seeds 5 to 7); kept seed " in outcome.text
    assert draw("a fox", "--retry", "1", "--json", *FAKE).objects[0]["choice"]["passed"] is False


def test_a_chosen_picture_can_go_to_stdout(draw: Sfumato) -> None:
    outcome = draw("a red panda", "--best-of", "2", "-o", "-", *FAKE)
    assert outcome.code == 0, outcome.err
    assert outcome.out.startswith(b"\x89PNG")
    assert "best of 2" in outcome.err


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--seed", "5", "--ranker", "fake"), "only one"),
        (("--best-of", "1", "--ranker", "fake"), "only one"),
        (("--best-of", "65"), "from 1 to 64"),
        (("--retry", "-1"), "from 0 to 100"),
        (("--budget", "soon"), "write it like 30 or 1m30s"),
        (("--budget", "0"), "write it like"),
        (("--best-of", "2", "--ranker", "nonsense"), "no picture-text model called 'nonsense'"),
    ],
)
def test_what_makes_no_sense_is_refused(
    draw: Sfumato, folder: Path, args: tuple[str, ...], words: str
) -> None:
    outcome = draw("a fox", *args)
    assert outcome.code in (2, 3)
    assert words in outcome.err
    assert list(folder.iterdir()) == []


# ---------------------------------------------------------------- the default


def test_a_prompt_without_a_seed_may_be_chosen_by_default(
    draw: Sfumato, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "DEFAULT_SKETCHES", 3)
    monkeypatch.setattr("sfumato.clip.DEFAULT_MODEL", "fake")
    assert "best of 3" in draw("a red panda").text
    assert "best of" not in draw("a red panda", "--seed", "5").text
    assert "best of" not in draw("a red panda", "--best-of", "1").text
    assert "best of 2" in draw("a red panda", "--best-of", "2").text
    batch = draw("-", "-o", "batch/", stdin=b"a fox\na cat\n")
    assert batch.code == 0
    assert batch.text.count("best of 3") == 2
    seeded = draw("-", "-o", "seeded/", "--seed", "5", stdin=b"a fox\na cat\n")
    assert "best of" not in seeded.text


def test_a_ranker_alone_ranks_the_sketches_of_the_default(draw: Sfumato) -> None:
    outcome = draw("a red panda", *FAKE)
    assert outcome.code == 0, outcome.err
    assert f"best of {selection.DEFAULT_SKETCHES}" in outcome.text
    rows = draw("-", "-o", "batch/", *FAKE, stdin=b"a fox\na cat\n")
    assert rows.text.count(f"best of {selection.DEFAULT_SKETCHES}") == 2


# ---------------------------------------------------------------- batches


def test_rows_choose_for_themselves(draw: Sfumato, folder: Path) -> None:
    (folder / "rows.csv").write_text(
        "prompt,best_of,retry,n,seed\na red panda,3,,2,10\na cat,,1,,20\na dog,,,,30\n", "utf-8"
    )
    outcome = draw("--from", "rows.csv", "-o", "out/", "--json", *FAKE)
    assert outcome.code == 0, outcome.err
    tried = [value.get("choice", {}).get("tried") for value in outcome.objects]
    assert tried[:2] == [[10, 11, 12], [13, 14, 15]]
    assert tried[2] == [20]
    assert tried[3] is None


def test_a_ranker_for_rows_that_choose_nothing_is_refused(draw: Sfumato, folder: Path) -> None:
    (folder / "rows.csv").write_text("prompt,best_of,seed\na fox,,5\na cat,1,\n", "utf-8")
    outcome = draw("--from", "rows.csv", "-o", "out/", *FAKE)
    assert outcome.code == 2
    assert "only one" in outcome.err


def test_a_batch_deals_its_seeds_and_is_resumed(draw: Sfumato, folder: Path) -> None:
    (folder / "rows.csv").write_text(
        "prompt,best-of,n,seed\na red panda,3,2,10\na blue whale,2,,20\n", "utf-8"
    )
    args = ("--from", "rows.csv", "-o", "out/", *FAKE)
    objects = draw(*args, "--json").objects
    assert [value["choice"]["tried"] for value in objects] == [[10, 11, 12], [13, 14, 15], [20, 21]]
    assert draw(*args, "--json").objects == []  # everything is there
    Path(objects[1]["path"]).unlink()
    (again,) = draw(*args, "--json").objects
    assert again["pixel_sha256"] == objects[1]["pixel_sha256"]


def test_a_missing_choice_of_a_random_seed_is_drawn_with_the_seed_that_won(
    draw: Sfumato, folder: Path
) -> None:
    args = ("-", "-o", "out/", "--best-of", "3", "--json", *FAKE)
    objects = draw(*args, stdin=b"a red panda\na blue whale\n").objects
    Path(objects[0]["path"]).unlink()
    (again,) = draw(*args, stdin=b"a red panda\na blue whale\n").objects
    assert again["seed"] == objects[0]["seed"]
    assert again["pixel_sha256"] == objects[0]["pixel_sha256"]
    manifest = [json.loads(x) for x in (folder / "out" / "manifest.jsonl").read_text().splitlines()]
    assert len(manifest) == 3


def test_a_row_with_a_bad_number_fails_alone(draw: Sfumato, folder: Path) -> None:
    (folder / "rows.csv").write_text("prompt,best_of\na fox,99\na cat,\n", "utf-8")
    outcome = draw("--from", "rows.csv", "-o", "out/", "--json")
    assert outcome.code == 2
    assert "line 2: 99 is no number of sketches" in outcome.err
    assert len(outcome.objects) == 1


# ---------------------------------------------------------------- lengths of time


@given(st.integers(0, 99), st.integers(0, 59), st.integers(0, 59))
def test_a_length_of_time_reads_as_it_is_written(hours: int, minutes: int, seconds: int) -> None:
    parts = (
        f"{hours}h" * bool(hours),
        f"{minutes}m" * bool(minutes),
        f"{seconds}s" * bool(seconds),
    )
    text, total = "".join(parts), 3600 * hours + 60 * minutes + seconds
    if total:
        assert params.DURATION.convert(text, None, None) == total
        assert params.DURATION.convert(f" {text.upper()} ", None, None) == total
    else:
        with pytest.raises(click.BadParameter):
            params.DURATION.convert("0s", None, None)


@pytest.mark.parametrize(
    ("text", "seconds"), [("30", 30), ("1.5m", 90), ("2h", 7200), ("1m30", 90), ("0.5", 0.5)]
)
def test_lengths_of_time_people_write(text: str, seconds: float) -> None:
    assert params.DURATION.convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "m", "-3", "1:30", "1s2m", "nan", "inf", "1e3", "1 000", "٣"])
def test_what_is_no_length_of_time_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter):
        params.DURATION.convert(text, None, None)


def test_a_budget_alone_tries_until_it_is_over() -> None:
    rules = params.make_rules({"budget": 20.0})
    assert rules is not None
    assert (rules.retry, rules.budget) == (selection.MAX_RETRIES, 20.0)
    assert params.make_rules({"seed": 5}) is None
    assert params.make_rules({"best_of": 1}) is None
    with pytest.raises(RequestError, match="only one"):
        params.make_rules({"ranker": "fake", "seed": 5})
