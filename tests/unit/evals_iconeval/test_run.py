from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sfumato.errors import RequestError, StorageError
from sfumato.evals.iconeval.painters import ModelPainter, Oracle, Retrieval
from sfumato.evals.iconeval.prompts import TASKS, IconPrompt, load_concepts
from sfumato.evals.iconeval.run import evaluate, load_validity, report, select_prompts
from sfumato.evals.iconeval.shelf import read_icons
from sfumato.evals.shapes import Pixels


class Squares:
    """Paints a red square and remembers what it was asked for; may stop after some."""

    def __init__(self, name: str = "squares", stop_after: int = 10**9) -> None:
        self.identity: dict[str, Any] = {"model": name}
        self.painted: list[tuple[int, int]] = []
        self._left = stop_after

    def paint(self, prompt: IconPrompt, seeds: tuple[int, ...]) -> Iterator[tuple[int, Pixels]]:
        for seed in seeds:
            if self._left == 0:
                raise KeyboardInterrupt
            self._left -= 1
            self.painted.append((prompt.id, seed))
            pixels = np.zeros((64, 64, 4), np.uint8)
            pixels[16:48, 16:48] = (220, 47, 47, 255)
            yield seed, pixels


FEW = select_prompts(["single", "counting"], 2)


def test_prompts_are_chosen_by_task_and_number() -> None:
    assert len(select_prompts()) == 553
    assert [prompt.task for prompt in FEW] == ["single", "single", "counting", "counting"]
    assert len(select_prompts(limit=1)) == len(TASKS)
    with pytest.raises(RequestError, match="no task called 'sculpting'"):
        select_prompts(["sculpting"])


def test_a_run_is_kept_and_continued(tmp_path: Path) -> None:
    out = tmp_path / "run"
    first = Squares(stop_after=5)
    with pytest.raises(KeyboardInterrupt):
        evaluate(first, FEW, seeds=2, out=out)
    second = Squares()
    judged = evaluate(second, FEW, seeds=2, out=out)
    assert len(first.painted) == 5
    assert len(second.painted) == 3
    assert first.painted + second.painted == [(one.prompt.id, one.seed) for one in judged]
    assert evaluate(Squares(), FEW, seeds=2) == judged
    rows = [json.loads(line) for line in (out / "verdicts.jsonl").read_text().splitlines()]
    assert len(rows) == 8
    assert all((out / row["picture"]).is_file() for row in rows)
    assert {row["correct"] for row in rows} == {one.verdict.correct for one in judged}


def test_a_line_cut_short_is_made_anew(tmp_path: Path) -> None:
    evaluate(Squares(), FEW, seeds=1, out=tmp_path)
    path = tmp_path / "verdicts.jsonl"
    whole = path.read_text()
    path.write_text(whole[:-30])
    again = Squares()
    evaluate(again, FEW, seeds=1, out=tmp_path)
    assert len(again.painted) == 1
    assert path.read_text() == whole


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    evaluate(Squares(), FEW, seeds=1, out=tmp_path)
    path = tmp_path / "verdicts.jsonl"
    path.write_text("{broken\n" + path.read_text())
    with pytest.raises(StorageError, match="Line 1"):
        evaluate(Squares(), FEW, seeds=1, out=tmp_path)


def test_another_models_folder_is_not_mixed_in(tmp_path: Path) -> None:
    evaluate(Squares(), FEW[:1], seeds=1, out=tmp_path)
    with pytest.raises(RequestError, match="another model"):
        evaluate(Squares("circles"), FEW[:1], seeds=1, out=tmp_path)
    (tmp_path / "run.json").unlink()
    with pytest.raises(RequestError, match="unknown run"):
        evaluate(Squares(), FEW[:1], seeds=1, out=tmp_path)


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="cannot be used"):
        evaluate(Squares(), FEW[:1], seeds=1, out=tmp_path / "file")


def test_progress_counts_every_picture() -> None:
    seen: list[tuple[int, int]] = []
    evaluate(Squares(), FEW, seeds=2, on_picture=lambda done, total: seen.append((done, total)))
    assert seen == [(i, 8) for i in range(1, 9)]


def test_the_report_says_how_good_the_judge_is() -> None:
    painter = Squares()
    figures = report(painter, evaluate(painter, FEW, seeds=1), seeds=1)
    assert figures["model"] == "squares"
    assert not figures["is_whole"]
    assert "GenEval" in figures["note"]
    assert figures["judge"] == load_validity()
    for group in ("unseen_drawings", "foreign_packs"):
        for pack in figures["judge"][group].values():
            assert set(pack["tasks"]) == set(TASKS)
            assert pack["floor"] < 0.1 < 0.4 < pack["score"]["value"] <= 1.0


def test_a_model_draws_the_same_picture_for_the_same_seed() -> None:
    painter = ModelPainter("fake", side=64)
    first = dict(painter.paint(FEW[0], (1, 2, 7)))
    again = dict(painter.paint(FEW[0], (2,)))
    assert list(first) == [1, 2, 7]
    assert first[1].shape == (64, 64, 4)
    assert np.array_equal(first[2], again[2])
    assert not np.array_equal(first[2], dict(painter.paint(FEW[2], (2,)))[2])


def test_the_oracle_shows_another_scene_for_every_seed(icon_folder: Path) -> None:
    painter = Oracle(icon_folder, side=128)
    scenes = dict(painter.paint(FEW[0], (1, 2)))
    assert scenes[1].shape == (128, 128, 4)
    assert not np.array_equal(scenes[1], scenes[2])
    assert painter.identity["data_sha256"] == Oracle(icon_folder).identity["data_sha256"]


def test_retrieval_shows_the_picture_of_the_nearest_caption(icon_folder: Path) -> None:
    painter = Retrieval(icon_folder, side=64)
    key = next(p for p in select_prompts(["single"]) if p.wanted[0].concept == "key")
    expected = read_icons(icon_folder, load_concepts())["key"][0].draw(64)
    shown = dict(painter.paint(key, (1, 2)))
    assert np.array_equal(shown[1], expected)
    assert np.array_equal(shown[2], expected)  # one picture: there is no other to show
