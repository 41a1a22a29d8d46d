"""``sfumato gallery``: the library of pictures, looked at and searched from a terminal.

What changes the library is in ``curate.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sfumato.cli import curate
from sfumato.cli.info import printable
from sfumato.cli.options import joined, library_options
from sfumato.cli.report import print_json
from sfumato.errors import RequestError
from sfumato.wording import counted

if TYPE_CHECKING:
    from rich.text import Text

    from sfumato.gallery import Library, Picture, Query

SHORT_ID = 8  # characters that the lists show; any command takes them for the whole
_WIDE = 100  # columns of a terminal from which the lists show the time of day


@click.group(
    short_help="Keep, find and sort pictures.",
    epilog="""\b
Examples:
  sfumato gallery import ~/Pictures/outputs    other programs' recipes come along
  sfumato gallery search red fox               words of prompts and tags, or their beginnings
  sfumato gallery search --shows "a blue car"  what pictures show, whatever their prompt said
  sfumato gallery rate 5 9f3kq2mt              by the last characters of an id
  sfumato gallery export --min-rating 4 best.zip
""",
)
@library_options
@click.pass_context
def gallery(context: click.Context, folder: Path | None, database: str | None) -> None:
    """Keep pictures in a library: find, rate, tag and collect them, and never lose one.

    Ids may be shortened to their first or last characters. Deleting means the trash, until the
    trash is emptied.
    """

    def opened() -> Library:
        from sfumato.gallery import Library

        library = context.with_resource(Library.open(folder, database=database))
        context.call_on_close(lambda: curate.back_up_changes(library))
        return library

    context.obj = opened


#: The options that choose pictures, the same for every command.
filters = joined(
    click.option("--model", help="Drawn by this model."),
    click.option(
        "--since",
        type=click.DateTime(),
        metavar="DATE",
        help="Made then or later: 2026-11-30, or with a time, 2026-11-30T18:00:00.",
    ),
    click.option("--until", type=click.DateTime(), metavar="DATE", help="Made before then."),
    click.option("--colour", "--color", "colour", help="Showing this colour."),
    click.option(
        "--defect",
        metavar="NAME",
        help="In which this check found something; or any, or none.",
    ),
    click.option("--favourite", "--favorite", "favourite", is_flag=True, help="Starred."),
    click.option("--min-rating", type=click.IntRange(0, 5), default=0, help="Rated so or better."),
    click.option("--tag", help="With this tag."),
    click.option("--collection", help="In this collection."),
    click.option("--source", help="Made by sfumato, automatic1111, comfyui, invokeai or none."),
    click.option("--trashed", is_flag=True, help="Those in the trash instead."),
)


def make_query(text: str, options: dict[str, Any]) -> Query:
    """The query that the options of ``filters`` and some words make."""
    from sfumato.gallery import Query

    same = ("model", "since", "until", "colour", "defect", "tag", "collection", "source", "trashed")
    return Query(
        text=text,
        favourite=True if options["favourite"] else None,
        min_rating=options["min_rating"],
        **{name: options[name] for name in same},
    )


@gallery.command(
    "list",
    short_help="List pictures, newest first.",
    epilog="""\b
Examples:
  sfumato gallery list --since 2026-11-01 --min-rating 4
  sfumato gallery list --colour orange --defect none
  sfumato gallery list --tag old --ids | xargs sfumato gallery trash
""",
)
@filters
@click.option(
    "--limit", type=click.IntRange(1, 500), default=20, show_default=True, help="How many."
)
@click.option("--cursor", help="The page after the one that named this cursor.")
@click.option("--ids", is_flag=True, help="Whole ids and nothing else, for scripts.")
@click.option("--json", "as_json", is_flag=True, help="Print the page and the next cursor as JSON.")
@click.pass_obj
def list_(
    opened: Callable[[], Library],
    /,
    limit: int,
    cursor: str | None,
    ids: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """List pictures, newest first."""
    library = opened()
    page = library.query(make_query("", options), limit=limit, cursor=cursor)
    if as_json:
        print_json(
            {
                "pictures": [picture.to_dict() for picture in page.pictures],
                "next_cursor": page.next_cursor,
            }
        )
        return
    _print_pictures(page.pictures, ids=ids)
    if page.next_cursor is not None:
        click.echo(f"More: --cursor {page.next_cursor}", err=True)


@gallery.command(
    short_help="Find pictures by words, or by what they show.",
    epilog="""\b
Examples:
  sfumato gallery search red fox
  sfumato gallery search --shows "a blue car" --limit 5
  sfumato gallery search --like 9f3kq2mt
