"""A picture's pixels, and the small picture that lists show: WebP, made once, kept in the cache."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from sfumato.errors import SfumatoError, StorageError
from sfumato.gallery.folder import Folder
from sfumato.gallery.picture import Picture
from sfumato.pictures import read_picture

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

THUMBNAIL_SIDE = 320  # pixels: sharp at 160 on a dense screen
_QUALITY = 82


def make_thumbnail(folder: Folder, picture: Picture) -> Path:
    """Make the thumbnail of a picture and return its path.

    Raises: StorageError: the picture's file is gone or damaged, or the cache not writable.
    """
    small = Image.fromarray(load_pixels(folder, picture, longest=THUMBNAIL_SIDE))
    buffer = BytesIO()
    small.save(buffer, "WEBP", quality=_QUALITY, method=4)
    path = folder.thumbnail(picture.id)
    folder.write_cache(path, buffer.getvalue())
    return path


def load_pixels(
    folder: Folder, picture: Picture, *, longest: int | None = None
) -> NDArray[np.uint8]:
    """(H, W, 4) uint8 sRGB pixels of a picture's file, straight alpha, upright.

    ``longest``: the longer side is made at most this many pixels, which is quicker.

    Raises: StorageError: the file is gone or damaged.
    """
    try:
        return read_picture(picture.path, longest=longest)
    except SfumatoError as error:
        if not picture.path.exists():
            folder.check()  # without its disk every file would seem to be gone
            raise file_missing(picture.id, picture.path) from None
        raise StorageError(
            f"The picture {picture.id} is damaged: {error.message}",
            hint="Run: sfumato gallery heal",
        ) from None


def file_missing(identity: str, path: Path) -> StorageError:
    """The error of a picture that the library knows and whose file is not there."""
    return StorageError(
        f"The file of the picture {identity} is gone: {path}.",
        hint="Put it back from a backup; the library still knows the picture.",
        code="file_missing",
    )
