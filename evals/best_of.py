"""Measure what choosing the best of several drawings is worth, and write its page.

    python evals/best_of.py --judge runs/judge --model chiaro --write-docs

Draws eight candidates of every prompt of ``prompts.txt`` that the judge can name, lets the ranker
choose among one, two, four and eight of them as ``sfumato --best-of`` does, and asks the judge
about the choice. Prints one JSON line, adds it to ``benchmarks/results/best-of.jsonl``, and with
``--write-docs`` writes ``docs/quality-best-of.md`` from it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from measures.choosing import CANDIDATES, FIRST_SEED, SIZES, draw_or_read, measure_choice
from measures.page import table
from measures.prompts import PROMPTS, Prompt, read_prompts
from measures.publishing import add_publishing, publish
from measures.record import make_record, sha256_of

from sfumato import clip
from sfumato.errors import SfumatoError
from sfumato.training.judge import SIDE, Judge

TEMPLATE = Path(__file__).parent / "best-of-page.md"
PAGE = "quality-best-of.md"


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--judge", type=Path, required=True, help="folder of evals/judge.py")
    parser.add_argument("--model", default="chiaro")
    parser.add_argument("--ranker", default=clip.DEFAULT_MODEL)
    parser.add_argument("--prompts", type=Path, default=PROMPTS)
    parser.add_argument("--most", type=int, help="prompts, evenly spread; all if not given")
    parser.add_argument("--side", type=int, default=256, help="pixels, a multiple of 64")
    parser.add_argument("--keep", type=Path, help="file that keeps the drawings for another run")
    add_publishing(parser, "best-of")
    asked = parser.parse_args(arguments)
    if asked.side % SIDE or (asked.most is not None and asked.most < 1):
        parser.error("--side must be a multiple of 64 and --most at least 1")
    try:
        judge = Judge.load(asked.judge)
        ranker = clip.load(asked.ranker)
        prompts = _spread(_judged(read_prompts(asked.prompts), judge), asked.most)
        drawn = draw_or_read(prompts, asked.model, asked.side, asked.keep)
        figures = measure_choice(prompts, drawn, judge, asked.ranker)
    except SfumatoError as error:
        print(error.one_line(), file=sys.stderr)
        return error.exit_code
    figures |= {
        "model": asked.model,
        "model_sha256": drawn.model_sha256,
        "ranker": asked.ranker,
        "ranker_sha256": ranker.spec.sha256,
        "judge_sha256": judge.sha256,
        "prompts_sha256": sha256_of(asked.prompts),
        "seeds": [FIRST_SEED, FIRST_SEED + len(prompts) * CANDIDATES - 1],
        "side": asked.side,
    }
    command = (
        f"python evals/best_of.py --judge runs/judge --model {asked.model} "
        f"--ranker {asked.ranker}{f' --most {asked.most}' if asked.most else ''} --write-docs"
    )
    publish(make_record("best-of", command, figures), asked, PAGE, best_of_page)
    return 0


def best_of_page(record: Mapping[str, Any]) -> str:
    """The whole page, Markdown."""
    figures = record["figures"]
    rows = [["one drawing (luck)", *_cells(figures["luck"]), ""]]
    for size in SIZES[1:]:
        of_size = figures["best_of"][str(size)]
        rows.append([f"best of {size}, the ranker", *_cells(of_size["ranker"]), _gain(of_size)])
        rows.append([f"best of {size}, the judge itself", *_cells(of_size["judge"]), ""])
    room = figures["share_of_the_room"]
    four = figures["best_of"]["4"]["ranker"]
    return TEMPLATE.read_text("utf-8").format(
        model=figures["model"],
        model_short=figures["model_sha256"][:12],
        ranker=figures["ranker"],
        ranker_short=figures["ranker_sha256"][:12],
        command=record["command"],
        prompts=figures["prompts"],
        candidates=figures["candidates"],
        seed_first=figures["seeds"][0],
        seed_last=figures["seeds"][1],
        judge_short=figures["judge_sha256"][:12],
        date=record["date"],
        commit=record["commit"],
        machine=record["machine"],
        table=table(["", "top-1", "top-5", "faulty", "gain in top-1"], rows),
        verdict=_verdict(figures["best_of"]),
        faulty_one=f"{figures['luck']['faulty']['value']:.1%}",
        faulty_four=f"{four['faulty']['value']:.1%}",
        room="nothing" if room is None else f"{room:.0%}",
        styles=", ".join(f"{n} {c}" for n, c in figures["styles_of_best_of_8"].items()),
    )


def _verdict(best_of: Mapping[str, Any]) -> str:
    """What the intervals of the gain allow to be said about the subject."""
    gains = {size: best_of[str(size)]["ranker"]["gain_top1"] for size in SIZES[1:]}
    above = [str(size) for size, gain in gains.items() if gain["low"] > 0]
    if above:
        return f"The asked subject is shown more often at best of {', '.join(above)}."
    return (
        "Whether the asked subject is shown more often cannot be told from this many prompts: "
        "every interval of the gain reaches zero."
    )


def _cells(row: Mapping[str, Any]) -> list[str]:
    cells = []
    for key in ("top1", "top5", "faulty"):
        value, low, high = (f"{row[key][part]:.1%}" for part in ("value", "low", "high"))
        cells.append(f"{value} ({low} to {high})")
    return cells


def _gain(of_size: Mapping[str, Any]) -> str:
    gain = of_size["ranker"]["gain_top1"]
    value, low, high = (100 * gain[part] for part in ("value", "low", "high"))
    return f"{value:+.1f} points ({low:+.1f} to {high:+.1f})"


def _judged(prompts: Sequence[Prompt], judge: Judge) -> list[Prompt]:
    known = set(judge.concepts)
    return [prompt for prompt in prompts if known & set(prompt.concepts)]


def _spread(prompts: list[Prompt], most: int | None) -> list[Prompt]:
    if most is None or most >= len(prompts):
        return prompts
    return [prompts[i * len(prompts) // most] for i in range(most)]


if __name__ == "__main__":
    raise SystemExit(main())
