from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sfumato.colours import rgb_of
from sfumato.errors import StorageError
from sfumato.evals.colour import main_colour
from sfumato.evals.iconeval.prompts import COLOURS, IconPrompt, load_concepts, load_prompts
from sfumato.evals.iconeval.rules import relations_of
from sfumato.evals.iconeval.scenes import compose_scene, recoloured, trimmed
from sfumato.evals.iconeval.segment import Piece, cut_out, find_pieces, reduced
from sfumato.evals.iconeval.shelf import read_icons
from sfumato.evals.shapes import Pixels


def square(concept: str) -> Pixels:
    """A red square with a margin, whatever is asked."""
    pixels = np.zeros((100, 100, 4), np.uint8)
    pixels[20:80, 20:80] = (*rgb_of("#dc2f2f"), 255)
    return pixels


def leaves(piece: Piece) -> list[Piece]:
    if piece.parts is None:
        return [piece]
    return [leaf for part in piece.parts for leaf in leaves(part)]


def pieces_of(prompt: IconPrompt, seed: int) -> list[Piece]:
    scene = compose_scene(prompt, square, np.random.default_rng(seed))
    root = find_pieces(cut_out(reduced(scene)))
    assert root is not None
    return leaves(root)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("task", ["single", "two", "counting", "position", "attribution"])
def test_a_scene_holds_what_is_asked_and_nothing_touches(task: str, seed: int) -> None:
    prompts = [prompt for prompt in load_prompts() if prompt.task == task][:6]
    for prompt in prompts:
        pieces = pieces_of(prompt, seed)
        assert len(pieces) == sum(wanted.count for wanted in prompt.wanted)


@pytest.mark.parametrize("relation", ["left of", "right of", "above", "below"])
def test_positions_are_as_asked(relation: str) -> None:
    prompt = next(prompt for prompt in load_prompts() if prompt.relation == relation)

    def draw(concept: str) -> Pixels:
        pixels = square(concept)
        if concept == prompt.wanted[1].concept:
            pixels[..., :3] = rgb_of("#2f6fde")
        return pixels

    for seed in range(5):
        scene = compose_scene(prompt, draw, np.random.default_rng(seed))
        root = find_pieces(cut_out(scene))
        assert root is not None
        boxes = {}
        for piece in leaves(root):
            own = scene.copy()
            own[~piece.mask, 3] = 0
            left, top, right, bottom = piece.box
            boxes[main_colour(own)] = (float(left), float(top), float(right), float(bottom))
        assert relation in relations_of(boxes["red"], boxes["blue"])


@pytest.mark.parametrize("colour", COLOURS)
def test_recolouring_gives_the_colour_that_the_judge_calls_so(colour: str) -> None:
    assert main_colour(recoloured(square(""), colour)) == colour


def test_scenes_depend_on_the_generator_alone() -> None:
    prompt = load_prompts()[100]
    first, again, other = (
        compose_scene(prompt, square, np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_clear_margins_are_cut_and_clear_pictures_kept() -> None:
    assert trimmed(square("")).shape == (60, 60, 4)
    assert trimmed(np.zeros((9, 9, 4), np.uint8)).shape == (9, 9, 4)
    assert recoloured(np.zeros((9, 9, 4), np.uint8), "red").shape == (9, 9, 4)


def test_icons_are_read_by_concept(icon_folder: Path) -> None:
    shelf = read_icons(icon_folder, load_concepts())
    assert len(shelf) == 80
    assert all(icons[0].pack == "drawn-here" for icons in shelf.values())
    assert shelf["key"][0].draw(32).shape == (32, 32, 4)


def test_a_folder_without_icons_is_refused(tmp_path: Path, icon_folder: Path) -> None:
    with pytest.raises(StorageError, match="holds no icons"):
        read_icons(tmp_path, load_concepts())
    with pytest.raises(StorageError, match="has no icon of"):
        read_icons(icon_folder, load_concepts(), packs=["another"])
