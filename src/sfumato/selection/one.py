"""The search for one picture: sketch, rank, finish, check, and again where that is wanted."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from time import monotonic, perf_counter

import numpy as np
from numpy.typing import NDArray

from sfumato import clip
from sfumato.clip import PictureTextModel
from sfumato.clip.rank import Query, Ranked, rank
from sfumato.errors import Cancelled, RequestError
from sfumato.finish.flatten import texture
from sfumato.generate import finish_sketch, sketch
from sfumato.models import Sketch
from sfumato.oklab import evenly, srgb_to_oklab
from sfumato.plan import random_seed
from sfumato.registry import CHECKS
from sfumato.request import MAX_SEED, Event, Finding, GeneratedImage, GenerationRequest, OnEvent
from sfumato.selection.rules import Choice, Rules
from sfumato.wording import listed

__all__ = ["choose_one", "first_seed", "mendable", "worth"]

_MOST_FINISHED = 3  # of a try: where three sketches end with a fault, the fourth seldom helps
_UNREST = 4.0  # cosines for one unit of unrest: clean sketches have 0.01, restless ones 0.025
_CUT, _MOST_CUT = 0.5, 0.1  # cosines for a whole side, up to a tenth: scenes may fill the frame
_OPAQUE = 250
_WORDS = "words"  # the capability of a check whose finding follows from the words, not the seed
_FOLLOWS = {"subject_mismatch": "unknown_subject"}  # the unknown is drawn as something else


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    """A finished sketch."""

    sketch: Sketch
    image: GeneratedImage
    place: int  # in the ranking of its try, 0 the closest
    reason: str  # the ranking's own words; empty: it was the only one of its try

    @property
    def passes(self) -> bool:
        """Whether another seed is not worth trying."""
        errors, warnings, _ = self.faults
        return errors + warnings == 0

    @property
    def faults(self) -> tuple[int, int, int]:
        """How many errors, warnings and notes, without those that no seed can mend."""
        count = Counter(finding.severity for finding in mendable(self.image.findings))
        return count["error"], count["warning"], count["note"]


def choose_one(
    request: GenerationRequest,
    rules: Rules,
    *,
    stride: int | None = None,
    on_event: OnEvent | None = None,
    stop: threading.Event | None = None,
) -> tuple[GeneratedImage, Choice]:
    """Choose one picture; ``request.seed`` is the first seed of the first try.

    Each further try begins ``stride`` seeds later: as many as all pictures of one row of a batch
    use in a try, so that their seeds never meet.

    Raises: as ``choose_pictures``; Cancelled: stopped before there was anything to keep.
    """
    started, clock = perf_counter(), monotonic()
    first = first_seed(request, rules)
    stride = rules.best_of if stride is None else stride
    tell = on_event or (lambda event: None)
    search = _Search(replace(request, num_images=rules.best_of), rules, tell, stop)
    for number in range(rules.retry + 1):
        seed = first + number * stride
        if seed + rules.best_of - 1 > MAX_SEED:
            break
        if number:
            tell(Event(kind="retrying", step=number + 1, total=rules.retry + 1))
        search.go_on(seed)
        out_of_time = rules.budget is not None and monotonic() - clock >= rules.budget
        if search.is_over or out_of_time:
            break
    best = search.best()
    choice = search.describe(best)
    notes = (*best.image.plan.notes, *filter(None, [choice.why]))
    tell(Event(kind="finished"))
    plan = replace(best.image.plan, notes=notes)
    return replace(best.image, index=0, plan=plan, seconds=perf_counter() - started), choice


class _Search:
    """The tries for one picture: what was drawn, what it is worth, and whether to go on."""

    def __init__(
        self,
        request: GenerationRequest,
        rules: Rules,
        tell: OnEvent,
        stop: threading.Event | None,
    ) -> None:
        self._request, self._rules, self._tell, self._stop = request, rules, tell, stop
        self._tries = 0
        self._tried: list[int] = []
        self._closeness: list[float] = []
        self._candidates: list[_Candidate] = []

    @property
    def is_over(self) -> bool:
        """Something passed, or somebody asked to stop."""
        return self._is_stopped or any(candidate.passes for candidate in self._candidates)

    @property
    def _is_stopped(self) -> bool:
        return self._stop is not None and self._stop.is_set()

    def go_on(self, seed: int) -> None:
        """One more try: sketches from ``seed`` on, the best of them finished and checked.

        Raises: Cancelled: stopped, and there is nothing to keep from this try or an earlier one.
        """
        drawn: list[Sketch] = []
        count = self._rules.best_of

        def keep(one: Sketch) -> None:
            drawn.append(one)
            if count > 1:
                self._tell(Event(kind="sketched", step=len(drawn), total=count))

        def follow(event: Event) -> None:
            if event.kind == "step" and count == 1:  # steps of many sketches say nothing
                self._tell(event)

        try:
            sketch(self._request, seed=seed, on_event=follow, on_sketch=keep, stop=self._stop)
        except Cancelled:
            if not self._is_stopped or not (drawn or self._candidates):
                raise
            if len(drawn) > 1:  # say that the best of these is being finished now
                self._tell(Event(kind="sketched", step=len(drawn), total=len(drawn)))
        self._tries += 1
        self._tried += [one.plan.seeds[0] for one in drawn]
        self._finish(drawn)

    def _finish(self, drawn: list[Sketch]) -> None:
        """Finish the best sketches of a try until one of them is clean."""
        order = [(index, "") for index in range(len(drawn))]
        if len(drawn) > 1:
            ranking = _rank(drawn, self._rules.ranker)
            order = [(entry.index, entry.why) for entry in ranking]
            by_index = sorted(ranking, key=lambda entry: entry.index)
            self._closeness += [round(entry.closeness, 4) for entry in by_index]
        for place, (index, reason) in enumerate(order[:_MOST_FINISHED]):
            image = finish_sketch(drawn[index])
            self._candidates.append(
                _Candidate(sketch=drawn[index], image=image, place=place, reason=reason)
            )
            if self.is_over:
                break

    def best(self) -> _Candidate:
        """The one with the fewest and mildest faults; among equals the closest to the words."""
        fewest = min(candidate.faults for candidate in self._candidates)
        tied = [candidate for candidate in self._candidates if candidate.faults == fewest]
        if len(tied) == 1 or tied[0].passes:
            return tied[0]
        sketches = [candidate.sketch for candidate in tied]
        return tied[_rank(sketches, self._rules.ranker)[0].index]

    def describe(self, best: _Candidate) -> Choice:
        """How ``best`` was chosen."""
        return Choice(
            tried=tuple(self._tried),
            closeness=tuple(self._closeness),
            finished=tuple(candidate.image.seed for candidate in self._candidates),
            passed=best.passes,
            why=self._sentence(best),
            stopped=self._is_stopped,
        )

    def _sentence(self, best: _Candidate) -> str:
        early = "Stopped early." if self._is_stopped else ""
        return f"{early} {self._verdict(best)}".strip()

    def _verdict(self, best: _Candidate) -> str:
        seeds, seed = _seeds(self._tried), best.image.seed
        tries = f" in {self._tries} tries" if self._tries > 1 and best.reason else ""
        if not best.passes and len(self._candidates) > 1:
            return (
                f"None of {len(self._candidates)} drawings was clean{tries} ({seeds}); "
                f"kept seed {seed}, which has the fewest faults."
            )
        if best.reason:
            clean = "no defects" if best.passes else "but not clean"
            closer = " Closer ones were not clean." if best.place else ""
            sketches = f"{len(self._tried)} sketches{tries} ({seeds})"
            return f"Best of {sketches}: seed {seed}, {best.reason}, {clean}.{closer}"
        if self._tries > 1:
            return f"Drawn {self._tries} times ({seeds}): seed {seed} is the first without defects."
        return ""


def first_seed(request: GenerationRequest, rules: Rules) -> int:
    """The seed of the first sketch; a random one where none was asked for.

    Raises: RequestError: there is no room for the first try of every picture, or variations were
        asked for, which all share one seed.
    """
    if request.variation_strength > 0:
        raise RequestError(
            "Variations of one seed are not chosen among: there is no seed left to vary.",
            hint="Draw them all, and rank them with: sfumato rank",
        )
    first = random_seed() if request.seed is None else request.seed
    wanted = request.num_images * rules.best_of
    if first + wanted - 1 > MAX_SEED:
        raise RequestError(
            f"Seed {first} leaves no room for {wanted} sketches.",
            hint=f"They use seed, seed + 1, ... up to {MAX_SEED}: give a smaller seed.",
        )
    return first


# ---------------------------------------------------------------- small print


def _rank(sketches: list[Sketch], ranker: str | None) -> list[Ranked]:
    """By the subject, and by how cleanly it is drawn.

    Every candidate will get the asked tint and ground, so those say nothing. What is drawn
    restlessly is traced into slivers; it has to be closer by as much as it is restless.
    A picture of several things is worth as much as the worst of its drawings.
    """
    model = clip.load(ranker)
    rankings = []
    for number, drawing in enumerate(sketches[0].plan.drawings):
        pixels = [one.pixels[number] for one in sketches]
        rankings.append(_rank_drawings(pixels, drawing.subject, model))
    if len(rankings) == 1:
        return [entry for entry, _ in rankings[0]]
    return _by_the_worst(rankings, sketches[0].plan.subject)


def _rank_drawings(
    pixels: list[NDArray[np.uint8]], subject: str, model: PictureTextModel
) -> list[tuple[Ranked, float]]:
    """(H, W, 4) drawings of one subject and what each is worth, best first."""
    ranking = rank(pixels, Query(subject=subject), model)
    valued = [(entry, worth(entry.closeness, pixels[entry.index])) for entry in ranking]
    chosen = sorted(valued, key=lambda pair: -pair[1])
    if chosen[0] is not valued[0]:
        calm, value = chosen[0]
        why = f"drawn most cleanly of those close to “{subject}” ({calm.closeness:.2f})"
        chosen[0] = replace(calm, why=why), value
    return chosen


def _by_the_worst(rankings: list[list[tuple[Ranked, float]]], subject: str) -> list[Ranked]:
    """Pictures of several things in one order, from the order of each of the things."""
    worst: dict[int, tuple[float, float]] = {}
    for ranking in rankings:
        for entry, value in ranking:
            worst[entry.index] = min(
                (value, entry.closeness), worst.get(entry.index, (value, entry.closeness))
            )
    order = sorted(worst, key=lambda index: -worst[index][0])
    why = f"whose least sure drawing is closest to “{subject}”"
    return [
        replace(entry, closeness=worst[index][1], why=f"{why} ({worst[index][1]:.2f})")
        for index in order
        for entry, _ in rankings[0]
        if entry.index == index
    ]


def worth(closeness: float, pixels: NDArray[np.uint8]) -> float:
    """What sketches are ordered by: a cosine to the words, less for a restless or a cut drawing.

    Unrest is the median step between the pixels of (H, W, 4) uint8 in evened Oklab. A drawing that
    runs into the model's own border ends there in a straight line, wherever it is placed later.
    """
    inside = pixels[..., 3] > _OPAQUE
    unrest = texture(evenly(srgb_to_oklab(pixels[..., :3])), inside)
    sides = (inside[0], inside[-1], inside[:, 0], inside[:, -1])
    cut = max(float(side.mean()) for side in sides)
    return closeness - _UNREST * unrest - _CUT * min(cut, _MOST_CUT)


def mendable(findings: Iterable[Finding]) -> list[Finding]:
    """What another seed may mend: not what follows from the words, nor what follows from that."""
    mendable, of_the_words = [], set()
    for finding in findings:
        # third parties may report under names that are not registered
        known = finding.check in CHECKS
        if known and _WORDS in CHECKS.get(finding.check).capabilities:
            of_the_words.add(finding.check)
        else:
            mendable.append(finding)
    return [finding for finding in mendable if _FOLLOWS.get(finding.check) not in of_the_words]


def _seeds(tried: list[int]) -> str:
    """``seed 7``, ``seeds 5 and 6``, ``seeds 1 to 4 and 9 to 12``."""
    runs: list[list[int]] = []
    for seed in tried:
        if runs and seed == runs[-1][-1] + 1:
            runs[-1][1:] = [seed]
        else:
            runs.append([seed])
    parts = []
    for run in runs:
        two_alone = run[-1] - run[0] <= 1
        parts += [str(seed) for seed in run] if two_alone else [f"{run[0]} to {run[-1]}"]
    return f"seed{'s' if len(tried) > 1 else ''} {listed(parts)}"
