"""What may be asked of a choice, and what is told about one."""

from __future__ import annotations

from dataclasses import dataclass

from sfumato.errors import RequestError
from sfumato.request import MAX_IMAGES, GenerationResult

__all__ = [
    "DEFAULT_SKETCHES",
    "MAX_BEST_OF",
    "MAX_BUDGET",
    "MAX_RETRIES",
    "Choice",
    "Rules",
    "SelectionResult",
]

DEFAULT_SKETCHES = 4  # of a prompt on the command line without --seed; 1 is no choice
MAX_BEST_OF = MAX_IMAGES
MAX_RETRIES = 100
MAX_BUDGET = 86_400.0  # seconds: a day


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How a picture is chosen.

    Raises: RequestError: a number out of range.
    """

    best_of: int = 1  # sketches to choose from, in each try
    retry: int = 0  # further tries while the checks find something wrong
    budget: float | None = None  # seconds for one picture; then no further try begins
    ranker: str | None = None  # the picture-text model that compares; None: the built-in one

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ("sketches to choose from", self.best_of, 1, MAX_BEST_OF),
            ("retries", self.retry, 0, MAX_RETRIES),
        ):
            if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
                raise RequestError(
                    f"{value!r} is no number of {name}.", hint=f"Give one from {low} to {high}."
                )
        if self.budget is not None and not 0 < self.budget <= MAX_BUDGET:  # NaN is refused too
            raise RequestError(
                f"The budget is {self.budget!r} seconds.", hint=f"Give up to {MAX_BUDGET:,.0f}."
            )

    @property
    def is_plain(self) -> bool:
        """One drawing and nothing to choose."""
        return self.best_of == 1 and self.retry == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """How one picture was chosen."""

    tried: tuple[int, ...]  # the seed of every sketch, in the order they were drawn
    closeness: tuple[float, ...]  # of each to the words, a cosine; empty where none was compared
    finished: tuple[int, ...]  # the seeds of those that were finished and checked
    passed: bool  # no warning and no error that another seed could mend
    why: str  # a sentence for people; empty where there was nothing to choose
    stopped: bool = False  # cut short: the best of what there was by then


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectionResult(GenerationResult):
    """The chosen pictures; ``plan`` draws exactly them, and ``choices[i]`` is of ``images[i]``."""

    choices: tuple[Choice, ...]
