"""What the Draw page shows below the prompt box when nothing was drawn lately."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from sfumato.gallery import Library
from sfumato.generate import generate

WORDS = ("a dot", "a dash", "a star")  # oldest first


@pytest.fixture
def settled(serve: Any, tmp_path: Path) -> Any:
    """A server whose library holds pictures that no job of its queue drew."""
    with Library.open(tmp_path / "library") as library:
        for seed, words in enumerate(WORDS):
            library.add(generate(words, model="fake", width=64, height=64, seed=seed).images[0])
    server = serve()
    server.call("PATCH", "/settings", {"model": "fake", "num_images": 1, "width": 64, "height": 64})
    return server


def test_the_newest_pictures_of_the_library(settled: Any, visit: Any) -> None:
    page = visit(address=settled.address)
    shelf = page.get_by_role("region", name="From your library")
    pictures = shelf.get_by_role("button")
    expect(pictures).to_have_count(len(WORDS))
    named = pictures.evaluate_all("found => found.map(one => one.ariaLabel)")
    assert named == [*reversed(WORDS)]
    expect(page.get_by_role("heading", name="Try one of these")).to_have_count(0)

    pictures.nth(1).click()
    dialog = page.get_by_role("dialog", name="Picture")
    expect(dialog.get_by_role("heading", name=WORDS[1])).to_be_visible()
    expect(dialog).to_contain_text("2 of 3")
    page.keyboard.press("Delete")  # thrown away: the shelf closes the gap
    page.keyboard.press("Escape")
    expect(pictures).to_have_count(2)

    # what is drawn now stands above, and not among them
    page.get_by_label("What to draw").fill("a ring")
    page.keyboard.press("Enter")
    ring = page.get_by_role("article", name="a ring")
    expect(ring).to_have_attribute("data-state", "done", timeout=60_000)
    expect(pictures).to_have_count(2)
    page.reload()
    expect(ring.locator(".tile.done img")).to_have_count(1)
    expect(pictures).to_have_count(2)
    shelf.get_by_role("link", name="All pictures").click()
    expect(page.get_by_role("status").filter(has_text="3 pictures")).to_be_visible()
