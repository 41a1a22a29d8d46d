"""What is asked for as the row of a new job: checked, planned, and with nothing left to chance."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import replace
from typing import Any

from sfumato.errors import RequestError
from sfumato.gallery.identity import new_id
from sfumato.gallery.picture import check_label
from sfumato.gallery.tables import DatabaseTime
from sfumato.jobs.job import (
    MAX_KEY,
    MAX_LIMIT_SECONDS,
    MAX_PRIORITY,
    MIN_PRIORITY,
    request_to_json,
)
from sfumato.models import spec_of
from sfumato.plan import make_plan
from sfumato.request import MAX_SEED, GenerationRequest


def new_row(
    request: GenerationRequest,
    priority: int,
    owner: str,
    key: str | None,
    limit_seconds: float,
    collection: str | None,
) -> dict[str, Any]:
    """The row of a new job. Raises: RequestError, ModelError: as ``JobQueue.submit``."""
    _check_options(priority, owner, key, limit_seconds)
    collection = None if collection is None else check_label("collection", collection)
    make_plan(request, spec_of(request.model))
    asked = json.dumps([request_to_json(request), limit_seconds, collection])
    request = _with_seeds(request)
    return {
        "id": new_id(),
        "state": "queued",
        "priority": priority,
        "owner": owner,
        "idempotency_key": key,
        "asked_sha256": hashlib.sha256(asked.encode()).hexdigest(),
        "request": request_to_json(request),
        "num_images": request.num_images,
        "limit_seconds": float(limit_seconds),
        "collection": collection,
        "attempt": 0,
        "fence": 0,
        "last_event": 1,
        "created_at": DatabaseTime(),
    }


def _with_seeds(request: GenerationRequest) -> GenerationRequest:
    """The request with nothing left to chance."""
    highest = MAX_SEED - request.num_images + 1
    if request.seed is None:
        request = replace(request, seed=secrets.randbelow(highest + 1))
    if request.variation_strength > 0 and request.variation_seed is None:
        request = replace(request, variation_seed=secrets.randbelow(highest + 1))
    return request


def _check_options(priority: int, owner: str, key: str | None, limit_seconds: float) -> None:
    if isinstance(priority, bool) or not isinstance(priority, int):
        raise RequestError(f"The priority must be a whole number, not {priority!r}.")
    if not MIN_PRIORITY <= priority <= MAX_PRIORITY:
        raise RequestError(
            f"The priority is {priority}.",
            hint=f"Give a number from {MIN_PRIORITY} to {MAX_PRIORITY}.",
        )
    if len(owner) > 64:
        raise RequestError("The owner's name is longer than 64 characters.")
    if key is not None and not (0 < len(key) <= MAX_KEY and key.isascii() and key.isprintable()):
        raise RequestError(
            "The idempotency key is not usable.",
            hint=f"Give 1 to {MAX_KEY} printable ASCII characters.",
        )
    if not 0 < limit_seconds <= MAX_LIMIT_SECONDS:  # NaN is refused here too
        raise RequestError(
            f"The time limit is {limit_seconds} s.",
            hint=f"Give up to {MAX_LIMIT_SECONDS:,.0f} seconds.",
        )
