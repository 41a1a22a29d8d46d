"""Who may call, and with what: the live server and a client that sends any bytes it likes.

The rules one by one are in tests/unit/server; here is what only a real socket, a real process and
its log show.
"""

from __future__ import annotations

import base64
import json
import re
import socket
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

Serve = Callable[..., Any]
CSP = "default-src 'none'; script-src 'self'; "

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(serve_module: Serve) -> Any:
    """One without keys, for every test that leaves it as it was."""
    return serve_module(None, "--rate", "1000000").listening().ready()


def raw(server: Any, *pieces: bytes) -> tuple[int, bytes]:
    """Status and everything that is answered to bytes; 0 when the line is just cut."""
    seen = b""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        with suppress(ConnectionError):  # it has heard enough
            for piece in pieces:
                connection.sendall(piece)
        with suppress(ConnectionError):
            while piece := connection.recv(65536):
                seen += piece
    found = re.match(rb"HTTP/1\.1 (\d{3}) ", seen)
    return int(found[1]) if found else 0, seen


def get(path: str, host: str, *headers: str) -> bytes:
    lines = [f"GET {path} HTTP/1.1", f"Host: {host}", "Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1")


# ---------------------------------------------------------------- names (DNS rebinding)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:{port}",
        "localhost:{port}",
        "LOCALHOST:{port}",
        "[::1]:{port}",
    ],
)
def test_this_machines_own_names_are_answered(server: Any, host: str) -> None:
    assert raw(server, get("/api/v1/about", host.format(port=server.port)))[0] == 200


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "evil.example:{port}",
        "127.0.0.1.nip.io:{port}",
        "localhost.evil.example:{port}",
        "evil.example#localhost:{port}",
        "localhost:{port}@evil.example",
        "evil.example, localhost:{port}",
        "localhost:{port}, evil.example",
        "localhost.:{port}",
        "127.0.0.1.:{port}",
        "localhost:80",
        "localhost",
        "localhost:0{port}",
        "localhost:{port}/",
        "localhost:{port} ",
        "0.0.0.0:{port}",
        "0:{port}",
        "127.1:{port}",
        "127.0.0.2:{port}",
        "2130706433:{port}",
        "0x7f.0.0.1:{port}",
        "[::]:{port}",
        "[0:0:0:0:0:0:0:1]:{port}",
        "[::ffff:127.0.0.1]:{port}",
        "::1:{port}",
        "lοcalhost:{port}",
        "169.254.169.254",
    ],
)
@pytest.mark.parametrize("path", ["/", "/api/v1/about"])
def test_any_other_name_is_refused_everywhere(server: Any, host: str, path: str) -> None:
    name = host.format(port=server.port).encode().decode("latin-1")
    if name.endswith(" "):  # blanks around a value are no part of it
        assert raw(server, get(path, name))[0] in (200, 404)
        return
    status, answer = raw(server, get(path, name))
    assert status in (400, 403)
    assert b"version" not in answer


def test_no_name_two_names_and_a_name_in_the_target_are_refused(server: Any) -> None:
    own = f"127.0.0.1:{server.port}"
    assert raw(server, b"GET /api/v1/about HTTP/1.1\r\nConnection: close\r\n\r\n")[0] in (400, 403)
    assert raw(server, b"GET /api/v1/about HTTP/1.0\r\n\r\n")[0] in (400, 403)
    for first, second in ((own, "evil.example"), ("evil.example", own)):
        assert raw(server, get("/api/v1/about", first, f"Host: {second}"))[0] in (400, 403)
    assert raw(server, get("http://evil.example/api/v1/about", "evil.example"))[0] in (400, 403)
    forwarded = get("/api/v1/about", "evil.example", f"X-Forwarded-Host: {own}")
    assert raw(server, forwarded)[0] == 403


# ---------------------------------------------------------------- pages of other sites


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "",
        "http://evil.example",
        "http://localhost",
        "http://localhost:1",
        "https://localhost.evil.example:{port}",
        "http://127.0.0.1:{port}.evil.example",
        "http://127.0.0.1:{port}/",
        "http://user@127.0.0.1:{port}",
        "file://",
        "chrome-extension://abcdefgh",
        "http://127.0.0.1:{port} http://evil.example",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE", "OPTIONS"])
