"""Pictures in the terminal: who can show them, and whether the escapes hold the picture."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from sfumato.cli.preview import LONGEST_SIDE, escape_sequence, find_protocol
from sfumato.errors import RequestError


@pytest.mark.parametrize(
    ("environment", "protocol"),
    [
        ({"TERM": "xterm-kitty"}, "kitty"),
        ({"TERM": "xterm-256color", "KITTY_WINDOW_ID": "1"}, "kitty"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, "iterm2"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm"}, "iterm2"),
        ({"TERM": "foot"}, "sixel"),
        ({"TERM": "mlterm-256color"}, "sixel"),
        ({"TERM": "xterm-256color"}, None),
        ({}, None),
        ({"TERM": "tmux-256color", "KITTY_WINDOW_ID": "1", "TMUX": "x"}, None),
        ({"TERM": "xterm-kitty", "SFUMATO_PREVIEW": "none"}, None),
        ({"TERM": "xterm", "SFUMATO_PREVIEW": "sixel"}, "sixel"),
    ],
)
def test_the_protocol_is_read_from_the_environment(
    environment: dict[str, str], protocol: str | None
) -> None:
    assert find_protocol(environment, is_terminal=True) == protocol
    assert find_protocol(environment, is_terminal=False) is None


def test_an_unknown_protocol_is_refused() -> None:
    with pytest.raises(RequestError, match="'ascii'"):
        find_protocol({"SFUMATO_PREVIEW": "ascii"}, is_terminal=True)


def noise(side: int) -> np.ndarray:
    """Pixels that no PNG makes small."""
    return np.random.default_rng(7).integers(0, 256, (side, side, 4), dtype=np.uint8)


def test_kitty_gets_a_png_in_chunks() -> None:
    text = escape_sequence(noise(600), "kitty")
    parts = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", text)
    assert "".join(f"\x1b_G{keys};{data}\x1b\\" for keys, data in parts) == text
    assert len(parts) > 1
    assert parts[0][0] == "a=T,f=100,q=2,m=1"
    assert [keys for keys, _ in parts[1:]] == ["m=1"] * (len(parts) - 2) + ["m=0"]
    assert all(len(data) <= 4096 for _, data in parts)
    picture = Image.open(io.BytesIO(base64.b64decode("".join(data for _, data in parts))))
    assert picture.size == (LONGEST_SIDE, LONGEST_SIDE)


def test_iterm_gets_a_png_and_its_size() -> None:
    text = escape_sequence(noise(40), "iterm2")
    match = re.fullmatch(r"\x1b\]1337;File=inline=1;size=(\d+);height=auto:([^\x07]*)\x07", text)
    assert match is not None
    content = base64.b64decode(match.group(2))
    assert len(content) == int(match.group(1))
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(content))), noise(40))


def read_sixel(text: str) -> np.ndarray:
    """A reader of its own: (H, W, 4) uint8 out of a sixel string."""
    match = re.fullmatch(r'\x1bP0;1;0q"1;1;(\d+);(\d+)(.*)\x1b\\', text, re.DOTALL)
    assert match is not None
    width, height = int(match.group(1)), int(match.group(2))
    pixels = np.zeros((height + 6, width, 4), np.uint8)
    palette: dict[int, tuple[int, ...]] = {}
    colour, x, top = 0, 0, 0
    token = re.compile(r"#(\d+);2;(\d+);(\d+);(\d+)|#(\d+)|!(\d+)([?-~])|([?-~])|(\$)|(-)")
    position = 0
    body = match.group(3)
    while position < len(body):
        found = token.match(body, position)
        assert found is not None, body[position : position + 20]
        position = found.end()
        if found[1]:
            palette[int(found[1])] = tuple(round(int(found[i]) * 2.55) for i in (2, 3, 4))
        elif found[5]:
            colour = int(found[5])
        elif found[7] or found[8]:
            bits = ord(found[7] or found[8]) - 63
            for _ in range(int(found[6] or 1)):
                for row in range(6):
                    if bits >> row & 1:
                        pixels[top + row, x] = (*palette[colour], 255)
                x += 1
        else:
            x = 0
            top += 6 if found[10] else 0
    assert not pixels[height:].any()
    return pixels[:height]


@settings(max_examples=30, deadline=None)
@given(
    pixels=st.tuples(st.integers(1, 20), st.integers(1, 20)).flatmap(
        lambda sides: arrays(np.uint8, (*sides, 4), elements=st.sampled_from([0, 255]))
    )
)
def test_sixel_keeps_colours_and_leaves_clear_pixels_out(pixels: np.ndarray) -> None:
    shown = read_sixel(escape_sequence(pixels, "sixel"))
    solid = pixels[..., 3] == 255
    assert np.array_equal(shown[..., 3] == 255, solid)
    assert np.abs(shown[solid].astype(int) - pixels[solid].astype(int)).max(initial=0) <= 3
