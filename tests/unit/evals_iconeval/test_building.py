"""The scripts that fit the judge and publish runs; they are run as files, from their folder."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import publish
import pytest
from choose_concepts import CONCEPTS, read_candidates, reliability
from fitting import Examples, fit_judge
from make_judge import calibrated, naming, packed

from sfumato.evals.iconeval.judge import NONE, load_judge
from sfumato.evals.iconeval.prompts import Concept, load_prompts
from sfumato.evals.iconeval.run import load_validity, report
from sfumato.evals.iconeval.scores import Judged

from .conftest import found

EVALS = Path(__file__).parents[3] / "evals"
LABELS = ("key", "old key", "star", "spoon")
PACKS = ("a", "b", "c")


@pytest.fixture(scope="module")
def examples() -> Examples:
    """Four subjects in three packs, described by 12 numbers; packs differ a little."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(len(LABELS), 12))
    own = np.repeat(centres, len(PACKS), axis=0) + rng.normal(scale=0.2, size=(12, 12))
    copies = own + rng.normal(scale=0.05, size=(4, 12, 12))
    return Examples(
        rows=[{}] * 12,
        features=copies.astype(np.float32),
        labels=np.repeat(LABELS, len(PACKS)),
        packs=np.tile(PACKS, len(LABELS)),
    )


CONCEPT_PAIR = [
    Concept(name="key", plural="keys", labels=("key", "old key"), colours=()),
    Concept(name="star", plural="stars", labels=("star",), colours=()),
]


def test_a_fitted_judge_names_a_pack_it_has_not_seen(examples: Examples) -> None:
    judge = fit_judge(examples, examples.packs != "c", CONCEPT_PAIR)
    assert sorted(judge.owner.tolist()) == [NONE, 0, 0, 1]
    unseen = examples.features[0][examples.packs == "c"]
    cosines = (unseen - judge.mean) @ judge.projection @ judge.prototypes.T
    assert judge.owner[cosines.argmax(axis=1)].tolist() == [0, 0, 1, NONE]
    assert reliability(examples, CONCEPT_PAIR).keys() == {"key", "star"}
    assert min(reliability(examples, CONCEPT_PAIR).values()) >= 1.0


def test_calibration_makes_it_sure_of_what_is_right(examples: Examples) -> None:
    judge = fit_judge(examples, np.ones(12, bool), CONCEPT_PAIR)
    embedded = (examples.features[0] - judge.mean) @ judge.projection
    embedded /= np.linalg.norm(embedded, axis=1, keepdims=True)
    truth = np.repeat([0, 0, 1, NONE], 3)
    done = calibrated(judge, [(judge, embedded, truth)])
    assert done.threshold == 0.3
    figures = naming(done, embedded, truth)
    assert figures == {"first": 1.0, "named": 1.0, "others_left_unnamed": 1.0}
    backwards = calibrated(judge, [(judge, embedded, truth[::-1])])
    assert backwards.sharpness < done.sharpness


def test_what_ships_says_the_same_as_what_was_fitted(examples: Examples) -> None:
    judge = fit_judge(examples, np.ones(12, bool), CONCEPT_PAIR)
    read = load_judge(io.BytesIO(packed(judge)))
    assert list(read.concepts) == ["key", "star"]
    assert read.projection == pytest.approx(
        judge.projection, abs=float(np.abs(judge.projection).max()) / 100
    )
    assert read.prototypes == pytest.approx(judge.prototypes, abs=0.01)
    assert packed(judge) == packed(judge)


def test_the_concepts_come_from_the_candidates() -> None:
    candidates = {concept.name: concept.labels for concept in read_candidates()}
    rows = json.loads(CONCEPTS.read_text("utf-8"))
    assert all(tuple(row["labels"]) == candidates[row["name"]] for row in rows)
    assert [row["name"] for row in rows] == sorted(row["name"] for row in rows)


def a_run(name: str, kind: str) -> dict[str, Any]:
    class Painter:
        """Has drawn already."""

        def __init__(self) -> None:
            self.identity = {kind: name}

        def paint(self, prompt: Any, seeds: Any) -> Any:
            raise AssertionError

    judged = [
        Judged(
            prompt=prompt,
            seed=prompt.seeds[0],
            subjects=tuple(found(w.concept, colour=w.colour) for w in prompt.wanted),
        )
        for prompt in load_prompts()
    ]
    return report(Painter(), judged, seeds=1)


def test_runs_are_recorded_and_the_page_composed_anew(tmp_path: Path) -> None:
    results = EVALS.parent / "benchmarks" / "results" / "quality.jsonl"
    (tmp_path / "quality.jsonl").write_text(results.read_text("utf-8").splitlines()[-1] + "\n")
    for name, kind in (("oracle", "baseline"), ("chiaro", "model")):
        (tmp_path / f"{name}.json").write_text(json.dumps(a_run(name, kind)))
    files = [str(tmp_path / "oracle.json"), str(tmp_path / "chiaro.json")]
    places = ["--results", str(tmp_path), "--docs", str(tmp_path)]
    assert publish.main([*files, *places]) == 0
    page = (tmp_path / "quality.md").read_text("utf-8")
    assert "| task | prompts | chiaro | oracle | real icons | luck |" in page
    assert "| one subject | 80 | 100% (100% to 100%) |" in page
    assert "not on one scale" in page
    assert "`sfumato eval iconeval --model chiaro --seeds 1 --json`, 553 pictures" in page
    assert "`sfumato eval iconeval --baseline oracle --data data/curated --seeds 1 --json`" in page
    for pack in load_validity()["foreign_packs"]:
        assert f"| {pack} (" in page
    assert len((tmp_path / "iconeval.jsonl").read_text().splitlines()) == 2
    assert publish.main(places) == 0
    assert (tmp_path / "quality.md").read_text("utf-8") == page


def test_a_part_of_the_prompts_is_not_published(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "part.json"
    path.write_text(json.dumps(a_run("chiaro", "model") | {"is_whole": False}))
    assert publish.main([str(path), "--results", str(tmp_path), "--docs", str(tmp_path)]) == 2
    assert "not published" in capsys.readouterr().err
    assert not (tmp_path / "iconeval.jsonl").exists()
