"""``sfumato models``: what draws, what looks, and how fast both are on this machine."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from sfumato.cli import params, speed
from sfumato.cli.report import print_json, show_seconds
from sfumato.errors import SfumatoError
from sfumato.registry import MODELS, PICTURE_TEXT_MODELS, Entry, Registry

# what a model is for: ``kind`` in the JSON, and what stands above its part of the list
DRAWS, LOOKS = "drawing", "picture-text"
_HEADINGS = {
    DRAWS: "Models that draw:",
    LOOKS: "Models that look, for rank, search, classify, describe and ask:",
}


@click.command(
    short_help="List the models: size, licence, speed.",
    epilog="""\b
Examples:
  sfumato models
  sfumato models chiaro --measure
  sfumato models ~/checkpoints/clip-vit-base-patch32
""",
)
@click.argument("name", type=params.ModelOrCheckpoint(), required=False, metavar="[NAME|PATH]")
@click.option("--measure", is_flag=True, help="Measure the speed of each model now.")
@click.option("--json", "as_json", is_flag=True, help="Print everything about each model as JSON.")
def models(name: str | None, measure: bool, as_json: bool) -> None:
    """List the models that draw, with their styles, and those that compare pictures with words.

    The speed is that of this machine with the model already loaded, as the last --measure found
    it: one 1024x1024 picture drawn; pictures of that size and short texts looked at, in batches.
    A public CLIP or SigLIP checkpoint is named by its PATH, here as everywhere.
    """
    sheets = [
        *(_drawing_sheet(entry.name, entry.summary, measure) for entry in _chosen(MODELS, name)),
        *(_looking_sheet(*one, measure) for one in _looking(name)),
    ]
    if as_json:
        print_json(sheets)
        return
    described = [
        "\n".join([heading, "", *(_describe(sheet) for sheet in sheets if sheet["kind"] == kind)])
        for kind, heading in _HEADINGS.items()
        if any(sheet["kind"] == kind for sheet in sheets)
    ]
    click.echo("\n\n".join(described))


def _chosen(registry: Registry, name: str | None) -> list[Entry]:
    return [entry for entry in registry if name in (None, entry.name)]


def _looking(name: str | None) -> list[tuple[str, str]]:
    """Name and summary of the chosen picture-text models; a path that is no name is one of them."""
    found = [(entry.name, entry.summary) for entry in _chosen(PICTURE_TEXT_MODELS, name)]
    if name is not None and not found and name not in MODELS:
        found = [(name, "a checkpoint on disk")]
    return found


def _drawing_sheet(name: str, summary: str, measure: bool) -> dict[str, Any]:
    """Everything about a model as plain JSON types; ``problem`` where it cannot be used."""
    from sfumato.models import spec_of

    try:
        spec = spec_of(name)
        found = speed.measure_speed(spec) if measure else speed.known_speed(spec)
    except SfumatoError as error:
        return {"name": name, "kind": DRAWS, "summary": summary, "problem": error.one_line()}
    values = {"name": spec.name, "kind": DRAWS, **asdict(spec)}
    values["capabilities"] = sorted(spec.capabilities)
    values["speed"] = None if found is None else asdict(found)
    return values


def _looking_sheet(name: str, summary: str, measure: bool) -> dict[str, Any]:
    """The same of a picture-text model, which is loaded for it: they are small, or meant."""
    from sfumato import clip

    try:
        model = clip.load(name)
        found = (
            speed.measure_looking_speed(model) if measure else speed.known_looking_speed(model.spec)
        )
    except SfumatoError as error:
        return {"name": name, "kind": LOOKS, "summary": summary, "problem": error.one_line()}
    values = {"name": model.spec.name, "kind": LOOKS, **asdict(model.spec)}
    values["speed"] = None if found is None else asdict(found)
    return values


def _describe(sheet: dict[str, Any]) -> str:
    """A few lines about one model."""
    facts = [sheet["summary"]]
    if "problem" in sheet:
        facts.append(f"cannot be used: {sheet['problem']}")
    else:
        size = f"{sheet['size_bytes'] / 1e6:.1f} MB"
        facts.append(f"{size} · licence {sheet['licence']} · {_pace(sheet['speed'])}")
    if "styles" in sheet:
        facts.append(f"styles: {', '.join(sheet['styles'])}")
    return "\n".join([sheet["name"], *(click.wrap_text(f, 90, "    ", "      ") for f in facts)])


def _pace(found: dict[str, Any] | None) -> str:
    if found is None:
        return "speed not measured (--measure)"
    where = f"on these {found['cores']} cores"
    if "seconds" in found:
        return f"{show_seconds(found['seconds'])} a picture {where}"
    return f"{found['pictures_per_s']:,.0f} pictures/s, {found['texts_per_s']:,.0f} texts/s {where}"
