"""info, redo and compare: what the file says, whether it can be drawn again, how two differ."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

import sfumato as api
from sfumato.files import Recipe, read_recipe

Sfumato = Callable[..., Any]  # the fixture: its arguments in, what the call left behind out


@pytest.fixture
def fox(draw: Sfumato) -> Path:
    """A picture by the fake model."""
    assert draw("a red fox", "--seed", "7", "-o", "fox.png").code == 0
    return Path("fox.png")


def redrawn(**changes: Any) -> api.GeneratedImage:
    """The same picture with other words in its recipe."""
    image = api.generate("a red fox", seed=7, model="fake", width=32, height=32).images[0]
    return replace(image, plan=replace(image.plan, **changes))


# ---------------------------------------------------------------- info


@pytest.mark.parametrize("format", ["png", "webp", "jpeg", "svg", "pdf", "ico"])
def test_info_reads_every_format(draw: Sfumato, sfumato: Sfumato, format: str) -> None:
    path = draw("a red fox", "--seed", "7", "--format", format, "--json").objects[0]["path"]
    outcome = sfumato("info", path)
    assert outcome.code == 0
    for words in (format, "drawn by sfumato", "a red fox", "7", "fake"):
        assert words in outcome.text
    found = sfumato("info", path, "--json").json
    assert (found["format"], found["source"]) == (format, "sfumato")
    assert found["plan"]["seeds"] == [7]


def test_info_tells_emblem_and_things(draw: Sfumato, sfumato: Sfumato) -> None:
    prompt = "two red cats and an owl on a blue circle"
    path = draw(prompt, "--size", "256", "--seed", "7", "--json").objects[0]["path"]
    lines = [line.split(maxsplit=1) for line in sfumato("info", path).text.splitlines()]
    told = [line[1] for line in lines if line[0] == "part"]
    assert told == ["2 cats, red (#dc2f2f): top left and top right", "1 owl: bottom"]
    assert ["emblem", "circle, blue (#2f6fde)"] in lines
    assert "part" not in sfumato("info", path, "--json").json


def test_info_tells_the_colour_and_nothing_that_was_not_asked(
    draw: Sfumato, sfumato: Sfumato
) -> None:
    path = draw("a purple owl", "--seed", "7", "--json").objects[0]["path"]
    keys = [line.split()[0] for line in sfumato("info", path).text.splitlines()]
    assert "colour" in keys and "emblem" not in keys and "part" not in keys


def test_info_says_whether_the_pixels_are_those_drawn(sfumato: Sfumato, fox: Path) -> None:
    assert "as they were drawn" in sfumato("info", "fox.png").text
    with Image.open(fox) as picture:
        texts = PngImagePlugin.PngInfo()
        for key, value in picture.text.items():
            texts.add_itxt(key, value)
        edited = picture.copy()
    edited.putpixel((3, 3), (1, 2, 3, 255))
    edited.save("edited.png", pnginfo=texts)
    assert "changed since they were drawn" in sfumato("info", "edited.png").text


def test_info_reads_other_programs_pictures_and_disarms_them(sfumato: Sfumato) -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add_text(
        "parameters",
        "a cat\x1b]0;owned\x07\nNegative prompt: dog\n"
        "Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 64x64, Model: sd15",
    )
    Image.new("RGB", (64, 64)).save("cat.png", pnginfo=texts)
    outcome = sfumato("info", "cat.png")
    assert outcome.code == 0
    for words in ("AUTOMATIC1111", "a cat", "dog", "euler", "sd15"):
        assert words in outcome.text
    assert "\x1b" not in outcome.text


def test_info_of_a_picture_without_a_recipe(sfumato: Sfumato) -> None:
    Image.new("RGB", (20, 10)).save("plain.png")
    outcome = sfumato("info", "plain.png")
    assert (outcome.code, outcome.text) == (0, "plain.png: png, 20×10, carries no recipe\n")
    assert sfumato("info", "plain.png", "--json").json["plan"] is None


@pytest.mark.parametrize("command", [["info"], ["redo"], ["compare", "whole.png"]])
@pytest.mark.parametrize(
    "content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n" + b"\0" * 20, None, "truncated"]
)
def test_what_is_no_whole_picture_is_one_line(
    sfumato: Sfumato, fox: Path, command: list[str], content: bytes | str | None
) -> None:
    whole = fox.read_bytes()
    Path("whole.png").write_bytes(whole)
    if content is not None:
        Path("bad.png").write_bytes(whole[: len(whole) // 2] if content == "truncated" else content)
    outcome = sfumato(*command, "bad.png")
    assert outcome.code in (2, 6)
    assert outcome.err.startswith("sfumato: ")
    assert "bad.png" in outcome.err
    assert outcome.err.count("\n") == 1
    assert outcome.out == b""


@pytest.mark.parametrize("format", ["svg", "pdf", "ico"])
def test_half_a_file_and_a_folder_come_with_advice(
    draw: Sfumato, sfumato: Sfumato, format: str
) -> None:
    path = Path(draw("a fox", "--format", format, "--json").objects[0]["path"])
    path.write_bytes(path.read_bytes()[:-200])
    outcome = sfumato("info", str(path))
    assert outcome.code != 0
    assert outcome.err.rstrip().endswith("Use another copy of the file.")
    assert sfumato("info", ".").err.rstrip().endswith("Give a picture inside it.")
    assert "Check its name" in sfumato("info", "gone.png").err


# ---------------------------------------------------------------- redo


def test_redo_writes_the_picture_to_stdout(sfumato: Sfumato, fox: Path, folder: Path) -> None:
    before = sorted(folder.iterdir())
    outcome = sfumato("redo", "fox.png", "-o", "-")
    assert outcome.code == 0
    Path("again.png").write_bytes(outcome.out)
    assert sfumato("compare", "fox.png", "again.png").code == 0
    assert "identical" in outcome.err
    Path("again.png").unlink()
    assert sorted(folder.iterdir()) == before
    assert sfumato("redo", "fox.png", "-o", "-", "--json").code == 2


def test_redo_does_not_make_files_of_devices(sfumato: Sfumato, fox: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    outcome = sfumato("redo", "fox.png", "-o", "/dev/full")
    assert outcome.code == 6
    assert not Path("/dev/full.png").exists()


@pytest.mark.parametrize("format", ["png", "webp", "jpeg", "svg", "pdf", "ico"])
def test_redo_draws_the_same_pixels(draw: Sfumato, sfumato: Sfumato, format: str) -> None:
    path = draw(
        "a fox in blue", "--seed", "7", "-n", "2", "--format", format, "--size", "64x48", "--json"
    ).objects[1]["path"]
    outcome = sfumato("redo", path)
    assert outcome.code == 0, outcome.text
    assert outcome.text.startswith("identical · ")
    assert sfumato("redo", path, "--quiet").out == b""


def test_redo_saves_where_it_is_told_and_nowhere_else(
    sfumato: Sfumato, folder: Path, fox: Path
) -> None:
    assert sfumato("redo", "fox.png").code == 0
    assert [path.name for path in folder.iterdir()] == ["fox.png"]
    again = sfumato("redo", "fox.png", "-o", "fox.png", "--json").json
    assert (again["identical"], again["path"], again["changes"]) == (True, "fox-2.png", [])
    assert sfumato("compare", "fox.png", "fox-2.png").code == 0


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"model_sha256": "0" * 64}, "the model 'fake' changed: sha256 000000000000"),
        ({"fingerprint": {"numpy": "1.0"}}, "numpy was 1.0"),
        ({"fingerprint": {"onnxruntime": "1.0"}}, "onnxruntime was 1.0 and is not used now"),
        ({"guidance_scale": 9.0}, "rounds differently or the recipe was edited"),
    ],
)
def test_redo_says_why_pixels_differ(
    sfumato: Sfumato, folder: Path, changes: dict[str, Any], reason: str
) -> None:
    image = redrawn(subject="owl", **changes)
    image.save("odd.png")  # a fox was drawn, its recipe says owl
    outcome = sfumato("redo", "odd.png")
    assert outcome.code == 1
    assert outcome.text.startswith("not identical · expected " + image.pixel_sha256[:16])
    assert reason in outcome.text


def test_redo_names_an_engine_that_differs_without_effect(sfumato: Sfumato, folder: Path) -> None:
    redrawn(fingerprint={"numpy": "1.0"}).save("old.png")
    outcome = sfumato("redo", "old.png")
    assert outcome.code == 0
    assert "although numpy was 1.0" in outcome.text


def test_redo_without_a_recorded_hash_cannot_say(sfumato: Sfumato, fox: Path) -> None:
    from sfumato.files.metadata import PIXELS_KEY, XMP_KEY

    texts = PngImagePlugin.PngInfo()
    with Image.open(fox) as picture:
        for key, value in picture.text.items():
            if key not in (PIXELS_KEY, XMP_KEY):
                texts.add_itxt(key, value)
        picture.save("unhashed.png", pnginfo=texts)
    outcome = sfumato("redo", "unhashed.png")
    assert outcome.code == 1
    assert "does not record its pixels' hash" in outcome.text


def test_redo_of_a_model_that_is_not_here(sfumato: Sfumato, folder: Path) -> None:
    redrawn(model="gone").save("gone.png")
    outcome = sfumato("redo", "gone.png")
    assert outcome.code == 3
    assert "'gone'" in outcome.err


def test_redo_needs_a_recipe_of_ours(sfumato: Sfumato, folder: Path) -> None:
    Image.new("RGB", (20, 10)).save("plain.png")
    outcome = sfumato("redo", "plain.png")
    assert outcome.code == 2
    assert "carries no recipe" in outcome.err


# ---------------------------------------------------------------- compare


def test_compare_measures_pixels(sfumato: Sfumato, folder: Path) -> None:
    first = np.full((10, 20, 4), 255, np.uint8)
    second = first.copy()
    second[0, :10, 0] = 155  # 10 of 200 pixels, one channel of three, by 100
    Image.fromarray(first).save("a.png")
    Image.fromarray(second).save("b.png")
    outcome = sfumato("compare", "a.png", "b.png", "--out", "d.png", "--json")
    found = outcome.json
    assert (outcome.code, found["identical"]) == (1, False)
    assert found["difference"] == {
        "max": 100,
        "mean": pytest.approx(100 * 10 / 600, abs=1e-3),
        "psnr": pytest.approx(10 * np.log10(255**2 / (100**2 * 10 / 600)), abs=0.01),
        "share": 0.05,
    }
    with Image.open("d.png") as picture:
        shown = np.asarray(picture)
    assert (shown[0, :10] == [255, 0, 0]).all()
    assert not shown[1:].any()
    assert "5.0% of the pixels differ" in sfumato("compare", "a.png", "b.png").text
    sfumato("compare", "a.png", "b.png", "--out", "d.png")
    assert Path("d-2.png").is_file()


def test_compare_of_equal_pictures(sfumato: Sfumato, fox: Path) -> None:
    outcome = sfumato("compare", "fox.png", "fox.png")
    assert outcome.code == 0
    assert outcome.text == "identical · 32×32\nThe recipes say the same.\n"


def test_compare_knows_differences_that_cannot_be_seen(sfumato: Sfumato, folder: Path) -> None:
    Image.new("RGBA", (4, 4), (255, 0, 0, 0)).save("a.png")
    Image.new("RGBA", (4, 4), (0, 0, 255, 0)).save("b.png")
    outcome = sfumato("compare", "a.png", "b.png")
    assert outcome.code == 1
    assert "they look the same" in outcome.text


def test_compare_shows_what_the_recipes_say_differently(
    draw: Sfumato, sfumato: Sfumato, fox: Path
) -> None:
    draw("a red fox", "--seed", "8", "--steps", "9", "-o", "other.png")
    found = sfumato("compare", "fox.png", "other.png", "--json").json["recipe"]
    assert found["seeds"] == [[7], [8]]
    assert found["num_inference_steps"] == [4, 9]
    assert "prompt" not in found
    assert "num_inference_steps" in sfumato("compare", "fox.png", "other.png").text


def test_compare_of_different_sizes(sfumato: Sfumato, folder: Path) -> None:
    Image.new("RGB", (4, 4)).save("a.png")
    Image.new("RGB", (4, 5)).save("b.png")
    outcome = sfumato("compare", "a.png", "b.png")
    assert outcome.code == 1
    assert "sizes differ: 4×4 and 4×5" in outcome.text
    refused = sfumato("compare", "a.png", "b.png", "--out", "d.png")
    assert refused.code == 2
    assert not Path("d.png").exists()


def test_compare_renders_svg_and_refuses_pdf(draw: Sfumato, sfumato: Sfumato, fox: Path) -> None:
    draw("a red fox", "--seed", "7", "-o", "fox.svg")
    draw("a red fox", "--seed", "7", "-o", "fox.pdf")
    found = sfumato("compare", "fox.svg", "fox.png", "--json").json
    assert found["sizes"] == ["32×32", "32×32"]
    outcome = sfumato("compare", "fox.pdf", "fox.png")
    assert outcome.code == 2
    assert "is a PDF" in outcome.err


def test_json_output_is_json(sfumato: Sfumato, fox: Path) -> None:
    for args in (["info", "fox.png"], ["redo", "fox.png"], ["compare", "fox.png", "fox.png"]):
        assert isinstance(json.loads(sfumato(*args, "--json").text), dict)


def test_compare_does_not_speak_of_recipes_that_are_not_there(
    sfumato: Sfumato, folder: Path
) -> None:
    Image.new("RGB", (4, 4)).save("a.png")
    outcome = sfumato("compare", "a.png", "a.png")
    assert outcome.text == "identical · 4×4\nNeither carries a recipe.\n"


@pytest.mark.parametrize("command", [("compare", "fox.png", "fox.png"), ("vary", "fox.png")])
def test_pixels_are_not_decoded_for_a_recipe(
    sfumato: Sfumato, fox: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    read: list[bool] = []

    def spy(path: Path, *, pixels: bool = True) -> Recipe:
        read.append(pixels)
        return read_recipe(path, pixels=pixels)

    monkeypatch.setattr("sfumato.files.read_recipe", spy)
    assert sfumato(*command).code == 0
    assert read and not any(read)
