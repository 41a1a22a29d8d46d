"""``sfumato train clip``: train sguardo, or a picture-text model on somebody's own pictures.

The run's folder holds the checkpoint, the curve, ``run.json`` and ``figures.jsonl``: accuracy on
held-out pictures, measured at every save.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from sfumato.atomic import replacing
from sfumato.clip.framing import frame
from sfumato.clip.sentences import open_encoder
from sfumato.clip.sguardo import TEXT_FOLDER
from sfumato.errors import RequestError, StorageError
from sfumato.training.corpus import Corpus, read_corpus
from sfumato.training.folder import prepare_folder
from sfumato.training.full import join_processes, say_nothing
from sfumato.training.loop import Loop, LoopConfig
from sfumato.training.picture_text_data import Feed, Recipes, is_kept_away
from sfumato.training.picture_text_net import (
    PictureTextConfig,
    PictureTextNet,
    contrastive_loss,
)
from sfumato.training.picture_text_reading import reading_folder, refit_reading

_RECIPES_A_PICTURE = 200  # more would only repeat themselves
_FEWEST_TO_SPLIT = 100
_KEPT_OF_A_FOLDER = 50  # per mille
QUESTIONS = ("{}", "{} icon", "a drawing of a {}")  # asked together when a subject is named


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """One budget: the network's sizes, the batch and the loop."""

    summary: str
    net: PictureTextConfig
    batch_size: int
    others: int  # captions beside those of the batch, as further wrong answers
    recipes: int  # captioned pictures to choose from
    loop: LoopConfig
    reading: LoopConfig  # the last stage, for the text half alone


