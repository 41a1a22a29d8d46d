"""What a model is (protocols, ``ModelSpec``) and how one is found, verified and loaded."""

from sfumato.models.base import (
    Conditioning,
    DiffusionModel,
    DirectModel,
    Model,
    ModelSpec,
    Sketch,
)
from sfumato.models.catalogue import load, spec_of, usable_specs

__all__ = [
    "Conditioning",
    "DiffusionModel",
    "DirectModel",
    "Model",
    "ModelSpec",
    "Sketch",
    "load",
    "spec_of",
    "usable_specs",
]
