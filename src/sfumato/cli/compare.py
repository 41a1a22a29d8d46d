"""``sfumato compare``: how two pictures differ, in pixels and in their recipes."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sfumato.cli.info import printable
from sfumato.cli.report import print_json
from sfumato.cli.target import resolve_target
from sfumato.errors import RequestError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sfumato.files import Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """How far two pictures of one size are apart, as they look on white, 0 to 255 a channel."""

    max: int
    mean: float
    psnr: float | None  # decibels; None where nothing differs
    share: float  # of the pixels that differ at all


@click.command(
    short_help="Compare two pictures and their recipes.",
    epilog="""\b
Examples:
  sfumato compare a-red-fox-7.png a-red-fox-8.png
  sfumato compare before.png after.png --out difference.png
""",
)
@click.argument("first", type=click.Path(path_type=Path))
@click.argument("second", type=click.Path(path_type=Path))
@click.option("--out", metavar="FILE", help="Save a picture of the differences (png).")
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON.")
def compare(first: Path, second: Path, out: str | None, as_json: bool) -> None:
    """Compare two pictures: their pixels, and what their recipes say differently.

    The exit code is 0 when the pixels are identical and 1 when they are not.
    """
    import numpy as np

    from sfumato.files import read_recipe

    # the pixels are decoded below, once
    recipes = read_recipe(first, pixels=False), read_recipe(second, pixels=False)
    one, other = load_pixels(first, recipes[0]), load_pixels(second, recipes[1])
    sizes = [f"{pixels.shape[1]}×{pixels.shape[0]}" for pixels in (one, other)]
    comparable = sizes[0] == sizes[1]
    if out is not None and not comparable:
        raise RequestError(
            f"The pictures are {sizes[0]} and {sizes[1]}: their difference cannot be drawn.",
            hint="Compare pictures of one size, or do without --out.",
        )
    identical = comparable and bool(np.array_equal(one, other))
    difference = measure(one, other) if comparable else None
    changes = recipe_changes(*recipes)
    path = None
    if out is not None:
        from sfumato.files.save import write_new

        path = write_new(difference_picture(one, other), resolve_target(out, "png"))
    if as_json:
        print_json(
            {
                "identical": identical,
                "sizes": sizes,
                "difference": None if difference is None else asdict(difference),
                "recipe": {key: list(values) for key, values in changes.items()},
                "path": None if path is None else str(path),
            }
        )
    else:
        click.echo(_verdict(identical, sizes, difference))
        if {recipe.source for recipe in recipes} == {"none"}:
            click.echo("Neither carries a recipe.")
        else:
            _print_changes(changes)
        if path is not None:
            click.echo(str(path))
    click.get_current_context().exit(0 if identical else 1)


def load_pixels(path: Path, recipe: Recipe) -> NDArray[np.uint8]:
    """(H, W, 4) uint8 pixels of a file whose recipe was read.

    Raises:
        RequestError: the format has no pixels to compare.
        StorageError: the file is damaged, larger than the limits, or cannot be rendered.
    """
    from sfumato.pictures import read_picture

    if recipe.format == "pdf":
        raise RequestError(f"{path} is a PDF.", hint="Compare png, webp, jpeg, ico or svg files.")
    side = None
    if recipe.format == "svg" and recipe.width and recipe.height:
        side = max(recipe.width, recipe.height)  # as large as it was drawn
    return read_picture(path, longest=side, smallest_drawing=1)


def measure(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> Difference:
    """The difference between two (H, W, 4) uint8 pictures of one size."""
    import numpy as np

    apart = np.abs(_on_white(first) - _on_white(second))  # (H, W, 3) float32, 0..255
    squared = float(np.mean(np.square(apart), dtype=np.float64))
    return Difference(
        max=round(float(apart.max())),
        mean=round(float(np.mean(apart, dtype=np.float64)), 4),
        psnr=None if squared == 0 else round(10 * math.log10(255**2 / squared), 2),
        share=round(float((first != second).any(axis=2).mean()), 6),
    )


def difference_picture(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> bytes:
    """A PNG, black where the pictures agree, brightest where they differ most."""
    import numpy as np
    from PIL import Image

    apart = np.abs(_on_white(first) - _on_white(second))
    bright = apart * (255.0 / max(float(apart.max()), 1.0))
    buffer = BytesIO()
    Image.fromarray(bright.round().astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def recipe_changes(first: Recipe, second: Recipe) -> dict[str, tuple[Any, Any]]:
    """Every field of the recipes that differs, with both values; None where one lacks it."""
    if first.plan is not None and second.plan is not None:
        one, other = first.plan.to_dict(), second.plan.to_dict()
    else:
        one, other = dict(first.parameters), dict(second.parameters)
    keys = [*one, *(key for key in other if key not in one)]
    return {key: (one.get(key), other.get(key)) for key in keys if one.get(key) != other.get(key)}


def _on_white(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(H, W, 3) float32, 0 to 255, so that colours under full transparency do not count."""
    import numpy as np

    alpha = pixels[..., 3:].astype(np.float32) / np.float32(255)
    blended: NDArray[np.float32] = pixels[..., :3] * alpha + np.float32(255) * (1 - alpha)
    return blended


def _verdict(identical: bool, sizes: list[str], difference: Difference | None) -> str:
    if identical:
        return f"identical · {sizes[0]}"
    if difference is None:
        return f"not identical · sizes differ: {sizes[0]} and {sizes[1]}"
    if difference.psnr is None:
        return f"not identical · {sizes[0]} · they look the same: only invisible pixels differ"
    return (
        f"not identical · {sizes[0]} · {difference.share:.1%} of the pixels differ · "
        f"largest difference {difference.max} of 255, mean {difference.mean:g} · "
        f"PSNR {difference.psnr:g} dB"
    )


def _print_changes(changes: dict[str, tuple[Any, Any]]) -> None:
    if not changes:
        click.echo("The recipes say the same.")
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("recipe", "first", "second"):
        table.add_column(heading, overflow="fold")
    for key, values in changes.items():
        table.add_row(key, *map(_cell, values))
    Console(highlight=False, markup=False).print(table)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dict):
        value = (f"{key} {entry}" for key, entry in value.items())
    return printable(value if isinstance(value, (str, int, float)) else ", ".join(map(str, value)))