""",
)
@click.argument("words", nargs=-1)
@click.option("--shows", metavar="WORDS", help="Compare with what pictures show, best first.")
@click.option("--like", metavar="ID|FILE", help="Those most like this picture, best first.")
@filters
@click.option(
    "--limit", type=click.IntRange(1, 500), default=20, show_default=True, help="How many."
)
@click.option("--ids", is_flag=True, help="Whole ids and nothing else, for scripts.")
@click.option("--json", "as_json", is_flag=True, help="Print the pictures as JSON.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
@click.pass_obj
def search(
    opened: Callable[[], Library],
    /,
    words: tuple[str, ...],
    shows: str | None,
    like: str | None,
    limit: int,
    ids: bool,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Find pictures: WORDS of prompts, tags and file names, or their beginnings.

    "Quoted words" stand in a row, -word leaves a word out (after a lone --). With --shows or
    --like the pictures themselves are compared; new ones are looked at first.
    """
    if sum(map(bool, (shows, like))) > 1 or not (words or shows or like):
        raise RequestError(
            "Say what to search for, once.", hint="Words, or --shows WORDS, or --like PICTURE."
        )
    library = opened()
    query = make_query(" ".join(words), options)
    if shows is None and like is None:
        page = library.query(query, limit=limit)
        found = [(picture, None) for picture in page.pictures]
    else:
        matches = _compare(library, query, shows, like, limit, show_bar=not (quiet or as_json))
        found = [(match.picture, match.score) for match in matches]
    if as_json:
        print_json([{**picture.to_dict(), "score": score} for picture, score in found])
    else:
        _print_pictures((picture for picture, _ in found), ids=ids)


@gallery.command(
    short_help="Show everything about one picture.",
    epilog="""\b
Examples:
  sfumato gallery show 9f3kq2mt
""",
)
@click.argument("picture", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@click.pass_obj
def show(opened: Callable[[], Library], /, picture: str, as_json: bool) -> None:
    """Show where a picture is and everything the library knows of it."""
    library = opened()
    found = library.get(library.resolve(picture))
    values = found.to_dict()
    if as_json:
        print_json(values)
        return
    for key in ("plan", "parameters", "findings"):
        values.pop(key)
    for key, value in values.items():
        if value not in (None, "", [], False):
            shown = ", ".join(map(str, value)) if isinstance(value, list) else value
            click.echo(f"{key.replace('_', ' '):16} {printable(shown)}")
    for finding in found.findings:
        click.echo(f"{finding.severity:16} {printable(finding.message)}")


@gallery.command(
    short_help="Say where the library is, and how much it holds.",
    epilog="""\b
Examples:
  sfumato gallery path
""",
)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@click.pass_obj
def path(opened: Callable[[], Library], /, as_json: bool) -> None:
    """Say where the library is, how many pictures it holds, and what labels they have."""
    library = opened()
    values = library.summary()
    labels = {kind: library.labels(kind) for kind in ("tag", "collection", "colour", "defect")}
    if as_json:
        print_json({**values, "models": library.models(), "labels": labels})
        return
    click.echo(values["folder"])
    held, size = counted(values["pictures"], "picture"), values["bytes"] / 1024**2
    click.echo(f"{held}, {values['trashed']:,} in the trash, {size:.1f} MiB")
    for kind, found in labels.items():
        if found:
            named = ", ".join(f"{printable(name)} {count}" for name, count in found.items())
            click.echo(f"{kind + 's':16} {named}")


for _command in curate.COMMANDS:
    gallery.add_command(_command)
gallery.add_command(curate.make_export(filters, make_query))


def _compare(
    library: Library,
    query: Query,
    shows: str | None,
    like: str | None,
    limit: int,
    *,
    show_bar: bool,
) -> list[Any]:
    """Matches by what pictures show."""
    from sfumato.gallery.vectors import PictureSearch

    searching = PictureSearch(library)
    with curate.bar("looking at pictures", shown=show_bar) as move:
        searching.update(move)
    if shows is not None:
        return searching.by_text(shows, query=query, limit=limit)
    assert like is not None
    file = Path(like)
    if not file.is_file():
        return searching.by_picture(library.resolve(like), query=query, limit=limit)
    from sfumato.cli.compare import load_pixels
    from sfumato.files import read_recipe

    pixels = load_pixels(file, read_recipe(file, pixels=False))
    return searching.by_pixels(pixels, query=query, limit=limit)


def _print_pictures(pictures: Iterable[Picture], *, ids: bool) -> None:
    if ids:
        for picture in pictures:
            click.echo(picture.id)
        return
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, markup=False)
    moment = "%Y-%m-%d %H:%M" if console.width >= _WIDE else "%Y-%m-%d"
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("id", no_wrap=True)  # to be copied: all others give way to it
    for heading in ("made", "size", "rating", "model", "prompt", "labels"):
        table.add_column(_line(heading))
    for picture in pictures:
        cells = (
            picture.created_at.astimezone().strftime(moment),
            f"{picture.width}×{picture.height}",
            ("♥ " if picture.favourite else "") + "★" * picture.rating,
            printable(picture.model or ""),
            printable(picture.prompt or picture.original_name or ""),
            printable(", ".join((*picture.tags, *picture.collections))),
        )
        table.add_row(picture.id[-SHORT_ID:], *map(_line, cells))
    if table.row_count:
        console.print(table)
    else:
        click.echo("No picture matches.", err=True)


def _line(words: str) -> Text:
    """Words in a cell of a table that are cut, not wrapped, where the room is narrow."""
    from rich.text import Text

    return Text(words, no_wrap=True, overflow="ellipsis")
