"""The loss curve as a small picture, so that a run can be judged at a glance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from sfumato.atomic import replacing

_WIDTH, _HEIGHT, _MARGIN = 960, 420, 56
_INK, _GRID, _LINE = "#1f2328", "#d8dee4", "#c2410c"


def draw_curve(history: Sequence[tuple[int, float, float]], path: Path) -> None:
    """Write a PNG of loss (log scale) against minutes.

    ``history`` has one row a log line: step, seconds, mean loss since the last row.
    """
    rows = [(seconds / 60.0, loss) for _, seconds, loss in history if loss > 0]
    if len(rows) < 2:
        return
    image = Image.new("RGB", (_WIDTH, _HEIGHT), "white")
    pen = ImageDraw.Draw(image)
    font = ImageFont.load_default(13)
    low = math.log10(min(loss for _, loss in rows))
    high = math.log10(max(loss for _, loss in rows))
    span = max(high - low, 1e-6)
    first, last = rows[0][0], max(rows[-1][0], rows[0][0] + 1e-6)

    def place(minutes: float, loss: float) -> tuple[float, float]:
        x = _MARGIN + (minutes - first) / (last - first) * (_WIDTH - 2 * _MARGIN)
        y = _MARGIN + (high - math.log10(loss)) / span * (_HEIGHT - 2 * _MARGIN)
        return x, y

    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        loss = 10 ** (low + span * share)
        y = place(first, loss)[1]
        pen.line([(_MARGIN, y), (_WIDTH - _MARGIN, y)], fill=_GRID)
        pen.text((4, y - 8), f"{loss:.3g}", fill=_INK, font=font)
        minutes = first + (last - first) * share
        pen.text((place(minutes, loss)[0] - 10, _HEIGHT - 40), f"{minutes:.0f}", _INK, font)
    pen.line([place(*row) for row in rows], fill=_LINE, width=2)
    pen.text((_MARGIN, 20), "training loss (log scale) against minutes", fill=_INK, font=font)
    with replacing(path) as temporary:
        image.save(temporary, "PNG")
