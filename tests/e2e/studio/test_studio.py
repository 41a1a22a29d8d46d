"""A person draws, looks, compares, keeps and finds again."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

# the body has the focus while the browser's own controls have it
INSIDE = """document.activeElement === document.body
    || document.activeElement.closest("dialog") !== null"""
VIEWS = ("#/", "#/history", "#/sweep", "#/queue", "#/settings")


def card(page: Any, prompt: str) -> Any:
    """The newest card with these words."""
    return page.get_by_role("article", name=prompt, exact=True).first


def type_and_draw(page: Any, prompt: str) -> Any:
    """Type, press Enter, wait until everything is drawn."""
    page.get_by_label("What to draw").fill(prompt)
    page.keyboard.press("Enter")
    expect(card(page, prompt)).to_have_attribute("data-state", "done", timeout=60_000)
    return card(page, prompt)


def test_a_whole_sitting(visit: Any, server: Any, tmp_path: Path) -> None:
    page = visit()
    expect(page.get_by_role("heading", name="Try one of these")).to_be_visible()
    assert page.locator(".examples img").count() == 8

    # type, watch four appear
    drawing = type_and_draw(page, "a green kite")
    expect(drawing.locator(".tile.done img")).to_have_count(4)

    # compare two of them
    drawing.get_by_role("button", name="Compare, picture 1").click()
    drawing.get_by_role("button", name="Compare, picture 3").click()
    page.get_by_role("button", name="Compare", exact=True).click()
    compare = page.get_by_role("dialog", name="Compare")
    expect(compare.locator("figure img")).to_have_count(2)
    compare.get_by_role("button", name="Slider").click()
    compare.get_by_role("slider").fill("20")
    assert "20%" in compare.locator(".laid img").nth(1).evaluate("image => image.style.clipPath")
    page.keyboard.press("Escape")
    expect(compare).to_have_count(0)

    # vary one
    drawing.get_by_role("button", name=re.compile("^Picture 2 of 4")).click()
    page.get_by_role("button", name="Vary a little").click()
    varied = page.locator("article", has_text="varied 25 %")
    expect(varied).to_have_attribute("data-state", "done", timeout=60_000)
    expect(varied.locator(".tile.done img")).to_have_count(4)

    # download it as SVG and as PNG
    varied.locator(".tile .open").first.click()
    seed = re.search(r"seed (\d+)", page.locator(".panel .facts").inner_text())
    assert seed is not None
    with page.expect_download() as coming:
        page.get_by_role("link", name="SVG").click()
    text = Path(coming.value.path()).read_text("utf-8")
    assert text.startswith("<svg") or "<svg" in text[:200]
    with page.expect_download() as coming:
        page.get_by_role("link", name="PNG 512").click()
    kept = tmp_path / "kept.png"
    coming.value.save_as(kept)
    assert kept.read_bytes().startswith(b"\x89PNG")
    page.keyboard.press("Escape")

    # leave in the middle of a drawing and come back
    page.get_by_label("What to draw").fill("a slow snail")
    page.get_by_role("button", name="More", exact=True).click()
    page.get_by_label("Steps").fill("150")
    page.get_by_label("Longer side").select_option("2048")
    page.get_by_role("button", name="Draw", exact=True).click()
    expect(card(page, "a slow snail")).to_be_visible()
    assert card(page, "a slow snail").get_attribute("data-state") in ("queued", "running")
    page.reload()
    expect(card(page, "a slow snail")).to_have_attribute("data-state", "done", timeout=60_000)
    expect(page.get_by_label("What to draw")).to_have_value("a slow snail")

    # find it in the history
    page.get_by_role("link", name="History").click()
    page.get_by_role("searchbox").fill("kite")
    expect(page.get_by_role("status").filter(has_text="8 pictures")).to_be_visible()
    page.get_by_role("searchbox").fill("nothing like it")
    expect(page.get_by_role("heading", name="Nothing fits")).to_be_visible()

    # bring the downloaded file back: the same recipe, the same drawing
    page.get_by_role("link", name="Draw", exact=True).click()
    page.locator("main").wait_for()
    page.get_by_role("link", name="History").click()
    page.locator("input[type=file]").set_input_files(kept)
    said = page.get_by_role("dialog", name="What the picture says")
    expect(said).to_contain_text("a green kite")
    expect(said).to_contain_text(seed[1])
    said.get_by_role("button", name="Use this recipe").click()
    expect(page.get_by_label("What to draw")).to_have_value("a green kite")
    expect(page.get_by_label("Seed", exact=True)).to_have_value(seed[1])


def test_the_keyboard_is_enough(visit: Any, server: Any) -> None:
    page = visit()
    expect(page.get_by_label("What to draw")).to_be_focused()
    page.keyboard.type("a yellow bell")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("at night")
    page.keyboard.press("Enter")
    drawing = page.get_by_role("article", name="a yellow bell at night").first
    expect(drawing).to_have_attribute("data-state", "done", timeout=60_000)
    first = drawing.locator(".tile .open").first
    for _ in range(40):
        page.keyboard.press("Tab")
        if first.evaluate("button => button === document.activeElement"):
            break
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Picture")
    expect(dialog).to_contain_text("1 of 4")
    page.keyboard.press("ArrowRight")
    expect(dialog).to_contain_text("2 of 4")
    expect(dialog.get_by_role("heading", name="a yellow bell")).to_be_visible()
    page.keyboard.press("f")
    expect(dialog.get_by_role("button", name="Favourite")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("+")
    expect(dialog.get_by_role("button", name=re.compile("^Zoom 200"))).to_be_visible()
    for _ in range(60):  # the focus stays inside
        page.keyboard.press("Tab")
        assert page.evaluate(INSIDE)
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(first).to_be_focused()
    page.keyboard.press("h")
    expect(page.get_by_role("heading", name="History")).to_be_visible()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Shortcuts")).to_be_visible()
    page.keyboard.press("Escape")
    favourites = server.call("GET", "/pictures?favourite=1")["pictures"]
    assert [picture["prompt"] for picture in favourites] == ["a yellow bell\nat night"]


def test_what_fails_says_why_and_what_to_do(visit: Any, server: Any) -> None:
    error = {"code": "memory", "message": "No room to draw.", "hint": "Draw fewer at once."}
    failed = {**server.draw("a red hat"), "state": "failed", "error": error, "pictures": []}
    page = visit()

    def answer(route: Any) -> None:
        route.fulfill(json={"jobs": [failed], "next": None, "counts": {"failed": 1}})

    page.route("**/api/v1/jobs?*", answer)
    page.reload()
    told = card(page, "a red hat").get_by_role("alert")
    expect(told).to_contain_text(error["message"])
    expect(told).to_contain_text(error["hint"])
    page.get_by_role("link", name="Queue").click()
    expect(page.locator(".entry.failed")).to_contain_text(error["hint"])
    page.locator(".entry.failed").get_by_role("button", name="Edit the words").click()
    expect(page.get_by_label("What to draw")).to_have_value("a red hat")


def test_what_is_refused_says_why(visit: Any) -> None:
    page = visit(expect="422")
    page.get_by_label("What to draw").fill("a red hat")
    page.get_by_role("button", name="More", exact=True).click()
    page.get_by_label("Guidance").fill("99")
    page.get_by_role("button", name="Draw", exact=True).click()
    toast = page.get_by_role("status").filter(has_text="guidance")
    expect(toast).to_contain_text("Give a number from 0 to 30")
    expect(page.get_by_label("What to draw")).to_have_value("a red hat")


def test_the_queue_can_be_stopped(visit: Any, server: Any) -> None:
    jobs = [
        server.call("POST", "/jobs", {"prompt": f"cat {n}", "num_images": 8})["job"]["id"]
        for n in range(4)
    ]
    page = visit("#/queue")
    entry = page.locator(".entry", has_text="cat 2")
    page.get_by_role("button", name="Stop “cat 2”").click()
    expect(entry).to_contain_text("Stopped", timeout=60_000)
    assert server.call("GET", f"/jobs/{jobs[2]}")["job"]["state"] == "cancelled"
    assert server.call("GET", f"/jobs/{jobs[3]}")["job"]["state"] in ("queued", "running")
    page.get_by_role("button", name="Go on with “cat 2”").click()
    expect(page.get_by_role("button", name="Stop “cat 2”")).to_be_visible()
    page.get_by_role("button", name=re.compile("^Stop all")).click()
    expect(page.locator(".entry.cancelled")).to_have_count(4, timeout=60_000)
    assert {server.call("GET", f"/jobs/{job}")["job"]["state"] for job in jobs} == {"cancelled"}


def test_a_sweep_fills_its_grid(visit: Any) -> None:
    page = visit("#/sweep")
    page.get_by_label("What to draw").fill("a grey stone")
    across, down = page.get_by_role("group", name="Across"), page.get_by_role("group", name="Down")
    across.get_by_role("combobox").select_option("num_inference_steps")
    across.get_by_role("textbox").fill("2, 4, 6")
    down.get_by_role("combobox").select_option("seed")
    down.get_by_role("textbox").fill("1, 2")
    page.get_by_role("button", name="Draw 6 pictures").click()
    grid = page.get_by_role("region", name="Grid")
    expect(grid.locator(".tile.done img")).to_have_count(6, timeout=60_000)
    expect(grid.get_by_role("columnheader")).to_have_text(["2", "4", "6"])
    with page.expect_download() as coming:
        grid.get_by_role("link", name="Labelled sheet").click()
    assert Path(coming.value.path()).read_bytes().startswith(b"\x89PNG")
    page.get_by_role("link", name="Draw", exact=True).click()
    expect(card(page, "a grey stone").locator(".tile.done")).to_have_count(6)


@pytest.mark.parametrize("place", VIEWS)
def test_a_phone_shows_everything(visit: Any, server: Any, place: str) -> None:
    server.draw("an extraordinarilylongwordthatnobodywouldeverwritebutsomebodymightpaste " * 3)
    page = visit(place, width=360, height=740)
    page.wait_for_load_state("networkidle") if place == "#/settings" else page.wait_for_timeout(300)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    for name in ("Draw", "History", "Sweep", "Queue", "Settings"):
        expect(page.get_by_role("navigation").get_by_role("link", name=name)).to_be_in_viewport()
