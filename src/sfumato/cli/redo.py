"""``sfumato redo``: draw a picture again from its own file, and say whether it is the same."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sfumato.cli.report import print_json, show_seconds
from sfumato.cli.target import missing_folders, remove_empty, resolve_target
from sfumato.errors import RequestError

if TYPE_CHECKING:
    from sfumato.models import Model
    from sfumato.request import GenerationPlan


@click.command(
    short_help="Draw a picture again from its own file.",
    epilog="""\b
Examples:
  sfumato redo a-red-fox-7.png                  are the pixels the same?
  sfumato redo a-red-fox-7.png -o again.png     and keep what was drawn
""",
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    metavar="FILE|DIR|-",
    help="Save the new picture; - for stdout. Only compare if not given.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the verdict as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="Answer with the exit code alone.")
def redo(file: Path, output: str | None, as_json: bool, quiet: bool) -> None:
    """Draw FILE again from its recipe and compare the two, pixel for pixel.

    The exit code is 0 when they are identical and 1 when they are not; then it says why.
    """
    from sfumato.cli.session import Session
    from sfumato.files import encode_image, read_recipe, save_image
    from sfumato.generate import generate, load

    if output == "-" and (as_json or sys.stdout.isatty()):
        raise RequestError(
            "-o - gives stdout to the picture's bytes.",
            hint="Send them on, without --json: sfumato redo FILE -o - > picture.png",
        )
    recipe = read_recipe(file)
    if recipe.plan is None:
        made = "carries no recipe" if recipe.source == "none" else f"was made by {recipe.source}"
        raise RequestError(
            f"{file} {made}: sfumato can only draw its own pictures again.",
            hint=f"See what it says with: sfumato info {file}",
        )
    new = missing_folders(output)
    target = None if output in (None, "-") else resolve_target(output)
    with Session(1, show_bar=not quiet, tidy=partial(remove_empty, new)) as session:
        image = generate(recipe.plan, on_event=session.on_event, stop=session.stop).images[0]
    path = None if target is None else save_image(image, target)
    if output == "-":
        sys.stdout.buffer.write(encode_image(image))
        sys.stdout.buffer.flush()

    identical = image.pixel_sha256 == recipe.recorded_sha256
    reasons = find_changes(recipe.plan, load(recipe.plan.model))
    if recipe.recorded_sha256 is None:
        reasons.append("the file does not record its pixels' hash")
    elif not identical and not reasons:
        reasons.append(
            "the model and the engine are those recorded, so this processor rounds differently or "
            "the recipe was edited"
        )
    if as_json:
        print_json(
            {
                "identical": identical,
                "recorded_sha256": recipe.recorded_sha256,
                "drawn_sha256": image.pixel_sha256,
                "changes": reasons,
                "seconds": round(image.seconds, 3),
                "path": None if path is None else str(path),
            }
        )
    elif not quiet:
        say = partial(click.echo, err=output == "-")
        if identical:
            say(f"identical · {image.pixel_sha256[:12]} · {show_seconds(image.seconds)}")
        else:
            expected = (recipe.recorded_sha256 or "nothing recorded")[:16]
            say(f"not identical · expected {expected}, drew {image.pixel_sha256[:16]}")
        for reason in reasons:
            say(f"  {'although' if identical else 'because'} {reason}")
        if path is not None:
            say(str(path))
    click.get_current_context().exit(0 if identical else 1)


def find_changes(plan: GenerationPlan, model: Model) -> list[str]:
    """What differs between the engine that drew ``plan`` and the one here, as sentences' ends."""
    changes = []
    if model.spec.sha256 != plan.model_sha256:
        changes.append(
            f"the model {plan.model!r} changed: sha256 {plan.model_sha256[:12]} drew the picture, "
            f"{model.spec.sha256[:12]} is installed"
        )
    here = dict(model.fingerprint())
    for name in sorted({*plan.fingerprint, *here}):
        then, now = plan.fingerprint.get(name), here.get(name)
        if then != now:
            changes.append(f"{name} was {then or 'not recorded'} and is {now or 'not used'} now")
    return changes
