"""``sfumato models``: what can draw, and how fast it draws on this machine."""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sfumato.cli import params
from sfumato.cli.report import print_json, show_seconds
from sfumato.errors import SfumatoError

if TYPE_CHECKING:
    from sfumato.models import ModelSpec

SPEED_PROMPT = "a red apple"
SPEED_SIDE = 1024  # pixels: the default picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """How long one picture took here, by the weights it was measured with."""

    model_sha256: str
    seconds: float  # one picture of 1024x1024, the model already loaded
    cores: int


@click.command(
    short_help="List the models, their styles and speed.",
    epilog="""\b
Examples:
  sfumato models
  sfumato models chiaro --measure
""",
)
@click.argument("name", type=params.MODEL, required=False, metavar="[NAME]")
@click.option("--measure", is_flag=True, help="Draw two pictures with each model and time one.")
@click.option("--json", "as_json", is_flag=True, help="Print everything about each model as JSON.")
def models(name: str | None, measure: bool, as_json: bool) -> None:
    """List the models: what they are, size, licence, styles, speed.

    The speed is that of one 1024x1024 picture on this machine with the model already loaded, as
    the last --measure found it.
    """
    from sfumato.registry import MODELS

    sheets = [
        _sheet(entry.name, entry.summary, measure) for entry in MODELS if name in (None, entry.name)
    ]
    if as_json:
        print_json(sheets)
    else:
        click.echo("\n".join(_describe(sheet) for sheet in sheets))


def measure_speed(spec: ModelSpec) -> Speed:
    """Time one warm picture and remember it.

    Raises: what ``sfumato.generate`` raises.
    """
    from sfumato.generate import generate
    from sfumato.request import GenerationRequest

    request = GenerationRequest(
        prompt=SPEED_PROMPT, seed=1, model=spec.name, width=SPEED_SIDE, height=SPEED_SIDE
    )
    generate(request)  # loads the model and warms its kernels
    started = time.perf_counter()
    generate(request)
    speed = Speed(
        model_sha256=spec.sha256,
        seconds=round(time.perf_counter() - started, 3),
        cores=os.cpu_count() or 1,
    )
    _remember(spec.name, speed)
    return speed


def known_speed(spec: ModelSpec) -> Speed | None:
    """The last measurement on this machine, unless the weights have changed since."""
    try:
        speed = Speed(**_read_speeds()[spec.name])
    except (KeyError, TypeError):
        return None
    return speed if speed.model_sha256 == spec.sha256 else None


def _sheet(name: str, summary: str, measure: bool) -> dict[str, Any]:
    """Everything about a model as plain JSON types; ``problem`` where it cannot be used."""
    from sfumato.models import spec_of

    try:
        spec = spec_of(name)
        speed = measure_speed(spec) if measure else known_speed(spec)
    except SfumatoError as error:
        return {"name": name, "summary": summary, "problem": error.one_line()}
    values = asdict(spec)
    values["capabilities"] = sorted(spec.capabilities)
    values["speed"] = None if speed is None else asdict(speed)
    return values


def _describe(sheet: dict[str, Any]) -> str:
    """A few lines about one model."""
    if "problem" in sheet:
        facts = [sheet["summary"], f"cannot be used: {sheet['problem']}"]
    else:
        speed = sheet["speed"]
        pace = "speed not measured (--measure)"
        if speed is not None:
            pace = f"{show_seconds(speed['seconds'])} a picture on these {speed['cores']} cores"
        facts = [
            sheet["summary"],
            f"{sheet['size_bytes'] / 1e6:.1f} MB · licence {sheet['licence']} · {pace}",
            f"styles: {', '.join(sheet['styles'])}",
        ]
    return "\n".join([sheet["name"], *(click.wrap_text(f, 90, "    ", "      ") for f in facts)])


def _speed_file() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "sfumato" / "speed.json"


def _read_speeds() -> dict[str, Any]:
    try:
        values = json.loads(_speed_file().read_text("utf-8"))
    except (OSError, ValueError):
        return {}  # never measured, or a cache that somebody damaged: measure again
    return values if isinstance(values, dict) else {}


def _remember(name: str, speed: Speed) -> None:
    from sfumato.atomic import replacing

    path = _speed_file()
    speeds = {**_read_speeds(), name: asdict(speed)}
    with suppress(OSError):  # a cache that cannot be kept is measured again
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(speeds, indent=1), "utf-8")
