"""How long ``pip install .`` takes in a fresh environment, and what it leaves in site-packages.

    python benchmarks/install.py [--largest 8]

Sizes are of files on disk, bytecode included, as ``du`` counts them. pip and setuptools come with
the environment, not with sfumato; they are counted in ``site_packages_mb`` all the same, because
that is what a user's disk holds, and named apart.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from record import ROOT, record, seconds_of

NOT_OURS = ("pip", "setuptools", "pkg_resources", "_distutils_hack")


def size_mb(path: Path) -> float:
    """Megabytes (2**20 bytes) of disk blocks below ``path``."""
    files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
    return sum(p.lstat().st_blocks * 512 for p in files) / 2**20


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
        sizes = {path.name: size_mb(path) for path in packages.iterdir()}
        weights = size_mb(packages / "sfumato" / "models" / "weights")
    by_size = sorted(sizes, key=lambda name: sizes[name], reverse=True)
    ours = sum(mb for name, mb in sizes.items() if not name.startswith(NOT_OURS))
    figures = {
        "pip_install_s": round(seconds, 1),
        "site_packages_mb": round(sum(sizes.values()), 1),
        "without_pip_and_setuptools_mb": round(ours, 1),
        "sfumato_mb": round(sizes["sfumato"], 1),
        "weights_mb": round(weights, 1),
        "largest_mb": {name: round(sizes[name], 1) for name in by_size[:largest]},
    }
    record("install", figures)


if __name__ == "__main__":
    main()
