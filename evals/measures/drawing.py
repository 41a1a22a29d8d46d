"""Draw what an evaluation needs through ``sfumato.generate``, once, and keep it in a file."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from sfumato.generate import generate, load
from sfumato.models import spec_of
from sfumato.request import GeneratedImage

FIRST_SEED = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One drawing to make."""

    text: str
    seed: int
    style: str | None = None


@dataclass(frozen=True, slots=True)
class Drawings:
    """What was drawn, in the order of the orders."""

    orders: Sequence[Order]
    pictures: NDArray[np.uint8]  # (N, side, side, 4) straight alpha
    styles: Sequence[str]  # the style each was drawn in
    model_sha256: str


def order_prompts(texts: Sequence[str], seeds: int) -> list[Order]:
    """``seeds`` drawings of each text, no seed twice.

    A model deals its styles out by seed, so consecutive seeds show all of them.
    """
    return [
        Order(text=text, seed=FIRST_SEED + i * seeds + j)
        for i, text in enumerate(texts)
        for j in range(seeds)
    ]


def draw_all(orders: Sequence[Order], model: str, side: int) -> Drawings:
    """Draw every order at ``side`` x ``side`` pixels, as many at a time as there are cores.

    Raises: SfumatoError: the model is not there or cannot draw.
    """
    load(model)

    def draw(order: Order) -> GeneratedImage:
        result = generate(
            order.text,
            model=model,
            seed=order.seed,
            style=order.style,
            width=side,
            height=side,
        )
        return result.images[0]

    pictures = np.empty((len(orders), side, side, 4), np.uint8)
    styles: list[str] = []
    sha256 = ""
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        drawn = track(
            pool.map(draw, orders),
            "drawing",
            total=len(orders),
            console=Console(stderr=True),
            transient=True,
        )
        for i, image in enumerate(drawn):
            pictures[i] = image.pixels
            styles.append(image.plan.styles[0])
            sha256 = image.plan.model_sha256
    return Drawings(orders, pictures, styles, sha256)


def draw_or_read(orders: Sequence[Order], model: str, side: int, kept: Path | None) -> Drawings:
    """``draw_all``, or what ``kept`` holds when it was drawn from the same orders and model."""
    if kept is None:
        return draw_all(orders, model, side)
    wanted = json.dumps([spec_of(model).sha256, side, [asdict(order) for order in orders]])
    if kept.exists():
        with np.load(kept) as archive:
            if str(archive["orders"]) == wanted:
                return Drawings(
                    orders,
                    archive["pictures"],
                    [str(style) for style in archive["styles"]],
                    str(archive["model_sha256"]),
                )
    drawings = draw_all(orders, model, side)
    kept.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        kept,
        orders=np.array(wanted),
        pictures=drawings.pictures,
        styles=np.array(drawings.styles),
        model_sha256=np.array(drawings.model_sha256),
    )
    return drawings
