"""An MCP server: draw, check and search as tools, for any program that speaks the protocol.

Pictures go into the library and come back as small PNGs that a model can look at. Needs the
``[mcp]`` extra. Source: modelcontextprotocol.io, specification, Tools.
"""

from __future__ import annotations

import threading
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import anyio
from anyio import to_thread
from mcp.server.mcpserver import Context, Image, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations
from PIL import Image as Pillow

from sfumato import __version__
from sfumato.errors import SfumatoError
from sfumato.gallery import Library, Picture, Query
from sfumato.gallery.identity import is_id
from sfumato.gallery.thumbnails import load_pixels
from sfumato.inspection import check as inspect
from sfumato.jobs import Job, JobQueue, Workers
from sfumato.models import spec_of
from sfumato.request import Finding, GenerationRequest
from sfumato.server.pictures import nearest

MAX_IMAGES = 8
_SHOWN_SIDE = 512  # pixels: enough to judge a drawing, and few tokens
_LOOK_SECONDS = 0.3

INSTRUCTIONS = """\
Sfumato draws logos, icons and flat illustrations of one subject on the user's own machine.
Prompts are short: subject first, then style, colour, ground or emblem in plain words, such as
"a red fox", "line art owl", "rocket app icon on blue". Draw a few, look at them and at their
findings, then draw again with other words or seeds. Every picture is kept in the user's library."""

Answer = list[str | Image]


