"""SVG drawings from anywhere, rendered to pixels without trusting them.

The renderer (resvg) runs no scripts and knows no network, but it does open files that a drawing
names, follows references that multiply, and takes whatever memory a pattern asks for: when that is
not there, it ends the process. So a drawing is looked through first. References that leave the
file are taken out, and what grows beyond all bounds is refused. A drawing of a few shapes is then
rendered here; one that uses anything whose cost nobody can foresee, in a process of its own.
"""

from __future__ import annotations

import base64
import io
import json
import re
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.parsers import expat

import numpy as np
from numpy.typing import NDArray

from sfumato.errors import StorageError

__all__ = ["MAX_BYTES", "MAX_SIDE", "looks_like_svg", "render_svg"]

MAX_BYTES = 16 * 1024 * 1024
MAX_SIDE = 4096  # pixels: a drawing that says it is larger is rendered smaller
_MAX_ELEMENTS = 200_000  # after references are followed: about five seconds of rendering
_MAX_EMBEDDED = 16 * 1024 * 1024  # pixels of all embedded pictures together
_MAX_PAINTED = 2e9  # elements times pixels that are rendered in this process: a few seconds
_MAX_LAYERS = 16  # one in another, each as large as the picture
_MAX_NESTING = 256  # elements one in another: the renderer recurses, and threads have small stacks
_MAX_DEPTH = 500  # the same whoever renders it, and references one in another: nobody draws so
_SECONDS = 15.0  # for a drawing in a process of its own,
_BYTES = 2 * 1024**3  # and its memory, where the system keeps count
_MAX_ENTITY = 1024  # characters: Illustrator writes namespaces as entities
_UNFORESEEABLE = ("pattern", "filter", "image", "text")
_LAYERING = ("opacity", "mask", "clip-path", "filter", "style", "class")
_FALLBACK = (512.0, 512.0)  # for a drawing that says nothing about its size

_START = re.compile(rb"(\xef\xbb\xbf)?\s*<(\?xml|!--|!DOCTYPE|svg)")
# a bounded prefix that begins at its beginning: no long word is looked through twice
_REFERENCE = re.compile(r"""(?<![\w.-])(?:[\w.-]{1,64}:)?href\s*=\s*("[^"]*"|'[^']*')""")
_EMBEDDED = re.compile(r"\s*data:image/(?:png|jpe?g|gif);base64,", re.IGNORECASE)
_LENGTH = re.compile(r"\s*([0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]{1,2})?)\s*([a-z]*|%)\s*")
_MAX_LENGTH = 64  # characters of a length
_PIXELS_A_UNIT = {
    "": 1.0, "px": 1.0, "pt": 4 / 3, "pc": 16.0, "mm": 96 / 25.4, "cm": 96 / 2.54, "in": 96.0,
    "em": 16.0, "ex": 8.0,
}  # fmt: skip


def looks_like_svg(head: bytes) -> bool:
    """Whether a file that begins with ``head`` may be an SVG drawing."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "<svg" in head.decode("utf-16", "ignore")
    return _START.match(head) is not None


def render_svg(
    data: bytes, *, longest: int | None = None, smallest: int = 1
) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """Render a drawing.

    Args:
        data: the file.
        longest: pixels of the longer side; None is the drawing's own size,
        smallest: but then at least this many and at most ``MAX_SIDE``.

    Returns:
        (H, W, 4) uint8 sRGB with straight alpha, and the drawing's own width and height.

    Raises: StorageError: not a whole SVG, or one that is unsafe to render.
    """
    from PIL import Image

    if len(data) > MAX_BYTES:
        raise StorageError("The drawing is larger than 16 MiB.", hint="Simplify it.")
    text = _decode(data)
    survey = _Survey()
    survey.read(text)
    width, height = survey.size()
    side = longest if longest is not None else min(MAX_SIDE, max(smallest, width, height))
    wide = width >= height
    side = max(1, round(side))
    render = _render_here if survey.is_plain(side) else _render_apart
    png = render(
        {
            "svg_string": _without_strangers(text),
            "skip_system_fonts": not survey.has_text,
            "dpi": 96.0,  # what CSS means by an inch
            "width" if wide else "height": side,
        }
    )
    with Image.open(io.BytesIO(png), formats=("PNG",)) as picture:
        pixels = np.asarray(picture.convert("RGBA"))
    return pixels, (max(1, round(width)), max(1, round(height)))


def _render_here(options: dict[str, Any]) -> bytes:
    import resvg_py

    try:
        return bytes(resvg_py.svg_to_bytes(**options))
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic of the renderer is no Exception
        raise StorageError(
            f"The drawing cannot be rendered: {error}.", hint="Use another copy of the file."
        ) from None


_CHILD = """
import json, sys
try:
    import resource
    resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
