"""A picture's pixels, and the small picture that lists show: WebP, made once, kept in the cache."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageOps

from sfumato.errors import StorageError
from sfumato.gallery.folder import Folder
from sfumato.gallery.picture import Picture

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

THUMBNAIL_SIDE = 320  # pixels: sharp at 160 on a dense screen
_QUALITY = 82


def make_thumbnail(folder: Folder, picture: Picture) -> Path:
    """Make the thumbnail of a picture and return its path.

    Raises: StorageError: the picture's file is gone or damaged, or the cache not writable.
    """
    with _opened(folder, picture) as source:
        source.draft("RGB", (THUMBNAIL_SIDE, THUMBNAIL_SIDE))  # JPEG decodes small at once
        small = ImageOps.exif_transpose(source).convert("RGBA")
    small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.LANCZOS)
    buffer = BytesIO()
    small.save(buffer, "WEBP", quality=_QUALITY, method=4)
    path = folder.thumbnail(picture.id)
    folder.write_cache(path, buffer.getvalue())
    return path


def load_pixels(folder: Folder, picture: Picture) -> NDArray[np.uint8]:
    """(H, W, 4) uint8 pixels of a picture's file.

    Raises: StorageError: the file is gone or damaged.
    """
    import numpy as np

    with _opened(folder, picture) as source:
        return np.asarray(source.convert("RGBA"))


@contextmanager
def _opened(folder: Folder, picture: Picture) -> Iterator[Image.Image]:
    try:
        with Image.open(picture.path) as source:
            yield source
    except FileNotFoundError:
        folder.check()  # without its disk every file would seem to be gone
        raise StorageError(
            f"The file of the picture {picture.id} is gone: {picture.path}.",
            hint="Put it back from a backup; the library still knows the picture.",
            code="file_missing",
        ) from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise StorageError(
            f"The picture {picture.id} is damaged: {error}.", hint="Run: sfumato gallery heal"
        ) from None
