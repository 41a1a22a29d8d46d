"""The story: pictures, events, stopping, and that a picture never depends on its neighbours."""

from __future__ import annotations

import os
import sys
import threading
import weakref
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import sfumato
from sfumato import models
from sfumato.backends import fake
from sfumato.errors import BackendError, Cancelled, ModelError, RequestError
from sfumato.models import ModelSpec
from sfumato.request import (
    Event,
    GeneratedImage,
    GenerationPlan,
    GenerationRequest,
    GenerationResult,
)

SMALL = {"model": "fake", "width": 64, "height": 64, "num_inference_steps": 3}
WAIT = 30.0  # seconds; only a broken program waits that long


def draw(prompt: Any = "a fox", **options: Any) -> GenerationResult:
    return sfumato.generate(prompt, **{**SMALL, **options})


# ---------------------------------------------------------------- pictures


def test_pictures_come_in_order_with_their_own_seed_and_plan() -> None:
    result = draw(seed=40, num_images=3)
    assert [image.index for image in result.images] == [0, 1, 2]
    assert [image.seed for image in result.images] == [40, 41, 42]
    assert result.plan.seeds == (40, 41, 42)
    for image in result.images:
        assert image.plan == result.plan.for_image(image.index)
        assert image.pixels.shape == (64, 64, 4)
        assert image.pixels.dtype == np.uint8
        assert image.seconds > 0
    assert len({image.pixel_sha256 for image in result.images}) == 3
    assert result.timings["total"] >= result.timings["draw"] > 0


@pytest.mark.parametrize("sampler", ["euler", "euler_ancestral"])
@pytest.mark.parametrize("threads", [1, 2, 4])
def test_a_picture_alone_has_the_pixels_it_has_in_its_batch(threads: int, sampler: str) -> None:
    batch = draw(seed=3, num_images=5, threads=threads, sampler=sampler)
    for image in batch.images:
        alone = draw(seed=image.seed, sampler=sampler, threads=1)
        np.testing.assert_array_equal(alone.images[0].pixels, image.pixels)
        np.testing.assert_array_equal(sfumato.generate(image.plan).images[0].pixels, image.pixels)


def test_a_step_can_be_looked_at_and_looking_changes_nothing() -> None:
    looks: list[NDArray[np.uint8]] = []

    def look(event: Event) -> None:
        if event.kind == "step":
            assert event.preview is not None
            looks.append(event.preview())

    result = draw(seed=5, on_event=look)
    assert [picture.shape for picture in looks] == [(1, 128, 128, 4)] * 3
    assert {picture.dtype for picture in looks} == {np.dtype(np.uint8)}
    assert result.images[0].pixel_sha256 == draw(seed=5).images[0].pixel_sha256


def test_a_plan_read_back_from_json_draws_the_same_pictures() -> None:
    first = draw("a red fox on a blue circle", seed=9, num_images=2)
    again = sfumato.generate(GenerationPlan.from_json(first.plan.to_json()))
    assert again.plan == first.plan
    for one, other in zip(first.images, again.images, strict=True):
        assert one.pixel_sha256 == other.pixel_sha256
        assert one.svg == other.svg


def test_a_request_can_be_drawn_and_changed_by_options() -> None:
    request = GenerationRequest(prompt="a fox", seed=1, **SMALL)
    assert sfumato.generate(request).plan.seeds == (1,)
    assert sfumato.generate(request, seed=2).plan.seeds == (2,)


def test_a_notebook_shows_the_first_picture() -> None:
    result = draw(seed=1)
    assert result._repr_png_() == result.images[0]._repr_png_()
    assert result.images[0]._repr_png_().startswith(b"\x89PNG\r\n")


def test_load_gives_the_model_that_generate_uses() -> None:
    assert sfumato.load("fake") is models.load("fake")


# ---------------------------------------------------------------- events


