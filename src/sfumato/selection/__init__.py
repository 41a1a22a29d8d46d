"""Choosing among pictures: draw several and keep the best, draw again until one is clean.

A picture costs little until it is finished (cleaned, traced, rendered), so the best of N means: N
sketches by the model, compared with the words, and only the best of them finished and checked.
``draw_until_good`` repeats that with new seeds until the checks find nothing wrong.

Seeds: with ``n`` pictures, each the best of ``N``, picture k chooses from the N seeds that begin at
``seed + k * N``; try t adds ``t * n * N``. So no seed is drawn twice, and the first tries of all
pictures lie together. The plan of a chosen picture holds its own seed and nothing of the others:
it draws exactly this picture again, without choosing.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import Any

from sfumato import models
from sfumato.errors import Cancelled, RequestError
from sfumato.parallel import in_order
from sfumato.request import (
    Event,
    GeneratedImage,
    GenerationPlan,
    GenerationRequest,
    OnEvent,
    as_request,
)
from sfumato.selection.one import choose_one, first_seed
from sfumato.selection.rules import (
    DEFAULT_SKETCHES,
    MAX_RETRIES,
    Choice,
    Rules,
    SelectionResult,
)

__all__ = [
    "DEFAULT_SKETCHES",
    "MAX_RETRIES",
    "Choice",
    "Rules",
    "SelectionResult",
    "choose_one",
    "choose_pictures",
    "draw_best",
    "draw_until_good",
]

_DEFAULT_RETRIES = 4

OnChosen = Callable[[GeneratedImage, Choice], None]


def draw_best(
    prompt: str | GenerationRequest, *, best_of: int = 4, ranker: str | None = None, **options: Any
) -> SelectionResult:
    """Draw ``best_of`` sketches for each picture and finish the one that fits the words best.

    ``options`` are those of ``choose_pictures``, the fields of ``GenerationRequest`` included.

    Raises: as ``choose_pictures``.
    """
    return choose_pictures(prompt, Rules(best_of=best_of, ranker=ranker), **options)


def draw_until_good(
    prompt: str | GenerationRequest,
    *,
    retry: int | None = None,
    budget: float | None = None,
    best_of: int = 1,
    ranker: str | None = None,
    **options: Any,
) -> SelectionResult:
    """Draw, check, and draw again with another seed until the checks find nothing wrong.

    Ends after ``retry`` further tries (4 where neither limit is given) or when ``budget`` seconds
    are over for a picture, and keeps the one with the fewest faults: ``choices`` says which
    passed. What no seed can mend (an unknown subject) is not tried again.

    Raises: as ``choose_pictures``.
    """
    if retry is None:
        retry = _DEFAULT_RETRIES if budget is None else MAX_RETRIES
    rules = Rules(best_of=best_of, retry=retry, budget=budget, ranker=ranker)
    return choose_pictures(prompt, rules, **options)


def choose_pictures(
    prompt: str | GenerationRequest,
    rules: Rules,
    *,
    on_event: OnEvent | None = None,
    on_image: OnChosen | None = None,
    stop: threading.Event | None = None,
    keep_images: bool = True,
    **options: Any,
) -> SelectionResult:
    """Choose every picture of a request by ``rules``; nothing is written to disk.

    Args:
        prompt: words or a whole ``GenerationRequest``; a plan has nothing left to choose.
        on_event: as in ``generate``; ``sketched`` counts the sketches of a picture.
        on_image: called with each chosen picture, in order, as soon as it is chosen.
        stop: set it and every picture under way ends with the best it has.
        keep_images: False leaves them out of the result, which then takes no memory.
        options: fields of ``GenerationRequest``.

    Raises:
        RequestError, ModelError: as ``generate``; also where the seeds run out.
        Cancelled: ``stop`` was set; ``on_image`` has seen what there was to keep.
    """
    started = perf_counter()
    request = as_request(prompt, options)
    if isinstance(request, GenerationPlan):
        raise RequestError(
            "A plan draws the pictures of its own seeds: there is nothing to choose.",
            hint="Give words or a request.",
        )
    count = request.num_images
    workers = min(count, request.threads or os.cpu_count() or 1)
    first = first_seed(request, rules)
    models.load(request.model)  # once, before the threads
    loaded = perf_counter()
    tell, abandoned = on_event or (lambda event: None), threading.Event()
    tell(Event(kind="loaded"))

    def draw(index: int) -> tuple[GeneratedImage, Choice]:
        def guarded(event: Event) -> None:
            if abandoned.is_set():
                raise _cancelled()
            tell(replace(event, image=index))

        own = replace(
            request,
            num_images=1,
            seed=first + index * rules.best_of,
            threads=request.threads if workers == 1 else 1,
        )
        stride = count * rules.best_of
        return choose_one(own, rules, stride=stride, on_event=guarded, stop=stop)

    images, plans, choices = [], [], []
    tasks = [partial(draw, index) for index in range(count)]
    with closing(in_order(tasks, workers, abandoned)) as drawing:
        for index, (image, choice) in enumerate(drawing):
            plans.append(image.plan)
            choices.append(choice)
            image = replace(image, index=index)
            if keep_images:
                images.append(image)
            if on_image is not None:
                on_image(image, choice)
    if any(choice.stopped for choice in choices):
        raise _cancelled()
    ended = perf_counter()
    return SelectionResult(
        images=tuple(images),
        choices=tuple(choices),
        plan=replace(
            plans[0],
            seeds=tuple(plan.seeds[0] for plan in plans),
            styles=tuple(plan.styles[0] for plan in plans),
            notes=tuple(dict.fromkeys(note for plan in plans for note in plan.notes)),
        ),
        timings={"load": loaded - started, "draw": ended - loaded, "total": ended - started},
    )


def _cancelled() -> Cancelled:
    return Cancelled("Stopped.", hint="Finished pictures were kept.")
