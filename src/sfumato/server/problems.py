"""Errors on their way out: one table from what happened to the HTTP status, one form a dialect."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sfumato.errors import (
    Cancelled,
    MissingExtraError,
    ModelError,
    RequestError,
    SfumatoError,
    StorageError,
)

__all__ = ["Problem", "answer_problem", "problem_of"]

_BY_CODE = {
    "no_such_job": 404,
    "no_such_picture": 404,
    "not_found": 404,
    "file_missing": 404,
    "model_not_found": 404,
    "bad_request": 422,
    "model_error": 422,
    "job_cancelled": 409,
    "unauthorized": 401,
    "forbidden": 403,
    "too_large": 413,
    "unsupported_media": 415,
    "rate_limited": 429,
    "queue_full": 429,
    "idempotency_mismatch": 409,
    "job_not_ended": 409,
    "disk_full": 507,
    "library_missing": 503,
    "busy": 503,
    "draining": 503,
    "timeout": 503,
    "out_of_memory": 507,
}
_BY_CLASS: tuple[tuple[type[SfumatoError], int], ...] = (
    (RequestError, 422),
    (MissingExtraError, 501),
    (ModelError, 422),
    (Cancelled, 409),
    (StorageError, 500),
    (SfumatoError, 500),
)
_RETRY_AFTER = {429: "5", 503: "5", 507: "60"}  # seconds


class Problem(SfumatoError):
    """An error of the web side itself: not allowed, not found, too much."""

    def __init__(
        self, code: str, message: str, *, hint: str = "", param: str | None = None
    ) -> None:
        super().__init__(message, hint=hint, code=code)
        self.param = param  # the field of the request that is at fault


def status_of(error: SfumatoError) -> int:
    """The HTTP status an error is answered with."""
    if error.code in _BY_CODE:
        return _BY_CODE[error.code]
    return next(status for kind, status in _BY_CLASS if isinstance(error, kind))


def problem_of(status: int, detail: str) -> SfumatoError:
    """An error of the framework (no such route, a body that does not validate) as one of ours."""
    code = {
        401: "unauthorized",
        403: "forbidden",
        404: "not_found",
        405: "method_not_allowed",
        413: "too_large",
    }
    return SfumatoError(detail, code=code.get(status, "bad_request"))


def answer_problem(request: Request, error: SfumatoError, status: int | None = None) -> Response:
    """The error in the form that the called dialect's clients read."""
    code = status_of(error) if status is None else status
    path = request.url.path
    headers: dict[str, str] = {}
    if code in _RETRY_AFTER:
        headers["Retry-After"] = _RETRY_AFTER[code]
    if code == 401:
        headers["WWW-Authenticate"] = 'Basic realm="sfumato"' if _is_a1111(path) else "Bearer"
    body: dict[str, Any]
    if path.startswith("/v1/"):
        code = 400 if code == 422 else code
        # the openai client retries 408, 409, 429 and 5xx unless it is told not to
        if code not in (429, 503):
            headers["x-should-retry"] = "false"
        body = {"error": openai_error(error, code)}
    elif _is_a1111(path):
        body = {
            "error": "HTTPException" if isinstance(error, Problem) else type(error).__name__,
            "detail": error.one_line(),
            "body": "",
            "errors": error.one_line(),
        }
    else:
        body = {"error": {"code": error.code, "message": error.message, "hint": error.hint}}
    return JSONResponse(body, status_code=code, headers=headers)


def openai_error(error: SfumatoError, status: int) -> dict[str, Any]:
    """The inside of OpenAI's error object."""
    kind = (
        "invalid_request_error"
        if status < 500 and status not in (401, 429)
        else {401: "authentication_error", 429: "rate_limit_error"}.get(status, "server_error")
    )
    return {
        "message": error.one_line(),
        "type": kind,
        "param": getattr(error, "param", None),
        "code": error.code,
    }


def _is_a1111(path: str) -> bool:
    return path.startswith("/sdapi/")
