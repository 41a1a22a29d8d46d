"""Strangers' picture files as files of our own: the same drawing, its recipe, and nothing else.

A picture file can hold much that nobody sees: where a photograph was taken, a thumbnail of what was
cut away, whatever was appended to it, bytes that break some other program's decoder. What comes in
over HTTP is decoded once and written anew, so that none of it travels on.
"""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, PngImagePlugin

from sfumato.errors import RequestError
from sfumato.files import read_recipe
from sfumato.files.metadata import PIXELS_KEY, XMP_KEY, text_fields
from sfumato.gallery.folder import EXTENSIONS
from sfumato.pictures import read_picture
from sfumato.request import GeneratedImage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sfumato.files import Recipe

_SHA256 = re.compile("[0-9a-f]{64}")


def clean_copy(path: Path) -> bytes:
    """A PNG of the picture at ``path``, upright and in sRGB, with its recipe as text.

    Of an animation the first frame. The same file gives the same bytes.

    Raises: RequestError: not a picture that the library keeps; StorageError: it is damaged.
    """
    recipe = read_recipe(path)  # checks every limit before memory is taken
    if recipe.format not in EXTENSIONS:
        raise RequestError(
            f"{path} is {recipe.format.upper()}.", hint=f"Send {', '.join(EXTENSIONS)}."
        )
    pixels = read_picture(path)
    return plain_png(pixels, _texts_of(recipe, pixels))


def plain_png(pixels: NDArray[np.uint8], texts: dict[str, str] | None = None) -> bytes:
    """(H, W, 4) uint8 pixels as a PNG with these texts, by keyword, and no other metadata."""
    chunks = PngImagePlugin.PngInfo()
    for keyword, text in (texts or {}).items():
        chunks.add_itxt(keyword, text.replace("\x00", "\ufffd"))
    picture = Image.fromarray(pixels)
    if int(pixels[..., 3].min()) == 255:
        picture = picture.convert("RGB")  # reads back as the same pixels, a quarter smaller
    buffer = BytesIO()
    picture.save(buffer, "PNG", pnginfo=chunks)
    return buffer.getvalue()


def _texts_of(recipe: Recipe, pixels: NDArray[np.uint8]) -> dict[str, str]:
    """What was understood of the file's metadata, written as its program would have."""
    if recipe.plan is None:
        return {recipe.keyword: recipe.text} if recipe.keyword else {}
    image = GeneratedImage(pixels=pixels, plan=recipe.plan, index=0)
    texts = text_fields(image)
    drawn = recipe.recorded_sha256 or ""
    if _SHA256.fullmatch(drawn):  # of the lossless picture, where this one came as a JPEG
        texts[XMP_KEY] = texts[XMP_KEY].replace(texts[PIXELS_KEY], drawn)
        texts[PIXELS_KEY] = drawn
    return texts
