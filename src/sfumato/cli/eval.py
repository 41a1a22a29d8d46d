"""``sfumato eval``: what can be measured about a model, and measuring it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sfumato.cli import params
from sfumato.cli.report import print_json
from sfumato.errors import RequestError

if TYPE_CHECKING:
    from sfumato.evals.iconeval.painters import Painter

_BASELINES = ("retrieval", "oracle")


@click.group(
    name="eval",
    short_help="Measure how well a model draws what was asked.",
    epilog="""\b
Examples:
  sfumato eval iconeval --limit 5            a first impression, a minute
  sfumato eval iconeval --out runs/chiaro    everything, kept and resumable
""",
)
def evaluate() -> None:
    """Measure a model, with judges that it was not trained on."""


@evaluate.command(
    short_help="GenEval's six tasks for flat art.",
    epilog="""\b
Examples:
  sfumato eval iconeval --model chiaro --limit 5
  sfumato eval iconeval --tasks single,colours --seeds 1 --json
  sfumato eval iconeval --baseline oracle --data data/curated
""",
)
@click.option("--model", type=params.MODEL, default=None, help="The model.  [default: chiaro]")
@click.option(
    "--baseline",
    type=click.Choice(_BASELINES),
    help="Instead of a model: the nearest training picture, or the scene laid out of real icons.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="For --baseline: the folder of icons (sfumato train data icons).",
)
@click.option("--tasks", metavar="A,B", help="Only these tasks, separated by commas.")
@click.option("--limit", type=click.IntRange(min=1), help="Only the first N prompts of each task.")
@click.option(
    "--seeds",
    type=click.IntRange(1, 4),
    default=4,
    show_default=True,
    help="Pictures of each prompt.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep pictures and verdicts here; run again to continue.",
)
@click.option("--json", "as_json", is_flag=True, help="Every figure as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="No progress bar.")
def iconeval(
    model: str | None,
    baseline: str | None,
    data: Path | None,
    tasks: str | None,
    limit: int | None,
    seeds: int,
    out: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Does it draw what was asked? 553 prompts in six tasks, four pictures of each.

    One subject, two subjects, counting, colours, position, and the colours of two. A judge that
    learned from icons which no model of sfumato was trained on names what it finds. How good that
    judge is on scenes of real icons is printed beside every score. The figures are not on the scale
    of published GenEval scores.
    """
    from sfumato.evals.iconeval.run import evaluate as run_all
    from sfumato.evals.iconeval.run import report, select_prompts

    names = [name.strip() for name in tasks.split(",") if name.strip()] if tasks else []
    prompts = select_prompts(names, limit)
    painter = _painter(model, baseline, data)
    with _bar(len(prompts) * seeds, shown=not quiet) as on_picture:
        judged = run_all(painter, prompts, seeds=seeds, out=out, on_picture=on_picture)
    figures = report(painter, judged, seeds)
    if as_json:
        print_json(figures)
    else:
        _print_figures(figures)


def _painter(model: str | None, baseline: str | None, data: Path | None) -> Painter:
    from sfumato.evals.iconeval.painters import BASELINES, ModelPainter

    if baseline is None:
        if data is not None:
            raise RequestError("--data goes with --baseline.", hint="Leave it out for a model.")
        return ModelPainter(model or "chiaro")
    if model is not None:
        raise RequestError(
            "--model and --baseline were both given.", hint="Measure one, then the other."
        )
    if data is None:
        raise RequestError(
            f"The baseline {baseline} needs icons.",
            hint="Give --data DIR; build the folder with: sfumato train data icons --out DIR",
        )
    return BASELINES[baseline](data)


@contextmanager
def _bar(total: int, *, shown: bool) -> Iterator[Callable[[int, int], None] | None]:
    if not shown or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = ("drawing and judging", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, redirect_stdout=False) as progress:
        task = progress.add_task("", total=total)
        yield lambda done, _: progress.update(task, completed=done)


def _print_figures(figures: dict[str, Any]) -> None:
    """A table: each task beside what real icons and pure luck score."""
    from rich.console import Console
    from rich.table import Table

    who = figures.get("model") or figures["baseline"]
    console = Console(highlight=False, markup=False)
    part = "" if figures["is_whole"] else " (a part of the prompts)"
    console.print(f"iconeval · {who} · {figures['pictures']} pictures{part}")
    table = Table(box=None, header_style="bold", pad_edge=False)
    headings = ("task", "right", "95 %", "prompts", "seen", "unseen", "real icons", "luck")
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "task" else "right")
    ceilings = figures["judge"]["foreign_packs"].values()
    for task, own in figures["tasks"].items():
        real = sum(one["tasks"][task]["value"] for one in ceilings) / len(ceilings)
        table.add_row(
            task,
            f"{own['value']:.0%}",
            f"{own['low']:.0%} to {own['high']:.0%}",
            str(own["prompts"]),
            _share(own["seen"]),
            _share(own["unseen"]),
            f"{real:.0%}",
            f"{own['floor']:.1%}",
        )
    score = figures["score"]
    real = sum(one["score"]["value"] for one in ceilings) / len(ceilings)
    table.add_row(
        "mean of the tasks",
        f"{score['value']:.0%}",
        f"{score['low']:.0%} to {score['high']:.0%}",
        *("", "", ""),
        f"{real:.0%}" if len(figures["tasks"]) == 6 else "",
        f"{figures['floor']:.1%}",
    )
    console.print(table)
    console.print(
        "real icons: what the judge says of scenes laid out of real icons of four other packs; "
        "luck: the same pictures against other prompts; seen: chiaro was trained on such a picture."
    )
    console.print(figures["note"])


def _share(part: dict[str, Any] | None) -> str:
    return "" if part is None else f"{part['value']:.0%}"
