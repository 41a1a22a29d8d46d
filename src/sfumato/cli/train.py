"""``sfumato train``: make training data, train a model, export it.

Everything here runs in ``sfumato.training``, which needs torch; it is reached by name, so that the
default install neither has it nor misses it.
"""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path
from typing import Any

import click

from sfumato.errors import MissingExtraError, RequestError
from sfumato.registry import (
    MODELS,
    PICTURE_TEXT_MODELS,
    own_models_folder,
    own_picture_text_folder,
)

_EXTRA_PACKAGES = frozenset({"torch", "safetensors", "onnx", "onnxscript", "transformers"})
_FOLDER = click.Path(path_type=Path, file_okay=False)
_EXISTING_FOLDER = click.Path(path_type=Path, file_okay=False, exists=True)


@click.group(
    epilog="""\b
Examples:
  sfumato train data icons --out data/icons
  sfumato train chiaro --data my-icons --out my-run --from-weights chiaro
  sfumato train export my-run --data my-run/data --name my-icons
""",
)
def train() -> None:
    """Make training data, train a model of your own, export it.

    Needs the optional dependencies: pip install 'sfumato[train]'
    """


@train.group(
    epilog="""\b
Examples:
  sfumato train data icons --out data/icons
""",
)
def data() -> None:
    """Build the folders of pictures and captions that training reads."""


@data.command(
    short_help="Build a set from pinned packs of free icons.",
    epilog="""\b
Examples:
  sfumato train data icons --out data/icons
  sfumato train data icons --preset judge --out data/judge
""",
)
@click.option("--out", type=_FOLDER, required=True, help="The new folder to build.")
@click.option(
    "--preset",
    type=click.Choice(["curated", "full", "judge"]),
    default="curated",
    show_default=True,
    help="curated: the packs chiaro learns from; full: every pack; judge: for measuring only.",
)
@click.option("--cache", type=_FOLDER, help="Where downloaded packs are kept between builds.")
def icons(out: Path, preset: str, cache: Path | None) -> None:
    """Fetch the pinned icon packs, clean and caption them, and list every source."""
    call(
        "sfumato.training.data.icons:build_data",
        out=out,
        preset=preset,
        cache=cache if cache is not None else out.with_name(f"{out.name}-packs"),
        on_progress=_Counter(),
    )
    click.echo(f"The data set is in {out}.")


@train.command(
    short_help="Train chiaro, or fine-tune it.",
    epilog="""\b
Examples:
  sfumato train chiaro --data my-icons --out my-run --from-weights chiaro
  sfumato train chiaro --data data/icons --out runs/chiaro --minutes 180
  sfumato train chiaro --data data/icons --out runs/chiaro --resume
""",
)
@click.option(
    "--data", "data_", type=_EXISTING_FOLDER, required=True, help="Pictures and captions."
)
@click.option("--preset", default="whole-picture", show_default=True, help="The size of model.")
@click.option("--out", type=_FOLDER, required=True, help="The run's folder; also to continue one.")
@click.option("--resume", is_flag=True, help="Continue the run that is in --out.")
@click.option("--minutes", type=click.FloatRange(min=0, min_open=True), help="Stop after so long.")
@click.option("--steps", type=click.IntRange(min=1), help="Stop after so many steps.")
@click.option("--batch-size", type=click.IntRange(min=1), help="Pictures in each step.")
@click.option("--device", default="auto", show_default=True, help="cpu, cuda or auto.")
@click.option("--from-weights", metavar="PATH|chiaro", help="Fine-tune this model.")
@click.option("--yes", is_flag=True, help="Start without asking, whatever the estimate says.")
def chiaro(data_: Path, **options: Any) -> None:
    """Train chiaro, or fine-tune it on your own pictures with --from-weights chiaro.

    Says how long it will take before it starts.
    """
    call("sfumato.training.run:train", data=data_, **options)


