"""Who may call: names, origins, keys, sizes. Everything here fails closed."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from starlette.testclient import TestClient

from sfumato.errors import RequestError
from sfumato.server.keys import KeyStore
from sfumato.server.settings import ServerSettings

Make = Callable[..., TestClient]
DRAW = {"prompt": "a fox", "model": "fake", "width": 32, "height": 32}


# ---------------------------------------------------------------- names


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "evil.example:7860", "127.0.0.1", "127.0.0.1:80", "127.0.0.1:7861",
        "127.0.0.1.evil.example:7860", "localhost.evil.example:7860", "0.0.0.0:7860", "",
        "2130706433:7860", "127.1:7860", "[::ffff:127.0.0.1]:7860", "127.0.0.1:7860@evil.example",
    ],
)  # fmt: skip
def test_any_other_name_is_refused(client: TestClient, host: str) -> None:
    for path in ("/", "/healthz", "/api/v1/about", "/v1/models", "/sdapi/v1/options"):
        answer = client.get(path, headers={"Host": host})
        assert answer.status_code == 403, path


@pytest.mark.parametrize(
    "host", ["127.0.0.1:7860", "localhost:7860", "[::1]:7860", "LOCALHOST:7860"]
)
def test_this_machines_names_are_answered(client: TestClient, host: str) -> None:
    assert client.get("/healthz", headers={"Host": host}).status_code == 200


def test_a_proxys_name_is_answered_when_it_is_named(make: Make) -> None:
    client = make(public_hosts=("draw.example.org",), has_keys=True)
    assert client.get("/healthz", headers={"Host": "draw.example.org"}).status_code == 200
    assert client.get("/healthz", headers={"Host": "draw.example.com"}).status_code == 403


def test_addresses_are_those_that_the_client_can_use(make: Make, root: Path) -> None:
    _, secret = KeyStore(root).add("mine")
    client = make(public_hosts=("Draw.example.org",), has_keys=True)
    body = {"key": secret}
    for host, proxied, secure in (
        ("draw.example.org", "https", True),
        ("draw.example.org", "http", False),
        ("127.0.0.1:7860", "https", False),  # nobody's word is taken for it but our proxy's
    ):
        sent = {"Host": host, "X-Forwarded-Proto": proxied}
        cookie = client.post("/api/v1/session", headers=sent, json=body).headers["set-cookie"]
        assert ("secure" in cookie.lower()) is secure, (host, proxied)


def test_strangers_do_not_fill_the_metrics_with_words(client: TestClient) -> None:
    for number in range(30):
        client.request(f"WORD{number}", "/api/v1/jobs", headers={"Host": "evil.example"})
    client.request("PUT", "/api/v1/nothing")
    counts = client.app.state.server.counts
    assert counts[("other", 403)] == 30
    assert {method for method, _ in counts} == {"other", "PUT"}
    assert "WORD" not in client.get("/metrics").text


# ---------------------------------------------------------------- origins


@pytest.mark.parametrize(
    "origin",
    [
        "null", "https://evil.example", "http://127.0.0.1", "http://127.0.0.1:7861",
        "http://127.0.0.1:7860.evil.example", "file://", "", "http://localhost",
        "chrome-extension://abc", "https://127.0.0.1:78600",
    ],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_pages_of_other_origins_are_refused(client: TestClient, origin: str, method: str) -> None:
    sent = {"Origin": origin}
    assert client.request(method, "/api/v1/jobs", headers=sent, json=DRAW).status_code == 403
    assert client.app.state.server.queue.counts()["queued"] == 0


def test_our_own_page_may_call(client: TestClient) -> None:
    own = {"Origin": "http://127.0.0.1:7860"}
    assert client.post("/api/v1/jobs", headers=own, json=DRAW).status_code == 202


def test_two_origins_are_refused_when_one_is_foreign(client: TestClient) -> None:
    sent = [("Origin", "http://127.0.0.1:7860"), ("Origin", "https://evil.example")]
    assert client.get("/api/v1/about", headers=sent).status_code == 403


def test_a_cross_site_request_without_an_origin_changes_nothing(client: TestClient) -> None:
    sent = {"Sec-Fetch-Site": "cross-site"}
    assert client.post("/api/v1/jobs", headers=sent, json=DRAW).status_code == 403


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded"])
def test_what_a_plain_form_sends_is_refused(client: TestClient, kind: str) -> None:
    body = '{"prompt": "a fox", "model": "fake"}'
    answer = client.post("/api/v1/jobs", content=body, headers={"Content-Type": kind})
    assert answer.status_code == 415


def test_a_named_origin_may_call_and_is_told_so(make: Make) -> None:
    client = make(cors_origins=("https://app.example",))
    sent = {"Origin": "https://app.example"}
    answer = client.get("/api/v1/about", headers=sent)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "https://app.example"
    asked = {
        **sent,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type,x-csrf-token",
    }
    allowed = client.options("/api/v1/check", headers=asked)
    assert allowed.status_code == 200
    assert "x-csrf-token" in allowed.headers["access-control-allow-headers"].lower()
    upload = {**sent, "X-CSRF-Token": answer.json()["csrf"]}
    red = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(red, "PNG")
    file = {"file": ("a.png", red.getvalue(), "image/png")}
    assert client.post("/api/v1/check", headers=upload, files=file).status_code == 200
    assert client.post("/api/v1/check", headers=sent, files=file).status_code == 403
    unknown = {**asked, "Access-Control-Request-Headers": "x-anything"}
    assert client.options("/api/v1/check", headers=unknown).status_code == 400
    other = client.get("/api/v1/about", headers={"Origin": "https://evil.example"})
    assert other.status_code == 403
    assert "access-control-allow-origin" not in other.headers


def test_a_page_must_send_its_token_with_uploads(client: TestClient) -> None:
    own = {"Origin": "http://127.0.0.1:7860"}
    file = {"file": ("a.png", b"no picture", "image/png")}
    assert client.post("/api/v1/recipe", headers=own, files=file).status_code == 403
    token = client.get("/api/v1/about").json()["csrf"]
    sent = {**own, "X-CSRF-Token": token}
    assert client.post("/api/v1/recipe", headers=sent, files=file).status_code == 415
    assert client.post("/api/v1/recipe", files=file).status_code == 415  # no browser


# ---------------------------------------------------------------- keys


@pytest.fixture
def locked(root: Path, make: Make) -> tuple[TestClient, KeyStore]:
    """A server that has keys, and where they are."""
    return make(has_keys=True), KeyStore(root)


def bearer(secret: str) -> dict[str, str]:
    """The header that carries a key."""
    return {"Authorization": f"Bearer {secret}"}


def test_without_a_key_nothing_is_told(locked: tuple[TestClient, KeyStore]) -> None:
    client, keys = locked
    keys.add("mine")
    paths = ("/api/v1/about", "/api/v1/jobs", "/metrics", "/v1/models", "/sdapi/v1/progress")
    for path in (*paths, "/api/openapi.json", "/api/v1/events"):
        for sent in ({}, bearer("sf-wrong"), {"Cookie": "sfumato_session=x.9999999999.y"}):
            answer = client.get(path, headers=sent)
            assert answer.status_code == 401, path
            assert "www-authenticate" in answer.headers
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").status_code == 503


@pytest.mark.parametrize("way", ["bearer", "x-api-key", "basic password", "basic user", "session"])
def test_a_key_opens_in_every_way_clients_send_one(
    locked: tuple[TestClient, KeyStore], way: str
) -> None:
    client, keys = locked
    _, secret = keys.add("mine")
    sent: dict[str, Any] = {}
    if way == "bearer":
        sent = {"headers": bearer(secret)}
    elif way == "x-api-key":
        sent = {"headers": {"X-Api-Key": secret}}
    elif way == "session":
        answer = client.post("/api/v1/session", json={"key": secret})
        assert answer.status_code == 200
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie and "samesite=strict" in cookie
        assert secret not in answer.headers["set-cookie"]
    else:
        sent = {"auth": ("anyone", secret) if way == "basic password" else (secret, "")}
    assert client.get("/api/v1/about", **sent).status_code == 200


def test_a_revoked_key_and_its_sessions_end_at_once(locked: tuple[TestClient, KeyStore]) -> None:
    client, keys = locked
    _, secret = keys.add("mine")
    client.post("/api/v1/session", json={"key": secret})
    assert client.get("/api/v1/about").status_code == 200
    keys.revoke("mine")
    # the last key is gone: the server that had keys stays shut
    assert client.get("/api/v1/about").status_code == 401
    assert client.get("/api/v1/about", headers=bearer(secret)).status_code == 401


def test_a_wrong_key_makes_no_session(locked: tuple[TestClient, KeyStore]) -> None:
    client, keys = locked
    keys.add("mine")
    assert client.post("/api/v1/session", json={"key": "sf-wrong"}).status_code == 401


def test_a_key_made_while_the_server_runs_shuts_it(root: Path, client: TestClient) -> None:
    assert client.get("/api/v1/about").status_code == 200
    KeyStore(root).add("first")
    assert client.get("/api/v1/about").status_code == 401


def test_a_damaged_list_of_keys_lets_nobody_in(root: Path, client: TestClient) -> None:
    (root / "keys.json").write_text("[{")
    assert client.get("/api/v1/about").status_code == 500


def test_scopes_say_what_a_key_may(locked: tuple[TestClient, KeyStore]) -> None:
    client, keys = locked
    looks, draws = bearer(keys.add("looks", ("read",))[1]), bearer(keys.add("draws", ("draw",))[1])
    assert client.get("/api/v1/jobs", headers=looks).status_code == 200
    assert client.get("/api/v1/jobs", headers=draws).status_code == 403
    assert client.post("/api/v1/jobs", headers=looks, json=DRAW).status_code == 403
    assert client.post("/api/v1/jobs", headers=draws, json=DRAW).status_code == 202
    assert client.patch("/api/v1/settings", headers=draws, json={}).status_code == 403
    assert client.post("/sdapi/v1/options", headers=draws, json={}).status_code == 403


# ---------------------------------------------------------------- sizes and rates


def test_bodies_longer_than_their_limit_are_not_read(client: TestClient) -> None:
    long = {"Content-Type": "application/json"}
    answer = client.post("/api/v1/jobs", content=b" " * (1024 * 1024 + 1), headers=long)
    assert answer.status_code == 413

    def pieces() -> Iterator[bytes]:
        for _ in range(20):
            yield b" " * 64 * 1024  # no length is said beforehand

    answer = client.post("/api/v1/jobs", content=pieces(), headers=long)
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "too_large"


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 33 + b"]" * 33,
        b'{"a":' * 40 + b"1" + b"}" * 40,
        b'{"prompt": "fox", "guidance_scale": NaN}',
        b'{"prompt": "fox", "guidance_scale": Infinity}',
        b'{"prompt": "fox", "seed": ' + b"9" * 10_000 + b"}",
        b"\xff\xfe{}",
        b'{"prompt": "\\ud800"}',
        b'{"prompt": "fox", "extra": 1}',
        b"[]",
        b"",
    ],
)
def test_odd_json_is_refused(client: TestClient, body: bytes) -> None:
    sent = {"Content-Type": "application/json"}
    answer = client.post("/api/v1/jobs", content=body, headers=sent)
    assert answer.status_code in (400, 422)
    assert answer.json()["error"]["message"]
    assert client.app.state.server.queue.counts()["queued"] == 0


def test_too_many_changes_are_slowed_down(make: Make) -> None:
    client = make(requests_per_minute=12)
    codes = [client.post("/api/v1/jobs", json=DRAW).status_code for _ in range(4)]
    assert codes == [202, 202, 429, 429]
    assert client.get("/api/v1/jobs").status_code == 200  # looking is never refused
    assert "retry-after" in client.post("/api/v1/jobs", json=DRAW).headers


# ---------------------------------------------------------------- what every answer carries


def test_every_answer_is_dressed(client: TestClient) -> None:
    for path in ("/healthz", "/api/v1/about", "/api/v1/nothing", "/api/v1/pictures/x/file"):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert len(headers["x-request-id"]) == 16


def test_a_fault_tells_the_client_nothing_but_where_to_look(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("the secret of the cellar")

    monkeypatch.setattr(client.app.state.server.queue, "jobs", broken)
    answer = client.get("/api/v1/jobs")
    assert answer.status_code == 500
    assert "cellar" not in answer.text
    assert answer.headers["x-request-id"] in answer.text
    assert "cellar" in caplog.text


# ---------------------------------------------------------------- before it starts


@pytest.mark.parametrize(
    "values",
    [
        {"host": "0.0.0.0"},
        {"host": "192.168.1.5"},
        {"host": "::"},
        {"host": "example.org"},
        {"public_hosts": ("draw.example.org",)},
        {"key_required": True},
    ],
)
def test_others_are_let_in_by_key_only(values: dict[str, Any]) -> None:
    with pytest.raises(RequestError, match=r"is required|draw on this machine"):
        ServerSettings(**values)
    assert ServerSettings(**values, has_keys=True).needs_key


@pytest.mark.parametrize(
    "values",
    [
        {"port": 70_000},
        {"tls_certificate": Path("a.pem")},
        {"cors_origins": ("app.example",)},
        {"cors_origins": ("https://app.example/",)},
    ],
)
def test_settings_that_cannot_be_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(RequestError):
        ServerSettings(**values)