PRESETS = {
    "sguardo": Preset(
        summary="what ships: an hour on one CPU core with bf16",
        net=PictureTextConfig(),
        batch_size=256,
        others=768,
        recipes=80_000,
        loop=LoopConfig(
            minutes=60.0, optimiser="muon", learning_rate=2e-3, weight_decay=0.02,
            ema_decay=0.998, warmup_steps=100, decay_share=0.5,
        ),
        reading=LoopConfig(
            steps=1500, learning_rate=1e-3, weight_decay=0.05, ema_decay=0.99, warmup_steps=50,
            decay_share=0.67, bf16=False,
        ),
    ),
    "sguardo-tiny": Preset(
        summary="seconds, for tests and rehearsals",
        net=PictureTextConfig(widths=(32, 32, 48), blocks=(0, 0, 0), stem=8, places=8,
                              dimensions=32, bend=32),
        batch_size=32,
        others=32,
        recipes=400,
        loop=LoopConfig(steps=40, warmup_steps=4, ema_decay=0.9, log_seconds=1.0, bf16=False),
        reading=LoopConfig(steps=20, warmup_steps=2, ema_decay=0.9, log_seconds=1.0, bf16=False),
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Gallery:
    """Pictures nobody trains on, framed, and the subject of each."""

    pictures: NDArray[np.uint8]  # (N, 64, 64, 4) premultiplied
    labels: NDArray[np.int64]  # (N,) into ``subjects``
    subjects: tuple[str, ...]
    questions: NDArray[np.float32]  # (S, Q, 384) sentence vectors of each subject's phrasings


def train(
    *,
    data: Path,
    out: Path,
    preset: str = "sguardo",
    minutes: float | None = None,
    steps: int | None = None,
    batch_size: int | None = None,
    resume: bool = False,
    device: str = "auto",
    measure: Path | None = None,
    seed: int = 0,
    say: Callable[[str], None] = print,
) -> Loop:
    """Train on ``data``, keep everything in ``out``; the text half is refitted at the end.

    Args:
        data: a set built by ``sfumato train data icons``, or a folder of pictures and captions,
            which is made into one at ``out/data`` first.
        resume: go on with the run in ``out``; without it a run found there is an error.
        measure: another set that is looked at and never trained on, for the figures.

    Raises:
        RequestError: unknown preset.
        StorageError: no usable pictures, or ``out`` holds a run already.
    """
    if preset not in PRESETS:
        known = ", ".join(PRESETS)
        raise RequestError(f"There is no preset {preset!r}.", hint=f"Choose one of: {known}.")
    if (out / "state.safetensors").exists() and not resume:
        raise StorageError(
            f"{out} holds a run already.", hint="Add --resume to go on with it, or name another."
        )
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    device = join_processes(device)
    first = int(os.environ.get("RANK", 0)) == 0
    if not first:
        say = say_nothing
    chosen = PRESETS[preset]
    # the first process writes the set and its captions' vectors, the others read them
    learning = _prepare(chosen, data, out, measure, seed, say) if first else None
    if torch.distributed.is_initialized():
        torch.distributed.barrier()
    learning = learning or _prepare(chosen, data, out, measure, seed, say)
    recipes = learning.recipes

    torch.manual_seed(seed)
    network = PictureTextNet(chosen.net).to(device, memory_format=torch.channels_last)
    network.bend_later()
    config = chosen.loop
    if minutes is not None or steps is not None:
        config = replace(config, minutes=minutes, steps=steps)
    loop = Loop(network, out, config, device)
    if resume and loop.resume():
        say(f"continuing at step {loop.step}")
    if first:
        _write_card(out, chosen.net, learning.rows, preset)
    size = batch_size or chosen.batch_size
    # another seed for each process and each resumption, so that no sample is drawn twice
    fresh = seed + 1009 * loop.step + 7919 * loop.rank
    feed = Feed(recipes, batch_size=size, others=chosen.others, seed=fresh)

    def loss() -> torch.Tensor:
        pictures, sentences, masked = (part.to(device) for part in feed.batch())
        return contrastive_loss(
            network.picture(pictures),
            network.read(sentences),
            network.scale(),
            masked,
        )

    def measure_now() -> None:
        write_figures(averaged_network(loop))

    def write_figures(averaged: PictureTextNet) -> None:
        figures = {name: judge_gallery(averaged, g) for name, g in learning.galleries.items()}
        line = {"step": loop.step, "seconds": round(loop.seconds), **figures}
        with (out / "figures.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        for name, found in figures.items():
            say(f"  {name}: " + "  ".join(f"{k} {v:.3f}" for k, v in found.items()))

    loop.run(loss, batch_size=size, say=say, on_save=measure_now)
    finished = averaged_network(loop)
    refit_reading(
        finished,
        recipes,
        reading_folder(out, loop.step),
        chosen.reading,
        batch_size=2 * size,
        others=2 * size,
        seed=seed,
        say=say,
    )
    if first:
        write_figures(finished)
        say(f"finished; to use it: sfumato train export {out} --data {data} --name NAME")
    return loop


@dataclass(frozen=True, slots=True)
class Learning:
    """All that a run reads: what is learnt, and what is only looked at."""

    recipes: Recipes
    rows: list[dict]  # of the manifest, for the pictures that are learnt from
    galleries: dict[str, Gallery]


def _prepare(
    preset: Preset,
    data: Path,
    out: Path,
    measure: Path | None,
    seed: int,
    say: Callable[[str], None],
) -> Learning:
    """Read the set, or make one of somebody's folder, and read all captions once."""
    out.mkdir(parents=True, exist_ok=True)
    if not (data / "manifest.jsonl").exists():
        own = out / "data"
        data = own if own.exists() else prepare_folder(data, own, say=say)
    # the text half is chiaro's, frozen: it ships once
    encoder = open_encoder(TEXT_FOLDER)
    encode = encoder.encode_all
    learnt, kept = split_corpus(read_corpus(data, None))
    say(f"{len(learnt.rows)} pictures to learn from, {len(kept.rows)} kept for measuring")
    if kept.rows:
        galleries = {"held out": make_gallery(kept, encode)}
    else:
        say("too few to keep any away: the figures are of pictures it learns from")
        galleries = {"learnt": make_gallery(learnt, encode)}
    if measure is not None:
        galleries[measure.name] = make_gallery(read_corpus(measure, None), encode)
    count = min(preset.recipes, _RECIPES_A_PICTURE * len(learnt.rows))
    recipes = Recipes(learnt, count, seed, encode, out / "captions.npz")
    say(f"{len(recipes.shown)} captioned pictures, {len(recipes.vectors)} captions")
    return Learning(recipes, learnt.rows, galleries)


def split_corpus(corpus: Corpus) -> tuple[Corpus, Corpus]:
    """What is learnt from, and what is kept for measuring.

    A built set names its own held-out pictures; whole concepts are kept away beside them, by hash.
    Of somebody's own folder one picture in twenty is kept, if there are enough.
    """
    if any(row["split"] != "train" for row in corpus.rows):
        kept = [row["split"] != "train" or is_kept_away(row["concept"]) for row in corpus.rows]
    elif len(corpus.rows) >= _FEWEST_TO_SPLIT:
        kept = [is_kept_away(row["id"], _KEPT_OF_A_FOLDER) for row in corpus.rows]
    else:
        kept = [False] * len(corpus.rows)

    def part(wanted: bool) -> Corpus:
        keep = [i for i, k in enumerate(kept) if k == wanted]
        return Corpus(
            [corpus.rows[i] for i in keep],
            corpus.pictures[keep],
            corpus.styles,
            corpus.numbers[keep],
        )

    return part(False), part(True)


def make_gallery(corpus: Corpus, encode: Callable[[Sequence[str]], NDArray[np.float32]]) -> Gallery:
    """Frame a corpus's pictures and phrase its subjects."""
    subjects = tuple(sorted({row["concept"] for row in corpus.rows}))
    number = {subject: i for i, subject in enumerate(subjects)}
    texts = [question.format(subject) for subject in subjects for question in QUESTIONS]
    return Gallery(
        pictures=np.stack([frame(picture) for picture in corpus.pictures]),
        labels=np.array([number[row["concept"]] for row in corpus.rows]),
        subjects=subjects,
        questions=encode(texts).reshape(len(subjects), len(QUESTIONS), -1),
    )


def averaged_network(loop: Loop) -> PictureTextNet:
    """The network with its averaged weights, ready to look."""
    network = PictureTextNet(loop.network.config)
    network.load_state_dict(loop.ema_state())
    return network.eval().to(loop.device)


@torch.no_grad()
def judge_gallery(network: PictureTextNet, gallery: Gallery) -> dict[str, float]:
    """Shares of right answers: subject by picture (top 1, top 5), picture by subject (R@1, R@5)."""
    device = next(network.parameters()).device
    planes = torch.from_numpy(gallery.pictures).permute(0, 3, 1, 2)
    seen = torch.cat([network.picture(part.to(device) / 255.0) for part in planes.split(256)])
    asked = network.read(torch.from_numpy(gallery.questions).to(device)).mean(1)
    cosines = (seen @ torch.nn.functional.normalize(asked, dim=-1).T).cpu()  # (N, S)
    labels = torch.from_numpy(gallery.labels)
    named = cosines.topk(min(5, cosines.shape[1]), dim=1).indices == labels[:, None]
    found = labels[cosines.topk(min(5, len(labels)), dim=0).indices].T
    right = found == torch.arange(found.shape[0])[:, None]  # (S, 5)
    return {
        "top1": float(named[:, 0].float().mean()),
        "top5": float(named.any(1).float().mean()),
        "r1": float(right[:, 0].float().mean()),
        "r5": float(right.any(1).float().mean()),
    }


def _write_card(out: Path, net: PictureTextConfig, rows: Sequence[dict], preset: str) -> None:
    """``run.json``: what export needs to know about the run."""
    packs: dict[str, int] = {}
    for row in rows:
        packs[row["pack"]] = packs.get(row["pack"], 0) + 1
    card = {
        "kind": "picture-text",
        "preset": preset,
        "net": asdict(net),
        "pictures": len(rows),
        "concepts": len({row["concept"] for row in rows}),
        "packs": packs,
    }
    with replacing(out / "run.json") as temporary:
        temporary.write_text(json.dumps(card, ensure_ascii=False), "utf-8")