except (ImportError, OSError, ValueError):
    pass
import resvg_py
sys.stdout.buffer.write(bytes(resvg_py.svg_to_bytes(**json.load(sys.stdin))))
"""


def _render_apart(options: dict[str, Any]) -> bytes:
    """The same in a process that may die, for a drawing that may kill it."""
    import resvg_py

    try:
        done = subprocess.run(  # noqa: S603 - our own text, run by the Python that runs us
            [sys.executable, "-c", _CHILD.replace("BYTES", str(_BYTES))],
            input=json.dumps(options).encode(),
            capture_output=True,
            timeout=_SECONDS,
            check=False,
            # the first place Python looks for modules must not be a stranger's folder
            cwd=Path(resvg_py.__file__).parents[1],
        )
    except subprocess.TimeoutExpired:
        raise StorageError(
            f"The drawing takes longer than {_SECONDS:.0f} seconds to render.", hint="Simplify it."
        ) from None
    if done.returncode != 0:
        words = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["it failed"]
        reason = words[-1] if words[-1].startswith("ValueError") else "it needs too much"
        raise StorageError(f"The drawing cannot be rendered: {reason}.", hint="Simplify it.")
    return done.stdout


@dataclass(slots=True)
class _Part:
    """The root, or an element with an id, and those inside that belong to no part of their own."""

    identity: str
    elements: int = 0
    targets: list[str] = field(default_factory=list)  # ids that its elements refer to
    inside: list[_Part] = field(default_factory=list)
    total: int = 0  # elements once every reference is followed; 0: not counted yet


class _Survey:
    """One pass over a drawing: how large it is, and how much its references make of it."""

    def __init__(self) -> None:
        self.has_text = False
        self._unforeseeable = False
        self._layers = 0
        self._depth = 0
        self._references = 0  # elements that put others into themselves
        self._expansion = 0
        self._root: dict[str, str] = {}
        self._whole = _Part("")
        self._elements = 0
        self._open: list[_Part] = []  # of each element around
        self._around: set[str] = set()  # their ids
        self._parts: defaultdict[str, list[_Part]] = defaultdict(list)
        self._counted = 0

    def read(self, text: str) -> None:
        """Look through the drawing.

        Raises: StorageError: it is damaged, no SVG, or unsafe.
        """
        parser = expat.ParserCreate(encoding="utf-8", namespace_separator="}")
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.EntityDeclHandler = self._refuse_unsafe_entity
        try:
            parser.Parse(text.encode(), True)
        except (expat.ExpatError, LookupError, ValueError) as error:
            raise StorageError(
                f"The drawing is damaged: {error}.", hint="Use another copy of the file."
            ) from None
        self._expansion = self._expanded(self._whole)
        if self._expansion > _MAX_ELEMENTS:
            raise _endless()

    def is_plain(self, side: int) -> bool:
        """Whether rendering it ``side`` pixels large is sure to end soon and in little memory."""
        nesting = self._depth * (1 + self._references)  # at most
        return (
            not self._unforeseeable
            and nesting <= _MAX_NESTING
            and min(self._layers, nesting) <= _MAX_LAYERS
            and self._expansion * side**2 <= _MAX_PAINTED
        )

    def size(self) -> tuple[float, float]:
        """Width and height in pixels, from the root's attributes as CSS reads them."""
        root = self._root
        corners = re.split(r"[\s,]+", root.get("viewBox", "").strip())[2:4]
        view = [_pixels(corner) for corner in corners]
        sides = [_pixels(root.get(name, "")) for name in ("width", "height")]
        natural = (view[0], view[1]) if len(view) == 2 and all(view) else (None, None)
        match sides, natural:
            case [float(width), float(height)], _:
                return width, height
            case [float(width), None], (float(w), float(h)):
                return width, width * h / w
            case [None, float(height)], (float(w), float(h)):
                return height * w / h, height
            case _, (float(w), float(h)):
                return w, h
        return sides[0] or _FALLBACK[0], sides[1] or _FALLBACK[1]

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        local = name.rpartition("}")[2]
        if not self._elements:
            if local != "svg":
                raise StorageError(
                    "The file is XML but not an SVG drawing.", hint="Give a picture file."
                )
            self._root = attributes
        self.has_text |= local == "text"
        self._unforeseeable |= local in _UNFORESEEABLE
        self._references += local in ("use", "mask", "clipPath", "marker")
        self._layers += any(name in attributes for name in _LAYERING)
        self._elements += 1
        if self._elements > _MAX_ELEMENTS:
            raise StorageError("The drawing has more than 200,000 parts.", hint="Simplify it.")
        part = self._part_of(attributes.get("id", ""))
        part.elements += 1
        part.targets += [
            value.strip()[1:]
            for key, value in attributes.items()
            if key.rpartition("}")[2] == "href" and value.strip().startswith("#")
        ]
        part.targets += re.findall(r"url\(\s*['\"]?#([^)'\"]+)", " ".join(attributes.values()))
        self._open.append(part)
        self._depth = max(self._depth, len(self._open))
        if self._depth > _MAX_DEPTH:
            raise _too_deep()

    def _end(self, name: str) -> None:
        part = self._open.pop()
        if self._open and self._open[-1] is not part:
            self._around.discard(part.identity)

    def _part_of(self, identity: str) -> _Part:
        """The part that the next element begins, or else the one around it."""
        if self._open and (not identity or identity in self._around):
            return self._open[-1]
        part = _Part(identity)
        if self._open:
            self._open[-1].inside.append(part)
        else:
            self._whole = part
        self._around.add(identity)
        self._parts[identity].append(part)
        return part

    def _expanded(self, part: _Part, depth: int = 0) -> int:
        """Elements of one part once every reference is followed; a cycle counts once."""
        self._counted += 1  # each time adds an element or more to the whole
        if self._counted > _MAX_ELEMENTS:
            raise _endless()
        if depth > _MAX_DEPTH:
            raise _too_deep()
        if not part.total:
            part.total = 1  # while it is being counted: a cycle ends here, as in the renderer
            total = part.elements
            for parts in (part.inside, *(self._parts.get(name, ()) for name in part.targets)):
                for inner in parts:
                    total += self._expanded(inner, depth + 1)
            part.total = total
        return part.total

    @staticmethod
    def _refuse_unsafe_entity(name: str, is_parameter: bool, value: str | None, *rest: Any) -> None:
        if value is None or is_parameter or len(value) > _MAX_ENTITY or re.search("[<&%]", value):
            raise StorageError(
                "The drawing declares XML entities that could hide anything.",
                hint="Save it again without them.",
            )


