"""Whatever a prompt, a tag or somebody's file says: it is shown as text and does nothing."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from playwright.sync_api import expect

WATCH = """window.hit = [];
for (const name of ["alert", "confirm", "prompt"]) window[name] = () => hit.push(name);"""
CORPUS = (
    '<img src=x onerror="hit.push(1)">',
    "<script>hit.push(2)</script>",
    '"><svg onload=hit.push(3)>',
    "'-hit.push(4)-'",
    "javascript:hit.push(5)",
    "{{constructor.constructor('hit.push(6)')()}}${hit.push(6)}",
    "</textarea></title></style><iframe srcdoc='<script>parent.hit.push(7)</script>'>",
    '<a href="javascript:hit.push(8)" autofocus onfocus=hit.push(8)>x</a>',
    "\u202egnp.exe <b>bold</b>",
    "<math><mi xlink:href='data:x,<script>hit.push(9)</script>'>",
)
VIEWS = ("#/", "#/history", "#/queue", "#/sweep", "#/settings")


def label(text: str) -> str:
    """The text as a tag, which may hold nothing invisible."""
    return "".join(filter(str.isprintable, text))


def harmless(page: Any) -> None:
    """Nothing ran, and nothing became an element."""
    assert page.evaluate("hit") == []
    made = (
        "img[src='x'], iframe, math, b:not(.box b):not(.report b), svg[onload], a[href^=javascript]"
    )
    assert page.locator(made).count() == 0
    assert page.evaluate("[...document.scripts].every(script => script.src)") is True


@pytest.fixture(scope="module")
def pictures(server: Any) -> list[str]:
    """A picture for each text, which is its prompt, its tag and its collection."""
    found = []
    for text in CORPUS:
        (picture,) = server.draw(f"a fox {text}", num_images=1)["pictures"]
        server.call(
            "PATCH", f"/pictures/{picture}", {"tags": [label(text)], "collections": [label(text)]}
        )
        found.append(picture)
    return found


@pytest.mark.parametrize("place", VIEWS)
def test_every_view(visit: Any, pictures: list[str], place: str) -> None:
    page = visit(place, scripts=(WATCH,))
    if place == "#/history":
        page.get_by_role("button", name="Filters").click()
        expect(page.get_by_label("Tag").locator("option")).to_have_count(len(CORPUS) + 1)
    if place in ("#/", "#/queue"):
        expect(page.get_by_text(CORPUS[1]).first).to_be_visible()
    page.wait_for_timeout(300)
    harmless(page)


def test_every_picture_with_its_tags_and_commands(visit: Any, pictures: list[str]) -> None:
    page = visit("#/history", scripts=(WATCH,))
    page.locator(".wall .open").last.click()
    dialog = page.get_by_role("dialog", name="Picture")
    for text in CORPUS:
        expect(dialog.get_by_role("heading", name=f"a fox {text}", exact=True)).to_be_visible()
        assert dialog.locator(".tag span").first.inner_text() == label(text)
        harmless(page)
        page.keyboard.press("ArrowLeft")


def test_what_other_peoples_files_say(visit: Any, server: Any) -> None:
    page = visit("#/history", scripts=(WATCH,))
    for text in CORPUS:
        said = PngInfo()
        said.add_itxt("parameters", f"{text}\nNegative prompt: {text}\nSteps: 20, Sampler: {text}")
        file = BytesIO()
        Image.new("RGB", (32, 32), "teal").save(file, "PNG", pnginfo=said)
        name = f"{text}.png".replace("/", "∕")
        page.locator("input[type=file]").set_input_files(
            {"name": name, "mimeType": "image/png", "buffer": file.getvalue()}
        )
        dialog = page.get_by_role("dialog", name="What the picture says")
        expect(dialog.locator(".brought span")).to_contain_text(text.split("\n")[0][:12])
        harmless(page)
        dialog.get_by_role("button", name="Keep in library").click()
        expect(dialog).to_have_count(0)
    page.wait_for_timeout(300)
    harmless(page)


def test_a_search_from_the_address(visit: Any) -> None:
    for text in CORPUS[:4]:
        page = visit(f"#/history?q={text}&tag={text}&model={text}", scripts=(WATCH,))
        page.wait_for_timeout(200)
        harmless(page)


def test_scripts_of_others_are_refused_by_the_policy(visit: Any) -> None:
    page = visit(scripts=(WATCH,), expect="Content Security Policy|violates|404")
    page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "hit.push('inline')";
            document.head.append(script);
            const image = "<img src=x onerror=hit.push('handler')>";
            document.body.insertAdjacentHTML("beforeend", image);
        }"""
    )
    page.wait_for_timeout(300)
    assert page.evaluate("hit") == []
