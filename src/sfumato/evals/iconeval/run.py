"""One evaluation: draw each prompt, judge each picture, keep what was found, continue later."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Any

from PIL import Image

from sfumato.atomic import write_durably
from sfumato.errors import RequestError, StorageError
from sfumato.evals.iconeval.judge import WEIGHTS, IconJudge, Subject, load_judge
from sfumato.evals.iconeval.painters import Painter
from sfumato.evals.iconeval.prompts import SEEDS, TASKS, IconPrompt, load_prompts, to_jsonl
from sfumato.evals.iconeval.scores import Judged, summarise
from sfumato.evals.shapes import Pixels

__all__ = ["NOT_GENEVAL", "evaluate", "load_validity", "report", "select_prompts"]

NOT_GENEVAL = (
    "The tasks and rules are GenEval's; concepts, pictures and judge are not. Do not set these "
    "figures beside published GenEval scores."
)
_VERDICTS, _RUN = "verdicts.jsonl", "run.json"

OnPicture = Callable[[int, int], None]  # pictures done, pictures in all


def select_prompts(tasks: Sequence[str] = (), limit: int | None = None) -> tuple[IconPrompt, ...]:
    """The prompts of some tasks (all where none is named), the first ``limit`` of each.

    Raises: RequestError: there is no such task.
    """
    unknown = [task for task in tasks if task not in TASKS]
    if unknown:
        raise RequestError(
            f"There is no task called {unknown[0]!r}.", hint=f"Choose from: {', '.join(TASKS)}."
        )
    chosen: list[IconPrompt] = []
    for task in TASKS:
        if not tasks or task in tasks:
            chosen += [one for one in load_prompts() if one.task == task][:limit]
    return tuple(chosen)


def evaluate(
    painter: Painter,
    prompts: Sequence[IconPrompt],
    *,
    seeds: int = SEEDS,
    out: Path | None = None,
    judge: IconJudge | None = None,
    on_picture: OnPicture | None = None,
) -> list[Judged]:
    """Draw and judge ``seeds`` pictures of each prompt, in order.

    With ``out``, pictures and verdicts are kept there as soon as they are made, and those that a
    run of the same painter left there are taken as they are.

    Raises:
        RequestError: ``out`` holds a run of another painter, judge or set of prompts.
        StorageError: ``out`` cannot be read or written.
        SfumatoError: whatever the painter raises.
    """
    judge = judge or load_judge()
    kept = _Kept(out, painter) if out is not None else None
    total = len(prompts) * seeds
    judged: list[Judged] = []
    for prompt in prompts:
        own = prompt.seeds[:seeds]
        known = {seed: kept.subjects(prompt, seed) for seed in own} if kept is not None else {}
        waiting = tuple(seed for seed in own if known.get(seed) is None)
        fresh = painter.paint(prompt, waiting) if waiting else iter(())
        for seed in own:
            subjects = known.get(seed)
            if subjects is None:
                drawn, pixels = next(fresh)
                assert drawn == seed
                subjects = judge.find_subjects(pixels)
                if kept is not None:
                    one = Judged(prompt=prompt, seed=seed, subjects=subjects)
                    kept.add(one, pixels)
            judged.append(Judged(prompt=prompt, seed=seed, subjects=subjects))
            if on_picture is not None:
                on_picture(len(judged), total)
    return judged


def report(painter: Painter, judged: Sequence[Judged], seeds: int = SEEDS) -> dict[str, Any]:
    """Everything about a run as plain JSON types: who drew, the figures, how good the judge is."""
    return {
        "evaluation": "iconeval",
        **painter.identity,
        "prompts_sha256": _sha256(to_jsonl(load_prompts()).encode()),
        "judge_sha256": _judge_sha256(),
        "seeds": seeds,
        "is_whole": len({one.prompt.id for one in judged}) == len(load_prompts()),
        **summarise(judged),
        "judge": load_validity(),
        "note": NOT_GENEVAL,
    }


def load_validity() -> dict[str, Any]:
    """How often the judge is right about scenes of real icons, as it was measured when fitted."""
    text = resources.files("sfumato.evals.iconeval").joinpath("validity.json").read_text("utf-8")
    validity: dict[str, Any] = json.loads(text)
    return validity


class _Kept:
    """The folder of a run: ``run.json``, ``verdicts.jsonl``, ``pictures/``."""

    def __init__(self, folder: Path, painter: Painter) -> None:
        self._folder = folder
        self._found: dict[tuple[int, int], tuple[Subject, ...]] = {}
        identity = {
            **painter.identity,
            "prompts_sha256": _sha256(to_jsonl(load_prompts()).encode()),
            "judge_sha256": _judge_sha256(),
        }
        try:
            (folder / "pictures").mkdir(parents=True, exist_ok=True)
            if (folder / _RUN).exists():
                self._require_same(identity)
            elif (folder / _VERDICTS).exists():
                raise RequestError(f"{folder} holds verdicts of an unknown run.", hint=_OTHER)
            else:
                write_durably(folder / _RUN, json.dumps(identity, indent=1).encode() + b"\n")
            for row in self._rows():
                subjects = tuple(_subject(one) for one in row["subjects"])
                self._found[row["prompt"], row["seed"]] = subjects
        except (OSError, KeyError, TypeError) as error:
            raise StorageError(f"{folder} cannot be used ({error}).", hint=_OTHER) from None

    def subjects(self, prompt: IconPrompt, seed: int) -> tuple[Subject, ...] | None:
        """What was found in a picture of an earlier run; None where there was none."""
        return self._found.get((prompt.id, seed))

    def add(self, one: Judged, pixels: Pixels) -> None:
        """Keep a picture, then its verdict: a verdict without its picture cannot be."""
        name = f"pictures/{one.prompt.id:03}-{one.seed}.png"
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG")
        row = {
            "prompt": one.prompt.id,
            "task": one.prompt.task,
            "text": one.prompt.text,
            "seed": one.seed,
            "picture": name,
            **asdict(one.verdict),
            "subjects": [asdict(subject) for subject in one.subjects],
        }
        try:
            write_durably(self._folder / name, buffer.getvalue())
            with (self._folder / _VERDICTS).open("a", encoding="utf-8") as lines:
                lines.write(json.dumps(row) + "\n")
        except OSError as error:
            raise StorageError(f"{self._folder} cannot be written ({error.strerror}).") from None

    def _rows(self) -> Iterator[dict[str, Any]]:
        path = self._folder / _VERDICTS
        if not path.exists():
            return
        text = path.read_text("utf-8")
        whole, _, torn = text.rpartition("\n")
        if torn:  # the process was killed while it wrote: that picture is drawn again
            write_durably(path, f"{whole}\n".encode() if whole else b"")
        for number, line in enumerate(whole.splitlines(), start=1):
            try:
                yield json.loads(line)
            except ValueError:
                raise StorageError(
                    f"Line {number} of {path} is damaged.", hint="Delete the line; it is made anew."
                ) from None

    def _require_same(self, identity: dict[str, Any]) -> None:
        try:
            before = json.loads((self._folder / _RUN).read_text("utf-8"))
        except ValueError:
            before = None
        if before != identity:
            raise RequestError(
                f"{self._folder} holds a run of another model, judge or data.", hint=_OTHER
            )


_OTHER = "Choose another folder with --out."


def _subject(row: dict[str, Any]) -> Subject:
    left, top, right, bottom = row.pop("box")
    return Subject(box=(left, top, right, bottom), **row)


def _judge_sha256() -> str:
    return _sha256(resources.files("sfumato.evals.iconeval").joinpath(WEIGHTS).read_bytes())


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