def _endless() -> StorageError:
    return StorageError(
        f"The drawing repeats itself more than {_MAX_ELEMENTS:,} times.", hint="Simplify it."
    )


def _too_deep() -> StorageError:
    return StorageError(
        f"The drawing cannot be rendered: its parts lie more than {_MAX_DEPTH} deep in each other.",
        hint="Take it out of some of its groups.",
    )


def _decode(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    else:
        declared = re.match(rb"""\s*<\?xml[^>]*encoding\s*=\s*["']([\w.-]+)""", data[:200])
        encoding = declared[1].decode().lower() if declared else "utf-8-sig"
        encoding = "utf-8-sig" if encoding in ("utf-8", "utf8", "utf-16") else encoding
    if encoding not in ("utf-8-sig", "utf-16", "iso-8859-1", "latin-1", "windows-1252", "us-ascii"):
        raise StorageError(f"The drawing is written in {encoding}.", hint="Save it as UTF-8.")
    try:
        return data.decode(encoding)
    except ValueError:
        raise StorageError("The drawing is not text.", hint="Save it as UTF-8.") from None


def _without_strangers(text: str) -> str:
    """The drawing without references that leave the file; small embedded pictures stay."""
    budget: float = _MAX_EMBEDDED

    def judge(match: re.Match[str]) -> str:
        nonlocal budget
        value = match[1][1:-1].lstrip()
        if value.startswith("#"):
            return match[0]
        if _EMBEDDED.match(value):
            pixels = _embedded_pixels(value.partition(",")[2])
            if pixels <= budget:
                budget -= pixels
                return match[0]
        return ""

    return _REFERENCE.sub(judge, text)


def _embedded_pixels(encoded: str) -> float:
    """How many pixels a base64 picture has; infinite where nobody can say."""
    from PIL import Image

    try:
        data = base64.b64decode(re.sub(r"\s+", "", encoded))
        with Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "GIF")) as picture:
            width, height = picture.size
            return float(width * height)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return float("inf")


def _pixels(length: str) -> float | None:
    match = _LENGTH.fullmatch(length) if len(length) <= _MAX_LENGTH else None
    if match is None or match[2] not in _PIXELS_A_UNIT:
        return None
    pixels = float(match[1]) * _PIXELS_A_UNIT[match[2]]
    return pixels if 0 < pixels < 1e9 else None
