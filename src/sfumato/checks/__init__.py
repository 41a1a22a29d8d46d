"""What is wrong with a picture: every registered check, one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sfumato.registry import CHECKS
from sfumato.request import Finding, GenerationPlan

if TYPE_CHECKING:
    from sfumato.models import Conditioning

__all__ = ["run_checks"]


def run_checks(
    pixels: NDArray[np.uint8], plan: GenerationPlan, cond: Conditioning | None = None
) -> tuple[Finding, ...]:
    """Everything the registered checks say about (H, W, 4) uint8 pixels, worst first."""
    found: list[Finding] = []
    for entry in CHECKS:
        found.extend(entry.resolve()(pixels, plan, cond))
    order = {"error": 0, "warning": 1, "note": 2}
    return tuple(sorted(found, key=lambda finding: order[finding.severity]))
