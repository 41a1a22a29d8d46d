"""Show a picture inside the terminal, where the terminal can: kitty, iTerm2 or sixel.

Which protocol a terminal speaks is read from its environment, never asked for: a terminal that
does not understand the question would print it. ``SFUMATO_PREVIEW`` overrides the guess.

Sources: kitty graphics protocol (sw.kovidgoyal.net/kitty/graphics-protocol), iTerm2 inline images
(iterm2.com/documentation-images.html), DEC STD 070 chapter 9 for sixel.
"""

from __future__ import annotations

import base64
import os
import sys
from collections.abc import Mapping
from io import BytesIO
from typing import TYPE_CHECKING, Literal

import click

from sfumato.errors import RequestError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

    from sfumato.request import GeneratedImage

Protocol = Literal["kitty", "iterm2", "sixel"]

LONGEST_SIDE = 320  # pixels: large enough to judge, small enough to keep the text in sight
_BY_NAME: dict[str, Protocol] = {"kitty": "kitty", "iterm2": "iterm2", "sixel": "sixel"}
_KITTY_CHUNK = 4096  # bytes of base64 the protocol allows in one escape
_SIXEL_COLOURS = 128
_SIXEL_TERMINALS = ("foot", "mlterm", "contour", "yaft", "sixel")


def find_protocol(environment: Mapping[str, str], *, is_terminal: bool) -> Protocol | None:
    """The protocol that this terminal speaks, or None.

    Raises: RequestError: ``SFUMATO_PREVIEW`` names a protocol that does not exist.
    """
    if not is_terminal:
        return None
    forced = environment.get("SFUMATO_PREVIEW", "").lower()
    if forced == "none":
        return None
    if forced:
        if forced in _BY_NAME:
            return _BY_NAME[forced]
        raise RequestError(
            f"SFUMATO_PREVIEW is {forced!r}.", hint="Use kitty, iterm2, sixel or none."
        )
    term = environment.get("TERM", "")
    if environment.get("TMUX") or term.startswith(("screen", "tmux")):
        return None  # a multiplexer swallows the escapes or draws them in the wrong place
    if environment.get("KITTY_WINDOW_ID") or term in ("xterm-kitty", "xterm-ghostty"):
        return "kitty"
    if environment.get("TERM_PROGRAM") in ("iTerm.app", "WezTerm"):
        return "iterm2"
    if any(name in term for name in _SIXEL_TERMINALS):
        return "sixel"
    return None


def terminal_protocol() -> Protocol | None:
    """The protocol of the terminal that stdout is, or None."""
    return find_protocol(os.environ, is_terminal=sys.stdout.isatty())


def show_preview(image: GeneratedImage, protocol: Protocol | None) -> None:
    """Print the picture, where the terminal speaks ``protocol``; nothing where it is None."""
    if protocol is not None:
        click.echo(escape_sequence(image.pixels, protocol))


def escape_sequence(pixels: NDArray[np.uint8], protocol: Protocol) -> str:
    """The text that shows (H, W, 4) uint8 pixels, scaled down to ``LONGEST_SIDE``."""
    from PIL import Image

    picture = Image.fromarray(pixels)
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    if protocol == "sixel":
        return _sixel(picture)
    buffer = BytesIO()
    picture.save(buffer, "PNG")
    content = base64.b64encode(buffer.getvalue()).decode("ascii")
    if protocol == "iterm2":
        return f"\x1b]1337;File=inline=1;size={buffer.tell()};height=auto:{content}\x07"
    return _kitty(content)


def _kitty(content: str) -> str:
    parts = [content[i : i + _KITTY_CHUNK] for i in range(0, len(content), _KITTY_CHUNK)]
    escapes = []
    for index, part in enumerate(parts):
        more = int(index + 1 < len(parts))
        keys = f"a=T,f=100,q=2,m={more}" if index == 0 else f"m={more}"
        escapes.append(f"\x1b_G{keys};{part}\x1b\\")
    return "".join(escapes)


def _sixel(picture: Image) -> str:
    """Six rows a band, one pass a colour; pixels more clear than solid are left out."""
    import numpy as np

    solid = np.asarray(picture.getchannel("A")) > 127  # (H, W)
    paletted = picture.convert("RGB").quantize(_SIXEL_COLOURS)
    indices = np.asarray(paletted)  # (H, W)
    palette = np.asarray(paletted.getpalette() or [], dtype=np.int64).reshape(-1, 3)
    height, width = indices.shape
    # P2 = 1: what is not drawn keeps the terminal's own ground
    parts = [f'\x1bP0;1;0q"1;1;{width};{height}']
    parts += [f"#{i};2;{r};{g};{b}" for i, (r, g, b) in enumerate((palette * 100 + 127) // 255)]
    weights = 1 << np.arange(6)[:, None]
    for top in range(0, height, 6):
        band, there = indices[top : top + 6], solid[top : top + 6]
        for colour in np.unique(band[there]):
            bits = ((band == colour) & there) * weights[: len(band)]
            parts.append(f"#{colour}{_run_lengths(bits.sum(axis=0))}$")
        parts.append("-")
    parts.append("\x1b\\")
    return "".join(parts)


def _run_lengths(columns: NDArray[np.int64]) -> str:
    """Sixel characters with repeats written as ``!count``."""
    import numpy as np

    starts = np.flatnonzero(np.diff(columns, prepend=-1))
    lengths = np.diff(starts, append=len(columns))
    return "".join(
        f"!{length}{chr(63 + value)}" if length > 3 else chr(63 + value) * length
        for value, length in zip(columns[starts].tolist(), lengths.tolist(), strict=True)
    )
