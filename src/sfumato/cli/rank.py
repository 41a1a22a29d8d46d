"""``sfumato rank``: which of these pictures fits the words best, and why."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sfumato.cli.info import printable
from sfumato.cli.options import looking_model
from sfumato.cli.reading import each_picture, leave
from sfumato.cli.report import print_json
from sfumato.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sfumato.clip.rank import Ranked

EXAMPLES = """\b
Examples:
  sfumato rank "a red fox" *.png
  sfumato rank "a red fox" pictures/ --top 5
  sfumato rank "a lighthouse" *.png --json
"""


@click.command(epilog=EXAMPLES, short_help="Order pictures by how well they fit words.")
@click.argument("prompt")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--top", type=click.IntRange(1), help="Show only the best; all if not given.")
@looking_model
@click.option("--json", "as_json", is_flag=True, help="Print the order as JSON.")
def rank(
    prompt: str, files: tuple[Path, ...], top: int | None, model: str | None, as_json: bool
) -> None:
    """Order FILES by how well they fit PROMPT, best first; a folder stands for its pictures.

    A picture-text model compares the subject; an asked colour is counted on the pixels. Scores
    are shares: those of all the pictures add up to 1. A match is how likely it is that the picture
    shows the subject at all, where the model was calibrated. A file that cannot be read is named
    and left out, and the exit code says so.
    """
    from sfumato import clip
    from sfumato.ranking import LOOKED_AT, Ranking

    ranking = Ranking(prompt, clip.load(model))
    paths: list[Path] = []
    skipped: list[Path] = []
    with _counting() as count:
        for path, pixels in each_picture(files, longest=LOOKED_AT):
            count()
            if pixels is None:
                skipped.append(path)
                continue
            paths.append(path)
            ranking.add(pixels)
        ranked = ranking.result()
    if not ranked:
        raise StorageError("There is no picture to rank.", hint="Name files or a folder of them.")
    if as_json:
        print_json(
            {
                "prompt": prompt,
                "subject": ranking.query.subject,
                "colour": ranking.query.colour_term,
                "ranked": [_as_dict(number, paths, one) for number, one in _numbered(ranked, top)],
                "skipped": [str(path) for path in skipped],
            }
        )
    else:
        _print_table(paths, _numbered(ranked, top))
        if top is not None and len(ranked) > top:
            click.echo(f"… and {len(ranked) - top} more", err=True)
    leave(len(skipped))


def _numbered(ranked: list[Ranked], top: int | None) -> list[tuple[int, Ranked]]:
    return list(enumerate(ranked[:top], start=1))


def _as_dict(number: int, paths: list[Path], one: Ranked) -> dict[str, Any]:
    return {
        "rank": number,
        "path": str(paths[one.index]),
        "score": round(one.score, 6),
        "closeness": round(one.closeness, 6),
        "match": None if one.match is None else round(one.match, 4),
        "colour_share": None if one.colour_share is None else round(one.colour_share, 4),
        "why": one.why,
    }


def _print_table(paths: list[Path], rows: list[tuple[int, Ranked]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("rank", justify="right")
    table.add_column("file", overflow="fold")
    table.add_column("score", justify="right")
    is_calibrated = any(one.match is not None for _, one in rows)
    if is_calibrated:
        table.add_column("match", justify="right")
    table.add_column("why", overflow="fold")
    for number, one in rows:
        cells = [str(number), printable(paths[one.index]), f"{one.score:.0%}"]
        if is_calibrated:
            cells.append("" if one.match is None else f"{one.match:.0%}")
        table.add_row(*cells, printable(one.why))
    # a file or another program gets whole lines, whatever their length
    width = None if sys.stdout.isatty() else 10_000
    Console(highlight=False, markup=False, width=width).print(table)


@contextmanager
def _counting() -> Iterator[Callable[[], None]]:
    """A count of the pictures looked at, on stderr where that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import Progress, TextColumn, TimeElapsedColumn

    columns = TextColumn("{task.completed:,} pictures looked at"), TimeElapsedColumn()
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, redirect_stdout=False) as progress:
        task = progress.add_task("")
        yield lambda: progress.advance(task)
