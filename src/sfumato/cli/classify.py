"""``sfumato classify``: which of the given labels a picture shows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sfumato.cli.info import printable
from sfumato.cli.options import looking_model
from sfumato.cli.reading import each_picture, in_batches, leave, print_object
from sfumato.errors import RequestError, StorageError

if TYPE_CHECKING:
    from sfumato.clip.labels import Guess

EXAMPLES = """\b
Examples:
  sfumato classify photo.png --labels cat,dog,bird
  sfumato classify icons/*.png --labels-from labels.txt --top 3
"""


@click.command(epilog=EXAMPLES, short_help="Say which of your labels a picture shows.")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--labels", metavar="A,B,C", help="What to choose from, separated by commas.")
@click.option(
    "--labels-from",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="A text file, a label a line.",
)
@click.option(
    "--top", type=click.IntRange(1), default=5, show_default=True, help="How many labels to show."
)
@looking_model
@click.option(
    "--json", "as_json", is_flag=True, help="Print all labels, one JSON object for each picture."
)
def classify(
    files: tuple[Path, ...],
    labels: str | None,
    labels_from: Path | None,
    top: int,
    model: str | None,
    as_json: bool,
) -> None:
    """Say which of your labels each of FILES shows, with probabilities that add up to 1.

    No training is needed: labels are compared as words, in several phrasings each. The choice is
    among your labels only, so add one such as "something else" where that can happen.
    """
    from sfumato import clip
    from sfumato.clip.labels import check_labels, embed_labels, guesses

    names = check_labels(_labels(labels, labels_from))
    loaded = clip.load(model)
    vectors = embed_labels(names, loaded)
    skipped = 0
    for paths, pixels, bad in in_batches(each_picture(files)):
        skipped += bad
        for path, picture in zip(paths, loaded.encode_pictures(pixels), strict=True):
            found = guesses(picture, names, vectors, loaded.spec)
            if as_json:
                print_object({"path": str(path), "labels": [_as_dict(guess) for guess in found]})
            else:
                shown = (f"{guess.label} {guess.probability:.0%}" for guess in found[:top])
                click.echo(f"{printable(path)}: {' · '.join(map(printable, shown))}")
    leave(skipped)


def _labels(given: str | None, source: Path | None) -> list[str]:
    if (given is None) == (source is None):
        raise RequestError(
            "Say what to choose from, once.", hint="Give --labels cat,dog,bird or --labels-from."
        )
    if given is not None:
        return given.split(",")
    assert source is not None
    try:
        text = source.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text in UTF-8"
        raise StorageError(
            f"The labels in {source} cannot be read: {reason}.",
            hint="Give a text file, a label a line.",
        ) from None
    return [line for line in text.splitlines() if line.strip()]


def _as_dict(guess: Guess) -> dict[str, str | float]:
    return {
        "label": guess.label,
        "probability": round(guess.probability, 6),
        "cosine": round(guess.cosine, 6),
    }
