"""Choosing: which sketch wins, which seeds are used, when trying ends, what is said about it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import sfumato
from sfumato import selection
from sfumato.backends import fake
from sfumato.errors import BackendError, Cancelled, ModelError, RequestError
from sfumato.plan import vary_plan
from sfumato.request import (
    MAX_SEED,
    Event,
    Finding,
    GeneratedImage,
    GenerationPlan,
    GenerationRequest,
    Severity,
)
from sfumato.selection import Choice, Rules, choose_one, choose_pictures, draw_best, draw_until_good
from sfumato.selection import one as search

SMALL = {"model": "fake", "ranker": "fake", "width": 32, "height": 32, "seed": 5}
PAINT = {"red": (220, 47, 47), "blue": (47, 111, 222), "green": (58, 166, 82)}

Faults = Callable[[int], Severity | None]


@pytest.fixture
def paint(monkeypatch: pytest.MonkeyPatch) -> Callable[[Mapping[int, str]], None]:
    """``paint({7: "red"})``: the sketch of seed 7 is red; every other is blue."""

    def use(colours: Mapping[int, str]) -> None:
        plain = fake.FakeModel.decode

        def decode(
            self: fake.FakeModel, latents: NDArray[np.float32], plan: GenerationPlan
        ) -> NDArray[np.uint8]:
            pixels = plain(self, latents, plan)
            pixels[..., :3] = PAINT[colours.get(plan.seeds[0], "blue")]
            return pixels

        monkeypatch.setattr(fake.FakeModel, "decode", decode)

    return use


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch) -> Callable[[Faults], list[int]]:
    """``check(severity_of)``: what the checks say by seed; gives the list of seeds they saw."""

    def use(severity_of: Faults, name: str = "speckles") -> list[int]:
        seen: list[int] = []

        def run(pixels: NDArray[np.uint8], plan: GenerationPlan, cond: Any) -> tuple[Finding, ...]:
            seen.append(plan.seeds[0])
            severity = severity_of(plan.seeds[0])
            if severity is None:
                return ()
            return (Finding(check=name, severity=severity, message="a fault"),)

        # the package shows the function of that name, not the module
        monkeypatch.setattr(sys.modules["sfumato.generate"], "run_checks", run)
        return seen

    return use


# ---------------------------------------------------------------- the best of several


def test_the_sketch_closest_to_the_words_is_finished(paint: Any, check: Any) -> None:
    paint({7: "red"})
    seen = check(lambda seed: None)
    result = draw_best("red panda", best_of=4, **SMALL)
    (image,), (choice,) = result.images, result.choices
    assert choice.tried == (5, 6, 7, 8)
    assert seen == [7] == list(choice.finished)  # the others were never finished
    assert image.seed == 7
    assert choice.passed
    assert max(choice.closeness) == choice.closeness[2]
    assert choice.why.startswith("Best of 4 sketches (seeds 5 to 8): seed 7, closest to “")
    assert choice.why.endswith(", no defects.")
    assert image.plan.notes[-1] == choice.why


def test_the_plan_of_a_chosen_picture_draws_exactly_it() -> None:
    result = draw_best("a red fox", best_of=3, num_images=2, **SMALL)
    for image in result.images:
        again = sfumato.generate(GenerationPlan.from_json(image.plan.to_json())).images[0]
        assert again.pixel_sha256 == image.pixel_sha256
        assert again.svg == image.svg
    together = sfumato.generate(result.plan).images
    assert [i.pixel_sha256 for i in together] == [i.pixel_sha256 for i in result.images]


def test_a_chosen_picture_is_the_one_its_seed_draws_alone(paint: Any) -> None:
    paint({6: "red"})
    chosen = draw_best("red panda", best_of=3, **SMALL).images[0]
    alone = sfumato.generate("red panda", model="fake", seed=6, width=32, height=32).images[0]
    assert chosen.seed == 6
    assert chosen.pixel_sha256 == alone.pixel_sha256
    assert chosen.plan.styles == alone.plan.styles


@pytest.mark.parametrize("threads", [1, 3])
def test_several_pictures_choose_from_seeds_of_their_own(threads: int) -> None:
    order: list[int] = []
    result = draw_best(
        "a fox",
        best_of=4,
        num_images=3,
        threads=threads,
        on_image=lambda image, choice: order.append(image.index),
        **SMALL,
    )
    assert [choice.tried for choice in result.choices] == [
        (5, 6, 7, 8), (9, 10, 11, 12), (13, 14, 15, 16),
    ]  # fmt: skip
    assert order == [0, 1, 2] == [image.index for image in result.images]
    assert result.plan.seeds == tuple(image.seed for image in result.images)


def test_a_winner_with_a_fault_gives_way_to_a_clean_one(paint: Any, check: Any) -> None:
    paint({7: "red", 8: "green"})
    seen = check(lambda seed: "warning" if seed == 7 else None)
    result = draw_best("red panda", best_of=4, **SMALL)
    (choice,) = result.choices
    assert seen[0] == 7
    assert len(seen) == 2
    assert result.images[0].seed == seen[1] != 7
    assert choice.passed
    assert "closest" not in choice.why
    assert "Closer ones were not clean" in choice.why


def test_where_none_is_clean_the_mildest_of_three_is_kept(paint: Any, check: Any) -> None:
    paint({7: "red"})
    seen = check(lambda seed: "error" if seed == 7 else "warning")
    (choice,) = draw_best("red panda", best_of=8, **SMALL).choices
    assert len(seen) == 3
    assert not choice.passed
    assert "None of 3 drawings was clean" in choice.why
    assert "kept seed 7" not in choice.why


def test_notes_are_no_fault(check: Any) -> None:
    check(lambda seed: "note")
    (choice,) = draw_best("a fox", best_of=2, **SMALL).choices
    assert choice.passed
    assert len(choice.finished) == 1


# ---------------------------------------------------------------- until it is good


def test_drawing_ends_with_the_first_clean_one(check: Any) -> None:
    seen = check(lambda seed: None if seed == 7 else "warning")
    result = draw_until_good("a fox", retry=9, **SMALL)
    (choice,) = result.choices
    assert seen == [5, 6, 7] == list(choice.tried)
    assert (result.images[0].seed, choice.passed) == (7, True)
    assert choice.why == "Drawn 3 times (seeds 5 to 7): seed 7 is the first without defects."


def test_a_first_drawing_without_defects_says_nothing(check: Any) -> None:
    check(lambda seed: None)
    result = draw_until_good("a fox", retry=3, **SMALL)
    plain = sfumato.generate("a fox", model="fake", width=32, height=32, seed=5)
    assert result.choices[0].why == ""
    assert result.images[0].plan == plain.images[0].plan


def test_when_none_passes_the_mildest_is_kept_and_it_is_said(check: Any) -> None:
    check(lambda seed: "warning" if seed == 8 else "error")
    result = draw_until_good("a fox", retry=4, **SMALL)
    (choice,) = result.choices
    assert choice.tried == (5, 6, 7, 8, 9)
    assert (result.images[0].seed, choice.passed) == (8, False)
    assert choice.why == (
        "None of 5 drawings was clean (seeds 5 to 9); kept seed 8, which has the fewest faults."
    )
    assert result.images[0].plan.notes[-1] == choice.why


def test_among_equal_faults_the_closest_to_the_words_is_kept(paint: Any, check: Any) -> None:
    paint({7: "red"})
    check(lambda seed: "warning")
    assert draw_until_good("red panda", retry=4, **SMALL).images[0].seed == 7


def test_no_limit_given_means_four_more(check: Any) -> None:
    seen = check(lambda seed: "error")
    draw_until_good("a fox", **SMALL)
    assert len(seen) == 5


@pytest.mark.parametrize(("budget", "drawn"), [(25.0, 3), (5.0, 1)])
def test_the_budget_ends_trying(
    check: Any, monkeypatch: pytest.MonkeyPatch, budget: float, drawn: int
) -> None:
    seen = check(lambda seed: "error")
    monkeypatch.setattr(search, "monotonic", lambda: 10.0 * len(seen))  # ten seconds a drawing
    (choice,) = draw_until_good("a fox", budget=budget, **SMALL).choices
    assert len(seen) == drawn
    assert not choice.passed


def test_what_no_seed_mends_is_not_tried_again(check: Any) -> None:
    seen = check(lambda seed: "warning", name="unknown_subject")
    result = draw_until_good("asdfgh", retry=9, **SMALL)
    assert seen == [5]
    assert result.choices[0].passed
    assert result.images[0].findings  # it is still said


@pytest.mark.parametrize(("known", "drawn"), [(False, 1), (True, 3)])
def test_what_follows_from_an_unknown_subject_is_not_tried_again(
    monkeypatch: pytest.MonkeyPatch, known: bool, drawn: int
) -> None:
    names = ["subject_mismatch"] if known else ["unknown_subject", "subject_mismatch"]
    found = tuple(Finding(check=x, severity="warning", message="a fault") for x in names)
    module = sys.modules["sfumato.generate"]
    monkeypatch.setattr(module, "run_checks", lambda pixels, plan, cond: found)
    assert len(draw_until_good("asdfgh", retry=2, **SMALL).choices[0].finished) == drawn


def test_a_plug_ins_check_counts(check: Any) -> None:
    seen = check(lambda seed: "warning", name="somebody-elses")
    draw_until_good("a fox", retry=1, **SMALL)
    assert len(seen) == 2


def test_tries_of_several_pictures_never_share_a_seed(check: Any) -> None:
    seen = check(lambda seed: "error")
    result = draw_until_good("a fox", retry=2, best_of=2, num_images=3, threads=1, **SMALL)
    tried = [seed for choice in result.choices for seed in choice.tried]
    assert sorted(tried) == list(range(5, 5 + 2 * 3 * 3))
    assert len(set(seen)) == len(seen)
    assert result.choices[0].tried == (5, 6, 11, 12, 17, 18)
    assert "in 3 tries (seeds 5, 6, 11, 12, 17 and 18)" in result.choices[0].why


def test_the_best_of_a_second_try_names_the_try(paint: Any, check: Any) -> None:
    paint({6: "red", 8: "red"})
    check(lambda seed: "error" if seed < 7 else None)
    result = draw_until_good("red panda", retry=3, best_of=2, **SMALL)
    (choice,) = result.choices
    assert result.images[0].seed == 8
    assert choice.why.startswith("Best of 4 sketches in 2 tries (seeds 5 to 8): seed 8, ")


@pytest.mark.parametrize(
    ("options", "faulty", "words"),
    [
        ({"best_of": 3}, (), "Best of 3 sketches"),
        ({"best_of": 1, "retry": 2}, (5,), "Drawn 2 times"),
        ({"best_of": 1, "retry": 2}, (5, 6, 7), "None of 3 drawings"),
    ],
)
def test_how_a_picture_was_chosen_is_not_said_of_its_variations(
    check: Any, options: dict[str, int], faulty: tuple[int, ...], words: str
) -> None:
    check(lambda seed: "error" if seed in faulty else None)
    result = draw_until_good("a fox", **options, **SMALL)
    plan = result.images[0].plan
    kept = replace(plan, notes=("Best friends are drawn as friends.", *plan.notes))
    assert plan.notes[-1] == result.choices[0].why and plan.notes[-1].startswith(words)
    assert vary_plan(kept, strength=0.3, num_images=2).notes == kept.notes[:-1]


# ---------------------------------------------------------------- events, stopping, errors


def test_events_count_sketches_and_tries(check: Any) -> None:
    check(lambda seed: "error" if seed < 8 else None)
    events: list[Event] = []
    draw_until_good("a fox", retry=3, best_of=3, on_event=events.append, **SMALL)
    assert [(event.kind, event.step, event.total) for event in events] == [
        ("loaded", 0, 0),
        *(("sketched", step, 3) for step in (1, 2, 3)),
        ("retrying", 2, 4),
        *(("sketched", step, 3) for step in (1, 2, 3)),
        ("finished", 0, 0),
    ]


def test_a_single_sketch_shows_its_steps(check: Any) -> None:
    check(lambda seed: None)
    events: list[Event] = []
    draw_until_good("a fox", retry=1, num_images=2, threads=1, on_event=events.append, **SMALL)
    kinds = [(event.kind, event.image) for event in events]
    assert kinds == [
        ("loaded", 0), *[("step", 0)] * 4, ("finished", 0), *[("step", 1)] * 4, ("finished", 1),
    ]  # fmt: skip


def test_stopping_keeps_the_best_try_so_far(check: Any) -> None:
    check(lambda seed: "warning" if seed == 6 else "error")
    stop, kept = threading.Event(), []

    def tell(event: Event) -> None:
        if event.kind == "retrying" and event.step == 4:
            stop.set()

    with pytest.raises(Cancelled, match="Stopped"):
        draw_until_good(
            "a fox",
            retry=9,
            stop=stop,
            on_event=tell,
            on_image=lambda image, choice: kept.append((image.seed, choice)),
            **SMALL,
        )
    ((seed, choice),) = kept
    assert seed == 6
    assert choice.stopped
    assert choice.tried == (5, 6, 7)
    assert choice.why.startswith("Stopped early. None of 3 drawings was clean")


def test_stopping_between_sketches_keeps_the_best_of_them(paint: Any) -> None:
    paint({6: "red"})
    stop, kept, seen = threading.Event(), [], []

    def tell(event: Event) -> None:
        seen.append((event.step, event.total))
        if event.kind == "sketched" and event.step == 3:
            stop.set()

    with pytest.raises(Cancelled):
        draw_best(
            "red panda",
            best_of=8,
            threads=1,
            stop=stop,
            on_event=tell,
            on_image=lambda image, choice: kept.append((image.seed, choice.tried)),
            **SMALL,
        )
    assert kept == [(6, (5, 6, 7))]
    assert seen[-2:] == [(3, 3), (0, 0)]  # these were all, and the best of them is finished


def test_stopping_before_the_first_sketch_keeps_nothing() -> None:
    stop = threading.Event()
    stop.set()
    kept: list[GeneratedImage] = []
    with pytest.raises(Cancelled):
        draw_best("a fox", stop=stop, on_image=lambda image, choice: kept.append(image), **SMALL)
    assert kept == []


def test_an_error_while_saving_ends_the_other_pictures() -> None:
    def fail(image: GeneratedImage, choice: Choice) -> None:
        raise BackendError("disk full")

    before = threading.active_count()
    with pytest.raises(BackendError, match="disk full"):
        draw_best("a fox", num_images=8, best_of=4, threads=2, on_image=fail, **SMALL)
    assert threading.active_count() == before


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ({"best_of": 0}, "0 is no number of sketches"),
        ({"best_of": 65}, "from 1 to 64"),
        ({"best_of": True}, "True is no number"),
        ({"retry": -1}, "-1 is no number of retries"),
        ({"retry": 101}, "from 0 to 100"),
        ({"budget": 0}, "budget is 0 seconds"),
        ({"budget": float("nan")}, "budget is nan"),
        ({"budget": 1e9}, "86,400"),
    ],
)
def test_rules_out_of_range_are_refused(rules: dict[str, Any], words: str) -> None:
    with pytest.raises(RequestError) as error:
        Rules(**rules)
    assert words in error.value.one_line()


def test_seeds_that_run_out_are_refused_at_once_or_end_the_tries(check: Any) -> None:
    with pytest.raises(RequestError, match="no room for 4 sketches"):
        draw_best("a fox", **{**SMALL, "seed": MAX_SEED - 2})
    check(lambda seed: "error")
    (choice,) = draw_until_good("a fox", retry=9, **{**SMALL, "seed": MAX_SEED - 1}).choices
    assert choice.tried == (MAX_SEED - 1, MAX_SEED)


def test_a_plan_has_nothing_to_choose() -> None:
    plan: Any = sfumato.generate("a fox", model="fake", width=32, height=32).plan
    with pytest.raises(RequestError, match="nothing to choose"):
        draw_best(plan)


def test_variations_of_one_seed_are_refused() -> None:
    with pytest.raises(RequestError, match="Variations of one seed"):
        draw_best("a fox", variation_strength=0.5, **SMALL)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(RequestError, match="no option called nonsense"):
        draw_best("a fox", nonsense=1)
    with pytest.raises(ModelError, match="no picture-text model called 'nonsense'"):
        draw_best("a fox", **{**SMALL, "ranker": "nonsense"})


def test_without_a_seed_each_call_draws_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds = iter([100, 200])
    monkeypatch.setattr(search, "random_seed", lambda: next(seeds))
    options = {**SMALL, "seed": None}
    assert draw_best("a fox", best_of=2, **options).choices[0].tried == (100, 101)
    assert draw_best("a fox", best_of=2, **options).choices[0].tried == (200, 201)


def test_one_picture_of_a_row_uses_the_rows_stride(check: Any) -> None:
    check(lambda seed: "error")
    request = GenerationRequest(prompt="a fox", model="fake", seed=9, width=32, height=32)
    _, choice = choose_one(request, Rules(best_of=2, retry=1, ranker="fake"), stride=10)
    assert choice.tried == (9, 10, 19, 20)


def test_rules_that_choose_nothing_draw_what_generate_draws() -> None:
    assert Rules().is_plain
    assert not Rules(best_of=2).is_plain
    assert not Rules(retry=1).is_plain
    chosen = choose_pictures("a fox", Rules(), model="fake", seed=5, width=32, height=32)
    plain = sfumato.generate("a fox", model="fake", seed=5, width=32, height=32)
    assert chosen.images[0].pixel_sha256 == plain.images[0].pixel_sha256
    assert chosen.plan == plain.plan
    assert selection.DEFAULT_SKETCHES >= 1


def test_a_restless_or_cut_sketch_is_worth_less() -> None:
    from sfumato.selection.one import worth

    clean = np.zeros((64, 64, 4), np.uint8)
    clean[16:48, 16:48] = (220, 60, 40, 255)
    noise = np.random.default_rng(0).integers(-25, 25, clean.shape)
    restless = clean.copy()
    restless[16:48, 16:48, :3] = np.clip(clean + noise, 0, 255)[16:48, 16:48, :3]
    cut = np.roll(clean, 16, axis=1)  # the same, against the right border
    assert worth(0.5, clean) == pytest.approx(0.5)
    assert worth(0.5, restless) < worth(0.5, cut) < worth(0.5, clean)
