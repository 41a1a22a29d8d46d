from __future__ import annotations

import numpy as np
import pytest

from sfumato.colours import rgb_of
from sfumato.evals.iconeval.segment import CANVAS, MOST_PIECES, Piece, cut_out, find_pieces, reduced
from sfumato.evals.shapes import Pixels


def canvas(ground: str | None = None, side: int = CANVAS) -> Pixels:
    pixels = np.zeros((side, side, 4), np.uint8)
    if ground is not None:
        pixels[:] = (*rgb_of(ground), 255)
    return pixels


def disc(pixels: Pixels, x: int, y: int, radius: int, colour: str = "#dc2f2f") -> None:
    down, across = np.mgrid[: pixels.shape[0], : pixels.shape[1]]
    pixels[(down - y) ** 2 + (across - x) ** 2 < radius**2] = (*rgb_of(colour), 255)


@pytest.mark.parametrize("ground", [None, "#ffffff", "#1d2f63"])
def test_the_same_pieces_on_every_ground(ground: str | None) -> None:
    pixels = canvas(ground)
    disc(pixels, 60, 128, 40)
    disc(pixels, 190, 128, 30)
    root = find_pieces(cut_out(pixels))
    assert root is not None
    assert root.parts is not None
    assert [part.box for part in root.parts] == [(21, 89, 100, 168), (161, 99, 220, 158)]


def test_what_the_border_does_not_reach_is_not_ground() -> None:
    pixels = canvas("#ffffff")
    disc(pixels, 128, 128, 60, "#222222")
    disc(pixels, 128, 128, 50, "#ffffff")  # a snowman's white belly
    root = find_pieces(cut_out(pixels))
    assert root is not None
    assert root.mask.sum() > 0.95 * np.pi * 60**2


def test_a_picture_without_a_plain_border_stays_whole() -> None:
    pixels = canvas()
    pixels[..., 3] = 255
    pixels[..., :3] = np.random.default_rng(0).integers(0, 255, (CANVAS, CANVAS, 3))
    assert (cut_out(pixels)[..., 3] == 255).all()


def test_blank_pictures_have_no_pieces() -> None:
    assert find_pieces(cut_out(canvas())) is None
    assert find_pieces(cut_out(canvas("#ffffff"))) is None


def test_the_nearest_are_joined_first() -> None:
    pixels = canvas()
    disc(pixels, 50, 60, 25)
    disc(pixels, 110, 60, 25)
    disc(pixels, 80, 200, 25)
    root = find_pieces(pixels)
    assert root is not None
    assert root.parts is not None
    boxes = sorted(part.box[3] for part in root.parts)
    assert boxes == [85, 225]  # the two above, joined, and the one below


def test_crumbs_join_the_nearest_and_dirt_is_dropped() -> None:
    pixels = canvas()
    for i in range(MOST_PIECES + 4):
        disc(pixels, 20 + 50 * (i % 5), 20 + 50 * (i // 5), 12 if i < MOST_PIECES else 6)
    pixels[250, 250, 3] = 255
    root = find_pieces(pixels)
    assert root is not None

    def leaves(piece: Piece) -> int:
        return 1 if piece.parts is None else sum(leaves(part) for part in piece.parts)

    assert leaves(root) == MOST_PIECES
    assert not root.mask[250, 250]
    assert root.mask[170:200].any()


def test_reducing_keeps_colours_under_soft_edges() -> None:
    pixels = canvas(side=1024)
    disc(pixels, 512, 512, 300)
    small = reduced(pixels)
    assert small.shape == (CANVAS, CANVAS, 4)
    solid = small[..., 3] > 0
    assert (np.abs(small[solid][:, :3].astype(int) - rgb_of("#dc2f2f")) <= 3).all()
    assert reduced(small) is small
