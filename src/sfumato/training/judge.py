"""The judge: a small network that names the subject of an icon, for scoring other networks.

It is trained on packs that no drawing model of ours ever sees (OpenMoji, EmojiOne v1, Noto v1),
so that its opinion is independent. It learns concepts, not looks: hue, saturation, ground, size,
place and sharpness are drawn anew for every sample, so none of them can decide.

A concept has three training pictures at most, so this is few-shot learning: embeddings on a
sphere, one direction a concept, and a margin (CosFace, Wang et al. 2018, arXiv:1801.09414,
equation 4).
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from sfumato.errors import StorageError
from sfumato.training.corpus import Corpus
from sfumato.training.loop import Loop, LoopConfig

SIDE = 64
WEIGHTS = "judge.safetensors"

_SCALE, _MARGIN = 20.0, 0.15  # CosFace's s and m; a larger m does not converge on 2 to 3 pictures
_LUMA = (0.299, 0.587, 0.114)
_GROUNDS = (0.0, 0.55, 1.0)  # black, grey, white: each picture is looked at on all three


class _Block(nn.Module):
    """Pre-activation residual block with two 3x3 convolutions; halves the side when asked."""

    def __init__(self, width_in: int, width: int, stride: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.BatchNorm2d(width_in), nn.BatchNorm2d(width)
        self.conv1 = nn.Conv2d(width_in, width, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.short = None
        if stride > 1 or width_in != width:
            self.short = nn.Conv2d(width_in, width, 1, bias=False)
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """(B, width_in, S, S) to (B, width, S/stride, S/stride)."""
        h = F.relu(self.norm1(x))
        skip = x
        if self.short is not None:
            skip = self.short(F.avg_pool2d(h, self.stride) if self.stride > 1 else h)
        return skip + self.conv2(F.relu(self.norm2(self.conv1(h))))


class JudgeNet(nn.Module):
    """A picture on some ground to a direction in ``size`` dimensions."""

    def __init__(self, concepts: int, width: int = 32, size: int = 192) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, width, 5, 2, 2, bias=False)
        widths = (width, width * 2, width * 4, width * 6)
        layers: list[nn.Module] = []
        for i, out in enumerate(widths):
            layers.append(_Block(widths[max(0, i - 1)], out, stride=2 if i else 1))
        layers.append(_Block(widths[-1], widths[-1], stride=1))
        self.body = nn.Sequential(*layers)
        self.norm = nn.BatchNorm2d(widths[-1])
        self.head = nn.Linear(widths[-1], size)
        self.prototypes = nn.Parameter(torch.randn(concepts, size))

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, 3, 64, 64) in 0..1 to (B, size) unit vectors."""
        x = (pictures - 0.5) * 2.0
        x = self.body(self.stem(x.contiguous(memory_format=torch.channels_last)))
        pooled = F.relu(self.norm(x)).mean(dim=(2, 3))  # (B, width * 6)
        return F.normalize(self.head(pooled).float(), dim=1)

    def cosines(self, embedded: Tensor) -> Tensor:
        """(B, size) to (B, concepts): closeness to each concept's direction."""
        return embedded @ F.normalize(self.prototypes.float(), dim=1).T


# ---------------------------------------------------------------- training


class JudgeData:
    """Augmented batches, every concept equally often however many packs draw it."""

    def __init__(self, corpus: Corpus, concepts: Sequence[str], seed: int) -> None:
        planes = torch.from_numpy(corpus.pictures).permute(0, 3, 1, 2).float() / 255.0
        planes[:, :3] *= planes[:, 3:]  # premultiplied: resampling must not pull in hidden colour
        self.planes = planes  # (N, 4, 64, 64)
        number = {concept: i for i, concept in enumerate(concepts)}
        members: list[list[int]] = [[] for _ in concepts]
        for i, row in enumerate(corpus.rows):
            members[number[row["concept"]]].append(i)
        self.members = [torch.tensor(rows) for rows in members]
        self.generator = torch.Generator().manual_seed(seed)

    def batch(self, size: int) -> tuple[Tensor, Tensor]:
        """``size`` pictures (B, 3, 64, 64) on random grounds, and their concepts' numbers (B,)."""
        labels = torch.randint(len(self.members), (size,), generator=self.generator)
        picks = torch.rand(size, generator=self.generator)
        rows = torch.stack(
            [
                self.members[label][int(pick * len(self.members[label]))]
                for label, pick in zip(labels.tolist(), picks.tolist(), strict=True)
            ]
        )
        return augment(self.planes[rows], self.generator), labels


