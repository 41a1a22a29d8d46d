"""The native API's shapes: what is asked, and what jobs and pictures look like in JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import datetime, timezone
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sfumato.colours import parse_background
from sfumato.errors import RequestError
from sfumato.gallery import Picture, Query
from sfumato.jobs import Job, JobQueue
from sfumato.models import spec_of, usable_specs
from sfumato.plan import request_of
from sfumato.registry import WRITERS
from sfumato.request import (
    MAX_IMAGES,
    MAX_SIDE,
    MIN_SIDE,
    Finding,
    GenerationPlan,
    GenerationRequest,
)
from sfumato.server.follow import progress_of

MAX_LABELS = 100
# without the mask, which is long, and which the overlay shows
_FINDING = tuple(field.name for field in fields(Finding) if field.name != "mask")
Label = Annotated[str, Field(max_length=200)]
Ids = Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=10_000)]


class Strict(BaseModel):
    """Unknown fields are refused: an option that is not honoured must not be accepted."""

    model_config = ConfigDict(extra="forbid", strict=True)


_OF_THE_QUEUE = {"priority", "collection", "plan"}


class DrawIn(Strict):
    """A drawing to queue: the fields of ``GenerationRequest``, or a whole recipe."""

    prompt: str | None = None
    negative_prompt: str = ""
    model: str | None = None
    num_images: int = 1
    seed: int | None = None
    width: int | None = None
    height: int | None = None
    num_inference_steps: int | None = None
    guidance_scale: float | None = None
    temperature: float | None = None
    style: str | None = None
    background: str | None = None
    sampler: str | None = None
    scheduler: str | None = None
    variation_seed: int | None = None
    variation_strength: float = 0.0
    priority: int = 0
    collection: str | None = None
    plan: dict[str, Any] | None = Field(default=None, description="Draw this recipe again.")

    def request(self) -> GenerationRequest:
        """What to queue. Raises: RequestError: values that cannot be."""
        if self.plan is not None:
            self._refuse_beside_plan()
            plan = GenerationPlan.from_json(json.dumps(self.plan))
            return request_of(plan, spec_of(plan.model))
        if self.prompt is None:
            raise RequestError("The prompt is missing.", hint="Send prompt, or a plan.")
        return GenerationRequest(**self.model_dump(exclude=_OF_THE_QUEUE))

    def _refuse_beside_plan(self) -> None:
        for name in self.model_fields_set - _OF_THE_QUEUE:
            if getattr(self, name) != type(self).model_fields[name].default:
                raise RequestError(
                    f"A plan is complete: {name} cannot be given beside it.",
                    hint="Change it inside the plan, or send no plan.",
                )


class VaryIn(Strict):
    """How far from a picture, and how many."""

    strength: float | str = "subtle"
    num_images: int = 4
    seed: int | None = None


class UpscaleIn(Strict):
    """The new length of the longer side, in pixels."""

    size: int


class MarkIn(Strict):
    """What a person says about a picture. What is left out stays; lists replace."""

    favourite: bool | None = None
    rating: int | None = None
    tags: Annotated[list[Label], Field(max_length=MAX_LABELS)] | None = None
    collections: Annotated[list[Label], Field(max_length=MAX_LABELS)] | None = None


class IdsIn(Strict):
    """Some pictures."""

    ids: Ids


class FilterIn(BaseModel):
    """Which pictures: the filters of their list."""

    model_config = ConfigDict(extra="forbid")

    q: str = ""
    model: str | None = None
    style: str | None = None
    after: datetime | None = None
    before: datetime | None = None
    colour: str | None = None
    finding: str | None = None
    favourite: bool | None = None
    min_rating: int = 0
    tag: str | None = None
    collection: str | None = None
    source: str | None = None
    job: str | None = None
    trash: bool = False

    def wanted(self) -> Query:
        """The same for the library. Raises: RequestError: values that cannot be."""
        return Query(
            text=self.q, model=self.model, style=self.style, since=_utc(self.after),
            until=_utc(self.before), colour=self.colour, defect=self.finding,
            favourite=self.favourite, min_rating=self.min_rating, tag=self.tag,
            collection=self.collection, source=self.source, job_id=self.job, trashed=self.trash,
        )  # fmt: skip


class ExportIn(Strict):
    """Pictures by their ids, or all that match."""

    ids: Ids | None = None
    query: FilterIn | None = None


class Axis(Strict):
    """One side of a sweep."""

    field: str
    values: Annotated[list[str | int | float | None], Field(min_length=1, max_length=12)]


class SweepIn(Strict):
    """A grid of drawings over one or two fields of a request."""

    request: DrawIn
    x: Axis
    y: Axis | None = None


class SessionIn(Strict):
    """A key that a person typed into the page."""

    key: Annotated[str, Field(max_length=200)]


Count = Annotated[int, Field(ge=1, le=MAX_IMAGES)]
Side = Annotated[int, Field(ge=MIN_SIDE, le=MAX_SIDE)]
Theme = Literal["auto", "light", "dark"]


class Settings(Strict):
    """What the prompt box begins with, and how the page looks."""

    model: str | None = None
    num_images: Count = 4
    width: Side = 1024
    height: Side = 1024
    style: str | None = None
    background: str | None = None
    format: str = "png"
    theme: Theme = "auto"

    @classmethod
    def read(cls, kept: Mapping[str, Any]) -> Settings:
        """Kept settings; what another version kept and this one refuses has its default."""
        fine = {}
        for name, value in kept.items():
            if name in cls.model_fields and value is not None:
                try:
                    cls.model_validate({name: value})
                except ValidationError:
                    continue
                fine[name] = value
        return cls(**fine)


class SettingsIn(Strict):
    """A change of settings: what is left out stays, null goes back to its default."""

    model: str | None = None
    num_images: Count | None = None
    width: Side | None = None
    height: Side | None = None
    style: str | None = None
    background: str | None = None
    format: str | None = None
    theme: Theme | None = None

    def onto(self, kept: Mapping[str, Any]) -> dict[str, Any]:
        """``kept`` with this change; what went back to its default is left out.

        So is a kept model that is not installed any more or damaged, and a kept style that the
        model lacks.

        Raises: SfumatoError: a model, format, style or ground that does not exist.
        """
        sent = self.model_dump(exclude_unset=True)
        changed = {name: value for name, value in {**kept, **sent}.items() if value is not None}
        usable = [spec.name for spec in usable_specs()]
        if self.model is None and changed.get("model") not in usable:
            changed.pop("model", None)
        spec = spec_of(changed.get("model"))
        if self.format is not None:
            WRITERS.get(self.format)
        if self.background is not None:
            parse_background(self.background)
        if changed.get("style") not in (None, *spec.styles):
            if self.style is not None:
                raise RequestError(
                    f"There is no style {self.style!r}.",
                    hint=f"Choose one of: {', '.join(spec.styles)}.",
                )
            del changed["style"]
        return changed


def job_out(
    queue: JobQueue, positions: Mapping[str, int] | None = None
) -> Callable[[Job], dict[str, Any]]:
    """What turns a job into JSON; ``positions`` saves a look at the queue for each."""

    def describe(job: Job) -> dict[str, Any]:
        values = job.to_dict()
        waiting = None
        if job.state == "queued":
            waiting = queue.position(job.id) if positions is None else positions.get(job.id)
        return {
            "id": job.id,
            "state": job.state,
            "request": values["request"],
            "created": values["created_at"],
            "started": values["started_at"],
            "finished": values["finished_at"],
            "attempt": job.attempt,
            "priority": job.priority,
            "collection": job.collection,
            "cancelling": job.cancel_requested,
            "progress": progress_of(job),
            "position": waiting,
            "error": values["error"],
            "pictures": list(job.pictures),
            "num_images": job.request.num_images,
        }

    return describe


def picture_out(picture: Picture) -> dict[str, Any]:
    """A picture as lists show it."""
    home = f"/api/v1/pictures/{picture.id}"
    plan = picture.plan
    return {
        "id": picture.id,
        "created": picture.created_at.isoformat(),
        "prompt": picture.prompt,
        "negative_prompt": picture.negative_prompt,
        "subject": plan.subject if plan is not None else None,
        "seed": picture.seed,
        "model": picture.model,
        "style": plan.styles[0] if plan is not None else None,
        "width": picture.width,
        "height": picture.height,
        "format": picture.format,
        "bytes": picture.size_bytes,
        "favourite": picture.favourite,
        "rating": picture.rating,
        "tags": list(picture.tags),
        "collections": list(picture.collections),
        "colours": list(picture.colours),
        "trashed": picture.trashed_at is not None,
        "findings": [_finding(finding) for finding in picture.findings],
        "source": picture.source,
        "original_name": picture.original_name,
        "job": picture.job_id,
        "index": picture.job_index,
        "vector": picture.svg_path is not None,
        "pixel_sha256": picture.pixel_sha256,
        "urls": {
            "file": f"{home}/file",
            "thumbnail": f"{home}/thumbnail",
            "page": f"/#/p/{picture.id}",
        },
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {name: getattr(finding, name) for name in _FINDING}


def _utc(moment: datetime | None) -> datetime | None:
    return moment if moment is None or moment.tzinfo else moment.replace(tzinfo=timezone.utc)
