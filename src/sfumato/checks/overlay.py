"""Paint findings on their picture: where they are, and below it what they say."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from sfumato.checks.masks import from_mask
from sfumato.regions import find_regions
from sfumato.request import Finding

__all__ = ["paint_findings"]

_SIDE = (640, 1024)  # pixels of the longer side: small pictures are enlarged, large ones reduced
_COLOURS = {"error": (214, 40, 57), "warning": (217, 119, 6), "note": (37, 99, 235)}
_PAPER, _SHEET, _INK, _FAINT_INK = (246, 247, 249), (255, 255, 255), (24, 28, 35), (104, 112, 125)
_TINT = 0.5  # how much of a mark's colour lies over the picture
_GREY = 0.35  # how far the picture itself is taken back, so that marks stand out
_MARGIN = 20
_SPECKS = (0.02, 12)  # of the picture at most, and so many at most: then each gets its own frame

Font = ImageFont.ImageFont | ImageFont.FreeTypeFont


def paint_findings(
    pixels: NDArray[np.uint8], findings: Sequence[Finding], title: str
) -> Image.Image:
    """(H, W, 4) pixels with numbered marks, on a sheet with a legend: an RGB picture."""
    height, width = pixels.shape[:2]
    scale = min(max(1.0, _SIDE[0] / max(height, width)), _SIDE[1] / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    body = _on_chequers(pixels, size)
    for finding in findings:
        if finding.mask is not None:
            _tint(body, from_mask(finding.mask), _COLOURS[finding.severity])
    pen = ImageDraw.Draw(body)
    corners = [
        (_frame(pen, place, _COLOURS[finding.severity], size), number, finding)
        for number, finding in enumerate(findings, 1)
        for place in _places(finding, (width, height), size)
    ]
    taken: list[tuple[float, float]] = []
    for free, number, finding in corners:  # after all frames, so that none crosses a number
        x, y = next((c for c in free if _is_free(c, taken)), free[0])
        taken.append((x, y))
        _badge(pen, x, y, number, _COLOURS[finding.severity])
    return _on_sheet(body, findings, title)


def _on_chequers(pixels: NDArray[np.uint8], size: tuple[int, int]) -> Image.Image:
    """The picture, taken back a little, on the pale squares that stand for transparency."""
    resample = Image.Resampling.LANCZOS if size[0] < pixels.shape[1] else Image.Resampling.BICUBIC
    picture = Image.fromarray(np.ascontiguousarray(pixels)).resize(size, resample)
    y, x = np.mgrid[: size[1], : size[0]] // 12
    squares = np.where((x + y) % 2 == 0, 255, 243).astype(np.uint8)
    ground = Image.fromarray(squares).convert("RGB")
    ground.paste(picture, (0, 0), picture)
    return Image.blend(ground, Image.new("RGB", size, _SHEET), _GREY)


def _tint(body: Image.Image, cells: NDArray[np.bool_], colour: tuple[int, int, int]) -> None:
    """Lay a colour over the cells of a mask."""
    veil = Image.fromarray(np.where(cells, round(255 * _TINT), 0).astype(np.uint8))
    veil = veil.resize(body.size, Image.Resampling.BILINEAR)
    body.paste(Image.new("RGB", body.size, colour), (0, 0), veil)


def _places(
    finding: Finding, shape: tuple[int, int], size: tuple[int, int]
) -> list[tuple[float, ...]]:
    """What to frame, in pixels of the sheet: each speck by itself, or the finding's box."""
    if finding.mask is not None:
        cells = from_mask(finding.mask)
        specks = find_regions(cells)
        if cells.mean() < _SPECKS[0] and 0 < len(specks.areas) - 1 <= _SPECKS[1]:
            by = size[0] / finding.mask.width, size[1] / finding.mask.height
            grown = specks.boxes[1:] + np.array([-1, -1, 1, 1])
            return [tuple(edge * by[i % 2] for i, edge in enumerate(box)) for box in grown]
    if finding.box is None:
        return []
    return [tuple(edge * size[i % 2] / shape[i % 2] for i, edge in enumerate(finding.box))]


