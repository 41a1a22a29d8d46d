"""What a cosine means: how likely it is that a picture shows what a text says.

Cosines of a contrastive model have no scale of their own: 0.5 is a sure match for one model and a
poor one for another. A calibration is fitted once, on pictures that the model never saw, each with
its own subject and with a wrong one; it travels in the model's sheet.

Source: Platt 1999 (a logistic curve over a classifier's scores).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sfumato.errors import ModelError

if TYPE_CHECKING:
    from sfumato.clip.base import PictureTextModel

_FALSE_ALARMS = 0.01  # share of true matches that fall below the doubtful mark, if not said
_PULL = 1e-5  # ridge on the curve: two heaps that do not overlap would make it infinitely steep


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A logistic curve over cosines, and the cosine below which a match is doubtful."""

    slope: float
    offset: float
    doubtful_below: float  # 1 % of true matches score less, or what was asked for
    mismatches_caught: float  # share of wrong texts that score less than that
    matches: int  # that it was fitted on

    def match_probability(self, cosines: NDArray[np.float32]) -> NDArray[np.float64]:
        """Cosines of any shape to probabilities of a match, where half of all pairs match."""
        return _logistic(self.slope * cosines.astype(np.float64) + self.offset)

    def to_sheet(self) -> dict[str, float | int]:
        """As it stands in ``model.json``."""
        return asdict(self)

    @classmethod
    def from_sheet(cls, values: dict[str, Any]) -> Calibration:
        """The calibration that ``to_sheet`` wrote.

        Raises: ModelError: a number is missing or is none.
        """
        try:
            return cls(
                slope=float(values["slope"]),
                offset=float(values["offset"]),
                doubtful_below=float(values["doubtful_below"]),
                mismatches_caught=float(values["mismatches_caught"]),
                matches=int(values["matches"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(
                f"The calibration in a picture-text model's sheet is damaged ({error!r}).",
                hint="Export the model again, or reinstall sfumato.",
            ) from None


def calibration_of(model: PictureTextModel) -> Calibration | None:
    """A model's calibration; none where nobody measured one (public checkpoints, tests)."""
    found = getattr(model, "calibration", None)
    return found if isinstance(found, Calibration) else None


def fit_calibration(
    matches: NDArray[np.float32],
    mismatches: NDArray[np.float32],
    *,
    false_alarms: float = _FALSE_ALARMS,
) -> Calibration:
    """The curve that tells matches from mismatches best, both heaps weighing the same.

    Args:
        matches: (M,) cosines of pictures with what they show.
        mismatches: (N,) cosines of pictures with something else.
        false_alarms: share of the matches that the doubtful mark lets fall below it.

    Raises: ValueError: a heap is empty.
    """
    if len(matches) == 0 or len(mismatches) == 0:
        raise ValueError("a calibration needs matches and mismatches")
    cosines = np.concatenate([matches, mismatches]).astype(np.float64)
    wanted = np.concatenate([np.ones(len(matches)), np.zeros(len(mismatches))])
    weight = np.where(wanted == 1, 0.5 / len(matches), 0.5 / len(mismatches))
    middle, width = float(cosines.mean()), float(cosines.std()) or 1.0
    inputs = np.stack([(cosines - middle) / width, np.ones_like(cosines)], axis=1)  # (M + N, 2)
    curve = np.zeros(2)
    for _ in range(50):  # Newton's method: quadratic, and the ridge keeps every step finite
        guess = _logistic(inputs @ curve)
        slope = inputs.T @ (weight * (guess - wanted)) + _PULL * curve
        bend = (inputs * (weight * guess * (1 - guess))[:, None]).T @ inputs + _PULL * np.eye(2)
        step = np.linalg.solve(bend, slope)
        curve -= step
        if np.abs(step).max() < 1e-9:
            break
    doubtful = float(np.quantile(matches, false_alarms))
    return Calibration(
        slope=float(curve[0] / width),
        offset=float(curve[1] - curve[0] * middle / width),
        doubtful_below=doubtful,
        mismatches_caught=float((mismatches < doubtful).mean()),
        matches=len(matches),
    )


def _logistic(values: NDArray[np.float64]) -> NDArray[np.float64]:
    result: NDArray[np.float64] = 1.0 / (1.0 + np.exp(-np.clip(values, -60.0, 60.0)))
    return result
