"""Any picture as 8-bit sRGB with straight alpha: deep, printed, profiled, greyscale or Lab.

Pillow converts most modes, but cuts off what has more than 8 bits and passes over ICC profiles.
"""

from __future__ import annotations

from io import BytesIO

import numpy as np
from PIL import Image

from sfumato.errors import StorageError

__all__ = ["to_srgb"]


def to_srgb(picture: Image.Image) -> Image.Image:
    """A picture of mode RGBA from one of any mode that Pillow decodes to.

    Raises: StorageError: its colours cannot be converted.
    """
    if picture.mode.startswith("I") or picture.mode == "F":
        return _deep_to_rgba(picture)
    profile = picture.info.get("icc_profile")
    if isinstance(profile, bytes) and not _is_srgb(profile):
        converted = _through_profile(picture, profile)
        if converted is not None:
            return converted
    if picture.mode == "LAB":
        return _from_lab(picture)
    return picture.convert("RGBA")


def _deep_to_rgba(picture: Image.Image) -> Image.Image:
    """Greyscale of 16 or 32 bits or of floats, scaled to 8: Pillow itself would cut it off."""
    values = np.asarray(picture).astype(np.float32)  # (H, W)
    clear = picture.info.get("transparency")
    opaque = values != clear if isinstance(clear, int) else np.ones(values.shape, np.bool_)
    values = np.nan_to_num(values, posinf=0.0, neginf=0.0)
    low, high = float(values.min()), float(values.max())
    if picture.mode == "F":
        low, high = (0.0, 1.0) if low >= 0 and high <= 1 else (low, high)
    elif low >= 0 and high <= 65535:
        low, high = 0.0, 65535.0
    grey = np.rint((values - low) * (255.0 / max(high - low, 1e-12))).astype(np.uint8)
    alpha = np.where(opaque, 255, 0).astype(np.uint8)
    return Image.fromarray(np.dstack([grey, grey, grey, alpha]))


def _is_srgb(profile: bytes) -> bool:
    """Whether a profile calls itself sRGB: most do, and converting them would change nothing."""
    return b"sRGB" in profile[:4096] or "sRGB".encode("utf-16-be") in profile[:4096]


def _through_profile(picture: Image.Image, profile: bytes) -> Image.Image | None:
    """The picture converted to sRGB by its ICC profile; None where that cannot be done."""
    from PIL import ImageCms

    if picture.mode in ("P", "PA"):
        picture = picture.convert("RGBA")
    alpha = picture.getchannel("A") if picture.mode in ("RGBA", "LA") else None
    if alpha is not None:
        picture = picture.convert("RGB" if picture.mode == "RGBA" else "L")
    elif "transparency" in picture.info:
        alpha = picture.convert("RGBA").getchannel("A")
    try:
        converted = ImageCms.profileToProfile(
            picture,
            ImageCms.ImageCmsProfile(BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            outputMode="RGB",
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None  # damaged, or for another kind of picture: most programs pass over it, too
    if converted is None:
        return None
    if alpha is not None:
        converted.putalpha(alpha)
    return converted.convert("RGBA")


def _from_lab(picture: Image.Image) -> Image.Image:
    from PIL import ImageCms

    converted = ImageCms.profileToProfile(
        picture, ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), outputMode="RGB"
    )
    if converted is None:
        raise StorageError("Its colours (Lab) cannot be converted.", hint="Save it as sRGB.")
    return converted.convert("RGBA")
