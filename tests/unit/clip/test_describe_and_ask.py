"""Descriptions and answers: measured facts are right, and what cannot be known is said to be so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfumato.backends import fake
from sfumato.clip import load
from sfumato.clip.describe import describe
from sfumato.clip.labels import TEMPLATES, embed_labels
from sfumato.clip.questions import EXAMPLES, Answer, ask
from sfumato.clip.vocabulary import Vocabulary, load_vocabulary, subject_names
from sfumato.errors import RequestError
from sfumato.prompt import parse_prompt
from sfumato.registry import cache_folder

NAMES = ("red fox", "blue whale", "green frog", "yellow chick")


def vocabulary() -> Vocabulary:
    return Vocabulary(NAMES, embed_labels(NAMES, load("fake"), TEMPLATES))


def disc(
    rgb: tuple[int, int, int], ground: tuple[int, int, int] | None = None, x: float = 0.5
) -> np.ndarray:
    pixels = np.zeros((128, 128, 4), np.uint8)
    if ground is not None:
        pixels[:] = (*ground, 255)
    rows, columns = np.mgrid[:128, :128]
    pixels[(rows - 64) ** 2 + (columns - 128 * x) ** 2 < 30**2] = (*rgb, 255)
    return pixels


RED, BLUE, WHITE = (220, 40, 40), (30, 70, 220), (255, 255, 255)


def answer(pixels: np.ndarray, question: str) -> Answer:
    return ask(pixels, question, lambda: load("fake"), vocabulary)


def test_a_description_names_subject_colours_and_ground() -> None:
    found = describe(disc(BLUE, WHITE), load("fake"), vocabulary())
    assert found.subjects[0].name == "blue whale"
    assert found.colours == ("blue",)
    assert (found.ground, found.count, found.shape, found.style) == ("white", 1, "circle", "glyph")
    assert len(found.prompts) == 4
    assert len(set(found.prompts)) == 4
    assert all("whale" in prompt for prompt in found.prompts[:3])
    assert "white background" in found.prompts[0]
    assert "blue blue" not in " ".join(found.prompts)


def test_its_prompts_are_understood_by_the_planner() -> None:
    found = describe(disc(RED, WHITE), load("fake"), vocabulary())
    parsed = parse_prompt(found.prompts[0], fake.spec())
    assert "fox" in parsed.subject
    assert parsed.background == "#ffffff"


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [
        ("apple", "two blue apples side by side", "blue apple icon"),
        ("three leaves", "three blue leaves", "three blue leaves icon"),
        ("eight ball", "a blue eight ball", "blue eight ball icon"),
    ],
)
def test_several_are_counted_once(name: str, first: str, second: str) -> None:
    model = load("fake")
    two = np.maximum(disc(BLUE, x=0.25), disc(BLUE, x=0.75))
    found = describe(two, model, Vocabulary((name,), embed_labels((name,), model, TEMPLATES)))
    assert found.count == 2
    assert found.prompts[0].startswith(f"{first}, one-colour glyph")
    assert found.prompts[1] == second


def test_a_blank_picture_is_described_as_such() -> None:
    found = describe(np.zeros((64, 64, 4), np.uint8), load("fake"), vocabulary())
    assert found.prompts == ("nothing",)
    assert found.subjects == ()


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("What colour is it?", "red"),
        ("what color is the ball", "red"),
        ("What's the main colour?", "red"),
        ("Which colours are there?", "red"),
        ("how many colours does it have?", "1"),
        ("What colour is the background?", "white"),
        ("Is the background transparent?", "no"),
        ("is the background white?", "yes"),
        ("Is it red?", "yes"),
        ("Is it blue?", "no"),
        ("is there any red?", "yes"),
        ("How many balls are there?", "1"),
        ("Are there two balls?", "no"),
        ("is there exactly 1 ball", "yes"),
        ("what shape is it?", "circle"),
        ("is it round?", "yes"),
        ("is it a square?", "no"),
        ("is it symmetrical?", "yes"),
        ("Where is it?", "in the middle"),
        ("How large is the picture?", "128×128 pixels"),
        ("What is it?", "red fox"),
        ("Is it a blue whale or a red fox?", "red fox"),
        ("is there a red fox?", "yes"),
        ("Is there a blue whale in the picture?", "no"),
    ],
)
def test_questions_about_a_red_ball_on_white(question: str, said: str) -> None:
    found = answer(disc(RED, WHITE), question)
    assert found.text == said, found.reason
    assert found.reason


def test_places_and_clear_grounds() -> None:
    assert answer(disc(RED, x=0.25), "where is it?").text == "left"
    assert answer(disc(RED), "is the background transparent?").text == "yes"
    assert answer(np.zeros((64, 64, 4), np.uint8), "what colour is it?").text == "nothing"


@pytest.mark.parametrize(
    "question",
    [
        "why is the fox sad?",
        "who drew this?",
        "how old is the king?",
        "when was it made?",
        "really?",
    ],
)
def test_what_cannot_be_measured_is_not_guessed(question: str) -> None:
    found = answer(disc(RED), question)
    assert found.text is None
    assert found.confidence == 0.0
    assert "cannot" in found.reason


def test_every_example_in_the_help_is_understood() -> None:
    for question in EXAMPLES:
        found = answer(disc(RED, WHITE), question)
        assert "cannot answer this kind" not in found.reason, question


@pytest.mark.parametrize("question", ["", "  ?? ", "what " * 100])
def test_empty_and_endless_questions_are_refused(question: str) -> None:
    with pytest.raises(RequestError):
        answer(disc(RED), question)


@pytest.mark.parametrize("options", [", or ,", "a fox or ,", ", or the "])
def test_a_choice_of_fewer_than_two_is_no_choice(options: str) -> None:
    found = answer(disc(RED), f"is it {options}?")
    assert (found.text, found.confidence) == (None, 0.0)
    assert "choose" in found.reason


_WORDS = [
    *sorted(set(" ".join(EXAMPLES).replace("?", " ?").split())),
    "are", "this", "that", "any", "some", "exactly", "ground", "round", "7", "999", "seven",
    "transparent", "symmetric", "gray", "contain", "or", ",", "'", "-",
]  # fmt: skip


@given(
    st.one_of(
        st.text(min_size=1, max_size=80),
        st.lists(st.sampled_from(_WORDS), min_size=1, max_size=9).map(" ".join),
        st.lists(st.sampled_from(["or", ",", "a", "fox"]), min_size=1, max_size=5).map(
            lambda words: f"is it {' '.join(words)}"
        ),
    )
)
def test_any_text_gets_an_answer_or_a_refusal(question: str) -> None:
    try:
        found = answer(disc(RED), question)
    except RequestError:
        return
    assert found.text is None or found.text


def test_the_vocabulary_is_embedded_once_and_then_read(monkeypatch: pytest.MonkeyPatch) -> None:
    model = load("fake")
    first = load_vocabulary(model)
    assert first.names == subject_names()
    assert "fox" in first.names
    monkeypatch.setattr(type(model), "encode_texts", lambda *_: pytest.fail("embedded again"))
    again = load_vocabulary(model)
    np.testing.assert_array_equal(first.vectors, again.vectors)


def test_a_damaged_cache_is_made_again(home: object) -> None:
    model = load("fake")
    first = load_vocabulary(model)
    (path,) = (cache_folder() / "vocabularies").glob("*.npz")
    path.write_bytes(b"not a cache")
    np.testing.assert_array_equal(load_vocabulary(model).vectors, first.vectors)
    assert path.stat().st_size > 1000


def test_nothing_is_cached_where_there_is_no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    homeless(monkeypatch)
    assert "fox" in load_vocabulary(load()).names  # from the package
    assert "fox" in load_vocabulary(load("fake")).names  # embedded, and not kept


def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container without HOME, whose user has no entry in passwd."""

    def unknown() -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in ("XDG_CACHE_HOME", "XDG_DATA_HOME", "SFUMATO_LIBRARY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", unknown)


def test_the_vectors_that_ship_are_those_of_the_model_that_ships() -> None:
    from sfumato.clip.vocabulary import SHIPPED, file_name

    model = load()
    assert [path.name for path in SHIPPED.glob("*.npz")] == [file_name(model)]
    shipped = load_vocabulary(model)
    few = [0, 700, len(shipped.names) - 1]
    fresh = embed_labels([shipped.names[i] for i in few], model, TEMPLATES)
    assert (np.einsum("nd,nd->n", fresh, shipped.vectors[few]) > 0.999).all()
