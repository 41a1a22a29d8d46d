"""The last stage: the text half learns anew while the pictures stand still.

By the end of the first stage the network knows its own pictures by heart: each lies exactly where
its caption does, and a drawing in a manner never seen lies somewhere near. So every recipe is
painted and looked at once more, the vectors are kept, and the text half alone is trained against
them with noise on top as large as the vectors themselves: a caption comes to lie amid all that its
drawings might have been. It takes minutes, since nothing is looked at twice.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional

from sfumato.training.loop import Loop, LoopConfig
from sfumato.training.picture_text_data import Feed, Recipes
from sfumato.training.picture_text_net import PictureTextNet, Reading, contrastive_loss

_NOISE = 1.0  # length of the noise on a picture's unit vector
_STEEPEST = 60.0  # of the learned scale


class Reader(nn.Module):
    """What the last stage trains: the text half and the temperature."""

    def __init__(self, network: PictureTextNet) -> None:
        super().__init__()
        self.read: Reading = copy.deepcopy(network.read).requires_grad_(True)
        self.log_scale = nn.Parameter(network.log_scale.detach().clone())

    def scale(self) -> torch.Tensor:
        """What cosines are multiplied with before the softmax."""
        return self.log_scale.exp().clamp(max=_STEEPEST)


def refit_reading(
    network: PictureTextNet,
    recipes: Recipes,
    folder: Path,
    config: LoopConfig,
    *,
    batch_size: int,
    others: int,
    seed: int = 0,
    say: Callable[[str], None] = print,
) -> None:
    """Train the text half of ``network``, in place, against its picture half as it is.

    Goes on with what it finds in ``folder`` (see ``reading_folder``).
    """
    device = str(next(network.parameters()).device)
    reader = Reader(network).to(device)
    loop = Loop(reader, folder, config, device)
    loop.resume()
    if loop.progress() < 1.0:
        say(f"the text half: looking at {len(recipes.shown)} pictures once more")
        seen = look_once(network, recipes, batch_size, seed)
        sentences = torch.from_numpy(recipes.vectors)
        captions = torch.from_numpy(recipes.caption_of)
        random = torch.Generator().manual_seed(seed + 1009 * loop.step + 7919 * loop.rank)

        def loss() -> torch.Tensor:
            chosen = torch.randint(len(seen), (batch_size + others,), generator=random)
            own = chosen[:batch_size]
            noise = torch.randn(batch_size, seen.shape[1], generator=random)
            pictures = seen[own] + _NOISE / seen.shape[1] ** 0.5 * noise
            return contrastive_loss(
                functional.normalize(pictures, dim=-1).to(device),
                reader.read(sentences[captions[chosen]].to(device)),
                reader.scale(),
                recipes.no_mismatch_but_own(own, chosen).to(device),
            )

        loop.run(loss, batch_size=batch_size, say=say)
    take_reading(network, loop.ema_state())


def take_reading(network: PictureTextNet, weights: dict[str, torch.Tensor]) -> None:
    """Put a trained ``Reader``'s weights into the network."""
    reader = Reader(network)
    reader.load_state_dict(weights)
    network.read.load_state_dict(reader.read.state_dict())
    network.log_scale.data = reader.scale().log().detach().to(network.log_scale.device)


def reading_folder(run: Path, step: int) -> Path:
    """Where the last stage after ``step`` steps of the first one is kept.

    A run that is gone on with sees otherwise, and must learn to read anew.
    """
    return run / "reading" / str(step)


def kept_reading(run: Path) -> dict[str, torch.Tensor] | None:
    """The averaged weights of a run's last stage; none where it has not come to it."""
    with safe_open(run / "state.safetensors", "pt") as opened:
        step = json.loads(opened.metadata()["progress"])["step"]
    path = reading_folder(run, step) / "state.safetensors"
    if not path.exists():
        return None
    tensors = load_file(path)
    return {k.removeprefix("ema."): v for k, v in tensors.items() if k.startswith("ema.")}


@torch.no_grad()
def look_once(
    network: PictureTextNet, recipes: Recipes, batch_size: int, seed: int
) -> torch.Tensor:
    """Every recipe's picture, painted and varied once: (R, D) unit vectors."""
    device = next(network.parameters()).device
    feed = Feed(recipes, batch_size=batch_size, others=0, seed=seed + 1)
    parts = []
    for start in range(0, len(recipes.shown), batch_size):
        pictures = feed.paint(range(start, min(start + batch_size, len(recipes.shown))))
        with torch.autocast(device.type, dtype=torch.bfloat16):
            parts.append(network.picture(pictures.to(device)).float().cpu())
    return functional.normalize(torch.cat(parts), dim=-1)
