"""Batches are read whole, and a bad row does not spoil its neighbours."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfumato.cli.rows import prompt_lines, read_rows
from sfumato.errors import RequestError, StorageError


def write(folder: Path, name: str, content: str) -> Path:
    path = folder / name
    path.write_text(content, "utf-8")
    return path


def test_text_has_a_prompt_a_line_and_keeps_its_line_numbers(tmp_path: Path) -> None:
    path = write(tmp_path, "p.txt", "\ufeffa fox\n\n# not this\n  a cat  \r\n")
    assert [(row.line, row.cells) for row in read_rows(path)] == [
        (1, {"prompt": "a fox"}),
        (4, {"prompt": "a cat"}),
    ]


def test_csv_cells_are_read_like_options(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "p.csv",
        'Prompt,seed,size,num-images,guidance,format\n"a fox, red",7,64x32,2,1.5,jpg\na cat,,,,,\n',
    )
    first, second = read_rows(path)
    assert first.cells == {
        "prompt": "a fox, red",
        "seed": 7,
        "size": (64, 32),
        "num_images": 2,
        "guidance": 1.5,
        "format": "jpeg",
    }
    assert second.cells == {"prompt": "a cat"}
    assert (first.line, second.line) == (2, 3)


def test_json_values_may_be_numbers_or_text(tmp_path: Path) -> None:
    lines = [
        {"prompt": "a fox", "seed": 7, "n": "2", "style": None},
        {"prompt": "a cat", "steps": 3},
    ]
    path = write(tmp_path, "p.jsonl", "\n".join(map(json.dumps, lines)))
    first, second = read_rows(path)
    assert first.cells == {"prompt": "a fox", "seed": 7, "num_images": 2}
    assert second.cells == {"prompt": "a cat", "steps": 3}


@pytest.mark.parametrize(
    ("name", "content", "line", "word"),
    [
        ("p.csv", "prompt,seed\na fox,-1\na cat,2\n", 2, "seed"),
        ("p.csv", "prompt,size\na fox,12x\na cat,32\n", 2, "size"),
        ("p.csv", "prompt,format\na fox,tiff\na cat,png\n", 2, "tiff"),
        ("p.csv", "prompt\na, fox\na cat\n", 2, "cells"),
        ("p.csv", "prompt,output\na fox,../x.png\na cat,y.png\n", 2, "without a folder"),
        ("p.jsonl", '{"prompt": \n{"prompt": "a cat"}\n', 1, "JSON"),
        ("p.jsonl", '[1]\n{"prompt": "a cat"}\n', 1, "object"),
        ("p.jsonl", '{"prompt": "x", "colour": 1}\n{"prompt": "a cat"}\n', 1, "'colour'"),
        ("p.jsonl", '{"prompt": 5}\n{"prompt": "a cat"}\n', 1, "as text"),
        ("p.jsonl", '{"prompt": "x", "seed": 1.5}\n{"prompt": "a cat"}\n', 1, "seed"),
        ("p.jsonl", '{"prompt": "x", "seed": true}\n{"prompt": "a cat"}\n', 1, "seed"),
    ],
)
def test_a_bad_row_says_what_is_wrong_and_the_next_is_read(
    tmp_path: Path, name: str, content: str, line: int, word: str
) -> None:
    bad, good = read_rows(write(tmp_path, name, content))
    assert bad.line == line
    assert bad.error is not None
    assert word in bad.error.one_line()
    assert good.error is None
    assert good.cells["prompt"] == "a cat"


def test_an_unknown_column_is_named_with_those_that_exist(tmp_path: Path) -> None:
    path = write(tmp_path, "p.csv", "prompt,colour\na fox,red\n")
    with pytest.raises(RequestError, match="'colour'") as refused:
        read_rows(path)
    assert "background" in refused.value.hint


def test_a_table_without_prompts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="no column 'prompt'"):
        read_rows(write(tmp_path, "p.csv", "seed\n7\n"))


@pytest.mark.parametrize(
    ("name", "content"), [("p.txt", "# none\n"), ("p.csv", "prompt\n"), ("p.jsonl", "")]
)
def test_an_empty_batch_is_refused(tmp_path: Path, name: str, content: str) -> None:
    with pytest.raises(RequestError, match="nothing to draw"):
        read_rows(write(tmp_path, name, content))


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    with pytest.raises(StorageError, match="not UTF-8"):
        read_rows(tmp_path / "latin.txt")
    with pytest.raises(StorageError, match="cannot be read"):
        read_rows(tmp_path / "missing.csv")
    with pytest.raises(StorageError, match="cannot be read"):
        read_rows(tmp_path)


prompts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30)


@settings(max_examples=40, deadline=None)
@given(asked=st.lists(st.tuples(prompts, st.integers(0, 2**32 - 1)), min_size=1, max_size=5))
def test_what_a_csv_writer_writes_is_read_back(
    asked: list[tuple[str, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    buffer = io.StringIO()
    csv.writer(buffer).writerows([("prompt", "seed"), *asked])
    path = write(tmp_path_factory.mktemp("csv"), "p.csv", buffer.getvalue())
    assert [(row.cells["prompt"], row.cells["seed"]) for row in read_rows(path)] == asked


def test_lines_are_split_at_line_feeds_only() -> None:
    assert prompt_lines("a\u2028b\n\tc\n") == [(1, "a\u2028b"), (2, "c")]


@pytest.mark.parametrize("odd", ["\u2028", "\x0b", "\x0c", "\x85", "\x1c"])
def test_cells_of_a_table_end_where_csv_says(tmp_path: Path, odd: str) -> None:
    path = write(tmp_path, "p.csv", f'prompt,seed\r\na{odd}fox,1\r\n"two\nlines",2\r\n')
    rows = read_rows(path)
    assert [row.cells for row in rows] == [
        {"prompt": f"a{odd}fox", "seed": 1},
        {"prompt": "two\nlines", "seed": 2},
    ]
