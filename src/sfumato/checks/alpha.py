"""Is the picture clear and solid where it should be?"""

from __future__ import annotations

from sfumato.checks.look import Look
from sfumato.request import Finding

__all__ = ["ragged_alpha"]

_HAZE = 2.0  # half-clear pixels for each pixel of outline, at 256 pixels a side; a clean edge has 1


def ragged_alpha(look: Look) -> list[Finding]:
    """Half-transparent haze where the picture should be clear or solid."""
    if look.asked is not None and look.asked.background not in (None, "transparent"):
        return []
    step = max(1, max(look.height, look.width) // 1024)  # finer than the other checks: thin edges
    alpha = look.pixels[::step, ::step, 3]
    half = (alpha > 12) & (alpha < 243)
    solid = alpha >= 128
    outline = int((solid[1:] != solid[:-1]).sum() + (solid[:, 1:] != solid[:, :-1]).sum())
    # a soft edge is as wide as the model's pixel, which grows with the picture
    allowed = _HAZE * outline * max(1.0, min(alpha.shape) / 256)
    if half.sum() <= allowed + 0.001 * alpha.size:
        return []
    share = float(half.mean())
    return [
        Finding(
            check="ragged_alpha",
            severity="warning",
            message=f"{share:.1%} of the picture is half-transparent haze.",
            mask=look.mask_of(half),
            measure=round(share, 4),
        )
    ]
