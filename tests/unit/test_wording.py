"""Plurals, articles, counts and lists."""

from __future__ import annotations

import pytest

from sfumato.wording import counted, listed, plural, with_article


@pytest.mark.parametrize(
    ("singular", "many"),
    [
        ("fox", "foxes"), ("red apple", "red apples"), ("butterfly", "butterflies"),
        ("key", "keys"), ("wolf", "wolves"), ("scissors", "scissors"), ("octopus", "octopuses"),
        ("bowl of ramen", "bowls of ramen"), ("face with tears", "faces with tears"),
        ("compass", "compasses"),
    ],
)  # fmt: skip
def test_plurals(singular: str, many: str) -> None:
    assert plural(singular) == many


@pytest.mark.parametrize(
    ("words", "article"),
    [
        ("fox", "a fox"), ("owl", "an owl"), ("unicorn", "a unicorn"), ("octopus", "an octopus"),
        ("hourglass", "an hourglass"), ("scissors", "scissors"), ("compass", "a compass"),
        ("us flag", "a us flag"), ("uk map", "a uk map"), ("usher", "an usher"),
    ],
)  # fmt: skip
def test_articles(words: str, article: str) -> None:
    assert with_article(words) == article


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, "0 entries"), (1, "1 entry"), (2, "2 entries"), (1200, "1,200 entries")],
)
def test_counts(number: int, words: str) -> None:
    assert counted(number, "entry") == words


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], ""),
        (["red"], "red"),
        (["red", "blue"], "red and blue"),
        (["red", "blue", "white"], "red, blue and white"),
    ],
)
def test_lists(words: list[str], sentence: str) -> None:
    assert listed(iter(words)) == sentence
