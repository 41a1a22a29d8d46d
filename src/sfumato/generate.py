"""The story of a drawing, top to bottom.

``generate()`` turns a request into pictures in memory and touches no disk. ``generate_and_store``
adds files. The command line, and whatever else draws, calls one of the two and nothing deeper.
``sketch()`` and ``finish_sketch()`` are its two halves, for who wants to choose in between.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sfumato import models
from sfumato.checks import run_checks
from sfumato.diffusion import sample, starting_noise
from sfumato.errors import Cancelled, RequestError
from sfumato.files import WriteOptions, save_image
from sfumato.finish import finish
from sfumato.models import Conditioning, DirectModel, Model, Sketch
from sfumato.parallel import in_order
from sfumato.plan import make_plan
from sfumato.request import (
    Event,
    GeneratedImage,
    GenerationPlan,
    GenerationRequest,
    GenerationResult,
    OnEvent,
)

T = TypeVar("T")


def generate(
    prompt: str | GenerationRequest | GenerationPlan,
    *,
    on_event: OnEvent | None = None,
    on_image: Callable[[GeneratedImage], None] | None = None,
    stop: threading.Event | None = None,
    **options: Any,
) -> GenerationResult:
    """Draw what was asked and return the pictures; nothing is written to disk.

    Args:
        prompt: words, a whole ``GenerationRequest``, or a ``GenerationPlan`` to draw again.
        on_event: called with progress, from the thread that draws.
        on_image: called with each picture, in order, as soon as it is finished.
        stop: set it from another thread and drawing ends after the current step.
        options: fields of ``GenerationRequest`` (``seed=7``, ``num_images=4``, ...).

    Raises:
        RequestError: the request cannot be honoured as written.
        ModelError: the model is unknown or damaged.
        Cancelled: ``stop`` was set; ``on_image`` has seen what was finished.
    """
    started = time.perf_counter()
    tell = on_event or (lambda event: None)
    model, plan, threads = _begin(prompt, options, tell)
    loaded = time.perf_counter()
    images = _collect(_draw_all(_draw_one, plan, model, tell, stop, threads), on_image)
    ended = time.perf_counter()
    timings = {"load": loaded - started, "draw": ended - loaded, "total": ended - started}
    return GenerationResult(images=tuple(images), plan=plan, timings=timings)


def generate_and_store(
    prompt: str | GenerationRequest | GenerationPlan,
    target: Path,
    *,
    write: WriteOptions | None = None,
    on_saved: Callable[[GeneratedImage, Path], None] | None = None,
    **options: Any,
) -> tuple[GenerationResult, list[Path]]:
    """Draw and save each picture as soon as it is finished.

    ``target`` is a folder, or a file name for the first picture; an existing file is never
    overwritten: a number is added. Returns the result and the paths in order.

    Raises: as ``generate``; StorageError: a picture could not be written.
    """
    paths: list[Path] = []

    def keep(image: GeneratedImage) -> None:
        paths.append(save_image(image, target, options=write))
        if on_saved is not None:
            on_saved(image, paths[-1])

    return generate(prompt, on_image=keep, **options), paths


def sketch(
    prompt: str | GenerationRequest,
    *,
    on_event: OnEvent | None = None,
    on_sketch: Callable[[Sketch], None] | None = None,
    stop: threading.Event | None = None,
    **options: Any,
) -> list[Sketch]:
    """``generate`` up to the model's own pixels, about a quarter of the work; same options."""
    tell = on_event or (lambda event: None)
    model, plan, threads = _begin(prompt, options, tell)
    return _collect(_draw_all(_sketch_one, plan, model, tell, stop, threads), on_sketch)


def load(model: str | None = None) -> Model:
    """Load a model and keep it warm, so that the next picture starts at once."""
    return models.load(model)


def _begin(
    prompt: str | GenerationRequest | GenerationPlan, options: dict[str, Any], tell: OnEvent
) -> tuple[Model, GenerationPlan, int | None]:
    """The model, the plan, and how many threads were asked for."""
    request = as_request(prompt, options)
    model = models.load(request.model)
    tell(Event(kind="loaded"))
    if isinstance(request, GenerationPlan):
        return model, request, None
    plan = make_plan(request, model.spec, model.fingerprint(), model.suggest_styles)
    return model, plan, request.threads


# ---------------------------------------------------------------- one picture


def _draw_one(
    plan: GenerationPlan, index: int, model: Model, cond: Conditioning | None, tell: OnEvent
) -> GeneratedImage:
    """Picture ``index`` of the plan, alone: its pixels do not depend on its neighbours."""
    image = finish_sketch(_sketch_one(plan, index, model, cond, tell))
    tell(Event(kind="finished", image=index))
    return image


