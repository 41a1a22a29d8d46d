"""Several things in one prompt: what they are, how many of each, how they stand."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfumato.backends import fake
from sfumato.colours import parse_colour
from sfumato.prompt import ParsedPrompt, Scene, parse_prompt
from sfumato.request import MAX_KINDS, MAX_THINGS

SPEC = fake.spec()


def parse(prompt: str) -> ParsedPrompt:
    return parse_prompt(prompt, SPEC)


def scene_of(prompt: str) -> Scene:
    scene = parse(prompt).scene
    assert scene is not None, prompt
    return scene


# ---------------------------------------------------------------- how many, and what


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("three apples", "three apples"),
        ("4 stars", "four stars"),
        ("Two cats.", "two cats"),
        ("a pair of dice", "two dice"),
        ("a couple of foxes", "two foxes"),
        ("a trio of bears", "three bears"),
        ("nine balloons", "nine balloons"),
        ("three sheep", "three sheep"),
        ("two slices of pizza", "two slices of pizza"),
        ("five cherries", "five cherries"),
        ("2 fox", "two foxes"),
        ("three snowmen", "three snowmen"),
        ("two bowls of ramen", "two bowls of ramen"),
        ("flat icons of three little pigs", "three pigs"),
        ("app icon of two rockets", "two rockets"),
        ("3 🍎", "three red apples"),
        ("🍎🍎🍎", "three red apples"),
        ("a fox and a rabbit", "a fox and a rabbit"),
        ("fox and rabbit", "a fox and a rabbit"),
        ("fox & rabbit logo", "a fox and a rabbit"),
        ("a fox as well as an owl", "a fox and an owl"),
        ("a fox vs a bear", "a fox and a bear"),
        ("🍎 and 🍐", "a red apple and a pear"),
        ("an apple, a pear and a banana", "an apple, a pear and a banana"),
        ("apple, pear, and banana", "an apple, a pear and a banana"),
        ("logo of a fox, an owl", "a fox and an owl"),
        ("two cats and a dog", "two cats and a dog"),
        ("2 foxes & 1 rabbit", "two foxes and a rabbit"),
        ("one cat and two dogs", "a cat and two dogs"),
        ("cats and dogs", "cats and dogs"),
        ("an orange and a lemon", "an orange and a lemon"),
        ("orange and lemon", "an orange and a lemon"),
        ("a bowl of soup and a cup of coffee", "a bowl of soup and a cup of coffee"),
        ("salt and pepper and a fork", "a salt and pepper and a fork"),
        ("a fox and a fox", "two foxes"),
        ("a robot and its dog", "a robot and a dog"),
        ("2 slice of pizza", "two slices of pizza"),
        ("a fox and a hatchling", "a fox and a hatchling"),
        ("swimming and cycling", "a swimming and a cycling"),
        ("icons for a cat and a dog", "a cat and a dog"),
        ("a fox, an owl and a hen, for kids", "a fox, an owl and a hen"),
        ("a US flag and a UK flag", "a us flag and a uk flag"),
    ],
)
def test_things_are_counted_and_told_apart(prompt: str, words: str) -> None:
    parsed = parse(prompt)
    assert parsed.subject == words == scene_of(prompt).words
    assert not any("one subject" in note for note in parsed.notes)


@pytest.mark.parametrize(
    ("prompt", "axis", "blocks"),
    [
        ("a cat left of a dog", "across", [["cat"], ["dog"]]),
        ("a cat to the left of a dog", "across", [["cat"], ["dog"]]),
        ("a cat on the left side of a dog", "across", [["cat"], ["dog"]]),
        ("a cat right of a dog", "across", [["dog"], ["cat"]]),
        ("a cat next to a dog", "across", [["cat"], ["dog"]]),
        ("a cat sitting right beside a dog", "across", [["cat"], ["dog"]]),
        ("an owl above a book", "down", [["owl"], ["book"]]),
        ("an owl on top of a book", "down", [["owl"], ["book"]]),
        ("a bird flying over a house", "down", [["bird"], ["house"]]),
        ("an owl below a book", "down", [["book"], ["owl"]]),
        ("an egg underneath a chair", "down", [["chair"], ["egg"]]),
        ("two cats above a dog", "down", [["cat", "cat"], ["dog"]]),
        ("a cat and a hen above a dog", "down", [["cat", "hen"], ["dog"]]),
        ("a cat left of a dog left of an owl", "across", [["cat"], ["dog"], ["owl"]]),
        ("a cat between two dogs", "across", [["dog"], ["cat"], ["dog"]]),
        ("a cat between a dog and an owl", "across", [["dog"], ["cat"], ["owl"]]),
        ("a cat on the left and a dog on the right", "across", [["cat"], ["dog"]]),
        ("a dog on the right, a cat on the left", "across", [["cat"], ["dog"]]),
        ("a cat, above a dog", "down", [["cat"], ["dog"]]),
        ("a sun at the top and a tree at the bottom", "down", [["sun"], ["tree"]]),
    ],
)
def test_relations_say_where_things_stand(prompt: str, axis: str, blocks: list[list[str]]) -> None:
    scene = scene_of(prompt)
    names = [[scene.things[at].subject for at in block] for block in scene.blocks_of_copies]
    assert (scene.axis, names) == (axis, blocks)


@pytest.mark.parametrize(
    ("prompt", "shape"),
    [
        ("four stars in a row", "row"),
        ("three apples side by side", "row"),
        ("three apples, lined up", "row"),
        ("three apples on top of each other", "column"),
        ("a fox and an owl one above the other", "column"),
        ("six stars in a grid", "grid"),
    ],
)
def test_an_arrangement_is_read(prompt: str, shape: str) -> None:
    assert scene_of(prompt).shape == shape
    assert parse(prompt).notes == ()


@pytest.mark.parametrize(
    ("prompt", "colours"),
    [
        ("a red apple and a green pear", ["red", "green"]),
        ("a purple elephant left of a green chair", ["purple", "green"]),
        ("a big red balloon and two tiny blue balloons", ["red", "blue"]),
        ("a black and white cat and a brown dog", ["black", "brown"]),
        ("three red apples", ["red"]),
        ("three foxes, blue", ["blue"]),
        ("a fox and a hen in blue", ["blue", "blue"]),
        ("a pink fox and a hen, blue", ["pink", "blue"]),
    ],
)
def test_each_thing_has_its_colour(prompt: str, colours: list[str]) -> None:
    scene = scene_of(prompt)
    assert [thing.tint_name for thing in scene.things] == colours
    assert [thing.tint for thing in scene.things] == [parse_colour(colour) for colour in colours]
    assert parse(prompt).tint is None


def test_style_ground_and_emblem_belong_to_the_whole() -> None:
    parsed = parse("three striped apples on a blue circle, white background")
    assert parsed.scene is not None and parsed.emblem is not None
    assert (parsed.style, parsed.emblem.shape, parsed.background) == (
        "striped",
        "circle",
        "#ffffff",
    )
    parsed = parse("a fox and a hen on a yellow background")
    assert parsed.scene is not None
    assert parsed.background == parse_colour("yellow")


# ---------------------------------------------------------------- one thing all the same


@pytest.mark.parametrize(
    ("prompt", "subject"),
    [
        ("salt and pepper", "salt and pepper"),
        ("fish and chips", "fish and chips"),
        ("a bow and arrow", "bow and arrow"),
        ("skull and crossbones", "skull and crossbones"),
        ("mac and cheese", "mac and cheese"),
        ("sun behind cloud", "sun behind cloud"),
        ("man and woman holding hands", "man and woman holding hands"),
        ("cup with straw", "cup with straw"),
        ("clinking beer mugs", "clinking beer mugs"),
        ("four leaf clover", "four leaf clover"),
        ("five pointed star", "five pointed star"),
        ("pool 8 ball", "pool 8 ball"),
        ("a pair of scissors", "pair of scissors"),
        ("a pair of socks", "pair of socks"),
        ("a two-headed dragon", "two-headed dragon"),
        ("black and white cat", "cat"),
        ("a red and blue parrot", "parrot"),
        ("an orange and white cat", "cat"),
        ("a fox with sunglasses", "fox"),
        ("a robot holding a flower", "robot"),
        ("a robot holding a flower and a book", "robot"),
        ("a fox in a hat and a rabbit", "fox"),
        ("a cow jumping over the moon", "cow"),
        ("a cat or a dog", "cat"),
        ("fox, forest", "fox"),
        ("fox, with hat and scarf", "fox"),
        ("a forest, with a fox, an owl and a hen", "forest"),
        ("logo for a cat and a dog", "cat"),
        ("app icon for music and games", "app icon"),
        ("person riding a bike and waving", "person riding a bike"),
        ("person riding a bike and waving a flag", "person riding a bike"),
        ("a robot dancing and singing", "robot dancing"),
        ("person singing and dancing", "person singing"),
        ("one fox", "fox"),
        ("1 apple", "apple"),
        ("three", "three"),
        ("and", "and"),
        ("two", "two"),
    ],
)
def test_what_is_one_thing_or_unclear_stays_one(prompt: str, subject: str) -> None:
    parsed = parse(prompt)
    assert parsed.scene is None
    assert parsed.subject == subject


@pytest.mark.parametrize(
    "prompt",
    ["12 apples", "a dozen eggs", "five apples and six pears", "a fox, a cat, a dog, a hen, a pig"],
)
def test_more_than_fit_are_not_laid_out_and_it_is_said(prompt: str) -> None:
    parsed = parse(prompt)
    assert parsed.scene is None
    (note,) = parsed.notes
    assert note.startswith(
        f"Up to {MAX_KINDS} kinds of things, {MAX_THINGS} in all, fit into one picture: drawing the"
    )


@pytest.mark.parametrize(
    "prompt",
    [
        "a fox and a rabbit in a forest",
        "a fox, a rabbit, in a forest",
        "in a forest, a fox and a rabbit",
    ],
)
def test_scenery_is_left_out_and_said(prompt: str) -> None:
    parsed = parse(prompt)
    assert parsed.subject == "a fox and a rabbit"
    assert parsed.notes == ("fake draws no scenery: leaving out “in a forest”.",)


# ---------------------------------------------------------------- any words at all

WORDS = """a an the two three 5 12 dozen pair of couple red blue orange black fox foxes owl apple
apples pear dice scissors and & + or vs with , . left right of to on next beside near above below
under over top between in row side by each other sitting flying holding logo icon circle blue
background white striped 🍎 🦊 both several"""
anything = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1),
    st.lists(st.sampled_from(WORDS.split()), min_size=1, max_size=24).map(" ".join),
)


@given(anything)
@settings(max_examples=150, deadline=None)
def test_any_words_are_read_within_the_limits(prompt: str) -> None:
    parsed = parse(prompt)
    assert parsed.subject.strip() or not prompt.strip()
    if parsed.scene is None:
        return
    scene = parsed.scene
    copies = [thing for block in scene.blocks_of_copies for thing in block]
    assert 2 <= len(copies) <= MAX_THINGS
    assert set(copies) == set(range(len(scene.things)))
    assert len(scene.things) <= MAX_KINDS
    assert all(thing.subject.strip() for thing in scene.things)
    assert parse(prompt) == parsed


NOUNS = ["fox", "owl", "apple", "beer mug", "elephant", "castle", "ice cream", "rocket"]
NUMBERS = {1: "a", 2: "two", 3: "three", 4: "4"}
LINKS = [" and ", " & ", ", ", " left of ", " above ", " next to "]


@given(
    items=st.lists(
        st.tuples(
            st.sampled_from(NOUNS),
            st.integers(1, 4),
            st.sampled_from(["", "purple ", "navy blue "]),
        ),
        min_size=2,
        max_size=4,
        unique_by=lambda item: item[0],
    ),
    link=st.sampled_from(LINKS),
    frame=st.sampled_from(["", "a flat icon of ", "logo: ", "please draw "]),
    tail=st.sampled_from(["", ", minimalist", " on a navy background", " on a blue circle", "!"]),
)
@settings(max_examples=60, deadline=None)
def test_no_thing_is_lost(
    items: list[tuple[str, int, str]], link: str, frame: str, tail: str
) -> None:
    said = [f"{NUMBERS[n]} {colour}{noun}{'s' if n > 1 else ''}" for noun, n, colour in items]
    parsed = parse(frame + link.join(said) + tail)
    if sum(count for _, count, _ in items) > MAX_THINGS:
        assert parsed.scene is None
        return
    assert parsed.scene is not None
    copies = [thing for block in parsed.scene.blocks_of_copies for thing in block]
    found = {
        thing.subject: (copies.count(at), thing.tint_name)
        for at, thing in enumerate(parsed.scene.things)
    }
    assert found.keys() == {noun for noun, _, _ in items}
    for noun, count, colour in items:
        assert found[noun][0] == count
        assert (found[noun][1] or "") == colour.strip()
