"""How fast sguardo looks and reads, with a ViT-B/32 beside it in the same run.

    python benchmarks/clip.py [--model sguardo] [--runs 5]

- **load**: a fresh interpreter, until the first picture and until the first text is a vector;
- **pictures**: a batch of arrays of 1024x1024 and of 128x128, from pixels to vectors, with all the
  finding, shrinking and centring that it takes;
- **texts**: short captions, from words to vectors;
- **vit_b_32**: the same pictures and as many texts through a CLIP of exactly that shape with random
  weights: speed does not depend on them. It is transformers' ``CLIPModel`` on all cores in float32
  (open_clip needs torchvision, which has no build for this torch); pictures are shrunk to 224 px
  with Pillow, texts are 77 tokens long, as CLIP pads them. Without the ``train`` extra it is left
  out.

Rates are medians over the runs; ``spread`` holds the slowest and the fastest.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from record import ROOT, median, record, seconds_of, spread

sys.path.insert(0, str(ROOT / "src"))

from sfumato import clip

PICTURES = {1024: 48, 128: 256}  # pixels a side, and how many in a batch
TEXTS = 400
PEER_PICTURES, PEER_TEXTS = 32, 32
WORDS = ("fox", "ship", "castle", "apple", "rocket", "owl", "guitar", "tree", "cup", "house")
COLOURS = ("red", "blue", "green", "yellow", "black", "white", "pink", "orange")
LOADING = """
import time
started = time.perf_counter()
import numpy as np
from sfumato import clip
model = clip.load({name!r})
model.encode_pictures([np.zeros((64, 64, 4), np.uint8)])
print(time.perf_counter() - started)
model.encode_texts(["a red fox"])
print(time.perf_counter() - started)
"""

Pixels = NDArray[np.uint8]


def make_pictures(side: int, count: int) -> list[Pixels]:
    """Flat shapes on nothing, half of them, and on a plain ground."""
    random = np.random.default_rng(side)
    made = []
    for number in range(count):
        ground = (0, 0, 0, 0) if number % 2 else (*random.integers(0, 256, 3).tolist(), 255)
        image = Image.new("RGBA", (side, side), tuple(ground))
        pen = ImageDraw.Draw(image)
        for _ in range(6):
            x, y = random.integers(0, side, 2).tolist()
            reach = int(random.integers(side // 16, side // 4))
            colour = (*random.integers(0, 256, 3).tolist(), 255)
            pen.ellipse((x - reach, y - reach, x + reach, y + reach), colour)
        made.append(np.asarray(image))
    return made


def make_texts(count: int) -> list[str]:
    """Different short captions."""
    return [
        f"a {COLOURS[i % len(COLOURS)]} {WORDS[i // len(COLOURS) % len(WORDS)]} {i}"
        for i in range(count)
    ]


def rate(work: Callable[[], object], count: int, runs: int) -> dict[str, Any]:
    """Things a second, after a warm-up."""
    work()
    rates = [count / seconds_of(work) for _ in range(runs)]
    return {"per_second": median(rates), "spread": spread(rates)}


def measure_loading(name: str, runs: int) -> dict[str, float]:
    """Seconds of a fresh interpreter until pictures, then until texts, are vectors."""
    found = []
    for _ in range(runs):
        code = f"import sys; sys.path.insert(0, {str(ROOT / 'src')!r})\n" + LOADING.format(
            name=name
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        found.append([float(line) for line in done.stdout.split()])
    return {
        "until_first_picture_s": median([pictures for pictures, _ in found]),
        "until_first_text_s": median([texts for _, texts in found]),
    }


def measure_peer(runs: int) -> dict[str, Any] | None:
    """ViT-B/32 with random weights; none where torch or transformers is not installed."""
    try:
        import torch
        from transformers import CLIPConfig, CLIPModel
    except ImportError:
        return None
    torch.manual_seed(0)
    network = CLIPModel(CLIPConfig()).eval()  # transformers' defaults are ViT-B/32
    texts = torch.randint(1, 49000, (PEER_TEXTS, 77))

    def look(pictures: Sequence[Pixels]) -> None:
        small = [
            Image.fromarray(p).convert("RGB").resize((224, 224), Image.Resampling.BICUBIC)
            for p in pictures
        ]
        planes = torch.from_numpy(np.stack([np.asarray(image) for image in small]))
        planes = (planes.permute(0, 3, 1, 2).float() / 255.0 - 0.45) / 0.27
        with torch.inference_mode():
            network.get_image_features(pixel_values=planes)

    def read() -> None:
        with torch.inference_mode():
            network.get_text_features(input_ids=texts, attention_mask=torch.ones_like(texts))

    figures: dict[str, Any] = {
        "implementation": "transformers.CLIPModel, random weights, float32",
        "parameters": sum(p.numel() for p in network.parameters()),
    }
    for side in PICTURES:
        pictures = make_pictures(side, PEER_PICTURES)
        figures[f"pictures_{side}"] = rate(lambda p=pictures: look(p), PEER_PICTURES, runs)
    figures["texts"] = rate(read, PEER_TEXTS, runs)
    return figures


def main() -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", default=clip.DEFAULT_MODEL)
    parser.add_argument("--runs", type=int, default=5)
    asked = parser.parse_args()
    loading = measure_loading(asked.model, asked.runs)
    model = clip.load(asked.model)
    figures: dict[str, Any] = {
        "model": {
            "name": model.spec.name,
            "sha256": model.spec.sha256,
            "bytes": model.spec.size_bytes,
            "parameters": model.spec.parameters,
        },
        "load": loading,
    }
    for side, count in PICTURES.items():
        pictures = make_pictures(side, count)
        figures[f"pictures_{side}"] = rate(
            lambda p=pictures: model.encode_pictures(p), count, asked.runs
        )
    texts = make_texts(TEXTS)
    figures["texts"] = rate(lambda: model.encode_texts(texts), TEXTS, asked.runs)
    peer = measure_peer(max(1, asked.runs // 2))
    if peer is not None:
        figures["vit_b_32"] = peer
        figures["times_faster"] = {
            key: median([figures[key]["per_second"] / peer[key]["per_second"]])
            for key in (*(f"pictures_{side}" for side in PICTURES), "texts")
        }
    record("clip", figures)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
