"""``sfumato train chiaro``: one entry for every preset."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file, save_file

from sfumato.atomic import replacing
from sfumato.errors import Cancelled, RequestError, StorageError
from sfumato.models.catalogue import WEIGHTS, read_sheet
from sfumato.training.corpus import Corpus, read_corpus, text_vectors
from sfumato.training.data.pictures import render_pictures
from sfumato.training.export import averaged_weights, shipped_flow
from sfumato.training.folder import estimate, prepare_folder
from sfumato.training.full import FULL_PRESETS, train_full
from sfumato.training.loop import Loop, LoopConfig
from sfumato.training.refiner import RefinerFeed, keep_refiner, refiner_config, train_refiner
from sfumato.training.warm_start import keep_text_encoder, load_shipped
from sfumato.training.whole_picture import (
    SIDE,
    NetConfig,
    PictureBasis,
    WholePictureData,
    WholePictureNet,
    draw,
    flow_loss,
    pictures_to_planes,
)

SHEET_PROMPTS = (
    "fox", "red apple", "rocket", "robot", "cat face", "owl", "coffee", "mountain", "whale",
    "dog", "ship", "pizza", "house", "castle", "dragon", "guitar", "wolf head", "lighthouse",
    "crown", "tree", "rose", "car", "book", "skull",
)  # fmt: skip


FINE_TUNE_STEPS, FINE_TUNE_BATCH = 600, 256  # for about 50 pictures; --steps changes it


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """One budget: the network's sizes, the batch and the loop."""

    summary: str
    net: NetConfig
    batch_size: int
    loop: LoopConfig
    refiner_share: float = 1.0  # minutes for the refiner, as a share of the flow's


PRESETS = {
    "whole-picture": Preset(
        summary="what ships: three hours on two CPU cores with bf16, eight without",
        net=NetConfig(),
        batch_size=1024,
        loop=LoopConfig(minutes=90.0),
    ),
    "whole-picture-tiny": Preset(
        summary="seconds, for tests and rehearsals",
        net=NetConfig(components=64, width=64, hidden=96, blocks=2, cond=64),
        batch_size=64,
        loop=LoopConfig(steps=60, warmup_steps=5, log_seconds=1.0),
    ),
}


def train(
    *,
    data: Path,
    out: Path,
    preset: str = "whole-picture",
    minutes: float | None = None,
    steps: int | None = None,
    batch_size: int | None = None,
    resume: bool = False,
    device: str = "auto",
    from_weights: str | None = None,
    yes: bool = False,
    say: Callable[[str], None] = print,
) -> None:
    """What ``sfumato train chiaro`` does: any preset, on a built set or on somebody's own folder.

    Args:
        data: a set built by ``sfumato train data icons``, or a folder of pictures and captions,
            which is made into one at ``out/data`` first.
        from_weights: ``"chiaro"`` or a model folder to start from (whole-picture presets only).
        resume: go on with the run in ``out``; without it a run found there is an error.
        yes: do not ask before starting.

    Raises:
        RequestError: unknown preset, or options that do not go together.
        StorageError: no usable pictures, or ``out`` holds a run already.
        ModelError: ``from_weights`` is no whole-picture model, or it is damaged.
        Cancelled: the person said no.
    """
    if preset not in PRESETS and preset not in FULL_PRESETS:
        known = ", ".join([*PRESETS, *FULL_PRESETS])
        raise RequestError(f"There is no preset {preset!r}.", hint=f"Choose one of: {known}.")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if (out / "state.safetensors").exists() and not resume:
        raise StorageError(
            f"{out} holds a run already.", hint="Add --resume to go on with it, or name another."
        )
    if preset in FULL_PRESETS and from_weights is not None:
        raise RequestError(
            f"The preset {preset!r} starts from nothing.",
            hint="Use --from-weights with --preset whole-picture.",
        )
    if resume and from_weights is None:
        from_weights = _started_from(out)
    start = None
    if from_weights is not None:
        start = WEIGHTS / "chiaro" if from_weights == "chiaro" else Path(from_weights)
        read_sheet(start)  # a wrong path is told now, not after the pictures are read
        batch_size = batch_size or FINE_TUNE_BATCH
        if minutes is None and steps is None:
            steps = FINE_TUNE_STEPS
    budget = {"minutes": minutes, "steps": steps, "batch_size": batch_size}
    if not (data / "manifest.jsonl").exists():
        own = out / "data"
        data = own if own.exists() else prepare_folder(data, own, say=say)
    pictures = len(read_corpus(data).rows)
    say(f"time: {estimate(preset, pictures, device, **budget)}")
    share = PRESETS[preset].refiner_share if preset in PRESETS and start is None else 0.0
    if share:
        say(f"then {100 * share:.0f} % of that time for the refiner")
    if not yes and sys.stdin.isatty() and input("Start? [Y/n] ").strip().lower() in ("n", "no"):
        raise Cancelled("Nothing was started.")
    given = {"data": data, "out": out, "preset": preset, "device": device, "say": say, **budget}
    if preset in FULL_PRESETS:
        train_full(resume=resume, **given)
        return
    loop = train_whole_picture(start=start, resume=resume, **given)
    if share:
        refine_run(data=data, out=out, config=refiner_config(loop.seconds / 60 * share), say=say)


