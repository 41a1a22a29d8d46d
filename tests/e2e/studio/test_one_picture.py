"""What can be done with one picture: vary, enlarge, copy, mark, throw away, find its like."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
import zipfile
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from playwright.sync_api import expect

from sfumato.files import read_recipe

LANGUAGES = ("Command line", "Python", "curl")


def opened(visit: Any, picture: str, **options: Any) -> tuple[Any, Any]:
    """The page with this picture large, and the dialog that shows it."""
    page = visit(f"#/p/{picture}", **options)
    dialog = page.get_by_role("dialog", name="Picture")
    expect(dialog.locator(".panel h2")).to_be_visible()
    return page, dialog


@pytest.mark.parametrize("by", ["button", "key"])
@pytest.mark.parametrize(
    ("button", "key", "share"), [("Vary a little", "v", 25), ("Vary a lot", "Shift+V", 60)]
)
def test_four_variations(
    visit: Any, server: Any, by: str, button: str, key: str, share: int
) -> None:
    (parent,) = server.draw(f"a bell by {by}", num_images=1, seed=3)["pictures"]
    page, dialog = opened(visit, parent)
    if by == "key":
        page.keyboard.press(key)
    else:
        dialog.get_by_role("button", name=button).click()
    varied = page.locator("article", has_text=f"varied {share} %").first
    expect(varied).to_have_attribute("data-state", "done", timeout=60_000)
    expect(varied.locator(".tile.done img")).to_have_count(4)
    job = server.call("GET", "/jobs?limit=1")["jobs"][0]
    assert job["request"]["variation_strength"] == share / 100
    plans = [server.call("GET", f"/pictures/{one}")["plan"] for one in job["pictures"]]
    assert {plan["seeds"][0] for plan in plans} == {3}
    assert len({plan["variation_seeds"][0] for plan in plans}) == 4


def test_a_variation_drawn_with_edits_is_still_that_variation(visit: Any, server: Any) -> None:
    (parent,) = server.draw("a drum", num_images=1, seed=3)["pictures"]
    body = {"strength": "strong", "num_images": 1}
    job = server.call("POST", f"/pictures/{parent}/vary", body)["job"]
    while not (known := server.call("GET", f"/jobs/{job['id']}")["job"])["pictures"]:
        pass
    (varied,) = known["pictures"]
    page, dialog = opened(visit, varied)
    dialog.get_by_role("button", name="Draw with edits").click()
    expect(page.get_by_role("form", name="Draw")).to_contain_text("Varied 60 %")
    page.get_by_role("button", name="Draw", exact=True).click()
    drums = page.get_by_role("article", name="a drum").locator(".tile.done")
    expect(drums).to_have_count(3)  # single pictures of the same words are one card
    again = server.call("GET", "/pictures?q=drum")["pictures"][0]
    assert again["id"] != varied
    assert again["pixel_sha256"] == server.call("GET", f"/pictures/{varied}")["pixel_sha256"]


def test_it_is_drawn_larger(visit: Any, server: Any) -> None:
    (small,) = server.draw("a tall tower", num_images=1, seed=4, height=512)["pictures"]
    page, dialog = opened(visit, small)
    dialog.get_by_role("button", name="Redraw at 1024 px").click()
    towers = page.get_by_role("article", name="a tall tower").locator(".tile.done .open")
    expect(towers).to_have_count(2, timeout=60_000)
    towers.last.click()
    expect(dialog.locator(".panel .facts")).to_contain_text("512 × 1024")
    expect(dialog.locator(".panel .facts")).to_contain_text("seed 4")
    loaded = "img => img.decode().then(() => [img.naturalWidth, img.naturalHeight])"
    assert dialog.locator(".frame > img").evaluate(loaded) == [512, 1024]


def draw_as_told(language: str, text: str, server: Any, folder: Path) -> str:
    """Run what was copied, as a person would; the hash of the pixels that came of it."""
    if language == "curl":
        program, *arguments = shlex.split(text)
        assert program == "curl"
        if shutil.which("curl") is None:
            pytest.skip("curl is not installed")
        said = subprocess.run(["curl", "-sS", *arguments], capture_output=True, check=True).stdout
        job = json.loads(said)["job"]["id"]
        while not (known := server.call("GET", f"/jobs/{job}")["job"])["pictures"]:
            assert known["state"] in ("queued", "running"), known
        picture = server.call("GET", f"/pictures/{known['pictures'][0]}")
        return str(picture["pixel_sha256"])
    if language == "Python":
        arguments = ["-c", text]
    else:
        program, *typed = shlex.split(text)
        assert program == "sfumato"
        arguments = ["-m", "sfumato", *typed]
    subprocess.run([sys.executable, *arguments], cwd=folder, check=True, capture_output=True)
    (drawn,) = folder.glob("*.png")
    return str(read_recipe(drawn).pixel_sha256)


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_copied_draws_the_picture(
    visit: Any, server: Any, tmp_path: Path, language: str
) -> None:
    job = server.draw(
        "an odd 'quote' & \"more\"\non two lines", num_images=1, seed=5, num_inference_steps=7,
        background="#dfe9d8", negative_prompt="$HOME", sampler="heun", height=128,
    )  # fmt: skip
    (picture,) = job["pictures"]
    page, dialog = opened(visit, picture)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    dialog.get_by_role("button", name=language, exact=True).click()
    dialog.get_by_role("button", name=f"Copy as {language}").click()
    expect(page.get_by_text(f"{language} copied.")).to_be_visible()
    text = page.evaluate("navigator.clipboard.readText()")
    wanted = server.call("GET", f"/pictures/{picture}")["pixel_sha256"]
    folder = tmp_path / "desk"
    folder.mkdir()
    assert draw_as_told(language, text, server, folder) == wanted


def test_the_picture_itself_is_copied(visit: Any, server: Any) -> None:
    (picture,) = server.draw("a spoon", num_images=1)["pictures"]
    page, dialog = opened(visit, picture)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    dialog.get_by_role("button", name="Copy picture").click()
    expect(page.get_by_text("Picture copied.")).to_be_visible()
    size = """navigator.clipboard.read()
        .then(([item]) => item.getType("image/png")).then(createImageBitmap)
        .then(({width, height}) => [width, height])"""
    assert page.evaluate(size) == [256, 256]


def test_pictures_that_look_like_one(visit: Any, server: Any) -> None:
    """With the built-in model: what test cards look like means nothing."""
    values = {"model": "chiaro", "num_images": 1, "style": "flat"}
    for number, prompt in enumerate(("a blue rocket", "a red apple", "a red apple")):
        server.draw(prompt, seed=number, **values)
    apple = server.call("GET", "/pictures?q=apple")["pictures"][0]["id"]
    page, dialog = opened(visit, apple)
    dialog.get_by_role("button", name="Looks like this").click()
    expect(page.get_by_text("Looks like one picture")).to_be_visible()
    names = page.locator(".wall .open")
    expect(names.nth(1)).to_have_attribute("aria-label", "a red apple")
    order = names.evaluate_all("found => found.map(one => one.ariaLabel)")
    assert order.index("a blue rocket") > 1
    page.get_by_role("button", name="Look at everything again").click()
    page.wait_for_url("**/#/history")

    page.get_by_role("button", name="Looks", exact=True).click()
    page.get_by_role("searchbox").fill("a space ship")
    expect(names.first).to_have_attribute("aria-label", "a blue rocket")


def test_a_recipe_of_several_things_says_which_and_where(visit: Any, server: Any) -> None:
    prompt = "two red apples and a cat"
    job = server.draw(prompt, num_images=1, model="chiaro", num_inference_steps=2)
    (picture,) = job["pictures"]
    _, dialog = opened(visit, picture)
    parts = dialog.get_by_role("list", name="Parts").get_by_role("listitem")
    expect(parts).to_have_text(["2 × apple red", "cat"])
    plot = dialog.locator(".plot b")
    expect(plot).to_have_text(["1", "1", "2"])
    boxes = [box for part in server.call("GET", f"/pictures/{picture}")["plan"]["parts"]
             for box in part["boxes"]]  # fmt: skip
    whole = dialog.locator(".plot").bounding_box()
    for box, drawn in zip(boxes, plot.all(), strict=True):
        place = drawn.bounding_box()
        assert (place["x"] - whole["x"]) / whole["width"] == pytest.approx(box[0], abs=0.02)
        assert (place["y"] - whole["y"]) / whole["height"] == pytest.approx(box[1], abs=0.02)
    expect(dialog.locator(".recipe dl")).not_to_contain_text("boxes")


def test_marks_are_kept_and_found(visit: Any, server: Any) -> None:
    job = server.draw("a blue lamp", num_images=2)
    page, dialog = opened(visit, job["pictures"][0])
    dialog.get_by_role("button", name="4 stars").click()
    dialog.get_by_role("textbox", name="Add a tag").fill("bright")
    page.keyboard.press("Enter")
    dialog.get_by_role("textbox", name="Add a collection").fill("lamps")
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("button", name="Remove collection lamps")).to_be_visible()
    page.reload()
    expect(dialog.get_by_role("button", name="Remove tag bright")).to_be_visible()
    stored = server.call("GET", f"/pictures/{job['pictures'][0]}")
    assert (stored["rating"], stored["tags"], stored["collections"]) == (4, ["bright"], ["lamps"])

    page.keyboard.press("Escape")
    page.get_by_role("button", name="Filters").click()
    for label, choice, miss in (("Tag", "bright", None), ("Collection", "lamps", None),
                                ("Rating", "4 or more", "5 or more")):  # fmt: skip
        page.get_by_role("combobox", name=label).select_option(label=choice)
        expect(page.locator(".wall li")).to_have_count(1)
        if miss:
            page.get_by_role("combobox", name=label).select_option(label=miss)
            expect(page.get_by_role("heading", name="Nothing fits")).to_be_visible()
        page.get_by_role("button", name="Clear all").click()
        expect(page.locator(".wall li").nth(1)).to_be_visible()


def test_trash_asks_nothing_and_can_be_undone(visit: Any, server: Any) -> None:
    job = server.draw("a red door", num_images=2)
    one, other = job["pictures"]
    page, dialog = opened(visit, one)
    dialog.get_by_role("button", name="Move to the trash").click()
    page.get_by_role("button", name="Undo").wait_for()
    assert server.call("GET", f"/pictures/{one}")["trashed"] is True
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("searchbox").fill("door")
    page.wait_for_url("**q=door")
    expect(page.locator(".wall li")).to_have_count(2)
    assert server.call("GET", f"/pictures/{one}")["trashed"] is False

    # from the trash back into the library: one by its own button, one that is picked
    page.get_by_role("button", name="Pick", exact=True).click()
    for card in page.locator(".wall .open").all():
        card.click()
    page.get_by_role("region", name="Picked").get_by_role("button", name="Move to the").click()
    expect(page.get_by_role("heading", name="Nothing fits")).to_be_visible()
    page.get_by_role("button", name="Trash").click()
    expect(page.locator(".wall li")).to_have_count(2)
    page.locator(".wall .open").first.click()
    dialog.get_by_role("button", name="Take out of the trash").click()
    expect(dialog.get_by_role("button", name="Move to the trash")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".wall li")).to_have_count(1)
    page.get_by_role("button", name="Pick", exact=True).click()
    page.locator(".wall .open").click()
    page.get_by_role("button", name="Restore").click()
    expect(page.get_by_role("heading", name="The trash is empty")).to_be_visible()
    assert server.call("GET", "/pictures?q=door")["total"] == 2

    # what is deleted for good is asked for, once, and is gone
    server.call("DELETE", f"/pictures/{other}")
    page.reload()
    page.get_by_role("button", name="Pick", exact=True).click()
    page.locator(".wall .open").click()
    page.get_by_role("button", name="Delete for good").click()
    asked = page.get_by_role("dialog", name="Delete this picture for good?")
    asked.get_by_role("button", name="Delete for good").click()
    expect(page.get_by_role("heading", name="The trash is empty")).to_be_visible()
    assert server.call("GET", "/pictures?trash=1")["total"] == 0
    assert server.call("GET", "/pictures?q=door")["total"] == 1


def test_picked_pictures_leave_as_a_zip(visit: Any, server: Any) -> None:
    jobs = [server.draw(f"a parcel, number {n}", num_images=1, seed=n) for n in range(3)]
    page = visit("#/history?q=parcel")
    page.get_by_role("button", name="Pick", exact=True).click()
    for number in (0, 2):
        page.get_by_role("button", name=f"a parcel, number {number}").click()
    expect(page.get_by_text("2 picked")).to_be_visible()
    with page.expect_download() as coming:
        page.get_by_role("button", name="Zip").click()
    assert coming.value.suggested_filename == "sfumato.zip"
    with zipfile.ZipFile(coming.value.path()) as parcel:
        assert parcel.testzip() is None
        drawn = [name for name in parcel.namelist() if name.endswith(".png")]
        manifest = parcel.read(next(n for n in parcel.namelist() if "manifest" in n)).decode()
        for name in drawn:
            assert Image.open(BytesIO(parcel.read(name))).size == (256, 256)
    assert len(drawn) == 2
    assert [jobs[n]["pictures"][0] in manifest for n in range(3)] == [True, False, True]


DROPPED = "a lighthouse, oil painting"
SAID = f"{DROPPED}\nNegative prompt: blurry\nSteps: 23, Sampler: DPM++ 2M, CFG scale: 6.5, Seed: 99"


class Hand:
    """Drags a file from outside over a page, as the browser itself tells it."""

    def __init__(self, page: Any, file: Path) -> None:
        self.page = page
        self.session = page.context.new_cdp_session(page)
        self.data = {"items": [], "files": [str(file)], "dragOperationsMask": 1}
        self.invited = page.get_by_role("heading", name="Let go to read its recipe")

    def tell(self, kind: str) -> None:
        told = {"type": kind, "x": 300, "y": 300, "data": self.data}
        self.session.send("Input.dispatchDragEvent", told)

    def drop(self) -> Any:
        """Hold the file there until the page invites to let go, and let go: the dialog it opens.

        A busy browser may lose a drop, as a hand may: then the file is picked up once more.
        """
        dialog = self.page.get_by_role("dialog", name="What the picture says")
        for _ in range(10):
            self.tell("dragEnter")
            self.hold()
            self.tell("drop")
            with suppress(AssertionError):
                expect(dialog).to_be_visible(timeout=10_000)
                break
        expect(dialog).to_be_visible()
        expect(self.invited).to_have_count(0)
        return dialog

    def hold(self) -> None:
        for _ in range(40):  # a drag is told again and again while it lasts
            self.tell("dragOver")
            with suppress(AssertionError):
                expect(self.invited).to_be_visible(timeout=500)
                return
        raise AssertionError("the page does not invite to let go")


def test_a_foreign_picture_is_dragged_in_and_kept(visit: Any, server: Any, tmp_path: Path) -> None:
    said = PngInfo()
    said.add_text("parameters", SAID)
    file = tmp_path / "00012-99.png"
    Image.new("RGB", (48, 32), "teal").save(file, "PNG", pnginfo=said)
    page = visit()
    dialog = Hand(page, file).drop()
    for text in ("00012-99.png", "48 × 32", DROPPED, "blurry", "23", "dpmpp_2m", "6.5", "99"):
        expect(dialog).to_contain_text(text)
    expect(dialog).to_contain_text("Read from AUTOMATIC1111.")
    dialog.get_by_role("button", name="Keep in library").click()
    expect(page.get_by_text("Kept in the library.")).to_be_visible()
    page.get_by_role("button", name=DROPPED, exact=True).click()
    large = page.get_by_role("dialog", name="Picture")
    expect(large.locator(".recipe")).to_contain_text("dpmpp_2m")
    (kept,) = server.call("GET", "/pictures?q=lighthouse")["pictures"]
    assert (kept["source"], kept["width"], kept["seed"]) == ("automatic1111", 48, 99)
    large.get_by_role("button", name="Use its words").click()
    expect(page.get_by_label("What to draw")).to_have_value(DROPPED)


def test_a_picture_from_here_is_known(visit: Any, server: Any, tmp_path: Path) -> None:
    (picture,) = server.draw("a stray leaf", num_images=1, seed=11)["pictures"]
    page = visit()
    leaf = tmp_path / "leaf.png"
    leaf.write_bytes(page.request.get(f"{server.address}/api/v1/pictures/{picture}/file").body())
    said = Hand(page, leaf).drop()
    expect(said).to_contain_text("a stray leaf")
    said.get_by_role("button", name="Keep in library").click()
    expect(page.get_by_text("It is in the library already.")).to_be_visible()


def test_a_note_is_no_picture(visit: Any, tmp_path: Path) -> None:
    page = visit(expect="415")
    note = tmp_path / "notes.txt"
    note.write_text("no picture")
    said = Hand(page, note).drop()
    expect(said.get_by_role("alert")).to_be_visible()
    expect(said.get_by_role("button", name="Keep in library")).to_be_disabled()
