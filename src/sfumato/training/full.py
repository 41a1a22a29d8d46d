"""The full model's run: three stages, one budget, one command that may be cut off anywhere.

Stages are shares of the budget: 64 px, 128 px with the same weights, then curated captions while
the rate falls to zero and guidance is distilled into one pass. Which stage a step belongs to
follows from the progress alone, so a resumed run needs to know nothing else.

A run's folder: ``state.safetensors`` (everything to continue), ``ema.safetensors`` (float16, what
draws; also in pieces), ``teacher.safetensors`` (the last stage's), ``run.json``, ``sheet.png``,
``curve.png``, ``bank-*`` (text states).
"""

from __future__ import annotations

import json
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from sfumato.atomic import replacing
from sfumato.errors import RequestError
from sfumato.training.bank import Bank, BankPlan, prepare_bank
from sfumato.training.data.pictures import read_manifest
from sfumato.training.feed import Feed, TextTable
from sfumato.training.loop import Loop, LoopConfig
from sfumato.training.pack import draw_pictures, split_file
from sfumato.training.text import export_text_encoder
from sfumato.training.transformer import (
    Chiaro,
    Denoise,
    TransformerConfig,
    flow_loss,
    sample,
    to_pictures,
    training_flops,
)

SHEET_PROMPTS = (
    "fox", "red apple", "rocket", "robot", "owl", "coffee cup", "lighthouse", "dragon",
    "red fox, blue bird", "three stars", "a cat above a house", "white anchor on a navy shield",
)  # fmt: skip
_SHEET_STYLES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A share of the budget with its own pictures and aim."""

    name: str
    share: float
    side: int
    curated: bool = False
    distil: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FullPreset:
    """One budget: network, stages, batch (over all processes), recipes and the loop."""

    summary: str
    net: TransformerConfig
    stages: tuple[Stage, ...]
    batch_size: int
    recipes: int
    curated: int
    loop: LoopConfig


FULL_PRESETS: dict[str, FullPreset] = {
    "full": FullPreset(
        summary="the full model: 25 minutes of one H200, 19 of them training",
        net=TransformerConfig(side=128),
        stages=(
            Stage(name="64 px", share=6 / 19, side=64),
            Stage(name="128 px", share=10 / 19, side=128),
            Stage(name="curated, distilled", share=3 / 19, side=128, curated=True, distil=True),
        ),
        batch_size=1024,
        recipes=240_000,
        curated=40_000,
        loop=LoopConfig(
            minutes=19.0,
            learning_rate=4e-4,
            optimiser="muon",
            warmup_steps=300,
            decay_share=3 / 19,
        ),
    ),
    "full-tiny": FullPreset(
        summary="the full model's steps in seconds on a CPU, for tests and rehearsals",
        net=TransformerConfig(
            side=32, width=64, blocks=2, heads=2, hidden=128, bottleneck=32, adapter_hidden=64
        ),
        stages=(
            Stage(name="16 px", share=0.3, side=16),
            Stage(name="32 px", share=0.5, side=32),
            Stage(name="curated, distilled", share=0.2, side=32, curated=True, distil=True),
        ),
        batch_size=32,
        recipes=200,
        curated=40,
        loop=LoopConfig(
            steps=60,
            learning_rate=4e-4,
            optimiser="muon",
            warmup_steps=5,
            decay_share=0.2,
            log_seconds=2.0,
            bf16=False,
        ),
    ),
}


def stage_at(stages: tuple[Stage, ...], progress: float) -> Stage:
    """The stage that ``progress`` (0..1 of the whole budget) falls into."""
    for stage in stages:
        progress -= stage.share
        if progress < -1e-9:
            return stage
    return stages[-1]


def train_full(
    *,
    data: Path,
    out: Path,
    preset: str = "full",
    minutes: float | None = None,
    steps: int | None = None,
    batch_size: int | None = None,
    resume: bool = True,
    device: str = "cpu",
    seed: int = 0,
    say: Callable[[str], None] = print,
) -> Loop:
    """Train on the picture set ``data`` and keep everything in ``out``.

    Continues a run found there. ``minutes`` or ``steps`` replace the preset's budget; the stages
    keep their shares of it. Under torchrun every process calls this; ``batch_size`` is the batch
    of all of them together. Ctrl-C or SIGTERM saves and returns; the same call continues.

    Raises: RequestError: unknown preset, or a batch that the processes cannot share.
        StorageError: ``data`` is no picture set.
    """
    if preset not in FULL_PRESETS:
        raise RequestError(
            f"There is no preset {preset!r}.", hint=f"Choose one of: {', '.join(FULL_PRESETS)}."
        )
    chosen = FULL_PRESETS[preset]
    device = join_processes(device)
    rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    whole = batch_size or chosen.batch_size
    if whole % world:
        raise RequestError(f"A batch of {whole} cannot be shared by {world} processes.")
    say = say if rank == 0 else say_nothing

    if rank == 0:  # the others wait for the pictures and the words
        _prepare(chosen, data, out, seed, say)
    if world > 1:
        torch.distributed.barrier()
    bank, rows = Bank(out), read_manifest(data)
    styles = sorted({row["style"] for row in rows})
    net = replace(chosen.net, styles=len(styles) + 1)

    torch.manual_seed(seed)
    network = Chiaro(net).to(device)
    config = chosen.loop
    if minutes is not None or steps is not None:
        config = replace(config, minutes=minutes, steps=steps)
    loop = Loop(network, out, config, device)
    if resume and loop.resume():
        say(f"continuing at step {loop.step}")
    run = _Run(chosen, net, loop, bank, styles, rows, preset)
    # a seed of its own for each process and each resumption: no sample is drawn twice
    feed = Feed(
        data,
        out,
        styles,
        batch_size=whole // world,
        seed=(seed, rank, loop.step),
        device=device,
        workers=_workers(world, device),
    )
    size = sum(p.numel() for p in network.parameters()) / 1e6
    say(
        f"{len(bank.shelf.subjects)} pictures, {size:.1f} M parameters, "
        f"batch {whole} on {world} x {device}"
    )
    for stage in chosen.stages:
        work = training_flops(net, stage.side) / 1e9
        say(f"  {100 * stage.share:.0f} % {stage.name}, {work:.2f} GFLOP a picture")
    random = torch.Generator(device).manual_seed(seed + 1009 * loop.step + 7919 * rank)
    forward = _compiled(network, device)
    stage: Stage | None = None
    teacher: Denoise | None = None

    def loss() -> torch.Tensor:
        nonlocal stage, teacher
        if asked_to_stop.is_set():  # between two steps, where everything is whole
            raise KeyboardInterrupt
        now = stage_at(chosen.stages, loop.progress())
        if now is not stage:
            stage = now
            say(f"stage: {stage.name}")
            feed.set_stage(stage.side, stage.curated)
            teacher = run.teacher() if stage.distil else run.no_teacher()
        return flow_loss(forward, feed.next(), random, no_style=net.styles - 1, teacher=teacher)

    with _listening() as asked_to_stop:
        try:
            loop.run(loss, batch_size=whole // world, say=say, on_save=run.save_drawer)
        except KeyboardInterrupt:
            loop.save()
            say(f"stopped at step {loop.step}; the same command continues")
        finally:
            feed.close()
    if rank == 0:
        run.save_drawer()
    return loop


def say_nothing(_: str) -> None:
    """What the other processes of a run report: the first one speaks for all."""


class _Run:
    """What belongs to a run beside its loop: card, averaged weights, sheet, teacher."""

    def __init__(
        self,
        preset: FullPreset,
        net: TransformerConfig,
        loop: Loop,
        bank: Bank,
        styles: list[str],
        rows: list[dict[str, Any]],
        name: str,
    ) -> None:
        self.preset, self.net, self.loop, self.bank, self.styles = preset, net, loop, bank, styles
        self.card = {
            "kind": "transformer",
            "preset": name,
            "net": asdict(net),
            "styles": styles,
            "pictures": len(bank.shelf.subjects),
            "concepts": dict(Counter(row["concept"] for row in rows)),
        }
        self._drawer: Chiaro | None = None

    def drawer(self) -> Chiaro:
        """The network with its averaged weights, ready to draw."""
        if self._drawer is None:
            self._drawer = Chiaro(self.net).to(self.loop.device).eval()
        self._drawer.load_state_dict(self.loop.ema_state())
        return self._drawer

    def teacher(self) -> Denoise:
        """The averaged weights as the last stage found them, also after a resumption."""
        path, loop = self.loop.out / "teacher.safetensors", self.loop
        network = Chiaro(self.net).to(loop.device).eval().requires_grad_(False)
        if path.exists():
            network.load_state_dict(load_file(path))
        else:
            network.load_state_dict(loop.ema_state())
            if loop.rank == 0:
                with replacing(path) as temporary:
                    save_file({k: v.cpu() for k, v in network.state_dict().items()}, temporary)
        return _compiled(network, loop.device)

    def no_teacher(self) -> None:
        """An earlier stage has none; one left by a shorter run must not teach a longer one."""
        if self.loop.rank == 0:
            (self.loop.out / "teacher.safetensors").unlink(missing_ok=True)

    def save_drawer(self) -> None:
        """``ema.safetensors`` (float16, whole and in pieces), ``run.json`` and ``sheet.png``."""
        out = self.loop.out
        weights = {k: v.half().cpu().contiguous() for k, v in self.loop.ema_state().items()}
        with replacing(out / "ema.safetensors") as temporary:
            save_file(weights, temporary)
        split_file(out / "ema.safetensors")
        stage = stage_at(self.preset.stages, self.loop.progress())
        distilled = (out / "teacher.safetensors").exists()
        card = self.card | {"stage": stage.name, "distilled": distilled, "side": stage.side}
        with replacing(out / "run.json") as temporary:
            temporary.write_text(json.dumps(card, ensure_ascii=False), "utf-8")
        _write_sheet(self, stage.side, distilled)


def _write_sheet(run: _Run, side: int, distilled: bool) -> None:
    """``sheet.png``: the fixed prompts (columns) in some styles (rows), on white."""
    device = run.loop.device
    table = TextTable(run.bank, "cpu")
    text, mask = (t.to(device) for t in table.look_up(torch.from_numpy(run.bank.extra_numbers())))
    random = torch.Generator(device).manual_seed(1)
    rows = []
    network = run.drawer()
    for number in range(min(_SHEET_STYLES, len(run.styles))):
        shape = (len(text), 4, side, side)
        noise = torch.randn(shape, generator=random, device=device)
        style = torch.full((len(text),), number, device=device)
        bf16 = run.loop.config.bf16
        with torch.autocast(torch.device(device).type, dtype=torch.bfloat16, enabled=bf16):
            drawn = sample(network, noise, text, mask, style, distilled=distilled)
        rows.append(to_pictures(drawn).cpu().numpy())
    tiles = np.stack(rows)  # (styles, prompts, S, S, 4)
    across, down = tiles.shape[1] * side, tiles.shape[0] * side
    sheet = Image.fromarray(tiles.transpose(0, 2, 1, 3, 4).reshape(down, across, 4))
    ground = Image.new("RGBA", sheet.size, "white")
    ground.alpha_composite(sheet)
    ground.convert("RGB").save(run.loop.out / "sheet.png")


def _prepare(
    preset: FullPreset, data: Path, out: Path, seed: int, say: Callable[[str], None]
) -> None:
    """Pictures at every size that a stage asks for, the text encoder, the captions' states."""
    out.mkdir(parents=True, exist_ok=True)
    processes = _cores()
    rows = read_manifest(data)
    draw_pictures(
        data, sorted({64, *(s.side for s in preset.stages)}), processes=processes, say=say
    )
    encoder = data / "text" if (data / "text" / "vocab.txt").exists() else out / "text"
    if not (encoder / "vocab.txt").exists():
        encoder.mkdir(parents=True, exist_ok=True)
        export_text_encoder(encoder, [c for row in rows for c in row["captions"]])
    plan = BankPlan(recipes=preset.recipes, curated=preset.curated, seed=seed, extra=SHEET_PROMPTS)
    few = preset.recipes < 10_000  # starting processes would take longer than the work
    prepare_bank(data, out, encoder, plan, processes=1 if few else processes, say=say)


def join_processes(device: str) -> str:
    """Join torchrun's other processes; the device that is this one's own."""
    if device.startswith("cuda"):
        torch.set_float32_matmul_precision("high")  # the float32 edges in TF32
    if int(os.environ.get("WORLD_SIZE", 1)) == 1:
        return device
    on_gpu = device.startswith("cuda")
    if on_gpu:
        device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
        torch.cuda.set_device(device)
    if not torch.distributed.is_initialized():
        torch.distributed.init_process_group(
            "nccl" if on_gpu else "gloo", timeout=timedelta(minutes=30)
        )
    return device


def _compiled(network: Chiaro, device: str) -> Denoise:
    """``torch.compile`` on a GPU, once a shape; as it is on a CPU."""
    return torch.compile(network, dynamic=False) if device.startswith("cuda") else network


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _workers(world: int, device: str) -> int:
    """Painting processes of each training process; on a CPU the trainer paints for itself."""
    return max(2, _cores() // world - 1) if device.startswith("cuda") else 0


@contextmanager
def _listening() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set, where this is the main thread."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return
    kinds = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(kind, lambda *_: event.set()) for kind in kinds]
    try:
        yield event
    finally:
        for kind, handler in zip(kinds, before, strict=True):
            signal.signal(kind, handler)
