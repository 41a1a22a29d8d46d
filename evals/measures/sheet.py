"""A contact sheet: pictures in a grid, small type under each, on a light ground."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from sfumato.colours import rgb_of

_PAPER, _INK, _FAINT = "#fbfaf7", "#2a2d34", "#8a8f98"
_TINTS = ("#eef3fb", "#fdf1e7", "#eef7ef", "#f6effa", "#fff6dc", "#fbeef1")
_RADIUS = 0.11  # of a tile's side
_INSET = 0.09  # air between a tile's edge and its picture, of its side
_SHARP = 2  # corners are drawn larger and reduced

Font = ImageFont.ImageFont | ImageFont.FreeTypeFont


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One picture and the words under it."""

    picture: NDArray[np.uint8]  # (S, S, 4) straight alpha
    caption: str
    is_tinted: bool = True  # on a softly coloured tile; otherwise on the paper itself


def contact_sheet(
    cells: Sequence[Cell], *, columns: int, tile: int = 168, heading: str = "", footer: str = ""
) -> Image.Image:
    """Lay ``cells`` out in rows of ``columns``; ``tile`` is a picture's ground in pixels."""
    gap, margin = round(tile * 0.14), round(tile * 0.36)
    size = max(11, round(tile * 0.078))
    font = ImageFont.load_default(size)
    caption_height = round(size * 3.1)
    pitch_y = tile + caption_height + round(gap * 0.4)
    rows = -(-len(cells) // columns)
    top = margin + (round(tile * 0.32) if heading else 0)
    bottom = margin + (round(tile * 0.12) if footer else -round(gap * 0.5))
    width = 2 * margin + columns * tile + (columns - 1) * gap
    sheet = Image.new("RGB", (width, top + rows * pitch_y + bottom), _PAPER)
    pen = ImageDraw.Draw(sheet)
    if heading:
        pen.text((margin, margin * 0.62), heading, _INK, ImageFont.load_default(round(size * 2.1)))
    for i, cell in enumerate(cells):
        left = margin + (i % columns) * (tile + gap)
        upper = top + (i // columns) * pitch_y
        if cell.is_tinted:
            ground = _TINTS[(i // 2 + i // columns) % len(_TINTS)]
            sheet.paste(Image.new("RGB", (tile, tile), ground), (left, upper), _tile_mask(tile))
        inset = round(tile * _INSET)
        side = tile - 2 * inset
        picture = _resized(cell.picture, side)
        sheet.paste(picture, (left + inset, upper + inset), picture)
        middle = left + tile / 2
        for line, words in enumerate(wrap(cell.caption, font, tile + gap * 0.6)):
            y = upper + tile + size * (0.45 + 1.25 * line)
            pen.text((middle, y), words, _INK, font, anchor="ma")
    if footer:
        pen.text((margin, sheet.height - margin * 0.8), footer, _FAINT, font)
    return sheet


def wrap(text: str, font: Font, width: float, lines: int = 2) -> list[str]:
    """Break ``text`` into at most ``lines`` that fit ``width``; what is too long ends in "…"."""
    words, result = text.split(), [""]
    for word in words:
        longer = f"{result[-1]} {word}".strip()
        if not result[-1] or font.getlength(longer) <= width:
            result[-1] = longer
        else:
            result.append(word)
    if len(result) > lines:
        result = [*result[: lines - 1], " ".join(result[lines - 1 :])]
    for i, line in enumerate(result):
        short = line
        while font.getlength(short) > width and len(short) > 1:
            short = short.rstrip("…")[:-1].rstrip() + "…"
        result[i] = short
    return result


def side_by_side(
    left: NDArray[np.uint8], right: NDArray[np.uint8], ground: str = "#ffffff"
) -> NDArray[np.uint8]:
    """Two (S, S, 4) pictures beside each other in one opaque (2S, 2S, 4) square."""
    side = len(left)
    canvas = Image.new("RGBA", (2 * side, 2 * side), (*rgb_of(ground), 255))
    for x, pixels in ((0, left), (side, right)):
        picture = Image.fromarray(pixels)
        canvas.paste(picture, (x, side // 2), picture)
    return np.asarray(canvas)


def _resized(pixels: NDArray[np.uint8], side: int) -> Image.Image:
    # premultiplied while resampling: no dark fringe where the alpha falls off
    image = Image.fromarray(pixels).convert("RGBa")
    return image.resize((side, side), Image.Resampling.LANCZOS).convert("RGBA")


def _tile_mask(tile: int) -> Image.Image:
    mask = Image.new("L", (tile * _SHARP, tile * _SHARP), 0)
    box = (0, 0, tile * _SHARP - 1, tile * _SHARP - 1)
    ImageDraw.Draw(mask).rounded_rectangle(box, round(tile * _SHARP * _RADIUS), fill=255)
    return mask.resize((tile, tile), Image.Resampling.BOX)
