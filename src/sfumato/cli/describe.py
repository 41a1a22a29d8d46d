"""``sfumato describe``: a picture back into prompts."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sfumato.cli.info import printable
from sfumato.cli.reading import each_picture, leave, print_object

if TYPE_CHECKING:
    from sfumato.clip.describe import Description

EXAMPLES = """\b
Examples:
  sfumato describe fox.png
  sfumato describe photo.png --model ./blip-base
  sfumato describe *.png --json
"""


@click.command(epilog=EXAMPLES, short_help="Write four prompts for something like a picture.")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--model", metavar="NAME|PATH", help="A model that compares, or that writes captions."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each picture.")
def describe(files: tuple[Path, ...], model: str | None, as_json: bool) -> None:
    """Write four prompts for something like each of FILES, from full to terse.

    The subject is the nearest of the names sfumato knows; colours, ground, count and outline are
    measured. A captioning model on disk (BLIP class, with the torch extra) writes its own words.
    """
    from sfumato.clip.captions import describer

    look = describer(model)
    skipped = 0
    for path, pixels in each_picture(files):
        if pixels is None:
            skipped += 1
        elif as_json:
            print_object({"path": str(path), **asdict(look(pixels))})
        else:
            _print(path, look(pixels), alone=len(files) == 1)
    leave(skipped)


def _print(path: Path, found: Description, *, alone: bool) -> None:
    if not alone:
        click.echo(f"{printable(path)}:")
    for number, prompt in enumerate(found.prompts, start=1):
        click.echo(f"  {number}  {printable(prompt)}")
    if found.subjects:
        names = (f"{subject.name} {subject.probability:.0%}" for subject in found.subjects)
        click.echo(f"  looks like: {printable(' · '.join(names))}")
