"""One evaluation: draws once, asks the judge once, then computes each part of the figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sfumato.errors import SfumatoError
from sfumato.evals.colour import has_colour
from sfumato.models import spec_of
from sfumato.training.corpus import Corpus, read_corpus
from sfumato.training.data.pictures import read_manifest, read_svgs, render_clean
from sfumato.training.judge import SIDE, Judge

from .drawing import FIRST_SEED, Drawings, Order, draw_or_read, order_prompts
from .flatness import Flatness, measure_flatness
from .memory import Nearest, is_closer_than, nearest_by_embedding, nearest_by_pixels, shrink
from .naming import Answers, floor_accuracy, judge_pictures
from .prompts import Prompt, read_prompts
from .record import sha256_of
from .shape import outline_of, without_emblem
from .sheet import Cell, contact_sheet, side_by_side
from .statistics import estimate_kid, estimate_mean, frechet_distance, kid

HELD_OUT_SEED = 5000
PAIRS_SHOWN = 16
REFERENCES = 10  # random training samples that a distance is averaged over
NEAR_COPY = 0.05  # RMS at 32 px: what a slightly different rendering of one icon differs by
QUANTILES = [5, 25, 50, 75]
REAL = "real, held out of training"

Figures = dict[str, Any]


class Evaluation:
    """Everything drawn and read once; each method computes one part of the figures."""

    def __init__(
        self,
        model: str,
        judge: Judge,
        data: Path,
        prompts: Path,
        *,
        seeds: int,
        side: int,
        kept: Path | None,
    ) -> None:
        self.model, self.judge, self.data, self.side = model, judge, data, side
        self.prompts_sha256 = sha256_of(prompts)
        self.prompts = read_prompts(prompts)
        self.training = read_corpus(data, "train")
        self.real = read_corpus(data, "heldout")
        self.unseen = read_corpus(data, "unseen")  # none, where the set spared no subject
        known = spec_of(model).styles
        orders = order_prompts([prompt.text for prompt in self.prompts], seeds)
        cells = [
            Order(
                text=row["concept"],
                seed=HELD_OUT_SEED + i,
                style=row["style"] if row["style"] in known else None,
            )
            for i, row in enumerate([*self.real.rows, *self.unseen.rows])
        ]
        drawings = draw_or_read([*orders, *cells], model, side, kept)
        self.model_sha256 = drawings.model_sha256
        self.drawn = _part(drawings, 0, len(orders))
        first_unseen = len(orders) + len(self.real.rows)
        self.cells = _part(drawings, len(orders), first_unseen)
        self.unseen_drawn = _part(drawings, first_unseen, len(drawings.orders))
        # which prompt each drawing belongs to: the unit of the bootstrap
        self.owner = np.repeat(np.arange(len(self.prompts)), seeds)
        self.of: list[Prompt] = [self.prompts[i] for i in self.owner]
        self.known = [
            i for i, p in enumerate(self.of) if p.section == "single" and not p.is_new
        ]  # drawings of subjects that the model was shown: where copying would show first
        expected = [prompt.concepts for prompt in self.of]
        self.answers = judge_pictures(judge, self._subjects(), expected)
        self.training_embedded = judge.embed(self.training.pictures)
        self.cell_answers, self.real_answers = self._of_kept(self.real, self.cells.pictures)

    def _subjects(self) -> NDArray[np.uint8]:
        """The drawings without the emblems behind them: the judge names what is on them."""
        pictures: NDArray[np.uint8] = self.drawn.pictures.copy()
        for i, prompt in enumerate(self.of):
            if prompt.shape:
                pictures[i] = without_emblem(pictures[i])
        return pictures

    def figures(self) -> tuple[Figures, Image.Image]:
        """Everything that is measured, and the sheet of the closest pairs."""
        memorisation, nearest = self.memorisation()
        figures = {
            "model": self.model,
            "model_sha256": self.model_sha256,
            "judge_sha256": self.judge.sha256,
            "judge_concepts": len(self.judge.concepts),
            "prompts_sha256": self.prompts_sha256,
            "prompts": len(self.prompts),
            "drawings_per_prompt": len(self.of) // len(self.prompts),
            "seeds": [FIRST_SEED, FIRST_SEED + len(self.of) - 1],
            "held_out_seeds": [HELD_OUT_SEED, HELD_OUT_SEED + len(self.real.rows) - 1],
            "side": self.side,
            "training_pictures": len(self.training.rows),
            "concepts": self.concepts(),
            "held_out": self.held_out(self.real, self.cell_answers, self.real_answers),
            "unseen": self.whole_subjects(),
            "colours": self.colours(),
            "styles": self.styles(),
            "shapes": self.shapes(),
            "distribution": self.distribution(),
            "memorisation": memorisation,
            "flatness": self.flatness(),
        }
        return figures, self.nearest_sheet(nearest)

    # ------------------------------------------------------------ does it show the subject

    def concepts(self) -> Figures:
        """Accuracy by section and topic, beside real icons and beside luck."""
        known = set(self.judge.concepts)
        judged = np.array([bool(known & set(prompt.concepts)) for prompt in self.of])
        single = np.array([prompt.section == "single" for prompt in self.of])
        new = np.array([prompt.is_new for prompt in self.of])
        groups: dict[str, NDArray[np.bool_]] = {"all prompts": judged}
        groups["single subjects"] = judged & single
        groups["single, a training subject"] = judged & single & ~new
        groups["single, a synonym or near subject"] = judged & single & new
        for section in ("colours", "styles", "emblems"):
            groups[section] = judged & np.array([p.section == section for p in self.of])
        for topic in dict.fromkeys(p.topic for p in self.prompts if p.topic):
            groups[f"single: {topic}"] = judged & np.array([p.topic == topic for p in self.of])
        by_group = {
            name: self._accuracy(self.answers.where(mask), self.owner[mask])
            for name, mask in groups.items()
            if mask.any()
        }
        expected = [p.concepts for p, is_judged in zip(self.of, judged, strict=True) if is_judged]
        return {
            "drawn": by_group,
            "floor": floor_accuracy(self.judge, self.answers.where(judged), expected),
            "real_same_subjects": self._real_of_same_subjects(),
            "not_judged": sorted({p.text for p, j in zip(self.of, judged, strict=True) if not j}),
        }

    def held_out(self, kept: Corpus, drawn: Answers, real: Answers) -> Figures:
        """Drawings and the real icons that were kept from training, one for one."""
        names = np.array([row["concept"] for row in kept.rows])
        known = np.isin(names, self.judge.concepts)
        drawn, real, owner = drawn.where(known), real.where(known), names[known]
        return {
            "drawn": self._accuracy(drawn, owner),
            "real": self._accuracy(real, owner),
            "difference_top1": asdict(estimate_mean(drawn.top1 - real.top1, owner)),
        }

    def whole_subjects(self) -> Figures | None:
        """``held_out`` for the subjects that were kept from training whole; none, no figures."""
        if not any(row["concept"] in self.judge.concepts for row in self.unseen.rows):
            return None
        return self.held_out(self.unseen, *self._of_kept(self.unseen, self.unseen_drawn.pictures))

    def _of_kept(self, kept: Corpus, drawn: NDArray[np.uint8]) -> tuple[Answers, Answers]:
        """What the judge says of the drawings of what was kept from training, and of itself."""
        names = [(row["concept"],) for row in kept.rows]
        ours = judge_pictures(self.judge, drawn, names)
        return ours, judge_pictures(self.judge, kept.pictures, names)

    def _real_of_same_subjects(self) -> Figures:
        asked = {name for prompt in self.prompts for name in prompt.concepts}
        rows = [
            i
            for i, row in enumerate(self.training.rows)
            if row["concept"] in asked and row["concept"] in self.judge.concepts
        ]
        names = [(self.training.rows[i]["concept"],) for i in rows]
        answers = judge_pictures(self.judge, self.training.pictures[rows], names)
        return self._accuracy(answers, np.arange(len(rows)))

    @staticmethod
    def _accuracy(answers: Answers, owner: NDArray[np.int64]) -> Figures:
        return {
            "top1": asdict(estimate_mean(answers.top1, owner)),
            "top5": asdict(estimate_mean(answers.top5, owner)),
            "group": asdict(estimate_mean(answers.group, owner)),
        }

    # ------------------------------------------------------------ is it as asked

    def colours(self) -> Figures:
        """Share of drawings in the asked colour; luck is the same drawings, colours shuffled."""
        picks = [i for i, prompt in enumerate(self.of) if prompt.section == "colours"]
        asked = [self.of[i].colour for i in picks]
        hits = [has_colour(self.drawn.pictures[i], c) for i, c in zip(picks, asked, strict=True)]
        shuffled = np.random.default_rng(0).permutation(asked)
        luck = [has_colour(self.drawn.pictures[i], c) for i, c in zip(picks, shuffled, strict=True)]
        by_colour = {
            colour: [
                int(sum(h for h, c in zip(hits, asked, strict=True) if c == colour)),
                asked.count(colour),
            ]
            for colour in sorted(set(asked))
        }
        return {
            "accuracy": asdict(estimate_mean(hits, self.owner[picks])),
            "floor": float(np.mean(luck)),
            "by_colour": by_colour,
        }

    def shapes(self) -> Figures:
        """Share of emblems with the asked outline; luck is that outline on plain drawings."""
        picks = [i for i, prompt in enumerate(self.of) if prompt.shape]
        found = {i: outline_of(self.drawn.pictures[i]) for i in picks}
        hits = [found[i] == self.of[i].shape for i in picks]
        plain = [i for i, prompt in enumerate(self.of) if prompt.section == "single"]
        luck = [bool(outline_of(self.drawn.pictures[i])) for i in plain]
        missed = sorted({f"{self.of[i].text}: {found[i] or 'none'}" for i, hit in
                         zip(picks, hits, strict=True) if not hit})  # fmt: skip
        return {
            "accuracy": asdict(estimate_mean(hits, self.owner[picks])),
            "outline_on_plain_drawings": float(np.mean(luck)),
            "missed": missed,
        }

    def styles(self) -> Figures:
        """Share of style prompts that were drawn in the style they name."""
        picks = [i for i, prompt in enumerate(self.of) if prompt.style]
        hits = [self.drawn.styles[i] == self.of[i].style for i in picks]
        return {"accuracy": asdict(estimate_mean(hits, self.owner[picks]))}

    # ------------------------------------------------------------ does it look like icons

    def distribution(self) -> Figures:
        """KID and Fréchet distance to training icons, beside what real icons score.

        Every set has as many pictures as there are held-out icons, of the same styles.
        """
        rng = np.random.default_rng(0)
        drawn, real = self.cell_answers.embedded, self.real_answers.embedded
        styles = [row["style"] for row in self.real.rows]
        references = [
            self.training_embedded[_same_mix(self.training, styles, rng)] for _ in range(REFERENCES)
        ]
        frechet = {
            name: float(np.mean([frechet_distance(own, other) for other in references]))
            for name, own in (("drawn", drawn), ("real", real))
        }
        kids = {
            name: asdict(estimate_kid(own, references[0]))
            for name, own in (("drawn", drawn), ("real", real))
        }
        for name, own in (("drawn", drawn), ("real", real)):
            kids[name]["value"] = float(np.mean([kid(own, other) for other in references]))
        packs = self._kid_between_packs(len(real), rng)
        return {
            "count": len(real),
            "kid": kids,
            "kid_between_packs": packs,
            "kid_ratio": kids["drawn"]["value"] / packs,
            "frechet": frechet,
            "frechet_ratio": frechet["drawn"] / frechet["real"],
        }

    def _kid_between_packs(self, count: int, rng: np.random.Generator) -> float:
        """Mean KID of one colour pack against the others: how far two designers are apart."""
        packs = np.array([row["pack"] for row in self.training.rows])
        coloured = np.array([row["style"] != "glyph" for row in self.training.rows])
        distances = []
        for pack in sorted(set(packs[coloured])):
            one = np.flatnonzero(coloured & (packs == pack))
            rest = np.flatnonzero(coloured & (packs != pack))
            if len(one) and len(rest):
                pair = [self.training_embedded[rng.permutation(p)[:count]] for p in (one, rest)]
                distances.append(kid(pair[0], pair[1]))
        if not distances:
            raise SfumatoError(f"{self.data} holds a single colour pack: nothing to compare.")
        return float(np.mean(distances))

    # ------------------------------------------------------------ is it learned or copied

    def memorisation(self) -> tuple[Figures, Nearest]:
        """Distance to the nearest training icon, drawings beside held-out real icons.

        Also returns the neighbours of ``self.known``, the prompts that name a training subject.
        """
        sets = {
            "drawn, prompts that name a training subject": (
                self.drawn.pictures[self.known],
                self.answers.embedded[self.known],
            ),
            "drawn, held-out subject and style": (
                self.cells.pictures,
                self.cell_answers.embedded,
            ),
            REAL: (self.real.pictures, self.real_answers.embedded),
        }
        by_pixels = {
            name: nearest_by_pixels(pictures, self.training.pictures)
            for name, (pictures, _) in sets.items()
        }
        by_embedding = {
            name: nearest_by_embedding(embedded, self.training_embedded)
            for name, (_, embedded) in sets.items()
        }
        first = next(iter(by_pixels.values()))
        owner = self.owner[self.known]
        pixels = _compare(by_pixels, owner)
        pixels["near_copies"] = {
            "limit": NEAR_COPY,
            "drawn": asdict(estimate_mean(first.distance < NEAR_COPY, owner)),
            "real": asdict(estimate_mean(by_pixels[REAL].distance < NEAR_COPY)),
        }
        return {"pixels": pixels, "embedding": _compare(by_embedding, owner)}, first

    def nearest_sheet(self, nearest: Nearest) -> Image.Image:
        """The drawings that lie closest to a training icon, beside it."""
        order = np.argsort(nearest.distance)[:PAIRS_SHOWN]
        drawn = shrink(self.drawn.pictures[self.known], SIDE)
        texts = [self.of[i].text for i in self.known]
        cells = [
            Cell(
                picture=side_by_side(drawn[i], self.training.pictures[nearest.index[i]]),
                caption=f"{texts[i]}, {nearest.distance[i]:.3f} from "
                f"{self.training.rows[nearest.index[i]]['pack']}",
                is_tinted=False,
            )
            for i in order
        ]
        footer = "Left: drawn. Right: the nearest training icon. The closest pairs of all."
        return contact_sheet(cells, columns=8, tile=150, footer=footer)

    # ------------------------------------------------------------ is it clean

    def flatness(self) -> Figures:
        """Of single-subject drawings, and of the held-out icons drawn from their own vectors."""
        plain = [i for i, prompt in enumerate(self.of) if prompt.section == "single"]
        ours = [measure_flatness(self.drawn.pictures[i]) for i in plain]
        held_out = [row["split"] == "heldout" for row in read_manifest(self.data)]
        svgs = [svg for svg, kept in zip(read_svgs(self.data), held_out, strict=True) if kept]
        theirs = [measure_flatness(render_clean(svg, self.side)) for svg in svgs]
        return {
            "drawn": _flat(ours, self.owner[plain]),
            "real": _flat(theirs, np.arange(len(svgs))),
            "blank": ours.count(None),
        }


def _part(drawings: Drawings, start: int, stop: int) -> Drawings:
    return Drawings(
        drawings.orders[start:stop],
        drawings.pictures[start:stop],
        drawings.styles[start:stop],
        drawings.model_sha256,
    )


def _same_mix(corpus: Corpus, styles: Sequence[str], rng: np.random.Generator) -> NDArray[np.int64]:
    """As many training rows as ``styles`` has entries, of those styles, none twice."""
    own = np.array([row["style"] for row in corpus.rows])
    picks = [
        rng.choice(np.flatnonzero(own == style), styles.count(style), replace=False)
        for style in sorted(set(styles))
    ]
    return np.concatenate(picks)


def _compare(found: dict[str, Nearest], owner: NDArray[np.int64]) -> Figures:
    """``owner``: the prompts of the first set's drawings; the other sets have one of each."""
    owners = [owner, *[None] * (len(found) - 1)]
    real = found[REAL].distance
    return {
        "quantiles": QUANTILES,
        "sets": {
            name: {
                "count": len(nearest.distance),
                "quantiles": [float(q) for q in np.percentile(nearest.distance, QUANTILES)],
                "closer_than_real": asdict(
                    estimate_mean(is_closer_than(nearest.distance, real), clusters)
                ),
            }
            for (name, nearest), clusters in zip(found.items(), owners, strict=True)
        },
    }


def _flat(measured: Sequence[Flatness | None], owner: NDArray[np.int64]) -> Figures:
    pairs = [(one, who) for one, who in zip(measured, owner, strict=True) if one is not None]
    if not pairs:
        return {}
    drawn, own = zip(*pairs, strict=True)
    return {
        "palette": asdict(estimate_mean([one.palette for one in drawn], own)),
        "unevenness": asdict(estimate_mean([one.unevenness for one in drawn], own)),
        "seam": asdict(estimate_mean([one.seam for one in drawn], own)),
    }