def _frame(
    pen: ImageDraw.ImageDraw,
    box: Sequence[float],
    colour: tuple[int, int, int],
    size: tuple[int, int],
) -> list[tuple[float, float]]:
    """A rounded frame around a place; returns where its number may go."""
    left, top, right, bottom = box
    left, top = max(1.5, left), max(1.5, top)
    right = min(size[0] - 2.5, max(right, left + 8))
    bottom = min(size[1] - 2.5, max(bottom, top + 8))
    left, top = min(left, right - 4), min(top, bottom - 4)
    for width, tone in ((5, _SHEET), (3, colour)):
        pen.rounded_rectangle((left, top, right, bottom), 6, outline=tone, width=width)
    corners = [(left, top), (right, top), (left, bottom), (right, bottom)]
    return [
        (min(max(x, 14.0), size[0] - 14.0), min(max(y, 14.0), size[1] - 14.0)) for x, y in corners
    ]


def _is_free(corner: tuple[float, float], taken: Sequence[tuple[float, float]]) -> bool:
    return all(abs(corner[0] - x) + abs(corner[1] - y) > 30 for x, y in taken)


def _badge(
    pen: ImageDraw.ImageDraw, x: float, y: float, number: int, colour: tuple[int, int, int]
) -> None:
    pen.ellipse((x - 12, y - 12, x + 12, y + 12), fill=colour, outline=_SHEET, width=2)
    pen.text((x, y), str(number), _SHEET, ImageFont.load_default(13), anchor="mm")


def _on_sheet(body: Image.Image, findings: Sequence[Finding], title: str) -> Image.Image:
    """The picture above, its findings in words below."""
    heading, text, small = (ImageFont.load_default(size) for size in (17, 15, 12))
    width = max(body.width, 420)
    columns = (width - 44) // 7  # characters a line in the font of the text, about
    lines = [textwrap.wrap(finding.message, columns) or [""] for finding in findings]
    rows = [22 * len(wrapped) + 24 for wrapped in lines] or [30]
    height = body.height + 56 + sum(rows) + 2 * _MARGIN
    sheet = Image.new("RGB", (width + 2 * _MARGIN, height), _PAPER)
    left = _MARGIN + (width - body.width) // 2
    sheet.paste(body, (left, _MARGIN))
    pen = ImageDraw.Draw(sheet)
    frame = (left - 1, _MARGIN - 1, left + body.width, _MARGIN + body.height)
    pen.rectangle(frame, outline=(216, 220, 227))
    y = _MARGIN + body.height + 18
    pen.text((_MARGIN, y), _fitting(pen, title, width, heading), _INK, heading)
    y += 36
    if not findings:
        pen.text((_MARGIN, y), "Nothing was found.", _FAINT_INK, text)
    for number, (finding, wrapped, row) in enumerate(zip(findings, lines, rows, strict=False), 1):
        _badge(pen, _MARGIN + 12, y + 14, number, _COLOURS[finding.severity])
        label = f"{finding.check.replace('_', ' ')} · {finding.severity}"
        pen.text((_MARGIN + 36, y), label, _COLOURS[finding.severity], small)
        for at, line in enumerate(wrapped):
            pen.text((_MARGIN + 36, y + 16 + 22 * at), line, _INK, text)
        y += row
    return sheet


def _fitting(pen: ImageDraw.ImageDraw, title: str, width: int, font: Font) -> str:
    """The title, its middle left out where it is too long for the sheet."""
    shown = title
    while pen.textlength(shown, font) > width and len(title) > 8:
        title = title[: len(title) // 2 - 1] + title[len(title) // 2 + 1 :]
        shown = f"{title[: len(title) // 2]}…{title[len(title) // 2 :]}"
    return shown
