"""The entry of ``sfumato``: finds the command, runs it, turns every failure into one line.

Starting is fast because a command's module is imported only when that command runs, and the
modules import NumPy, Pillow, rich and the engine only inside the functions that need them.
"""

from __future__ import annotations

import atexit
import importlib
import os
import sys
from contextlib import suppress
from typing import Any, NoReturn

import click
from click.shell_completion import CompletionItem

from sfumato import __version__
from sfumato.errors import Cancelled, SfumatoError, StorageError

COMMANDS = {
    "draw": "sfumato.cli.draw:draw",
    "models": "sfumato.cli.models:models",
    "info": "sfumato.cli.info:info",
    "redo": "sfumato.cli.redo:redo",
    "vary": "sfumato.cli.vary:vary",
    "compare": "sfumato.cli.compare:compare",
    "check": "sfumato.cli.check:check",
    "rank": "sfumato.cli.rank:rank",
    "search": "sfumato.cli.search:search",
    "classify": "sfumato.cli.classify:classify",
    "describe": "sfumato.cli.describe:describe",
    "ask": "sfumato.cli.ask:ask",
    "gallery": "sfumato.cli.gallery:gallery",
    "studio": "sfumato.cli.serve:studio",
    "serve": "sfumato.cli.serve:serve",
    "keys": "sfumato.cli.keys:keys",
    "mcp": "sfumato.cli.mcp:mcp",
    "doctor": "sfumato.cli.doctor:doctor",
    "eval": "sfumato.cli.eval:evaluate",
    "train": "sfumato.cli.train:train",
    "completion": "sfumato.cli.completion:completion",
}
DEFAULT_COMMAND = "draw"

#: What click 8.2 and later raise for a group without its command: its message is a page of help.
_HELP_INSTEAD: Any = getattr(click.exceptions, "NoArgsIsHelpError", None)

EXIT_BROKEN_PIPE = 141  # 128 + SIGPIPE
EXIT_BUG = 70  # EX_SOFTWARE of sysexits.h


class LazyGroup(click.Group):
    """A group whose commands are strings until they are used, and whose default is ``draw``."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every command, in the order people meet them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Anything that is no command and no option of the group is something to draw.

        Nothing at all asks for the help, and is no mistake.
        """
        if not args and not ctx.resilient_parsing:
            click.echo(ctx.get_help())
            ctx.exit()
        own = {name for param in self.get_params(ctx) for name in param.opts}
        if args and args[0] not in COMMANDS and args[0] not in own:
            args = [DEFAULT_COMMAND, *args]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; Ctrl-C and a reader that left end it in our words, not click's."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise Cancelled("Stopped.") from None
        except BrokenPipeError:
            ctx.exit(_quiet_exit())

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Commands, and the options of ``draw``, which may be typed without its name."""
        found = super().shell_complete(ctx, incomplete)
        if incomplete.startswith("-"):
            drawing = self.get_command(ctx, DEFAULT_COMMAND)
            assert drawing is not None
            seen = {item.value for item in found}
            inner = click.Context(drawing, parent=ctx, info_name=DEFAULT_COMMAND)
            found += [
                item for item in drawing.shell_complete(inner, incomplete) if item.value not in seen
            ]
        return found


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""\b
Examples:
  sfumato "a red fox"            draws it (short for: sfumato draw "a red fox")
  sfumato draw --help            every option of drawing
  sfumato -- models              draws the word "models"
""",
)
@click.version_option(__version__, "-V", "--version", message="sfumato %(version)s")
def cli() -> None:
    """Words into pictures, on your own machine.

    Give it a few words and it draws them. The commands below do the rest.
    """


def run(args: list[str] | None = None) -> NoReturn:
    """Run the command line and leave the process with the right exit code.

    Every failure is one line on stderr, but for a group without its command, which gets its help:
    errors sfumato raises carry their own exit code, mistakes
    in the command itself end with 2, an interruption with 130, a bug in sfumato with 70.
    """
    _never_fail_to_print()
    codes: list[int] = []
    if args is None:  # the process is the command's own
        atexit.register(_leave, codes)  # first in, last out
    codes.append(_run(args))
    sys.exit(codes[0])


def _leave(codes: list[int]) -> None:
    """End a process in which all is said and done, without taking its libraries apart.

    That would be a tenth of a quick command's time.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    if codes:  # otherwise the interpreter has an error to tell
        os._exit(codes[0])


def _run(args: list[str] | None) -> int:
    try:
        outcome: Any = cli.main(args=args, prog_name="sfumato", standalone_mode=False)
        sys.stdout.flush()
        return outcome if isinstance(outcome, int) else 0
    except SfumatoError as error:
        _show_traceback_if_wanted()
        say_error(error.one_line())
        return error.exit_code
    except click.UsageError as error:
        if type(error) is _HELP_INSTEAD:
            with suppress(BrokenPipeError):
                click.echo(error.format_message(), err=True)
            return error.exit_code
        say_error(_usage_line(error))
        return error.exit_code
    except click.ClickException as error:
        say_error(error.format_message())
        return error.exit_code
    except click.Abort:
        return Cancelled.exit_code
    except BrokenPipeError:
        return _quiet_exit()
    except OSError as error:
        _show_traceback_if_wanted()
        if error.filename is not None:  # a file's; our own streams come without a name
            say_error(f"{error.filename} cannot be used ({error.strerror}).")
            return StorageError.exit_code
        say_error(f"The output cannot be written ({error}).")
        _quiet_exit()
        return StorageError.exit_code
    except Exception as error:
        _show_traceback_if_wanted()
        say_error(
            f"Something unexpected happened ({type(error).__name__}: {error}). This is a fault in "
            "sfumato; run it again with SFUMATO_DEBUG=1 to see where."
        )
        return EXIT_BUG


def say_error(sentence: str) -> None:
    """One line on stderr, whatever the sentence holds."""
    with suppress(BrokenPipeError):
        click.echo(f"sfumato: {' '.join(sentence.split())}", err=True)


def _usage_line(error: click.UsageError) -> str:
    sentence = error.format_message()
    if type(error) is click.BadParameter and error.param is not None:
        sentence = f"{error.param.get_error_hint(error.ctx)}: {error.message}"
    if not sentence.endswith((".", "?")):
        sentence += "."
    command = error.ctx.command_path if error.ctx is not None else "sfumato"
    return f"{sentence} See: {command} --help"


def _never_fail_to_print() -> None:
    """Where a stream cannot take a character it gets its code, and a closed one takes anything."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))
        elif hasattr(getattr(sys, name), "reconfigure"):
            getattr(sys, name).reconfigure(errors="backslashreplace")


def _quiet_exit() -> int:
    """Our output goes nowhere; Python must not try to flush to it again."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    return EXIT_BROKEN_PIPE


def _show_traceback_if_wanted() -> None:
    if os.environ.get("SFUMATO_DEBUG"):
        import traceback

        traceback.print_exc()
