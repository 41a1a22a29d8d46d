"""One training loop for every model: resumable, distributed, bf16, with a curve to look at.

The loop knows nothing about pictures. It is given a network and a ``loss(step) -> Tensor``
function, and takes care of the rest: AdamW or Muon, warm-up and decay to zero, the moving average
of the weights (EMA), checkpoints that survive a kill, several processes under torchrun, the log.

Checkpoints are safetensors plus JSON: nothing is pickled.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from sfumato.atomic import LEFTOVERS, replacing
from sfumato.training.curve import draw_curve


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopConfig:
    """Budget and optimiser. Either ``steps`` or ``minutes`` ends the run, whichever comes first."""

    steps: int | None = None
    minutes: float | None = None  # of training in all, earlier runs of the same folder included
    learning_rate: float = 1e-3
    optimiser: str = "adamw"  # "adamw", or "muon": Muon for matrices, Adam for the rest
    muon_rate: float = 0.02
    weight_decay: float = 0.0
    warmup_steps: int = 200
    decay_share: float = 0.4  # the last share of the budget, in which the rate falls to zero
    ema_decay: float = 0.999
    ema_every: int = 4  # steps between EMA updates; the decay is raised to this power
    clip_norm: float = 1.0
    bf16: bool = True
    save_seconds: float = 120.0
    log_seconds: float = 15.0


def rate_factor(progress: float, step: int, config: LoopConfig) -> float:
    """Share of the full learning rate: linear warm-up, flat, linear to zero at the end.

    Source: Hägele et al. 2024 (arXiv:2405.18392): as good as cosine and may be extended.
    """
    warm = min(1.0, (step + 1) / max(1, config.warmup_steps))
    left = (1.0 - progress) / max(1e-9, config.decay_share)
    return warm * max(0.0, min(1.0, left))


class Ema:
    """Moving average of a network's weights, kept in float32."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.weights = {k: v.detach().clone().float() for k, v in network.state_dict().items()}
        self.updates = 0

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Pull the average towards the network; young averages follow faster."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        for name, value in network.state_dict().items():
            if value.is_floating_point():
                self.weights[name].lerp_(value.float(), 1.0 - decay)
            else:
                self.weights[name].copy_(value)


