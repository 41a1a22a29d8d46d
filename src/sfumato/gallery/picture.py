"""What the library says about a picture, and how it is asked for pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from sfumato.errors import RequestError
from sfumato.files.save import file_stem
from sfumato.gallery.identity import is_id
from sfumato.request import Finding, GenerationPlan, Mask, check_text

MAX_PAGE = 500
MAX_RATING = 5
MAX_LABEL = 200  # characters of a tag or a collection's name


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One picture of the library. A snapshot: ask the library again after changing it."""

    id: str
    path: Path  # of the file; in the trash while ``trashed_at`` is set
    svg_path: Path | None  # the paths it was rendered from, when it was drawn here
    created_at: datetime  # UTC; an imported file's own date
    trashed_at: datetime | None
    format: str  # a registry name: "png", "webp", "jpeg"
    width: int  # pixels
    height: int
    size_bytes: int
    file_sha256: str
    pixel_sha256: str
    source: str  # "sfumato", "automatic1111", "comfyui", "invokeai" or "none"
    prompt: str
    negative_prompt: str
    model: str | None
    seed: int | None
    parameters: Mapping[str, Any]  # as ``files.Recipe.parameters``
    plan: GenerationPlan | None  # draws the picture again
    findings: tuple[Finding, ...]
    favourite: bool
    rating: int  # 0 (none) to 5
    tags: tuple[str, ...]
    collections: tuple[str, ...]
    colours: tuple[str, ...]  # basic colour terms, largest share first
    original_name: str | None  # of an imported file
    job_id: str | None
    job_index: int | None

    @property
    def stem(self) -> str:
        """What files of it are called, before their suffix; not unique."""
        words = self.prompt or self.original_name or "picture"
        return file_stem(words, self.seed, self.plan)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, as every ``--json`` and API route gives them."""
        return {
            "id": self.id,
            "path": str(self.path),
            "svg_path": None if self.svg_path is None else str(self.svg_path),
            "created_at": self.created_at.isoformat(),
            "trashed_at": None if self.trashed_at is None else self.trashed_at.isoformat(),
            "format": self.format,
            "width": self.width,
            "height": self.height,
            "size_bytes": self.size_bytes,
            "file_sha256": self.file_sha256,
            "pixel_sha256": self.pixel_sha256,
            "source": self.source,
            "prompt": self.prompt,
            "negative_prompt": self.negative_prompt,
            "model": self.model,
            "seed": self.seed,
            "parameters": dict(self.parameters),
            "plan": None if self.plan is None else self.plan.to_dict(),
            "findings": [finding_to_dict(finding) for finding in self.findings],
            "favourite": self.favourite,
            "rating": self.rating,
            "tags": list(self.tags),
            "collections": list(self.collections),
            "colours": list(self.colours),
            "original_name": self.original_name,
            "job_id": self.job_id,
            "job_index": self.job_index,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which pictures. Every field narrows; ``None`` and ``""`` do not.

    Raises: RequestError: a value that no picture could match.
    """

    text: str = ""  # words (and their beginnings) of prompt, tags, model, file name;
    # "exact phrase", -without
    model: str | None = None
    style: str | None = None
    since: datetime | None = None  # made at or after
    until: datetime | None = None  # made before
    colour: str | None = None  # a basic colour term: red, blue, grey ...
    defect: str | None = None  # a check's name, "any" or "none"
    favourite: bool | None = None
    min_rating: int = 0
    tag: str | None = None
    collection: str | None = None
    source: str | None = None
    job_id: str | None = None
    trashed: bool = False  # True: the trash instead of the library

    def __post_init__(self) -> None:
        check_text("The search text", self.text)
        for name in ("model", "style", "colour", "defect", "tag", "collection", "source", "job_id"):
            if getattr(self, name) is not None:
                check_text(f"The {name}", getattr(self, name))
        if not 0 <= self.min_rating <= MAX_RATING:
            raise RequestError(
                f"The rating is {self.min_rating}.", hint=f"Give a number from 0 to {MAX_RATING}."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some pictures, newest first, and the cursor of those that follow (None: no more).

    A cursor names a place, not a count: pictures that arrive or go meanwhile shift nothing.
    """

    pictures: tuple[Picture, ...]
    next_cursor: str | None


@dataclass(slots=True, kw_only=True)
class Healed:
    """What ``heal`` found and did."""

    checked: int = 0  # files looked at
    added: list[str] = field(default_factory=list)  # ids of files the database did not know
    missing: list[str] = field(default_factory=list)  # ids whose file is gone; kept in the list
    damaged: list[str] = field(default_factory=list)  # names of files that cannot be read
    set_aside: Path | None = None  # where the corrupt database lies now
    restored: Path | None = None  # the copy of it that stands in its place, brought up to date
    rescued: dict[str, int] = field(default_factory=dict)  # rows read out of it, by kind

    @property
    def whole(self) -> bool:
        """Whether nothing is lost."""
        return not self.missing and not self.damaged


def check_label(kind: str, name: str) -> str:
    """A tag's or collection's name without spaces around it.

    Raises: RequestError: empty, too long, or on more than one line.
    """
    name = check_text(f"The {kind}", name).strip()
    if not name or len(name) > MAX_LABEL or not name.isprintable():
        raise RequestError(
            f"{name[:40]!r} is no name for a {kind}.",
            hint=f"Give 1 to {MAX_LABEL} printable characters on one line.",
        )
    return name


def check_cursor(cursor: str) -> str:
    """A cursor is the id of the last picture that was shown.

    Raises: RequestError: it is not.
    """
    if not is_id(cursor):
        raise RequestError("The cursor is not one that a page gave.", hint="Start without one.")
    return cursor


def finding_to_dict(finding: Finding) -> dict[str, Any]:
    """A finding as plain JSON types."""
    return asdict(finding)


def finding_from_dict(values: Mapping[str, Any]) -> Finding:
    """A finding read back; what a newer version added to it is left out.

    Raises: KeyError, TypeError, RequestError: not a finding.
    """
    known = {f.name: values[f.name] for f in fields(Finding) if f.name in values}
    if known.get("box") is not None:
        left, top, right, bottom = known["box"]
        known["box"] = (left, top, right, bottom)
    if known.get("mask") is not None:
        known["mask"] = Mask(**{**known["mask"], "runs": tuple(known["mask"]["runs"])})
    return Finding(**known)
