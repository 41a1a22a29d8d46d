"""The kinds of value that options and batch columns take, and the request they make together.

Options and columns share these types, so a cell of a CSV file means exactly what the same text
means after an option.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click
from click.shell_completion import CompletionItem

from sfumato.errors import ModelError, RequestError, SfumatoError
from sfumato.registry import (
    MODELS,
    PICTURE_TEXT_MODELS,
    SAMPLERS,
    SCHEDULERS,
    WRITERS,
    Entry,
    Registry,
)
from sfumato.request import MAX_SEED, MAX_SIDE, MIN_SIDE, GenerationRequest

if TYPE_CHECKING:
    from sfumato.selection import Rules

    _ParamType: TypeAlias = click.ParamType[Any, Any]
else:
    _ParamType = click.ParamType  # generic from click 8.5 on only

DEFAULT_LONGEST_SIDE = 1024  # what --ar alone is measured against


class SizeType(_ParamType):
    """``1024x768`` as ``(1024, 768)``; one number is a square."""

    name = "WxH"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        """Raises: click.BadParameter: not a size, or a side outside the limits."""
        if isinstance(value, tuple):
            return value
        match = re.fullmatch(r"\s*([+-]?\d+)(?:\s*[xX×*]\s*([+-]?\d+))?\s*", str(value), re.ASCII)
        if match is None:
            self.fail(f"{value!r} is not a size: write it like 1024x768.", param, ctx)
        sides = tuple(_whole(part) for part in match.groups(default=match.group(1)))
        for side in sides:
            if not MIN_SIDE <= side <= MAX_SIDE:
                self.fail(
                    f"{value!r} cannot be drawn: each side is {MIN_SIDE} to {MAX_SIDE} pixels.",
                    param,
                    ctx,
                )
        return sides[0], sides[1]


class AspectType(_ParamType):
    """``16:9`` as ``(16.0, 9.0)``."""

    name = "W:H"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, float]:
        """Raises: click.BadParameter: not two positive numbers with a colon between."""
        if isinstance(value, tuple):
            return value
        number = r"(\d{1,6}(?:\.\d{1,6})?)"
        match = re.fullmatch(rf"\s*{number}\s*[:/xX]\s*{number}\s*", str(value), re.ASCII)
        if match is None:
            self.fail(f"{value!r} is not an aspect ratio: write it like 16:9.", param, ctx)
        across, down = float(match.group(1)), float(match.group(2))
        if across == 0 or down == 0:
            self.fail(f"{value!r} has a side of zero: write it like 16:9.", param, ctx)
        return across, down


class SeedType(_ParamType):
    """A whole number from 0 to 2**32 - 1."""

    name = "INTEGER"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Raises: click.BadParameter: not a whole number in range."""
        text = str(value).strip()
        if not re.fullmatch(r"[+-]?\d+", text, re.ASCII) or not 0 <= _whole(text) <= MAX_SEED:
            self.fail(
                f"{value!r} is not a seed: give a whole number from 0 to {MAX_SEED}, "
                "or leave it out for a new picture each time.",
                param,
                ctx,
            )
        return int(text)