class Loop:
    """Trains ``network`` in ``out`` until the budget ends."""

    def __init__(self, network: nn.Module, out: Path, config: LoopConfig, device: str) -> None:
        self.network, self.out, self.config, self.device = network, out, config, device
        self.rank = int(os.environ.get("RANK", 0))
        self.world = int(os.environ.get("WORLD_SIZE", 1))
        if self.world > 1 and not torch.distributed.is_initialized():
            torch.distributed.init_process_group("nccl" if device != "cpu" else "gloo")
        self.optimisers = _make_optimisers(network, config)
        self.rates = [[g["lr"] for g in o.param_groups] for o in self.optimisers]
        self.ema = Ema(network, config.ema_decay**config.ema_every)
        self.step, self.seconds = 0, 0.0
        self.history: list[tuple[int, float, float]] = []  # step, seconds, mean loss since last
        self._samples = 0

    # ------------------------------------------------------------ state on disk

    def save(self) -> None:
        """Write weights, optimiser, EMA and progress; a kill at any moment leaves the last whole.

        Raises: OSError: the folder cannot be written.
        """
        if self.rank:
            return
        self.out.mkdir(parents=True, exist_ok=True)
        tensors = {f"net.{k}": v for k, v in self.network.state_dict().items()}
        tensors |= {f"ema.{k}": v for k, v in self.ema.weights.items()}
        for i, optimiser in enumerate(self.optimisers):
            for j, state in optimiser.state_dict()["state"].items():
                tensors |= {f"opt.{i}.{j}.{k}": v for k, v in state.items() if torch.is_tensor(v)}
        progress = {
            "step": self.step,
            "seconds": self.seconds,
            "samples": self._samples,
            "ema_updates": self.ema.updates,
            "history": self.history,
            "config": asdict(self.config),
        }
        tensors = {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}
        with replacing(self.out / "state.safetensors") as temporary:
            save_file(tensors, temporary, metadata={"progress": json.dumps(progress)})
        draw_curve(self.history, self.out / "curve.png")

    def resume(self) -> bool:
        """Continue from ``out`` when it holds a checkpoint; says whether it did.

        What a killed run left half written there goes.
        """
        for left in self.out.glob(LEFTOVERS) if self.rank == 0 else ():
            left.unlink(missing_ok=True)
        path = self.out / "state.safetensors"
        if not path.exists():
            return False
        from safetensors import safe_open

        tensors = load_file(path)
        with safe_open(path, "pt") as opened:
            progress = json.loads(opened.metadata()["progress"])
        self.network.load_state_dict(_strip(tensors, "net."))
        self.ema.weights = {
            k: v.to(self.ema.weights[k].device) for k, v in _strip(tensors, "ema.").items()
        }
        for i, optimiser in enumerate(self.optimisers):
            state: dict[int, dict[str, torch.Tensor]] = {}
            for key, value in _strip(tensors, f"opt.{i}.").items():
                index, _, name = key.partition(".")
                state.setdefault(int(index), {})[name] = value
            whole = optimiser.state_dict()
            whole["state"] = state
            optimiser.load_state_dict(whole)
        self.step, self.seconds = progress["step"], progress["seconds"]
        self._samples, self.ema.updates = progress["samples"], progress["ema_updates"]
        self.history = [tuple(row) for row in progress["history"]]
        return True

    # ------------------------------------------------------------ the loop itself

    def progress(self) -> float:
        """Share of the budget that is used, 0 to 1."""
        shares = [0.0]
        if self.config.steps:
            shares.append(self.step / self.config.steps)
        if self.config.minutes:
            shares.append(self.seconds / (60.0 * self.config.minutes))
        return min(1.0, max(shares))

    def run(
        self,
        loss_of: Callable[[], torch.Tensor],
        *,
        batch_size: int,
        say: Callable[[str], None] = print,
        on_save: Callable[[], None] | None = None,
    ) -> None:
        """Call ``loss_of`` once a step until the budget ends, then save.

        Raises: RuntimeError: the loss is not finite.
        """
        config = self.config
        began = saved = logged = time.monotonic()
        base = self.seconds
        since: list[float] = []
        self.network.train()
        while self.progress() < 1.0:
            factor = rate_factor(self.progress(), self.step, config)
            for optimiser, rates in zip(self.optimisers, self.rates, strict=True):
                for group, rate in zip(optimiser.param_groups, rates, strict=True):
                    group["lr"] = rate * factor
            kind = torch.device(self.device).type
            with torch.autocast(kind, dtype=torch.bfloat16, enabled=config.bf16):
                loss = loss_of()
            for optimiser in self.optimisers:
                optimiser.zero_grad(set_to_none=True)
            loss.backward()
            if self.world > 1:
                _average_gradients(self.network, self.world)
            norm = nn.utils.clip_grad_norm_(self.network.parameters(), config.clip_norm)
            if not math.isfinite(float(norm)):
                raise RuntimeError(f"the loss is not finite at step {self.step}")
            for optimiser in self.optimisers:
                optimiser.step()
            self.step += 1
            self._samples += batch_size * self.world
            if self.step % config.ema_every == 0:
                self.ema.update(self.network)
            since.append(float(loss.detach()))
            now = time.monotonic()
            self.seconds = base + now - began
            if self.world > 1:
                self.seconds = _of_first(self.seconds, self.device)
            if now - logged > config.log_seconds or self.progress() >= 1.0:
                mean = sum(since) / len(since)
                self.history.append((self.step, self.seconds, mean))
                if self.rank == 0:
                    say(
                        f"step {self.step:6d}  loss {mean:.5f}  {self._samples / 1e6:.2f} M samples"
                        f"  {batch_size * self.world * len(since) / (now - logged):.0f}/s"
                        f"  {100 * self.progress():.1f} % of the budget"
                    )
                since, logged = [], now
            if now - saved > config.save_seconds:
                self.save()
                if on_save is not None and self.rank == 0:
                    on_save()
                saved = time.monotonic()
        self.save()

    def ema_state(self) -> dict[str, torch.Tensor]:
        """The averaged weights, which are the ones to draw with."""
        return self.ema.weights


def _strip(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _average_gradients(network: nn.Module, world: int) -> None:
    """Mean gradient over all processes, in one flat message."""
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    flat = torch.cat([g.flatten() for g in gradients])
    torch.distributed.all_reduce(flat)
    flat /= world
    start = 0
    for gradient in gradients:
        gradient.copy_(flat[start : start + gradient.numel()].view_as(gradient))
        start += gradient.numel()


def _of_first(seconds: float, device: str) -> float:
    """The first process's clock: all must agree on progress, or one would stop a step early."""
    shared = torch.tensor([seconds], dtype=torch.float64, device=device)
    torch.distributed.broadcast(shared, 0)
    return float(shared)


def _make_optimisers(network: nn.Module, config: LoopConfig) -> list[torch.optim.Optimizer]:
    """AdamW for everything, or Muon for the hidden matrices and Adam for the rest."""
    named = [(n, p) for n, p in network.named_parameters() if p.requires_grad]
    matrices: list[nn.Parameter] = []
    if config.optimiser == "muon":
        matrices = [p for n, p in named if p.ndim == 2 and "embed" not in n and "edge" not in n]
    chosen = {id(p) for p in matrices}
    rest = [p for _, p in named if id(p) not in chosen]
    result: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(
            rest,
            lr=config.learning_rate,
            betas=(0.9, 0.95),
            weight_decay=config.weight_decay,
            fused=True,
        )
    ]
    if matrices:
        # Jordan et al. 2024; torch's own implementation since 2.9
        result.append(
            torch.optim.Muon(matrices, lr=config.muon_rate, weight_decay=config.weight_decay)
        )
    return result
