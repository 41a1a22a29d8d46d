"""The MCP tools through the SDK's own client, in this process."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import anyio
import jsonschema
import pytest
from mcp import Client
from mcp.types import CallToolResult, ImageContent, TextContent
from PIL import Image

from sfumato import clip
from sfumato.checks import Look
from sfumato.errors import Cancelled, ModelError
from sfumato.gallery import Library, Picture
from sfumato.generate import generate
from sfumato.models import spec_of
from sfumato.registry import Entry
from sfumato.request import Event, GenerationPlan, GenerationRequest
from sfumato.server.atelier import Atelier
from sfumato.server.mcp import _Tally, make_server

GUARD = 60.0  # seconds until a test that hangs is ended
Scenario = Callable[[Client], Awaitable[Any]]


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library.open(tmp_path / "library") as opened:
        yield opened


@pytest.fixture
def atelier(library: Library) -> Atelier:
    return Atelier(library, "fake")


def converse(atelier: Atelier, scenario: Scenario) -> Any:
    """Run ``scenario`` with a client of a server over ``atelier``."""

    async def main() -> Any:
        with anyio.fail_after(GUARD):
            async with Client(make_server(atelier)) as client:
                return await scenario(client)

    return anyio.run(main)


def call(atelier: Atelier, name: str, **arguments: Any) -> CallToolResult:
    """One call of one tool."""
    result = converse(atelier, lambda client: client.call_tool(name, arguments))
    assert isinstance(result, CallToolResult)
    return result


def told(result: CallToolResult) -> dict[str, Any]:
    """The answer's data, of a call that worked."""
    assert not result.is_error, words(result)
    assert result.structured_content is not None
    return result.structured_content


def words(result: CallToolResult) -> str:
    return "\n".join(part.text for part in result.content if isinstance(part, TextContent))


def shown(result: CallToolResult) -> list[Image.Image]:
    parts = [part for part in result.content if isinstance(part, ImageContent)]
    assert all(part.mime_type == "image/png" for part in parts)
    return [Image.open(BytesIO(base64.b64decode(part.data))) for part in parts]


def refusal(result: CallToolResult) -> str:
    """The one line of a call that failed."""
    assert result.is_error
    assert result.structured_content is None
    assert len(result.content) == 1
    line = words(result)
    assert "\n" not in line
    return line


# ---------------------------------------------------------------- what a client is told


def test_every_tool_says_what_it_takes_and_gives(atelier: Atelier) -> None:
    listed = converse(atelier, lambda client: client.list_tools())
    tools = {tool.name: tool for tool in listed.tools}
    assert list(tools) == ["draw", "vary", "check", "search", "describe", "models"]
    for tool in tools.values():
        assert tool.description
        assert tool.output_schema is not None
        assert tool.input_schema["additionalProperties"] is False
        for name, schema in tool.input_schema["properties"].items():
            assert schema.get("description"), f"{tool.name} {name}"
        assert tool.annotations is not None
        writes = tool.name in ("draw", "vary")
        assert tool.annotations.read_only_hint is not writes
    assert tools["draw"].input_schema["required"] == ["prompt"]
    assert tools["draw"].input_schema["properties"]["num_images"]["maximum"] == 4
    everything = {name for tool in tools.values() for name in tool.input_schema["properties"]}
    assert not everything & {"output", "target", "folder", "path", "file"}


# ---------------------------------------------------------------- drawing


def test_a_drawing_is_shown_told_and_kept(atelier: Atelier, library: Library) -> None:
    result = call(atelier, "draw", prompt="a red fox", num_images=2, seed=7, width=64, height=48)
    answers = told(result)["pictures"]
    drawn = generate("a red fox", model="fake", num_images=2, seed=7, width=64, height=48)
    assert [answer["seed"] for answer in answers] == [7, 8]
    assert [picture.size for picture in shown(result)] == [(64, 48)] * 2
    for answer, image, picture in zip(answers, drawn.images, shown(result), strict=True):
        kept = library.get(answer["id"])
        assert Path(answer["path"]) == kept.path
        assert kept.pixel_sha256 == image.pixel_sha256
        assert picture.convert("RGBA").tobytes() == image.pixels.tobytes()
        assert GenerationPlan.from_json(json.dumps(answer["recipe"])) == image.plan
        assert [f["check"] for f in answer["findings"]] == [f.check for f in image.findings]
        for fact in (answer["id"], answer["path"], f"seed {image.seed}"):
            assert fact in words(result)
        for finding in image.findings:
            assert finding.message in words(result)


