"""Check picture files, sfumato's own and those from elsewhere.

A file's own recipe says what the picture was meant to be; where there is none, words may say it.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sfumato.checks import Earlier, Look, check_one, require_extras, why_skipped
from sfumato.errors import RequestError, SfumatoError
from sfumato.files import read_recipe
from sfumato.pictures import open_picture
from sfumato.registry import CHECKS
from sfumato.request import Finding, GenerationPlan

__all__ = ["Inspected", "check", "check_files", "chosen_checks", "open_look", "unchecked"]

_WITHOUT_ALPHA = frozenset({"jpeg", "bmp"})
_AHEAD = 4  # pictures that wait decoded


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspected:
    """A file that was checked, or what is wrong with the file itself."""

    path: Path
    look: Look | None = None  # None where the file could not be read
    format: str = ""
    findings: tuple[Finding, ...] = ()  # worst first
    error: SfumatoError | None = None


def check(
    picture: str | os.PathLike[str] | NDArray[np.uint8],
    *,
    prompt: str | None = None,
    checks: Sequence[str] | None = None,
) -> tuple[Finding, ...]:
    """What is wrong with a picture, worst first; nothing is written.

    Args:
        picture: a file, or (H, W, 4) uint8 sRGB pixels with straight alpha, or (H, W, 3).
        prompt: what it should show, where the file does not say so itself.
        checks: names of the checks to run; None: the default ones (``sfumato check --list``).

    Raises:
        RequestError: not a picture, there is no such check, or one that was named has nothing to
            hold the picture against.
        MissingExtraError: a check that was named needs a package that is not installed.
        StorageError: the file cannot be read.
    """
    require_extras(checks or ())
    if isinstance(picture, np.ndarray):
        look = Look(_as_rgba(picture), prompt=prompt)
    else:
        look = open_look(Path(picture), prompt)
    for name, why in unchecked(look, checks or ()).items():
        raise RequestError(
            f"The check {name!r} {why}.", hint="Give prompt=, or leave the check out."
        )
    return check_one(look, checks)


def open_look(path: Path, prompt: str | None = None, *, use_recipe: bool = True) -> Look:
    """A picture's file, ready to be checked.

    ``prompt`` says what it should show, where the file does not say so itself or ``use_recipe`` is
    False.

    Raises: RequestError: not a picture; StorageError: the file cannot be read.
    """
    return _open(path, prompt, use_recipe=use_recipe)[0]


def check_files(
    paths: Iterable[Path], *, prompt: str | None = None, checks: Sequence[str] | None = None
) -> Iterator[Inspected]:
    """Check many files in order; one that cannot be read is reported, not raised.

    Each is compared with those before it (``near_duplicate``), of which little is kept in memory.
    """
    earlier = Earlier()
    for path, found in _opened(paths, prompt):
        if isinstance(found, SfumatoError):
            yield Inspected(path=path, error=found)
            continue
        look, format_ = found
        findings = check_one(look, checks, earlier)
        yield Inspected(path=path, look=look, format=format_, findings=findings)


def chosen_checks(only: Sequence[str], skip: Sequence[str]) -> tuple[str, ...] | None:
    """The checks to run: those in ``only`` or else the default ones, without those in ``skip``.

    None where neither says anything.

    Raises: RequestError: there is no such check, or none is left; MissingExtraError: one of
        ``only`` needs a package that is not installed.
    """
    for name in skip:
        CHECKS.get(name)
    require_extras(name for name in only if name not in skip)
    if not only and not skip:
        return None
    default = [entry.name for entry in CHECKS if "opt-in" not in entry.capabilities]
    chosen = tuple(name for name in dict.fromkeys(only or default) if name not in skip)
    if not chosen:
        raise RequestError("No check is left to run.", hint="Skip fewer of them.")
    return chosen


def unchecked(look: Look, names: Iterable[str]) -> dict[str, str]:
    """Which of the checks called ``names`` this picture gives nothing to hold against, and why.

    Raises: RequestError: there is no such check.
    """
    why = {name: why_skipped(CHECKS.get(name), look, named=True) for name in names}
    return {name: reason for name, reason in why.items() if reason}


def _opened(
    paths: Iterable[Path], prompt: str | None
) -> Iterator[tuple[Path, tuple[Look, str] | SfumatoError]]:
    """Files read ahead in a thread, in order."""

    def read(path: Path) -> tuple[Look, str] | SfumatoError:
        try:
            return _open(path, prompt)
        except SfumatoError as error:
            return error

    remaining = iter(paths)
    pool = ThreadPoolExecutor(2, thread_name_prefix="sfumato-read")
    waiting: deque[tuple[Path, Future[tuple[Look, str] | SfumatoError]]] = deque()
    try:
        waiting.extend((path, pool.submit(read, path)) for path in islice(remaining, _AHEAD))
        while waiting:
            path, future = waiting.popleft()
            found = future.result()
            waiting.extend((path, pool.submit(read, path)) for path in islice(remaining, 1))
            yield path, found
            del future, found  # or one picture more than needed stays in memory
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _open(path: Path, prompt: str | None, *, use_recipe: bool = True) -> tuple[Look, str]:
    picture = open_picture(path)
    alpha_kept = picture.format not in _WITHOUT_ALPHA
    plan = _plan_in(path) if use_recipe else None
    look = Look(picture.pixels, plan, prompt=prompt, alpha_kept=alpha_kept)
    return look, picture.format


def _plan_in(path: Path) -> GenerationPlan | None:
    """The plan in one of our own files; None where there is none, or it cannot be read."""
    try:
        return read_recipe(path, pixels=False).plan
    except SfumatoError:
        return None  # the pixels were read: they can be checked without the recipe


def _as_rgba(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] not in (3, 4):
        raise RequestError(
            f"The pixels are {pixels.dtype} of shape {pixels.shape}.",
            hint="Give uint8 of shape (height, width, 4), or 3 without alpha.",
        )
    if 0 in pixels.shape:
        raise RequestError("The picture has no pixels.")
    if pixels.shape[2] == 4:
        return pixels
    return np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])