def _sketch_one(
    plan: GenerationPlan, index: int, model: Model, cond: Conditioning | None, tell: OnEvent
) -> Sketch:
    """From words to the model's pixels."""
    started = time.perf_counter()
    alone = plan.for_image(index)
    own = None if cond is None else _row(cond, index)

    if isinstance(model, DirectModel):
        pixels = model.synthesize(alone)  # (1, s, s, 4) uint8, s = the model's own size
    else:
        assert own is not None  # diffusion models encode
        stepped = partial(Event, kind="step", image=index)
        latents, rngs = starting_noise(alone, model.spec.latent_shape)  # (1, *latent_shape)
        latents = sample(
            lambda x, sigma: model.denoise(x, sigma, own, alone.guidance_scale),
            latents,
            sampler=alone.sampler,
            scheduler=alone.scheduler,
            num_inference_steps=alone.num_inference_steps,
            rngs=rngs,
            on_step=lambda step, total, clean: tell(
                stepped(step=step, total=total, preview=partial(model.decode, clean, alone))
            ),
        )
        pixels = model.decode(latents, alone)  # (1, s, s, 4) uint8 sRGB, straight alpha
    tell(Event(kind="decoded", image=index))
    seconds = time.perf_counter() - started
    return Sketch(pixels=pixels[0], plan=alone, index=index, cond=own, seconds=seconds)


def finish_sketch(sketch: Sketch) -> GeneratedImage:
    """From the model's pixels to a finished, checked picture."""
    started = time.thread_time()  # what this picture took, not its turns with its neighbours
    finished = finish(sketch.pixels, sketch.plan)  # cleaned, traced, rendered at (h, w, 4)
    findings = run_checks(finished.pixels, sketch.plan, sketch.cond)
    return GeneratedImage(
        pixels=finished.pixels,
        svg=finished.svg,
        plan=sketch.plan,
        index=sketch.index,
        findings=findings,
        seconds=sketch.seconds + time.thread_time() - started,
    )


def _draw_all(
    draw: Callable[[GenerationPlan, int, Model, Conditioning | None, OnEvent], T],
    plan: GenerationPlan,
    model: Model,
    tell: OnEvent,
    stop: threading.Event | None,
    threads: int | None,
) -> Generator[T, None, None]:
    """The plan's pictures in order; several are drawn side by side, one thread each.

    Raises: Cancelled: ``stop`` was set; pictures that were finished by then came out first.
    """
    abandoned = threading.Event()  # our own: an error must not set the caller's ``stop``

    def guarded(event: Event) -> None:
        asked = stop is not None and stop.is_set()
        if event.kind != "finished" and (asked or abandoned.is_set()):
            raise Cancelled("Stopped.", hint="Finished pictures were kept.")
        tell(event)

    cond = None if isinstance(model, DirectModel) else model.encode_prompt(plan)
    guarded(Event(kind="encoded"))
    tasks = [partial(draw, plan, i, model, cond, guarded) for i in range(plan.num_images)]
    yield from in_order(tasks, min(len(tasks), threads or os.cpu_count() or 1), abandoned)


def _row(cond: Conditioning, index: int) -> Conditioning:
    """One picture's conditioning, batch dimension kept."""
    rows = slice(index, index + 1)
    return replace(cond, positive=cond.positive[rows], negative=cond.negative[rows])


# ---------------------------------------------------------------- small print


def as_request(
    prompt: str | GenerationRequest | GenerationPlan, options: dict[str, Any]
) -> GenerationRequest | GenerationPlan:
    """The request that ``prompt`` and options make. Raises: RequestError: an unknown option."""
    if isinstance(prompt, GenerationPlan):
        if options:
            raise RequestError("A plan is complete: options cannot be given beside it.")
        return prompt
    unknown = options.keys() - {field.name for field in fields(GenerationRequest)}
    if unknown:
        raise RequestError(f"There is no option called {', '.join(sorted(unknown))}.")
    if isinstance(prompt, GenerationRequest):
        return replace(prompt, **options)
    return GenerationRequest(prompt=prompt, **options)


def _collect(drawing: Generator[T, None, None], on_each: Callable[[T], None] | None) -> list[T]:
    drawn = []
    with closing(drawing):  # an error in ``on_each`` ends the other threads too
        for one in drawing:
            drawn.append(one)
            if on_each is not None:
                on_each(one)
    return drawn
