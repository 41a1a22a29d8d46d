"""An MCP server over stdin and stdout: any language model with a client for it can draw.

``Atelier`` does the work; here are the tools' names, arguments and words, progress, cancellation
and errors. Stdout belongs to the protocol: the SDK keeps it to itself while it serves, so that
nothing else can be written there.
"""

from __future__ import annotations

import base64
import os
import signal
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, Literal, NoReturn, TypeVar

import anyio
from anyio import to_thread
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.tools import Tool
from mcp.types import (
    CallToolResult,
    ContentBlock,
    EmbeddedResource,
    ImageContent,
    InputRequiredResult,
    TextContent,
    TextResourceContents,
    ToolAnnotations,
)
from pydantic import BaseModel, Field, ValidationError

from sfumato import __version__
from sfumato.errors import Cancelled, RequestError, SfumatoError
from sfumato.gallery import Library, Picture
from sfumato.request import Event, GenerationRequest, OnEvent
from sfumato.server.atelier import MAX_DRAWN, Atelier
from sfumato.server.schemas.mcp import (
    CheckOut,
    DescribeOut,
    DrawOut,
    ModelOut,
    ModelsOut,
    SearchOut,
)

T = TypeVar("T")

INSTRUCTIONS = """\
sfumato draws flat pictures, icons, logos and emblems on this computer, offline. Prompts are \
short and name one subject, or a few that stand apart: "a red fox", "a paper boat on a blue \
circle", "two cats left of a dog". Colour, ground and emblem may be words of the prompt. Look at \
every picture and at its findings; where one is not right, draw again with another seed, vary the \
one that is nearest, or change the words. Every picture is kept in the person's library: say its \
path. It letters no words and takes no photographs."""

_TELL_SECONDS = 0.1  # between two progress reports
_MAX_FOUND = 20  # thumbnails of one answer
_LOOKING = 2  # pictures examined at once: each may take some hundred megabytes

Prompt = Annotated[str, Field(description="What to draw, in a few words of English.")]
Name = Annotated[
    str,
    Field(description="A picture's id in the library, or the whole path of a picture file."),
]
Count = Annotated[
    int,
    Field(
        description="How many pictures, each with a seed of its own.",
        json_schema_extra={"minimum": 1, "maximum": MAX_DRAWN},
    ),
]
Seed = Annotated[
    int | None,
    Field(description="Same seed, same picture; several use seed + 1, ... Random if not given."),
]
Side = Annotated[
    int | None,
    Field(description="Pixels, 16 to 4096; one side alone makes a square, none 1024×1024."),
]


def make_server(atelier: Atelier) -> MCPServer[Any]:
    """The server, ready for ``run``; whoever made the atelier closes its library."""
    tools = _Tools(atelier)
    adds = ToolAnnotations(read_only_hint=False, destructive_hint=False, open_world_hint=False)
    reads = ToolAnnotations(read_only_hint=True, open_world_hint=False)
    return _Server(
        [
            _tool(tools.draw, "Draw pictures", adds),
            _tool(tools.vary, "Vary a picture", adds),
            _tool(tools.check, "Check a picture", reads),
            _tool(tools.search, "Search the library", reads),
            _tool(tools.describe, "Describe a picture", reads),
            _tool(tools.models, "List the models", reads),
        ]
    )


def serve(folder: Path | None, database: str | None, model: str | None) -> None:
    """Serve on stdin and stdout until the client leaves or somebody presses Ctrl-C.

    Args:
        folder: the library; None is the person's own.
        database: a PostgreSQL database's URL; None is the file in the folder.
        model: what draws where a call names none; None is the built-in one.

    Raises: StorageError: the library cannot be opened; ModelError: there is no such model.
    """
    with Library.open(folder, database=database) as library:
        signal.signal(signal.SIGINT, _leave)
        make_server(Atelier(library, model)).run("stdio")


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    """Ctrl-C: a thread waits for stdin and nothing can wake it, so the process goes with it.

    Files are whole or not there, and finished pictures are kept: no more is lost than one that
    was being drawn.
    """
    os._exit(Cancelled.exit_code)


