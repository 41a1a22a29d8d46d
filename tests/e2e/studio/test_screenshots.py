"""The pictures in docs/studio: taken when SFUMATO_SCREENSHOTS names the folder to write them to.

SFUMATO_SCREENSHOTS=docs/studio pytest tests/e2e/studio/test_screenshots.py
"""

from __future__ import annotations

import os
import re
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import expect

WANTED = os.environ.get("SFUMATO_SCREENSHOTS", "")
FOLDER = Path(__file__).parents[3] / WANTED  # before a test changes the working directory
DESKTOP, PHONE = (1280, 860), (390, 800)
PROMPTS = (
    "a sailboat, classic style",
    "a gold crown emblem on a navy circle",
    "a steaming cup of coffee, soft style",
    "a green cactus",
    "an owl, cartoon style",
    "a red fox logo",
)

pytestmark = pytest.mark.skipif(not WANTED, reason="SFUMATO_SCREENSHOTS is not set")


def take(page: Any, name: str) -> None:
    """One window as a PNG of 256 colours."""
    page.mouse.move(0, 0)
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(500)
    shot = Image.open(BytesIO(page.screenshot())).convert("RGB")
    FOLDER.mkdir(parents=True, exist_ok=True)
    shot.quantize(256, dither=Image.Dither.NONE).save(FOLDER / f"{name}.png", optimize=True)


@pytest.fixture(scope="module")
def studio(server: Any) -> Any:
    """A library that somebody has been drawing in, with the built-in model."""
    server.call("PATCH", "/settings", {"model": None, "width": 1024, "height": 1024})
    for number, prompt in enumerate(PROMPTS):
        job = server.draw(
            prompt, model="chiaro", num_images=4, width=1024, height=1024, seed=4 + 100 * number
        )
        assert job["state"] == "done"
    server.call("PATCH", f"/pictures/{job['pictures'][0]}", {"favourite": True})
    server.call(
        "PATCH",
        f"/pictures/{job['pictures'][1]}",
        {"favourite": True, "rating": 5, "tags": ["logo"]},
    )
    return server


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("device", "size"), [("desktop", DESKTOP), ("phone", PHONE)])
def test_pages(visit: Any, studio: Any, device: str, size: tuple[int, int], theme: str) -> None:
    def open_page(place: str) -> Any:
        page = visit(place, width=size[0], height=size[1], theme=theme)
        page.evaluate("document.fonts.ready")
        return page

    page = open_page("")
    expect(page.locator(".job").first.locator(".tile.done img")).to_have_count(4)
    take(page, f"home-{device}-{theme}")
    page.locator(".tile .open").nth(1).click()
    if page.get_by_role("button", name="Show on picture").count():
        page.get_by_role("button", name="Show on picture").click()
    page.get_by_role("dialog").evaluate("dialog => dialog.scrollTo(0, 0)")
    take(page, f"picture-{device}-{theme}")
    take(open_page("#/history"), f"history-{device}-{theme}")


def test_comparing(visit: Any, studio: Any) -> None:
    page = visit()
    for number in (1, 4):
        page.locator(".job").first.get_by_role("button", name=f"Compare, picture {number}").click()
    page.get_by_role("button", name="Compare", exact=True).click()
    take(page, "compare-desktop-light")


def test_first_run(visit: Any, studio: Any) -> None:
    page = visit()
    empty = {"jobs": [], "pictures": [], "next": None, "counts": {}, "total": 0}
    page.route(re.compile(r"/api/v1/(jobs|pictures)\?"), lambda route: route.fulfill(json=empty))
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        page.reload()
        page.get_by_role("heading", name="Try one of these").wait_for()
        take(page, f"first-run-desktop-{theme}")


def test_a_library_and_nothing_drawn_lately(visit: Any, studio: Any) -> None:
    page = visit()
    empty = {"jobs": [], "next": None, "counts": {}}
    page.route("**/api/v1/jobs?*", lambda route: route.fulfill(json=empty))
    page.reload()
    expect(page.locator(".latest img")).to_have_count(24)
    take(page, "library-desktop-light")


def test_sweep_and_queue(visit: Any, studio: Any) -> None:
    page = visit("#/sweep")
    page.get_by_label("What to draw").fill("a snail")
    across, down = page.get_by_role("group", name="Across"), page.get_by_role("group", name="Down")
    across.get_by_role("textbox").fill("flat, cartoon, classic, soft, glyph")
    down.get_by_role("textbox").fill("1, 2")
    page.get_by_role("button", name="Draw 10 pictures").click()
    grid = page.get_by_role("region", name="Grid")
    grid.locator(".tile.done").nth(3).wait_for(timeout=120_000)
    page.get_by_role("link", name="Queue").click()
    take_running(page, "queue-desktop-dark")
    page.get_by_role("link", name="Sweep").click()
    expect(grid.locator(".tile.done img")).to_have_count(10, timeout=120_000)
    take(page, "sweep-desktop-light")


def take_running(page: Any, name: str) -> None:
    """The queue while it moves, in the dark."""
    page.emulate_media(color_scheme="dark")
    page.locator(".entry.running").wait_for()
    take(page, name)
    page.emulate_media(color_scheme="light")
