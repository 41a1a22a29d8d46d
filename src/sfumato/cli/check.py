"""``sfumato check``: what is wrong with pictures, for people, for programs and for CI."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sfumato.cli.info import printable
from sfumato.cli.main import say_error
from sfumato.cli.reading import MOST_SAID, expanded, print_object
from sfumato.cli.target import make_folder
from sfumato.errors import RequestError, StorageError
from sfumato.wording import counted

if TYPE_CHECKING:
    from sfumato.inspection import Inspected

LEVELS = ("note", "warning", "error")
FOUND = 1  # exit code: something at or above --fail-on

_NEEDS = {"plan": "a recipe", "prompt": "a recipe or --prompt", "batch": "several pictures"}

EXAMPLES = """\b
Examples:
  sfumato check logo.png
  sfumato check icons/ --fail-on error
  sfumato check fox.png --prompt "a red fox" --json
  sfumato check icons/ --only blur,halo --overlay found/
\b
Exit codes: 0 all is well, 1 something at or above --fail-on was found, 2 a check named with --only
had nothing to hold a picture against, 6 some files could not be read (whatever was found in the
others).
"""


@click.command(epilog=EXAMPLES, short_help="Say what is wrong with pictures.")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--prompt", metavar="TEXT", help="What they should show, where no recipe says it.")
@click.option("--only", metavar="NAMES", help="Run these checks alone, separated by commas.")
@click.option("--skip", metavar="NAMES", help="Leave these checks out, separated by commas.")
@click.option(
    "--fail-on",
    type=click.Choice((*LEVELS, "never")),
    default="warning",
    show_default=True,
    help="Exit with 1 when something this bad, or worse, is found.",
)
@click.option("--overlay", metavar="DIR", help="Save copies here with what was found painted on.")
@click.option("--list", "list_", is_flag=True, help="Only list every check and what it needs.")
@click.option("-q", "--quiet", is_flag=True, help="Name only the pictures that fail.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each picture.")
def check(
    files: tuple[Path, ...],
    prompt: str | None,
    only: str | None,
    skip: str | None,
    fail_on: str,
    overlay: str | None,
    list_: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Say what is wrong with FILES: pictures of any origin, and folders of them.

    Files that sfumato drew are held against the recipe inside them; others against --prompt,
    where it is given. Files that cannot be read are named and skipped.
    """
    if list_:
        _print_checks(as_json)
        return
    if quiet and as_json:
        raise click.UsageError("--quiet and --json exclude each other.")
    if not files:
        raise click.UsageError("Name pictures or folders, or give --list.")
    from sfumato.inspection import check_files, chosen_checks, unchecked

    asked = _names(only)
    names = chosen_checks(asked, _names(skip))
    meant = names if asked and names is not None else ()
    folder = None if overlay is None else make_folder(Path(overlay))
    counts: Counter[str] = Counter()
    for found in check_files(expanded(files), prompt=prompt, checks=names):
        painted = None if folder is None else _paint(found, folder)
        left_out = {} if found.look is None else unchecked(found.look, meant)
        counts[_verdict(found, fail_on)] += 1
        counts["unchecked"] += bool(left_out)
        if as_json:
            print_object(describe(found, painted, left_out))
        else:
            _say(found, painted, left_out, counts["unread"], quiet, fail_on)
    _end(counts, quiet or as_json)


def describe(
    found: Inspected, painted: Path | None, left_out: dict[str, str] | None = None
) -> dict[str, Any]:
    """One picture and everything found in it as plain JSON types.

    ``left_out``: the named checks that could not run, each with the reason.
    """
    if found.look is None:
        assert found.error is not None
        return {"path": str(found.path), "error": found.error.one_line()}
    return {
        "path": str(found.path),
        "width": found.look.width,
        "height": found.look.height,
        "format": found.format,
        "recipe": found.look.plan is not None,
        "prompt": None if found.look.asked is None else found.look.asked.prompt,
        "findings": [asdict(finding) for finding in found.findings],
        "not_checked": left_out or {},
        "overlay": None if painted is None else str(painted),
    }


def _verdict(found: Inspected, fail_on: str) -> str:
    """ "unread", "failed" or "passed"."""
    if found.error is not None:
        return "unread"
    if fail_on == "never":
        return "passed"
    worst = max((LEVELS.index(finding.severity) for finding in found.findings), default=-1)
    return "failed" if worst >= LEVELS.index(fail_on) else "passed"


def _say(
    found: Inspected,
    painted: Path | None,
    left_out: dict[str, str],
    unread: int,
    quiet: bool,
    fail_on: str,
) -> None:
    if found.error is not None:
        if unread <= MOST_SAID:
            say_error(found.error.one_line())
        return
    if quiet and _verdict(found, fail_on) == "passed" and not left_out:
        return
    name = printable(str(found.path))
    click.echo(name if found.findings or left_out else f"{name}: nothing found")
    for check_, why in left_out.items():
        click.echo(f"  not checked: {check_} {why}")
    for finding in found.findings:
        click.echo(f"  {finding.severity}: {finding.message} [{finding.check}]")
    if painted is not None:
        click.echo(f"  painted: {printable(str(painted))}")


def _end(counts: Counter[str], silent: bool) -> None:
    """The last line, and the exit code."""
    if counts["unread"] > MOST_SAID and not silent:
        say_error(f"{counts['unread'] - MOST_SAID} more files could not be read.")
    total = counts["passed"] + counts["failed"]
    if not silent and total + counts["unread"] != 1:
        parts = [f"{counted(total, 'picture')} checked", f"{counts['failed']} failed"]
        parts += [f"{counts['unchecked']} not for all"] if counts["unchecked"] else []
        parts += [f"{counts['unread']} unreadable"] if counts["unread"] else []
        click.echo(" · ".join(parts))
    context = click.get_current_context()
    if counts["unread"]:
        context.exit(StorageError.exit_code)
    if counts["failed"]:
        context.exit(FOUND)
    if counts["unchecked"]:
        context.exit(RequestError.exit_code)


def _paint(found: Inspected, folder: Path) -> Path | None:
    """A copy with what was found painted on it; None where there is nothing to paint."""
    if found.look is None or not found.findings:
        return None
    from sfumato.checks.overlay import paint_findings
    from sfumato.files.save import write_new

    buffer = BytesIO()
    title = printable(found.path.name)
    paint_findings(found.look.pixels, found.findings, title).save(buffer, "PNG", optimize=True)
    return write_new(buffer.getvalue(), folder / f"{found.path.stem}-checked.png")


def _print_checks(as_json: bool) -> None:
    from sfumato.checks import why_skipped
    from sfumato.registry import CHECKS

    rows = [
        {
            "name": entry.name,
            "summary": entry.summary,
            "needs": next((text for key, text in _NEEDS.items() if key in entry.capabilities), ""),
            "skipped": why_skipped(entry),
        }
        for entry in CHECKS
    ]
    if as_json:
        for row in rows:
            print_object(row)
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("check", "what is wrong", "needs"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(row["name"], row["summary"], row["skipped"] or row["needs"])
    Console(highlight=False, markup=False).print(table)


def _names(text: str | None) -> Sequence[str]:
    if text is None:
        return []
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise click.UsageError("Name at least one check, or leave the option out.")
    return names
