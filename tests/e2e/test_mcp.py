"""``sfumato mcp`` as programs use it: a process of its own and the official SDK's client."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import anyio
import pytest
from mcp import Client, StdioServerParameters
from mcp.types import CallToolResult, ImageContent
from PIL import Image

from sfumato import __version__
from sfumato.gallery import Library

GUARD = 120.0  # seconds until a test that hangs is ended
COMMAND = [sys.executable, "-m", "sfumato", "mcp"]

Scenario = Callable[[Client], Awaitable[Any]]

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the library that the server keeps pictures in."""
    monkeypatch.setenv("SFUMATO_LIBRARY", str(tmp_path / "library"))
    return tmp_path / "library"


def converse(scenario: Scenario, *options: str, mode: Literal["auto", "legacy"] = "auto") -> Any:
    """Run ``scenario`` with a client of a server in a process of its own."""
    server = StdioServerParameters(
        command=COMMAND[0], args=[*COMMAND[1:], *options], env=dict(os.environ)
    )

    async def main() -> Any:
        with anyio.fail_after(GUARD):
            async with Client(server, mode=mode) as client:
                return await scenario(client)

    return anyio.run(main)


def shown(result: CallToolResult) -> list[Image.Image]:
    assert not result.is_error, result.content
    parts = [part for part in result.content if isinstance(part, ImageContent)]
    return [Image.open(BytesIO(base64.b64decode(part.data))) for part in parts]


def library_of(folder: Path) -> list[str]:
    """The ids of everything in the library, newest first."""
    with Library.open(folder) as library:
        return [picture.id for picture in library.walk()]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_a_sitting(folder: Path, mode: Literal["auto", "legacy"]) -> None:
    """Draw with the built-in model, vary, check, search; by the new and the old handshake."""
    progress: list[float] = []

    async def follow(done: float, total: float | None, message: str | None) -> None:
        progress.append(done)

    async def scenario(client: Client) -> list[str]:
        assert client.server_info.name == "sfumato"
        assert client.server_info.version == __version__
        assert client.instructions is not None
        assert "library" in client.instructions
        names = [tool.name for tool in (await client.list_tools()).tools]
        assert names == ["draw", "vary", "check", "search", "describe", "models"]

        drawn = await client.call_tool(
            "draw", {"prompt": "a red fox", "seed": 7, "width": 128}, progress_callback=follow
        )
        assert [picture.size for picture in shown(drawn)] == [(128, 128)]
        assert drawn.structured_content is not None
        fox = drawn.structured_content["pictures"][0]
        assert (fox["model"], fox["seed"]) == ("chiaro", 7)

        varied = await client.call_tool("vary", {"picture": fox["id"], "num_images": 1})
        assert len(shown(varied)) == 1
        checked = await client.call_tool("check", {"picture": fox["path"]})
        assert len(shown(checked)) == 1
        found = await client.call_tool("search", {"query": "red fox"})
        assert len(shown(found)) == 2
        assert varied.structured_content is not None
        return [varied.structured_content["pictures"][0]["id"], fox["id"]]

    drawn = converse(scenario, mode=mode)
    assert library_of(folder) == drawn
    assert progress[-1] == 1


def test_the_person_chooses_library_and_model(tmp_path: Path) -> None:
    own = tmp_path / "own"

    async def scenario(client: Client) -> str:
        result = await client.call_tool("draw", {"prompt": "a fox", "width": 64})
        assert result.structured_content is not None
        return str(result.structured_content["pictures"][0]["model"])

    assert converse(scenario, "--library", str(own), "--model", "fake") == "fake"
    assert len(library_of(own)) == 1


def test_errors_are_answers_and_the_server_goes_on(folder: Path) -> None:
    async def scenario(client: Client) -> None:
        for name, arguments, start in (
            ("draw", {"prompt": "a fox", "style": "oil"}, "The model 'fake' has no style 'oil'."),
            ("check", {"picture": "/etc/passwd"}, "/etc/passwd is not a picture"),
            ("draw", {"prompt": "a fox", "folder": "/"}, "draw takes no argument called 'folder'."),
        ):
            result = await client.call_tool(name, arguments)
            assert result.is_error
            assert result.content[0].type == "text"
            assert result.content[0].text.startswith(start)
        assert not (await client.call_tool("models", {})).is_error

    converse(scenario, "--model", "fake")
    assert library_of(folder) == []


def test_a_cancelled_drawing_ends_and_the_server_goes_on(folder: Path) -> None:
    async def scenario(client: Client) -> None:
        async with anyio.create_task_group() as group:

            async def follow(done: float, total: float | None, message: str | None) -> None:
                group.cancel_scope.cancel()

            many = {"prompt": "a fox", "num_images": 4, "width": 4096}
            await client.call_tool("draw", many, progress_callback=follow)
            pytest.fail("the drawing ended before it was cancelled")
        small = await client.call_tool("draw", {"prompt": "a boat", "width": 64})
        assert len(shown(small)) == 1

    converse(scenario, "--model", "fake")
    assert 1 <= len(library_of(folder)) < 5


# ---------------------------------------------------------------- the wire


def line(number: int, method: str, **params: Any) -> bytes:
    message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
    return json.dumps(message).encode() + b"\n"


HELLO = (
    line(
        1,
        "initialize",
        protocolVersion="2025-06-18",
        capabilities={},
        clientInfo={"name": "by hand", "version": "1"},
    )
    + b'{"jsonrpc": "2.0", "method": "notifications/initialized"}\n'
)


def test_stdout_holds_nothing_but_the_protocol(folder: Path) -> None:
    """Also where warnings, progress and the engine would like to say something."""
    with subprocess.Popen(
        COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(HELLO + b"this is not JSON\n")
        process.stdin.write(
            line(2, "tools/call", name="draw", arguments={"prompt": "a fox", "width": 64})
        )
        process.stdin.flush()
        lines = [json.loads(process.stdout.readline())]
        while lines[-1].get("id") != 2:
            lines.append(json.loads(process.stdout.readline()))
        process.stdin.close()
        rest, errors = process.stdout.read(), process.stderr.read()
        assert process.wait(GUARD) == 0
    assert rest == b""
    assert b"Traceback" not in errors
    assert all(answer["jsonrpc"] == "2.0" for answer in lines)
    assert [part["type"] for part in lines[-1]["result"]["content"]][:2] == ["text", "image"]


@pytest.mark.skipif(os.name == "nt", reason="signals as Unix has them")
def test_ctrl_c_ends_it_although_stdin_is_open(folder: Path) -> None:
    with subprocess.Popen(
        COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(HELLO)
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["id"] == 1
        process.send_signal(signal.SIGINT)
        assert process.wait(GUARD) == 130
        assert process.stderr.read() == b""


def test_without_the_extra_it_says_how_to_install_it() -> None:
    code = "import sys; sys.modules['mcp'] = None; from sfumato.cli.main import run; run(['mcp'])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=GUARD
    )
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr == (
        "sfumato: The MCP server needs the optional 'mcp' dependencies. "
        "Install them with: pip install 'sfumato[mcp]'\n"
    )
