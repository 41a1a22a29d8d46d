"""A contact sheet of found pictures: one HTML file that needs nothing but a browser.

Thumbnails are inside it, originals are linked, nothing is fetched and no script runs (the page
forbids both to itself). Names come from a disk that may hold anything, so all of them are escaped.
"""

from __future__ import annotations

import base64
import os
from html import escape
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from sfumato.cli.info import printable
from sfumato.errors import SfumatoError
from sfumato.wording import counted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sfumato.clip.search import SearchResult

_SIDE = 440  # pixels of a thumbnail: sharp at twice the width it is usually shown with
_QUALITY = 82

_STYLE = """
:root {
  color-scheme: light dark;
  --paper: #faf9f7; --plate: #f3f1ee; --ink: #1c1b1a; --quiet: #6b6763; --line: #e6e2dd;
  --accent: #8a4b2a;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #161514; --ink: #f0edea; --quiet: #a39d97; --line: #34312e; --accent: #e0a27e;
    --plate: #dad6d1; /* pale in the dark, too: most drawings are made for paper */
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
}
header, main, footer { max-width: 88rem; margin: 0 auto; padding: 0 clamp(1rem, 4vw, 3rem); }
header { display: flex; gap: 1.5rem; align-items: center; padding-top: clamp(1.5rem, 5vw, 4rem); }
header img {
  width: 7rem; height: 7rem; object-fit: contain; flex: none;
  background: var(--plate); border: 1px solid var(--line); border-radius: 12px; padding: .5rem;
}
h1 {
  margin: 0; font-size: clamp(1.75rem, 4.5vw, 3rem); line-height: 1.15; font-weight: 650;
  letter-spacing: -.02em; overflow-wrap: anywhere; text-wrap: balance;
}
header p { margin: .5rem 0 0; color: var(--quiet); overflow-wrap: anywhere; }
ol {
  list-style: none; margin: clamp(1.5rem, 4vw, 3rem) 0; padding: 0; display: grid; gap: 1.25rem;
  grid-template-columns: repeat(auto-fill, minmax(min(13rem, 44%), 1fr));
}
li { display: flex; min-width: 0; }
figure { margin: 0; width: 100%; display: flex; flex-direction: column; }
a {
  display: grid; place-items: center; aspect-ratio: 1; padding: 8%; border-radius: 14px;
  background: var(--plate); border: 1px solid var(--line); color: #6b6763; text-decoration: none;
  overflow: hidden; transition: border-color .15s;
}
a:hover { border-color: var(--accent); }
a:focus-visible { outline: 3px solid var(--accent); outline-offset: 3px; }
a img { width: 100%; height: 100%; object-fit: contain; }
figcaption { display: flex; gap: .75rem; padding: .6rem .15rem 0; font-size: .875rem; }
figcaption bdi {
  flex: 1; min-width: 0; overflow: hidden; overflow-wrap: anywhere; line-height: 1.35;
  display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2;
}
figcaption span { color: var(--quiet); font-variant-numeric: tabular-nums; }
footer {
  color: var(--quiet); font-size: .875rem; border-top: 1px solid var(--line);
  padding-top: 1rem; padding-bottom: 2.5rem;
}
@media (prefers-reduced-motion: reduce) { a { transition: none; } }
@media print { li { break-inside: avoid; } }
"""


def make_sheet(
    query: str, found: SearchResult, *, folder: Path, place: Path, is_picture: bool = False
) -> bytes:
    """The page, as UTF-8.

    Args:
        query: what was searched for: words, or with ``is_picture`` a picture file.
        found: what was found.
        folder: where, as the person wrote it.
        place: the folder the page will lie in; links to the pictures are relative to it.
        is_picture: show the query's picture in the heading.
    """
    from sfumato.pictures import read_many

    heading = f"Like {Path(query).name}" if is_picture else query
    paths = [Path(query)] if is_picture else []
    pictures = read_many([*paths, *(hit.path for hit in found.hits)], longest=_SIDE)
    example = _image(next(pictures)[1], "The picture searched with") if is_picture else ""
    root = folder.resolve()
    items = []
    for hit, (path, pixels) in zip(found.hits, pictures, strict=True):
        name = str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
        items.append(_item(name, _link(path, place.resolve()), hit.score, pixels))
    report = found.report
    among = report.added + report.kept + report.moved
    summary = (
        f"{counted(len(items), 'picture')} of {among:,} in <bdi>{_text(folder)}</bdi>, best first"
    )
    skipped = len(report.skipped)
    left_out = f" {counted(skipped, 'file')} could not be read." if skipped else ""
    page = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{_text(heading)} · sfumato</title>
<style>{_STYLE}</style>
</head>
<body>
<header>
{example}<div>
<h1 dir="auto">{_text(heading)}</h1>
<p>{summary}</p>
</div>
</header>
<main>
<ol role="list">
{"".join(items)}</ol>
</main>
<footer>Found by sfumato. The numbers are cosines: 1 is the same, 0 has nothing in common.\
{left_out}</footer>
</body>
</html>
"""
    return page.encode()


def _item(name: str, link: str, score: float, pixels: NDArray[np.uint8] | SfumatoError) -> str:
    shown = _image(pixels, name) or "<span>no longer readable</span>"
    return (
        f'<li><figure><a href="{link}">{shown}</a>\n'
        f"<figcaption><bdi>{_text(name)}</bdi>"
        f'<span title="closeness">{score:.3f}</span></figcaption></figure></li>\n'
    )


def _image(pixels: NDArray[np.uint8] | SfumatoError, description: str) -> str:
    """The picture as an element that holds its own pixels; empty where it cannot be read."""
    if isinstance(pixels, SfumatoError):
        return ""
    from PIL import Image

    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", quality=_QUALITY)
    height, width = pixels.shape[:2]
    encoded = base64.b64encode(buffer.getvalue()).decode("ascii")
    return (
        f'<img src="data:image/webp;base64,{encoded}" alt="{_text(description)}" '
        f'width="{width}" height="{height}">'
    )


def _link(path: Path, place: Path) -> str:
    """From the page to a picture: relative, so that both can be moved together."""
    try:
        relative = os.path.relpath(path, place)
    except ValueError:  # on another drive of Windows
        return escape(path.as_uri())
    # "./" before everything, so that no name is taken for a scheme such as "javascript:"
    return escape("./" + quote(os.fsencode(relative.replace(os.sep, "/"))))


def _text(value: object) -> str:
    """Escaped for text and attributes; bytes that are no UTF-8 show as question marks."""
    return escape(printable(value).encode("utf-8", "replace").decode("utf-8"))
