"""How long ``pip install .`` takes in a fresh environment, and what it leaves in site-packages.

    python benchmarks/install.py [--largest 8]

Sizes are of files, bytecode included, in MiB (2**20 bytes). On disk they take whole blocks, as
``du`` counts them; ``apparent`` figures are their bytes. pip and setuptools come with the
environment, not with sfumato (from Python 3.12 on, setuptools does not come at all): they are in
the figures of all site-packages, because that is what a user's disk holds, and not in those of
what was added.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from record import ROOT, record, seconds_of

NOT_OURS = ("pip", "setuptools", "pkg_resources", "_distutils_hack")


def size_mib(path: Path, *, apparent: bool = False) -> float:
    """MiB of disk blocks, or of bytes, below ``path``."""
    files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
    sizes = (p.lstat() for p in files)
    return sum(s.st_size if apparent else s.st_blocks * 512 for s in sizes) / 2**20


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--largest", type=int, default=8, help="how many packages to name")
    largest = parser.parse_args().largest
    environment = dict(os.environ)
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory() as scratch:
        venv = Path(scratch) / "venv"
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        pip = [venv / "bin" / "python", "-m", "pip", "install", "-q", str(ROOT)]
        seconds = seconds_of(lambda: subprocess.run(pip, check=True, env=environment))
        packages = next(venv.glob("lib/python3*/site-packages"))
        there = list(packages.iterdir())
        added = [path for path in there if not path.name.startswith(NOT_OURS)]
        sizes = {path.name: size_mib(path) for path in there}
        figures: dict[str, Any] = {
            "pip_install_s": round(seconds, 1),
            "added_mib": _total(sizes[path.name] for path in added),
            "added_apparent_mib": _total(size_mib(path, apparent=True) for path in added),
            "site_packages_mib": _total(sizes.values()),
            "site_packages_apparent_mib": _total(size_mib(p, apparent=True) for p in there),
            "sfumato_mib": round(sizes["sfumato"], 1),
            "weights_mib": round(size_mib(packages / "sfumato" / "models" / "weights"), 1),
        }
    by_size = sorted(sizes, key=lambda name: sizes[name], reverse=True)
    figures["largest_mib"] = {name: round(sizes[name], 1) for name in by_size[:largest]}
    record("install", figures)


def _total(sizes: Iterable[float]) -> float:
    return round(sum(sizes), 1)


if __name__ == "__main__":
    main()
