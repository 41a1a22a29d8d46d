"""What is chosen once holds at the next visit, on every device."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import expect

THEME = "document.documentElement.dataset.theme ?? null"
PAPER = "getComputedStyle(document.body).backgroundColor"


def kept(server: Any, name: str) -> Any:
    return server.call("GET", "/settings")[name]


def test_a_theme_holds_on_the_next_device(visit: Any, server: Any) -> None:
    page = visit("#/settings")
    light = page.evaluate(PAPER)
    with page.expect_response(lambda told: told.request.method == "PATCH"):
        page.get_by_role("button", name="Dark").click()
    assert page.evaluate(THEME) == "dark"
    page.wait_for_function(f"light => {PAPER} !== light", arg=light)  # it fades
    assert kept(server, "theme") == "dark"

    other = visit()  # a browser that was never here
    expect(other.get_by_role("button", name="Theme: Dark")).to_be_visible()
    assert other.evaluate(THEME) == "dark"
    with other.expect_response(lambda told: told.request.method == "PATCH"):
        other.get_by_role("button", name="Theme: Dark").click()
    assert kept(server, "theme") == "auto"

    page.reload()  # and back on the first, which remembered the dark
    expect(page.get_by_role("button", name="Theme: System")).to_be_visible()
    assert page.evaluate(THEME) is None


def test_a_theme_chosen_without_the_server_is_told_when_it_is_back(visit: Any, server: Any) -> None:
    page = visit("#/settings", expect="Failed to load|ERR_")
    page.get_by_role("button", name="Save").wait_for()
    page.context.set_offline(True)
    page.get_by_role("button", name="Light").click()
    expect(page.get_by_text("The server does not answer. Looking for it")).to_be_visible()
    assert kept(server, "theme") == "auto"
    with page.expect_response(lambda told: told.request.method == "PATCH", timeout=60_000):
        page.context.set_offline(False)
    assert kept(server, "theme") == "light"
    assert page.evaluate(THEME) == "light"
    server.call("PATCH", "/settings", {"theme": None})


def test_values_that_older_pages_stored_do_no_harm(visit: Any, server: Any) -> None:
    page = visit()
    for value in ("system", "sepia", "{}"):
        page.evaluate("value => localStorage.setItem('sfumato.theme', value)", value)
        page.reload()
        expect(page.get_by_role("button", name="Theme: System")).to_be_visible()
        assert page.evaluate(THEME) is None


def test_the_download_button_gives_the_chosen_format(visit: Any, server: Any) -> None:
    (picture,) = server.draw("a blue cup", num_images=1)["pictures"]
    page = visit("#/settings")
    with page.expect_response(lambda told: told.request.method == "PATCH"):
        page.get_by_label("The Download button gives").select_option(label="SVG")
    assert kept(server, "format") == "svg"

    other = visit(f"#/p/{picture}")
    with other.expect_download() as coming:
        other.get_by_role("link", name="Download SVG").click()
    assert coming.value.suggested_filename.endswith(".svg")
    other.keyboard.press("Escape")
    other.get_by_role("link", name="Draw", exact=True).click()
    with other.expect_download() as coming:
        other.get_by_role("article", name="a blue cup").get_by_label("Download picture 1").click()
    assert coming.value.suggested_filename.endswith(".svg")

    # a picture of pixels alone cannot be an SVG: the button says what comes instead
    plain = re.compile(rf"/api/v1/pictures/{picture}$")
    other.route(plain, lambda route: route.fulfill(json={**route.fetch().json(), "vector": False}))
    other.goto(f"{server.address}/#/p/{picture}")
    expect(other.get_by_role("link", name="Download PNG")).to_be_visible()
    server.call("PATCH", "/settings", {"format": None})


def test_saving_defaults_changes_no_other_setting(visit: Any, server: Any) -> None:
    server.call("PATCH", "/settings", {"theme": "light", "format": "webp"})
    page = visit("#/settings")
    page.get_by_label("Pictures").select_option("2")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("New drawings begin with these.")).to_be_visible()
    expect(page.get_by_role("button", name="Save")).to_be_focused()
    names = ("num_images", "theme", "format")
    assert [kept(server, name) for name in names] == [2, "light", "webp"]
    page.get_by_role("link", name="Draw", exact=True).click()
    expect(page.get_by_role("group", name="How many pictures")).to_contain_text("2")

    other = visit()  # a box in which nothing was chosen follows
    expect(other.get_by_role("group", name="How many pictures")).to_contain_text("2")
    server.call("PATCH", "/settings", dict.fromkeys(names))
