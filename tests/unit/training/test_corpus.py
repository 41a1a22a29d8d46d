"""A training set read back: rows, which captions belong to which picture, sentence vectors."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

from sfumato.errors import StorageError
from sfumato.training import corpus as corpus_module
from sfumato.training.corpus import read_corpus, sort_captions, text_vectors
from sfumato.training.text import encode_texts


def row(concept: str, *captions: str, style: str = "flat", split: str = "train") -> dict[str, Any]:
    captions = captions or (concept,)
    return {"concept": concept, "captions": list(captions), "style": style, "split": split}


def sort(*rows: dict[str, Any], most: int = 3) -> list[list[str]]:
    sort_captions(list(rows), most)
    return [row["captions"] for row in rows]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [row("fox"), row("owl", style="soft", split="held-out"), row("cat", style="glyph")]
    (tmp_path / "manifest.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows), "utf-8")
    pictures = np.arange(3, dtype=np.uint8)[:, None, None, None] * np.ones((1, 64, 64, 4), np.uint8)
    np.save(tmp_path / "pictures-64.npy", pictures)
    return tmp_path


# ---------------------------------------------------------------- reading


def test_a_split_keeps_rows_pictures_and_numbers_together(folder: Path) -> None:
    corpus = read_corpus(folder)
    assert [r["concept"] for r in corpus.rows] == ["fox", "cat"]
    assert corpus.numbers.tolist() == [0, 2]
    assert corpus.pictures[:, 0, 0, 0].tolist() == [0, 2]
    # every style of the set has its number, whichever split it is in
    assert corpus.styles == ["flat", "glyph", "soft"]
    assert corpus.style_numbers().tolist() == [0, 1]
    assert len(read_corpus(folder, split=None).rows) == 3


@pytest.mark.parametrize("missing", ["manifest.jsonl", "pictures-64.npy"])
def test_a_folder_that_is_no_set_says_how_to_build_one(folder: Path, missing: str) -> None:
    (folder / missing).unlink()
    with pytest.raises(StorageError, match="is not a training set") as caught:
        read_corpus(folder)
    assert "sfumato train data icons" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "content"),
    [("pictures-64.npy", b"PK not an array"), ("manifest.jsonl", b"{not json\n")],
)
def test_a_damaged_set_is_a_storage_error(folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    with pytest.raises(StorageError, match="is not a training set"):
        read_corpus(folder)


def test_a_manifest_of_another_length_is_refused(folder: Path) -> None:
    with (folder / "manifest.jsonl").open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(row("dog")) + "\n")
    with pytest.raises(StorageError, match="names 4 pictures, the file holds 3"):
        read_corpus(folder)


# ---------------------------------------------------------------- whose caption it is


def test_the_head_noun_is_added_second() -> None:
    assert sort(row("palm tree", "palm tree", "beach")) == [["palm tree", "tree", "beach"]]
    assert sort(row("palm tree", "palm tree", "tree")) == [["palm tree", "tree"]]


def test_a_name_belongs_to_the_pictures_that_bear_it() -> None:
    skull, bone = sort(row("skull"), row("bone", "bone", "skull"))
    assert skull == ["skull"]
    assert bone == ["bone"]


def test_a_name_of_another_style_takes_nothing_away() -> None:
    _, bone = sort(row("skull", style="glyph"), row("bone", "bone", "skull"))
    assert bone == ["bone", "skull"]


def test_a_tag_of_few_subjects_stays_and_of_many_goes() -> None:
    subjects = ("fox", "owl", "cat", "dog")
    few = sort(*(row(s, s, "animal") for s in subjects[:3]))
    assert few == [["fox", "animal"], ["owl", "animal"], ["cat", "animal"]]
    many = sort(*(row(s, s, "animal") for s in subjects))
    assert many == [[s] for s in subjects]
    assert sort(*(row(s, s, "animal") for s in subjects[:2]), most=1) == [["fox"], ["owl"]]


def test_many_pictures_of_one_subject_are_one_subject() -> None:
    rows = [row("fox", "fox", "animal") for _ in range(9)]
    assert sort(*rows) == [["fox", "animal"]] * 9


def test_a_head_noun_of_many_stays_with_those_named_after_it() -> None:
    kinds = ("palm tree", "fir tree", "bare tree", "apple tree")
    *trees, forest = sort(*(row(k) for k in kinds), row("forest", "forest", "tree"))
    assert trees == [[k, "tree"] for k in kinds]
    assert forest == ["forest"]


def test_no_picture_is_left_without_a_caption() -> None:
    skull, bone = sort(row("skull"), row("bone", "skull"))
    assert (skull, bone) == (["skull"], ["bone"])


# ---------------------------------------------------------------- sentence vectors


@pytest.fixture
def run(tmp_path: Path, text_folder: Path) -> Path:
    shutil.copytree(text_folder, tmp_path / "run" / "text")
    return tmp_path / "run"


def refuse(*_: object) -> None:
    raise AssertionError("the text encoder must not be built again")


def test_vectors_are_those_of_the_runs_own_encoder(
    tiny_data: Path, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corpus_module, "export_text_encoder", refuse)
    corpus = read_corpus(tiny_data)
    vectors = text_vectors(corpus, run)
    for r, found in zip(corpus.rows, vectors, strict=True):
        np.testing.assert_array_equal(found, encode_texts(run / "text", r["captions"]))
    assert text_vectors(corpus, run, most=1)[0].shape == (1, 384)


def test_captions_are_encoded_again_only_when_they_change(
    tiny_data: Path, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = read_corpus(tiny_data)
    first = text_vectors(corpus, run)
    with monkeypatch.context() as patch:
        patch.setattr(corpus_module, "encode_texts", refuse)
        np.testing.assert_array_equal(text_vectors(corpus, run)[0], first[0])
    corpus.rows[0]["captions"] = ["fox", "red fox"]
    expected = encode_texts(run / "text", ["fox", "red fox"])
    np.testing.assert_array_equal(text_vectors(corpus, run)[0], expected)


def test_a_run_killed_between_vectors_and_captions_mixes_none_up(
    tiny_data: Path, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = read_corpus(tiny_data)
    first = text_vectors(corpus, run)
    other = read_corpus(tiny_data)
    for r in other.rows:
        r["captions"] = [f"another {r['concept']}"]

    def killed(_: object) -> str:
        raise OSError("killed")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="killed"):
        patch.setattr(corpus_module.json, "dumps", killed)
        text_vectors(other, run)
    for found, expected in zip(text_vectors(corpus, run), first, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_a_run_without_an_encoder_builds_one_that_keeps_its_captions(
    tiny_data: Path, tmp_path: Path, text_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def build(out: Path, captions: list[str]) -> None:
        asked.extend(captions)
        shutil.copytree(text_folder, out, dirs_exist_ok=True)

    monkeypatch.setattr(corpus_module, "export_text_encoder", build)
    corpus = read_corpus(tiny_data)
    text_vectors(corpus, tmp_path / "fresh")
    assert asked == [c for r in corpus.rows for c in r["captions"]]