def test_one_thread_tells_its_events_in_the_order_of_the_story() -> None:
    events: list[Event] = []
    draw(num_images=2, threads=1, on_event=events.append)
    story = [Event(kind="loaded"), Event(kind="encoded")]
    for image in (0, 1):
        story += [Event(kind="step", image=image, step=step, total=3) for step in (1, 2, 3)]
        story += [Event(kind="decoded", image=image), Event(kind="finished", image=image)]
    assert events == story


def test_several_threads_keep_the_order_within_each_picture() -> None:
    events: list[Event] = []
    draw(num_images=4, threads=4, on_event=events.append)
    assert [event.kind for event in events[:2]] == ["loaded", "encoded"]
    for image in range(4):
        own = [event.kind for event in events[2:] if event.image == image]
        assert own == ["step", "step", "step", "decoded", "finished"]


def test_pictures_are_handed_over_in_order_even_when_a_later_one_is_done_first() -> None:
    later_done = threading.Event()
    seen: list[int] = []

    def tell(event: Event) -> None:
        if event.kind == "step" and event.image == 0:
            assert later_done.wait(WAIT)
        if event.kind == "finished" and event.image == 1:
            later_done.set()

    draw(num_images=2, threads=2, on_event=tell, on_image=lambda image: seen.append(image.index))
    assert seen == [0, 1]


# ---------------------------------------------------------------- stopping


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_stopping_keeps_finished_pictures(threads: int) -> None:
    stop = threading.Event()
    kept: list[GeneratedImage] = []

    def keep(image: GeneratedImage) -> None:
        kept.append(image)
        stop.set()

    def tell(event: Event) -> None:
        if event.kind == "step" and event.image > 0 and threads > 1:
            assert stop.wait(WAIT)

    with pytest.raises(Cancelled, match="Stopped"):
        draw(seed=1, num_images=8, threads=threads, stop=stop, on_image=keep, on_event=tell)
    assert [image.seed for image in kept] == [1]
    assert kept[0].pixel_sha256 == draw(seed=1).images[0].pixel_sha256


def test_a_later_picture_that_is_finished_is_kept_when_an_earlier_one_is_stopped() -> None:
    stop, later_done = threading.Event(), threading.Event()
    kept: list[int] = []

    def tell(event: Event) -> None:
        if event.kind == "finished" and event.image == 1:
            later_done.set()
        if event.kind == "step" and event.image == 0:
            assert later_done.wait(WAIT)
            stop.set()

    with pytest.raises(Cancelled):
        draw(
            num_images=6,
            threads=2,
            stop=stop,
            on_event=tell,
            on_image=lambda image: kept.append(image.index),
        )
    assert kept[:1] == [1]
    assert 0 not in kept


def test_stopping_between_steps_draws_no_further_step() -> None:
    stop = threading.Event()
    events: list[Event] = []

    def tell(event: Event) -> None:
        events.append(event)
        if event.step == 2:
            stop.set()

    with pytest.raises(Cancelled):
        draw(num_inference_steps=100, threads=1, stop=stop, on_event=tell)
    assert events[-1].step == 2


def test_a_stop_set_beforehand_draws_nothing() -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Cancelled):
        draw(stop=stop, on_image=lambda image: pytest.fail("a picture was drawn"))


@pytest.mark.parametrize("threads", [1, 3])
def test_an_error_of_the_caller_ends_the_drawing_and_leaves_stop_alone(threads: int) -> None:
    stop = threading.Event()

    def refuse(image: GeneratedImage) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        draw(num_images=6, threads=threads, stop=stop, on_image=refuse)
    assert not stop.is_set()
    assert not [t for t in threading.enumerate() if t.name.startswith("sfumato-draw")]


