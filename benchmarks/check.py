"""How long the default checks of a finished drawing take, together and each by itself.

    python benchmarks/check.py [--side 1024] [--runs 9]

Wall seconds, and the thread's own processor seconds beside them: the second figure also holds on
a machine that does other things. A check that comes first pays for the views it shares with
later ones.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from record import ROOT, median, record, seconds_of, spread

sys.path.insert(0, str(ROOT / "src"))

PROMPTS = ("a red fox", "a castle", "an owl on a blue circle", "a robot", "a sailboat, glyph")


def processor_seconds(work: Callable[[], object]) -> float:
    """Seconds that this thread computed."""
    started = time.thread_time()
    work()
    return time.thread_time() - started


def measure(side: int, runs: int) -> dict[str, Any]:
    """Milliseconds of all default checks, and of each."""
    from sfumato import generate
    from sfumato.checks import Earlier, Look, run_checks, why_skipped
    from sfumato.registry import CHECKS

    drawn = [generate(p, seed=3, width=side, height=side).images[0] for p in PROMPTS]
    wall, computed = [], []
    each: dict[str, list[float]] = {}
    for _ in range(runs):
        for image in drawn:
            everything = partial(run_checks, image.pixels, image.plan)
            wall.append(1e3 * seconds_of(everything))
            computed.append(1e3 * processor_seconds(everything))
            look = Look(image.pixels, image.plan)
            for entry in CHECKS:
                if why_skipped(entry, look):
                    continue
                operands = (look, Earlier()) if "batch" in entry.capabilities else (look,)
                took = processor_seconds(partial(entry.resolve(), *operands))
                each.setdefault(entry.name, []).append(1e3 * took)
    return {
        "side": side,
        "pictures": len(drawn),
        "wall_ms": median(wall),
        "wall_ms_range": spread(wall),
        "processor_ms": median(computed),
        "each_processor_ms": {name: median(took) for name, took in each.items()},
    }


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=1024)
    parser.add_argument("--runs", type=int, default=9)
    chosen = parser.parse_args()
    record("check", measure(chosen.side, chosen.runs), model="chiaro")


if __name__ == "__main__":
    main()
