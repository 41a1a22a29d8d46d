"""Real icons of the 80 concepts, taken from a folder of training or judging data."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sfumato.errors import StorageError
from sfumato.evals.iconeval.prompts import Concept
from sfumato.evals.shapes import Pixels
from sfumato.svg import render_svg

__all__ = ["Icon", "read_icons", "read_rows"]

_RENDERED = 256  # pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class Icon:
    """One real drawing of a concept."""

    concept: str
    pack: str
    svg: str

    def draw(self, side: int = _RENDERED) -> Pixels:
        """(side, side, 4) pixels, straight alpha on a transparent ground.

        Raises: StorageError: it cannot be rendered.
        """
        return render_svg(self.svg.encode(), longest=side)[0]


def read_rows(folder: Path) -> list[tuple[dict[str, Any], str]]:
    """Every row of the manifest with the SVG text of its picture.

    Raises: StorageError: not a folder that ``sfumato train data icons`` wrote.
    """
    try:
        manifest = (folder / "manifest.jsonl").read_text("utf-8").splitlines()
        with gzip.open(folder / "svg.jsonl.gz", "rt", encoding="utf-8") as lines:
            drawings = [json.loads(line)["svg"] for line in lines]
        rows = [json.loads(line) for line in manifest]
        if len(rows) != len(drawings):
            raise ValueError(f"{len(rows)} rows and {len(drawings)} drawings")
        return list(zip(rows, drawings, strict=True))
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise StorageError(
            f"{folder} holds no icons ({error}).",
            hint="Build the folder with: sfumato train data icons --out DIR",
        ) from None


def read_icons(
    folder: Path, concepts: Sequence[Concept], packs: Sequence[str] | None = None
) -> dict[str, list[Icon]]:
    """Concept to its icons in the order of the folder; coloured ones only, of ``packs`` or all.

    Raises: StorageError: the folder is not one, or a concept has no icon there.
    """
    name_of = {label: concept.name for concept in concepts for label in concept.labels}
    shelf: dict[str, list[Icon]] = {concept.name: [] for concept in concepts}
    for row, svg in read_rows(folder):
        name, pack = name_of.get(row["concept"]), row["pack"]
        if name is None or row["style"] == "glyph" or (packs is not None and pack not in packs):
            continue
        shelf[name].append(Icon(concept=name, pack=pack, svg=svg))
    missing = [name for name, icons in shelf.items() if not icons]
    if missing:
        raise StorageError(
            f"{folder} has no icon of {', '.join(missing[:5])}{' ...' if missing[5:] else ''}.",
            hint="Build the folder with: sfumato train data icons --out DIR",
        )
    return shelf
