"""Every error sfumato raises on purpose.

    SfumatoError
    ├── RequestError        the request cannot be honoured as written
    ├── ModelError          a model is unknown, damaged or unsuitable
    ├── MissingExtraError   an optional dependency is not installed
    ├── BackendError        the engine failed while drawing
    ├── StorageError        a file could not be read or written
    └── Cancelled           the person asked to stop

Each has a stable ``code`` for machines, a one-line message for people, and a ``hint`` that says
what to do next. Exit codes live here beside the classes so that the command line (and, later,
the HTTP statuses) are mapped in exactly one place.
"""

from __future__ import annotations


class SfumatoError(Exception):
    """Root of the tree: something went wrong that a person can act on."""

    code = "error"
    exit_code = 1

    def __init__(self, message: str, *, hint: str = "", code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if code is not None:
            self.code = code

    def one_line(self) -> str:
        """Message and hint on one line, as the command line prints it."""
        text = f"{self.message} {self.hint}" if self.hint else self.message
        return " ".join(text.split())


class RequestError(SfumatoError):
    """The request cannot be honoured as written: a value out of range, an unknown option."""

    code = "bad_request"
    exit_code = 2


class ModelError(SfumatoError):
    """A model is unknown, its files are damaged, or it cannot do what was asked."""

    code = "model_error"
    exit_code = 3


class MissingExtraError(SfumatoError):
    """An optional dependency is not installed. The hint is the exact command to run."""

    code = "missing_extra"
    exit_code = 4

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(
            f"{feature} needs the optional '{extra}' dependencies.",
            hint=f"Install them with: pip install 'sfumato[{extra}]'",
        )
        self.extra = extra


class BackendError(SfumatoError):
    """The engine failed while drawing."""

    code = "backend_error"
    exit_code = 5


class StorageError(SfumatoError):
    """A file could not be read or written."""

    code = "storage_error"
    exit_code = 6


class Cancelled(SfumatoError):
    """The person asked to stop. What was finished before is kept."""

    code = "cancelled"
    exit_code = 130
