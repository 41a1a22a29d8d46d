"""Names of pictures and jobs: 26 characters that sort by time and never repeat.

Source: the ULID specification (ulid/spec): 48 bits of milliseconds, 80 random bits, Crockford's
base 32; lower case here, so that file systems that ignore case agree with those that do not.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import threading
import time
from datetime import datetime, timezone

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_VALUE = {character: value for value, character in enumerate(_ALPHABET)}
_FORM = re.compile(f"[0-7][{_ALPHABET}]{{25}}")
_LATEST_MS = 2**48 - 1
_RANDOM_BITS = 80
_TIME_CHARACTERS = 10  # of 26: the others are random

_lock = threading.Lock()
_last = 0  # the newest id of this process: ids made in one millisecond still sort in order


def new_id(seconds: float | None = None) -> str:
    """A new id. ``seconds`` since 1970 dates it; None is now, later than every id before it."""
    global _last
    if seconds is not None:
        return _text(_stamp(seconds) << _RANDOM_BITS | secrets.randbits(_RANDOM_BITS))
    with _lock:
        fresh = _stamp(time.time()) << _RANDOM_BITS | secrets.randbits(_RANDOM_BITS)
        # a clock that stands still or was set back must not shuffle what this process made
        _last = fresh if fresh > _last else _last + 1 + secrets.randbits(32)
        return _text(_last)


def derived_id(parent: str, index: int) -> str:
    """The id of part ``index`` (0 to 255) of ``parent``: always the same, sorted by index.

    A picture that is drawn again after a crash lands on its own unfinished file, never beside it.
    """
    digest = hashlib.sha256(f"{parent}:{index}".encode()).digest()
    tail = index << 72 | int.from_bytes(digest[:9], "big")
    return _text(_number(parent) >> _RANDOM_BITS << _RANDOM_BITS | tail)


def is_id(text: str) -> bool:
    """Whether ``text`` has the form of an id."""
    return _FORM.fullmatch(text) is not None


def time_of(identity: str) -> datetime:
    """When an id was made, UTC, to the millisecond."""
    seconds = _number(identity[:_TIME_CHARACTERS]) / 1000
    # ids that a person names by hand may lie past the year 9999
    return datetime.fromtimestamp(min(seconds, 253_402_300_799), timezone.utc)


def first_id_of(seconds: float) -> str:
    """The smallest id of a moment: ids sort before it when they are older."""
    return _text(_stamp(seconds) << _RANDOM_BITS)


def _stamp(seconds: float) -> int:
    return min(max(int(seconds * 1000), 0), _LATEST_MS)


def _text(number: int) -> str:
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))


def _number(identity: str) -> int:
    number = 0
    for character in identity:
        number = number << 5 | _VALUE[character]
    return number
