"""The server goes away, the network goes away, a key is wanted: the page says so and waits."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

from playwright.sync_api import expect

GONE = "The server does not answer. Looking for it"
REFUSED = "Failed to load resource|ERR_"


def test_a_killed_server_is_missed_and_its_job_ends_after_all(visit: Any, serve: Any) -> None:
    server = serve()
    page = visit(address=server.address, expect=REFUSED)
    page.get_by_label("What to draw").fill("a long road")
    page.get_by_role("button", name="More", exact=True).click()
    page.get_by_label("Steps").fill("150")
    page.get_by_role("button", name="Draw", exact=True).click()
    road = page.get_by_role("article", name="a long road")
    expect(road.locator(".tile.begun").first).to_be_visible(timeout=60_000)
    server.kill()

    expect(page.get_by_text(GONE)).to_be_visible(timeout=30_000)
    expect(road).to_have_attribute("data-state", "running")
    expect(page.get_by_role("button", name="Draw", exact=True)).to_be_disabled()
    page.get_by_label("What to draw").fill("a long road, and a bridge")
    server.start_again()

    expect(page.get_by_text(GONE)).to_have_count(0, timeout=30_000)
    expect(road).to_have_attribute("data-state", "done", timeout=60_000)
    expect(road.locator(".tile.done img")).to_have_count(4)
    expect(page.get_by_label("What to draw")).to_have_value("a long road, and a bridge")
    expect(page.get_by_role("button", name="Draw", exact=True)).to_be_enabled()
    (job,) = server.call("GET", "/jobs")["jobs"]
    assert (job["state"], len(job["pictures"])) == ("done", 4)

    # the new process wants another token for uploads; nobody has to reload for that
    data = page.request.get(f"{server.address}/api/v1/pictures/{job['pictures'][0]}/file").body()
    file = {"name": "road.png", "mimeType": "image/png", "buffer": data}
    page.get_by_role("link", name="History").click()
    page.locator("input[type=file]").set_input_files(file)
    said = page.get_by_role("dialog", name="What the picture says")
    expect(said.locator(".recipe")).to_contain_text("subject")


def test_a_lost_server_is_said_and_nothing_is_lost(visit: Any) -> None:
    page = visit(expect=REFUSED)
    page.get_by_label("What to draw").fill("a paper boat")
    page.context.set_offline(True)
    page.keyboard.press("Enter")
    banner = page.get_by_text(GONE)
    expect(banner).to_be_visible()
    expect(page.get_by_label("What to draw")).to_have_value("a paper boat")
    page.context.set_offline(False)
    expect(banner).to_have_count(0, timeout=60_000)
    expect(page.get_by_role("button", name="Draw", exact=True)).to_be_enabled()
    page.keyboard.press("Enter")
    expect(page.get_by_role("article", name="a paper boat")).to_be_visible()


def test_a_server_with_keys_asks_for_one(serve: Any, visit: Any) -> None:
    locked = serve("--key-required")
    locked.call("PATCH", "/settings", {"num_images": 2})
    locked.draw("a locked door", num_images=1, width=64, height=64)
    page = visit(address=locked.address, expect="401")
    dialog = page.get_by_role("dialog", name="A key, please")
    dialog.get_by_label("Key").fill("not a key")
    dialog.get_by_role("button", name="Come in").click()
    expect(dialog.get_by_role("alert")).to_contain_text("does not fit")
    key = locked.headers["Authorization"].removeprefix("Bearer ")
    dialog.get_by_label("Key").fill(key)
    dialog.get_by_role("button", name="Come in").click()
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("article", name="a locked door")).to_be_visible()
    expect(page.get_by_role("group", name="How many pictures")).to_contain_text("2")
    assert key not in json.dumps(page.evaluate("({...localStorage, ...sessionStorage})"))

    # what is copied asks with a key, and does not hold it
    page.get_by_role("article", name="a locked door").locator(".tile .open").click()
    page.get_by_role("button", name="curl", exact=True).click()
    expect(page.get_by_text("It takes your key from the shell")).to_be_visible()
    text = page.locator("pre.code").inner_text()
    assert '-H "Authorization: Bearer $SFUMATO_KEY"' in text
    assert key not in page.content()
    if shutil.which("curl"):
        told = subprocess.run(
            ["sh", "-c", text], env={"SFUMATO_KEY": key, "PATH": "/usr/bin:/bin"},
            capture_output=True, check=True,
        ).stdout  # fmt: skip
        assert json.loads(told)["job"]["request"]["prompt"] == "a locked door"


def test_a_page_that_was_locked_shows_what_it_could_not(serve: Any, visit: Any) -> None:
    locked = serve("--key-required")
    locked.draw("a locked door", num_images=1, width=64, height=64)
    page = visit("#/history", address=locked.address, expect="401")
    dialog = page.get_by_role("dialog", name="A key, please")
    dialog.get_by_label("Key").fill(locked.headers["Authorization"].removeprefix("Bearer "))
    dialog.get_by_role("button", name="Come in").click()
    expect(page.get_by_role("button", name="a locked door")).to_be_visible()
    expect(page.get_by_role("alert").filter(has_text="key")).to_have_count(0)