def test_an_error_while_drawing_comes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> None:
        raise BackendError("The engine failed.")

    monkeypatch.setattr(fake.FakeModel, "denoise", fail)
    for threads in (1, 2):
        with pytest.raises(BackendError, match="engine failed"):
            draw(num_images=2, threads=threads)


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"sede": 7}, RequestError, "no option called sede"),
        ({"steps": 7, "cfg": 1}, RequestError, "no option called cfg, steps"),
        ({"model": "dall-e"}, ModelError, "no model called"),
        ({"sampler": "ddpm"}, RequestError, "no sampler called"),
        ({"num_images": 0}, RequestError, "number of pictures is 0"),
        ({"guidance_scale": float("nan")}, RequestError, "guidance scale is nan"),
    ],
)
def test_bad_options_are_refused(
    options: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        draw(**options)


def test_a_request_takes_no_unknown_option_either() -> None:
    with pytest.raises(RequestError, match="no option called sede"):
        sfumato.generate(GenerationRequest(prompt="fox", **SMALL), sede=7)


def test_a_plan_of_styles_that_the_model_lacks_is_refused() -> None:
    plan = draw(num_images=2).plan
    edited = replace(plan, styles=(plan.styles[0], "baroque"))
    with pytest.raises(RequestError, match="'fake' has no style baroque"):
        sfumato.generate(edited)


def test_pictures_that_nobody_keeps_are_freed_one_by_one() -> None:
    alive: list[weakref.ref[NDArray[np.uint8]]] = []
    most = 0

    def see(image: GeneratedImage) -> None:
        nonlocal most
        alive.append(weakref.ref(image.pixels))
        most = max(most, sum(one() is not None for one in alive))

    result = draw(num_images=6, threads=1, on_image=see, keep_images=False)
    assert (len(alive), result.images) == (6, ())
    assert most <= 2
    assert len(draw(num_images=2, on_image=see).images) == 2


def test_a_plan_takes_no_options() -> None:
    plan = draw(seed=1).plan
    with pytest.raises(RequestError, match="plan is complete"):
        sfumato.generate(plan, seed=2)


# ---------------------------------------------------------------- one-shot models


class OneShot:
    """A model that draws in one go."""

    def __init__(self, spec: ModelSpec) -> None:
        self.spec = spec
        self.plans: list[GenerationPlan] = []

    def synthesize(self, plan: GenerationPlan) -> NDArray[np.uint8]:
        self.plans.append(plan)
        pixels = np.zeros((1, 64, 64, 4), np.uint8)
        pixels[:, 16:48, 16:48] = (plan.seeds[0] % 200, 90, 200, 255)
        return pixels

    def suggest_styles(self, subject: str) -> tuple[str, ...]:
        return self.spec.default_styles

    def fingerprint(self) -> dict[str, str]:
        return {"engine": "1"}


def test_a_direct_model_takes_the_only_branch(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    model = OneShot(replace(fake.spec(), family="direct"))
    monkeypatch.setattr(models, "load", lambda name: model)
    events: list[str] = []
    result = draw(seed=5, num_images=2, threads=1, on_event=lambda event: events.append(event.kind))
    assert [plan.seeds for plan in model.plans] == [(5,), (6,)]
    assert events == ["loaded", "encoded", "decoded", "finished", "decoded", "finished"]
    assert result.plan.fingerprint == {"engine": "1"}
    assert result.images[0].pixels[32, 32, 3] == 255
    assert result.images[0].pixels[0, 0, 3] == 0


# ---------------------------------------------------------------- the disk


class DiskWatch:
    """Records what is written or made on disk while it is active."""

    def __init__(self) -> None:
        self.active = False
        self.touched: list[str] = []
        sys.addaudithook(self._hook)  # cannot be removed again, hence ``active``

    def _hook(self, event: str, args: tuple[Any, ...]) -> None:
        if not self.active:
            return
        writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT
        if (event == "open" and args[2] & writing) or event in ("os.mkdir", "os.rename"):
            self.touched.append(f"{event} {args[0]}")


@pytest.fixture(scope="module")
def watch() -> Iterator[DiskWatch]:
    watch = DiskWatch()
    yield watch
    watch.active = False


def test_generate_touches_no_disk(watch: DiskWatch, tmp_path: Any) -> None:
    draw(num_images=2)  # imports are done now
    watch.active = True
    draw(num_images=2, seed=3)
    watch.active = False
    assert watch.touched == []
    watch.active = True
    (tmp_path / "x").write_bytes(b"")  # the watch does see writing
    watch.active = False
    assert watch.touched
