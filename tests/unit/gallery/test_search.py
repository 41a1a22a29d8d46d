"""Finding by words, filters, and what pictures show."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text

from sfumato.errors import ModelError, RequestError
from sfumato.gallery import Library, Query
from sfumato.gallery.conditions import conditions_of
from sfumato.gallery.folder import Folder
from sfumato.gallery.picture import Picture
from sfumato.gallery.tables import PICTURES
from sfumato.gallery.text import fold, parse_search
from sfumato.gallery.thumbnails import load_pixels
from sfumato.gallery.vectors import PictureSearch
from sfumato.request import GeneratedImage

Draw = Callable[..., GeneratedImage]

PROMPTS = (
    "a red fox",
    "red boots for a fox",
    "Ein größerer Wal",
    "crème brûlée on a t-shirt",
    "狐狸在雪中",
    "an AND or NOT gate",
    'a sign "it\'s 100% off; DROP TABLE"',
)


@pytest.fixture
def full(library: Library, draw: Draw) -> Library:
    for prompt in PROMPTS:
        library.add(draw(prompt))
    return library


def found(library: Library, text: str) -> set[int]:
    return {PROMPTS.index(picture.prompt) for picture in library.walk(Query(text=text))}


def test_words_find_what_they_mean(full: Library) -> None:
    for typed, expected in (
        ("fox", {0, 1}),
        ("FOX red", {0, 1}),
        ("re", {0, 1}),
        ('"red fox"', {0}),
        ('"red fo"', set()),
        ("fox -boots", {0}),
        ("-fox -wal", {3, 4, 5, 6}),
        ("grosser", {2}),
        ("GRÖßER", {2}),
        ("creme brulee", {3}),
        ("t-shirt", {3}),
        ("shirt", {3}),
        ("狐狸", {4}),
        ("雪", {4}),
        ("not", {5}),
        ("AND OR NOT", {5}),
        ("100%", {6}),
        ("it's", {6}),
        ("unheard", set()),
        ("", set(range(7))),
        ("   ", set(range(7))),
        ('"', set(range(7))),
        ("- * ( ) : ^", set(range(7))),
    ):
        assert found(full, typed) == expected, typed


def test_labels_and_file_names_are_words_too(library: Library, draw: Draw) -> None:
    picture = library.add(draw("a red fox"), tags=["Wild Life"])
    assert library.count(Query(text="wild")) == 1
    library.mark([picture.id], remove_tags=["Wild Life"], add_to=["Zoo"])
    assert library.count(Query(text="wild")) == 0
    assert library.count(Query(text="zoo fox fake")) == 1


@settings(max_examples=40)
@example("ϒ ϲ ᴬ ㎫")
@given(st.text(max_size=40))
def test_any_text_can_be_searched_for(text: str) -> None:
    terms = parse_search(text)
    assert all(word == fold(word)[0] for term in terms for word in term.words)


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ('"red" OR "a"', set()),  # nobody wrote "or" beside them
        ("an OR gate", {5}),
        ("fox*", {0, 1}),
        ("NEAR(red fox)", set()),
        ("words:fox", set()),
        ("re:*fox", set()),
        ("!red & fox", {0, 1}),
        ("red <-> fox", {0, 1}),
        ("fox | gate", set()),
        *((sign, set(range(len(PROMPTS)))) for sign in "{'\\-(%_|&!"),
    ],
)
def test_nothing_typed_is_an_operator(full: Library, typed: str, expected: set[int]) -> None:
    assert found(full, typed) == expected


def test_every_filter_narrows(library: Library, draw: Draw) -> None:
    fox = library.add(draw("a red fox"))
    spotted = library.add(draw("a red fox", seed=9, style="striped"))
    for query, expected in (
        (Query(model="fake"), 2),
        (Query(model="chiaro"), 0),
        (Query(source="sfumato"), 2),
        (Query(source="comfyui"), 0),
        (Query(since=datetime.now(timezone.utc) - timedelta(hours=1)), 2),
        (Query(until=datetime.now(timezone.utc) - timedelta(hours=1)), 0),
        (Query(until=datetime.now(timezone.utc) + timedelta(hours=1)), 2),
        (Query(colour=fox.colours[0]), 2),
        (Query(defect="none"), sum(not p.findings for p in (fox, spotted))),
        (Query(defect="any"), sum(bool(p.findings) for p in (fox, spotted))),
    ):
        assert library.count(query) == expected, query
    names = {finding.check for finding in (*fox.findings, *spotted.findings)}
    for name in names:
        having = {p.id for p in (fox, spotted) if name in {f.check for f in p.findings}}
        assert {p.id for p in library.walk(Query(defect=name))} == having
    other = next(c for c in ("green", "yellow", "red") if c not in fox.colours + spotted.colours)
    assert library.count(Query(colour=other)) == 0
    assert library.labels("colour") == {
        colour: sum(colour in p.colours for p in (fox, spotted))
        for colour in {*fox.colours, *spotted.colours}
    }
    assert library.models() == {"fake": 2}


@pytest.mark.parametrize(
    "query", [Query(), Query(colour="red"), Query(defect="none"), Query(favourite=True)]
)
def test_a_page_is_read_in_order_and_never_sorted(own: Library, query: Query) -> None:
    """Else the first page takes as long as the library is large."""
    wanted = select(PICTURES).where(*conditions_of(query, own.text))
    wanted = wanted.order_by(PICTURES.c.id.desc()).limit(50)
    with own.database.read() as connection:
        compiled = wanted.compile(connection, compile_kwargs={"literal_binds": True})
        plan = connection.execute(text(f"EXPLAIN QUERY PLAN {compiled}")).all()
    steps = [row.detail for row in plan]
    assert any("USING INDEX ix_pictures_trash" in step for step in steps), steps
    assert not any("TEMP B-TREE" in step for step in steps), steps


def test_a_colour_may_have_any_of_its_names(own: Library, draw: Draw) -> None:
    picture = own.add(draw())
    red = np.zeros((8, 8, 4), np.uint8)
    red[..., 0], red[..., 3] = 220, 255
    from sfumato.gallery.records import colours_of

    assert colours_of(red) == ("red",)
    assert colours_of(np.zeros((8, 8, 4), np.uint8)) == ()
    same = "gray" if picture.colours[0] == "grey" else picture.colours[0]
    assert own.count(Query(colour=same)) == 1
    with pytest.raises(RequestError):
        own.count(Query(colour="ultraviolent"))
    with pytest.raises(RequestError):
        own.labels("moods")


# ---------------------------------------------------------------- what pictures show


def test_pictures_are_found_by_what_they_show(library: Library, draw: Draw) -> None:
    pictures = [library.add(draw(prompt)) for prompt in ("one", "two", "three", "four")]
    search = PictureSearch(library, "fake")
    assert search.by_text("red") == []
    seen: list[tuple[int, int]] = []
    assert search.update(lambda done, total: seen.append((done, total))) == 4
    assert seen[-1] == (4, 4)
    assert search.update() == 0
    for picture in pictures:
        best = search.by_text(f"something {picture.colours[0]}", limit=4)
        assert len(best) == 4
        assert picture.colours[0] in best[0].picture.colours
        assert [match.score for match in best] == sorted((m.score for m in best), reverse=True)
        like = search.by_picture(picture.id, limit=4)
        assert picture.id not in {match.picture.id for match in like}
        assert len(like) == 3
        (self_found,) = search.by_pixels(draw(picture.prompt).pixels, limit=1)
        assert self_found.score == pytest.approx(1.0, abs=2e-3)
    narrowed = search.by_text("red", query=Query(text="three"))
    assert [match.picture.prompt for match in narrowed] == ["three"]


def test_pictures_that_went_or_broke_are_passed_over(library: Library, draw: Draw) -> None:
    whole, broken, gone = (library.add(draw(seed=seed)) for seed in (1, 2, 3))
    broken.path.write_bytes(b"not a picture")
    gone.path.unlink()
    search = PictureSearch(library, "fake")
    assert search.update() == 1
    assert [match.picture.id for match in search.by_text("red")] == [whole.id]
    library.trash([whole.id])
    assert search.by_text("red") == []
    library.purge()
    assert search.by_text("red", query=Query(trashed=True)) == []


def test_a_picture_is_read_once_to_be_searched(
    library: Library, draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, broken = library.add(draw(seed=1)), library.add(draw(seed=2))
    sound = broken.path.read_bytes()
    broken.path.write_bytes(b"not a picture")
    read: list[str] = []

    def load(folder: Folder, picture: Picture) -> Any:
        read.append(picture.id)
        return load_pixels(folder, picture)

    monkeypatch.setattr("sfumato.gallery.vectors.load_pixels", load)
    assert PictureSearch(library, "fake").update() == 1
    assert sorted(read) == sorted([whole.id, broken.id])
    read.clear()
    search = PictureSearch(library, "fake")  # each search of a page makes one
    assert search.update() == 0
    assert search.by_picture(whole.id) == []
    assert read == []
    broken.path.write_bytes(sound)  # put back from a backup
    os.utime(broken.path, ns=(1, 1))
    assert search.update() == 1
    assert [match.picture.id for match in search.by_picture(whole.id)] == [broken.id]


def test_without_its_model_the_error_says_so(own: Library) -> None:
    with pytest.raises(ModelError):
        PictureSearch(own, "no such model")
