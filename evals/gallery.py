"""Draw the contact sheets of the documentation.

    python evals/gallery.py            docs/gallery.png: the prompts marked "gallery"
    python evals/gallery.py --all      and docs/prompts-sheet.webp: all 200 of them, and
                                       docs/several-things.png: pictures of more than one thing

One seed for every row and no second try: what the sheet shows is what a reader gets. A model deals
its styles out by seed, so each row is of one style.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence
from pathlib import Path

from measures.drawing import Drawings, Order, draw_all
from measures.prompts import Prompt, read_prompts
from measures.record import ROOT
from measures.sheet import Cell, contact_sheet
from PIL import Image

from sfumato.errors import SfumatoError

GALLERY_COLUMNS, GALLERY_TILE = 8, 168
SHEET_COLUMNS, SHEET_TILE = 14, 96
SEVERAL_COLUMNS, SEVERAL_TILE = 4, 256
SEVERAL = (
    "three apples", "a cat and a dog", "a red apple and a green pear",
    "two penguins and a snowman", "an owl above a book", "a purple elephant left of a green chair",
    "five stars on a blue circle", "a fox and a rabbit on a yellow background",
    "a rocket, a planet and a star", "a pizza between two hamburgers", "four pink hearts",
    "glyph icons of a hammer and a wrench",
)  # fmt: skip
MAX_SHEET_BYTES = 1_500_000


def draw_gallery(
    prompts: Sequence[Prompt],
    model: str,
    seed: int,
    style: str | None,
    *,
    columns: int = GALLERY_COLUMNS,
    tile: int = GALLERY_TILE,
) -> Image.Image:
    """The marked prompts, half of the cells on tinted tiles and half on the paper."""
    shown = [prompt for prompt in prompts if prompt.in_gallery]
    drawings = _draw(shown, model, seed, style, columns)
    cells = [
        Cell(picture=picture, caption=prompt.text, is_tinted=(i + i // columns) % 2 == 0)
        for i, (prompt, picture) in enumerate(zip(shown, drawings.pictures, strict=True))
    ]
    footer = (
        f"Drawn by {model} ({drawings.model_sha256[:12]}), prompts as written, first try: "
        f"seed {seed} in the first row, {seed + 1} in the next, and so on."
    )
    return contact_sheet(cells, columns=columns, tile=tile, footer=footer)


def draw_sheet(prompts: Sequence[Prompt], model: str, seed: int, style: str | None) -> Image.Image:
    """All prompts, small."""
    drawings = _draw(prompts, model, seed, style, SHEET_COLUMNS)
    cells = [
        Cell(picture=picture, caption=prompt.text)
        for prompt, picture in zip(prompts, drawings.pictures, strict=True)
    ]
    footer = (
        f"All {len(cells)} prompts, {model} ({drawings.model_sha256[:12]}), first try, seeds "
        f"{seed}, {seed + 1}, ... by row."
    )
    return contact_sheet(cells, columns=SHEET_COLUMNS, tile=SHEET_TILE, footer=footer)


def encode_below(image: Image.Image, most: int) -> bytes:
    """The best WebP of at most ``most`` bytes.

    Raises: ValueError: even the smallest is larger.
    """
    for quality in (92, 85, 75, 60, 40):
        buffer = io.BytesIO()
        image.save(buffer, "WEBP", quality=quality, method=4)
        if buffer.tell() <= most:
            return buffer.getvalue()
    raise ValueError(f"the sheet does not fit into {most} bytes")


def _draw(
    prompts: Sequence[Prompt], model: str, seed: int, style: str | None, columns: int
) -> Drawings:
    # a style that the words ask for comes before the sheet's
    orders = [
        Order(text=prompt.text, seed=seed + i // columns, style=None if prompt.style else style)
        for i, prompt in enumerate(prompts)
    ]
    return draw_all(orders, model, 256)


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default="chiaro")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--style", help="draw everything in one style")
    parser.add_argument("--all", action="store_true", help="also the sheet of all prompts")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="where the sheets go")
    asked = parser.parse_args(arguments)
    prompts = read_prompts()
    asked.docs.mkdir(parents=True, exist_ok=True)
    try:
        gallery = draw_gallery(prompts, asked.model, asked.seed, asked.style)
        gallery.save(asked.docs / "gallery.png", optimize=True)
        print(asked.docs / "gallery.png", gallery.size)
        if asked.all:
            sheet = draw_sheet(prompts, asked.model, asked.seed, asked.style)
            path = asked.docs / "prompts-sheet.webp"
            path.write_bytes(encode_below(sheet, MAX_SHEET_BYTES))
            print(path, sheet.size)
            several = [Prompt(text=text, section="single", in_gallery=True) for text in SEVERAL]
            sizes = {"columns": SEVERAL_COLUMNS, "tile": SEVERAL_TILE}
            sheet = draw_gallery(several, asked.model, asked.seed, asked.style, **sizes)
            sheet.save(asked.docs / "several-things.png", optimize=True)
            print(asked.docs / "several-things.png", sheet.size)
    except SfumatoError as error:
        print(error.one_line(), file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