class _Server(MCPServer[Any]):
    """Errors in our own words: one line that says what is wrong and what to do."""

    def __init__(self, tools: list[Tool]) -> None:
        super().__init__(
            "sfumato",
            title="sfumato",
            instructions=INSTRUCTIONS,
            version=__version__,
            tools=tools,
            log_level="ERROR",
        )
        self._takes = {tool.name: tool.parameters["properties"].keys() for tool in tools}

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[Any, Any] | None = None
    ) -> CallToolResult | InputRequiredResult:
        """Call a tool; what it cannot do is an answer with ``is_error`` set."""
        try:
            self._check_names(name, arguments)
            return await super().call_tool(name, arguments, context)
        except SfumatoError as error:
            return _failed(error)
        except ToolError as error:
            cause = error.__cause__
            if isinstance(cause, SfumatoError):
                return _failed(cause)
            if isinstance(cause, ValidationError):
                return _failed(_of_arguments(name, cause))
            raise  # a fault of ours: logged with its traceback, answered without

    def _check_names(self, name: str, arguments: dict[str, Any]) -> None:
        """An option that is not honoured must not be accepted."""
        known = self._takes.get(name)
        unknown = sorted(arguments.keys() - known) if known is not None else []
        if known is not None and unknown:
            raise RequestError(
                f"{name} takes no argument called {', '.join(map(repr, unknown))}.",
                hint=f"It takes: {', '.join(known) or 'none'}.",
            )


class _Tools:
    """The tools. Each method's name, docstring and annotations are what a client is told."""

    def __init__(self, atelier: Atelier) -> None:
        self._atelier = atelier
        self._drawing = anyio.Lock()  # one drawing takes all cores
        self._looking = anyio.CapacityLimiter(_LOOKING)

    async def draw(
        self,
        context: Context[Any, Any],
        prompt: Prompt,
        num_images: Count = 1,
        seed: Seed = None,
        style: Annotated[
            str | None, Field(description="One of the model's styles; see the tool models.")
        ] = None,
        width: Side = None,
        height: Side = None,
        background: Annotated[
            str | None, Field(description="transparent, opaque, #rrggbb or a colour's name.")
        ] = None,
        format: Annotated[
            Literal["png", "svg"],
            Field(description="svg: the answer holds the drawing's paths too."),
        ] = "png",
        model: Annotated[str | None, Field(description="One that the tool models lists.")] = None,
    ) -> Annotated[CallToolResult, DrawOut]:
        """Draw pictures from words, keep them in the library and show them with what is wrong."""
        request = GenerationRequest(
            prompt=prompt,
            num_images=num_images,
            seed=seed,
            style=style,
            width=height if width is None else width,
            height=width if height is None else height,
            background=background,
            model=model,
        )
        paths = format == "svg"
        work = partial(self._atelier.draw, request, paths=paths)
        return await self._drawn(work, num_images, context, paths)

    async def vary(
        self,
        context: Context[Any, Any],
        picture: Name,
        strength: Annotated[
            Literal["subtle", "strong"] | float,
            Field(description="How far from the picture: subtle, strong, or above 0 and up to 1."),
        ] = "subtle",
        num_images: Count = 2,
        seed: Seed = None,
    ) -> Annotated[CallToolResult, DrawOut]:
        """Draw pictures near one that sfumato drew: same words, size and style, other details."""
        work = partial(
            self._atelier.vary, picture, strength=strength, num_images=num_images, seed=seed
        )
        return await self._drawn(work, num_images, context, paths=False)

    async def check(
        self,
        picture: Name,
        prompt: Annotated[
            str | None, Field(description="What it should show; else its own recipe says it.")
        ] = None,
    ) -> Annotated[CallToolResult, CheckOut]:
        """Find what is wrong with a picture of any origin, painted on a copy of it."""
        checked = await self._look(partial(self._atelier.check, picture, prompt))
        answer = CheckOut.of(checked)
        return _answer(answer, [_text(answer.lines()), _image(checked.overlay)])

    async def search(
        self,
        query: Annotated[
            str, Field(description="Words of prompts, or what pictures show; none: the newest.")
        ],
        limit: Annotated[
            int,
            Field(
                description="How many at most.",
                json_schema_extra={"minimum": 1, "maximum": _MAX_FOUND},
            ),
        ] = 8,
    ) -> Annotated[CallToolResult, SearchOut]:
        """Find pictures in the person's library; thumbnails and ids come back."""
        if not 1 <= limit <= _MAX_FOUND:
            raise RequestError(
                f"The limit is {limit}.", hint=f"Give a number from 1 to {_MAX_FOUND}."
            )
        return await self._look(partial(self._find, query, limit))

    async def describe(self, picture: Name) -> Annotated[CallToolResult, DescribeOut]:
        """Say what a picture shows, in prompts for more like it, and how it was made."""
        path, found, recipe = await self._look(partial(self._atelier.describe, picture))
        answer = DescribeOut.of(str(path), found, recipe)
        return _answer(answer, [_text(answer.lines())])

    async def models(self) -> Annotated[CallToolResult, ModelsOut]:
        """List what can draw here, and each one's styles."""
        sheets = await self._look(self._atelier.models)
        found = [ModelOut.of(sheet, self._atelier.model) for sheet in sheets]
        lines = "\n".join(model.line() for model in found)
        return _answer(ModelsOut(models=found), [_text(lines)])

    # ------------------------------------------------------------ inside

    async def _look(self, work: Callable[[], T]) -> T:
        return await to_thread.run_sync(work, limiter=self._looking)

    async def _drawn(
        self,
        work: Callable[..., list[Picture]],
        num_images: int,
        context: Context[Any, Any],
        paths: bool,
    ) -> CallToolResult:
        async with self._drawing:
            pictures = await _follow(work, num_images, context)
        return await self._look(partial(self._show, pictures, paths))

    def _show(self, pictures: Sequence[Picture], paths: bool) -> CallToolResult:
        answer = DrawOut.of(list(pictures))
        content: list[ContentBlock] = []
        for picture, told in zip(pictures, answer.pictures, strict=True):
            content += [_text(told.lines()), _image(self._atelier.show(picture))]
            if paths and picture.svg_path is not None:
                content.append(_drawing(picture.svg_path))
        content += [_text(note) for note in answer.notes]
        return _answer(answer, content)

    def _find(self, words: str, limit: int) -> CallToolResult:
        hits = self._atelier.find(words, limit)
        answer = SearchOut.of(hits)
        content: list[ContentBlock] = []
        for hit, told in zip(hits, answer.pictures, strict=True):
            content.append(_text(f"{told.prompt or 'no prompt'}\n{told.lines()}"))
            try:
                content.append(_image(self._atelier.thumbnail(hit.picture)))
            except SfumatoError as error:  # one lost file must not hide the others
                content.append(_text(error.one_line()))
        return _answer(answer, content or [_text("Nothing was found.")])