class DurationType(_ParamType):
    """``30``, ``1m30s`` or ``1.5h`` as seconds."""

    name = "SECONDS"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Raises: click.BadParameter: not a length of time, or none at all."""
        number = r"(\d{1,6}(?:\.\d{1,3})?)"
        pattern = rf"\s*(?:{number}h)?\s*(?:{number}m)?\s*(?:{number}s?)?\s*"
        match = re.fullmatch(pattern, str(value).lower(), re.ASCII)
        parts = () if match is None else match.groups(default="0")
        total = sum(float(part) * unit for part, unit in zip(parts, (3600, 60, 1), strict=False))
        if total == 0:
            self.fail(f"{value!r} is not a length of time: write it like 30 or 1m30s.", param, ctx)
        return total


class RegisteredName(_ParamType):
    """A name from one of the registries, third-party entries included.

    The choices are read when they are shown or checked, never at import.
    """

    name = "NAME"

    def __init__(self, registry: Registry, aliases: Mapping[str, str] | None = None) -> None:
        self._registry = registry
        self._aliases = aliases or {}

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """``[euler|heun|...]``, as click shows a choice."""
        return f"[{'|'.join(self._registry.names())}]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Raises: the registry's own error, naming the choices."""
        wanted = str(value).strip().lower()
        return self._registry.get(self._aliases.get(wanted, wanted)).name

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The names that begin with ``incomplete``, each with its summary."""
        return _completions(self._registry, incomplete)


class ModelOrCheckpoint(_ParamType):
    """A model that draws or one that looks, by its name, or a public checkpoint by its path."""

    name = "NAME|PATH"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Raises: ModelError: there is neither such a model nor such a file or folder."""
        wanted = str(value).strip()
        names = {*MODELS.names(), *PICTURE_TEXT_MODELS.names()}
        if wanted.lower() in names:
            return wanted.lower()
        with suppress(OSError):  # longer than a name can be, say
            if Path(wanted).exists():
                return wanted
        raise ModelError(
            f"There is no model called {wanted!r}.",
            hint=f"Choose one of: {', '.join(sorted(names))}; or the path of a checkpoint.",
        )

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The names that begin with ``incomplete``, each with its summary."""
        return _completions((*MODELS, *PICTURE_TEXT_MODELS), incomplete)


class StyleName(_ParamType):
    """A style of the chosen model. The model's plan checks it; here it is only completed."""

    name = "STYLE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Any text: which styles exist depends on the model, which is known later."""
        return str(value)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Styles of ``--model``, or of the default model."""
        from sfumato.models import spec_of

        try:
            styles = spec_of(ctx.params.get("model")).styles
        except SfumatoError:
            return []
        return [CompletionItem(style) for style in styles if style.startswith(incomplete)]


SIZE, ASPECT, SEED, STYLE = SizeType(), AspectType(), SeedType(), StyleName()
DURATION = DurationType()
MODEL, SAMPLER, SCHEDULER = (RegisteredName(r) for r in (MODELS, SAMPLERS, SCHEDULERS))
FORMAT = RegisteredName(WRITERS, aliases={"jpg": "jpeg"})

#: What a row of a batch may say, and how each cell is read.
COLUMNS: dict[str, _ParamType] = {
    "prompt": click.STRING,
    "negative": click.STRING,
    "num_images": click.INT,
    "seed": SEED,
    "size": SIZE,
    "ar": ASPECT,
    "steps": click.INT,
    "guidance": click.FLOAT,
    "temperature": click.FLOAT,
    "style": STYLE,
    "background": click.STRING,
    "format": FORMAT,
    "model": MODEL,
    "sampler": SAMPLER,
    "scheduler": SCHEDULER,
    "best_of": click.INT,
    "retry": click.INT,
    "budget": DURATION,
    "output": click.STRING,
}


def make_request(options: Mapping[str, Any]) -> GenerationRequest:
    """The request that options (or the cells of a row) ask for; absent or ``None`` is "you choose".

    Raises: RequestError: a value is out of range.
    """
    width, height = resolve_size(options.get("size"), options.get("ar"))
    count = options.get("num_images")
    return GenerationRequest(
        prompt=options.get("prompt") or "",
        negative_prompt=options.get("negative") or "",
        num_images=1 if count is None else count,
        seed=options.get("seed"),
        width=width,
        height=height,
        num_inference_steps=options.get("steps"),
        guidance_scale=options.get("guidance"),
        temperature=options.get("temperature"),
        style=options.get("style"),
        background=options.get("background"),
        model=options.get("model"),
        sampler=options.get("sampler"),
        scheduler=options.get("scheduler"),
        device=options.get("device") or "auto",
        threads=options.get("threads"),
    )


def make_rules(options: Mapping[str, Any]) -> Rules | None:
    """How to choose among pictures, as options (or the cells of a row) ask; None: one drawing.

    Raises: RequestError: a value is out of range, or ``ranker`` has nothing to compare.
    """
    best_of, retry, budget, ranker = (
        options.get(name) for name in ("best_of", "retry", "budget", "ranker")
    )
    unasked = chooses_unasked(options)
    if best_of is retry is budget is ranker is None and not unasked:
        return None
    from sfumato.selection import DEFAULT_SKETCHES, MAX_RETRIES, Rules

    if unasked:
        best_of = DEFAULT_SKETCHES
    if retry is None:
        retry = 0 if budget is None else MAX_RETRIES
    best_of = 1 if best_of is None else best_of
    rules = Rules(best_of=best_of, retry=retry, budget=budget, ranker=ranker)
    if rules.is_plain and ranker is not None:
        raise lone_ranker()
    return None if rules.is_plain else rules


def chooses_unasked(options: Mapping[str, Any]) -> bool:
    """Whether a picture is the best of a few sketches though nobody said so.

    That is where the seed is left to us and nothing else says how to choose.
    """
    if any(options.get(name) is not None for name in ("seed", "best_of", "retry", "budget")):
        return False
    from sfumato.selection import DEFAULT_SKETCHES

    return DEFAULT_SKETCHES > 1


def lone_ranker() -> RequestError:
    """A model that compares was named, but nothing is to be compared."""
    return RequestError(
        "--ranker compares pictures, and there is only one.",
        hint="Give --best-of or --retry with it.",
    )


def resolve_size(
    size: tuple[int, int] | None, aspect: tuple[float, float] | None
) -> tuple[int | None, int | None]:
    """Width and height in pixels: ``size`` as it is, or its longest side shaped to ``aspect``.

    Raises: RequestError: the shape is so thin that its short side could not be drawn.
    """
    if aspect is None:
        return size if size is not None else (None, None)
    longest = max(size) if size is not None else DEFAULT_LONGEST_SIDE
    scale = longest / max(aspect)
    width, height = (max(1, round(part * scale)) for part in aspect)
    if min(width, height) < MIN_SIDE:
        raise RequestError(
            f"The aspect ratio {aspect[0]:g}:{aspect[1]:g} makes a picture of {width}×{height}.",
            hint=f"Each side needs at least {MIN_SIDE} pixels.",
        )
    return width, height


def format_of(path: Path) -> str:
    """The registered format that a file's suffix belongs to.

    Raises: RequestError: none does.
    """
    suffix = path.suffix.lower().removeprefix(".")
    for entry in WRITERS:
        if suffix in (entry.name, entry.details.get("extension")):
            return entry.name
    return WRITERS.get(suffix).name


def _completions(entries: Iterable[Entry], incomplete: str) -> list[CompletionItem]:
    return [
        CompletionItem(entry.name, help=entry.summary)
        for entry in entries
        if entry.name.startswith(incomplete)
    ]


def _whole(text: str) -> int:
    """``int(text)``, or a number out of every range where Python refuses so many digits."""
    return int(text) if len(text) < 20 else (-(10**20) if text.startswith("-") else 10**20)
