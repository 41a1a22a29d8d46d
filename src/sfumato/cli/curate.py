"""The commands of ``sfumato gallery`` that change the library, and those that move files."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from sfumato.cli.report import print_json
from sfumato.errors import RequestError, StorageError
from sfumato.wording import counted, listed

if TYPE_CHECKING:
    from sfumato.gallery import Library

_KEPT = (".png", ".webp", ".jpg", ".jpeg", ".jpe", ".jfif")  # of formats that a library holds
_IDS = click.argument("pictures", metavar="ID...", nargs=-1, required=True)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
_QUIET = click.option("--quiet", is_flag=True, help="Print nothing but errors.")


@click.command(
    short_help="Star pictures.",
    epilog="""\b
Examples:
  sfumato gallery favourite 9f3kq2mt
  sfumato gallery favourite --remove 9f3kq2mt
""",
)
@_IDS
@click.option("--remove", is_flag=True, help="Take the star away.")
@_JSON
@click.pass_obj
def favourite(
    opened: Callable[[], Library], /, pictures: tuple[str, ...], remove: bool, as_json: bool
) -> None:
    """Star pictures, so that list --favourite finds them."""
    _mark(opened(), pictures, as_json, favourite=not remove)


@click.command(
    short_help="Rate pictures from 0 to 5.",
    epilog="""\b
Examples:
  sfumato gallery rate 5 9f3kq2mt
""",
)
@click.argument("rating", type=click.IntRange(0, 5), metavar="0-5")
@_IDS
@_JSON
@click.pass_obj
def rate(
    opened: Callable[[], Library], /, rating: int, pictures: tuple[str, ...], as_json: bool
) -> None:
    """Rate pictures; 0 takes the rating away."""
    _mark(opened(), pictures, as_json, rating=rating)


@click.command(
    short_help="Tag pictures.",
    epilog="""\b
Examples:
  sfumato gallery tag logo 9f3kq2mt x7d0m4ne
  sfumato gallery tag logo --remove 9f3kq2mt
""",
)
@click.argument("name", metavar="TAG")
@_IDS
@click.option("--remove", is_flag=True, help="Take the tag away.")
@_JSON
@click.pass_obj
def tag(
    opened: Callable[[], Library],
    /,
    name: str,
    pictures: tuple[str, ...],
    remove: bool,
    as_json: bool,
) -> None:
    """Give pictures a tag; search finds it like a word of the prompt."""
    _mark(opened(), pictures, as_json, **{"remove_tags" if remove else "add_tags": (name,)})


@click.command(
    short_help="Put pictures into a collection.",
    epilog="""\b
Examples:
  sfumato gallery collection "for the website" 9f3kq2mt
""",
)
@click.argument("name", metavar="COLLECTION")
@_IDS
@click.option("--remove", is_flag=True, help="Take them out of it.")
@_JSON
@click.pass_obj
def collection(
    opened: Callable[[], Library],
    /,
    name: str,
    pictures: tuple[str, ...],
    remove: bool,
    as_json: bool,
) -> None:
    """Put pictures into a collection; it exists as long as it holds one."""
    _mark(opened(), pictures, as_json, **{"remove_from" if remove else "add_to": (name,)})


@click.command(
    short_help="Move pictures to the trash.",
    epilog="""\b
Examples:
  sfumato gallery trash 9f3kq2mt
""",
)
@_IDS
@_JSON
@click.pass_obj
def trash(opened: Callable[[], Library], /, pictures: tuple[str, ...], as_json: bool) -> None:
    """Move pictures to the trash; restore brings them back."""
    library = opened()
    _say(library.trash(_resolved(library, pictures)), "moved to the trash", as_json)


@click.command(
    short_help="Take pictures out of the trash.",
    epilog="""\b
Examples:
  sfumato gallery restore 9f3kq2mt
""",
)
@_IDS
@_JSON
@click.pass_obj
def restore(opened: Callable[[], Library], /, pictures: tuple[str, ...], as_json: bool) -> None:
    """Take pictures out of the trash."""
    library = opened()
    _say(library.restore(_resolved(library, pictures)), "restored", as_json)


@click.command(
    short_help="Delete what is in the trash for good.",
    epilog="""\b
Examples:
  sfumato gallery purge
  sfumato gallery purge 9f3kq2mt --yes
