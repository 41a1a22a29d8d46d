"""Small pictures for lists: WebP, made once, kept in the cache."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from PIL import Image, ImageOps

from sfumato.errors import StorageError
from sfumato.gallery.folder import Folder
from sfumato.gallery.picture import Picture

THUMBNAIL_SIDE = 320  # pixels: sharp at 160 on a dense screen
_QUALITY = 82


def make_thumbnail(folder: Folder, picture: Picture) -> Path:
    """Make the thumbnail of a picture and return its path.

    Raises: StorageError: the picture's file is gone or damaged, or the cache not writable.
    """
    try:
        with Image.open(picture.path) as source:
            source.draft("RGB", (THUMBNAIL_SIDE, THUMBNAIL_SIDE))  # JPEG decodes small at once
            small = ImageOps.exif_transpose(source.convert("RGBA"))
    except FileNotFoundError:
        raise missing_file(folder, picture) from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise StorageError(
            f"The picture {picture.id} is damaged: {error}.", hint="Run: sfumato gallery heal"
        ) from None
    small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.LANCZOS)
    buffer = BytesIO()
    small.save(buffer, "WEBP", quality=_QUALITY, method=4)
    path = folder.thumbnail(picture.id)
    folder.write_cache(path, buffer.getvalue())
    return path


def missing_file(folder: Folder, picture: Picture) -> StorageError:
    """The error of a picture whose file is not there. Raises: StorageError: the folder is not."""
    folder.check()
    return StorageError(
        f"The file of the picture {picture.id} is gone: {picture.path}.",
        hint="Put it back from a backup; the library still knows the picture.",
        code="file_missing",
    )
