"""What the queue says about a job, its limits, and a request as text.

queued ──> running ──> done
   │          ├──────> failed      its own fault, its time ran out, or three workers died of it
   │          ├──────> cancelled
   │          └──────> queued      its worker died or was asked to leave
   └─────────────────> cancelled
failed, cancelled ──> queued       by ``retry``
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, Literal

from sfumato.errors import RequestError, SfumatoError
from sfumato.request import GenerationRequest

JobState = Literal["queued", "running", "done", "failed", "cancelled"]
STATES: tuple[JobState, ...] = ("queued", "running", "done", "failed", "cancelled")
ENDED: tuple[JobState, ...] = ("done", "failed", "cancelled")

MAX_ATTEMPTS = 3  # workers that may die of a job before it counts as failed
MAX_UNFINISHED = 10_000  # jobs queued or running
MAX_UNFINISHED_PER_OWNER = 1_000
MIN_FREE_BYTES = 1024**3  # below it no job is taken or begun
LEASE_SECONDS = 30.0  # a worker that is silent for so long counts as dead
DEFAULT_LIMIT_SECONDS = 600.0
MAX_LIMIT_SECONDS = 86_400.0
MIN_PRIORITY, MAX_PRIORITY = -100, 100
MAX_KEY = 255  # characters of an idempotency key
_ASKED = tuple(field.name for field in fields(GenerationRequest))


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a running job is."""

    fraction: float  # 0 to 1, over all pictures
    stage: str  # "loading" or "drawing"
    steps: tuple[tuple[int, int], ...]  # (done, in all) of each picture; (0, 0): not begun
    previews: tuple[int, ...]  # each picture's step that its preview shows; 0: none yet

    def to_json(self) -> str:
        """Compact JSON, as the database keeps it."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Progress | None:
        """Read ``to_json`` back; None: another version of sfumato wrote it."""
        try:
            values = json.loads(text)
            return cls(
                fraction=values["fraction"],
                stage=values["stage"],
                steps=tuple((done, total) for done, total in values["steps"]),
                previews=tuple(values["previews"]),
            )
        except (KeyError, TypeError, ValueError):
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobError:
    """Why a job failed: as the command line would have said it."""

    code: str
    message: str
    hint: str = ""

    @classmethod
    def of(cls, error: SfumatoError) -> JobError:
        """The same words as the error's."""
        return cls(code=error.code, message=error.message, hint=error.hint)

    @classmethod
    def from_json(cls, text: str) -> JobError:
        """Read what the database kept; what another version wrote is shown as it is."""
        try:
            return cls(**json.loads(text))
        except (TypeError, ValueError):
            return cls(code="internal", message=text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One request on its way to pictures. A snapshot: ask the queue again for a newer one."""

    id: str
    state: JobState
    # its seeds are fixed: every attempt draws the same pictures. Where it is not ``readable``, its
    # words and the number of pictures alone: enough to show it, not to draw it
    request: GenerationRequest
    readable: bool
    priority: int  # higher is drawn earlier
    owner: str  # of the API key that asked; "" on the person's own machine
    attempt: int  # workers that began it
    limit_seconds: float  # of one attempt
    collection: str | None  # where its pictures are kept, besides the library
    cancel_requested: bool
    progress: Progress | None  # while it runs
    error: JobError | None  # when it failed
    pictures: tuple[str, ...]  # ids in the library, in order, as far as they are drawn
    created_at: datetime  # UTC, by the database's clock, like the others
    started_at: datetime | None
    finished_at: datetime | None
    worker: str | None
    last_event: int

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self.state in ENDED

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, as every API route gives them."""
        return {
            "id": self.id,
            "state": self.state,
            "request": {name: getattr(self.request, name) for name in _ASKED},  # all flat
            "priority": self.priority,
            "attempt": self.attempt,
            "limit_seconds": self.limit_seconds,
            "collection": self.collection,
            "cancel_requested": self.cancel_requested,
            "progress": None if self.progress is None else asdict(self.progress),
            "error": None if self.error is None else asdict(self.error),
            "pictures": list(self.pictures),
            "created_at": self.created_at.isoformat(),
            "started_at": None if self.started_at is None else self.started_at.isoformat(),
            "finished_at": None if self.finished_at is None else self.finished_at.isoformat(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEvent:
    """Something that happened to a job.

    ``kind`` and ``data``: "queued" {attempt, reason}, "started" {attempt}, "picture" {index, id},
    "done" {}, "failed" {code, message, hint}, "cancelled" {} are numbered from 1 and kept;
    "progress" (fields of ``Progress``) is what is newest, carries the number of the last kept
    event, and is not repeated to who comes back later.
    """

    job_id: str
    number: int
    kind: str
    at: datetime  # UTC, by the database's clock
    data: Mapping[str, Any]

    @property
    def last(self) -> bool:
        """Whether the job has ended with it."""
        return self.kind in ENDED


class LeaseLost(Exception):
    """The job is somebody else's now: what this worker still knows of it must not be stored."""


def request_to_json(request: GenerationRequest) -> str:
    """A request as canonical JSON: equal requests, equal texts.

    Raises: RequestError: it holds something that is no text or number.
    """
    try:
        return json.dumps(asdict(request), sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise RequestError(f"The request cannot be queued: {error}.") from None


def request_from_json(text: str) -> GenerationRequest:
    """Read ``request_to_json`` back.

    Raises: RequestError: another version of sfumato queued it, with options this one lacks.
    """
    try:
        return GenerationRequest(**json.loads(text))
    except (TypeError, ValueError) as error:
        raise RequestError(
            f"The queued request cannot be read: {error}.", hint="Submit it again."
        ) from None