""",
)
@click.argument("pictures", metavar="[ID]...", nargs=-1)
@click.option("--yes", is_flag=True, help="Do not ask.")
@_JSON
@click.pass_obj
def purge(
    opened: Callable[[], Library], /, pictures: tuple[str, ...], yes: bool, as_json: bool
) -> None:
    """Delete pictures in the trash for good: those named, or all of them."""
    from sfumato.gallery import Query

    library = opened()
    chosen = _resolved(library, pictures) if pictures else None
    count = len(chosen) if chosen is not None else library.count(Query(trashed=True))
    if count and not yes:
        if not sys.stdin.isatty():
            raise RequestError(
                f"{counted(count, 'picture')} would be deleted for good.",
                hint="Add --yes to do it.",
            )
        click.confirm(f"Delete {counted(count, 'picture')} for good?", abort=True, err=True)
    _say(library.purge(chosen), "deleted for good", as_json)


@click.command(
    "import",
    short_help="Copy pictures and folders of pictures into the library.",
    epilog="""\b
Examples:
  sfumato gallery import ~/Pictures/outputs
  sfumato gallery import fox.png owl.png --tag animal
""",
)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--tag", "tags", multiple=True, help="Give each this tag; may be repeated.")
@click.option("--collection", "collections", multiple=True, help="Put each into this collection.")
@_JSON
@_QUIET
@click.pass_obj
def import_(
    opened: Callable[[], Library],
    /,
    paths: tuple[Path, ...],
    tags: tuple[str, ...],
    collections: tuple[str, ...],
    as_json: bool,
    quiet: bool,
) -> None:
    """Copy pictures (png, webp, jpeg) into the library, with the recipes they carry.

    Folders are searched through; pictures of other kinds in them are passed over, and counted.
    Files stay where they are; one whose very bytes the library holds is not copied again, so an
    interrupted import can simply be run again.
    """
    failed: list[dict[str, str]] = []
    passed_over: Counter[str] = Counter()
    files = _files(paths, failed, passed_over)
    library = opened()
    new: list[str] = []
    known: list[str] = []
    with bar("importing", shown=not (quiet or as_json)) as move:
        for number, file in enumerate(files, start=1):
            try:
                picture, is_new = library.import_file(file, tags=tags, collections=collections)
            except (RequestError, StorageError) as error:
                if error.code in ("disk_full", "library_missing", "corrupt"):
                    raise  # every further file would fail the same
                failed.append({"path": str(file), "error": error.one_line()})
            else:
                (new if is_new else known).append(picture.id)
            move(number, len(files))
    if as_json:
        print_json(
            {"imported": new, "known": known, "failed": failed, "passed_over": dict(passed_over)}
        )
    elif not quiet:
        click.echo(f"{counted(len(new), 'picture')} imported, {len(known)} known before.")
        if passed_over:
            click.echo(_say_passed_over(passed_over))
    if failed and not as_json:
        for failure in failed:
            click.echo(failure["error"], err=True)
    if failed:
        click.get_current_context().exit(StorageError.exit_code)


@click.command(
    short_help="Check every file, mend what can be mended.",
    epilog="""\b
Examples:
  sfumato gallery heal
""",
)
@_JSON
@_QUIET
@click.pass_obj
def heal(opened: Callable[[], Library], /, as_json: bool, quiet: bool) -> None:
    """Check the database and every file against one another, and mend what can be.

    A damaged database is set aside and begun anew from its newest sound copy and the pictures' own
    files. Pictures whose file is gone stay listed: the file may come back. The exit code is 6 when
    something is lost.
    """
    library = opened()
    healed = library.healed or library.heal()  # what was mended as it was opened is mended
    if as_json:
        print_json(
            {
                "checked": healed.checked,
                "added": healed.added,
                "missing": healed.missing,
                "damaged": healed.damaged,
                "set_aside": None if healed.set_aside is None else str(healed.set_aside),
                "restored": None if healed.restored is None else str(healed.restored),
                "rescued": healed.rescued,
            }
        )
    elif not quiet:
        click.echo(f"{counted(healed.checked, 'picture')} checked, {len(healed.added)} added.")
        if healed.set_aside is not None:
            click.echo(f"A damaged database lies in {healed.set_aside}.")
        if healed.restored is not None:
            click.echo(f"What files do not say comes from its copy {healed.restored}.")
    if not as_json:
        for identity in healed.missing:
            click.echo(f"missing: {identity}", err=True)
        for name in healed.damaged:
            click.echo(f"damaged: {name}", err=True)
    if not healed.whole:
        click.get_current_context().exit(StorageError.exit_code)


def back_up_changes(library: Library) -> None:
    """After stars, tags and the like were changed, copy the database, once an hour at most."""
    if library.changes:
        from sfumato.gallery.backup import back_up

        with suppress(StorageError):  # what was asked for is done; the next change tries again
            back_up(library, min_seconds=3600)


COMMANDS = (favourite, rate, tag, collection, trash, restore, purge, import_, heal)


def make_export(
    filters: Callable[[Callable[..., None]], Callable[..., None]],
    make_query: Callable[[str, dict[str, Any]], Any],
) -> click.Command:
    """The command ``export``, with the options that choose pictures."""

    @click.command(
        short_help="Write pictures and a manifest to a zip file.",
        epilog="""\b