def augment(planes: Tensor, generator: torch.Generator) -> Tensor:
    """Premultiplied (B, 4, S, S) to opaque (B, 3, S, S): moved, recoloured, blurred, grounded."""
    count, _, side, _ = planes.shape

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand((count, *shape), generator=generator)

    def some(share: float) -> Tensor:  # (B,) bool
        return torch.rand(count, generator=generator) < share

    on_emblem, blurred = some(0.15), some(0.35)
    scale = torch.where(on_emblem, uniform(0.5, 0.72), uniform(0.72, 1.12))
    angle = uniform(-0.22, 0.22)  # radians, about 12 degrees
    mirror = torch.where(some(0.5), -1.0, 1.0)
    stretch = uniform(0.88, 1.14)
    theta = torch.zeros(count, 2, 3)
    theta[:, 0, 0] = torch.cos(angle) * mirror / (scale * stretch)
    theta[:, 0, 1] = -torch.sin(angle) / scale
    theta[:, 1, 0] = torch.sin(angle) * mirror / (scale * stretch)
    theta[:, 1, 1] = torch.cos(angle) / scale
    theta[:, :, 2] = uniform(-0.16, 0.16, 2)
    grid = F.affine_grid(theta, [count, 4, side, side], align_corners=False)
    moved = F.grid_sample(planes, grid, align_corners=False)
    moved[blurred] = F.avg_pool2d(moved[blurred], 3, 1, 1)

    alpha = moved[:, 3:]
    colour = _recoloured(moved[:, :3] / alpha.clamp_min(1e-4), uniform, some)
    pale = uniform(0.82, 1.0, 1, 1, 1)
    any_colour = uniform(0.0, 1.0, 3, 1, 1)
    ground = torch.where(some(0.45)[:, None, None, None], pale, any_colour)
    ground = ground.expand(count, 3, side, side).clone()
    y, x = torch.meshgrid(*[torch.linspace(-1, 1, side)] * 2, indexing="ij")
    roundness, inner = uniform(2, 8, 1, 1, 1)[on_emblem], uniform(0, 1, 3, 1, 1)[on_emblem]
    emblem = x.abs() ** roundness + y.abs() ** roundness < 0.8  # a disc to a rounded square
    ground[on_emblem] = torch.where(emblem, inner, ground[on_emblem])
    whole = ground + (colour.clamp(0, 1) - ground) * alpha
    noise = torch.randn(whole.shape, generator=generator) * uniform(0.0, 0.03, 1, 1, 1)
    return (whole + noise).clamp(0, 1)