class Tools:
    """The tools of one library; workers are started when something is first drawn."""

    def __init__(self, library: Library, default_model: str | None = None) -> None:
        """``default_model`` draws where no model is asked for."""
        self._library = library
        self._queue = JobQueue(library)
        self._default = default_model
        self._workers: Workers | None = None
        self._lock = threading.Lock()

    def close(self) -> None:
        """Let a running drawing finish, then end."""
        if self._workers is not None:
            self._workers.drain()
        self._library.close()

    async def draw(
        self,
        prompt: str,
        context: Context[Any, Any],
        num_images: int = 1,
        style: str | None = None,
        background: str | None = None,
        seed: int | None = None,
        width: int | None = None,
        height: int | None = None,
        model: str | None = None,
    ) -> Answer:
        """Draw pictures from words and look at them.

        Args:
            prompt: the subject, then style, colour, ground or emblem, in a few English words.
            num_images: 1 to 8 candidates.
            style: one of the model's styles; chiaro has flat, cartoon, classic, soft, glyph.
            background: transparent, opaque, a colour's name or #rrggbb; transparent by default.
            seed: the first picture's seed; the same seed draws the same picture again.
            width: pixels, 16 to 4096; 1024 by default.
            height: pixels, 16 to 4096; 1024 by default.
            model: the name of an installed model.
        """
        if not 1 <= num_images <= MAX_IMAGES:
            raise ToolError(f"num_images is {num_images}. Give 1 to {MAX_IMAGES}.")
        try:
            request = GenerationRequest(
                prompt=prompt, num_images=num_images, style=style, background=background,
                seed=seed, width=width, height=height, model=model or self._default,
            )  # fmt: skip
            spec_of(request.model)
            await to_thread.run_sync(self._start)
            job = await to_thread.run_sync(self._queue.submit, request)
            job = await self._follow(job, context)
            if job.error is not None:
                raise ToolError(f"{job.error.message} {job.error.hint}".strip())
            return await to_thread.run_sync(self._shown, job.pictures)
        except SfumatoError as error:
            raise ToolError(error.one_line()) from None

    async def check(self, picture: str, prompt: str | None = None) -> str:
        """Say what is wrong with a picture: defects such as blur, halos, low contrast.

        Args:
            picture: the id of a picture in the library, or the path of a picture file.
            prompt: what the picture should show, where it does not say so itself.
        """
        try:
            return await to_thread.run_sync(partial(self._check, picture, prompt))
        except SfumatoError as error:
            raise ToolError(error.one_line()) from None

    async def search(
        self, words: str, by: str = "recipe", limit: int = 6, tag: str | None = None
    ) -> Answer:
        """Find pictures in the user's library and look at them.

        Args:
            words: what to search for.
            by: "recipe" finds words of prompts, tags and file names; "looks" finds pictures that
                show what the words say.
            limit: 1 to 12 pictures.
            tag: only pictures with this tag.
        """
        if by not in ("recipe", "looks") or not 1 <= limit <= 12:
            raise ToolError('by is "recipe" or "looks"; limit is 1 to 12.')
        try:
            return await to_thread.run_sync(partial(self._search, words, by, limit, tag))
        except SfumatoError as error:
            raise ToolError(error.one_line()) from None

    # ------------------------------------------------------------ in threads

    def _start(self) -> None:
        with self._lock:
            if self._workers is None:
                self._workers = Workers(self._queue, warm=self._default)
                self._workers.start()

    async def _follow(self, job: Job, context: Context[Any, Any]) -> Job:
        told = -1.0
        try:
            while not job.ended:
                fraction = 0.0 if job.progress is None else job.progress.fraction
                if fraction > told:
                    told = fraction
                    await context.report_progress(fraction, 1.0, "drawing")
                job = await to_thread.run_sync(self._queue.wait, job.id, _LOOK_SECONDS)
        except BaseException:
            with anyio.CancelScope(shield=True):  # nobody waits for it any more
                await to_thread.run_sync(self._queue.cancel, job.id)
            raise
        return job

    def _check(self, picture: str, prompt: str | None) -> str:
        if is_id(picture):
            known = self._library.get(picture)
            pixels = load_pixels(self._library.folder, known)
            found = inspect(pixels, prompt=prompt or known.prompt or None)
        else:
            found = inspect(Path(picture).expanduser(), prompt=prompt)
        return "\n".join(map(_said, found)) or "Nothing was found."

    def _search(self, words: str, by: str, limit: int, tag: str | None) -> Answer:
        if by == "looks":
            matches = nearest(self._library, Query(tag=tag), text=words, like=None, limit=limit)
            found = [match.picture for match in matches]
        else:
            found = list(self._library.query(Query(text=words, tag=tag), limit=limit).pictures)
        return [part for picture in found for part in self._show(picture)] or ["Nothing matches."]

    def _shown(self, identities: tuple[str, ...]) -> Answer:
        pictures = self._library.get_many(identities)
        notes = pictures[0].plan.notes if pictures and pictures[0].plan is not None else ()
        return [*(part for picture in pictures for part in self._show(picture)), *notes]

    def _show(self, picture: Picture) -> Answer:
        with Pillow.fromarray(load_pixels(self._library.folder, picture)) as shown:
            shown.thumbnail((_SHOWN_SIDE, _SHOWN_SIDE), Pillow.Resampling.LANCZOS)
            buffer = BytesIO()
            shown.save(buffer, "PNG", optimize=True)
        words = f"{picture.id}: “{picture.prompt}”, seed {picture.seed}, {picture.path}"
        found = "".join(f"\n  {_said(finding)}" for finding in picture.findings)
        return [Image(data=buffer.getvalue(), format="png"), words + found]


def make_server(tools: Tools) -> MCPServer[Any]:
    """The protocol's side of ``tools``."""
    server: MCPServer[Any] = MCPServer(
        "sfumato", title="Sfumato", version=__version__, instructions=INSTRUCTIONS
    )
    adds = ToolAnnotations(read_only_hint=False, destructive_hint=False, open_world_hint=False)
    looks = ToolAnnotations(read_only_hint=True, open_world_hint=False)
    server.tool(title="Draw", annotations=adds, structured_output=False)(tools.draw)
    server.tool(title="Check", annotations=looks, structured_output=False)(tools.check)
    server.tool(title="Search", annotations=looks, structured_output=False)(tools.search)
    return server


def run(library: Path | None, database: str | None, model: str | None) -> None:
    """Speak MCP over stdin and stdout until stdin ends.

    Raises: StorageError: the library cannot be opened.
    """
    tools = Tools(Library.open(library, database=database), model)
    try:
        make_server(tools).run("stdio")
    finally:
        tools.close()


def _said(finding: Finding) -> str:
    return f"{finding.severity}: {finding.message} [{finding.check}]"