@train.command(
    short_help="Train a picture-text model (CLIP).",
    epilog="""\b
Examples:
  sfumato train clip --data my-icons --out my-run --minutes 30
  sfumato train clip --data my-icons --out my-run --resume
  sfumato train export my-run --data my-icons --name my-eye
""",
)
@click.option(
    "--data", "data_", type=_EXISTING_FOLDER, required=True, help="Pictures and captions."
)
@click.option("--preset", default="sguardo", show_default=True, help="The size of model.")
@click.option(
    "--out",
    "--output",
    "out",
    type=_FOLDER,
    required=True,
    help="The run's folder; also to continue one.",
)
@click.option("--resume", is_flag=True, help="Continue the run that is in --out.")
@click.option("--minutes", type=click.FloatRange(min=0, min_open=True), help="Stop after so long.")
@click.option("--steps", type=click.IntRange(min=1), help="Stop after so many steps.")
@click.option("--batch-size", type=click.IntRange(min=2), help="Pictures in each step.")
@click.option("--device", default="auto", show_default=True, help="cpu, cuda or auto.")
@click.option(
    "--measure", type=_EXISTING_FOLDER, help="A built set to measure on, never to learn from."
)
@click.option(
    "--seed",
    type=int,
    default=0,
    show_default=True,
    help="The same seed repeats the run's random choices.",
)
def clip(data_: Path, **options: Any) -> None:
    """Train a model that compares pictures with words, on your own pictures or a built set.

    Some pictures are kept away from training; how many of them it names, and how often words find
    the right one, is said every two minutes and kept in figures.jsonl.
    """
    call("sfumato.training.picture_text:train", data=data_, **options)


@train.command(
    short_help="Make a model folder out of a run.",
    epilog="""\b
Examples:
  sfumato train export my-run --data my-run/data --name my-icons
""",
)
@click.argument("run", type=_EXISTING_FOLDER)
@click.option(
    "--data", "data_", type=_EXISTING_FOLDER, required=True, help="The pictures it learnt from."
)
@click.option("--name", required=True, help="What to call it; --model NAME finds it.")
@click.option("--out", type=_FOLDER, help="Write the folder here instead, to ship elsewhere.")
def export(run: Path, data_: Path, name: str, out: Path | None) -> None:
    """Turn a training run into a model that sfumato draws or looks with.

    The finished model is compared with the trained one before it is kept: both must agree."""
    looks = _kind_of(run) == "picture-text"
    taken = name in MODELS or name in PICTURE_TEXT_MODELS  # sfumato models NAME means one
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,40}", name) or (out is None and taken):
        raise RequestError(
            f"A model of yours cannot be called {name!r}.",
            hint="Use lower-case letters, digits and dashes, and a name no model has yet.",
        )
    own = own_picture_text_folder() if looks else own_models_folder()
    folder = out if out is not None else own / name
    target = "picture_text_export:export_picture_text" if looks else "export:export"
    call(f"sfumato.training.{target}", run=run, data=data_, out=folder, name=name)
    click.echo(f"The model is in {folder}.")
    if out is None:
        use = f'rank "a red fox" *.png --model {name}' if looks else f'"a red fox" --model {name}'
        click.echo(f"{'Look' if looks else 'Draw'} with it: sfumato {use}")


def _kind_of(run: Path) -> str:
    """What kind of model a run trains, as its card says; empty where there is no card to read."""
    try:
        return str(json.loads((run / "run.json").read_text("utf-8"))["kind"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def call(target: str, **options: Any) -> Any:
    """Call ``module:function`` of the training room.

    Raises: MissingExtraError: a package of the ``train`` extra is not installed.
    """
    module, _, function = target.partition(":")
    try:
        return getattr(importlib.import_module(module), function)(**options)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in _EXTRA_PACKAGES:
            raise MissingExtraError("Training", "train") from None
        raise


class _Counter:
    """Prints a line when the work changes, and not for every picture."""

    def __init__(self) -> None:
        self._last = ""

    def __call__(self, done: int, total: int, what: str) -> None:
        if what != self._last:
            self._last = what
            click.echo(f"{done}/{total} {what}", err=True)
