"""``sfumato search``: the pictures of a folder that fit words, or look like a picture."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sfumato.cli.info import printable
from sfumato.cli.main import say_error
from sfumato.cli.options import looking_model
from sfumato.cli.reading import MOST_SAID, leave
from sfumato.cli.report import print_json
from sfumato.cli.target import make_folder
from sfumato.errors import RequestError, SfumatoError

if TYPE_CHECKING:
    from sfumato.clip.index import Hit
    from sfumato.clip.search import SearchResult

EXAMPLES = """\b
Examples:
  sfumato search "a fox with sunglasses" pictures/
  sfumato search photo.png pictures/ --limit 5
  sfumato search "a red boat" pictures/ --html boats.html
"""
_THUMBNAIL = 96  # pixels in the terminal: twenty hits should not scroll away


@click.command(epilog=EXAMPLES, short_help="Find pictures by words or by a picture.")
@click.argument("query")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--limit",
    type=click.IntRange(1, 10_000),
    default=20,
    show_default=True,
    help="How many pictures.",
)
@click.option(
    "--html",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Also write a page of thumbnails.",
)
@looking_model
@click.option(
    "--index",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Keep the index here, not in the cache folder.",
)
@click.option("--show/--no-show", default=None, help="Thumbnails in the terminal; on where it can.")
@click.option("--json", "as_json", is_flag=True, help="Print what was found and skipped as JSON.")
def search(
    query: str,
    folder: Path,
    limit: int,
    html: Path | None,
    model: str | None,
    index: Path | None,
    show: bool | None,
    as_json: bool,
) -> None:
    """Find the pictures below FOLDER that fit QUERY best: words, or a picture file to resemble.

    The first search looks at every picture and remembers it in an index; later ones look only at
    what is new or changed. Each line is a score, 1 at most, and a file. Pictures that cannot be
    read are named and left out, and the exit code is then 6; what was found is printed all the
    same.
    """
    from sfumato.clip.search import search as find

    protocol = _protocol(show, as_json)
    sheet = None if html is None else _sheet_target(html)
    like = _is_file(query)
    with _progress() as on_progress:
        found = find(
            Path(query) if like else query,
            folder,
            limit=limit,
            model=model,
            index=index,
            on_progress=on_progress,
        )
    if found.remark:
        click.echo(found.remark, err=True)
    written = None
    if sheet is not None:
        from sfumato.cli.sheet import make_sheet
        from sfumato.files.save import write_new

        written = write_new(
            make_sheet(query, found, folder=folder, place=sheet.parent, is_picture=like), sheet
        )
    names = [_as_given(hit.path, folder) for hit in found.hits]
    if as_json:
        print_json(_as_dict(query, like, names, found, written))
    else:
        _print_hits(found.hits, names, protocol)
        if written is not None:
            click.echo(str(written))
    _name_skipped(found.report.skipped, folder)
    leave(len(found.report.skipped))


def _print_hits(hits: Sequence[Hit], names: Sequence[str], protocol: Any) -> None:
    if protocol is None:
        for hit, name in zip(hits, names, strict=True):
            click.echo(f"{hit.score:6.3f}  {printable(name)}")
        return
    from sfumato.cli.preview import escape_sequence
    from sfumato.pictures import read_many

    thumbnails = read_many([hit.path for hit in hits], longest=_THUMBNAIL)
    for hit, name, (_, pixels) in zip(hits, names, thumbnails, strict=True):
        if not isinstance(pixels, SfumatoError):
            click.echo(escape_sequence(pixels, protocol))
        click.echo(f"{hit.score:6.3f}  {printable(name)}")


def _as_dict(
    query: str, like: bool, names: Sequence[str], found: SearchResult, sheet: Path | None
) -> dict[str, Any]:
    report = found.report
    return {
        "query": query,
        "kind": "picture" if like else "words",
        "hits": [
            {"path": name, "score": round(hit.score, 6)}
            for name, hit in zip(names, found.hits, strict=True)
        ],
        "pictures": report.added + report.kept + report.moved,
        "index": {
            "added": report.added,
            "kept": report.kept,
            "moved": report.moved,
            "removed": report.removed,
            "remark": found.remark,
        },
        "skipped": [{"path": str(path), "reason": reason} for path, reason in report.skipped],
        "html": None if sheet is None else str(sheet),
    }


def _name_skipped(skipped: Sequence[tuple[Path, str]], folder: Path) -> None:
    for path, reason in skipped[:MOST_SAID]:
        say_error(f"{printable(_as_given(path, folder))}: {printable(reason)}")
    if len(skipped) > MOST_SAID:
        say_error(f"{len(skipped) - MOST_SAID} more files could not be read.")


def _as_given(path: Path, folder: Path) -> str:
    """A found path, beginning as the person wrote the folder."""
    root = folder.resolve()
    return str(folder / path.relative_to(root)) if path.is_relative_to(root) else str(path)


def _is_file(query: str) -> bool:
    """Whether a query is a picture: whatever is the name of a file is one."""
    try:
        return Path(query).is_file()
    except (OSError, ValueError):  # words may be longer than a name, or hold a NUL
        return False


def _sheet_target(html: Path) -> Path:
    """The file to write, checked before any work is done.

    Raises: RequestError: it is a folder. StorageError: its folder cannot be written to.
    """
    if html.is_dir():
        raise RequestError(f"{html} is a folder.", hint="Name a file, such as found.html.")
    target = html if html.suffix else html.with_name(f"{html.name}.html")
    make_folder(target.parent)
    return target


def _protocol(show: bool | None, as_json: bool) -> Any:
    """How thumbnails are shown; None where they cannot or should not be.

    Raises: RequestError: they were asked for and cannot be shown.
    """
    from sfumato.cli.preview import terminal_protocol

    if show is False or as_json:
        return None
    protocol = terminal_protocol()
    if show and protocol is None:
        raise RequestError(
            "--show needs a terminal that can show pictures (kitty, iTerm2 or sixel).",
            hint="Leave it out, or name the protocol in SFUMATO_PREVIEW.",
        )
    return protocol


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr while pictures are looked at, where stderr is a terminal."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = TextColumn("looking"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, redirect_stdout=False) as progress:
        task = progress.add_task("", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