def test_foreign_origins_are_refused(server: Any, origin: str, method: str) -> None:
    named = {"Origin": origin.format(port=server.port)}
    answer = server.call(method, "/api/v1/jobs", {}, headers=named)
    assert answer.status == 403
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("path", ["/api/v1/jobs", "/v1/images/generations", "/api/v1/session"])
@pytest.mark.parametrize(
    "kind", ["text/plain", "text/plain; charset=utf-8", "application/x-www-form-urlencoded"]
)
def test_what_a_foreign_form_can_send_without_asking_is_refused(
    server: Any, path: str, kind: str
) -> None:
    body = json.dumps({"prompt": "a fox", "model": "fake"}).encode()
    before = server.call("GET", "/api/v1/jobs").json()["counts"]
    assert server.call("POST", path, body, headers={"Content-Type": kind}).status == 415
    fetched = {"Content-Type": "application/json", "Sec-Fetch-Site": "cross-site"}
    assert server.call("POST", path, body, headers=fetched).status == 403
    assert server.call("GET", "/api/v1/jobs").json()["counts"] == before


def form(name: str, data: bytes, *, kind: str = "image/png") -> dict[str, Any]:
    """Body and headers of a form with one file."""
    head = (
        f'--x\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        f"Content-Type: {kind}\r\n\r\n"
    )
    return {
        "body": head.encode() + data + b"\r\n--x--\r\n",
        "headers": {"Content-Type": "multipart/form-data; boundary=x"},
    }


def small_png() -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (8, 8), "red").save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("path", ["/api/v1/recipe", "/api/v1/import", "/api/v1/check"])
def test_a_page_uploads_with_its_token_only(server: Any, path: str) -> None:
    sent = form("a.png", small_png())
    sent["headers"]["Origin"] = f"http://127.0.0.1:{server.port}"
    assert server.call("POST", path, **sent).status == 403
    sent["headers"]["X-CSRF-Token"] = "guess"
    assert server.call("POST", path, **sent).status == 403
    token = server.call("GET", "/api/v1/about").json()["csrf"]
    sent["headers"]["X-CSRF-Token"] = token
    assert server.call("POST", path, **sent).status == 200


# ---------------------------------------------------------------- bodies


def test_an_endless_body_is_cut_off(server: Any) -> None:
    own = f"127.0.0.1:{server.port}"
    head = (
        f"POST /api/v1/jobs HTTP/1.1\r\nHost: {own}\r\nContent-Type: application/json\r\n"
        "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    status, _ = raw(server, head.encode(), *(chunk for _ in range(400)))  # never a last one
    assert status in (0, 413)
    assert server.call("GET", "/healthz").status == 200
    memory = Path(f"/proc/{server.process.pid}/statm")
    if memory.exists():
        assert int(memory.read_text().split()[1]) * 4096 < 600 * 1024 * 1024


@pytest.mark.parametrize(
    ("head", "statuses"),
    [
        ("Content-Length: 99999999999", (413,)),
        ("Content-Length: -1", (400, 413)),
        ("Content-Length: abc", (400, 413)),
        ("Content-Length: 4\r\nContent-Length: 5", (400,)),
        ("Content-Length: 4\r\nTransfer-Encoding: chunked", (400, 413, 422)),
        ("Transfer-Encoding: gzip", (400, 413, 422, 501)),
        ("X-Long: " + "a" * 1_000_000, (400, 431)),
    ],
)
def test_dishonest_lengths_are_refused(server: Any, head: str, statuses: tuple[int, ...]) -> None:
    request = (
        f"POST /api/v1/jobs HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n"
        f"Connection: close\r\nContent-Type: application/json\r\n{head}\r\n\r\n0\r\n\r\n"
    )
    status, _ = raw(server, request.encode())
    assert status in (0, *statuses)  # a parser may hang up on nonsense
    assert server.call("GET", "/healthz").status == 200


@pytest.mark.parametrize(
    "body",
    [
        b'{"prompt": ' + b"[" * 33 + b"]" * 33 + b"}",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"prompt": "a", "guidance_scale": NaN}',
        b'{"prompt": "a", "guidance_scale": Infinity}',
        b'{"prompt": "a", "guidance_scale": 1e999}',
        b'{"prompt": "a", "seed": ' + b"9" * 5000 + b"}",
        b'{"prompt": "a\\u0000b"}',
        b'{"prompt": "\\ud800"}',
        b'{"prompt": "' + b"a" * 10_001 + b'"}',
        b'{"prompt": "a", "width": 4097}',
        b'{"prompt": "a", "num_images": 65}',
        b'{"prompt": "a", "num_inference_steps": 151}',
        b'{"prompt": "a", "guidance_scale": 30.1}',
        b'{"prompt": "a", "output": "/etc/passwd"}',
        b'{"prompt": "a", "device": "cpu; rm -rf /"}',
        b'{"prompt": "a", "model": "../../etc"}',
        b"\xff\xfe",
        b"",
    ],
)
@pytest.mark.parametrize("path", ["/api/v1/jobs", "/v1/images/generations"])
def test_what_no_client_means_is_refused(server: Any, path: str, body: bytes) -> None:
    if path.startswith("/v1/") and b"width" in body:
        body = body.replace(b'"width": 4097', b'"size": "4097x4097"')
    answer = server.call("POST", path, body, headers={"Content-Type": "application/json"})
    if b"output" in body or b"device" in body or b"width" in body:
        assert answer.status in (400, 422), answer  # unknown fields of OpenAI's are refused too
    assert answer.status in (400, 404, 413, 422), answer
    assert b"Traceback" not in answer.body


