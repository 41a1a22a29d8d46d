"""Choose the 80 concepts out of the candidates and write ``concepts.json``.

    python evals/iconeval/choose_concepts.py --data data/judge --train-data data/curated

A concept is only fit to be asked for when drawings of it can be told from others. So the judge is
fitted to two of its three packs and asked about the third, each in turn; the 80 candidates that it
names most reliably stay. Packs that drawing models learn from have no say, so figures on those
are not flattered by the choice. The training data only says which colours chiaro has seen.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path

import numpy as np
from fitting import Examples, fit_judge, read_examples

from sfumato.evals.colour import main_colour
from sfumato.evals.iconeval.prompts import COLOURS, Concept
from sfumato.evals.iconeval.shelf import read_icons
from sfumato.evals.shapes import unit

HERE = Path(__file__).parent
CONCEPTS = HERE.parents[1] / "src" / "sfumato" / "evals" / "iconeval" / "concepts.json"
COUNT = 80


def read_candidates() -> list[Concept]:
    """The everyday things that were thought of."""
    rows = json.loads((HERE / "candidates.json").read_text("utf-8"))
    return [
        Concept(name=row["name"], plural=row["plural"], labels=tuple(row["labels"]), colours=())
        for row in rows
    ]


def reliability(examples: Examples, concepts: list[Concept]) -> dict[str, float]:
    """Share of each concept's drawings that are named rightly by a judge of the other packs.

    Ties are broken by the mean margin in cosine.
    """
    name_of = {label: concept.name for concept in concepts for label in concept.labels}
    margins: dict[str, list[float]] = defaultdict(list)
    for pack in sorted(set(examples.packs)):
        judge = fit_judge(examples, examples.packs != pack, concepts)
        asked = [
            i for i in np.flatnonzero(examples.packs == pack) if str(examples.labels[i]) in name_of
        ]
        ways = [
            unit((examples.features[copy][asked] - judge.mean) @ judge.projection)
            for copy in (0, -1)
        ]
        cosines = unit(ways[0] + ways[1]) @ judge.prototypes.T
        names = np.array([judge.concepts[i] if i >= 0 else "" for i in judge.owner])
        for i, row in zip(asked, cosines, strict=True):
            name = name_of[str(examples.labels[i])]
            own, others = row[names == name], row[(names != name) & (names != "")]
            if len(own):
                margins[name].append(float(own.max() - others.max()))
    return {
        name: float(np.mean(np.array(found) > 0) + 0.001 * np.mean(found))
        for name, found in margins.items()
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the judge packs")
    parser.add_argument("--train-data", type=Path, required=True, help="what chiaro learned from")
    asked = parser.parse_args()
    candidates = read_candidates()
    examples = read_examples(asked.data)
    packs = len(set(examples.packs))
    found = {
        c.name: len({p for p, n in zip(examples.packs, examples.labels, strict=True)
                     if n in c.labels})
        for c in candidates
    }  # fmt: skip
    everywhere = [c for c in candidates if found[c.name] == packs]
    score = reliability(examples, everywhere)
    kept = sorted(everywhere, key=lambda c: -score[c.name])[:COUNT]
    icons = read_icons(asked.train_data, kept)
    rows = []
    for concept in sorted(kept, key=lambda c: c.name):
        seen = {main_colour(icon.draw(128)) for icon in icons[concept.name]}
        rows.append(
            {
                "name": concept.name,
                "plural": concept.plural,
                "labels": list(concept.labels),
                "colours": [colour for colour in COLOURS if colour in seen],
            }
        )
        print(f"{concept.name}: {score[concept.name]:.2f}")
    lines = ",\n".join(" " + json.dumps(row) for row in rows)
    CONCEPTS.write_text(f"[\n{lines}\n]\n", "utf-8")


if __name__ == "__main__":
    main()
