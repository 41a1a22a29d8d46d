"""``sfumato ask``: a question about a picture, and its answer."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from sfumato.cli.info import printable
from sfumato.cli.reading import each_picture, leave
from sfumato.cli.report import print_json
from sfumato.errors import RequestError

NO_ANSWER = 1  # the exit code where a question could not be answered

EXAMPLES = """\b
Examples:
  sfumato ask fox.png "what colour is it?"
  sfumato ask fox.png "is it a cat or a dog?"
  sfumato ask apples.png "how many are there?"
  sfumato ask photo.png "what is the man holding?" --model ./blip-vqa-base
"""


@click.command(epilog=EXAMPLES, short_help="Answer a question about a picture.")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("question")
@click.option(
    "--model", metavar="NAME|PATH", help="A model that compares, or that answers questions."
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print answer, confidence and reason as JSON."
)
def ask(file: Path, question: str, model: str | None, as_json: bool) -> None:
    """Answer a QUESTION about FILE: colours, counts, shapes, grounds, presence, names.

    What can be measured is measured. A question that cannot be answered is said to be so, and the
    exit code is then 1. A question-answering model on disk (with the torch extra) answers freely.
    """
    from sfumato.clip.captions import answerer

    if file.is_dir():
        raise RequestError(f"{file} is a folder.", hint="Ask about one picture at a time.")
    answer_to = answerer(model)
    ((_, pixels),) = each_picture([file])
    if pixels is None:
        leave(1)
        return
    found = answer_to(pixels, question)
    if as_json:
        print_json({"path": str(file), **asdict(found)})
    elif found.text is None:
        click.echo(f"cannot tell: {printable(found.reason)}")
    else:
        click.echo(f"{printable(found.text)} ({printable(found.reason)})")
    if found.text is None:
        click.get_current_context().exit(NO_ANSWER)