# ---------------------------------------------------------------- drawing


class _Tally:
    """How far several pictures are, told by the threads that draw them."""

    def __init__(self, num_images: int) -> None:
        self._lock = threading.Lock()
        self._shares = [0.0] * num_images  # of each picture, 0 to 1

    def follow(self, event: Event) -> None:
        with self._lock:
            if event.kind == "step":  # finishing takes about as long as another step
                self._shares[event.image] = event.step / (event.total + 1)
            elif event.kind == "finished":
                self._shares[event.image] = 1.0

    def pictures(self) -> float:
        """Of pictures that are drawn, with fractions; it never falls."""
        with self._lock:
            return round(sum(self._shares), 3)


async def _follow(
    work: Callable[..., list[Picture]], num_images: int, context: Context[Any, Any]
) -> list[Picture]:
    """Draw in a thread and tell the client how far it is.

    A client that cancels, or leaves, ends the drawing after its current step: the thread is
    waited for, so that what it finished is kept before the library closes.
    """
    stop, tally = threading.Event(), _Tally(max(1, num_images))

    async def tell() -> None:
        told = 0.0
        try:
            while True:
                await anyio.sleep(_TELL_SECONDS)
                drawn = tally.pictures()
                if told < drawn < num_images:
                    told = drawn
                    await context.report_progress(drawn, num_images)
        finally:
            stop.set()  # whatever ended this ends the drawing

    failure: Exception | None = None
    pictures: list[Picture] = []
    async with anyio.create_task_group() as group:
        group.start_soon(tell)
        try:
            on_event: OnEvent = tally.follow
            pictures = await to_thread.run_sync(partial(work, on_event=on_event, stop=stop))
        except Exception as error:  # leaves the group by itself, not inside an ExceptionGroup
            failure = error
        group.cancel_scope.cancel()
    if failure is not None:
        raise failure
    await context.report_progress(num_images, num_images)
    return pictures


# ---------------------------------------------------------------- answers


def _tool(method: Callable[..., Any], title: str, annotations: ToolAnnotations) -> Tool:
    tool = Tool.from_function(method, title=title, annotations=annotations)
    tool.parameters["additionalProperties"] = False
    return tool


def _answer(answer: BaseModel, content: Sequence[ContentBlock]) -> CallToolResult:
    return CallToolResult(content=list(content), structured_content=answer.model_dump(mode="json"))


def _failed(error: SfumatoError) -> CallToolResult:
    return CallToolResult(content=[_text(error.one_line())], is_error=True)


def _of_arguments(name: str, error: ValidationError) -> RequestError:
    """The first thing that is wrong with a call's arguments, on one line."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = str(first["loc"][0]) if first["loc"] else "the arguments"
    if first["type"] == "missing":
        return RequestError(f"{name} needs the argument {place!r}.")
    return RequestError(f"{name} cannot take this {place}: {first['msg']}.")


def _text(text: str) -> TextContent:
    return TextContent(type="text", text=text)


def _image(png: bytes) -> ImageContent:
    return ImageContent(type="image", data=base64.b64encode(png).decode(), mime_type="image/png")


def _drawing(path: Path) -> EmbeddedResource:
    return EmbeddedResource(
        type="resource",
        resource=TextResourceContents(
            uri=path.as_uri(), mime_type="image/svg+xml", text=path.read_text("utf-8")
        ),
    )
