"""How a server is to run, decided once before it starts."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path

from sfumato.errors import RequestError

MAX_JSON_BYTES = 1024 * 1024
MAX_UPLOAD_BYTES = 32 * 1024 * 1024
MAX_UPLOAD_PIXELS = 16_800_000
MAX_JSON_DEPTH = 32
_EVERYWHERE = ("0.0.0.0", "::", "")  # noqa: S104 - compared, not bound


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """Where to listen, what to serve, whom to let in.

    Raises: RequestError: values that cannot be, or a bind to the network without a key.
    """

    host: str = "127.0.0.1"
    port: int = 7860
    library: Path | None = None  # None: the person's own
    database: str | None = None  # a postgresql+psycopg:// URL; None: SQLite in the library
    workers: int = 1
    has_keys: bool = False  # keys exist: every request needs one
    key_required: bool = False  # the same, even when the last key has been revoked
    public_hosts: tuple[str, ...] = ()  # "name" or "name:port" that a proxy passes on
    cors_origins: tuple[str, ...] = ()  # "https://app.example": pages elsewhere that may call
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    studio: bool = True
    requests_per_minute: int = 6000  # a key's or, without keys, an address's mutations
    keep_jobs: int = 30  # days after their end that jobs are remembered; their pictures stay
    keep_trash: int | None = None  # days; None: until somebody empties the trash
    previews: bool = True
    warm: str | None = None  # a model that workers load before the first job comes
    ports: tuple[int, ...] = field(default=())  # further ports that Host may name (tests)

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise RequestError(f"The port is {self.port}.", hint="Give a number from 0 to 65535.")
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise RequestError(
                "TLS needs a certificate and its key.", hint="Give --tls-cert and --tls-key."
            )
        if self.keep_jobs < 1 or (self.keep_trash is not None and self.keep_trash < 1):
            raise RequestError("Jobs and trash are kept for a day at least.")
        for origin in self.cors_origins:
            if not origin.startswith(("http://", "https://")) or origin.rstrip("/") != origin:
                raise RequestError(
                    f"{origin!r} is no origin.", hint="Give one such as https://app.example."
                )
        if self.has_keys:
            return
        what = None
        if not self.is_loopback:
            what = f"Listening on {self.host} lets others draw on this machine."
        elif self.public_hosts:
            what = f"Behind {self.public_hosts[0]} others can draw on this machine."
        elif self.key_required:
            what = "A key is required, and there is none."
        if what is not None:
            raise RequestError(what, hint="Make a key first: sfumato keys add NAME.")

    @property
    def needs_key(self) -> bool:
        """Whether to let nobody in without a key, even should the last one be revoked."""
        return self.has_keys or self.key_required

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def scheme(self) -> str:
        """What the address begins with."""
        return "http" if self.tls_certificate is None else "https"

    @property
    def address(self) -> str:
        """What to type into a browser on this machine."""
        name = "127.0.0.1" if self.host in _EVERYWHERE else self.host
        return f"{self.scheme}://{f'[{name}]' if ':' in name else name}:{self.port}/"

    def hosts(self) -> frozenset[str]:
        """Every value the Host header may have, in lower case (promise 4: DNS rebinding)."""
        names = {"127.0.0.1", "localhost", "[::1]"}
        if self.host not in _EVERYWHERE:
            names.add(f"[{self.host}]" if ":" in self.host else self.host)
        ports = {self.port, *self.ports}
        allowed = {f"{name}:{port}" for name in names for port in ports}
        if self.port in (80, 443):
            allowed |= names
        return frozenset(value.lower() for value in (*allowed, *self.public_hosts))

    def origins(self) -> frozenset[str]:
        """Every value the Origin header may have: our own pages and those of ``cors_origins``."""
        own = {f"{scheme}://{host}" for host in self.hosts() for scheme in ("http", "https")}
        return frozenset(value.lower() for value in (*own, *self.cors_origins))
