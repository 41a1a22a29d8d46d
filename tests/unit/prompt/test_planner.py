"""The scene planner: what is the subject, and what the other words decide."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfumato.backends import fake
from sfumato.colours import parse_colour
from sfumato.prompt import ParsedPrompt, parse_prompt
from sfumato.prompt.planner import MAX_SUBJECT_WORDS
from sfumato.request import EMBLEM_SHAPES

SPEC = replace(
    fake.spec(),
    name="chiaro",
    styles=("flat", "cartoon", "classic", "soft", "glyph"),
    default_styles=("flat",),
    style_words={"line art": "glyph", "outline": "glyph", "glossy": "soft"},
)


def parse(prompt: str) -> ParsedPrompt:
    return parse_prompt(prompt, SPEC)


def check(prompt: str, subject: str, **said: object) -> ParsedPrompt:
    """``prompt`` leaves ``subject`` and says exactly what is named; all else is default."""
    parsed = parse(prompt)
    expected = {"style": None, "background": "transparent", "tint_name": None, **said}
    assert parsed.subject == subject
    assert {key: getattr(parsed, key) for key in expected} == expected
    if parsed.tint_name is None:
        assert parsed.tint is None
    else:
        assert parsed.tint == parse_colour(parsed.tint_name)
    return parsed


# ---------------------------------------------------------------- framing


@pytest.mark.parametrize(
    ("prompt", "subject"),
    [
        ("fox", "fox"),
        ("Fox.", "fox"),
        ("a fox", "fox"),
        ("logo of a fox", "fox"),
        ("a fox logo", "fox"),
        ("fox logo design", "fox"),
        ("logo: fox", "fox"),
        ("a logo for a coffee shop", "coffee shop"),
        ("sticker of a smiling avocado", "smiling avocado"),
        ("an illustration of the eiffel tower", "eiffel tower"),
        ("vector drawing of a mountain", "mountain"),
        ("flat design illustration of a mountain", "mountain"),
        ("please draw me a nice minimalist icon of a tea cup", "tea cup"),
        ("Can you make me a picture of a dinosaur?", "dinosaur"),
        ("castle, high quality, 4k, highly detailed", "castle"),
        ("a slice of pizza", "slice of pizza"),
        ("industrial design of an electric kettle", "electric kettle"),
        ("concept art of a castle", "castle"),
        ("architectural drawing of a skyscraper", "skyscraper"),
        ("product shot of a running shoe", "running shoe"),
        ("a dragon for a book cover", "dragon"),
        ("lighthouse logo for a sailing club", "lighthouse"),
        ("symbol of peace", "peace"),
        ("T-Rex", "t-rex"),
        ("draw us a map", "map"),
        ("draw fox", "fox"),
        ("single fox", "fox"),
        ("a red fox, for a book cover", "fox"),
        ("for a book cover, a dragon", "dragon"),
        ("a guitar for boys and girls", "guitar"),
    ],
)
def test_framing_is_dropped(prompt: str, subject: str) -> None:
    assert check(prompt, subject).notes == ()


@pytest.mark.parametrize(
    "prompt",
    [
        *("icon", "logo", "sticker", "orange", "rose", "blue", "cartoon", "vector", "the", "badge"),
        *(
            "picture frame",
            "paint brush",
            "drawing board",
            "flat tyre",
            "classic car",
            "name badge",
        ),
        *("peace symbol", "five pointed star", "diamond ring", "round table", "chocolate cake"),
        *("sunglasses", "person juggling", "building", "heart with arrow", "nut and bolt"),
        *("gold medal", "polar bear", "brown bear", "red panda", "blue whale", "black hole"),
        *("orange juice", "red wine", "green tea", "white house", "coral reef", "blood orange"),
        *("face with tears of joy", "bow and arrow", "witch on a broom", "house with garden"),
        *("us flag", "us and uk flags", "sketch book", "paint tube", "draw bridge"),
        *("show jumping horse", "single malt whisky", "8 bit heart", "5 pointed star"),
        *("2 person tent", "2024 calendar", "747 plane"),
    ],
)
def test_words_that_are_the_subject_are_kept(prompt: str) -> None:
    parsed = parse(prompt)
    assert parsed.subject == prompt
    assert (parsed.tint, parsed.emblem, parsed.notes) == (None, None, ())
    assert parsed.background == "transparent"


# ---------------------------------------------------------------- colour


@pytest.mark.parametrize(
    ("prompt", "subject", "name"),
    [
        ("a red fox", "fox", None),
        ("a red dragon", "dragon", "red"),
        ("a green apple", "green apple", "green"),
        ("navy blue car", "car", "navy blue"),
        ("a light green frog", "frog", "light green"),
        ("golden crown", "crown", "golden"),
        ("gold trophy", "trophy", "gold"),
        ("orange cat", "cat", "orange"),
        ("bright red sports car", "sports car", "bright red"),
        ("coral-coloured fish", "fish", "coral"),
        ("#ff8800 fox", "fox", "#ff8800"),
        ("fox, blue", "fox", "blue"),
        ("a fox in blue", "fox", "blue"),
        ("fox red", "fox", "red"),
        ("teapot; colour: turquoise", "teapot", "turquoise"),
        ("a red circle", "red circle", "red"),
        ("red heart", "red heart", "red"),
        ("light blue heart", "light blue heart", "light blue"),
        ("black cat", "black cat", "black"),
        ("red question mark", "red question mark", "red"),
        ("a white exclamation mark", "white exclamation mark", "white"),
    ],
)
def test_a_colour_becomes_the_tint(prompt: str, subject: str, name: str) -> None:
    assert check(prompt, subject, tint_name=name).notes == ()


def test_a_colour_of_something_else_is_not_the_subjects() -> None:
    assert check("a knight with a red cape", "knight").tint is None


def test_of_two_colours_the_first_is_taken_and_it_is_said() -> None:
    parsed = check("a red and blue parrot", "parrot", tint_name="red")
    assert parsed.notes == ("chiaro tints with one colour: red.",)


# ---------------------------------------------------------------- ground


@pytest.mark.parametrize(
    ("prompt", "subject", "colour"),
    [
        ("a fox on a blue background", "fox", "blue"),
        ("owl on white", "owl", "white"),
        ("owl against a dark navy background", "owl", "dark navy"),
        ("leaf logo, white background", "leaf", "white"),
        ("background: blue, fox", "fox", "blue"),
        ("fox on a solid light pink backdrop", "fox", "light pink"),
        ("fox isolated on white", "fox", "white"),
        ("moon on a dark background", "moon", "charcoal"),
        ("red panda on green", "red panda", "green"),
    ],
)
def test_a_ground_is_read(prompt: str, subject: str, colour: str) -> None:
    assert check(prompt, subject, background=parse_colour(colour)).notes == ()


@pytest.mark.parametrize(
    "prompt",
    [
        "rocket, transparent background",
        "rocket on a transparent background",
        "rocket with no background",
        "rocket without a background",
    ],
)
def test_no_ground_is_said_in_many_ways(prompt: str) -> None:
    assert check(prompt, "rocket").notes == ()


def test_a_ground_that_is_no_colour_is_left_out_and_said() -> None:
    (note,) = check("a fox on a starry background", "fox").notes
    assert "on a starry background" in note


# ---------------------------------------------------------------- emblem


@pytest.mark.parametrize(
    ("prompt", "subject", "shape", "colour"),
    [
        ("a cat on a blue circle", "cat", "circle", "blue"),
        ("lion in a hexagon", "lion", "hexagon", None),
        ("bee on a yellow hexagon", "bee", "hexagon", "yellow"),
        ("shield emblem of a lion", "lion", "shield", None),
        ("app icon of a rocket", "rocket", "rounded", None),
        ("blue app icon of a camera", "camera", "rounded", "blue"),
        ("rocket app icon", "rocket", "rounded", None),
        ("lion badge", "lion", "circle", None),
        ("lion crest", "lion", "shield", None),
        ("a round badge of a bear", "bear", "circle", None),
        ("fox emblem, hexagon", "fox", "hexagon", None),
        ("app icon: rocket", "rocket", "rounded", None),
        ("fox logo, blue circle", "fox", "circle", "blue"),
        ("eagle with a sunburst", "eagle", "sunburst", None),
        ("eagle in front of an orange sunburst", "eagle", "sunburst", "orange"),
        ("camera in a green rounded square", "camera", "rounded", "green"),
        ("ship on a dark blue ring", "ship", "ring", "dark blue"),
        ("tree inside a diamond", "tree", "diamond", None),
        ("a blue circle logo of a fox", "fox", "circle", "blue"),
        ("fox on a red square background", "fox", "square", "red"),
    ],
)
def test_an_emblem_is_read(prompt: str, subject: str, shape: str, colour: str | None) -> None:
    emblem = check(prompt, subject).emblem
    assert emblem is not None
    assert emblem.shape == shape
    if colour is not None:
        assert emblem.colour == parse_colour(colour)


@pytest.mark.parametrize(
    "prompt", ["a blue circle", "diamond icon", "a knight with a shield", "a cat on a round table"]
)
def test_a_shape_that_is_no_emblem_makes_none(prompt: str) -> None:
    assert parse(prompt).emblem is None


def test_an_emblem_and_a_ground_go_together() -> None:
    parsed = check("owl on a red circle on a white background", "owl", background="#ffffff")
    assert parsed.emblem is not None
    assert (parsed.emblem.shape, parsed.emblem.colour) == ("circle", parse_colour("red"))


def test_an_emblems_own_colour_is_steady_and_unlike_the_tint() -> None:
    assert parse("lion in a circle").emblem == parse("a lion in a circle").emblem
    colours = {
        parse(f"{word} badge").emblem.colour for word in ("fox", "owl", "tree", "ship", "sun")
    }
    assert len(colours) > 1
    white = parse("a white lion in a circle").emblem.colour
    dark = parse("a navy lion in a circle").emblem.colour

    def lightness(colour: str) -> int:
        return sum(bytes.fromhex(colour[1:]))

    assert lightness(white) < 350 < 500 < lightness(dark)


# ---------------------------------------------------------------- style


@pytest.mark.parametrize(
    ("prompt", "subject", "style"),
    [
        ("a flat fox", "fox", "flat"),
        ("fox, cartoon", "fox", "cartoon"),
        ("fox in cartoon style", "fox", "cartoon"),
        ("a bicycle in a line art style", "bicycle", "glyph"),
        ("cartoon of a dog", "dog", "cartoon"),
        ("an outline of a bicycle", "bicycle", "glyph"),
        ("soft-style cloud", "cloud", "soft"),
        ("Glossy heart", "heart", "soft"),
    ],
)
def test_a_style_is_read(prompt: str, subject: str, style: str) -> None:
    assert check(prompt, subject, style=style).notes == ()


def test_style_words_are_the_models_own() -> None:
    plain = replace(SPEC, style_words={})
    assert parse_prompt("line art of a bicycle", plain).style is None
    assert parse("logo of a fox").style is None


# ---------------------------------------------------------------- one subject


@pytest.mark.parametrize(
    ("prompt", "subject", "left_out"),
    [
        ("several foxes", "fox", ""),
        ("a group of wolves", "wolf", ""),
        ("a fox with an owl", "fox", "with an owl"),
        ("a fox in a tree", "fox", "in a tree"),
        ("a dragon breathing fire", "dragon", "breathing fire"),
        ("a dog that looks at the moon", "dog", "that looks at the moon"),
        ("fox, owl", "fox", "owl"),
        ("🦊🔥", "fox", "fire"),
        ("a fox, with a hat", "fox", "with a hat"),
        ("a fox, in a forest", "fox", "in a forest"),
        ("in a forest, a fox", "fox", "in a forest"),
        ("an owl, on a branch", "owl", "on a branch"),
        ("a house, made of a cake", "house", "made of a cake"),
        ("a fox, with a hat, an owl", "fox", "with a hat, owl"),
        ("an owl between three trees", "owl", "between three trees"),
        ("a fox between a tree", "fox", "between a tree"),
        ("icon for music and games", "music", "games"),
        ("logo for a coffee shop and bakery", "coffee shop", "bakery"),
        ("a guitar for boys and a drum", "guitar", "for boys and a drum"),
    ],
)
def test_what_is_not_drawn_is_said(prompt: str, subject: str, left_out: str) -> None:
    (note,) = check(prompt, subject).notes
    assert note.startswith(f"chiaro draws one subject at a time: drawing the {subject}")
    assert (f"leaving out “{left_out}”" in note) if left_out else note.endswith(f"{subject}.")


def test_a_mark_between_a_thing_and_its_emblem_or_dress_changes_nothing() -> None:
    parsed = parse("a fox, on a blue circle, with a hat")
    assert (parsed.subject, parsed.scene) == ("fox", None)
    assert parsed.emblem is not None and parsed.emblem.shape == "circle"


def test_a_long_prompt_keeps_its_head_and_says_so_shortly() -> None:
    parsed = parse("a brave old wise small fox " + "that walks through the forest " * 100)
    assert parsed.subject == "brave old wise fox"
    assert len(parsed.notes[0]) < 200
    assert len(parse("alpaca " * 1_000).subject.split()) == MAX_SUBJECT_WORDS


# ---------------------------------------------------------------- other languages, emoji


@pytest.mark.parametrize("prompt", ["قطة حمراء", "红色的狐狸", "рыжая лиса", "きつね  ロゴ"])
def test_other_languages_are_kept_with_a_kind_note(prompt: str) -> None:
    parsed = parse(prompt)
    assert parsed.subject == " ".join(prompt.split())
    (note,) = parsed.notes
    assert "chiaro reads English" in note


@pytest.mark.parametrize("prompt", ["un renard rouge", "ein roter Fuchs", "una casa", "het huis"])
def test_other_languages_in_our_letters_get_the_same_note(prompt: str) -> None:
    parsed = parse(prompt)
    assert parsed.subject == prompt.lower()
    (note,) = parsed.notes
    assert "chiaro reads English" in note


@pytest.mark.parametrize("prompt", ["a die", "den of foxes", "la croissant", "UN flag", "uno"])
def test_borrowed_words_are_english(prompt: str) -> None:
    assert not any("English" in note for note in parse(prompt).notes)


# ---------------------------------------------------------------- beyond a flat drawing


@pytest.mark.parametrize(
    ("prompt", "subject", "words"),
    [
        ('a sign that says "OPEN"', "sign", "OPEN"),
        ("a neon sign saying hello", "neon sign", "hello"),
        ("logo of a fox with the text ACME, flat", "fox", "ACME"),
        ("birthday card “Happy Birthday”", "birthday card", "Happy Birthday"),
        ("sign that says open 24 hours", "sign", "open 24 hours"),
        ('logo for a bakery "Rise"', "bakery", "Rise"),
        ('icon with a fox "ACME"', "fox", "ACME"),
        ('a logo that says "ACME"', "logo", "ACME"),
        ('rose "Love"', "rose", "Love"),
        ('bread "Toast"', "bread", "Toast"),
        ('A Mug With The Words "Hi"', "mug", "Hi"),
        ('sticker of "coffee cup" saying "HELLO"', "coffee cup", "HELLO"),
    ],
)
def test_lettering_is_left_out_and_said(prompt: str, subject: str, words: str) -> None:
    parsed = parse(prompt)
    assert parsed.subject == subject
    (note,) = parsed.notes
    assert note == f"chiaro draws flat pictures without lettering: leaving out “{words}”."


@pytest.mark.parametrize(
    ("prompt", "subject", "said"),
    [
        ('"a red fox", flat', "fox", {"style": "flat"}),
        ('line art "owl"', "owl", {"style": "glyph"}),
        ('"a fox", red', "fox", {"tint_name": "red"}),
        ('"fox" on white', "fox", {"background": "#ffffff"}),
        ('icon of "settings"', "settings", {}),
        ('the "thumbs up" emoji', "thumbs up", {}),
        ('logo for "Rocket"', "rocket", {}),
        ('draw "a red fox"', "fox", {}),
        ('App icon: "weather"', "weather", {}),
        ('"Fox" badge', "fox", {}),
    ],
)
def test_a_quoted_subject_is_no_lettering(
    prompt: str, subject: str, said: dict[str, object]
) -> None:
    assert check(prompt, subject, **said).notes == ()


def test_a_quoted_subject_is_told_from_what_is_around_it() -> None:
    (note,) = check('"red fox" in a forest', "fox").notes
    assert "leaving out “in a forest”" in note


@pytest.mark.parametrize(
    "prompt", ['"a red fox"', "a girl reading a book", "a letter", "the letter “Q”", "text"]
)
def test_what_is_no_lettering_makes_no_note(prompt: str) -> None:
    assert not any("lettering" in note for note in parse(prompt).notes)


@pytest.mark.parametrize("prompt", ["a photo of a fox", "photorealistic fox", "photograph of fox"])
def test_a_photograph_is_not_promised(prompt: str) -> None:
    parsed = parse(prompt)
    assert (parsed.subject, parsed.notes) == (
        "fox",
        ("chiaro draws flat pictures, no photographs.",),
    )


@pytest.mark.parametrize("prompt", ["a photo album", "photo frame", "photo", "a photo of"])
def test_a_photo_can_be_the_subject(prompt: str) -> None:
    assert not any("photograph" in note for note in parse(prompt).notes)


def test_nobodys_face_is_promised() -> None:
    parsed = parse("a portrait of Ada van der Lovelace, flat")
    assert parsed.subject == "person"
    (note,) = parsed.notes
    assert "“Ada van der Lovelace”" in note
    assert parse("Portrait Of Red Fox").notes == ()
    assert parse("portrait of a Lion").subject == "lion"


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("Red Fox", "fox"),
        ("Arctic Fox", "arctic fox"),
        ("Mount Fuji", "mount fuji"),
        ("Great White Shark", "great white shark"),
        ("Bengal Tiger", "bengal tiger"),
        ("Father Christmas", "father christmas"),
        ("Polar Bear.", "polar bear"),
    ],
)
def test_a_thing_in_capitals_is_nobody(name: str, subject: str) -> None:
    assert check(f"portrait of {name}", subject).notes == ()


@pytest.mark.parametrize("name", ["Megan Fox", "Tiger Woods", "Robin Hood", "Red Skelton"])
def test_a_person_may_be_called_like_a_thing(name: str) -> None:
    (note,) = check(f"portrait of {name}", "person").notes
    assert f"“{name}”" in note


def test_accents_are_not_another_language() -> None:
    assert check("a crème brûlée", "crème brûlée").notes == ()
    assert check("ｆｏｘ", "fox").notes == ()  # full-width letters


@pytest.mark.parametrize(
    ("prompt", "subject"),
    [
        ("🦊", "fox"),
        ("🦊 logo", "fox"),
        ("🐱", "cat face"),
        ("👍🏽", "thumbs up"),
        ("⚡ icon", "lightning bolt"),
        ("🤖", "robot"),
        ("🍕", "slice of pizza"),
    ],
)
def test_emoji_are_read_by_name(prompt: str, subject: str) -> None:
    assert check(prompt, subject).notes == ()


def test_an_emoji_after_a_colour_is_coloured() -> None:
    assert check("blue 🦊", "fox", tint_name="blue").notes == ()


# ---------------------------------------------------------------- any text at all


def test_other_models_get_the_prompt_unchanged() -> None:
    spec = replace(SPEC, capabilities=SPEC.capabilities - {"scene_planner"})
    prompt = "  Two RED foxes on a blue background, flat 🦊"
    assert parse_prompt(prompt, spec) == ParsedPrompt(subject=prompt)


VOCABULARY = """a the red navy blue fox owl on in with of and two logo icon badge app circle flat
shield style cartoon background transparent no white , . : ! 🦊 ❤️ is #ff0000 -coloured"""
anything = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1),
    st.lists(st.sampled_from(VOCABULARY.split()), min_size=1, max_size=25).map(" ".join),
).filter(str.strip)


