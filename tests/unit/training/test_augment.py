"""The augmenter: whatever it paints, its caption is true."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfumato.colours import basic_name, parse_colour, rgb_of, srgb_to_oklab
from sfumato.training.augment import (
    KINDS,
    PALETTE,
    Part,
    Pixels,
    Recipe,
    Shelf,
    Subject,
    grounds_for,
    mirror,
    paint,
    read_subjects,
    recipe_at,
    recolour,
    resize,
    shades,
)
from sfumato.training.emblems import EMBLEMS, INSIDE, emblem_mask

SIDE = 64
BLACK = (0.0, 0.0, 0.0)


def make_pictures() -> Pixels:
    """Two black glyphs (a disc in the middle, a bar on the left) and one orange disc."""
    at = np.arange(SIDE) - SIDE / 2 + 0.5
    disc = (at[:, None] ** 2 + at[None] ** 2 < 24**2).astype(np.uint8) * 255
    bar = np.zeros((SIDE, SIDE), np.uint8)
    bar[8:56, 6:20] = 255
    pictures = np.zeros((3, SIDE, SIDE, 4), np.uint8)
    pictures[0, ..., 3], pictures[1, ..., 3], pictures[2, ..., 3] = disc, bar, disc
    pictures[2, ..., :3] = (245, 138, 31)
    return pictures


PICTURES = make_pictures()


def make_shelf() -> Shelf:
    words = (("disc", "ball", "round"), ("bar",), ("orange fruit", "citrus"))
    rows = [
        {"captions": list(names), "style": "flat" if i == 2 else "glyph", "split": "train"}
        for i, names in enumerate(words)
    ]
    return Shelf(read_subjects(rows, PICTURES))


SHELF = make_shelf()


def named_colours(pixels: Pixels) -> set[str]:
    """The PALETTE name nearest to every well-covered pixel."""
    solid = pixels[pixels[..., 3] > 250][:, :3]
    centres = np.stack(
        [srgb_to_oklab(np.array(rgb_of(parse_colour(n)), np.uint8)) for n in PALETTE]
    )
    colours, counts = np.unique(solid, axis=0, return_counts=True)
    colours = colours[counts > 0.02 * len(solid)]  # leave the blended edges out
    nearest = ((srgb_to_oklab(colours)[:, None] - centres) ** 2).sum(-1).argmin(1)
    return {PALETTE[i] for i in nearest}


def blobs(alpha: np.ndarray) -> list[tuple[float, float]]:
    """Centres (x, y) of the connected areas of an alpha channel, in reading order."""
    open_ = {(int(y), int(x)) for y, x in np.argwhere(alpha > 127)}
    centres = []
    while open_:
        todo, area = [open_.pop()], []
        while todo:
            y, x = todo.pop()
            area.append((x, y))
            for near in ((y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)):
                if near in open_:
                    open_.remove(near)
                    todo.append(near)
        if len(area) > 8:
            centres.append(tuple(np.mean(area, axis=0)))
    return sorted(centres, key=lambda c: (c[1], c[0]))


def one(row: int = 0, colour: str | None = None) -> Part:
    return Part(row=row, colour=colour, mirrors=True)


def test_only_black_drawings_may_be_recoloured() -> None:
    assert [s.mono for s in SHELF.subjects] == [True, True, False]
    assert [s.row for s in SHELF.mono] == [0, 1]
    assert basic_name(tuple(PICTURES[2, 32, 32, :3])) == "orange"


def test_pictures_outside_the_training_split_are_never_picked() -> None:
    rows = [
        {"captions": ["disc"], "style": "glyph", "split": split}
        for split in ("heldout", "train", "heldout")
    ]
    assert [s.row for s in read_subjects(rows, PICTURES)] == [1]


@pytest.mark.parametrize("name", PALETTE)
def test_every_shade_of_a_colour_may_be_called_so(name: str) -> None:
    known = shades(name)
    assert len(known) >= 8
    assert {basic_name(rgb) for rgb in known} == {basic_name(rgb_of(parse_colour(name)))}
    swatch = np.concatenate([known, np.full((len(known), 1), 255, np.uint8)], axis=1)
    assert all(named_colours(rgba[None, None]) == {name} for rgba in swatch)


@pytest.mark.parametrize("name", ["teal", "navy", "pink", "white"])
def test_a_recoloured_glyph_has_the_colour_that_its_caption_names(name: str) -> None:
    recipe = Recipe(caption=f"{name} disc", style="glyph", parts=(one(0, name),))
    for seed in range(5):
        assert named_colours(paint(recipe, PICTURES, np.random.default_rng(seed))) == {name}


def test_recolouring_keeps_the_alpha_and_the_original() -> None:
    before = PICTURES[0].copy()
    painted = recolour(PICTURES[0], np.array([1, 2, 3], np.uint8))
    assert np.array_equal(painted[..., 3], PICTURES[0, ..., 3])
    assert (painted[..., :3] == (1, 2, 3)).all()
    assert np.array_equal(PICTURES[0], before)


@settings(max_examples=60)
@given(number=st.integers(0, 2**40), curated=st.booleans())
def test_the_caption_names_every_colour_that_was_chosen_and_no_other(
    number: int, curated: bool
) -> None:
    recipe = recipe_at(SHELF, 1, number, curated=curated)
    chosen = {p.colour for p in recipe.parts if p.colour}
    chosen |= {c for c in (recipe.ground, recipe.emblem_colour) if c}
    said = recipe.caption.replace("orange fruit", "fruit")
    assert {name for name in PALETTE if re.search(rf"\b{name}\b", said)} == chosen
    if recipe.emblem:
        word = {"circle": "circle|round", "rounded square": "rounded square"}.get(
            recipe.emblem, recipe.emblem
        )
        assert re.search(word, recipe.caption)
    if recipe.ground:
        assert "background" in recipe.caption
        assert ("gradient" in recipe.caption) == recipe.gradient


@settings(max_examples=40)
@given(number=st.integers(0, 2**40), seed=st.integers(0, 2**32))
def test_painting_is_a_pure_function_of_recipe_and_generator(number: int, seed: int) -> None:
    recipe = recipe_at(SHELF, 1, number)
    assert recipe == recipe_at(SHELF, 1, number)
    first = paint(recipe, PICTURES, np.random.default_rng(seed))
    second = paint(recipe, PICTURES, np.random.default_rng(seed))
    assert first.shape == (SIDE, SIDE, 4)
    assert first.dtype == np.uint8
    assert np.array_equal(first, second)
    assert first[..., 3].any()


def test_three_in_ten_are_compositions() -> None:
    recipes = [recipe_at(SHELF, 2, n) for n in range(1500)]
    assert sum(KINDS.values()) == pytest.approx(1.0)
    several = np.mean([len(r.parts) > 1 for r in recipes])
    assert several == pytest.approx(0.3, abs=0.04)
    curated = np.mean([len(recipe_at(SHELF, 2, n, curated=True).parts) > 1 for n in range(1500)])
    assert curated < 0.75 * several


def test_a_third_of_the_plain_captions_are_short() -> None:
    plain = [
        r.caption
        for r in (recipe_at(SHELF, 3, n, curated=True) for n in range(3000))
        if len(r.parts) == 1 and not r.ground and not r.emblem
    ]
    short = re.compile(r"(an? )?(\w+ )?(disc|bar|orange fruit)")
    assert np.mean([bool(short.fullmatch(c)) for c in plain]) == pytest.approx(0.35, abs=0.06)


@pytest.mark.parametrize("count", [2, 3, 4])
def test_as_many_copies_are_drawn_as_the_caption_says(count: int) -> None:
    layout = "row" if count == 2 else "grid"
    recipe = Recipe(caption="", style="glyph", parts=(one(0, "red"),) * count, layout=layout)
    painted = paint(recipe, PICTURES, np.random.default_rng(0))
    assert len(blobs(painted[..., 3])) == count
    said = {len(r.parts) for r in _recipes(r"\b(two|2) ") if len({p.row for p in r.parts}) == 1}
    assert said == {2}


def _recipes(pattern: str) -> list[Recipe]:
    every = (recipe_at(SHELF, 5, n) for n in range(1500))
    return [r for r in every if re.search(pattern, r.caption)]


@pytest.mark.parametrize(
    ("phrase", "axis", "reversed_"),
    [(" left of ", 0, False), ("right of", 0, True), (" above ", 1, False), (" below ", 1, True)],
)
def test_things_stand_where_the_caption_puts_them(phrase: str, axis: int, reversed_: bool) -> None:
    found = [
        r
        for r in _recipes(phrase)
        if {p.row for p in r.parts} == {0, 1} and all(p.colour for p in r.parts)
    ]
    assert found
    for recipe in found[:6]:
        painted = paint(recipe, PICTURES, np.random.default_rng(1))
        named_first = re.split(phrase, recipe.caption)[0]
        row = 0 if "disc" in named_first else 1
        colour = next(p.colour for p in recipe.parts if p.row == row)
        where = {}
        for part in recipe.parts:
            alone = Recipe(caption="", style="", parts=recipe.parts, layout=recipe.layout)
            hidden = PICTURES.copy()
            hidden[1 - part.row] = 0
            where[part.row] = blobs(paint(alone, hidden, np.random.default_rng(1))[..., 3])[0]
        first, second = where[row][axis], where[1 - row][axis]
        assert (first > second) if reversed_ else (first < second), recipe.caption
        assert colour is not None
        assert colour in named_first
        assert painted[..., 3].any()


def test_two_colours_are_bound_to_their_own_things() -> None:
    found = _recipes(r"disc(,| and) .*bar")
    assert found
    for recipe in found:
        by_row = {p.row: p.colour for p in recipe.parts}
        assert f"{by_row[0]} disc" in recipe.caption
        assert f"{by_row[1]} bar" in recipe.caption
        assert by_row[0] != by_row[1]


def test_a_drawing_stands_out_from_its_ground() -> None:
    assert "black" not in grounds_for(BLACK)
    assert "white" in grounds_for(BLACK)
    for recipe in (recipe_at(SHELF, 6, n) for n in range(800)):
        ground = recipe.ground or recipe.emblem_colour
        assert ground is None or recipe.parts[0].colour != ground


@pytest.mark.parametrize("shape", EMBLEMS)
def test_an_emblem_is_a_centred_field_that_holds_its_subject(shape: str) -> None:
    mask = emblem_mask(shape, 128)
    assert mask.shape == (128, 128)
    assert abs(mask.astype(int) - mask[:, ::-1].astype(int)).max() <= 1
    assert mask[0].max() < 128  # nothing is cut off at the top
    half = int(64 * INSIDE[shape] * 0.7)
    inner = mask[64 - half : 64 + half, 64 - half : 64 + half]
    assert (inner == 0).all() if shape == "ring" else (inner == 255).all()


def test_a_ground_fills_the_picture_and_none_leaves_it_transparent() -> None:
    recipe = Recipe(caption="", style="", parts=(one(0, "white"),), ground="navy")
    painted = paint(recipe, PICTURES, np.random.default_rng(0))
    assert (painted[..., 3] == 255).all()
    assert named_colours(painted) == {"navy", "white"}
    bare = Recipe(caption="", style="", parts=(one(0, "white"),))
    assert paint(bare, PICTURES, np.random.default_rng(0))[0, 0, 3] == 0


def test_writing_and_hands_are_never_mirrored() -> None:
    def subject(name: str) -> Subject:
        return Subject(row=1, names=(name,), style="glyph", mono=True, tone=BLACK)

    assert subject("fox").mirrors
    for name in ("left arrow", "thumbs up", "clock", "musical note", "stop sign"):
        assert not subject(name).mirrors
    turned = {
        allowed: any(
            paint(
                Recipe(caption="", style="", parts=(Part(row=1, colour=None, mirrors=allowed),)),
                PICTURES,
                np.random.default_rng(seed),
            )[:, SIDE // 2 + 8 :, 3].any()
            for seed in range(40)
        )
        for allowed in (True, False)
    }
    assert turned == {True: True, False: False}
    assert np.array_equal(mirror(mirror(PICTURES[1])), PICTURES[1])


def test_resizing_does_not_let_hidden_colours_bleed() -> None:
    hidden = np.zeros((64, 64, 4), np.uint8)
    hidden[..., :3] = (0, 255, 0)
    hidden[16:48, 16:48] = (255, 0, 0, 255)
    small = resize(hidden, 24)
    seen = small[small[..., 3] > 8]
    assert (seen[:, 1] < 16).all()
