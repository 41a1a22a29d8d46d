"""A picture of several things, from words to pixels: the same alone, in a batch, and again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import sfumato
from sfumato.backends import fake
from sfumato.generate import finish_sketch, sketch
from sfumato.models import Conditioning, spec_of
from sfumato.plan import make_plan, request_of, vary_plan
from sfumato.request import Event, GenerationPlan, GenerationRequest, GenerationResult
from sfumato.selection import draw_best

SMALL: dict[str, Any] = {"model": "fake", "width": 64, "height": 64, "num_inference_steps": 3}
PROMPT = "two foxes left of a green owl"


def draw(prompt: Any = PROMPT, **options: Any) -> GenerationResult:
    return sfumato.generate(prompt, **{**SMALL, **options})


def test_the_plan_holds_each_thing_with_its_places() -> None:
    (image,) = draw(seed=3).images
    foxes, owl = image.plan.parts
    assert (foxes.subject, len(foxes.boxes), foxes.tint) == ("fox", 2, None)
    assert (owl.subject, len(owl.boxes), owl.tint_name) == ("owl", 1, "green")
    assert image.plan.subject == "two foxes and a green owl"
    assert image.plan.tint is None
    assert image.plan.notes == ("Laid out from left to right: two foxes; a green owl.",)


@pytest.mark.parametrize("threads", [1, 3])
def test_alone_in_a_batch_and_from_its_recipe_the_pixels_are_the_same(threads: int) -> None:
    batch = draw(seed=3, num_images=3, threads=threads)
    assert len({image.pixel_sha256 for image in batch.images}) == 3
    for image in batch.images:
        alone = draw(seed=image.seed).images[0]
        again = sfumato.generate(GenerationPlan.from_json(image.plan.to_json())).images[0]
        assert alone.pixel_sha256 == again.pixel_sha256 == image.pixel_sha256
        assert alone.svg == again.svg == image.svg


def test_each_part_starts_from_noise_of_its_own() -> None:
    (one,) = sketch("a fox and a cat", seed=3, style="flat", **SMALL)
    (fox,) = sketch("a fox", seed=3, style="flat", **SMALL)
    np.testing.assert_array_equal(one.pixels[0], fox.pixels[0])  # the first from the seed itself
    (cat,) = sketch("a cat", seed=3, style="flat", **SMALL)
    assert (one.pixels[1] != cat.pixels[0]).any()
    own = one.plan.drawings[1].seeds[0]
    (cat,) = sketch("a cat", seed=own, style="flat", **SMALL)
    np.testing.assert_array_equal(one.pixels[1], cat.pixels[0])


def test_progress_counts_the_steps_of_every_part() -> None:
    events: list[Event] = []
    shown: list[np.ndarray] = []

    def follow(event: Event) -> None:
        events.append(event)
        if event.preview is not None:
            shown.append(event.preview())

    draw("a fox, an owl and two cats", seed=1, on_event=follow)
    steps = [(event.step, event.total) for event in events if event.kind == "step"]
    assert steps == [(step, 9) for step in range(1, 10)]
    assert {picture.shape for picture in shown} == {(1, 128, 128, 4)}
    drawn = [int((picture[..., 3] > 128).sum()) for picture in shown]
    assert drawn[2] < drawn[5] < drawn[8]  # things that are done stay in view


def test_a_plain_prompt_is_drawn_as_before() -> None:
    (image,) = draw("a fox", seed=3).images
    assert image.plan.parts == ()
    assert image.plan.drawings == (image.plan,)


def test_variations_vary_every_part() -> None:
    plan = draw("a fox and an owl", seed=3).plan
    varied = sfumato.generate(vary_plan(plan, strength=0.5, num_images=2, seed=9))
    hashes = {image.pixel_sha256 for image in varied.images}
    assert len(hashes | {draw("a fox and an owl", seed=3).images[0].pixel_sha256}) == 3
    for drawing in varied.images[0].plan.drawings:
        assert len(drawing.variation_seeds) == 1
    first, second = varied.images[0].plan.drawings
    assert first.variation_seeds != second.variation_seeds


@pytest.mark.parametrize(
    "prompt",
    [PROMPT, "three apples on a blue circle", "app icon of two rockets", "five stars on white"],
)
@pytest.mark.parametrize("size", [(512, 512), (900, 300)])
def test_a_queue_can_keep_it_as_a_request(prompt: str, size: tuple[int, int]) -> None:
    spec = spec_of("fake")
    request = GenerationRequest(
        prompt=prompt, model="fake", seed=3, style="flat", width=size[0], height=size[1]
    )
    plan = make_plan(request, spec)
    assert plan.parts
    assert make_plan(request_of(plan, spec), spec) == plan


def test_styles_are_those_that_suit_most_of_the_things() -> None:
    suits = {"fox": ("flat", "striped"), "owl": ("striped",), "cat": ("striped", "flat")}
    request = GenerationRequest(prompt="a fox, an owl and a cat", model="fake", seed=0)
    plan = make_plan(request, fake.spec(), suggest_styles=lambda subject: suits[subject])
    assert plan.styles == ("striped",)


def test_a_wide_canvas_is_used_and_needs_no_excuse() -> None:
    (image,) = draw("three foxes", seed=1, width=192, height=64).images
    columns = np.flatnonzero((image.pixels[..., 3] > 128).any(axis=0))
    assert columns[-1] - columns[0] > 150
    assert not any("draws squares" in note for note in image.plan.notes)


def test_an_unknown_part_is_named() -> None:
    (one,) = sketch("a fox and a quokka", seed=1, **SMALL)
    fox, quokka = one.conds
    unknown = Conditioning(
        positive=quokka.positive, negative=quokka.negative, known=0.3, nearest="kangaroo"
    )
    changed = type(one)(
        pixels=one.pixels, plan=one.plan, index=0, conds=(fox, unknown), seconds=0.0
    )
    findings = [f for f in finish_sketch(changed).findings if f.check == "unknown_subject"]
    (found,) = findings
    assert "'quokka'" in found.message and "'kangaroo'" in found.message


def test_the_best_of_several_is_the_one_whose_worst_drawing_is_best(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Red is close to "red panda", blue to "blue whale"; only seed 6 draws both as asked."""
    paint = {"red panda": {5: "red", 6: "red", 7: "blue"}, "blue whale": {5: "red", 6: "blue"}}
    rgb = {"red": (220, 47, 47), "blue": (47, 111, 222)}
    plain = fake.FakeModel.decode

    def decode(self: fake.FakeModel, latents: Any, plan: GenerationPlan) -> Any:
        pixels = plain(self, latents, plan)
        first = make_plan(
            GenerationRequest(prompt="a red panda and a blue whale", model="fake", seed=0),
            fake.spec(),
        )
        shift = first.drawings[1].seeds[0] if plan.subject == "blue whale" else 0
        seed = (plan.seeds[0] - shift) % 2**32
        pixels[..., :3] = rgb[paint[plan.subject].get(seed, "red")]
        return pixels

    monkeypatch.setattr(fake.FakeModel, "decode", decode)
    result = draw_best("a red panda and a blue whale", best_of=3, ranker="fake", seed=5, **SMALL)
    (image,), (choice,) = result.images, result.choices
    assert image.seed == 6
    assert len(choice.closeness) == 3
    assert "whose least sure drawing is closest to" in choice.why
