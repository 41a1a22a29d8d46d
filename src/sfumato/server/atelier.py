"""What a language model may have done here: draw, vary, check, find, describe. No protocol.

Every picture goes into the library before it is shown, so that none is lost. A caller names
pictures and never places to write to: whoever talks through a language model cannot be trusted
with more. Methods block, and are safe to call from several threads.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

from PIL import Image

from sfumato.checks import check_one
from sfumato.checks.overlay import paint_findings
from sfumato.clip.captions import describer
from sfumato.clip.describe import Description
from sfumato.errors import MissingExtraError, ModelError, RequestError, SfumatoError
from sfumato.files import read_recipe
from sfumato.gallery import Library, Picture, Query
from sfumato.generate import generate
from sfumato.inspection import open_look
from sfumato.models import ModelSpec, spec_of
from sfumato.models.catalogue import DEFAULT_MODEL
from sfumato.pictures import read_picture
from sfumato.plan import vary_plan
from sfumato.registry import MODELS
from sfumato.request import (
    Finding,
    GeneratedImage,
    GenerationPlan,
    GenerationRequest,
    OnEvent,
    check_text,
)
from sfumato.server.pictures import nearest, share_of

MAX_DRAWN = 4  # pictures of one call: each travels back inside the answer
SHOWN_SIDE = 1024  # pixels: the longer side of a picture that is shown
THUMBNAIL_SIDE = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What the checks say about a picture."""

    path: Path
    prompt: str | None  # what it was held against
    findings: tuple[Finding, ...]  # worst first
    overlay: bytes  # PNG: the findings painted on the picture, with a legend


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A picture that was found."""

    picture: Picture
    found_by: Literal["words", "looks"]  # its prompt and labels have the words; it shows them
    score: float | None  # a cosine where it was found by looks


class Atelier:
    """A library, a model to draw with, and what may be asked of both."""

    def __init__(self, library: Library, model: str | None = None) -> None:
        """``model`` draws where none is asked for; None is the built-in one."""
        self.library = library
        self.model = DEFAULT_MODEL if model is None else model

    def draw(
        self,
        request: GenerationRequest,
        *,
        paths: bool = False,
        on_event: OnEvent | None = None,
        stop: threading.Event | None = None,
    ) -> list[Picture]:
        """Draw a request and keep every picture as soon as it is finished.

        ``paths``: refuse a model that draws no paths (SVG), before anything is drawn.

        Raises: RequestError, ModelError: as ``generate``; StorageError: it could not be kept;
        Cancelled: ``stop`` was set.
        """
        request = replace(request, model=request.model or self.model)
        self._check_count(request.num_images)
        if paths and spec_of(request.model).finish != "vector":
            raise RequestError(
                f"The model {request.model!r} draws no paths.", hint="Ask for the format png."
            )
        return self._keep(request, on_event, stop)

    def vary(
        self,
        name: str,
        *,
        strength: str | float = "subtle",
        num_images: int = 2,
        seed: int | None = None,
        on_event: OnEvent | None = None,
        stop: threading.Event | None = None,
    ) -> list[Picture]:
        """Draw pictures near one that sfumato drew, and keep them.

        Args:
            name: the picture's id, or a file's whole path.
            strength: "subtle", "strong", or a number above 0 and up to 1.
            num_images: how many, up to four.
            seed: of the first variation.
            on_event, stop: as in ``generate``.

        Raises: as ``draw``; RequestError: the picture carries no recipe of ours.
        """
        self._check_count(num_images)
        plan = self._plan_of(name)
        share = share_of(strength)
        varied = vary_plan(plan, strength=share, num_images=num_images, seed=seed)
        return self._keep(varied, on_event, stop)

    def check(self, name: str, prompt: str | None = None) -> Checked:
        """Find what is wrong with a picture.

        ``prompt`` says what it should show; without one its own recipe does, where it has one.

        Raises: RequestError, StorageError: it is no picture that can be read.
        """
        path = self._path_of(name)
        look = open_look(path, prompt, use_recipe=prompt is None)
        findings = check_one(look)
        asked = None if look.asked is None else look.asked.prompt
        title = "".join(c if c.isprintable() else "?" for c in path.name)
        buffer = BytesIO()
        paint_findings(look.pixels, findings, title).save(buffer, "PNG", optimize=True)
        return Checked(path=path, prompt=asked, findings=findings, overlay=buffer.getvalue())

    def find(self, words: str, limit: int) -> list[Hit]:
        """Pictures of the library: first those whose words match, then those that look like it.

        No words at all find the newest pictures. Without a picture-text model only words count.

        Raises: RequestError: a text or a limit that cannot be.
        """
        wanted = Query(text=words)
        hits = {
            picture.id: Hit(picture=picture, found_by="words", score=None)
            for picture in self.library.query(wanted, limit=limit).pictures
        }
        if words.strip() and len(hits) < limit:
            try:
                alike = nearest(self.library, Query(), text=words, like=None, limit=limit)
            except (ModelError, MissingExtraError):
                alike = []
            for match in alike:
                hit = Hit(picture=match.picture, found_by="looks", score=match.score)
                hits.setdefault(match.picture.id, hit)
        return list(hits.values())[:limit]

    def describe(self, name: str) -> tuple[Path, Description, dict[str, Any]]:
        """A picture's file, what it shows, and how it was made (empty where nobody wrote it down).

        Raises: RequestError, StorageError: not readable; ModelError: no picture-text model.
        """
        path = self._path_of(name)
        pixels = read_picture(path)  # first: the models that describe take a while to load
        described = describer()(pixels)
        try:
            recipe = dict(read_recipe(path, pixels=False).parameters)
        except SfumatoError:
            recipe = {}  # the picture was read: it can be described without one
        return path, described, recipe

    def models(self) -> list[ModelSpec | tuple[str, str]]:
        """Every model's sheet; (name, reason) of one that cannot be used."""
        sheets: list[ModelSpec | tuple[str, str]] = []
        for entry in MODELS:
            try:
                sheets.append(spec_of(entry.name))
            except SfumatoError as error:
                sheets.append((entry.name, error.one_line()))
        return sheets

    # ------------------------------------------------------------ showing

    def show(self, picture: Picture) -> bytes:
        """A picture as PNG, its longer side 1024 pixels at most.

        Raises: StorageError: its file is gone or damaged.
        """
        if picture.format == "png" and max(picture.width, picture.height) <= SHOWN_SIDE:
            try:
                return picture.path.read_bytes()
            except OSError:
                pass  # what is wrong is said below
        return _png(picture.path, SHOWN_SIDE)

    def thumbnail(self, picture: Picture) -> bytes:
        """A picture as a small PNG.

        Raises: StorageError: its file is gone or damaged.
        """
        return _png(self.library.thumbnail(picture.id), THUMBNAIL_SIDE)

    # ------------------------------------------------------------ inside

    def _keep(
        self,
        wanted: GenerationRequest | GenerationPlan,
        on_event: OnEvent | None,
        stop: threading.Event | None,
    ) -> list[Picture]:
        kept: list[Picture] = []

        def keep(image: GeneratedImage) -> None:
            kept.append(self.library.add(image))

        generate(wanted, on_event=on_event, on_image=keep, stop=stop)
        return kept

    def _check_count(self, num_images: int) -> None:
        if num_images > MAX_DRAWN:
            raise RequestError(
                f"{num_images} pictures are too many for one answer.",
                hint=f"Ask for up to {MAX_DRAWN}, several times.",
            )

    def _plan_of(self, name: str) -> GenerationPlan:
        place = self._place_of(name)
        plan = place.plan if isinstance(place, Picture) else read_recipe(place, pixels=False).plan
        if plan is None:
            raise RequestError(
                f"{name} carries no recipe of sfumato's: there is nothing to start from.",
                hint="Give a picture that sfumato drew.",
            )
        return plan

    def _path_of(self, name: str) -> Path:
        place = self._place_of(name)
        return place if isinstance(place, Path) else place.path

    def _place_of(self, name: str) -> Picture | Path:
        """A picture of the library by its id, or a file: whatever no id can look like."""
        name = check_text("The picture", name).strip()
        if name.isalnum():
            return self.library.get(self.library.resolve(name))
        try:
            path = Path(name).expanduser()
        except RuntimeError:  # the home of nobody we know
            path = Path(name)
        if not path.is_absolute():
            raise RequestError(
                f"{name!r} is neither a picture's id nor the whole path of a file.",
                hint="Give an id that draw or search told, or a path from the root on.",
            )
        return path


def _png(path: Path, longest: int) -> bytes:
    buffer = BytesIO()
    Image.fromarray(read_picture(path, longest=longest)).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
