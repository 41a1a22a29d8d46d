from __future__ import annotations

import json
from pathlib import Path

import judge as judge_script
import numpy as np
import pytest
import torch
from measures.naming import floor_accuracy, judge_pictures

from sfumato.errors import StorageError
from sfumato.training.corpus import read_corpus
from sfumato.training.judge import SIDE, WEIGHTS, Judge, JudgeNet, augment, train_judge


@pytest.fixture(scope="module")
def trained(picture_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Judge:
    out = tmp_path_factory.mktemp("judge")
    train_judge(
        read_corpus(picture_set, split=None),
        out,
        steps=60,
        batch_size=16,
        width=8,
        say=lambda line: None,
    )
    return Judge.load(out)


def test_it_learns_to_name_what_it_was_shown(trained: Judge, picture_set: Path) -> None:
    corpus = read_corpus(picture_set, split=None)
    expected = [(row["concept"],) for row in corpus.rows]
    answers = judge_pictures(trained, corpus.pictures, expected)
    assert answers.top1.mean() > 0.7
    assert (answers.top5 >= answers.top1).all()
    assert (answers.group >= answers.top1).all()
    floor = floor_accuracy(trained, answers, expected)
    assert floor["top1"] < 0.45 < answers.top1.mean()


def test_embeddings_are_unit_vectors_and_independent_of_the_batch(
    trained: Judge, picture_set: Path
) -> None:
    pictures = read_corpus(picture_set, split=None).pictures[::5]
    together = trained.embed(pictures)
    assert np.linalg.norm(together, axis=1) == pytest.approx(1.0, abs=1e-5)
    alone = np.concatenate([trained.embed(picture[None]) for picture in pictures])
    assert together == pytest.approx(alone, abs=0.02)  # bfloat16 inside
    assert trained.embed(pictures[:0]).shape == (0, together.shape[1])


def test_several_names_may_be_right(trained: Judge, picture_set: Path) -> None:
    pictures = read_corpus(picture_set, split=None).pictures
    anything = judge_pictures(trained, pictures, [trained.concepts] * len(pictures))
    nothing = judge_pictures(trained, pictures, [("teapot",)] * len(pictures))
    assert anything.top1.all()
    assert not nothing.top5.any()


def test_augmentation_moves_and_recolours_but_keeps_the_picture_in_range() -> None:
    planes = torch.zeros(64, 4, SIDE, SIDE)
    planes[:, 0, 20:44, 20:44] = planes[:, 3, 20:44, 20:44] = 1.0
    first = augment(planes, torch.Generator().manual_seed(1))
    again = augment(planes, torch.Generator().manual_seed(1))
    assert first.shape == (64, 3, SIDE, SIDE)
    assert torch.equal(first, again)
    assert first.min() >= 0
    assert first.max() <= 1
    assert first.flatten(1).std(dim=0).mean() > 0.1  # no two alike


def test_the_network_tells_concepts_by_direction() -> None:
    network = JudgeNet(concepts=5, width=8).eval()
    with torch.inference_mode():
        cosines = network.cosines(network(torch.rand(3, 3, SIDE, SIDE)))
    assert cosines.shape == (3, 5)
    assert cosines.abs().max() <= 1.0 + 1e-5


def test_a_missing_or_damaged_judge_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="is not a judge"):
        Judge.load(tmp_path)
    (tmp_path / WEIGHTS).write_bytes(b"no weights")
    with pytest.raises(StorageError, match="is not a judge"):
        Judge.load(tmp_path)


def test_the_command_trains_and_reports(
    picture_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "judge"
    arguments = ["--data", picture_set, "--out", out, "--real", picture_set, "--steps", "2"]
    sizes = ["--width", "8", "--batch-size", "8"]
    assert judge_script.main([*map(str, arguments), *sizes]) == 0
    report = json.loads((out / "report.json").read_text("utf-8"))
    assert report["concepts"] == 4
    assert set(report["by_pack"]) == {"pack-flat", "pack-cartoon"}
    assert report["ceiling"]["top1"]["count"] == 32
    assert "judge_sha256" in capsys.readouterr().out


def test_the_command_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--data", str(tmp_path), "--out", str(tmp_path / "out"), "--steps", "1"]
    assert judge_script.main(arguments) == 6
    assert "not a training set" in capsys.readouterr().err
