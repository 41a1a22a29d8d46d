"""How long ``import sfumato`` and ``sfumato --version`` take beside an empty Python.

    python benchmarks/import_time.py [--runs 15]

The three are run in turn, so that a drift of the machine's speed hits all alike.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

from record import ROOT, median, record, seconds_of, spread

COMMANDS = {
    "empty": [sys.executable, "-c", "pass"],
    "import": [sys.executable, "-c", "import sfumato"],
    "version": [sys.executable, "-m", "sfumato", "--version"],
}


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for run in range(runs + 1):
        for name, command in COMMANDS.items():
            took = seconds_of(
                lambda command=command: subprocess.run(
                    command, env=environment, check=True, stdout=subprocess.DEVNULL
                )
            )
            if run:  # the first compiles bytecode
                times[name].append(took)
    imported = [a - b for a, b in zip(times["import"], times["empty"], strict=True)]
    figures = {
        "runs": runs,
        "empty_python_s": median(times["empty"]),
        "import_sfumato_ms": median([1000 * t for t in imported]),
        "import_sfumato_ms_range": spread([1000 * t for t in imported]),
        "sfumato_version_s": median(times["version"]),
    }
    record("import_time", figures)


if __name__ == "__main__":
    main()
