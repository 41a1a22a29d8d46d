"""A plan with every field decided, for tests that need one and mind only a few of them."""

from __future__ import annotations

from typing import Any

from sfumato.request import GenerationPlan


def plan_of(**changes: Any) -> GenerationPlan:
    """One flat fox of the fake model, 512x512 on a clear canvas, with these fields changed."""
    fields: dict[str, Any] = {
        "prompt": "a fox",
        "negative_prompt": "",
        "subject": "fox",
        "model": "fake",
        "model_sha256": "0" * 64,
        "seeds": (1,),
        "styles": ("flat",),
        "width": 512,
        "height": 512,
        "num_inference_steps": 1,
        "guidance_scale": 1.0,
        "sampler": "euler",
        "scheduler": "uniform",
        "background": "transparent",
    }
    return GenerationPlan(**{**fields, **changes})
