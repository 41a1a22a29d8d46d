"""CLIP weights as OpenAI and open_clip name them, renamed for transformers' ``CLIPModel``.

The shapes of the tensors say everything about the network but its activation: OpenAI's own files
carry three marker tensors and use QuickGELU; open_clip's say it in ``open_clip_config.json``.
Source: Radford et al. 2021 (arXiv:2103.00020), the released ``model.py``; Ilharco et al. 2021,
open_clip.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sfumato.errors import ModelError

if TYPE_CHECKING:
    import torch

__all__ = ["HEAD_WIDTH", "is_openai_layout", "read_shapes", "rename"]

MARKERS = ("input_resolution", "context_length", "vocab_size")
HEAD_WIDTH = 64  # of an attention head in nearly every CLIP transformer

_BLOCK = (
    ("ln_1", "layer_norm1"),
    ("ln_2", "layer_norm2"),
    ("attn.out_proj", "self_attn.out_proj"),
    ("mlp.c_fc", "mlp.fc1"),
    ("mlp.c_proj", "mlp.fc2"),
)
_WHOLE = {
    "logit_scale": "logit_scale",
    "positional_embedding": "text_model.embeddings.position_embedding.weight",
    "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
    "ln_final.weight": "text_model.final_layer_norm.weight",
    "ln_final.bias": "text_model.final_layer_norm.bias",
    "visual.class_embedding": "vision_model.embeddings.class_embedding",
    "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
    "visual.conv1.weight": "vision_model.embeddings.patch_embedding.weight",
    "visual.ln_pre.weight": "vision_model.pre_layrnorm.weight",
    "visual.ln_pre.bias": "vision_model.pre_layrnorm.bias",
    "visual.ln_post.weight": "vision_model.post_layernorm.weight",
    "visual.ln_post.bias": "vision_model.post_layernorm.bias",
}
# kept as (in, out) matrices by OpenAI, as linear layers (out, in) by transformers
_TURNED = {"text_projection": "text_projection.weight", "visual.proj": "visual_projection.weight"}


def is_openai_layout(names: Mapping[str, Any]) -> bool:
    """Whether these tensor names are OpenAI's."""
    return "visual.conv1.weight" in names or "visual.trunk.patch_embed.proj.weight" in names


def read_shapes(
    shapes: Mapping[str, tuple[int, ...]],
    quick_gelu: bool | None = None,
    head_width: int = HEAD_WIDTH,
) -> dict[str, Any]:
    """The arguments of ``CLIPConfig`` that these tensors need.

    ``quick_gelu`` None: true for OpenAI's own files, false for open_clip's. ``head_width``: of an
    attention head on the picture's side; only the largest models differ from 64.

    Raises: ModelError: another kind of network (a ResNet, a timm trunk), or tensors are missing.
    """
    if "visual.trunk.patch_embed.proj.weight" in shapes or "visual.layer1.0.conv1.weight" in shapes:
        raise ModelError(
            "This CLIP's picture side is no plain vision transformer.",
            hint="ViT models are read, and every CLIP or SigLIP that transformers saved.",
        )
    try:
        vision_width, _, patch, _ = shapes["visual.conv1.weight"]
        vision_mlp = shapes["visual.transformer.resblocks.0.mlp.c_fc.weight"][0]
        grid = round((shapes["visual.positional_embedding"][0] - 1) ** 0.5)
        vocabulary, text_width = shapes["token_embedding.weight"]
        text_mlp = shapes["transformer.resblocks.0.mlp.c_fc.weight"][0]
        context = shapes["positional_embedding"][0]
        projection = shapes["text_projection"][1]
    except (KeyError, ValueError) as error:
        raise ModelError(f"The weights are not a whole CLIP ({error} is missing).") from None
    quick = all(marker in shapes for marker in MARKERS) if quick_gelu is None else quick_gelu
    activation = "quick_gelu" if quick else "gelu"
    return {
        "projection_dim": projection,
        "vision_config": {
            "hidden_size": vision_width,
            "intermediate_size": vision_mlp,
            "num_hidden_layers": _depth(shapes, "visual.transformer"),
            "num_attention_heads": max(1, vision_width // head_width),
            "image_size": grid * patch,
            "patch_size": patch,
            "hidden_act": activation,
            "projection_dim": projection,
        },
        "text_config": {
            "hidden_size": text_width,
            "intermediate_size": text_mlp,
            "num_hidden_layers": _depth(shapes, "transformer"),
            "num_attention_heads": max(1, text_width // HEAD_WIDTH),
            "max_position_embeddings": context,
            "vocab_size": vocabulary,
            "hidden_act": activation,
            "projection_dim": projection,
            # the end of a text is its highest token: where both programs pool
            "bos_token_id": vocabulary - 2,
            "eos_token_id": vocabulary - 1,
            "pad_token_id": 0,
        },
    }


def rename(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """OpenAI's tensors under transformers' names; fused attention weights are cut in three.

    Raises: ModelError: a tensor that no CLIP has.
    """
    renamed = {}
    for name, tensor in weights.items():
        if name in MARKERS or name == "attn_mask":
            continue
        if name in _WHOLE:
            renamed[_WHOLE[name]] = tensor
        elif name in _TURNED:
            renamed[_TURNED[name]] = tensor.T.contiguous()
        elif match := re.fullmatch(r"(visual\.)?transformer\.resblocks\.(\d+)\.(.+)", name):
            side = "vision_model" if match[1] else "text_model"
            renamed.update(_block(f"{side}.encoder.layers.{match[2]}", match[3], tensor))
        else:
            raise ModelError(f"The weights hold {name[:80]!r}, which no CLIP has.")
    return renamed


def _block(prefix: str, name: str, tensor: torch.Tensor) -> dict[str, torch.Tensor]:
    if name in ("attn.in_proj_weight", "attn.in_proj_bias"):
        kind = name.rpartition("_")[2]
        parts = tensor.chunk(3)
        return {
            f"{prefix}.self_attn.{part}_proj.{kind}": value.contiguous()
            for part, value in zip("qkv", parts, strict=True)
        }
    for theirs, ours in _BLOCK:
        if name.startswith(f"{theirs}."):
            return {f"{prefix}.{ours}{name[len(theirs) :]}": tensor}
    raise ModelError(f"The weights hold a block with {name[:80]!r}, which no CLIP has.")


def _depth(shapes: Mapping[str, Any], prefix: str) -> int:
    pattern = re.compile(rf"{re.escape(prefix)}\.resblocks\.(\d+)\.")
    return 1 + max(int(match[1]) for name in shapes if (match := pattern.match(name)))
