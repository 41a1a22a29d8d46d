"""axe-core looks at every view, in both themes."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

AXE = (Path(__file__).with_name("vendor") / "axe-4.14.1.min.js").read_text("utf-8")
EMPTY = {"jobs": [], "pictures": [], "next": None, "counts": {}, "total": 0}


@pytest.fixture(scope="module")
def drawn(server: Any) -> dict[str, Any]:
    """Something to look at: a finished job, a failed one is made up by the page's view."""
    return dict(server.draw("a brown bear", num_images=2))


def first_run(page: Any, drawn: dict[str, Any]) -> None:
    page.route(re.compile(r"/api/v1/(jobs|pictures)\?"), lambda route: route.fulfill(json=EMPTY))
    page.reload()
    page.get_by_role("heading", name="Try one of these").wait_for()
    page.get_by_role("button", name="More", exact=True).click()


def drawing(page: Any, drawn: dict[str, Any]) -> None:
    page.get_by_role("article", name="a brown bear").wait_for()
    page.get_by_role("button", name="Compare, picture 1").first.click()


def under_way(page: Any, drawn: dict[str, Any]) -> None:
    """Waiting, half drawn, stopped and failed, side by side."""
    progress = {
        "job": "b", "fraction": 0.4, "stage": "drawing", "image": 0, "step": 2, "total": 4,
        "preview": None, "images": [{"step": 2, "total": 4, "preview": None}] * 4,
    }  # fmt: skip
    error = {"code": "memory", "message": "No room to draw.", "hint": "Draw fewer at once."}
    states = [
        {"id": "a", "state": "queued", "position": 2, "pictures": []},
        {"id": "b", "state": "running", "progress": progress, "pictures": []},
        {"id": "c", "state": "failed", "error": error, "pictures": []},
        {"id": "d", "state": "cancelled", "pictures": []},
    ]
    jobs = [{**drawn, **state} for state in states]
    page.route(
        "**/api/v1/jobs?*",
        lambda route: route.fulfill(json={"jobs": jobs, "next": "more", "counts": {}}),
    )
    page.route("**/api/v1/events", lambda route: route.fulfill(content_type="text/event-stream"))
    page.reload()
    page.get_by_text("Draw fewer at once.").wait_for()


def queue(page: Any, drawn: dict[str, Any]) -> None:
    under_way(page, drawn)
    page.get_by_role("link", name="Queue").click()
    page.get_by_role("heading", name="Ended").wait_for()


def lightbox(page: Any, drawn: dict[str, Any]) -> None:
    box = {"check": "clipped", "severity": "warning", "message": "It touches the edge.",
           "box": [10, 10, 120, 90], "measure": 0.2}  # fmt: skip

    def answer(route: Any) -> None:
        kept = route.fetch().json()
        route.fulfill(json={**kept, "findings": [box], "tags": ["forest"], "collections": ["zoo"]})

    page.route(re.compile(r"/api/v1/pictures/\w+$"), answer)
    page.locator(".tile .open").first.click()
    page.get_by_role("button", name="Show on picture").click()
    page.locator(".box").wait_for()
    page.get_by_role("button", name="Python").click()
    page.get_by_role("button", name="Larger").click()


def compare(page: Any, drawn: dict[str, Any]) -> None:
    page.get_by_role("button", name="Compare, picture 1").first.click()
    page.get_by_role("button", name="Compare, picture 2").first.click()
    page.get_by_role("button", name="Compare", exact=True).click()
    page.get_by_role("button", name="Slider").click()


def history(page: Any, drawn: dict[str, Any]) -> None:
    page.get_by_role("link", name="History").click()
    page.locator(".wall li").first.wait_for()
    page.get_by_role("button", name="Filters").click()
    page.get_by_role("button", name="Pick", exact=True).click()
    page.locator(".wall .open").first.click()


def nothing_found(page: Any, drawn: dict[str, Any]) -> None:
    page.get_by_role("link", name="History").click()
    page.get_by_role("searchbox").fill("xyzzy")
    page.get_by_role("heading", name="Nothing fits").wait_for()


def sweep(page: Any, drawn: dict[str, Any]) -> None:
    page.get_by_role("link", name="Sweep").click()
    page.get_by_label("What to draw").fill("a black cat")
    page.get_by_role("group", name="Down").get_by_role("combobox").select_option("")
    page.get_by_role("button", name=re.compile("^Draw 2")).click()
    expect(page.locator("table .tile.done")).to_have_count(2, timeout=60_000)


def settings(page: Any, drawn: dict[str, Any]) -> None:
    page.get_by_role("link", name="Settings").click()
    page.get_by_role("button", name="Save").wait_for()


def shortcuts(page: Any, drawn: dict[str, Any]) -> None:
    page.get_by_role("button", name="Shortcuts").click()
    page.get_by_role("dialog", name="Shortcuts").wait_for()


def recipe(page: Any, drawn: dict[str, Any]) -> None:
    page.get_by_role("link", name="History").click()
    page.locator("input[type=file]").set_input_files(
        {"name": "note.txt", "mimeType": "text/plain", "buffer": b"no picture"}
    )
    page.get_by_role("dialog").get_by_role("alert").wait_for()


def offline(page: Any, drawn: dict[str, Any]) -> None:
    page.context.set_offline(True)
    page.get_by_label("What to draw").fill("a fox")
    page.keyboard.press("Enter")
    page.get_by_text("The server does not answer. Looking for it").wait_for()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(
    "reach",
    [
        first_run, drawing, under_way, queue, lightbox, compare, history, nothing_found, sweep,
        settings, shortcuts, recipe, offline,
    ],
    ids=lambda reach: reach.__name__,
)  # fmt: skip
def test_axe_finds_nothing_serious(
    visit: Any,
    drawn: dict[str, Any],
    reach: Callable[[Any, dict[str, Any]], None],
    theme: str,
) -> None:
    page = visit(theme=theme, scripts=(AXE,), expect="Failed to load|ERR_|404|422|415")
    reach(page, drawn)
    page.wait_for_timeout(250)
    report = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    assert report["passes"], "axe looked at nothing"
    grave = [
        f"{found['id']}: {found['help']}: {node['html'][:160]} {node.get('failureSummary', '')}"
        for found in report["violations"]
        if found["impact"] in ("serious", "critical")
        for node in found["nodes"]
    ]
    assert grave == []


def test_a_person_who_dislikes_motion_sees_none(visit: Any, drawn: dict[str, Any]) -> None:
    page = visit()
    page.locator(".tile.done img").first.wait_for()
    seconds = page.evaluate(
        "getComputedStyle(document.querySelector('.tile.done img')).animationDuration"
    )
    assert float(seconds.removesuffix("s")) < 0.001