def test_words_that_are_all_taken_are_the_subject_after_all() -> None:
    parsed = parse("CARTOON:")
    assert (parsed.subject, parsed.style) == ("cartoon", "cartoon")


@given(anything)
def test_any_text_gives_a_subject(prompt: str) -> None:
    parsed = parse(prompt)
    assert parsed.subject.strip()
    assert parsed == parse(prompt)
    assert parsed.emblem is None or parsed.emblem.shape in EMBLEM_SHAPES
    assert parsed.style in (None, *SPEC.styles)
    assert (parsed.tint is None) == (parsed.tint_name is None)


@given(
    frame=st.sampled_from(["", "a ", "the ", "logo of a ", "a cute sticker of an ", "icon: "]),
    colour=st.sampled_from(["", "pink", "navy blue", "light green", "golden"]),
    subject=st.sampled_from(["fox", "hot air balloon", "polar bear", "slice of pizza", "t-rex"]),
    style=st.sampled_from(["", "flat", "cartoon", "glyph"]),
    shape=st.sampled_from(["", "circle", "shield", "hexagon"]),
    ground=st.sampled_from(["", "white", "dark navy"]),
)
def test_what_is_put_into_a_prompt_is_read_out_of_it(
    frame: str, colour: str, subject: str, style: str, shape: str, ground: str
) -> None:
    prompt = f"{frame}{colour} {subject}"
    prompt += f" in {style} style" if style else ""
    prompt += f" on a blue {shape}" if shape else ""
    prompt += f" on a {ground} background" if ground else ""
    parsed = parse(prompt)
    assert parsed.subject == subject
    assert parsed.tint_name == (colour or None)
    assert parsed.style == (style or None)
    assert (parsed.emblem.shape if parsed.emblem else "") == shape
    assert parsed.background == (parse_colour(ground) if ground else "transparent")
    assert parsed.notes == ()
    assert parse(parsed.subject).subject == subject  # reading again changes nothing


@pytest.mark.parametrize(
    "part",
    [
        *("a ", "red ", "on a ", "fox and ", "🦊", ", ", "flat ", "two ", "in ", "x", "((", "é"),
        *("and ", "red and ", "a fox, ", "left of ", "a fox above ", "between two "),
        *('"a" ', 'saying "a', "for a, ", "in a, ", "a portrait of A ", "draw us ", "waving and "),
    ],
)
def test_work_grows_no_faster_than_the_prompt(part: str) -> None:
    """Counted in executed lines, not in seconds, so that a busy machine changes nothing."""

    def lines_for(length: int) -> int:
        prompt = (part * length)[:length]
        count = 0

        def trace(frame: object, event: str, arg: object) -> object:
            nonlocal count
            count += event == "line"
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            parse(prompt)
        finally:
            sys.settrace(before)
        return count

    assert lines_for(4_000) < 2.5 * lines_for(2_000) + 500
