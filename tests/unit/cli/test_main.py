"""Finding the command, and one line with the right exit code for everything that goes wrong."""

from __future__ import annotations

import errno
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from sfumato import __version__
from sfumato.cli import draw as draw_module
from sfumato.cli.main import COMMANDS, DEFAULT_COMMAND, cli

Sfumato = Callable[..., Any]  # the fixture: its arguments in, what the call left behind out


def test_words_are_drawn_without_a_command(sfumato: Sfumato, folder: Path) -> None:
    assert sfumato("a red fox", "--model", "fake", "--size", "32", "--seed", "7").code == 0
    assert (folder / "a-red-fox-7.png").is_file()


def test_options_may_come_before_the_words(sfumato: Sfumato, folder: Path) -> None:
    assert sfumato("--seed", "7", "--model", "fake", "--size", "32", "a", "red", "fox").code == 0
    assert (folder / "a-red-fox-7.png").is_file()


@pytest.mark.parametrize("before", [["--"], ["draw"], ["--seed=7"]])
def test_a_commands_name_can_be_drawn(sfumato: Sfumato, folder: Path, before: list[str]) -> None:
    rest = [] if before == ["--"] else ["--model", "fake", "--size", "32"]
    if before == ["--"]:
        # everything behind -- is words, so the default model draws them: only the parse is tested
        with pytest.MonkeyPatch.context() as patch:
            asked: list[tuple[str, ...]] = []
            patch.setattr(draw_module.draw, "callback", lambda words, **rest: asked.append(words))
            assert sfumato("--", "models").code == 0
        assert asked == [("models",)]
    else:
        assert sfumato(*before, *rest, "models").code == 0
        assert len(list(folder.glob("models-*.png"))) == 1


def test_a_known_command_wins(sfumato: Sfumato) -> None:
    assert "test cards" in sfumato("models", "fake").text


def test_every_command_has_help(sfumato: Sfumato) -> None:
    page = sfumato("--help").text
    for name in COMMANDS:
        assert name in page
        assert "Usage: sfumato " + name in sfumato(name, "--help").text
    assert sfumato("-h").text == page


def _with_subcommands(*groups: str) -> Iterator[str]:
    yield from COMMANDS
    for group in groups:
        found = cli.get_command(click.Context(cli), group)
        assert isinstance(found, click.Group)
        yield from (f"{group} {name}" for name in found.commands)


@pytest.mark.parametrize("name", [*_with_subcommands("gallery", "train")])
def test_every_help_page_shows_the_command_at_work(sfumato: Sfumato, name: str) -> None:
    _, _, examples = sfumato(*name.split(), "--help").text.partition("Show this message and exit.")
    assert ('sfumato "' if name == DEFAULT_COMMAND else f"sfumato {name}") in examples


def test_an_unknown_subcommand_is_one_clean_sentence(sfumato: Sfumato) -> None:
    outcome = sfumato("gallery", "lits")
    assert outcome.code == 2
    assert outcome.err.rstrip().endswith("? See: sfumato gallery --help")


def test_the_help_of_draw_lists_what_is_registered(sfumato: Sfumato) -> None:
    page = sfumato("draw", "--help").text
    for choice in ("png|webp|jpeg|svg|pdf|ico", "euler|heun", "uniform|shifted|cosine", "chiaro"):
        assert choice in page


def test_the_version(sfumato: Sfumato) -> None:
    assert sfumato("--version").text == f"sfumato {__version__}\n"


def test_a_bug_is_one_line_and_says_how_to_see_more(
    sfumato: Sfumato, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**options: object) -> None:
        raise ZeroDivisionError("a\nb")

    monkeypatch.setattr(draw_module.draw, "callback", broken)
    outcome = sfumato("a fox")
    assert outcome.code == 70
    assert outcome.err.count("\n") == 1
    assert "ZeroDivisionError: a b" in outcome.err
    assert "SFUMATO_DEBUG=1" in outcome.err


def test_the_traceback_is_there_for_those_who_ask(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(**options: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(draw_module.draw, "callback", broken)
    monkeypatch.setenv("SFUMATO_DEBUG", "1")
    from sfumato.cli.main import run

    with pytest.raises(SystemExit):
        run(["a fox"])
    assert "Traceback" in capsys.readouterr().err


def test_no_words_at_all_show_the_help_as_it_is(sfumato: Sfumato) -> None:
    outcome = sfumato()
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.text == sfumato("--help").text


@pytest.mark.parametrize("group", ["keys", "gallery", "train"])
def test_a_group_without_its_command_shows_its_help_line_by_line(
    sfumato: Sfumato, group: str
) -> None:
    outcome = sfumato(group)
    shown = outcome.text + outcome.err  # on which of them, and the code, is up to click's version
    assert shown == sfumato(group, "--help").text
    assert shown.count("\n") > 10


def test_an_interruption_anywhere_is_one_line(
    sfumato: Sfumato, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(**options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(draw_module.draw, "callback", interrupted)
    outcome = sfumato("a fox")
    assert (outcome.code, outcome.err) == (130, "sfumato: Stopped.\n")


def test_commands_load_no_engine_until_they_run() -> None:
    code = (
        "import sys, sfumato.cli.main as main\n"
        "for name in main.COMMANDS: main.cli.get_command(None, name)\n"
        "heavy = {'numpy', 'PIL', 'rich', 'onnxruntime', 'torch'} & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(heavy)) or 0)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_options_of_draw_are_completed_without_its_name() -> None:
    from click import Context

    found = {item.value for item in cli.shell_complete(Context(cli), "--s")}
    assert {"--seed", "--size", "--style", "--sampler"} <= found


@pytest.mark.parametrize("call", [["check", "{}.png"], ["models", "{}"], ["rank", "fox", "{}"]])
def test_a_name_that_no_file_can_have_is_named(sfumato: Sfumato, call: list[str]) -> None:
    name = "x" * 300
    outcome = sfumato(*(word.format(name) for word in call))
    assert outcome.code in (3, 6)
    assert name in outcome.err
    assert "output" not in outcome.err


def test_an_error_of_a_file_is_not_called_one_of_the_output(
    sfumato: Sfumato, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**options: object) -> None:
        raise OSError(errno.EIO, "Input/output error", "fox.png")

    monkeypatch.setattr(draw_module.draw, "callback", broken)
    outcome = sfumato("a fox")
    assert outcome.code == 6
    assert outcome.err == "sfumato: fox.png cannot be used (Input/output error).\n"
