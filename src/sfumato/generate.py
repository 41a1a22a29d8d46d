"""The story of a drawing, top to bottom.

``generate()`` turns a request into pictures in memory and touches no disk. ``generate_and_store``
adds files. The command line, and whatever else draws, calls one of the two and nothing deeper.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import closing
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from sfumato import models
from sfumato.checks import run_checks
from sfumato.diffusion import initial_noise, noise_for, sample
from sfumato.errors import Cancelled, RequestError
from sfumato.files import WriteOptions, save_image
from sfumato.finish import finish
from sfumato.models import Conditioning, DirectModel, Model
from sfumato.plan import make_plan
from sfumato.request import (
    Event,
    GeneratedImage,
    GenerationPlan,
    GenerationRequest,
    GenerationResult,
    OnEvent,
)


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
    request = _as_request(prompt, options)
    threads = request.threads if isinstance(request, GenerationRequest) else None
    model = models.load(request.model)
    plan = _plan_for(request, model)
    loaded = time.perf_counter()
    tell = on_event or _say_nothing
    tell(Event(kind="loaded"))

    images = []
    with closing(_draw_all(plan, model, tell, stop or threading.Event(), threads)) as drawing:
        for image in drawing:
            images.append(image)
            if on_image is not None:
                on_image(image)
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


def load(model: str | None = None) -> Model:
    """Load a model and keep it warm, so that the next picture starts at once."""
    return models.load(model)


# ---------------------------------------------------------------- one picture


def _draw_one(
    plan: GenerationPlan, index: int, model: Model, cond: Conditioning | None, tell: OnEvent
) -> GeneratedImage:
    """Picture ``index`` of the plan, alone: its pixels do not depend on its neighbours."""
    started = time.perf_counter()
    alone = plan.for_image(index)
    own = None if cond is None else _row(cond, index)

    if isinstance(model, DirectModel):
        pixels = model.synthesize(alone)  # (1, s, s, 4) uint8, s = the model's own size
    else:
        assert own is not None  # diffusion models encode
        rngs = [noise_for(seed) for seed in alone.seeds]
        latents = initial_noise(rngs, model.spec.latent_shape)  # (1, *latent_shape)
        latents = sample(
            lambda x, sigma: model.denoise(x, sigma, own, alone.guidance_scale),
            latents,
            sampler=alone.sampler,
            scheduler=alone.scheduler,
            num_inference_steps=alone.num_inference_steps,
            rngs=rngs,
            on_step=lambda step, total: tell(
                Event(kind="step", image=index, step=step, total=total)
            ),
        )
        pixels = model.decode(latents, alone)  # (1, s, s, 4) uint8 sRGB, straight alpha
    tell(Event(kind="decoded", image=index))

    finished = finish(pixels[0], alone)  # cleaned, traced, rendered at (height, width, 4)
    findings = run_checks(finished.pixels, alone, own)
    tell(Event(kind="finished", image=index))
    return GeneratedImage(
        pixels=finished.pixels,
        svg=finished.svg,
        plan=alone,
        index=index,
        findings=findings,
        seconds=time.perf_counter() - started,
    )


def _draw_all(
    plan: GenerationPlan,
    model: Model,
    tell: OnEvent,
    stop: threading.Event,
    threads: int | None,
) -> Generator[GeneratedImage, None, None]:
    """The plan's pictures in order; several are drawn side by side, one thread each.

    Raises: Cancelled: ``stop`` was set; pictures that were finished by then came out first.
    """
    abandoned = threading.Event()  # our own: an error must not set the caller's ``stop``

    def guarded(event: Event) -> None:
        if event.kind != "finished" and (stop.is_set() or abandoned.is_set()):
            raise Cancelled("Stopped.", hint="Finished pictures were kept.")
        tell(event)

    cond = None if isinstance(model, DirectModel) else model.encode_prompt(plan)
    guarded(Event(kind="encoded"))
    workers = min(plan.num_images, threads or os.cpu_count() or 1)
    if workers == 1:
        for index in range(plan.num_images):
            yield _draw_one(plan, index, model, cond, guarded)
        return
    pool = ThreadPoolExecutor(workers, thread_name_prefix="sfumato-draw")
    stopped: Cancelled | None = None
    try:
        futures = [
            pool.submit(_draw_one, plan, index, model, cond, guarded)
            for index in range(plan.num_images)
        ]
        for future in futures:
            try:
                image = future.result()
            except Cancelled as error:
                stopped = error
                pool.shutdown(wait=False, cancel_futures=True)  # those that have not begun
            except CancelledError:
                continue
            else:
                yield image  # also one that was finished while an earlier one was stopped
    finally:
        abandoned.set()  # Ctrl-C or an error: the other pictures end after their current step
        pool.shutdown(wait=True, cancel_futures=True)
    if stopped is not None:
        raise stopped


def _row(cond: Conditioning, index: int) -> Conditioning:
    """One picture's conditioning, batch dimension kept."""
    rows = slice(index, index + 1)
    return replace(cond, positive=cond.positive[rows], negative=cond.negative[rows])


# ---------------------------------------------------------------- small print


def _as_request(
    prompt: str | GenerationRequest | GenerationPlan, options: dict[str, Any]
) -> GenerationRequest | GenerationPlan:
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


def _plan_for(request: GenerationRequest | GenerationPlan, model: Model) -> GenerationPlan:
    if isinstance(request, GenerationPlan):
        return request
    return make_plan(request, model.spec, model.fingerprint(), model.suggest_styles)


def _say_nothing(event: Event) -> None:
    return None