def test_answers_have_the_promised_shape(atelier: Atelier, picture: Picture) -> None:
    calls: dict[str, dict[str, Any]] = {
        "draw": {"prompt": "a fox", "width": 64},
        "vary": {"picture": picture.id, "num_images": 1},
        "check": {"picture": picture.id},
        "search": {"query": "fox"},
        "models": {},
    }

    async def scenario(client: Client) -> None:
        for tool in (await client.list_tools()).tools:
            if tool.name in calls:
                result = await client.call_tool(tool.name, calls.pop(tool.name))
                assert tool.output_schema is not None
                jsonschema.validate(told(result), tool.output_schema)

    converse(atelier, scenario)
    assert not calls


def test_large_pictures_are_kept_large_and_shown_small(atelier: Atelier, library: Library) -> None:
    result = call(atelier, "draw", prompt="a red fox", width=1600, height=800)
    assert shown(result)[0].size == (1024, 512)
    assert library.get(told(result)["pictures"][0]["id"]).width == 1600


@pytest.mark.parametrize("side", ["width", "height"])
def test_one_side_alone_makes_a_square(atelier: Atelier, side: str) -> None:
    assert shown(call(atelier, "draw", prompt="a red fox", **{side: 64}))[0].size == (64, 64)


def test_svg_brings_the_paths(atelier: Atelier) -> None:
    result = call(atelier, "draw", prompt="a red fox", width=64, format="svg")
    resources = [part.resource for part in result.content if part.type == "resource"]
    path = Path(told(result)["pictures"][0]["svg_path"])
    assert [resource.uri for resource in resources] == [path.as_uri()]
    assert resources[0].mime_type == "image/svg+xml"
    assert resources[0].text == path.read_text("utf-8")
    assert len(shown(result)) == 1


