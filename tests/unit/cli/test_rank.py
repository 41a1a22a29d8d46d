"""``sfumato rank``: the order, the reasons, and files that are no pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import sfumato as api
from sfumato.errors import RequestError, StorageError
from sfumato.ranking import query_for

Sfumato = Callable[..., Any]


@pytest.fixture
def pictures(folder: Path) -> Path:
    """Discs in three colours, named so that the alphabet gives another order."""
    from PIL import ImageDraw

    for name, colour in (("a", "#3aa652"), ("b", "#2f6fde"), ("c", "#dc2f2f")):
        image = Image.new("RGBA", (48, 48), (0, 0, 0, 0))
        ImageDraw.Draw(image).ellipse((6, 6, 42, 42), fill=colour)
        image.save(folder / f"{name}.png")
    return folder


@pytest.fixture
def rank(sfumato: Sfumato) -> Sfumato:
    """``sfumato rank`` with the model that knows colours."""
    return lambda *args: sfumato("rank", *args, "--model", "fake")


def test_the_table_has_the_best_first_and_says_why(rank: Sfumato, pictures: Path) -> None:
    outcome = rank("a red balloon", "a.png", "b.png", "c.png")
    assert outcome.code == 0, outcome.err
    head, *rows = outcome.text.splitlines()
    assert head.split() == ["rank", "file", "score", "why"]
    assert [row.split()[1] for row in rows] == ["c.png", "a.png", "b.png"]
    assert "“balloon”" in rows[0]
    assert "100% red" in rows[0]
    assert "0% red" in rows[1]


def test_json_holds_the_scores_and_what_was_compared(rank: Sfumato, pictures: Path) -> None:
    value = rank("a blue balloon icon, flat", ".", "--json").json
    assert (value["subject"], value["colour"]) == ("balloon", "blue")
    ranked = value["ranked"]
    assert [entry["rank"] for entry in ranked] == [1, 2, 3]
    assert ranked[0]["path"] == "b.png"
    assert sum(entry["score"] for entry in ranked) == pytest.approx(1.0, abs=1e-4)
    assert ranked[0]["colour_share"] > 0.9 > ranked[1]["colour_share"]
    assert value["skipped"] == []


def test_top_shows_the_best_only_and_counts_the_rest(rank: Sfumato, pictures: Path) -> None:
    outcome = rank("a red balloon", "a.png", "b.png", "c.png", "--top", "1")
    assert len(outcome.text.splitlines()) == 2
    assert outcome.err == "… and 2 more\n"
    assert len(rank("a red balloon", ".", "--top", "2", "--json").json["ranked"]) == 2


def test_bad_files_are_named_and_left_out(rank: Sfumato, pictures: Path) -> None:
    (pictures / "bad.png").write_bytes(b"no picture at all")
    (pictures / "empty.png").write_bytes(b"")
    outcome = rank("a red balloon", "bad.png", "a.png", "empty.png", "c.png", "--json")
    assert outcome.code == StorageError.exit_code
    assert [entry["path"] for entry in outcome.json["ranked"]] == ["c.png", "a.png"]
    assert outcome.json["skipped"] == ["bad.png", "empty.png"]
    assert "bad.png" in outcome.err
    assert "empty.png" in outcome.err


def test_nothing_to_rank_is_an_error(rank: Sfumato, folder: Path) -> None:
    (folder / "nothing").mkdir()
    outcome = rank("a red balloon", "nothing")
    assert (outcome.code, outcome.out) == (StorageError.exit_code, b"")
    assert "no picture to rank" in outcome.err


def test_an_unknown_model_names_those_there_are(sfumato: Sfumato, pictures: Path) -> None:
    outcome = sfumato("rank", "a red balloon", "a.png", "--model", "nonsense")
    assert outcome.code == 3
    assert "fake" in outcome.err


def test_an_empty_prompt_is_refused(rank: Sfumato, pictures: Path) -> None:
    outcome = rank("  ", "a.png")
    assert (outcome.code, outcome.out) == (2, b"")
    assert "The prompt is empty" in outcome.err


# ---------------------------------------------------------------- from Python


def test_python_ranks_files_and_arrays_together(pictures: Path) -> None:
    red = np.asarray(Image.open(pictures / "c.png"))
    ranked = api.rank(
        "a red balloon", [pictures / "a.png", red, str(pictures / "b.png")], model="fake"
    )
    assert ranked[0].index == 1
    many = api.rank("a red balloon", [pictures / "a.png"] * 20 + [red], model="fake")
    assert [entry.index for entry in many] == [20, *range(20)]  # over two batches, equals in order


def test_python_refuses_what_is_no_picture(pictures: Path) -> None:
    with pytest.raises(RequestError, match="has shape"):
        api.rank("a red balloon", [np.zeros((4, 4, 3), np.uint8)], model="fake")
    with pytest.raises(StorageError):
        api.rank("a red balloon", [pictures / "missing.png"], model="fake")
    assert api.rank("a red balloon", [], model="fake") == []


@pytest.mark.parametrize(
    ("prompt", "subject", "colour"),
    [
        ("a red fox", "red fox", None),
        ("flat icon of a fox", "fox", None),
        ("a navy rocket on a yellow circle", "rocket", "blue"),
        ("app icon of an owl, cartoon", "owl", None),
        ("three navy rockets in a row", "rocket", "blue"),
        ("a fox and an owl", "a fox and an owl", None),
    ],
)
def test_only_what_tells_candidates_apart_is_compared(
    prompt: str, subject: str, colour: str | None
) -> None:
    query = query_for(prompt)
    assert (query.subject, query.colour_term) == (subject, colour)
