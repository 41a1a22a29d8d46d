"""``docs/quality.md`` from one record: nothing on the page is typed by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .iconeval import iconeval_section

_TEMPLATE = Path(__file__).parents[1] / "quality-page.md"


def quality_page(record: Mapping[str, Any], iconeval: Sequence[Mapping[str, Any]] = ()) -> str:
    """The whole page, Markdown; ``iconeval`` are the newest runs of that evaluation."""
    figures = record["figures"]
    distribution, memory = figures["distribution"], figures["memorisation"]
    near, colours, shapes = memory["pixels"]["near_copies"], figures["colours"], figures["shapes"]
    kids, packs = distribution["kid"], distribution["kid_between_packs"]
    judge = figures["judge"]
    return _TEMPLATE.read_text("utf-8").format(
        model=figures["model"],
        model_sha256=figures["model_sha256"],
        command=record["command"],
        prompts=figures["prompts"],
        prompts_short=figures["prompts_sha256"][:12],
        per_prompt=figures["drawings_per_prompt"],
        seed_first=figures["seeds"][0],
        seed_last=figures["seeds"][1],
        held_out_count=distribution["count"],
        cell_first=figures["held_out_seeds"][0],
        cell_last=figures["held_out_seeds"][1],
        judge_short=figures["judge_sha256"][:12],
        judge_concepts=figures["judge_concepts"],
        date=record["date"],
        commit=record["commit"],
        machine=record["machine"],
        concept_table=_concept_table(figures["concepts"]),
        ceiling_table=_ceiling_table(judge),
        held_out_table=_accuracy_table(
            {"drawn": figures["held_out"]["drawn"], "the real icon": figures["held_out"]["real"]}
        ),
        difference=_points(figures["held_out"]["difference_top1"]),
        unseen=_unseen(figures.get("unseen")),
        topic_table=_accuracy_table(
            {
                name.removeprefix("single: "): row
                for name, row in figures["concepts"]["drawn"].items()
                if name.startswith("single: ")
            }
        ),
        not_judged=_not_judged(figures["concepts"]["not_judged"]),
        colour=_share(colours["accuracy"]),
        colour_floor=f"{colours['floor']:.0%}",
        shape=_share(shapes["accuracy"]),
        shape_floor=f"{shapes['outline_on_plain_drawings']:.0%}",
        style=_share(figures["styles"]["accuracy"]),
        by_colour=", ".join(
            f"{name} {hits}/{asked}" for name, (hits, asked) in colours["by_colour"].items()
        ),
        missed=_missed(shapes["missed"]),
        count=distribution["count"],
        kid_drawn=_number(kids["drawn"], 4),
        kid_real=_number(kids["real"], 4),
        kid_packs=f"{packs:.4f}",
        kid_ratio=f"{distribution['kid_ratio']:.2f}",
        frechet_drawn=f"{distribution['frechet']['drawn']:.3f}",
        frechet_real=f"{distribution['frechet']['real']:.3f}",
        frechet_ratio=f"{distribution['frechet_ratio']:.2f}",
        memory_table=_memory_table(memory),
        near_limit=near["limit"],
        near_drawn=_share(near["drawn"]),
        near_real=_share(near["real"]),
        training_pictures=f"{figures['training_pictures']:,}",
        side=figures["side"],
        flat_table=_flat_table(figures["flatness"]),
        blank=figures["flatness"]["blank"],
        iconeval=iconeval_section(iconeval),
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _concept_table(concepts: Mapping[str, Any]) -> str:
    rows = {"**real icons of the same subjects**": concepts["real_same_subjects"]}
    rows |= {k: v for k, v in concepts["drawn"].items() if not k.startswith("single: ")}
    floor = concepts["floor"]
    luck = ["**luck** (names shuffled)", *(f"{floor[k]:.1%}" for k in ("top1", "top5", "group"))]
    return f"{_accuracy_table(rows)}\n| {' | '.join([*luck, ''])} |"


def _ceiling_table(judge: Mapping[str, Any]) -> str:
    if "by_pack" not in judge:
        return "(The judge was not measured on real icons: run it with `--real data/curated`.)"
    return _accuracy_table({"all packs": judge["ceiling"], **judge["by_pack"]})


def _accuracy_table(rows: Mapping[str, Mapping[str, Any]]) -> str:
    return table(
        ["", "top-1", "top-5", "kind", "pictures"],
        [
            [
                name,
                _share(row["top1"], count=False),
                _share(row["top5"], count=False),
                _share(row["group"], count=False),
                str(row["top1"]["count"]),
            ]
            for name, row in rows.items()
        ],
    )


def _unseen(figures: Mapping[str, Any] | None) -> str:
    """The paragraph on subjects that were kept from training whole."""
    if figures is None:
        return (
            "No subject of this set was kept from training whole (the full set keeps one in a "
            "hundred): for words that it never met, see *a synonym or near subject* above."
        )
    rows = _accuracy_table({"drawn": figures["drawn"], "the real icon": figures["real"]})
    return (
        f"Subjects that were kept from training whole, in every style:\n\n{rows}\n\n"
        f"The difference in top-1 is {_points(figures['difference_top1'])}."
    )


def _memory_table(memory: Mapping[str, Any]) -> str:
    rows = []
    for space, name in (("pixels", "pixels, RMS at 32 px"), ("embedding", "embedding, 1 - cosine")):
        part = memory[space]
        for label, figures in part["sets"].items():
            cells = [f"{value:.3f}" for value in figures["quantiles"]]
            closer = _share(figures["closer_than_real"], count=False)
            rows.append([f"{name}: {label}", str(figures["count"]), *cells, closer])
    quantiles = [f"{q} % below" for q in memory["pixels"]["quantiles"]]
    head = ["distance to the nearest training icon", "pictures", *quantiles, "closer than real"]
    return table(head, rows)


def _flat_table(flatness: Mapping[str, Any]) -> str:
    rows = [
        [label, *(_number(flatness[side][key], 2) for key in ("palette", "unevenness", "seam"))]
        for side, label in (("drawn", "drawn"), ("real", "held-out real icons"))
        if flatness[side]
    ]
    return table(["", "colours", "unevenness", "seam"], rows)


def _not_judged(texts: Sequence[str]) -> str:
    if not texts:
        return ""
    named = ", ".join(f"“{text}”" for text in texts)
    return f"Not judged, as the judge has no name for the subject: {named}."


def _missed(missed: Sequence[str]) -> str:
    return f"\nOutlines read otherwise: {'; '.join(missed)}.\n" if missed else ""


def _share(estimate: Mapping[str, float], *, count: bool = True) -> str:
    text = f"{estimate['value']:.0%} ({estimate['low']:.0%} to {estimate['high']:.0%})"
    return f"{text} of {estimate['count']}" if count else text


def _points(estimate: Mapping[str, float]) -> str:
    value, low, high = (100 * estimate[key] for key in ("value", "low", "high"))
    return f"{value:+.0f} points ({low:+.0f} to {high:+.0f})"


def _number(estimate: Mapping[str, float], digits: int) -> str:
    value, low, high = (f"{estimate[key]:.{digits}f}" for key in ("value", "low", "high"))
    return f"{value} ({low} to {high})"
