"""The listening socket."""

from __future__ import annotations

import asyncio
import socket

import pytest

from sfumato.errors import RequestError
from sfumato.server.serving import bind


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_small_answers_do_not_wait_for_acknowledgements(host: str) -> None:
    """Without TCP_NODELAY every answer came 40 ms late."""
    if ":" in host and not socket.has_dualstack_ipv6():
        pytest.skip("no IPv6 here")
    found: list[int] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = writer.get_extra_info("socket")
        found.append(line.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()
        await writer.wait_closed()

    async def call() -> None:
        with bind(host, 0) as listening:
            async with await asyncio.start_server(answer, sock=listening):
                reader, writer = await asyncio.open_connection(*listening.getsockname()[:2])
                await reader.read()
                writer.close()
                await writer.wait_closed()

    asyncio.run(call())
    assert found
    assert all(found)


def test_a_port_that_is_taken_is_said_so() -> None:
    with bind("127.0.0.1", 0) as first, pytest.raises(RequestError) as caught:
        bind("127.0.0.1", first.getsockname()[1])
    assert caught.value.code == "address_taken"
    assert "--port" in caught.value.hint