# ---------------------------------------------------------------- uploads


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_of(width: int, height: int, *extra: bytes) -> bytes:
    """A PNG whose header says what it likes; its pixels are all zero and inflate for ever."""
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    pixels = zlib.compress(bytes(8 * 1024 * 1024), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(extra) + chunk(
        b"IDAT", pixels
    ) + chunk(b"IEND", b"")  # fmt: skip


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
TEXT = chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(2**26)))
UPLOADS = {
    "a pixel bomb": (png_of(60_000, 60_000), (413, 415)),
    "more pixels than allowed": (png_of(4100, 4100), (413,)),
    "no pixels at all": (png_of(0, 0), (413, 415, 422)),
    "an SVG": (SVG, (415,)),
    "an SVG that says it is a PNG": (b"\x89PNG" + SVG, (415,)),
    "a page": (b"<!doctype html><script>alert(1)</script>", (415,)),
    "a GIF": (b"GIF89a" + bytes(64), (415,)),
    "a text bomb": (png_of(16, 16, TEXT), (413, 415, 422)),
    "a cut picture": (small_png()[:40], (415, 422)),
    "nothing": (b"", (415, 422)),
    "a pickle": (b"\x80\x04\x95cos\nsystem\n", (415,)),
}  # fmt: skip


@pytest.mark.parametrize("name", UPLOADS)
@pytest.mark.parametrize("path", ["/api/v1/recipe", "/api/v1/import", "/api/v1/check"])
def test_hostile_uploads_are_refused(server: Any, path: str, name: str) -> None:
    data, statuses = UPLOADS[name]
    answer = server.call("POST", path, **form("picture.png", data))
    if path.endswith("import"):
        assert answer.status == 200
        assert answer.json()["imported"] == []
        assert len(answer.json()["skipped"]) == 1
        return
    assert answer.status in statuses, answer


def test_an_uploads_name_is_a_name_and_nothing_else(server: Any, tmp_path: Path) -> None:
    for name in ("../../../../tmp/sfumato-was-here.png", "/etc/x.png", "..", "a\u202egnp.exe"):
        sent = form(name, small_png())
        answer = server.call("POST", "/api/v1/import", **sent)
        assert answer.status == 200
        for picture in answer.json()["imported"]:
            assert "/" not in picture["original_name"]
    assert not Path("/tmp/sfumato-was-here.png").exists()


# ---------------------------------------------------------------- paths


@pytest.mark.parametrize(
    "path",
    [
        "/studio/../../keys.json",
        "/studio/..%2f..%2f..%2fpyproject.toml",
        "/studio/%2e%2e/%2e%2e/__init__.py",
        "/studio/..\\..\\__init__.py",
        "/studio//etc/passwd",
        "/studio/%00",
        "/studio/",
        "/api/v1/pictures/..%2f..%2fkeys.json/file",
        "/api/v1/pictures/%00/file",
        "/api/v1/pictures/" + "a" * 5000,
        "/api/v1/pictures/01hzzzzzzzzzzzzzzzzzzzzzzz/thumbnail",
        "/api/v1/jobs/..%2f..%2f..%2fetc%2fpasswd",
        "/api/v1/jobs/..%2f..%2flibrary/preview/0",
        "/api/v1/jobs/01hzzzzzzzzzzzzzzzzzzzzzzz/preview/-1",
        "/api/v1/sweeps/..%2f..%2fsettings",
        "/v1/files/..%2f..%2fkeys/9999999999/aa",
        "/v1/models/..%2f..%2fetc",
    ],
)
def test_no_path_leads_out(server: Any, path: str) -> None:
    status, answer = raw(server, get(path, f"127.0.0.1:{server.port}"))
    assert status in (400, 404, 405, 422), answer
    assert b"root:" not in answer
    assert b"sha256" not in answer


# ---------------------------------------------------------------- headers


