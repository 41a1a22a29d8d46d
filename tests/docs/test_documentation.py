"""The documentation is true: examples run, links resolve, commands and settings are described.

A fence's first word says what happens to it. ``console``: its ``$`` lines run in a shell.
``python``: it runs as a script. A second word is a file name: the fence's text is that file, as in
``csv icons.csv``. Anything else (``sh``, ``text``, ``toml``) is shown and not run. One page runs
in one folder, top to bottom, as its reader would.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import pytest

from sfumato.cli.main import cli

ROOT = Path(__file__).parents[2]
GENERATED = ROOT / "docs" / "reference"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
WRITTEN = [page for page in PAGES if GENERATED not in page.parents]
SECONDS = 300.0  # a page that hangs must not hang the tests


@dataclass(frozen=True, slots=True)
class Fence:
    """One fenced block of a page."""

    language: str
    file: str  # the name it is to be written under, or ""
    text: str
    line: int  # 1-based, of its first line

    @property
    def runs(self) -> bool:
        """Whether the reader is meant to run it."""
        return self.language in ("console", "python")


def fences(page: Path) -> list[Fence]:
    """Every fenced block of a page, in order."""
    found = []
    text = page.read_text("utf-8")
    for match in re.finditer(r"^```(\w*)[ ]?([\w.-]*)\n(.*?)^```$", text, re.M | re.S):
        line = text.count("\n", 0, match.start(3)) + 1
        found.append(Fence(match[1], match[2], match[3], line))
    return found


def shell_lines(fence: Fence) -> list[str]:
    """The commands of a console or shell block, without its prompt signs."""
    lines = fence.text.splitlines()
    if fence.language == "console":
        return [line[2:] for line in lines if line.startswith("$ ")]
    return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]


def prose(page: Path) -> str:
    """A page's text without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.M | re.S)


def name_of(page: Path) -> str:
    """A page's path inside the repository, as pytest shows it."""
    return page.relative_to(ROOT).as_posix()


# ---------------------------------------------------------------- examples


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to stand in, with ``sfumato`` on the path."""
    program = tmp_path / "bin" / "sfumato"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m sfumato "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    folder = tmp_path / "desk"
    folder.mkdir()
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", [page for page in WRITTEN if any(f.runs for f in fences(page))], ids=name_of
)
def test_every_example_runs(page: Path, desk: Path) -> None:
    for fence in fences(page):
        if fence.file:
            (desk / fence.file).write_text(fence.text, "utf-8")
        elif fence.language == "console":
            for command in shell_lines(fence):
                run(["bash", "-euo", "pipefail", "-c", command], desk, f"{page.name}:{fence.line}")
        elif fence.language == "python":
            run(
                [sys.executable, "-W", "error", "-c", fence.text], desk, f"{page.name}:{fence.line}"
            )


def run(command: list[str], folder: Path, where: str) -> None:
    """Run a command to its end; its output is the failure's message."""
    done = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{where}: {command[-1]}\n{done.stdout}{done.stderr}"
    assert "Traceback" not in done.stderr, f"{where}: {command[-1]}\n{done.stderr}"


def test_the_console_examples_are_found() -> None:
    """The parser sees what a reader sees; without this, an empty list would pass above."""
    commands = [
        line
        for page in WRITTEN
        for fence in fences(page)
        if fence.language == "console"
        for line in shell_lines(fence)
    ]
    dollars = sum(page.read_text("utf-8").count("\n$ ") for page in WRITTEN)
    assert len(commands) == dollars
    assert dollars > 30


# ---------------------------------------------------------------- commands


def commands_of(
    command: click.Command, words: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command by the words that call it."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            member = command.get_command(context, name)
            assert member is not None
            yield from commands_of(member, (*words, name))
    else:
        yield words, command


COMMANDS = dict(commands_of(cli))


def calls() -> Iterator[tuple[str, tuple[str, ...], list[str]]]:
    """(where, command, arguments) of every line of the pages that calls ``sfumato``, run or not."""
    for page in WRITTEN:
        for fence in fences(page):
            if fence.language not in ("console", "sh"):
                continue
            for line in shell_lines(fence):
                # the words after each "sfumato " up to where the shell takes over
                for part in re.findall(r"(?:^|[\s(|])sfumato ([^|>&;()]*)", line):
                    arguments = shlex.split(part, comments=True)
                    yield f"{name_of(page)}: {line}", *split_command(arguments)


def split_command(arguments: list[str]) -> tuple[tuple[str, ...], list[str]]:
    """The command that arguments begin with (``draw`` where they name none), and the rest."""
    found: click.Command = cli
    words: tuple[str, ...] = ()
    rest = [*arguments]
    while isinstance(found, click.Group) and rest:
        if rest[0] in {name for param in found.params for name in param.opts} - {"--help", "-h"}:
            del rest[:2]  # an option of the group, such as --library, and its value
            continue
        below = found.get_command(click.Context(found), rest[0])
        if below is None:
            break
        found, words = below, (*words, rest.pop(0))
    return (words, rest) if words in COMMANDS else (("draw",), arguments)


def test_every_call_uses_options_that_exist() -> None:
    """Also in the blocks that are not run, such as training."""
    seen = 0
    for where, words, arguments in calls():
        command = COMMANDS[words]
        known = {"--help", "-h", *(name for p in command.params for name in p.opts)}
        known |= {name for p in command.params for name in p.secondary_opts}
        used = [a.partition("=")[0] for a in arguments if re.match(r"--?[a-zA-Z]", a)]
        assert set(used) <= known, where
        seen += 1
    assert seen > 30


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_has_an_example_or_a_sentence(words: tuple[str, ...]) -> None:
    called = {called for _, called, _ in calls()}
    mentioned = any(f"`sfumato {' '.join(words)}" in prose(page) for page in WRITTEN)
    assert words in called or mentioned


def test_every_environment_variable_is_described() -> None:
    sources = "".join(p.read_text("utf-8") for p in (ROOT / "src").rglob("*.py"))
    used = set(re.findall(r"(?<!_)SFUMATO_[A-Z_]+", sources))
    page = (ROOT / "docs" / "how-to" / "when-something-is-wrong.md").read_text("utf-8")
    described = set(re.findall(r"^\| `(SFUMATO_[A-Z_]+)` \|", page, re.M))
    assert used == described


# ---------------------------------------------------------------- links


def anchors(page: Path) -> set[str]:
    """The anchors that a page's headings get."""
    found = set()
    for heading in re.findall(r"^#+ (.+)$", prose(page), re.M):
        plain = re.sub(r"[^\w\s-]", "", heading.lower()).strip()
        found.add(re.sub(r"\s", "-", plain))
    return found


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"[a-z]+:", target):
            continue  # another site: not ours to test, and tests need no network
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{target} does not exist"
        assert not anchor or anchor in anchors(file), f"{target} has no such heading"


def test_every_page_is_linked() -> None:
    linked = {
        (page.parent / target.partition("#")[0]).resolve()
        for page in PAGES
        for target in re.findall(r"\]\(([^)\s]+)\)", prose(page))
        if not re.match(r"[a-z]+:", target)
    }
    lonely = [name_of(page) for page in PAGES if page not in linked and page != ROOT / "README.md"]
    assert not lonely
