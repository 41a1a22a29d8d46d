"""API keys: shown once, stored as hashes, compared in constant time, never logged.

A key is 32 random bytes, so one round of sha256 is enough: there is nothing to guess.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import threading
import time
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path

from sfumato.errors import RequestError, StorageError
from sfumato.server.keeping import changing, write_atomically

SCOPES = ("draw", "read", "manage")  # submit and cancel; look; delete, import, settings
PREFIX = "sf-"
MAX_NAME = 60
SESSION_SECONDS = 30 * 24 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """What is kept of a key."""

    id: str  # what its list shows and ``revoke`` takes
    name: str
    sha256: str
    scopes: tuple[str, ...]
    created: str  # ISO 8601, UTC


class KeyStore:
    """The keys of one library, in ``keys.json`` beside its pictures, readable by its owner only."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "keys.json"
        self._lock = threading.Lock()
        self._read: tuple[tuple[int, ...], tuple[Key, ...]] = ((), ())

    def known(self) -> tuple[Key, ...]:
        """Every key; read again only when the file has changed.

        Raises: StorageError: the file is damaged. Nobody is let in by a damaged list.
        """
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return ()
        # one moment alone would not tell two changes within a tick of the file system's clock
        stamp = status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_size
        with self._lock:
            if stamp != self._read[0]:
                self._read = stamp, self._load()
            return self._read[1]

    def _load(self) -> tuple[Key, ...]:
        try:
            entries = json.loads(self.path.read_text("utf-8"))
            return tuple(Key(**{**entry, "scopes": tuple(entry["scopes"])}) for entry in entries)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise StorageError(
                f"The list of keys {self.path} cannot be read ({error}).",
                hint="Mend it, or delete it and make new keys.",
            ) from None

    def add(self, name: str, scopes: tuple[str, ...] = SCOPES) -> tuple[Key, str]:
        """A new key and its secret, which is stored nowhere.

        Raises: RequestError: a name in use or not usable, or an unknown scope.
        """
        cleaned = name.strip()
        if not cleaned or len(cleaned) > MAX_NAME or not cleaned.isprintable():
            raise RequestError(
                f"{name[:40]!r} is no name for a key.", hint=f"Give 1 to {MAX_NAME} characters."
            )
        for scope in scopes:
            if scope not in SCOPES:
                raise RequestError(
                    f"There is no scope {scope!r}.", hint=f"Choose from: {', '.join(SCOPES)}."
                )
        secret = PREFIX + secrets.token_urlsafe(32)
        key = Key(
            id=secrets.token_hex(4),
            name=cleaned,
            sha256=_digest(secret),
            scopes=scopes,
            created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        )
        with changing(self.path):
            present = self.known()
            if any(other.name == cleaned for other in present):
                raise RequestError(f"There is a key named {cleaned!r}.", hint="Revoke it first.")
            self._write((*present, key))
        return key, secret

    def revoke(self, wanted: str) -> Key:
        """Forget a key by its id or name; it stops working at once.

        Raises: RequestError: there is none.
        """
        with changing(self.path):
            present = self.known()
            found = next((key for key in present if wanted in (key.id, key.name)), None)
            if found is None:
                raise RequestError(f"There is no key {wanted!r}.", hint="See: sfumato keys list")
            self._write(tuple(key for key in present if key.id != found.id))
        return found

    def find(self, secret: str) -> Key | None:
        """The key a secret belongs to. Every key is compared, in constant time."""
        digest = _digest(secret)
        found = None
        for key in self.known():
            if hmac.compare_digest(key.sha256, digest):
                found = key
        return found

    def make_session(self, key: Key) -> str:
        """What a browser keeps in place of the key, for 30 days; it ends with the key.

        Signed with the key's hash, which never leaves this machine, so nothing need be stored.
        """
        ends = int(time.time()) + SESSION_SECONDS
        return f"{key.id}.{ends}.{_signature(key, ends)}"

    def find_session(self, session: str) -> Key | None:
        """The key a session was made from; None when it ended, was revoked, or never was."""
        identity, _, rest = session.partition(".")
        ends, _, signature = rest.partition(".")
        key = next((key for key in self.known() if key.id == identity), None)
        if key is None or not (ends.isascii() and ends.isdigit() and len(ends) < 16):
            return None
        good = hmac.compare_digest(_signature(key, int(ends)).encode(), signature.encode())
        return key if good and int(ends) > time.time() else None

    def _write(self, keys: tuple[Key, ...]) -> None:
        text = json.dumps([asdict(key) for key in keys], indent=2)
        write_atomically(self.path, text.encode(), mode=0o600)


class RateLimit:
    """Token buckets: so many calls a minute for each caller, in bursts of a sixth of that."""

    def __init__(self, per_minute: int) -> None:
        self._rate = per_minute / 60.0
        self._burst = max(1.0, per_minute / 6.0)
        self._buckets: dict[str, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def allows(self, caller: str) -> bool:
        """Whether one more call may pass now."""
        now = time.monotonic()
        with self._lock:
            if len(self._buckets) > 10_000:  # strangers come and go
                self._buckets.clear()
            tokens, then = self._buckets.get(caller, (self._burst, now))
            tokens = min(self._burst, tokens + (now - then) * self._rate)
            allowed = tokens >= 1.0
            self._buckets[caller] = (tokens - 1.0 if allowed else tokens, now)
            return allowed


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _signature(key: Key, ends: int) -> str:
    return hmac.new(key.sha256.encode(), f"{key.id}.{ends}".encode(), hashlib.sha256).hexdigest()
