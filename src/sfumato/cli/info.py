"""``sfumato info``: what a picture file says about how it was made."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sfumato.cli.report import print_json
from sfumato.wording import listed, plural

if TYPE_CHECKING:
    from sfumato.files import Recipe
    from sfumato.request import GenerationPlan, Part

_MAKERS = {
    "sfumato": "drawn by sfumato",
    "automatic1111": "made by AUTOMATIC1111 or a program that writes its text",
    "comfyui": "made by ComfyUI",
    "invokeai": "made by InvokeAI",
    "none": "carries no recipe",
}
_IN_LINE = 0.05  # of the canvas: middles closer than this are in one row or column


@click.command(
    short_help="Show the recipe inside a picture file.",
    epilog="""\b
Examples:
  sfumato info a-red-fox-7.png
  sfumato info from-comfyui.png --json
""",
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print everything the file says as JSON.")
def info(file: Path, as_json: bool) -> None:
    """Show the recipe inside FILE: prompt, seed, model and the rest.

    Reads png, webp, jpeg, svg, pdf and ico by sfumato, AUTOMATIC1111, ComfyUI and InvokeAI.
    """
    from sfumato.files import read_recipe

    recipe = read_recipe(file)
    if as_json:
        print_json(_as_dict(file, recipe))
        return
    size = f", {recipe.width}×{recipe.height}" if recipe.width else ""
    maker = _MAKERS.get(recipe.source, f"made by {recipe.source}")
    click.echo(f"{file}: {recipe.format}{size}, {maker}")
    for key, value in recipe.parameters.items():
        if value not in (None, ""):
            click.echo(f"  {key.replace('_', ' '):16} {printable(value)}")
    if recipe.plan is not None:
        for key, words in decisions(recipe.plan):
            click.echo(f"  {key:16} {printable(words)}")
        for note in recipe.plan.notes:
            click.echo(f"  note: {printable(note)}")
        click.echo(f"  {'pixels':16} {pixel_state(recipe)}")


def decisions(plan: GenerationPlan) -> list[tuple[str, str]]:
    """(what, in words) of the colour, the emblem and the things of a picture, as decided."""
    made = []
    if plan.tint is not None:
        made.append(("colour", _coloured(plan.tint_name, plan.tint)))
    if plan.emblem is not None:
        made.append(("emblem", f"{plan.emblem.shape}, {_coloured(None, plan.emblem.colour)}"))
    if plan.parts:
        places = _places(plan.parts)
        made += [
            ("part", _part(part, place)) for part, place in zip(plan.parts, places, strict=True)
        ]
    return made


def _part(part: Part, place: str) -> str:
    """How many of what, in which colour, and where: ``2 cats, red (#dc2f2f): left and right``."""
    copies = len(part.boxes)
    words = [f"{copies} {part.subject if copies == 1 else plural(part.subject)}"]
    if part.tint is not None:
        words.append(_coloured(part.tint_name, part.tint))
    return f"{', '.join(words)}: {place}"


def _coloured(name: str | None, code: str) -> str:
    """A colour by the name it was asked for, or else by its basic one, and its code."""
    from sfumato.colours import basic_name, rgb_of

    if name is None or name.startswith("#"):
        name = basic_name(rgb_of(code))
    return f"{name} ({code})"


def _places(parts: Sequence[Part]) -> list[str]:
    """Where the copies of each part stand among all of them: ``top left and top right``."""
    across, down = (
        _terms([(box[axis] + box[axis + 2]) / 2 for part in parts for box in part.boxes], terms)
        for axis, terms in enumerate((("left", "", "right"), ("top", "", "bottom")))
    )
    each = iter(f"{low} {side}".strip() or "middle" for low, side in zip(down, across, strict=True))
    return [listed(dict.fromkeys(islice(each, len(part.boxes)))) for part in parts]


def _terms(middles: list[float], terms: tuple[str, str, str]) -> list[str]:
    """One of three terms for each middle, by thirds of the way between the outermost two."""
    least, spread = min(middles), max(middles) - min(middles)
    if spread < _IN_LINE:
        return [terms[1]] * len(middles)
    return [terms[min(2, int((middle - least) / spread * 3))] for middle in middles]


def pixel_state(recipe: Recipe) -> str:
    """In words, whether the file still holds the pixels that were drawn."""
    if recipe.recorded_sha256 is None:
        return "their hash was not recorded"
    if recipe.pixel_sha256 is None:
        return f"drawn as {recipe.recorded_sha256[:12]}; this format holds no pixels"
    if recipe.pixel_sha256 == recipe.recorded_sha256:
        return f"{recipe.recorded_sha256[:12]}, as they were drawn"
    if recipe.format == "png":
        return f"{recipe.pixel_sha256[:12]}, changed since they were drawn"
    return f"drawn as {recipe.recorded_sha256[:12]}; this file holds a converted copy"


def printable(value: Any) -> str:
    """A value from a stranger's file as text that cannot steer the terminal."""
    return "".join(c if c.isprintable() else " " for c in str(value))


def _as_dict(file: Path, recipe: Recipe) -> dict[str, Any]:
    return {
        "path": str(file),
        "format": recipe.format,
        "width": recipe.width,
        "height": recipe.height,
        "source": recipe.source,
        "parameters": dict(recipe.parameters),
        "plan": None if recipe.plan is None else recipe.plan.to_dict(),
        "pixel_sha256": recipe.pixel_sha256,
        "recorded_sha256": recipe.recorded_sha256,
        "text": recipe.text,
    }