def _recoloured(
    colour: Tensor, uniform: Callable[..., Tensor], some: Callable[[float], Tensor]
) -> Tensor:
    """Hue turned, saturation, contrast and lightness changed; some in two tones, some inverted."""
    luma = (colour * torch.tensor(_LUMA).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)
    any_hue, near_hue = uniform(-math.pi, math.pi, 1, 1, 1), uniform(-0.3, 0.3, 1, 1, 1)
    turn = torch.where(some(0.5)[:, None, None, None], any_hue, near_hue)
    saturation, contrast = uniform(0.4, 1.4, 1, 1, 1), uniform(0.7, 1.3, 1, 1, 1)
    lift = uniform(-0.12, 0.12, 1, 1, 1)
    # the whole change is affine, so one 3x3 matrix a picture does it: rotation about the grey
    # axis (Rodrigues) of what is left when the luma is taken out, then the luma put back
    identity, ones = torch.eye(3), torch.full((3, 3), 1 / 3)
    cross = torch.tensor([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / math.sqrt(3.0)
    grey = torch.tensor(_LUMA).expand(3, 3)
    turned = identity * turn[:, 0].cos() + cross * turn[:, 0].sin()
    turned = (turned + ones * (1 - turn[:, 0].cos())) @ (identity - grey)
    matrix = (grey + saturation[:, 0] * turned) * contrast[:, 0]  # (B, 3, 3)
    changed = (matrix @ colour.flatten(2)).view_as(colour) + (0.5 - 0.5 * contrast + lift)
    two_tone, inverted = some(0.2), some(0.04)
    dark, light = uniform(0, 1, 3, 1, 1)[two_tone], uniform(0, 1, 3, 1, 1)[two_tone]
    changed[two_tone] = dark + (light - dark) * luma[two_tone]
    changed[inverted] = 1.0 - changed[inverted]
    return changed


def train_judge(
    corpus: Corpus,
    out: Path,
    *,
    minutes: float | None = None,
    steps: int | None = None,
    batch_size: int = 128,
    width: int = 32,
    seed: int = 0,
    say: Callable[[str], None] = print,
) -> Judge:
    """Train on every picture of ``corpus`` and write ``out/judge.safetensors``.

    A run that was interrupted continues from its last checkpoint in ``out/state``.

    Raises: StorageError: ``out`` cannot be written.
    """
    concepts = sorted({row["concept"] for row in corpus.rows})
    groups = {row["concept"]: str(row["group"] or "") for row in corpus.rows}
    torch.manual_seed(seed)
    network = JudgeNet(len(concepts), width).to(memory_format=torch.channels_last)
    config = LoopConfig(
        steps=steps,
        minutes=minutes,
        learning_rate=2e-3,
        weight_decay=0.05,
        warmup_steps=100,
        decay_share=0.6,
        ema_decay=0.998,
    )
    loop = Loop(network, out / "state", config, "cpu")
    if loop.resume():
        say(f"continuing at step {loop.step}")
    data = JudgeData(corpus, concepts, seed + loop.step)  # no batch twice after a resumption

    def loss_of() -> Tensor:
        with torch.autocast("cpu", enabled=False):
            pictures, labels = data.batch(batch_size)
        cosines = network.cosines(network(pictures)).float()
        margin = _MARGIN * F.one_hot(labels, len(concepts))
        return F.cross_entropy(_SCALE * (cosines - margin), labels, label_smoothing=0.05)

    say(f"{len(corpus.rows)} pictures of {len(concepts)} concepts")
    loop.run(loss_of, batch_size=batch_size, say=say)
    network.load_state_dict(loop.ema_state())
    metadata = {
        "concepts": json.dumps(concepts),
        "groups": json.dumps([groups[concept] for concept in concepts]),
        "packs": json.dumps(sorted({row["pack"] for row in corpus.rows})),
        "width": str(width),
    }
    tensors = {name: value.contiguous() for name, value in network.state_dict().items()}
    try:
        save_file(tensors, out / WEIGHTS, metadata=metadata)
    except OSError as error:
        raise StorageError(f"{out / WEIGHTS} cannot be written ({error.strerror}).") from None
    return Judge(network, concepts, [groups[concept] for concept in concepts])


# ---------------------------------------------------------------- judging


@dataclass(frozen=True, slots=True)
class Judge:
    """A trained judge: names for pictures, and an embedding to compare sets of pictures in."""

    network: JudgeNet
    concepts: Sequence[str]
    groups: Sequence[str]  # of each concept, such as "animals-nature/animal-mammal"
    sha256: str = ""

    @classmethod
    def load(cls, folder: Path) -> Judge:
        """The judge that ``train_judge`` left in ``folder``.

        Raises: StorageError: there is none, or it is damaged.
        """
        path = folder / WEIGHTS
        try:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            with safe_open(path, "pt") as opened:
                metadata = opened.metadata()
            concepts = json.loads(metadata["concepts"])
            network = JudgeNet(len(concepts), int(metadata["width"]))
            network.load_state_dict(load_file(path))
        except (OSError, RuntimeError, KeyError, TypeError, ValueError, SafetensorError) as error:
            raise StorageError(
                f"{path} is not a judge ({error}).",
                hint="Train one with: python evals/judge.py --data data/judge --out runs/judge",
            ) from None
        return cls(network, concepts, json.loads(metadata["groups"]), digest)

    def embed(self, pictures: NDArray[np.uint8], batch_size: int = 128) -> NDArray[np.float32]:
        """(N, 64, 64, 4) straight-alpha pictures to (N, 192) unit vectors.

        Each is the mean over three grounds and the mirror image, so that a white drawing on a
        transparent ground is seen as well as a black one.
        """
        self.network.eval()
        parts: list[Tensor] = []
        with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
            for start in range(0, len(pictures), batch_size):
                planes = torch.from_numpy(
                    np.ascontiguousarray(pictures[start : start + batch_size])
                )
                planes = planes.permute(0, 3, 1, 2).float() / 255.0
                colour, alpha = planes[:, :3], planes[:, 3:]
                views = [colour * alpha + ground * (1 - alpha) for ground in _GROUNDS]
                total = sum(self.network(v) + self.network(v.flip(3)) for v in views)
                parts.append(F.normalize(total, dim=1))
        if not parts:
            return np.zeros((0, self.network.prototypes.shape[1]), np.float32)
        return torch.cat(parts).float().numpy()

    def rank(self, embedded: NDArray[np.float32], best: int = 5) -> NDArray[np.int64]:
        """(N, 192) embeddings to (N, best) numbers of the closest concepts, closest first."""
        with torch.inference_mode():
            cosines = self.network.cosines(torch.from_numpy(embedded))
            return cosines.topk(min(best, len(self.concepts)), dim=1).indices.numpy()
