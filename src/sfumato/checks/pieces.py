"""The things of a picture that was laid out, each cut out to be looked at on its own.

A plan says where each thing has its room; the drawing in it may be a little off, since gaps are
evened once the shapes are known. So every connected area belongs to the room whose middle is
nearest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sfumato.checks.look import Look
from sfumato.request import Box, Finding, Part

__all__ = ["find_copies", "of_each", "pieces"]

_MARGIN = 0.04  # of a piece's longer side: a rim of ground, so that its drawing can be told from it

PixelBox = tuple[int, int, int, int]


def of_each(check: Callable[[Look], list[Finding]], look: Look) -> list[Finding]:
    """What ``check`` says about each thing of a picture alone, in the picture's own pixels."""
    findings = []
    for piece, (left, top) in pieces(look):
        for finding in check(piece):
            box = finding.box
            if box is not None:
                box = box[0] + left, box[1] + top, box[2] + left, box[3] + top
            # a mask is a grid over the whole picture: the box says where as well
            findings.append(replace(finding, box=box, mask=None))
    return findings


def pieces(look: Look) -> list[tuple[Look, tuple[int, int]]]:
    """The first copy of each part that was drawn, and where its top left corner lies."""
    if look.plan is None:
        return []
    found = []
    for number, (drawing, boxes) in enumerate(
        zip(look.plan.drawings, find_copies(look), strict=False)
    ):
        box = next((box for box in boxes if box is not None), None)
        if box is None:
            continue
        left, top, right, bottom = _with_rim(box, look)
        conds = look.conds[number : number + 1]
        piece = Look(look.pixels[top:bottom, left:right], drawing, conds)
        if piece.asked is not None:  # what lies behind it here may as well be the emblem
            piece.asked = replace(piece.asked, background=None, emblem=None)
        found.append((piece, (left, top)))
    return found


def find_copies(look: Look) -> list[list[PixelBox | None]]:
    """Where each copy of each part was drawn, in pixels; None for one that is not there."""
    parts: tuple[Part, ...] = () if look.asked is None else look.asked.parts
    rooms = [_middle(box, look) for part in parts for box in part.boxes]
    if not rooms:
        return []
    boxes = look.regions.boxes[1:]  # (n, 4) in pixels of ``small``
    middles = np.stack([boxes[:, 0] + boxes[:, 2], boxes[:, 1] + boxes[:, 3]], axis=1) / 2
    apart = ((middles[:, None] - np.array(rooms)[None]) ** 2).sum(axis=2)
    owner = apart.argmin(axis=1)  # of each region
    copies = [_around(boxes[owner == at], look) for at in range(len(rooms))]
    ends = np.cumsum([len(part.boxes) for part in parts])
    return [
        copies[end - len(part.boxes) : end] for part, end in zip(parts, ends.tolist(), strict=True)
    ]


def _middle(box: Box, look: Look) -> tuple[float, float]:
    """The middle of a box of shares, in pixels of ``small``."""
    height, width = look.drawn.shape
    return (box[0] + box[2]) / 2 * width, (box[1] + box[3]) / 2 * height


def _around(boxes: NDArray[np.int64], look: Look) -> PixelBox | None:
    """The picture's own pixels around boxes of ``small``."""
    if len(boxes) == 0:
        return None
    left, top = (boxes[:, :2].min(axis=0) * look.step).tolist()
    right, bottom = (boxes[:, 2:].max(axis=0) * look.step).tolist()
    return left, top, min(right, look.width), min(bottom, look.height)


def _with_rim(box: PixelBox, look: Look) -> PixelBox:
    left, top, right, bottom = box
    rim = max(2 * look.step, round(_MARGIN * max(right - left, bottom - top)))
    return (
        max(0, left - rim),
        max(0, top - rim),
        min(look.width, right + rim),
        min(look.height, bottom + rim),
    )
