"""Defects planted into clean pictures on purpose, so that the checks can be measured.

One file a theme; each plant is a function that breaks a clean picture by a given strength. The
check it is meant for should speak, on the broken picture and not on the clean one.
"""

from planted.registry import (
    EXEMPT,
    PLANTS,
    UNPLANTED,
    Broken,
    Plant,
    Sample,
    exempt,
    load_themes,
    plant,
    unplanted,
)

__all__ = [
    "EXEMPT",
    "PLANTS",
    "UNPLANTED",
    "Broken",
    "Plant",
    "Sample",
    "exempt",
    "load_themes",
    "plant",
    "unplanted",
]
