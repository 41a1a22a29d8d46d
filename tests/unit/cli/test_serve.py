"""``sfumato keys``, and what ``serve`` refuses before it listens to anybody."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Sfumato = Callable[..., Any]


def test_a_key_is_shown_once_listed_and_revoked(sfumato: Sfumato, folder: Path) -> None:
    place = ("keys", "--library", str(folder / "library"))
    assert "There are no keys" in sfumato(*place, "list").err
    made = sfumato(*place, "add", "phone", "--scope", "read", "--scope", "draw")
    secret = made.text.strip()
    assert secret.startswith("sf-") and len(secret) > 40
    listed = sfumato(*place, "list", "--json").json
    assert [(key["name"], key["scopes"]) for key in listed] == [("phone", ["read", "draw"])]
    assert secret not in sfumato(*place, "list").text
    assert sfumato(*place, "add", "phone").code == 2
    assert sfumato(*place, "revoke", "phone").code == 0
    assert sfumato(*place, "revoke", "phone").code == 2
    assert sfumato(*place, "list", "--json").json == []


def test_a_key_as_json_says_what_it_may(sfumato: Sfumato, folder: Path) -> None:
    made = sfumato("keys", "--library", str(folder), "add", "all", "--json").json
    assert made["scopes"] == ["draw", "read", "manage"] and made["key"].startswith("sf-")


@pytest.mark.parametrize(
    "options",
    [
        ("--host", "0.0.0.0"),
        ("--key-required",),
        ("--public-host", "draw.example.org"),
        ("--cors-origin", "app.example"),
    ],
)
def test_serve_refuses_what_is_not_safe(
    sfumato: Sfumato, folder: Path, options: tuple[str, ...]
) -> None:
    library = folder / "library"
    done = sfumato("serve", "--port", "0", "--library", str(library), *options)
    assert done.code == 2
    assert "sfumato keys add" in done.err or "is no origin" in done.err
    assert not library.exists()  # nothing was begun


@pytest.mark.parametrize("command", ["serve", "studio"])
def test_a_port_that_is_taken_is_said_to_be(sfumato: Sfumato, folder: Path, command: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = sfumato(command, "--port", str(port), "--library", str(folder / "library"))
    assert done.code == 2
    assert f"127.0.0.1:{port}" in done.err and "--port" in done.err
