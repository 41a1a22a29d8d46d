"""Adding, finding, marking and the trash, on both databases."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image

from sfumato.errors import RequestError, StorageError
from sfumato.files import read_recipe
from sfumato.gallery import Library, Query
from sfumato.gallery.picture import Page
from sfumato.gallery.thumbnails import load_pixels
from sfumato.pictures import read_picture
from sfumato.request import GeneratedImage

Draw = Callable[..., GeneratedImage]


def test_what_was_added_is_found_with_everything_it_is(library: Library, draw: Draw) -> None:
    image = draw("a red fox", seed=7)
    picture = library.add(image, tags=["wild", "wild"], collections=["animals"])
    assert library.get(picture.id) == picture
    assert picture.prompt == "a red fox"
    assert picture.seed == 7
    assert picture.model == "fake"
    assert picture.plan == image.plan
    assert picture.findings == image.findings
    assert picture.tags == ("wild",)
    assert picture.collections == ("animals",)
    assert (picture.width, picture.height, picture.format) == (32, 32, "png")
    assert picture.pixel_sha256 == image.pixel_sha256
    data = picture.path.read_bytes()
    assert (len(data), hashlib.sha256(data).hexdigest()) == (
        picture.size_bytes,
        picture.file_sha256,
    )
    recipe = read_recipe(picture.path)
    assert recipe.plan == image.plan
    assert recipe.pixel_sha256 == image.pixel_sha256
    assert (picture.svg_path is None) is (image.svg is None)
    assert picture.path.parent == library.folder.root / "pictures" / f"{picture.created_at:%Y/%m}"
    assert abs(picture.created_at - datetime.now(timezone.utc)) < timedelta(minutes=5)


def test_it_is_there_after_the_library_was_closed(
    folder: Path, address: str | None, draw: Draw
) -> None:
    with Library.open(folder, database=address) as library:
        picture = library.add(draw())
    with Library.open(folder, database=address, check=True) as library:
        assert library.get(picture.id) == picture


def test_paths_are_kept_beside_the_picture(own: Library, draw: Draw) -> None:
    image = draw("a blue fox", width=64, height=64)
    assert image.svg is not None
    picture = own.add(image)
    assert picture.svg_path is not None
    assert picture.svg_path == picture.path.with_suffix(".svg")
    assert read_recipe(picture.svg_path).plan == image.plan


def test_unknown_ids_are_refused_by_name(library: Library) -> None:
    for call in (library.get, library.resolve, library.thumbnail):
        with pytest.raises(RequestError, match="No picture is called") as caught:
            call("01m7z000000000000000000000")
            library.get(call("01m7z000000000000000000000"))  # resolve takes any whole id
        assert caught.value.code == "no_such_picture"


def test_an_id_may_be_shortened_at_either_end(library: Library, draw: Draw) -> None:
    pictures = [library.add(draw(seed=seed)) for seed in (1, 2)]
    for picture in pictures:
        assert library.resolve(picture.id) == picture.id
        assert library.resolve(picture.id[-8:].upper()) == picture.id
    with pytest.raises(RequestError, match="Several pictures"):
        library.resolve(pictures[0].id[:4])
    for bad in ("%%%%", "____", "abc", "zzzzzzzz"):
        with pytest.raises(RequestError, match="No picture"):
            library.resolve(bad)


# ---------------------------------------------------------------- pages


def fill(library: Library, draw: Draw, count: int) -> list[str]:
    return [library.add(draw()).id for _ in range(count)]


def walk(library: Library, limit: int, query: Query | None = None) -> list[str]:
    found: list[str] = []
    page = Page(pictures=(), next_cursor=None)
    while True:
        page = library.query(query, limit=limit, cursor=page.next_cursor)
        found += [picture.id for picture in page.pictures]
        if page.next_cursor is None:
            return found


@pytest.mark.parametrize("limit", [1, 3, 7, 8])
def test_pages_hold_every_picture_once_newest_first(
    library: Library, draw: Draw, limit: int
) -> None:
    made = fill(library, draw, 7)
    assert walk(library, limit) == made[::-1]
    assert library.count() == 7


def test_a_page_is_not_shifted_by_what_comes_and_goes(library: Library, draw: Draw) -> None:
    made = fill(library, draw, 6)
    first = library.query(limit=2)
    newer = fill(library, draw, 2)
    library.trash([made[5], made[3]])
    second = library.query(limit=2, cursor=first.next_cursor)
    assert [picture.id for picture in first.pictures] == [made[5], made[4]]
    assert [picture.id for picture in second.pictures] == [made[2], made[1]]
    assert walk(library, 2)[:2] == newer[::-1]


@pytest.mark.parametrize("arguments", [{"limit": 0}, {"limit": 501}, {"cursor": "'; DROP"}])
def test_limits_and_cursors_that_cannot_be_are_refused(
    own: Library, arguments: dict[str, Any]
) -> None:
    with pytest.raises(RequestError):
        own.query(**arguments)


# ---------------------------------------------------------------- marks


def test_marks_are_kept_and_narrow_a_query(library: Library, draw: Draw) -> None:
    one, two, three = fill(library, draw, 3)
    assert library.mark([one, two], favourite=True, rating=4, add_tags=["wild"]) == 2
    assert library.mark([two], rating=5, add_to=["best", "fox"], remove_tags=["wild"]) == 1
    assert walk(library, 5, Query(favourite=True)) == [two, one]
    assert walk(library, 5, Query(favourite=False)) == [three]
    assert walk(library, 5, Query(min_rating=5)) == [two]
    assert walk(library, 5, Query(tag="wild")) == [one]
    assert walk(library, 5, Query(collection="best")) == [two]
    assert library.labels("tag") == {"wild": 1}
    assert library.labels("collection") == {"best": 1, "fox": 1}
    library.mark([two], remove_from=["best", "fox"], favourite=False, rating=0)
    assert library.labels("collection") == {}
    again = library.get(two)
    assert (again.favourite, again.rating, again.collections) == (False, 0, ())


def test_marking_is_all_or_nothing(library: Library, draw: Draw) -> None:
    (one,) = fill(library, draw, 1)
    with pytest.raises(RequestError, match="No picture"):
        library.mark([one, "0" * 26], favourite=True)
    assert not library.get(one).favourite


@pytest.mark.parametrize(
    "change",
    [{"rating": 6}, {"rating": -1}, {"add_tags": [" "]}, {"add_tags": ["x" * 201]},
     {"add_to": ["two\nlines"]}, {"add_tags": ["nul\x00"]}, {"add_tags": ["\ud800"]}],
)  # fmt: skip
def test_marks_that_cannot_be_are_refused(own: Library, draw: Draw, change: dict[str, Any]) -> None:
    picture = own.add(draw())
    with pytest.raises(RequestError):
        own.mark([picture.id], **change)
    assert own.get(picture.id) == picture


# ---------------------------------------------------------------- trash


def test_the_trash_gives_back_what_it_took(library: Library, draw: Draw) -> None:
    keep, gone = fill(library, draw, 2)
    before = library.get(gone)
    assert library.trash([gone]) == 1
    assert library.trash([gone]) == 0
    thrown = library.get(gone)
    assert thrown.trashed_at is not None
    assert not before.path.exists()
    assert thrown.path.read_bytes()
    assert walk(library, 5) == [keep]
    assert walk(library, 5, Query(trashed=True)) == [gone]
    assert library.restore([gone]) == 1
    assert library.get(gone) == before
    assert before.path.exists()


def test_only_what_is_in_the_trash_is_deleted_for_good(library: Library, draw: Draw) -> None:
    keep, gone = fill(library, draw, 2)
    with pytest.raises(RequestError, match="not in the trash"):
        library.purge([keep])
    thumbnail = library.thumbnail(gone)
    library.mark([gone], add_tags=["wild"])
    library.trash([gone])
    path = library.get(gone).path
    assert library.purge() == 1
    assert not path.exists()
    assert not thumbnail.exists()
    with pytest.raises(RequestError):
        library.get(gone)
    assert library.count(Query(text="fox", trashed=True)) == 0
    assert library.get(keep).path.exists()
    assert library.purge() == 0


# ---------------------------------------------------------------- thumbnails


def test_a_thumbnail_is_small_and_made_once(own: Library, draw: Draw) -> None:
    picture = own.add(draw("a wide fox", width=640, height=400))
    path = own.thumbnail(picture.id)
    with Image.open(path) as small:
        assert (small.format, max(small.size)) == ("WEBP", 320)
        assert abs(small.width / small.height - 1.6) < 0.02
    stamp = path.stat().st_mtime_ns
    assert own.thumbnail(picture.id) == path
    assert path.stat().st_mtime_ns == stamp
    path.unlink()
    assert own.thumbnail(picture.id).exists()


def test_pictures_of_cameras_and_scanners_are_shown_as_everything_shows_them(
    own: Library, tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6  # the camera was held sideways
    Image.new("RGB", (60, 40), "red").save(tmp_path / "held.jpg", exif=exif)
    grey = np.full((40, 60), 40_000, np.uint16)  # of 65,535: Pillow alone cuts it off to white
    Image.fromarray(grey).save(tmp_path / "scan.png")
    for name, size in (("held.jpg", (40, 60)), ("scan.png", (60, 40))):
        picture, _ = own.import_file(tmp_path / name)
        assert (picture.width, picture.height) == size
        pixels = load_pixels(own.folder, picture)
        assert np.array_equal(pixels, read_picture(tmp_path / name))
        assert pixels.shape == (*size[::-1], 4)
        with Image.open(own.thumbnail(picture.id)) as small:
            assert small.size == size
            gap = np.abs(np.asarray(small.convert("RGB")).astype(int) - pixels[..., :3])
            assert gap.max() < 16


def test_a_thumbnail_of_a_lost_or_damaged_file_says_so(own: Library, draw: Draw) -> None:
    lost, damaged = fill(own, draw, 2)
    own.get(lost).path.unlink()
    with pytest.raises(StorageError) as caught:
        own.thumbnail(lost)
    assert caught.value.code == "file_missing"
    os.truncate(own.get(damaged).path, 60)
    with pytest.raises(StorageError, match="damaged"):
        own.thumbnail(damaged)
    assert own.count() == 2
