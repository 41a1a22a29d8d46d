"""A queue on each database, and requests that take no time to draw."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sfumato.gallery import Library
from sfumato.jobs import JobQueue
from sfumato.request import GenerationRequest

Ask = Callable[..., GenerationRequest]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the library of this test lies."""
    return tmp_path / "library"


@pytest.fixture(params=["sqlite", "postgresql"])
def library(request: pytest.FixtureRequest, folder: Path) -> Iterator[Library]:
    """An empty library, on each database."""
    url = None if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    with Library.open(folder, database=url) as opened:
        yield opened


@pytest.fixture
def queue(library: Library) -> JobQueue:
    """Its queue."""
    return JobQueue(library)


@pytest.fixture
def own(folder: Path) -> Iterator[JobQueue]:
    """A queue whose database lies in the folder."""
    with Library.open(folder) as opened:
        yield JobQueue(opened)


@pytest.fixture(scope="session")
def ask() -> Ask:
    """``ask(prompt, ...)``: a request for small test cards."""

    def one(prompt: str = "a red fox", **options: Any) -> GenerationRequest:
        small = {"model": "fake", "width": 32, "height": 32, **options}
        return GenerationRequest(prompt=prompt, **small)

    return one