def test_svg_of_a_model_without_paths_is_refused_before_it_draws(
    atelier: Atelier, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    raster = replace(spec_of("fake"), finish="raster")
    monkeypatch.setattr("sfumato.server.atelier.spec_of", lambda name: raster)
    line = refusal(call(atelier, "draw", prompt="a red fox", format="svg"))
    assert line == "The model 'fake' draws no paths. Ask for the format png."
    assert library.count() == 0


def test_what_the_planner_left_out_is_said(atelier: Atelier) -> None:
    result = call(atelier, "draw", prompt='a red fox saying "Hello"', width=64)
    notes = told(result)["notes"]
    assert notes
    assert all(note in words(result) for note in notes)


def test_variations_are_near_and_say_their_seed(atelier: Atelier, picture: Picture) -> None:
    result = call(atelier, "vary", picture=picture.id, strength=0.3, num_images=2, seed=5)
    answers = told(result)["pictures"]
    assert [answer["variation_seed"] for answer in answers] == [5, 6]
    assert {answer["seed"] for answer in answers} == {picture.seed}
    assert {answer["recipe"]["variation_strength"] for answer in answers} == {0.3}
    assert "varied by 5" in words(result)


def test_a_file_is_varied_by_its_path(
    atelier: Atelier, library: Library, picture: Picture, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.png"
    copy.write_bytes(picture.path.read_bytes())
    answer = told(call(atelier, "vary", picture=str(copy), strength="strong", num_images=1))
    assert answer["pictures"][0]["recipe"]["variation_strength"] == 0.6
    assert list(tmp_path.glob("*.png")) == [copy]
    assert library.count() == 2


# ---------------------------------------------------------------- progress and cancelling


def test_progress_rises_to_the_end(atelier: Atelier) -> None:
    seen: list[tuple[float, float | None]] = []

    async def follow(progress: float, total: float | None, message: str | None) -> None:
        seen.append((progress, total))

    arguments = {"prompt": "a red fox", "num_images": 4, "width": 2048}
    converse(atelier, lambda client: client.call_tool("draw", arguments, progress_callback=follow))
    assert seen[-1] == (4, 4)
    assert [total for _, total in seen] == [4] * len(seen)
    amounts = [progress for progress, _ in seen]
    assert amounts == sorted(set(amounts))


def test_the_tally_counts_pictures_in_any_order() -> None:
    tally = _Tally(2)
    assert tally.pictures() == 0.0
    tally.follow(Event(kind="step", image=1, step=1, total=3))
    assert tally.pictures() == 0.25
    tally.follow(Event(kind="finished", image=0))
    tally.follow(Event(kind="decoded", image=1))
    assert tally.pictures() == 1.25
    tally.follow(Event(kind="finished", image=1))
    assert tally.pictures() == 2.0


def test_cancelling_ends_the_drawing_before_anything_else_begins(library: Library) -> None:
    begun, ended = threading.Event(), threading.Event()

    class Waiting(Atelier):
        def draw(self, *args: Any, stop: threading.Event | None = None, **more: Any) -> Any:
            assert stop is not None
            begun.set()
            assert stop.wait(GUARD)
            ended.set()
            raise Cancelled("Stopped.")

    async def scenario(client: Client) -> CallToolResult:
        async with anyio.create_task_group() as group:
            group.start_soon(client.call_tool, "draw", {"prompt": "a fox"})
            await anyio.to_thread.run_sync(begun.wait, GUARD)
            group.cancel_scope.cancel()
        await anyio.to_thread.run_sync(ended.wait, GUARD)
        return await client.call_tool("models", {})

    assert not converse(Waiting(library, "fake"), scenario).is_error
    assert ended.is_set()


def test_what_was_finished_before_a_stop_is_kept(atelier: Atelier, library: Library) -> None:
    stop = threading.Event()

    def follow(event: Event) -> None:
        if event.kind == "finished":
            stop.set()

    request = GenerationRequest(prompt="a fox", num_images=4, width=64, height=64, threads=1)
    with pytest.raises(Cancelled):
        atelier.draw(request, on_event=follow, stop=stop)
    assert library.count() == 1


# ---------------------------------------------------------------- looking


@pytest.fixture
def picture(library: Library) -> Picture:
    """A test card in the library."""
    return library.add(generate("a red fox", model="fake", seed=7, width=64, height=64).images[0])


def test_checks_name_and_paint_what_they_find(atelier: Atelier, tmp_path: Path) -> None:
    blank = tmp_path / "blank.png"
    Image.new("RGBA", (64, 64), (255, 0, 0, 255)).save(blank)
    before = blank.read_bytes()
    result = call(atelier, "check", picture=str(blank))
    answer = told(result)
    assert answer["prompt"] is None
    assert "blank" in [finding["check"] for finding in answer["findings"]]
    assert "[blank]" in words(result)
    painted = shown(result)[0]
    assert painted.size != (64, 64)
    assert blank.read_bytes() == before
    assert list(tmp_path.glob("*.png")) == [blank]


def test_words_of_the_caller_win_over_the_recipe(atelier: Atelier, picture: Picture) -> None:
    own = told(call(atelier, "check", picture=picture.id))
    assert own["prompt"] == "a red fox"
    result = call(atelier, "check", picture=picture.id, prompt="a plain thing in lime green")
    assert told(result)["prompt"] == "a plain thing in lime green"
    assert 'held against "a plain thing in lime green"' in words(result)
    assert "wrong_colour" in [finding["check"] for finding in told(result)["findings"]]


@pytest.mark.parametrize("prompt", [None, "a plain thing in lime green"])
def test_a_picture_is_checked_once(
    atelier: Atelier, picture: Picture, monkeypatch: pytest.MonkeyPatch, prompt: str | None
) -> None:
    looked: list[Look] = []
    resolve = Entry.resolve

    def counting(entry: Entry) -> Any:
        check = resolve(entry)
        if entry.name != "blank":
            return check
        return lambda look: [looked.append(look), *check(look)][1:]

    monkeypatch.setattr(Entry, "resolve", counting)
    atelier.check(picture.id, prompt)
    assert len(looked) == 1


def test_search_finds_words_first_then_looks(
    atelier: Atelier, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = (
        library.add(generate(prompt, model="fake", seed=1, width=64, height=64).images[0])
        for prompt in ("a paper boat", "a brass key")
    )
    monkeypatch.setattr(clip, "DEFAULT_MODEL", "fake")
    result = call(atelier, "search", query="boat")
    found = [(hit["id"], hit["found_by"]) for hit in told(result)["pictures"]]
    assert found == [(one.id, "words"), (other.id, "looks")]
    assert told(result)["pictures"][0]["score"] is None
    assert -1 <= told(result)["pictures"][1]["score"] <= 1
    assert [max(picture.size) for picture in shown(result)] == [64, 64]
    assert len(told(call(atelier, "search", query="boat", limit=1))["pictures"]) == 1


def test_search_does_without_a_picture_text_model(
    atelier: Atelier, picture: Picture, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: Any, **__: Any) -> None:
        raise ModelError("There is none.")

    monkeypatch.setattr("sfumato.server.atelier.nearest", missing)
    library.add(generate("a brass key", model="fake", seed=1, width=64, height=64).images[0])
    found = told(call(atelier, "search", query="fox"))["pictures"]
    assert [hit["id"] for hit in found] == [picture.id]
    assert len(told(call(atelier, "search", query=""))["pictures"]) == 2


def test_a_lost_file_does_not_hide_the_others(
    atelier: Atelier, library: Library, picture: Picture
) -> None:
    lost = library.add(generate("a grey fox", model="fake", seed=1, width=64, height=64).images[0])
    lost.path.unlink()
    result = call(atelier, "search", query="fox")
    assert len(told(result)["pictures"]) == 2
    assert len(shown(result)) == 1
    assert f"The file of the picture {lost.id} is gone" in words(result)


def test_nothing_found_is_said(atelier: Atelier) -> None:
    result = call(atelier, "search", query="fox")
    assert told(result) == {"pictures": []}
    assert words(result) == "Nothing was found."


def test_describe_gives_prompts_and_the_recipe(
    atelier: Atelier, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clip, "DEFAULT_MODEL", "fake")
    result = call(atelier, "describe", picture=picture.id)
    answer = told(result)
    assert answer["prompts"]
    assert answer["recipe"]["prompt"] == "a red fox"
    assert "Made from: a red fox" in words(result)
    assert all(prompt in words(result) for prompt in answer["prompts"])


def test_models_are_listed_with_their_styles(
    atelier: Atelier, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = {model["name"]: model for model in told(call(atelier, "models"))["models"]}
    assert listed["fake"]["styles"] == ["flat", "striped"]
    assert [name for name, model in listed.items() if model["default"]] == ["fake"]
    assert "chiaro" in listed


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("name", "arguments", "line"),
    [
        ("draw", {}, "draw needs the argument 'prompt'."),
        ("draw", {"prompt": " "}, "The prompt is empty."),
        ("draw", {"prompt": "x", "num_images": 5}, "5 pictures are too many for one answer."),
        ("draw", {"prompt": "x", "num_images": 0}, "The number of pictures is 0."),
        ("draw", {"prompt": "x", "num_images": "many"}, "draw cannot take this num_images: "),
        ("draw", {"prompt": "x", "seed": -1}, "The seed is -1."),
        ("draw", {"prompt": "x", "width": 100_000}, "The width is 100000."),
        ("draw", {"prompt": "x", "style": "oil"}, "The model 'fake' has no style 'oil'."),
        ("draw", {"prompt": "x", "model": "gone"}, "There is no model called 'gone'."),
        ("draw", {"prompt": "x", "model": "gone", "format": "svg"}, "There is no model called"),
        ("draw", {"prompt": "x", "format": "exe"}, "draw cannot take this format: "),
        ("draw", {"prompt": "x", "output": "/tmp"}, "draw takes no argument called 'output'."),
        ("vary", {"picture": "{id}", "num_images": 9}, "9 pictures are too many"),
        ("vary", {"picture": "{id}", "strength": 0}, "A variation of strength 0 is the picture"),
        ("vary", {"picture": "{id}", "strength": 2}, "The variation strength is 2.0."),
        ("vary", {"picture": "{id}", "strength": "huge"}, "vary cannot take this strength: "),
        ("vary", {"picture": "{plain}"}, "{plain} carries no recipe of sfumato's"),
        ("check", {"picture": "{text}"}, "{text} is not a picture that sfumato reads."),
        ("check", {"picture": "{folder}"}, "{folder}: This is a folder."),
        ("check", {"picture": "{folder}/gone.png"}, "{folder}/gone.png: The file cannot be read"),
        ("check", {"picture": "fox.png"}, "'fox.png' is neither a picture's id nor the whole path"),
        ("check", {"picture": "../fox.png"}, "'../fox.png' is neither a picture's id nor"),
        ("check", {"picture": "~nobody-at-all/x.png"}, "'~nobody-at-all/x.png' is neither"),
        ("check", {"picture": ""}, "'' is neither a picture's id nor the whole path"),
        ("check", {"picture": "a\0b"}, "The picture contains a NUL character."),
        ("check", {"picture": "7zzzzzzzzzzzzzzzzzzzzzzzzz"}, "No picture is called"),
        ("search", {"query": "x", "limit": 0}, "The limit is 0. Give a number from 1 to 20."),
        ("search", {"query": "x" * 20_000}, "The search text has 20,000 characters."),
        ("describe", {"picture": "{text}"}, "{text} is not a picture that sfumato reads."),
        ("models", {"all": True}, "models takes no argument called 'all'. It takes: none."),
    ],
)
def test_what_cannot_be_is_one_line(
    atelier: Atelier,
    library: Library,
    picture: Picture,
    tmp_path: Path,
    name: str,
    arguments: dict[str, Any],
    line: str,
) -> None:
    text, plain = tmp_path / "secret.txt", tmp_path / "plain.png"
    text.write_text("the launch code is 0000")
    Image.new("RGB", (32, 32), "white").save(plain)
    places = {"{id}": picture.id, "{text}": text, "{folder}": tmp_path, "{plain}": plain}
    for place, value in places.items():
        line = line.replace(place, str(value))
        arguments = {
            key: given.replace(place, str(value)) if isinstance(given, str) else given
            for key, given in arguments.items()
        }
    told_line = refusal(call(atelier, name, **arguments))
    assert told_line.startswith(line)
    assert "launch" not in told_line
    assert library.count() == 1


def test_a_fault_of_ours_tells_no_secrets(
    atelier: Atelier, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("the launch code is 0000")

    monkeypatch.setattr(Atelier, "draw", broken)
    assert refusal(call(atelier, "draw", prompt="a fox")) == "Error executing tool draw"
    assert "launch code" in caplog.text
