"""CLIP as OpenAI published it, in torch's own layers: what our reading of its weights is held to.

Its state dict has OpenAI's tensor names by construction. Source: Radford et al. 2021
(arXiv:2103.00020), figure 3 and section 2.4.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn


class QuickGELU(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.sigmoid(1.702 * x)


class Block(nn.Module):
    def __init__(self, width: int, act: nn.Module, mask: torch.Tensor | None) -> None:
        super().__init__()
        self.attn = nn.MultiheadAttention(width, width // 64)
        self.ln_1 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            OrderedDict(
                c_fc=nn.Linear(width, 4 * width), act=act, c_proj=nn.Linear(4 * width, width)
            )
        )
        self.ln_2 = nn.LayerNorm(width)
        self.mask = mask

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # (T, B, C)
        y = self.ln_1(x)
        x = x + self.attn(y, y, y, need_weights=False, attn_mask=self.mask)[0]
        return x + self.mlp(self.ln_2(x))


class Transformer(nn.Module):
    def __init__(self, width: int, layers: int, act: nn.Module, mask: torch.Tensor | None) -> None:
        super().__init__()
        self.resblocks = nn.Sequential(*(Block(width, act, mask) for _ in range(layers)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.resblocks(x)


class Vision(nn.Module):
    def __init__(
        self, size: int, patch: int, width: int, layers: int, out: int, act: nn.Module
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, patch, patch, bias=False)
        self.class_embedding = nn.Parameter(torch.randn(width) * 0.02)
        self.positional_embedding = nn.Parameter(torch.randn((size // patch) ** 2 + 1, width))
        self.ln_pre = nn.LayerNorm(width)
        self.transformer = Transformer(width, layers, act, None)
        self.ln_post = nn.LayerNorm(width)
        self.proj = nn.Parameter(torch.randn(width, out) * width**-0.5)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        x = self.conv1(pixels).flatten(2).transpose(1, 2)  # (B, patches, C)
        first = self.class_embedding.expand(len(x), 1, -1)
        x = self.ln_pre(torch.cat([first, x], dim=1) + self.positional_embedding)
        x = self.transformer(x.transpose(0, 1)).transpose(0, 1)
        return self.ln_post(x[:, 0]) @ self.proj


class OpenAIClip(nn.Module):
    def __init__(
        self,
        *,
        size: int,
        patch: int,
        vision_width: int,
        vision_layers: int,
        text_width: int,
        text_layers: int,
        vocabulary: int,
        context: int,
        out: int,
        act: nn.Module,
    ) -> None:
        super().__init__()
        mask = torch.full((context, context), float("-inf")).triu(1)
        self.visual = Vision(size, patch, vision_width, vision_layers, out, act)
        self.transformer = Transformer(text_width, text_layers, act, mask)
        self.token_embedding = nn.Embedding(vocabulary, text_width)
        self.positional_embedding = nn.Parameter(torch.randn(context, text_width) * 0.01)
        self.ln_final = nn.LayerNorm(text_width)
        self.text_projection = nn.Parameter(torch.randn(text_width, out) * text_width**-0.5)
        self.logit_scale = nn.Parameter(torch.tensor(2.6593))

    def encode_image(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.visual(pixels)

    def encode_text(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.token_embedding(ids) + self.positional_embedding  # (B, T, C)
        x = self.ln_final(self.transformer(x.transpose(0, 1)).transpose(0, 1))
        return x[torch.arange(len(x)), ids.argmax(dim=-1)] @ self.text_projection


@pytest.fixture
def published() -> Callable[..., OpenAIClip]:
    """``published(shape, "quick_gelu" | "gelu", vocabulary)``: a network with random weights."""

    def make(shape: dict[str, Any], activation: str, vocabulary: int) -> OpenAIClip:
        torch.manual_seed(3)
        act = QuickGELU() if activation == "quick_gelu" else nn.GELU()
        return OpenAIClip(**shape, vocabulary=vocabulary, act=act).eval()

    return make
