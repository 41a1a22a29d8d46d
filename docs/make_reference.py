"""Write ``docs/reference`` from the code, or check that it is fresh (``--check``).

Everything on those pages is read from the objects themselves (click's commands, the registries,
the error tree, the public names), so a page cannot say what the program does not do.
"""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import click

import sfumato
from sfumato import errors, registry
from sfumato.cli.main import EXIT_BROKEN_PIPE, EXIT_BUG, cli
from sfumato.cli.params import COLUMNS, RegisteredName
from sfumato.models import spec_of

FOLDER = Path(__file__).parent / "reference"
NOTICE = "<!-- Written by docs/make_reference.py; edit the code, then run: make docs -->\n\n"


# ---------------------------------------------------------------- pages


def commands_page() -> str:
    """Every command with its arguments and options, in the order ``sfumato --help`` has them."""
    parts = ["# Commands\n"]
    for path, command, context in walk_commands(cli):
        if not path:
            continue
        usage = " ".join(["sfumato", *path, *command.collect_usage_pieces(context)])
        parts.append(f"## `sfumato {' '.join(path)}`\n")
        parts.append(f"```text\n{usage}\n```\n")
        parts.append(f"{_prose(command.help)}\n")
        options = [p for p in command.params if isinstance(p, click.Option) and not p.hidden]
        if options:
            rows = [(_option_names(o), _option_value(o, context), o.help or "") for o in options]
            parts.append(_table(("option", "value", "meaning"), rows))
        if command.epilog:
            parts.append(f"```text\n{_unwrapped(command.epilog)}\n```\n")
    rows = [(f"`{name}`", _type_words(kind)) for name, kind in COLUMNS.items()]
    parts.append("## Columns of a batch\n")
    parts.append(
        "The first line of a CSV file, or the keys of a JSONL file, given to `--from`. A cell "
        "means what the same text means after the option of that name.\n"
    )
    parts.append(_table(("column", "value"), rows))
    return "\n".join(parts)


def choices_page() -> str:
    """Every registry, and the styles of every model."""
    parts = ["# Choices\n", "What is registered; packages you install may add more.\n"]
    parts.append("## Models (`--model`)\n")
    for entry in registry.MODELS:
        spec = spec_of(entry.name)
        parts.append(f"### `{spec.name}`\n")
        parts.append(f"{_sentence(spec.summary)}\n")
        words: dict[str, list[str]] = {style: [] for style in spec.styles}
        for word, style in spec.style_words.items():
            words[style].append(word)
        rows = [
            (
                f"`{style}`",
                ", ".join(sorted(others)),
                "yes" if style in spec.default_styles else "",
            )
            for style, others in words.items()
        ]
        parts.append(_table(("style", "words that mean it", "dealt out by seed"), rows))
        facts = [
            ("licence", spec.licence),
            ("native size", f"{spec.native_size} pixels a side"),
            ("steps", str(spec.num_inference_steps)),
            ("guidance", f"{spec.guidance_scale:g}"),
            ("sampler, scheduler", f"{spec.sampler}, {spec.scheduler}"),
            ("languages", ", ".join(spec.languages)),
            ("can", ", ".join(sorted(spec.capabilities)).replace("_", " ")),
        ]
        parts.append(_table(("", "default or fact"), facts))
    for title, option, entries in (
        ("Samplers", "--sampler", registry.SAMPLERS),
        ("Schedulers", "--scheduler", registry.SCHEDULERS),
    ):
        parts.append(f"## {title} (`{option}`)\n")
        rows = [(f"`{entry.name}`", entry.summary) for entry in entries]
        parts.append(_table(("name", "what it is"), rows))
    parts.append("## File formats (`--format`)\n")
    rows = [
        (
            f"`{entry.name}`",
            f"`.{entry.details['extension']}`",
            "yes" if "alpha" in entry.capabilities else "no",
            entry.summary,
        )
        for entry in registry.WRITERS
    ]
    parts.append(_table(("name", "suffix", "transparency", "what it is for"), rows))
    parts.append("## Checks\n")
    parts.append("What sfumato says about a picture it has drawn.\n")
    rows = [(f"`{entry.name}`", entry.summary) for entry in registry.CHECKS]
    parts.append(_table(("name", "it means"), rows))
    return "\n".join(parts)


def errors_page() -> str:
    """The error tree with codes and exit codes."""
    parts = ["# Errors and exit codes\n"]
    parts.append(
        "On the command line an error is one line on stderr and an exit code. In Python it is an "
        "exception with `message`, `hint` and a stable `code`.\n"
    )
    rows = [("", "", "0", "Everything went well.")]
    for name, kind in vars(errors).items():
        if inspect.isclass(kind) and issubclass(kind, errors.SfumatoError):
            about = inspect.cleandoc(kind.__doc__ or "").split("\n\n")[0].replace("\n", " ")
            rows.append((f"`sfumato.{name}`", f"`{kind.code}`", str(kind.exit_code), about))
    usage = click.UsageError.exit_code
    rows.append(("", "", str(usage), "The command line itself is wrong: no such option."))
    rows.append(("", "", str(EXIT_BUG), "A fault in sfumato; SFUMATO_DEBUG=1 shows where."))
    rows.append(("", "", str(EXIT_BROKEN_PIPE), "Whoever read the output has left."))
    parts.append(_table(("exception", "code", "exit code", "meaning"), rows))
    parts.append(
        "`sfumato redo` and `sfumato compare` answer with 1 when the pictures are not identical, "
        "`sfumato doctor` when something essential is broken. A batch goes on after a row that "
        "fails and ends with the first failure's code.\n"
    )
    return "\n".join(parts)


