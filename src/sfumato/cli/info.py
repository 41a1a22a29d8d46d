"""``sfumato info``: what a picture file says about how it was made."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sfumato.cli.report import print_json

if TYPE_CHECKING:
    from sfumato.files import Recipe

_MAKERS = {
    "sfumato": "drawn by sfumato",
    "automatic1111": "made by AUTOMATIC1111 or a program that writes its text",
    "comfyui": "made by ComfyUI",
    "invokeai": "made by InvokeAI",
    "none": "carries no recipe",
}


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
        for note in recipe.plan.notes:
            click.echo(f"  note: {printable(note)}")
        click.echo(f"  {'pixels':16} {pixel_state(recipe)}")


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
