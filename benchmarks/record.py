"""What every benchmark shares: medians, the machine's description, one JSON line a run.

A line in ``results/<name>.jsonl`` is what a number in the documentation cites, so it names the
commit, the machine and the weights it was measured with.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results"
PACKAGES = ("numpy", "onnxruntime", "pillow")


def seconds_of(work: Callable[[], object]) -> float:
    """Wall seconds of one call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def median(values: Sequence[float]) -> float:
    """The median, to four significant digits: more would be noise."""
    return float(f"{statistics.median(values):.4g}")


def spread(values: Sequence[float]) -> list[float]:
    """Smallest and largest, so that a reader sees how quiet the machine was."""
    return [float(f"{min(values):.4g}"), float(f"{max(values):.4g}")]


def record(name: str, figures: Mapping[str, Any], *, model: str | None = None) -> None:
    """Print one JSON line and append it to ``results/<name>.jsonl``."""
    line = json.dumps(
        {
            "benchmark": name,
            "at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "commit": _commit(),
            "machine": _machine(),
            "model": None if model is None else _model(model),
            "figures": figures,
        }
    )
    print(line)
    RESULTS.mkdir(exist_ok=True)
    with (RESULTS / f"{name}.jsonl").open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")


def _commit() -> str:
    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", "src")
    return git("rev-parse", "--short=12", "HEAD") + ("+changes" if changed else "")


def _machine() -> dict[str, Any]:
    return {
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),  # before: above ~0.5 the figures are not worth much
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{package: metadata.version(package) for package in PACKAGES},
    }


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


def _model(name: str) -> dict[str, str]:
    sys.path.insert(0, str(ROOT / "src"))
    from sfumato.models import spec_of

    spec = spec_of(name)
    return {"name": spec.name, "sha256": spec.sha256}
