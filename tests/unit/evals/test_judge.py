from __future__ import annotations

import json
from pathlib import Path

import judge as judge_script
import numpy as np
import pytest
from measures.naming import floor_accuracy, judge_pictures

from sfumato.errors import StorageError
from sfumato.training.corpus import read_corpus
from sfumato.training.judge import WEIGHTS, Judge, describe, fit_discriminants, train_judge


@pytest.fixture(scope="module")
def trained(picture_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Judge:
    return train_judge(
        read_corpus(picture_set, split=None), tmp_path_factory.mktemp("judge"), copies=2
    )


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
    assert together == pytest.approx(alone, abs=1e-5)
    assert trained.embed(pictures[:0]).shape == (0, together.shape[1])


def test_several_names_may_be_right(trained: Judge, picture_set: Path) -> None:
    pictures = read_corpus(picture_set, split=None).pictures
    anything = judge_pictures(trained, pictures, [trained.concepts] * len(pictures))
    nothing = judge_pictures(trained, pictures, [("teapot",)] * len(pictures))
    assert anything.top1.all()
    assert not nothing.top5.any()


def test_colour_place_size_and_side_do_not_matter(trained: Judge, picture_set: Path) -> None:
    pictures = read_corpus(picture_set, split=None).pictures[::8].copy()  # one of each subject
    names = trained.rank(trained.embed(pictures), best=1)[:, 0]
    assert len(set(names)) == 4
    changed = np.zeros_like(pictures)
    changed[:, 4:36, 28:60] = pictures[:, ::2, ::2][:, :, ::-1]  # half the size, moved, mirrored
    changed[..., :3] = changed[..., [2, 0, 1]]  # other hues
    assert (trained.rank(trained.embed(changed), best=1)[:, 0] == names).all()
    assert trained.embed(pictures) == pytest.approx(trained.embed(pictures[:, :, ::-1]), abs=1e-5)


def test_nothing_drawn_is_no_error(trained: Judge) -> None:
    blank = np.zeros((2, 64, 64, 4), np.uint8)
    assert np.isfinite(trained.embed(blank)).all()
    assert describe(blank[:0]).shape == (0, describe(blank).shape[1])


def test_varied_copies_differ_and_repeat_by_seed(picture_set: Path) -> None:
    pictures = read_corpus(picture_set, split=None).pictures[:4]
    plain = describe(pictures)
    first, again = (describe(pictures, np.random.default_rng(1)) for _ in range(2))
    assert np.array_equal(first, again)
    assert np.abs(first - plain).mean() > 0.01


def test_discriminants_ignore_what_varies_within_a_label() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(6000) % 3
    features = rng.normal(size=(6000, 5)).astype(np.float32)
    features[:, 0] *= 4  # loud and meaningless
    features[:, 1] = labels + 0.1 * features[:, 1]  # quiet and telling
    mean, projection = fit_discriminants(features, labels)
    strongest = (features - mean) @ projection[:, 0]
    assert abs(np.corrcoef(strongest, labels)[0, 1]) > 0.95
    assert abs(np.corrcoef(strongest, features[:, 0])[0, 1]) < 0.1


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
    arguments = ["--data", picture_set, "--out", out, "--real", picture_set, "--copies", 1]
    assert judge_script.main([*map(str, arguments)]) == 0
    report = json.loads((out / "report.json").read_text("utf-8"))
    assert report["concepts"] == 4
    assert set(report["by_pack"]) == {"pack-flat", "pack-cartoon"}
    assert report["ceiling"]["top1"]["count"] == 32
    assert "judge_sha256" in capsys.readouterr().out


def test_the_command_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--data", str(tmp_path), "--out", str(tmp_path / "out")]
    assert judge_script.main(arguments) == 6
    assert "not a training set" in capsys.readouterr().err
