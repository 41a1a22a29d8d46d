"""``sfumato doctor``: what is installed, what works, how fast."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import metadata, util
from typing import Literal

import click

from sfumato import __version__
from sfumato.cli.report import print_json, show_seconds
from sfumato.errors import SfumatoError

PACKAGES = ("numpy", "pillow", "onnxruntime", "click", "rich", "resvg-py")
Verdict = Literal["ok", "broken", "absent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """One thing that was looked at. ``absent`` is no fault: the thing is optional."""

    what: str
    verdict: Verdict
    detail: str
    seconds: float | None = None


@click.command(
    short_help="Say what is installed and what works.",
    epilog="""\b
Examples:
  sfumato doctor
  sfumato doctor --json > report.json
""",
)
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def doctor(as_json: bool) -> None:
    """Say what is installed, what works and how fast.

    Draws one small picture with each model. The exit code is 1 if something essential is broken.
    """
    findings = []
    for finding in _examine_all():
        findings.append(finding)
        if not as_json:
            took = "" if finding.seconds is None else f" ({show_seconds(finding.seconds)})"
            click.echo(f"{finding.verdict:7} {finding.what:22} {finding.detail}{took}")
    broken = [finding for finding in findings if finding.verdict == "broken"]
    if as_json:
        print_json({"healthy": not broken, "findings": [asdict(finding) for finding in findings]})
    else:
        click.echo("\nEverything works." if not broken else f"\nBroken: {len(broken)}.")
    click.get_current_context().exit(1 if broken else 0)


def _examine_all() -> Iterator[Examined]:
    yield Examined(what="sfumato", verdict="ok", detail=__version__)
    yield Examined(what="python", verdict="ok", detail=platform.python_version())
    yield Examined(
        what="machine",
        verdict="ok",
        detail=f"{platform.system()} {platform.machine()}, {os.cpu_count() or 1} cores",
    )
    yield from map(_package, PACKAGES)
    from sfumato.registry import MODELS

    for entry in MODELS:
        yield from _model(entry.name)
    yield _preview()
    yield _training()


def _package(name: str) -> Examined:
    try:
        return Examined(what=name, verdict="ok", detail=metadata.version(name))
    except metadata.PackageNotFoundError:
        return Examined(what=name, verdict="broken", detail="missing: pip install sfumato")


def _model(name: str) -> Iterator[Examined]:
    """The model's backend and weights, then a picture."""

    def load() -> str:
        from sfumato.generate import load

        spec = load(name).spec  # compares every weight file with its sha256
        return f"{spec.size_bytes / 1e6:.1f} MB, verified, sha256 {spec.sha256[:12]}"

    def draw() -> str:
        from sfumato.generate import generate

        image = generate("a red apple", seed=1, model=name, width=512, height=512).images[0]
        height, width, _ = image.pixels.shape
        return f"drew {width}×{height}"

    loaded = _attempt(f"model {name}", load)
    yield loaded
    if loaded.verdict == "ok":
        yield _attempt(f"drawing with {name}", draw)


def _attempt(what: str, work: Callable[[], str]) -> Examined:
    started = time.perf_counter()
    try:
        detail = work()
    except SfumatoError as error:
        return Examined(what=what, verdict="broken", detail=error.one_line())
    except Exception as error:  # whatever is broken, the rest is still examined
        return Examined(what=what, verdict="broken", detail=f"{type(error).__name__}: {error}")
    return Examined(
        what=what, verdict="ok", detail=detail, seconds=round(time.perf_counter() - started, 3)
    )


def _preview() -> Examined:
    from sfumato.cli.preview import terminal_protocol

    protocol = terminal_protocol()
    if protocol is None:
        return Examined(what="preview", verdict="absent", detail="this terminal shows no pictures")
    return Examined(what="preview", verdict="ok", detail=protocol)


def _training() -> Examined:
    if util.find_spec("torch") is None:
        return Examined(
            what="training", verdict="absent", detail="optional: pip install 'sfumato[train]'"
        )
    return Examined(what="training", verdict="ok", detail=f"torch {metadata.version('torch')}")