def python_page() -> str:
    """Every public name of the package but the exceptions."""
    parts = ["# Python\n", "Everything in `sfumato.__all__`; the exceptions are in "]
    parts[-1] += "[Errors and exit codes](errors.md).\n"
    for name in sfumato.__all__:
        thing = getattr(sfumato, name)
        if inspect.isclass(thing) and issubclass(thing, errors.SfumatoError):
            continue
        if name == "__version__":
            continue
        parts.append(f"## `{name}`\n")
        if inspect.isfunction(thing):
            parts.append(f"```python\nsfumato.{name}{_signature(thing)}\n```\n")
        parts.append(f"```text\n{inspect.cleandoc(thing.__doc__ or '')}\n```\n")
        if dataclasses.is_dataclass(thing):
            rows = [
                (f"`{f.name}`", f"`{_plain_type(f.type)}`", _default(f))
                for f in dataclasses.fields(thing)
            ]
            parts.append(_table(("field", "type", "default"), rows))
            members = [
                (f"`{key}`", inspect.cleandoc(value.__doc__ or "").split("\n")[0])
                for key, value in vars(thing).items()
                if not key.startswith("_")
                and (isinstance(value, (property, classmethod)) or inspect.isfunction(value))
            ]
            if members:
                parts.append(_table(("member", "what it is"), members))
    return "\n".join(parts)


PAGES: dict[str, Callable[[], str]] = {
    "commands.md": commands_page,
    "choices.md": choices_page,
    "errors.md": errors_page,
    "python.md": python_page,
}


def make_pages() -> dict[str, str]:
    """File name to text for every page of the reference."""
    return {name: f"{NOTICE}{page().rstrip()}\n" for name, page in PAGES.items()}


# ---------------------------------------------------------------- click


def walk_commands(
    command: click.Command, path: tuple[str, ...] = (), parent: click.Context | None = None
) -> Iterator[tuple[tuple[str, ...], click.Command, click.Context]]:
    """The words that call a command, the command and a context for it; groups before members."""
    context = click.Context(command, info_name=path[-1] if path else "sfumato", parent=parent)
    yield path, command, context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            member = command.get_command(context, name)
            assert member is not None
            yield from walk_commands(member, (*path, name), context)


def _option_names(option: click.Option) -> str:
    names = [*option.opts, *option.secondary_opts]
    return ", ".join(f"`{name}`" for name in sorted(names, key=len))


def _option_value(option: click.Option, context: click.Context) -> str:
    if option.is_flag:
        return ""
    words = option.metavar or _type_words(option.type)
    if option.show_default and option.default is not None:
        words += f" (default {option.default})"
    return words


def _type_words(kind: click.ParamType) -> str:
    """A type's choices where it has some, else its name; the same for every release of click."""
    if isinstance(kind, RegisteredName):
        return "a name from [Choices](choices.md)"
    if isinstance(kind, click.Choice):
        return " or ".join(f"`{name}`" for name in kind.choices)
    if isinstance(kind, (click.IntRange, click.FloatRange)) and kind.min is not None:
        bound = f"above {kind.min:g}" if kind.min_open else f"from {kind.min:g}"
        return f"{kind.name.removesuffix(' range').upper()} {bound}"
    return kind.name.upper() if kind.name.islower() else kind.name


# ---------------------------------------------------------------- text


def _prose(help_: str | None) -> str:
    return re.sub(r"<\w+>[\w<>.-]*", r"`\g<0>`", _unwrapped(help_ or ""))


def _unwrapped(text: str) -> str:
    """A help text without click's markers."""
    return inspect.cleandoc(text.replace("\b\n", "").replace("\b", "")).strip("\n")


def _sentence(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if text.endswith(".") else f"{text}."


def _table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    header = list(header)
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(_cell(c) for c in line)} |\n" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _signature(function: Callable[..., object]) -> str:
    signature = inspect.signature(function)
    inner = [str(p) for p in signature.parameters.values()]
    kinds = [p.kind for p in signature.parameters.values()]
    if inspect.Parameter.KEYWORD_ONLY in kinds:
        inner.insert(kinds.index(inspect.Parameter.KEYWORD_ONLY), "*")
    lines = "".join(f"    {part.replace(chr(39), '')},\n" for part in inner)
    return f"(\n{lines}) -> {str(signature.return_annotation).strip(chr(39))}"


def _plain_type(kind: object) -> str:
    return str(kind).replace("'", "")


def _default(field: dataclasses.Field[object]) -> str:
    if field.default is not dataclasses.MISSING:
        return f"`{field.default!r}`"
    if field.default_factory is not dataclasses.MISSING:
        return f"`{field.default_factory()!r}`"
    return "required"


def main() -> int:
    """Write the pages, or with ``--check`` say which are stale; the exit code is 1 if any is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    check = parser.parse_args().check
    os.environ["XDG_DATA_HOME"] = os.devnull  # models of whoever runs this are not ours to list
    FOLDER.mkdir(exist_ok=True)
    stale = []
    for name, text in make_pages().items():
        path = FOLDER / name
        if path.exists() and path.read_text("utf-8") == text:
            continue
        stale.append(name)
        if not check:
            path.write_text(text, "utf-8")
    if check and stale:
        print(f"docs/reference is stale ({', '.join(stale)}): run make docs", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
