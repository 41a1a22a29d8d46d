"""A library of 100,000 pictures: the history stays quick, to its very end."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect
from sqlalchemy import insert

from sfumato.gallery import Library
from sfumato.gallery.identity import new_id
from sfumato.gallery.tables import PICTURES
from sfumato.generate import generate

COUNT = 100_000
BOUND = 150  # cards in the document at any time

# no file lies behind a row: what is tested is the wall, not the loading of pictures
NO_FILES = 'Object.defineProperty(HTMLImageElement.prototype, "src", {set() {}});'
TO_THE_END = """async () => {
    const frame = () => new Promise(requestAnimationFrame);
    let most = 0;
    for (;;) {
        scrollTo(0, document.documentElement.scrollHeight);
        await frame();
        const cards = document.querySelectorAll(".wall li");
        most = Math.max(most, cards.length);
        const last = cards[cards.length - 1];
        if (last.ariaPosInSet === last.ariaSetSize) return [most, Number(last.ariaPosInSet)];
    }
}"""


@pytest.fixture
def full(serve: Any, tmp_path: Any) -> Any:
    """A server whose library was filled before it began."""
    with Library.open(tmp_path / "library") as library:
        one = library.add(generate("a dot", model="fake", width=64, height=64, seed=1).images[0])
        with library.database.write() as connection:
            row = connection.execute(PICTURES.select().where(PICTURES.c.id == one.id)).one()
            values = row._asdict()
            values.pop("number")
            for start in range(1, COUNT, 10_000):
                numbers = range(start, min(start + 10_000, COUNT))
                rows = [{**values, "id": new_id(), "prompt": f"number {n}"} for n in numbers]
                connection.execute(insert(PICTURES), rows)
    return serve()


@pytest.mark.slow
def test_a_hundred_thousand_pictures_to_the_end(full: Any, visit: Any) -> None:
    page = visit("#/history", address=full.address, scripts=(NO_FILES,))
    page.set_default_timeout(120_000)
    expect(page.get_by_text("100,000 pictures")).to_be_visible()
    expect(page.locator(".wall li").first).to_have_attribute("aria-setsize", str(COUNT))
    oldest = page.get_by_role("button", name="a dot", exact=True)
    for _ in range(5):  # what arrives late may push the end down once more
        most, last = page.evaluate(TO_THE_END)
        assert last == COUNT
        assert 0 < most < BOUND
        if oldest.is_visible():
            break
    expect(oldest).to_be_visible()

    # back at the top nothing was forgotten, and the keyboard walks on from where it was
    oldest.focus()
    page.evaluate("scrollTo(0, 0)")
    expect(page.get_by_role("button", name=f"number {COUNT - 1}", exact=True)).to_be_visible()
    assert page.locator(".wall li").count() < BOUND
    page.keyboard.press("ArrowLeft")
    expect(page.locator(":focus")).to_have_attribute("aria-label", "number 1")
