"""What is said about each picture: a line for people, or a JSON object for programs."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from sfumato.cli.params import format_of
from sfumato.registry import CHECKS

if TYPE_CHECKING:
    from sfumato.request import GeneratedImage
    from sfumato.selection import Choice

Voice = Literal["people", "json", "quiet"]


class Reporter:
    """Says what was drawn, in one of three voices.

    ``people``: a line a picture with its findings; what many pictures share is said once.
    ``json``: one object a line on stdout. ``quiet``: nothing; errors are not said here.
    """

    def __init__(self, voice: Voice, *, on_stderr: bool = False) -> None:
        self.voice = voice
        self._on_stderr = on_stderr
        self._noted: set[str] = set()

    def picture(
        self,
        image: GeneratedImage,
        path: Path | None,
        *,
        choice: Choice | None = None,
        **extra: Any,
    ) -> None:
        """Report one finished picture. ``path`` is None where it went to stdout; ``choice`` says
        how it was chosen, where it was."""
        if self.voice == "json":
            if choice is not None:
                extra["choice"] = asdict(choice)
            self._print(json.dumps({**describe(image, path), **extra}, ensure_ascii=False))
        elif self.voice == "people":
            self._print(_line(image, path, choice))
            said: set[str] = set()
            for finding in image.findings:
                if finding.message not in self._noted | said:
                    self._print(f"  {finding.severity}: {finding.message}")
                said.add(finding.message)  # of several things of one picture: said once
                if _is_said_once(finding.check):
                    self._noted.add(finding.message)
            for note in image.plan.notes:
                if note not in self._noted:
                    self._noted.add(note)
                    unclean = choice is not None and not choice.passed and note == choice.why
                    self._print(f"  {'warning' if unclean else 'note'}: {note}")

    def remark(self, sentence: str) -> None:
        """A sentence for people, kept off stdout so that it never mixes with results."""
        if self.voice != "quiet":
            click.echo(sentence, err=True)

    def _print(self, text: str) -> None:
        click.echo(text, err=self._on_stderr)


def _is_said_once(check: str) -> bool:
    """Whether many pictures of a run share what this check says: the words or a model cause it."""
    return any(entry.name == check and entry.capabilities & {"words", "once"} for entry in CHECKS)


def describe(image: GeneratedImage, path: Path | None) -> dict[str, Any]:
    """Everything known about a picture as plain JSON types."""
    height, width = image.pixels.shape[:2]
    return {
        "path": None if path is None else str(path),
        "seed": image.seed,
        "width": width,
        "height": height,
        "seconds": round(image.seconds, 3),
        "format": None if path is None else format_of(path),
        "model": image.plan.model,
        "style": image.plan.styles[0],
        "pixel_sha256": image.pixel_sha256,
        "findings": [asdict(finding) for finding in image.findings],
        "notes": list(image.plan.notes),
        "plan": image.plan.to_dict(),
    }


def show_seconds(seconds: float) -> str:
    """Two figures that matter: ``0.042 s``, ``1.3 s``, ``75 s``."""
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.2g} s"


def print_json(value: Any) -> None:
    """One JSON value on stdout, as every ``--json`` of the command line prints it."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def _line(image: GeneratedImage, path: Path | None, choice: Choice | None) -> str:
    height, width = image.pixels.shape[:2]
    parts = [
        "(stdout)" if path is None else str(path),
        f"{width}×{height}",
        f"seed {image.seed}",
        show_seconds(image.seconds),
        image.plan.styles[0],
    ]
    if choice is not None and len(choice.tried) > 1:
        parts.append(f"best of {len(choice.tried)}")
    if not image.findings:
        parts.append("looks fine")
    return " · ".join(parts)
