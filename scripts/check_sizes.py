"""Fail when a source file outgrows its reader or the weights outgrow the package.

Run by ``make check``. A file above 400 lines should say in its docstring why; above 600 it is cut.
"""

from __future__ import annotations

import sys
from pathlib import Path

MAX_LINES = 600
MAX_WEIGHTS = 64 * 1024 * 1024  # bytes of everything under models/weights
FORBIDDEN_NAMES = {"utils.py", "helpers.py", "util.py", "misc.py", "manager.py"}
PACKAGE = Path(__file__).parent.parent / "src" / "sfumato"


def find_faults(package: Path) -> list[str]:
    """One sentence for each file that is too long, badly named, or too heavy together."""
    faults = []
    for path in sorted(package.rglob("*.py")):
        name = path.relative_to(package)
        lines = len(path.read_text("utf-8").splitlines())
        if lines > MAX_LINES:
            faults.append(f"{name} has {lines} lines; {MAX_LINES} is the limit.")
        if path.name in FORBIDDEN_NAMES:
            faults.append(f"{name}: name the file after what lives in it.")
    weights = package / "models" / "weights"
    heavy = sum(path.stat().st_size for path in weights.rglob("*") if path.is_file())
    if heavy > MAX_WEIGHTS:
        faults.append(f"The weights are {heavy / 2**20:.1f} MiB; {MAX_WEIGHTS >> 20} is the limit.")
    return faults


def main() -> int:
    """Print the faults; the exit code says whether there are any."""
    faults = find_faults(PACKAGE)
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
