"""``sfumato vary``: pictures near one that was drawn before."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sfumato.cli import params
from sfumato.cli.report import Reporter, Voice
from sfumato.cli.target import missing_folders, remove_empty, resolve_target
from sfumato.errors import RequestError

if TYPE_CHECKING:
    from sfumato.request import GeneratedImage

EXAMPLES = """\b
Examples:
  sfumato vary a-red-fox-7.png
  sfumato vary a-red-fox-7.png --strength strong -n 8
  sfumato vary a-red-fox-7.png --strength 0.1 --seed 3
"""


@click.command(epilog=EXAMPLES, short_help="Draw variations of a picture sfumato drew.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "-n", "--num-images", type=int, default=4, show_default=True, help="How many pictures."
)
@click.option(
    "--strength",
    default="subtle",
    show_default=True,
    metavar="subtle|strong|0..1",
    help="How far from the picture in FILE.",
)
@click.option("--seed", type=params.SEED, help="The first variation's seed; random if not given.")
@click.option(
    "-o", "--output", metavar="FILE|DIR", help="A file, or a folder (a new one ends with /)."
)
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each picture.")
def vary(
    file: Path,
    num_images: int,
    strength: str,
    seed: int | None,
    output: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Draw pictures near the one in FILE, from its recipe.

    Each variation has other proportions and starts from other noise: a quarter of the way from
    FILE's own (subtle) or three fifths (strong). Words, size, style and every other choice stay.
    """
    from sfumato.cli.session import Session
    from sfumato.files import read_recipe, save_image
    from sfumato.generate import generate
    from sfumato.plan import vary_plan

    if quiet and as_json:
        raise click.UsageError("--quiet and --json exclude each other.")
    recipe = read_recipe(file, pixels=False)
    if recipe.plan is None:
        raise RequestError(
            f"{file} carries no recipe of sfumato's: there is nothing to start from.",
            hint="Give a picture that sfumato drew and that kept its metadata.",
        )
    plan = vary_plan(recipe.plan, strength=_share(strength), num_images=num_images, seed=seed)
    made = missing_folders(output)
    target = resolve_target(output)
    voice: Voice = "quiet" if quiet else "json" if as_json else "people"
    reporter = Reporter(voice)
    with Session(num_images, show_bar=not quiet, tidy=partial(remove_empty, made)) as session:

        def keep(image: GeneratedImage) -> None:
            with session.saving():
                reporter.picture(image, save_image(image, target))

        generate(
            plan,
            on_event=session.on_event,
            on_image=keep,
            stop=session.stop,
            keep_images=False,
        )


def _share(strength: str) -> float:
    from sfumato.plan import VARIATION_STRENGTHS

    if strength in VARIATION_STRENGTHS:
        return VARIATION_STRENGTHS[strength]
    try:
        return float(strength)
    except ValueError:
        raise RequestError(
            f"The strength {strength!r} is not a number.", hint="Give subtle, strong or 0 to 1."
        ) from None