def train_whole_picture(
    *,
    data: Path,
    out: Path,
    preset: str = "whole-picture",
    minutes: float | None = None,
    steps: int | None = None,
    batch_size: int | None = None,
    resume: bool = True,
    device: str = "cpu",
    start: Path | None = None,
    seed: int = 0,
    say: Callable[[str], None] = print,
) -> Loop:
    """Train the flow on the set ``data``, keep everything in ``out``, go on with a run found there.

    ``start`` is a model folder to begin from: its basis and refiner are kept as they are.

    Raises: StorageError: ``data`` is no training set. ModelError: ``start`` is no such model.
    """
    chosen = PRESETS[preset]
    corpus = read_corpus(data)
    out.mkdir(parents=True, exist_ok=True)
    if start is not None:
        keep_text_encoder(start, out / "text")
    vectors = text_vectors(corpus, out)
    torch.manual_seed(seed)
    if start is None:
        basis = fit_basis(corpus, out, chosen.net.components)
        sizes = replace(chosen.net, components=len(basis.scale), styles=len(corpus.styles) + 1)
        network, config = WholePictureNet(sizes), chosen.loop
    else:
        network, basis, refiner = load_shipped(start, corpus.styles)
        with replacing(out / "basis.safetensors") as temporary:
            save_file(basis.state_dict(), temporary)
        keep_refiner(refiner, out / "refiner")
        config = replace(chosen.loop, learning_rate=2e-4, minutes=None, steps=FINE_TUNE_STEPS)
    _write_card(out, network.config, corpus, preset, start)
    network.to(device)
    if minutes is not None or steps is not None:
        config = replace(config, minutes=minutes, steps=steps)
    loop = Loop(network, out, config, device)
    if resume and loop.resume():
        say(f"continuing at step {loop.step}")
    size = batch_size or (chosen.batch_size if start is None else FINE_TUNE_BATCH)
    feed = make_feed(corpus, basis, vectors, seed=seed + _fresh_seed(loop), device=device)
    say(
        f"{len(corpus.rows)} pictures, {sum(p.numel() for p in network.parameters()) / 1e6:.1f} M "
        f"parameters, {network.config.components} components"
    )

    def loss() -> torch.Tensor:
        clean, text, style = feed.batch(size)
        return flow_loss(network, clean, text, style, feed.random)

    def sheet() -> None:
        write_sheet(loop, basis, corpus, out)

    loop.run(loss, batch_size=size, say=say, on_save=sheet)
    sheet()
    return loop


