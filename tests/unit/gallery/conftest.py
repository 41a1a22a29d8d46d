"""A library in SQLite and in PostgreSQL, and pictures to put into it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import sfumato
from sfumato.gallery import Library
from sfumato.request import GeneratedImage

Draw = Callable[..., GeneratedImage]


@pytest.fixture(scope="session")
def draw() -> Draw:
    """``draw(prompt, seed=...)``: one small test card, drawn once a session."""
    drawn: dict[tuple[Any, ...], GeneratedImage] = {}

    def one(prompt: str = "a red fox", **options: Any) -> GeneratedImage:
        key = (prompt, *sorted(options.items()))
        if key not in drawn:
            small = {"model": "fake", "width": 32, "height": 32, "seed": 1, **options}
            drawn[key] = sfumato.generate(prompt, **small).images[0]
        return drawn[key]

    return one


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the library of this test lies."""
    return tmp_path / "library"


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest) -> str | None:
    """The database's address: None for the file in the folder."""
    if request.param == "sqlite":
        return None
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def library(folder: Path, address: str | None) -> Iterator[Library]:
    """An empty library, on each database."""
    with Library.open(folder, database=address) as opened:
        yield opened


@pytest.fixture
def own(folder: Path) -> Iterator[Library]:
    """An empty library with its database in the folder."""
    with Library.open(folder) as opened:
        yield opened