Examples:
  sfumato gallery export --min-rating 4 best.zip
  sfumato gallery export two.zip 9f3kq2mt x7d0m4ne
""",
    )
    @click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
    @click.argument("pictures", metavar="[ID]...", nargs=-1)
    @filters
    @_JSON
    @_QUIET
    @click.pass_obj
    def export(
        opened: Callable[[], Library],
        /,
        file: Path,
        pictures: tuple[str, ...],
        as_json: bool,
        quiet: bool,
        **options: Any,
    ) -> None:
        """Write pictures and a manifest to a zip file: those named, or all that match.

        The pictures keep their recipes inside; importing them elsewhere brings everything back
        but stars, ratings and labels, which are in the manifest.
        """
        source = click.get_current_context().get_parameter_source
        narrowed = [name for name in options if source(name) is not ParameterSource.DEFAULT]
        if pictures and narrowed:
            raise RequestError(
                f"Pictures are named, and --{narrowed[0].replace('_', '-')} chooses others.",
                hint="Name pictures, or say which ones, not both.",
            )
        library = opened()
        chosen = _resolved(library, pictures) if pictures else None
        with bar("exporting", shown=not (quiet or as_json)) as move:
            written = library.export(
                file, make_query("", options), identities=chosen, on_progress=move
            )
        if as_json:
            print_json({"path": str(written), "bytes": written.stat().st_size})
        elif not quiet:
            click.echo(str(written))

    return export


@contextmanager
def bar(words: str, *, shown: bool) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on stderr, where that is a terminal; gives ``move(done, total)``."""
    if not shown or not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(
        console=Console(stderr=True), transient=True, redirect_stdout=False, redirect_stderr=False
    ) as progress:
        task = progress.add_task(words, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def _mark(library: Library, pictures: tuple[str, ...], as_json: bool, **changes: Any) -> None:
    _say(library.mark(_resolved(library, pictures), **changes), "changed", as_json)


def _resolved(library: Library, pictures: tuple[str, ...]) -> list[str]:
    return [library.resolve(picture) for picture in pictures]


def _say(count: int, done: str, as_json: bool) -> None:
    if as_json:
        print_json({"pictures": count})
    else:
        click.echo(f"{counted(count, 'picture')} {done}.")


def _say_passed_over(kinds: Counter[str]) -> str:
    number, named = kinds.total(), listed(sorted(kinds))
    return f"{counted(number, 'file')} passed over ({named}): a library holds png, webp and jpeg."


def _files(
    paths: tuple[Path, ...], failed: list[dict[str, str]], passed_over: Counter[str]
) -> list[Path]:
    """Every picture file below the paths, in order; inner folders that cannot be read ``failed``.

    Pictures of kinds that a library does not hold are counted in ``passed_over``, unless they were
    named themselves.

    Raises: StorageError: a path is not there, or a folder that was named cannot be read.
    """
    from sfumato.folders import find_pictures

    def skip(folder: Path, error: StorageError) -> None:
        failed.append({"path": str(folder), "error": error.one_line()})

    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = find_pictures(path, on_error=skip)
            for file in inside:
                if file.suffix.lower() in _KEPT:
                    found.append(file)
                else:
                    passed_over[file.suffix[1:].lower()] += 1
        elif path.exists():
            found.append(path)
        else:
            raise StorageError(f"{path} does not exist.", hint="Check the name.")
    return found
