"""The application without its workers, called in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from sfumato.gallery import Library, Picture
from sfumato.generate import generate
from sfumato.server.app import make_app
from sfumato.server.settings import ServerSettings

ADDRESS = "http://127.0.0.1:7860"
Make = Callable[..., TestClient]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Where the library of this test lies."""
    return tmp_path / "library"


@pytest.fixture
def make(root: Path) -> Iterator[Make]:
    """``make(cors_origins=("https://a.example",))``: a client of a server with these settings."""
    made: list[TestClient] = []

    def one(**settings: Any) -> TestClient:
        app = make_app(ServerSettings(library=root, **settings))
        # what no handler expects becomes an answer, as in real life
        made.append(TestClient(app, base_url=ADDRESS, raise_server_exceptions=False))
        return made[-1]

    yield one
    for client in made:
        client.app.state.server.library.close()
        client.close()


@pytest.fixture
def client(make: Make) -> TestClient:
    """A client of a server as it starts without any option."""
    return make()


@pytest.fixture
def library(client: TestClient) -> Library:
    """The library behind ``client``."""
    found: Library = client.app.state.server.library
    return found


@pytest.fixture
def picture(library: Library) -> Picture:
    """A test card in the library."""
    drawn = generate("a red fox", model="fake", seed=7, width=64, height=48)
    return library.add(drawn.images[0])
