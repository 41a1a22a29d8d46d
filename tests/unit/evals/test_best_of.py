"""What choosing is worth, measured end to end with the fake model and a ranker of colours."""

from __future__ import annotations

import json
from pathlib import Path

import best_of
import numpy as np
import pytest
from measures.choosing import (
    CANDIDATES,
    FIRST_SEED,
    Candidates,
    _closeness,
    _picks,
    draw_candidates,
    measure_choice,
)
from measures.prompts import read_prompts

import sfumato
from sfumato.training.data.pictures import render_clean
from sfumato.training.judge import Judge

from .conftest import SUBJECTS, draw_subject

FEW = """# single: animals
a fox\tconcept=fox
a barn owl\tconcept=owl\tnew
a plesiosaur\tnew
# colours
a blue rocket\tconcept=rocket\tcolour=blue
# emblems
a house on a circle\tconcept=house\tshape=circle
"""


@pytest.fixture
def few_prompts(tmp_path: Path) -> Path:
    path = tmp_path / "prompts.txt"
    path.write_text(FEW, "utf-8")
    return path


def run(judge_folder: Path, prompts: Path, out: Path, *more: str) -> int:
    return best_of.main(
        [
            *("--judge", str(judge_folder), "--model", "fake", "--ranker", "fake"),
            *("--prompts", str(prompts), "--side", "64", "--keep", str(out / "kept.npz")),
            *("--results", str(out / "best-of.jsonl"), "--docs", str(out), "--write-docs", *more),
        ]
    )


def test_the_whole_run_prints_records_and_writes_its_page(
    judge_folder: Path, few_prompts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(judge_folder, few_prompts, tmp_path) == 0
    assert run(judge_folder, few_prompts, tmp_path) == 0
    first, second = (tmp_path / "best-of.jsonl").read_text("utf-8").splitlines()
    record = json.loads(first)
    assert record["figures"] == json.loads(second)["figures"]  # the drawings were kept
    assert json.loads(capsys.readouterr().out.splitlines()[0]) == record
    figures = record["figures"]
    assert figures["prompts"] == 4  # the judge has no name for a plesiosaur
    assert figures["luck"]["top1"]["count"] == 4 * CANDIDATES
    assert figures["best_of"]["1"]["ranker"]["top1"] == figures["luck"]["top1"]
    assert figures["best_of"]["8"]["ranker"]["top1"]["count"] == 4
    page = (tmp_path / "quality-best-of.md").read_text("utf-8")
    assert page == best_of.best_of_page(json.loads(second))
    assert figures["model_sha256"][:12] in page


def test_fewer_prompts_are_spread_evenly(
    judge_folder: Path, few_prompts: Path, tmp_path: Path
) -> None:
    assert run(judge_folder, few_prompts, tmp_path, "--most", "2") == 0
    record = json.loads((tmp_path / "best-of.jsonl").read_text("utf-8"))
    assert record["figures"]["prompts"] == 2
    assert "--most 2" in record["command"]


def test_a_missing_judge_is_one_line(
    few_prompts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, few_prompts, tmp_path) == 6
    assert capsys.readouterr().err.count("\n") == 1


def test_a_ranker_that_sees_what_the_judge_sees_takes_all_there_is(judge_folder: Path) -> None:
    """One candidate of each prompt shows its subject in red; the words ask for red."""
    right = np.stack([render_clean(draw_subject(SUBJECTS.index(s), 0), 64) for s in ("fox", "owl")])
    wrong = render_clean(draw_subject(SUBJECTS.index("house"), 0), 64)
    pictures = np.stack([wrong] * (2 * CANDIDATES))
    pictures[3], pictures[CANDIDATES + 6] = right
    sketches = pictures.copy()
    sketches[..., :3] = (47, 111, 222)
    sketches[[3, CANDIDATES + 6], :, :, :3] = (220, 47, 47)
    drawn = Candidates(
        sketches, pictures, np.zeros(2 * CANDIDATES, np.int64), ["red fox", "red owl"],
        ["flat"] * (2 * CANDIDATES), "0" * 64,
    )  # fmt: skip
    figures = measure_choice(read_prompts_of("fox", "owl"), drawn, Judge.load(judge_folder), "fake")
    assert figures["luck"]["top1"]["value"] == pytest.approx(1 / 8)
    assert figures["best_of"]["8"]["ranker"]["top1"]["value"] == 1.0
    assert figures["best_of"]["8"]["ranker"]["gain_top1"]["value"] == pytest.approx(7 / 8)
    assert figures["best_of"]["2"]["ranker"]["top1"]["value"] == pytest.approx(1 / 4)
    assert figures["share_of_the_room"] == 1.0


def read_prompts_of(*concepts: str) -> list[best_of.Prompt]:
    return [best_of.Prompt(text=f"a {c}", section="single", concepts=(c,)) for c in concepts]


def test_the_page_claims_a_gain_only_where_its_interval_is_above_zero() -> None:
    def figures(low: float) -> dict[str, object]:
        return {str(n): {"ranker": {"gain_top1": {"low": low}}} for n in (2, 4, 8)}

    assert best_of._verdict(figures(0.01)).endswith("more often at best of 2, 4, 8.")
    assert "cannot be told" in best_of._verdict(figures(-0.01))


def test_picks_follow_the_rules_of_choosing() -> None:
    worth = np.array([0.1, 0.4, 0.3, 0.2, 0.0, 0.9, 0.8, 0.7])
    clean = np.zeros(8, np.int64)
    assert _picks(worth, clean, 8) == [5]
    assert _picks(worth, clean, 4) == [1, 5]
    assert _picks(worth, clean, 1) == list(range(8))
    faulty = np.array([0, 0, 0, 0, 0, 1, 1, 0])
    assert _picks(worth, faulty, 8) == [7]  # the third of three that are finished
    faulty = np.array([0, 0, 0, 0, 0, 2, 1, 1])
    assert _picks(worth, faulty, 8) == [6]  # none of the three is clean: the mildest


def test_the_measured_choice_is_the_one_that_the_program_makes(few_prompts: Path) -> None:
    prompts = read_prompts(few_prompts)[:1]
    drawn = draw_candidates(prompts, "fake", 64)
    pick = _picks(_closeness(drawn, "fake"), drawn.faulty, CANDIDATES)[0]
    made = sfumato.draw_best(
        prompts[0].text, best_of=CANDIDATES, ranker="fake", model="fake", seed=FIRST_SEED,
        width=64, height=64,
    )  # fmt: skip
    assert made.images[0].seed == FIRST_SEED + pick
    np.testing.assert_array_equal(made.images[0].pixels, drawn.pictures[pick])
