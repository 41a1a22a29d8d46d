"""Measure how close true matches come, for the check ``subject_mismatch``, and write it down.

    python evals/mismatch.py --train-data data/full --measured data/curated

Matches are pictures that were held out of the picture-text model's training, with their names, and
chiaro's drawings of subjects it was shown; mismatches are the same pictures with random other names
of the vocabulary. Pictures and prompts on which ``evals/checks.py`` measures the check afterwards
are left out. Writes ``src/sfumato/checks/data/mismatch.json`` and prints one JSON line; to be run
again after new weights of ``sguardo``.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from planted.clean import accepted

from sfumato import clip, generate
from sfumato.atomic import write_durably
from sfumato.checks.meaning import MEASURED, match_scores, relatives
from sfumato.clip.calibration import fit_calibration
from sfumato.clip.labels import embed_labels
from sfumato.clip.vocabulary import Vocabulary, load_vocabulary
from sfumato.errors import SfumatoError
from sfumato.training.corpus import read_corpus
from sfumato.training.picture_text import split_corpus

FALSE_ALARMS = 0.04  # share of true matches that the check may call mismatches
SIDE = 256  # of the drawings: the model looks at 64
SEED = 7000  # of the first one, away from those of the drawings that were looked at
WRONG = 40  # other names that each picture is asked for

Pixels = NDArray[np.uint8]


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--train-data", type=Path, required=True, help="what the model was shown")
    parser.add_argument(
        "--measured", type=Path, required=True, help="what the check is measured on"
    )
    parser.add_argument("--drawings", type=int, default=170, help="of chiaro")
    parser.add_argument("--out", type=Path, default=MEASURED)
    asked = parser.parse_args(arguments)
    try:
        model = clip.load()
        names = load_vocabulary(model)
        kept = held_out(asked.train_data, asked.measured)
        drawn = list(drawings(names.names, asked.drawings))
    except SfumatoError as error:
        print(error.one_line(), file=sys.stderr)
        return error.exit_code
    subjects = [subject for subject, _ in (*kept, *drawn)]
    seen = model.encode_pictures([pixels for _, pixels in (*kept, *drawn)])
    matches, mismatches, pictures = score(seen, subjects, embed_labels(subjects, model), names)
    calibration = fit_calibration(matches, mismatches, false_alarms=FALSE_ALARMS)
    low, wrong = matches < calibration.doubtful_below, mismatches < calibration.doubtful_below
    of_drawings = pictures >= len(kept)
    figures: dict[str, Any] = {
        "held_out": len(kept),
        "drawings": len(drawn),
        "mismatches": len(mismatches),
        "false_alarms": {
            "held_out": round(float(low[: len(kept)].mean()), 4),
            "drawings": round(float(low[len(kept) :].mean()), 4),
        },
        "caught": {
            "held_out": round(float(wrong[~of_drawings].mean()), 4),
            "drawings": round(float(wrong[of_drawings].mean()), 4),
        },
    }
    sheet = {
        "model": model.spec.sha256,
        "calibration": calibration.to_sheet(),
        "measured": figures,
    }
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    write_durably(asked.out, f"{json.dumps(sheet, indent=1)}\n".encode())
    print(json.dumps(figures))
    return 0


def held_out(folder: Path, measured: Path) -> list[tuple[str, Pixels]]:
    """Subject and picture of what was kept from training, of subjects that it learnt elsewhere.

    Of a name it was never shown the model cannot say much; icons of the interface have many such.

    Raises: StorageError: a folder is no training set.
    """
    used = {row["id"] for row in read_corpus(measured, None).rows if row["split"] != "train"}
    learnt, kept = split_corpus(read_corpus(folder, None))
    known = {row["concept"] for row in learnt.rows}
    return [
        (row["concept"], pixels)
        for row, pixels in zip(kept.rows, kept.pictures, strict=True)
        if row["concept"] in known and row["id"] not in used
    ]


def drawings(names: Sequence[str], count: int) -> list[tuple[str, Pixels]]:
    """Subject and pixels of chiaro's drawings of ``count`` names, the same ones every time.

    Raises: SfumatoError: it cannot draw.
    """
    looked_at = [prompt.lower() for prompt, _ in accepted()]
    free = [name for name in names if not any(name in prompt for prompt in looked_at)]
    order = np.random.default_rng(5).permutation(len(free))[:count]
    found = []
    for number, at in enumerate(order):
        image = generate(free[at], seed=SEED + number, width=SIDE, height=SIDE).images[0]
        found.append((image.plan.subject, image.pixels))
    return found


def score(
    seen: NDArray[np.float32],
    subjects: Sequence[str],
    asked: NDArray[np.float32],
    names: Vocabulary,
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
    """(N,) scores of pictures with their own subjects, (M,) with other names, (M,) whose picture.

    A name that shares a word with the subject may be true of the picture, and is not asked for.
    """
    random = np.random.default_rng(0)
    pairs = [
        (picture, int(name))
        for picture, subject in enumerate(subjects)
        for name in random.choice(len(names.names), WRONG, replace=False)
        if not {*subject.split()} & {*names.names[name].split()}
    ]
    pictures, others = np.array(pairs, np.int64).T
    matches = match_scores(seen, asked, relatives(asked, names), names)
    kin = relatives(names.vectors, names)
    mismatches = match_scores(seen[pictures], names.vectors[others], kin[others], names)
    return matches, mismatches, pictures


if __name__ == "__main__":
    raise SystemExit(main())
