"""How long a picture takes: cold from the shell, warm, in a batch of eight; and how much memory.

    python benchmarks/draw.py [--model chiaro] [--runs 7] [--prompt "a red fox"]

``cold``: from starting the process to its exit, the file written, of a given seed. ``default``: the
same without a seed, as most people call it, which keeps the best of four sketches. ``warm``: one
more picture in a process that has the model loaded, encoding to PNG included. ``batch``: eight at
once, per picture, as a ratio to eight warm ones drawn one by one in the same run. Memory is the
peak resident set that the operating system accounts to the process.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from record import ROOT, median, record, seconds_of, spread

sys.path.insert(0, str(ROOT / "src"))

import sfumato
from sfumato.files import encode_image

BATCH = 8


def run_cold(arguments: list[str]) -> tuple[float, float]:
    """Wall seconds and peak resident MiB of one ``sfumato`` process."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "sfumato", "draw", *arguments, "--quiet"], env=environment
    )
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"sfumato {arguments} ended with {process.returncode}")
    return seconds, usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def measure_cold(prompt: str, model: str, runs: int) -> dict[str, Any]:
    """The whole command, with a seed and without; then one process that draws eight, for memory."""
    with tempfile.TemporaryDirectory() as folder:
        common = [prompt, "--model", model, "-o", f"{folder}{os.sep}"]
        run_cold([*common, "--seed", "0"])  # bytecode and the disk's cache
        times, peaks = zip(
            *(run_cold([*common, "--seed", str(seed)]) for seed in range(1, runs + 1)),
            strict=True,
        )
        chosen, chosen_peaks = zip(*(run_cold(common) for _ in range(runs)), strict=True)
        _, batch_peak = run_cold([*common, "--seed", "100", "-n", str(BATCH)])
        written = len(list(Path(folder).glob("*.png")))
    if written != 1 + 2 * runs + BATCH:
        raise SystemExit(f"{written} pictures were written, not {1 + 2 * runs + BATCH}")
    return {
        "cold_s": median(times),
        "cold_s_range": spread(times),
        "default_s": median(chosen),
        "default_s_range": spread(chosen),
        "peak_rss_mib": median(peaks),
        "peak_rss_of_default_mib": median(chosen_peaks),
        "peak_rss_of_eight_mib": median([batch_peak]),
    }


def measure_warm(prompt: str, model: str, runs: int) -> dict[str, Any]:
    """One picture at a time against eight at once, in turn."""
    draw_one(prompt, model, 0)
    single, batch = [], []
    for run in range(runs):
        seeds = [1000 * (run + 1) + i for i in range(BATCH)]
        single.append(
            seconds_of(lambda seeds=seeds: [draw_one(prompt, model, s) for s in seeds]) / BATCH
        )
        batch.append(seconds_of(lambda seeds=seeds: draw_eight(prompt, model, seeds[0])) / BATCH)
    return {
        "warm_s": median(single),
        "warm_s_range": spread(single),
        "batch_per_picture_s": median(batch),
        "batch_ratio": median(
            [one / of_eight for one, of_eight in zip(single, batch, strict=True)]
        ),
    }


def draw_one(prompt: str, model: str, seed: int) -> None:
    """One picture and its file's bytes."""
    encode_image(sfumato.generate(prompt, model=model, seed=seed).images[0])


def draw_eight(prompt: str, model: str, seed: int) -> None:
    """Eight pictures of one request; each is encoded as soon as it is finished."""
    sfumato.generate(prompt, model=model, seed=seed, num_images=BATCH, on_image=encode_image)


def measure_stages(prompt: str, model: str, runs: int) -> dict[str, float]:
    """Median seconds of each stage of one warm picture."""
    stages: dict[str, list[float]] = {}
    for seed in range(runs):
        marks: list[tuple[str, float]] = []
        image = sfumato.generate(
            prompt,
            model=model,
            seed=seed,
            on_event=lambda event, marks=marks: marks.append((event.kind, time.perf_counter())),
        ).images[0]
        saving = seconds_of(lambda image=image: encode_image(image))
        last = dict(marks)  # of several steps, the last one
        for stage, begin, end in (
            ("plan and encode the prompt", "loaded", "encoded"),
            ("denoise", "encoded", "step"),
            ("decode", "step", "decoded"),
            ("finish and check", "decoded", "finished"),
        ):
            stages.setdefault(stage, []).append(last[end] - last[begin])
        stages.setdefault("write png", []).append(saving)
    return {stage: median(times) for stage, times in stages.items()}


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="chiaro")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--prompt", default="a red fox")
    options = parser.parse_args()
    figures = {
        "prompt": options.prompt,
        "runs": options.runs,
        **measure_cold(options.prompt, options.model, options.runs),
        **measure_warm(options.prompt, options.model, options.runs),
        "stages_s": measure_stages(options.prompt, options.model, options.runs),
    }
    record("draw", figures, model=options.model)


if __name__ == "__main__":
    main()
