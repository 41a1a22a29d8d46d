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
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sfumato import models
from sfumato.checks import run_checks
from sfumato.diffusion import sample, starting_noise
from sfumato.errors import Cancelled
from sfumato.files import WriteOptions, save_image
from sfumato.finish import assemble, finish
from sfumato.models import Conditioning, DiffusionModel, DirectModel, Model, Sketch
from sfumato.parallel import collect, in_order
from sfumato.plan import make_plan, refuse_unknown_styles
from sfumato.request import (
    Event,
    GeneratedImage,
    GenerationPlan,
    GenerationRequest,
    GenerationResult,
    OnEvent,
    as_request,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    OnStep = Callable[[int, int, Callable[[], NDArray[np.uint8]]], None]

T = TypeVar("T")
Conditionings = tuple[Conditioning, ...]  # one for each of a plan's drawings


def generate(
    prompt: str | GenerationRequest | GenerationPlan,
    *,
    on_event: OnEvent | None = None,
    on_image: Callable[[GeneratedImage], None] | None = None,
    stop: threading.Event | None = None,
    keep_images: bool = True,
    **options: Any,
) -> GenerationResult:
    """Draw what was asked and return the pictures; nothing is written to disk.

    Args:
        prompt: words, a whole ``GenerationRequest``, or a ``GenerationPlan`` to draw again.
        on_event: called with progress, from the thread that draws.
        on_image: called with each picture, in order, as soon as it is finished.
        stop: set it from another thread and drawing ends after the current step.
        keep_images: False leaves them out of the result, which then takes no memory.
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
    drawing = _draw_all(_draw_one, plan, model, tell, stop, threads)
    images = collect(drawing, on_image, keep_images)
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
    return collect(_draw_all(_sketch_one, plan, model, tell, stop, threads), on_sketch)


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
        refuse_unknown_styles(request, model.spec)
        return model, request, None
    plan = make_plan(request, model.spec, model.fingerprint(), model.suggest_styles)
    return model, plan, request.threads


# ---------------------------------------------------------------- one picture


def _draw_one(
    plan: GenerationPlan, index: int, model: Model, conds: Conditionings, tell: OnEvent
) -> GeneratedImage:
    """One picture, alone: its pixels do not depend on its neighbours."""
    image = finish_sketch(_sketch_one(plan, index, model, conds, tell))
    tell(Event(kind="finished", image=index))
    return image


def _sketch_one(
    plan: GenerationPlan, index: int, model: Model, conds: Conditionings, tell: OnEvent
) -> Sketch:
    """From words to the model's pixels; each of several things in the picture on its own."""
    started = time.perf_counter()
    drawn: list[NDArray[np.uint8]] = []
    parts = plan.drawings  # as a rule one: the plan itself

    def stepped(step: int, total: int, decode: Callable[[], NDArray[np.uint8]]) -> None:
        done = drawn.copy()  # things that are drawn already; they stay in view
        at, end = len(done) * total + step, len(parts) * total

        def look() -> NDArray[np.uint8]:
            return assemble([*done, decode()[0]], plan)[None]  # (1, s, s, 4)

        tell(Event(kind="step", image=index, step=at, total=end, preview=look))

    for number, part in enumerate(parts):
        if isinstance(model, DirectModel):
            pixels = model.synthesize(part)
        else:
            pixels = _denoise(part, model, conds[number], stepped)
        drawn.append(pixels[0])  # (s, s, 4) uint8, s = the model's own size
    tell(Event(kind="decoded", image=index))
    seconds = time.perf_counter() - started
    return Sketch(pixels=tuple(drawn), plan=plan, index=index, conds=conds, seconds=seconds)


def _denoise(
    plan: GenerationPlan, model: DiffusionModel, cond: Conditioning, on_step: OnStep
) -> NDArray[np.uint8]:
    """From noise to (1, s, s, 4) uint8 sRGB, straight alpha."""
    latents, rngs = starting_noise(plan, model.spec.latent_shape)  # (1, *latent_shape)
    latents = sample(
        lambda x, sigma: model.denoise(x, sigma, cond, plan.guidance_scale),
        latents,
        sampler=plan.sampler,
        scheduler=plan.scheduler,
        num_inference_steps=plan.num_inference_steps,
        rngs=rngs,
        on_step=lambda step, total, clean: on_step(step, total, partial(model.decode, clean, plan)),
    )
    return model.decode(latents, plan)


def finish_sketch(sketch: Sketch) -> GeneratedImage:
    """From the model's pixels to a finished, checked picture."""
    started = time.thread_time()  # what this picture took, not its turns with its neighbours
    finished = finish(sketch.pixels, sketch.plan)  # cleaned, traced, rendered at (h, w, 4)
    findings = run_checks(finished.pixels, sketch.plan, sketch.conds)
    return GeneratedImage(
        pixels=finished.pixels,
        svg=finished.svg,
        plan=sketch.plan,
        index=sketch.index,
        findings=findings,
        seconds=sketch.seconds + time.thread_time() - started,
    )


def _draw_all(
    draw: Callable[[GenerationPlan, int, Model, Conditionings, OnEvent], T],
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

    tasks = []
    for index, alone in enumerate(map(plan.for_image, range(plan.num_images))):
        conds: Conditionings = ()
        if not isinstance(model, DirectModel):
            conds = tuple(map(model.encode_prompt, alone.drawings))
        tasks.append(partial(draw, alone, index, model, conds, guarded))
    guarded(Event(kind="encoded"))
    yield from in_order(tasks, min(len(tasks), threads or os.cpu_count() or 1), abandoned)
