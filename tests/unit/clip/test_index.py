"""The index: what changed is seen, what was known is kept, and the nearest are the nearest."""

from __future__ import annotations

import importlib
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from sfumato.clip.fake import ColourModel
from sfumato.clip.index import Hit, Index, UpdateReport, default_index_path, picture_vector
from sfumato.clip.nearest import DECIMALS
from sfumato.errors import StorageError

nearest_module = importlib.import_module("sfumato.clip.nearest")


class Counting(ColourModel):
    """Counts the pictures it is asked to look at."""

    def __init__(self) -> None:
        self.looked_at = 0

    def encode_pictures(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        self.looked_at += len(pictures)
        return super().encode_pictures(pictures)


class Other(ColourModel):
    """The same with other weights."""

    spec = replace(ColourModel.spec, sha256="f" * 64)


def paint(path: Path, colour: str, side: int = 24) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (side, side), colour).save(path)
    return path


@pytest.fixture
def model() -> Counting:
    return Counting()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six pictures in two folders, each of another content."""
    folder = tmp_path / "pictures"
    for i, colour in enumerate(("red", "blue", "green", "yellow")):
        paint(folder / f"{colour}.png", colour, 20 + i)
    for i, colour in enumerate(("red", "purple")):
        paint(folder / "deep" / f"{colour}.png", colour, 30 + i)
    return folder


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "index.sqlite"


def update(file: Path, folder: Path, model: ColourModel) -> UpdateReport:
    with Index.open(file, model) as index:
        return index.update(folder)


def names(hits: list[Hit]) -> list[str]:
    return [f"{hit.path.parent.name}/{hit.path.name}" for hit in hits]


def find(file: Path, words: str, model: ColourModel, limit: int = 2) -> list[str]:
    with Index.open(file, model) as index:
        return names(index.search(model.encode_texts([words])[0], limit))


def figures(report: UpdateReport) -> tuple[int, int, int, int]:
    return report.added, report.kept, report.moved, report.removed


# ---------------------------------------------------------------- up to date


def test_the_second_update_opens_nothing(folder: Path, file: Path, model: Counting) -> None:
    told: list[tuple[int, int]] = []
    with Index.open(file, model) as index:
        assert index.remark == ""
        first = index.update(folder, lambda done, total: told.append((done, total)))
    assert figures(first) == (6, 0, 0, 0)
    assert told == [(done, 6) for done in range(1, 7)]
    assert figures(update(file, folder, model)) == (0, 6, 0, 0)
    assert model.looked_at == 6
    assert find(file, "red", model) == ["deep/red.png", "pictures/red.png"]


def test_new_changed_moved_and_deleted_files(folder: Path, file: Path, model: Counting) -> None:
    update(file, folder, model)
    paint(folder / "new.png", "orange")
    paint(folder / "blue.png", "black", 50)
    (folder / "red.png").rename(folder / "deep" / "moved.png")
    (folder / "green.png").unlink()
    os.utime(folder / "yellow.png", (1, 1))  # touched: another time, the same content
    shutil.copy(folder / "deep" / "purple.png", folder / "copy.png")
    before = model.looked_at
    assert figures(update(file, folder, model)) == (3, 3, 1, 1)
    assert model.looked_at - before == 2  # the new one and the changed one
    assert find(file, "red", model) == ["deep/moved.png", "deep/red.png"]
    assert find(file, "green", model, 7)[0] != "pictures/green.png"
    assert find(file, "purple", model) == ["pictures/copy.png", "deep/purple.png"]
    assert find(file, "black", model, 1) == ["pictures/blue.png"]
    assert figures(update(file, folder, model)) == (0, 7, 0, 0)


def test_vectors_of_deleted_files_are_dropped(folder: Path, file: Path, model: Counting) -> None:
    update(file, folder, model)
    for path in folder.rglob("*.png"):
        path.unlink()
    assert figures(update(file, folder, model)) == (0, 0, 0, 6)
    assert sqlite3.connect(file).execute("SELECT count(*) FROM vectors").fetchone() == (0,)


def test_bad_files_are_skipped_and_remembered(folder: Path, file: Path, model: Counting) -> None:
    (folder / "zero.png").write_bytes(b"")
    (folder / "text.jpg").write_text("hello")
    (folder / "broken.png").symlink_to(folder / "nowhere.png")
    if sys.platform != "win32":
        os.mkfifo(folder / "pipe.png")
    first, second = update(file, folder, model), update(file, folder, model)
    assert figures(first) == (6, 0, 0, 0)
    assert figures(second) == (0, 6, 0, 0)
    assert first.skipped == second.skipped
    reasons = {path.name: reason for path, reason in first.skipped}
    assert reasons.keys() >= {"zero.png", "text.jpg", "broken.png"}
    assert "empty" in reasons["zero.png"]
    assert reasons["text.jpg"].startswith("It is not a picture")
    paint(folder / "zero.png", "pink")
    assert figures(update(file, folder, model)) == (1, 6, 0, 0)


def test_a_good_file_gone_bad_is_not_found(folder: Path, file: Path, model: Counting) -> None:
    update(file, folder, model)
    (folder / "blue.png").write_text("no longer a picture")
    report = update(file, folder, model)
    assert figures(report) == (0, 5, 0, 0)
    assert "pictures/blue.png" not in find(file, "blue", model, 10)


@pytest.mark.skipif(sys.platform != "linux", reason="others have no names but Unicode")
def test_names_that_are_no_unicode(folder: Path, file: Path, model: Counting) -> None:
    odd = Path(os.fsdecode(os.fsencode(folder) + b"/\xff\n'%_.png"))
    paint(odd, "white")
    update(file, folder, model)
    with Index.open(file, model) as index:
        hit = index.search(model.encode_texts(["white"])[0], 1)[0]
    assert hit.path == odd
    assert hit.path.exists()


def test_an_interruption_keeps_what_was_done(folder: Path, file: Path, model: Counting) -> None:
    for i in range(40):
        paint(folder / f"many-{i}.png", "grey", 40 + i)

    def stop(done: int, total: int) -> None:
        if done == 32:
            raise KeyboardInterrupt

    with Index.open(file, model) as index, pytest.raises(KeyboardInterrupt):
        index.update(folder, stop)
    before = model.looked_at
    assert figures(update(file, folder, model)) == (14, 32, 0, 0)
    assert model.looked_at == before + 14


def test_one_index_serves_several_folders(
    folder: Path, tmp_path: Path, file: Path, model: Counting
) -> None:
    beside = tmp_path / "pictures-2"  # its name begins like the other's
    paint(beside / "crimson.png", "red")
    with Index.open(file, model) as index:
        index.update(folder)
        assert figures(index.update(beside)) == (1, 0, 0, 0)
        assert figures(index.update(folder)) == (0, 6, 0, 0)
        red = model.encode_texts(["red"])[0]
        assert names(index.search(red, 9, folder=beside)) == ["pictures-2/crimson.png"]
        assert len(index.search(red, 9, folder=folder)) == 6
        assert names(index.search(red, 9, folder=folder / "deep"))[0] == "deep/red.png"
        assert len(index.search(red, 9)) == 7
        paint(beside / "rose.png", "red", 60)
        index.update(folder)
        assert len(index.search(red, 9, folder=beside)) == 1


def test_the_default_place_is_one_a_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = default_index_path(folder)
    assert place != default_index_path(folder / "deep")
    monkeypatch.chdir(folder)
    assert default_index_path(".") == place == default_index_path(folder / "deep" / "..")
    assert place.is_relative_to(os.environ["XDG_CACHE_HOME"])


# ---------------------------------------------------------------- damaged, old, foreign


def test_an_index_of_another_model_is_made_anew(folder: Path, file: Path, model: Counting) -> None:
    update(file, folder, Other())
    with Index.open(file, model) as index:
        assert "another model" in index.remark
        assert figures(index.update(folder)) == (6, 0, 0, 0)
    assert model.looked_at == 6
    with Index.open(file, model) as index:
        assert index.remark == ""


def test_an_index_of_another_version_is_made_anew(
    folder: Path, file: Path, model: Counting
) -> None:
    update(file, folder, model)
    database = sqlite3.connect(file)
    database.executescript(
        "PRAGMA user_version = 0; DROP TABLE vectors; ALTER TABLE files RENAME TO old_files;"
    )
    database.close()
    with Index.open(file, model) as index:
        assert "version" in index.remark
        assert figures(index.update(folder)) == (6, 0, 0, 0)
    assert find(file, "red", model) == ["deep/red.png", "pictures/red.png"]


def fresh_index(name: str, model: ColourModel) -> tuple[Path, Path]:
    """A folder of three pictures, painted once, and an index of it that was just written."""
    folder, file = Path("pictures").absolute(), Path(name).absolute()
    if not folder.exists():
        for i, colour in enumerate(("red", "blue", "green")):
            paint(folder / f"{colour}.png", colour, 20 + i)
    file.unlink(missing_ok=True)
    update(file, folder, model)
    return folder, file


@settings(max_examples=25)
@given(st.floats(0.0, 1.0))
def test_a_half_written_index_is_set_aside(share: float) -> None:
    model = ColourModel()
    folder, file = fresh_index("index.sqlite", model)
    whole = file.read_bytes()
    file.write_bytes(whole[: max(100, int(share * len(whole)))])
    with Index.open(file, model) as index:
        report = index.update(folder)
        remark = index.remark
        assert names(index.search(model.encode_texts(["blue"])[0], 1)) == ["pictures/blue.png"]
    assert report.added + report.kept == 3
    if share < 0.7:  # the last pages may not be needed
        assert "damaged" in remark
        assert report.added == 3
        assert file.with_name("index.sqlite.damaged").exists()


@settings(max_examples=25)
@given(st.integers(0, 2**32))
def test_scribbles_inside_never_end_in_a_traceback(seed: int) -> None:
    """Every search after damage gives the right answer or says in words why it cannot."""
    model = ColourModel()
    folder, file = fresh_index("scribbled.sqlite", model)
    dice = np.random.default_rng(seed)
    data = bytearray(file.read_bytes())
    start = int(dice.integers(100, len(data) - 64))
    data[start : start + 64] = dice.bytes(64)
    file.write_bytes(data)
    try:
        with Index.open(file, model) as index:
            index.update(folder)
            index.search(model.encode_texts(["blue"])[0], 3)
    except StorageError as error:
        assert "index" in error.one_line()


@pytest.mark.parametrize("number", [np.nan, np.inf, 3e38])
def test_vectors_that_are_no_directions_are_damage(
    folder: Path, file: Path, model: Counting, number: float
) -> None:
    update(file, folder, model)
    database = sqlite3.connect(file)
    damaged = np.full(model.spec.dimensions, number, "<f4").tobytes()
    database.execute("UPDATE vectors SET vector = ?", (damaged,))
    database.commit()
    database.close()
    with Index.open(file, model) as index:
        assert index.search(model.encode_texts(["red"])[0], 1) == []
        assert "damaged" in index.remark


@pytest.mark.parametrize("content", [b"not a database", b"SQLite format 3\0" + bytes(100)])
def test_a_file_of_somebody_else_is_never_touched(
    tmp_path: Path, content: bytes, model: Counting
) -> None:
    path = tmp_path / "precious.png"
    path.write_bytes(content)
    with pytest.raises(StorageError, match="not an index"):
        Index.open(path, model)
    assert path.read_bytes() == content
    assert [found.name for found in tmp_path.glob("precious*")] == ["precious.png"]


def test_rubbish_in_the_cache_is_set_aside(folder: Path, model: Counting) -> None:
    place = default_index_path(folder)
    place.parent.mkdir(parents=True)
    place.write_bytes(b"rubbish")
    with Index.open(place, model) as index:
        assert "damaged" in index.remark
        assert figures(index.update(folder)) == (6, 0, 0, 0)


def test_a_place_that_cannot_be_written_is_said(folder: Path, model: Counting) -> None:
    with pytest.raises(StorageError, match="cannot be used"):
        Index.open(folder / "red.png" / "index.sqlite", model)
    with pytest.raises(StorageError, match="cannot be used"):
        Index.open(folder, model)


def test_two_models_do_not_mix_in_one_index(folder: Path, file: Path, model: Counting) -> None:
    with Index.open(file, model) as index:
        Index.open(file, Other()).__exit__(None, None, None)
        with pytest.raises(StorageError, match="another model"):
            index.update(folder)


@pytest.mark.slow
def test_two_processes_at_once(folder: Path, file: Path, model: Counting) -> None:
    for i in range(80):
        paint(folder / f"many-{i}.png", "grey", 40 + i)
    code = (
        "import sys; from sfumato.clip.index import Index; from sfumato.clip.fake import load\n"
        "with Index.open(sys.argv[1], load('')) as index: print(index.update(sys.argv[2]).kept)"
    )
    command = [sys.executable, "-c", code, str(file), str(folder)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(3)]
    assert [process.wait() for process in running] == [0, 0, 0]
    for process in running:
        assert process.stdout is not None
        process.stdout.close()
    assert figures(update(file, folder, model)) == (0, 86, 0, 0)
    assert model.looked_at == 0
    assert sqlite3.connect(file).execute("PRAGMA integrity_check").fetchone() == ("ok",)


# ---------------------------------------------------------------- search


def exhaustive(
    vectors: NDArray[np.float32], paths: list[str], query: NDArray[np.float32], limit: int
) -> list[tuple[str, float]]:
    """Every cosine in double precision, sorted: what the index has to find."""
    scores = (vectors.astype(np.float64) @ query.astype(np.float64)).round(DECIMALS)
    ranked = sorted(zip((-scores).tolist(), paths, strict=True))
    return [(path, -score) for score, path in ranked[:limit]]


def fill(database: sqlite3.Connection, vectors: NDArray[np.float32]) -> list[str]:
    """Files of a pretended folder, one a vector."""
    paths = [f"/p/{i:05}.png" for i in range(len(vectors))]
    contents = [i.to_bytes(32, "big") for i in range(len(vectors))]
    with database:
        database.executemany(
            "INSERT INTO vectors (content, vector) VALUES (?, ?)",
            [(c, v.tobytes()) for c, v in zip(contents, vectors, strict=True)],
        )
        database.executemany(
            "INSERT INTO files VALUES (?, 1, 1, ?, NULL)",
            [(p.encode(), c) for p, c in zip(paths, contents, strict=True)],
        )
    return paths


class Wide(ColourModel):
    """A model of 48 dimensions whose vectors the test makes up."""

    spec = replace(ColourModel.spec, sha256="e" * 64, dimensions=48)


@pytest.mark.parametrize("extension", [True, False], ids=["sqlite-vec", "numpy"])
@given(data=st.data())
def test_the_answer_is_that_of_an_exhaustive_search(extension: bool, data: st.DataObject) -> None:
    """Ties, near ties and copies included, with either way to compare vectors."""
    if extension and not nearest_module.load_extension(sqlite3.connect(":memory:")):
        pytest.skip("this Python was built without SQLite's extensions")
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    count = data.draw(st.integers(0, 60))
    vectors = rng.normal(size=(count, 48)).astype(np.float32)
    if data.draw(st.booleans()):  # crowded: everything within a rounding error of everything
        vectors = (vectors[:1] + 1e-7 * vectors).astype(np.float32)
    if count and data.draw(st.booleans()):
        vectors = vectors[rng.integers(0, max(1, count // 4), count)]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    query = rng.normal(size=48).astype(np.float32)
    query /= np.linalg.norm(query)
    limit = data.draw(st.integers(1, 70))
    file = Path("made-up.sqlite")
    file.unlink(missing_ok=True)
    with pytest.MonkeyPatch.context() as patch, Index.open(file, Wide()) as index:
        if not extension:
            patch.setattr(nearest_module, "load_extension", lambda database: False)
        paths = fill(index._file.database, vectors)
        found = [(hit.path.as_posix(), hit.score) for hit in index.search(query, limit)]
        assert found == exhaustive(vectors, paths, query, limit)
        hidden = paths[:3]
        found = [(h.path.as_posix(), h.score) for h in index.search(query, limit, without=hidden)]
        assert found == exhaustive(vectors[3:], paths[3:], query, limit)


def test_a_vector_that_is_no_number_is_damage(folder: Path, file: Path, model: Counting) -> None:
    update(file, folder, model)
    database = sqlite3.connect(file)
    broken = np.full(16, np.nan, np.float32).tobytes()
    with database:
        database.execute("UPDATE vectors SET vector = ? WHERE id = 1", (broken,))
    database.close()
    with Index.open(file, model) as index:
        assert index.search(model.encode_texts(["red"])[0], 3) == []
        assert "damaged" in index.remark
        assert figures(index.update(folder)) == (6, 0, 0, 0)


def test_a_picture_is_nearest_to_itself(folder: Path, file: Path, model: Counting) -> None:
    update(file, folder, model)
    asked = folder / "deep" / "purple.png"
    vector = picture_vector(asked, model)
    with Index.open(file, model) as index:
        hit = index.search(vector, 1)[0]
        assert (hit.path, hit.score) == (asked, pytest.approx(1.0))
        others = index.search(vector, 10, without=[asked])
    assert len(others) == 5
    assert asked not in [hit.path for hit in others]


def test_questions_that_make_no_sense(folder: Path, file: Path, model: Counting) -> None:
    with Index.open(file, model) as index:
        with pytest.raises(ValueError, match="limit"):
            index.search(np.zeros(16, np.float32), 0)
        with pytest.raises(ValueError, match="shape"):
            index.search(np.zeros(3, np.float32), 1)
        assert index.search(np.ones(16, np.float32) / 4, 5) == []
        with pytest.raises(StorageError, match="cannot be read"):
            index.update(folder / "missing")