@pytest.mark.parametrize("path", ["/", "/api/v1/about", "/v1/models", "/nothing", "/healthz"])
def test_every_answer_tells_the_browser_to_be_careful(server: Any, path: str) -> None:
    headers = server.call("GET", path).headers
    assert headers["content-security-policy"].startswith(CSP)
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert re.fullmatch(r"[0-9a-f]{16}", headers["x-request-id"])
    assert "server" not in headers
    assert "access-control-allow-origin" not in headers


def test_svg_is_answered_so_that_no_script_of_it_runs(server: Any) -> None:
    job = server.finished(server.draw("<script>alert(1)</script>").json()["job"]["id"])
    (picture,) = job["pictures"]
    answer = server.call("GET", f"/api/v1/pictures/{picture}/file?format=svg")
    assert answer.headers["content-type"].startswith("image/svg+xml")
    assert b"<script" not in answer.body
    assert "default-src 'none'" in answer.headers["content-security-policy"]


# ---------------------------------------------------------------- keys


def command(*args: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "sfumato", *args], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("args", [("--host", "0.0.0.0"), ("--public-host", "a.example")])
def test_the_network_needs_a_key(serve: Serve, args: tuple[str, ...]) -> None:
    server = serve(None, *args)
    assert server.process.wait(60) == 2
    assert "sfumato keys add" in server.said()
    assert len(server.said().splitlines()) == 1


def test_keys_let_in_whom_they_should_and_are_never_logged(serve: Serve, tmp_path: Path) -> None:
    library = tmp_path / "library"
    secrets = {}
    for name, scope in (("all", None), ("looker", "read"), ("leaver", None)):
        scopes = () if scope is None else ("--scope", scope)
        said = command("keys", "--library", str(library), "add", name, *scopes)
        (secrets[name],) = re.findall(r"sf-[\w-]{43}", said)
    assert all(secret not in (library / "keys.json").read_text() for secret in secrets.values())
    assert (library / "keys.json").stat().st_mode & 0o077 == 0
    server = serve(library, "--host", "0.0.0.0", "--log-format", "json").listening()

    def status(method: str, path: str, headers: dict[str, str] | None = None) -> int:
        body = {"prompt": "a fox", "model": "fake"} if method == "POST" else None
        found: int = server.call(method, path, body, headers=headers).status
        return found

    def bearer(name: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {secrets[name]}"}

    wrong = "sf-" + "A" * 43
    basic = base64.b64encode(f"any:{secrets['all']}".encode()).decode()
    assert status("GET", "/healthz") == 200
    for refused in (
        None,
        {"Authorization": f"Bearer {wrong}"},
        {"Authorization": f"Bearer {secrets['all'][:-1]}"},
        {"Authorization": secrets["all"]},
        {"Authorization": "Basic !!!"},
        {"X-Api-Key": ""},
        {"Cookie": f"sfumato_session={secrets['all']}"},
    ):
        for path in ("/api/v1/jobs", "/v1/models", "/api/openapi.json", "/metrics"):
            assert status("GET", path, refused) == 401, (path, refused)
    for given in (
        bearer("all"), {"X-Api-Key": secrets["all"]}, {"Authorization": f"Basic {basic}"}
    ):  # fmt: skip
        assert status("GET", "/api/v1/jobs", given) == 200
    assert status("GET", f"/api/v1/jobs?key={secrets['all']}") == 401  # a query is in every log
    assert status("POST", "/api/v1/jobs", bearer("all")) == 202
    assert status("GET", "/api/v1/jobs", bearer("looker")) == 200
    assert status("POST", "/api/v1/jobs", bearer("looker")) == 403
    assert status("DELETE", "/api/v1/pictures/x", bearer("looker")) == 403
    assert status("GET", "/api/v1/jobs", bearer("leaver")) == 200
    command("keys", "--library", str(library), "revoke", "leaver")
    assert status("GET", "/api/v1/jobs", bearer("leaver")) == 401

    assert server.stop() == 0
    log = server.said()
    assert log.count('"path": "/api/v1/jobs"') > 10
    for secret in (*secrets.values(), wrong, basic, "a fox"):
        assert secret not in log
    assert all(json.loads(line)["request_id"] for line in log.splitlines() if '"request"' in line)


def test_one_caller_cannot_drown_the_others(serve: Serve) -> None:
    server = serve(None, "--rate", "60").listening()
    statuses = [server.draw().status for _ in range(20)]
    assert 202 in statuses
    assert 429 in statuses
    late = server.draw()
    assert late.status == 429
    assert int(late.headers["retry-after"]) > 0
    assert server.call("GET", "/api/v1/jobs").status == 200