def refine_run(
    *, data: Path, out: Path, config: LoopConfig, say: Callable[[str], None] = print
) -> Loop:
    """Train the refiner of the finished flow in ``out``; continues one found there.

    Raises: StorageError: ``data`` or the run is incomplete.
    """
    corpus = read_corpus(data)
    tensors = load_file(out / "basis.safetensors")
    basis = PictureBasis(tensors["mean"].numel(), tensors["scale"].numel())
    basis.load_state_dict(tensors)
    card = json.loads((out / "run.json").read_text("utf-8"))

    network = WholePictureNet(NetConfig(**card["net"]))
    network.load_state_dict(averaged_weights(out))
    say("refiner: drawing the pictures at 256 px")
    large = render_pictures(data, 256)
    feed = make_feed(corpus, basis, text_vectors(corpus, out), seed=17)
    say("refiner: the flow draws every picture six times")
    flow = shipped_flow(network.eval())
    pairs = RefinerFeed(feed, basis, large, corpus.numbers, flow)
    return train_refiner(pairs, out / "refiner", config, say=say)


def make_feed(
    corpus: Corpus,
    basis: PictureBasis,
    vectors: list[NDArray[np.float32]],
    *,
    seed: int,
    device: str = "cpu",
) -> WholePictureData:
    """The corpus as coefficients, sentence vectors and styles, ready to draw batches from."""
    planes = torch.from_numpy(pictures_to_planes(corpus.pictures))
    latents = torch.cat([basis.encode(part) for part in planes.split(512)])
    return WholePictureData(latents, vectors, corpus.style_numbers(), seed=seed, device=device)


def _fresh_seed(loop: Loop) -> int:
    """Another seed for each process and each resumption, so that no sample is drawn twice."""
    return 1009 * loop.step + 7919 * loop.rank


def averaged(loop: Loop) -> WholePictureNet:
    """The network with its averaged weights, ready to draw."""
    network = WholePictureNet(loop.network.config)
    network.load_state_dict(loop.ema_state())
    return network.eval().to(loop.device)


def write_sheet(loop: Loop, basis: PictureBasis, corpus: Corpus, out: Path) -> None:
    """``sheet.png``: the fixed prompts (columns) in every style (rows), coarse, on white."""
    from sfumato.training.text import encode_texts

    network = averaged(loop)
    text = torch.from_numpy(encode_texts(out / "text", SHEET_PROMPTS)).to(loop.device)
    random = torch.Generator(loop.device).manual_seed(1)
    rows = []
    for style in range(len(corpus.styles)):
        noise = torch.randn(
            len(text), network.config.components, generator=random, device=loop.device
        )
        chosen = torch.full((len(text),), style, device=loop.device)
        latents = draw(network, text, chosen, noise)
        pixels = basis.decode(latents.cpu()).clamp(0, 1)
        white = pixels[:, :3] + 1.0 - pixels[:, 3:]
        rows.append(white.permute(2, 0, 3, 1).reshape(SIDE, -1, 3))
    sheet = (torch.cat(rows).clamp(0, 1) * 255).byte().numpy()
    Image.fromarray(sheet).save(out / "sheet.png")


def fit_basis(corpus: Corpus, out: Path, components: int) -> PictureBasis:
    """The basis of a run: fitted once, then read from ``out``."""
    path = out / "basis.safetensors"
    if path.exists():
        tensors = load_file(path)
        basis = PictureBasis(tensors["mean"].numel(), tensors["scale"].numel())
        basis.load_state_dict(tensors)
        return basis
    basis = PictureBasis.fit(pictures_to_planes(corpus.pictures), components)
    with replacing(path) as temporary:  # half a basis would stop every later start
        save_file(basis.state_dict(), temporary)
    return basis


def _started_from(out: Path) -> str | None:
    """The model folder that the run in ``out`` fine-tunes; none where it started from nothing."""
    card = out / "run.json"
    return json.loads(card.read_text("utf-8")).get("from_weights") if card.exists() else None


def _write_card(out: Path, net: NetConfig, corpus: Corpus, preset: str, start: Path | None) -> None:
    """``run.json``: what export needs to know about the run."""
    concepts: dict[str, int] = {}
    for row in corpus.rows:
        concepts[row["concept"]] = concepts.get(row["concept"], 0) + 1
    card = {
        "kind": "whole-picture",
        "preset": preset,
        "from_weights": None if start is None else str(start.resolve()),
        "net": asdict(net),
        "styles": corpus.styles,
        "pictures": len(corpus.rows),
        "concepts": concepts,
    }
    with replacing(out / "run.json") as temporary:
        temporary.write_text(json.dumps(card, ensure_ascii=False), "utf-8")
