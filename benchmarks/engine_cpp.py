"""ONNX Runtime beside stable-diffusion.cpp on one network: ESRGAN with random weights.

stable-diffusion.cpp runs only architectures that it knows, at their own sizes; the one that is
small enough for a fair minute on a CPU is its upscaler (RRDBNet with 6 blocks, Wang et al. 2021,
arXiv:2107.10833). Both engines get the same weights and the same 128x128 picture, on all cores.
stable-diffusion.cpp keeps convolution weights in 16 bits, ONNX Runtime gets 32.
"""

from __future__ import annotations

import importlib.util
import io
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from record import median, seconds_of

SIDE = 128  # stable-diffusion.cpp's tile: one picture is one call
FEATURES, GROWTH, BLOCKS = 64, 32, 6


class DenseBlock(nn.Module):
    """Five convolutions, each of which sees all before it."""

    def __init__(self) -> None:
        super().__init__()
        for i in range(5):
            out = FEATURES if i == 4 else GROWTH
            self.add_module(f"conv{i + 1}", nn.Conv2d(FEATURES + i * GROWTH, out, 3, padding=1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, 64, H, W) to the same."""
        seen = x
        for i in range(1, 5):
            grown = nn.functional.leaky_relu(self.get_submodule(f"conv{i}")(seen), 0.2)
            seen = torch.cat([seen, grown], dim=1)
        return x + 0.2 * self.get_submodule("conv5")(seen)


class ResidualBlock(nn.Module):
    """Three dense blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.rdb1, self.rdb2, self.rdb3 = DenseBlock(), DenseBlock(), DenseBlock()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, 64, H, W) to the same."""
        return x + 0.2 * self.rdb3(self.rdb2(self.rdb1(x)))


class Esrgan(nn.Module):
    """RRDBNet x4, its parameters named as stable-diffusion.cpp expects them."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_first = nn.Conv2d(3, FEATURES, 3, padding=1)
        self.body = nn.Sequential(*(ResidualBlock() for _ in range(BLOCKS)))
        for name in ("conv_body", "conv_up1", "conv_up2", "conv_hr"):
            self.add_module(name, nn.Conv2d(FEATURES, FEATURES, 3, padding=1))
        self.conv_last = nn.Conv2d(FEATURES, 3, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, 3, H, W) to (B, 3, 4 H, 4 W)."""
        x = self.conv_first(x)
        x = x + self.get_submodule("conv_body")(self.body(x))
        for name in ("conv_up1", "conv_up2"):
            x = nn.functional.interpolate(x, scale_factor=2.0, mode="nearest")
            x = nn.functional.leaky_relu(self.get_submodule(name)(x), 0.2)
        x = nn.functional.leaky_relu(self.get_submodule("conv_hr")(x), 0.2)
        return self.conv_last(x)


def make_ours(network: nn.Module, side: int = SIDE) -> onnxruntime.InferenceSession:
    """The network in ONNX Runtime, on all cores."""
    exported = torch.onnx.export(
        network, (torch.zeros(1, 3, side, side),), dynamo=True, input_names=["x"], verbose=False
    )
    assert exported is not None
    buffer = io.BytesIO()
    exported.save(buffer)
    return onnxruntime.InferenceSession(buffer.getvalue(), providers=["CPUExecutionProvider"])


def compare_with_cpp(runs: int) -> dict[str, Any] | str:
    """Seconds an upscale in both engines, in turn; a sentence where there is nothing to compare."""
    if importlib.util.find_spec("stable_diffusion_cpp") is None:
        return "not installed (pip install stable-diffusion-cpp-python==0.4.7 builds it)"
    from stable_diffusion_cpp import StableDiffusion

    torch.manual_seed(0)
    network = Esrgan().eval()
    ours = make_ours(network)
    picture = np.random.default_rng(0).integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8)
    planes = (picture.transpose(2, 0, 1)[None] / 255.0).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "esrgan.safetensors"
        save_file({k: v.contiguous() for k, v in network.state_dict().items()}, weights)
        # left alone, it takes one thread
        cores = os.cpu_count() or 1
        theirs = StableDiffusion(upscaler_path=str(weights), n_threads=cores, verbose=False)
        image = Image.fromarray(picture)
        times: dict[str, list[float]] = {"onnxruntime": [], "stable_diffusion_cpp": []}
        for run in range(runs + 1):
            one = seconds_of(lambda: ours.run(None, {"x": planes}))
            two = seconds_of(lambda: theirs.upscale(images=[image], upscale_factor=4))
            if run:
                times["onnxruntime"].append(one)
                times["stable_diffusion_cpp"].append(two)
    pairs = zip(times["onnxruntime"], times["stable_diffusion_cpp"], strict=True)
    return {
        "network": f"ESRGAN x4, {BLOCKS} blocks, {SIDE}x{SIDE}, random weights, all cores",
        "seconds": {name: median(taken) for name, taken in times.items()},
        "cpp_over_onnxruntime": median([b / a for a, b in pairs]),
    }
