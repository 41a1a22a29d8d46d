"""A person is quicker than the network: nothing is taken back, done twice or asked for ever."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import expect


@pytest.fixture(scope="module")
def picture(server: Any) -> str:
    return str(server.draw("a quick hare", num_images=1)["pictures"][0])


def test_a_search_and_a_filter_at_once_both_hold(visit: Any, picture: str) -> None:
    page = visit("#/history")
    page.get_by_role("searchbox").fill("hare")
    page.get_by_role("button", name="Favourites").click()  # before the search is sent
    page.get_by_role("button", name="Looks", exact=True).click()
    page.wait_for_url(re.compile("text=hare"))
    assert "favourite=1" in page.url
    assert "q=hare" not in page.url

    # the box says what is searched for, also when the address is changed by other hands
    page.evaluate("location.hash = '#/history?q=slow'")
    expect(page.get_by_role("searchbox", name="Search words and tags")).to_have_value("slow")


def test_marks_that_cross_are_all_kept(visit: Any, server: Any, picture: str) -> None:
    page = visit(f"#/p/{picture}", expect="503")
    dialog = page.get_by_role("dialog", name="Picture")
    held: list[Any] = []
    page.route(
        re.compile(rf"/pictures/{picture}$"),
        lambda route: held.append(route) if route.request.method == "PATCH" else route.continue_(),
    )
    star = dialog.get_by_role("button", name="Favourite")
    dialog.get_by_role("button", name="3 stars").click()
    star.click()
    expect(star).to_have_attribute("aria-pressed", "true")  # at once, nobody has answered
    page.wait_for_timeout(200)
    assert len(held) == 1  # the second waits for the first, whose answer knows of no heart
    held[0].continue_()
    while len(held) < 2:
        page.wait_for_timeout(50)
    expect(star).to_have_attribute("aria-pressed", "true")
    # what is refused is put back, and nothing else
    held[1].fulfill(status=503, json={"error": {"message": "Busy."}})
    expect(star).to_have_attribute("aria-pressed", "false")
    expect(dialog.get_by_role("group", name="Rating: 3 of 5")).to_be_visible()
    stored = server.call("GET", f"/pictures/{picture}")
    assert (stored["rating"], stored["favourite"]) == (3, False)


def test_a_key_that_is_held_down_is_one_wish(visit: Any, server: Any, picture: str) -> None:
    page = visit(f"#/p/{picture}", expect="422")
    expect(page.locator(".panel h2")).to_be_visible()
    page.route("**/vary", lambda route: route.fulfill(status=422, json={"error": {}}))
    asked: list[str] = []
    page.on("request", lambda sent: asked.append(sent.url) if sent.url.endswith("/vary") else None)
    for _ in range(5):
        page.keyboard.down("v")  # the second and later ones are the key's own repeats
    page.keyboard.up("v")
    page.wait_for_timeout(300)
    assert len(asked) == 1


def test_a_page_of_the_history_that_fails_is_asked_for_again_on_demand(
    visit: Any, server: Any, picture: str
) -> None:
    page = visit(expect="503")
    tries: list[str] = []

    def answer(route: Any) -> None:
        if "cursor=" in route.request.url:
            tries.append(route.request.url)
            if len(tries) == 1:
                route.fulfill(status=503, json={"error": {"message": "Too busy."}})
                return
            route.fulfill(json={"pictures": [], "next": None, "total": None})
            return
        found = route.fetch().json()
        route.fulfill(json={**found, "next": "further"})

    page.route(re.compile(r"/api/v1/pictures\?"), answer)
    page.get_by_role("link", name="History").click()
    notice = page.get_by_role("alert").filter(has_text="Too busy.")
    expect(notice).to_be_visible()
    page.wait_for_timeout(500)
    assert len(tries) == 1
    notice.get_by_role("button", name="Try again").click()
    expect(notice).to_have_count(0)
    assert len(tries) == 2
    expect(page.get_by_role("button", name="a quick hare")).to_be_visible()


def test_picks_do_not_follow_into_the_trash(visit: Any, server: Any, picture: str) -> None:
    server.call("DELETE", f"/pictures/{server.draw('a lost shoe', num_images=1)['pictures'][0]}")
    page = visit("#/history")
    page.get_by_role("button", name="Pick", exact=True).click()
    page.get_by_role("button", name="a quick hare").click()
    expect(page.get_by_text("1 picked")).to_be_visible()
    page.get_by_role("button", name="Trash", exact=True).click()
    expect(page.get_by_role("button", name="a lost shoe")).to_be_visible()
    expect(page.get_by_role("region", name="Picked pictures")).to_have_count(0)
