"""Words into pictures, on your own machine.

    import sfumato
    sfumato.generate("a red fox", seed=7).images[0].save("fox.png")

Importing this package loads neither NumPy nor an engine; names are resolved on first use.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

__all__ = [
    "BackendError",
    "Cancelled",
    "Event",
    "Finding",
    "GeneratedImage",
    "GenerationPlan",
    "GenerationRequest",
    "GenerationResult",
    "MissingExtraError",
    "ModelError",
    "RequestError",
    "SfumatoError",
    "StorageError",
    "__version__",
    "check",
    "draw_best",
    "draw_until_good",
    "generate",
    "generate_and_store",
    "load",
    "rank",
    "read_recipe",
    "search",
]

_HOMES = {
    **dict.fromkeys(("generate", "generate_and_store", "load"), "sfumato.generate"),
    **dict.fromkeys(("draw_best", "draw_until_good"), "sfumato.selection"),
    "rank": "sfumato.ranking",
    "read_recipe": "sfumato.files",
    "check": "sfumato.inspection",
    "search": "sfumato.clip.search",
    **dict.fromkeys(
        (
            "Event",
            "Finding",
            "GeneratedImage",
            "GenerationPlan",
            "GenerationRequest",
            "GenerationResult",
        ),
        "sfumato.request",
    ),
    **dict.fromkeys(
        (
            "BackendError",
            "Cancelled",
            "MissingExtraError",
            "ModelError",
            "RequestError",
            "SfumatoError",
            "StorageError",
        ),
        "sfumato.errors",
    ),
}

if TYPE_CHECKING:
    from sfumato.clip.search import search
    from sfumato.errors import (
        BackendError,
        Cancelled,
        MissingExtraError,
        ModelError,
        RequestError,
        SfumatoError,
        StorageError,
    )
    from sfumato.files import read_recipe
    from sfumato.generate import generate, generate_and_store, load
    from sfumato.inspection import check
    from sfumato.ranking import rank
    from sfumato.request import (
        Event,
        Finding,
        GeneratedImage,
        GenerationPlan,
        GenerationRequest,
        GenerationResult,
    )
    from sfumato.selection import draw_best, draw_until_good


class _Package(ModuleType):
    """Keeps ``sfumato.generate`` the function; importing the file of that name would hide it."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "generate" and isinstance(value, ModuleType):
            value = value.generate
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    import importlib

    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'sfumato' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
