"""The fixed prompts and what is expected of each drawing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PROMPTS = Path(__file__).parents[1] / "prompts.txt"
SECTIONS = ("single", "colours", "styles", "emblems")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One line of ``prompts.txt``; empty fields expect nothing."""

    text: str
    section: str  # one of SECTIONS
    topic: str = ""  # of single subjects: "animals", "food", ...
    concepts: tuple[str, ...] = ()  # any of these names the subject rightly
    colour: str = ""  # a basic colour term
    style: str = ""
    shape: str = ""  # an emblem's outline
    use: str = ""  # the everyday use it stands for
    is_new: bool = False  # a synonym or a near subject: not the name of a training icon
    in_gallery: bool = False


def read_prompts(path: Path = PROMPTS) -> list[Prompt]:
    """Every prompt of the file, in its order.

    Raises: ValueError: a line lies outside the known sections or says something unknown.
    """
    prompts: list[Prompt] = []
    section = topic = ""
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        if line.startswith("#"):
            name, _, rest = line.lstrip("# ").partition(":")
            if name in SECTIONS:
                section, topic = name, rest.strip()
        elif line.strip():
            if not section:
                raise ValueError(f"{path.name}:{number}: a prompt before the first section")
            try:
                prompts.append(parse_line(line, section, topic))
            except ValueError as error:
                raise ValueError(f"{path.name}:{number}: {error}") from None
    return prompts


def parse_line(line: str, section: str, topic: str = "") -> Prompt:
    """One prompt and its tab-separated expectations.

    Raises: ValueError: an expectation that is not one.
    """
    text, *parts = line.split("\t")
    fields: dict[str, str] = {}
    flags: set[str] = set()
    for part in parts:
        key, equals, value = part.partition("=")
        if equals and key in ("concept", "colour", "style", "shape", "use") and value:
            fields[key] = value
        elif not equals and key in ("new", "gallery"):
            flags.add(key)
        else:
            raise ValueError(f"{part!r} is no expectation")
    return Prompt(
        text=text,
        section=section,
        topic=topic,
        concepts=tuple(filter(None, fields.pop("concept", "").split(","))),
        is_new="new" in flags,
        in_gallery="gallery" in flags,
        **fields,
    )


def of_section(prompts: Sequence[Prompt], section: str) -> list[int]:
    """Indices of the prompts in one section."""
    return [i for i, prompt in enumerate(prompts) if prompt.section == section]
