"""Nonsense by the thousand: schemathesis over every dialect, hypothesis over what is uploaded.

``SFUMATO_TEST_EXAMPLES=50 pytest tests/e2e/test_server_fuzz.py`` searches longer than the default.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

Serve = Callable[..., Any]
EXAMPLES = int(os.environ.get("SFUMATO_TEST_EXAMPLES", "2"))

pytestmark = pytest.mark.slow

# ---------------------------------------------------------------- every route of every dialect

# Most of the ids are real, so that what lies behind "not found" is reached too.
CONFIGURATION = """
[checks]
not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", 503, 507]

[dictionaries.jobs]
values = [{job}]

[dictionaries.pictures]
values = [{picture}]

[parameters]
job_id = {{ dictionary = "jobs", probability = 0.8 }}
identity = {{ dictionary = "pictures", probability = 0.8 }}
"""
# Drawings are the fake model's, and differ from a sound request in one field: nonsense in all of
# them at once would be refused for the first and never reach the others.
HOOKS = """
import schemathesis

@schemathesis.hook
def map_body(context, body):
    draws = ("/api/v1/jobs", "/images/generations", "/txt2img")
    if context.operation.path.endswith(draws) and isinstance(body, dict):
        prompt = body.get("prompt", "a fox")
        others = sorted(set(body) - {"prompt", "model"})
        kept = others[len(str(prompt)) % max(1, len(others)) :][:1]
        body = {"prompt": prompt, "model": "fake"} | {name: body[name] for name in kept}
    return body
"""


def test_no_request_makes_any_route_fail(serve: Serve, tmp_path: Path) -> None:
    """No 5xx but 503 and 507, which are said to happen."""
    server = serve(None, "--rate", "1000000").listening().ready()
    job = server.finished(server.draw().json()["job"]["id"])
    (picture,) = job["pictures"]
    workers = server.workers()
    names = {"job": json.dumps(job["id"]), "picture": json.dumps(picture)}
    (tmp_path / "work" / "schemathesis.toml").write_text(CONFIGURATION.format(**names), "utf-8")
    (tmp_path / "work" / "sfumato_hooks.py").write_text(HOOKS, "utf-8")
    report = tmp_path / "report.json"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run"),
            f"http://127.0.0.1:{server.port}/api/openapi.json",
            *("--checks", "not_a_server_error", "--generation-deterministic", "--no-color"),
            *("--max-examples", str(EXAMPLES), "--max-time", str(10 + 10 * EXAMPLES)),
            *("--exclude-path", "/api/v1/events"),  # never ends
            *("--continue-on-failure", "--report-json-path", str(report)),
        ],
        env={**os.environ, "SCHEMATHESIS_HOOKS": "sfumato_hooks", "PYTHONPATH": os.pathsep.join(
            [str(tmp_path / "work"), *filter(None, sys.path)])},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert report.exists()
    assert "Traceback" not in server.said(), server.said()[-8000:]
    assert server.call("GET", "/healthz").status == 200
    counts = server.call("GET", "/api/v1/jobs").json()["counts"]
    assert sum(counts.values()) > 3  # some of it made sense
    for path in (f"pictures/{picture}/thumbnail 200", f"jobs/{job['id']} 200"):
        assert path in server.said()  # and what was there was found
    failed = server.call("GET", "/api/v1/jobs?state=failed&limit=200").json()["jobs"]
    assert {job["error"]["code"] for job in failed} <= {"model_error", "bad_request", "timeout"}
    assert server.workers() == workers  # none of it took a worker down


# ---------------------------------------------------------------- what is uploaded

# In a process of its own, that may take 256 MiB more than it has when it is warm.
CHILD = """
import resource, struct, sys, time, zlib
from pathlib import Path
from hypothesis import HealthCheck, given, settings, strategies as st
from sfumato.errors import SfumatoError
from sfumato.server.pictures import check_upload, keep, recipe_of
from sfumato.gallery import Library

SEEDS = [path.read_bytes() for path in sorted(Path("seeds").iterdir())]
KEYS = [b"parameters", b"prompt", b"workflow", b"sfumato", b"invokeai_metadata", b"Comment"]
slowest = 0.0

def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

@st.composite
def damaged(draw):
    data = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(data)))
        how = draw(st.sampled_from(["flip", "cut", "insert", "double", "number"]))
        if how == "flip" and at < len(data):
            data[at] ^= draw(st.integers(1, 255))
        elif how == "cut":
            del data[at : at + draw(st.integers(1, 400))]
        elif how == "insert":
            data[at:at] = draw(st.binary(max_size=40))
        elif how == "double":
            data[at:at] = data[at : at + 200]
        else:  # a length or a size that cannot be
            most = [b"\\xff" * 4, b"\\x7f" + b"\\xff" * 3, bytes(4)]
            data[at : at + 4] = draw(st.sampled_from(most))
    return bytes(data)

@st.composite
def with_text(draw):
    # a sound PNG that says anything at all about itself
    png = SEEDS[-1]
    assert png[:4] == b"\\x89PNG"
    text = draw(st.one_of(st.binary(max_size=400), st.text(max_size=200).map(str.encode),
        st.recursive(st.none() | st.floats() | st.text(max_size=9),
            lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=9), v, max_size=3)
        ).map(lambda v: __import__("json").dumps(v).encode())))
    key = draw(st.sampled_from(KEYS) | st.binary(max_size=90))
    repeat = draw(st.sampled_from([1, 1, 1, 1000]))
    kind, body = draw(st.sampled_from([
        (b"tEXt", key + b"\\0" + text),
        (b"zTXt", key + b"\\0\\0" + zlib.compress(text * repeat)),
        (b"iTXt", key + b"\\0\\1\\0\\0\\0" + zlib.compress(text * repeat)),
        (b"eXIf", text),
    ]))
    return png[:33] + chunk(kind, body) + png[33:]

def look(library, data):
    global slowest
    began = time.process_time()
    for read in (
        lambda: check_upload(data),
        lambda: recipe_of(data, "a.png"),
        lambda: keep(library, data, "a.png"),
    ):
        try:
            read()
        except SfumatoError as error:
            assert error.message and error.code != "internal"
    slowest = max(slowest, time.process_time() - began)

with Library.open(Path("library")) as library:
    for data in SEEDS:
        look(library, data)
    slowest = 0.0
    pages = int(Path("/proc/self/statm").read_text().split()[0]) if sys.platform == "linux" else 0
    if pages:
        most = pages * resource.getpagesize() + 256 * 1024 * 1024
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    many = settings(max_examples=int(sys.argv[1]), deadline=None, database=None, derandomize=True,
                    suppress_health_check=list(HealthCheck))
    many(given(damaged())(lambda data: look(library, data)))()
    many(given(with_text())(lambda data: look(library, data)))()
    assert library.heal().whole
print(slowest)
"""


def seeds(folder: Path, server: Any) -> None:
    """One picture of each format, and some that other programs could have written."""
    folder.mkdir()
    job = server.finished(server.draw().json()["job"]["id"])
    for form in ("png", "webp", "jpeg"):
        path = f"/api/v1/pictures/{job['pictures'][0]}/file?format={form}"
        (folder / f"ours.{form}").write_bytes(server.call("GET", path).body)
    image = Image.new("RGB", (16, 16), "teal")
    info = PngInfo()
    info.add_text("parameters", "a fox\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1")
    info.add_itxt("prompt", json.dumps({"3": {"class_type": "KSampler", "inputs": {"seed": 1}}}))
    image.save(folder / "theirs.png", pnginfo=info)
    plain = BytesIO()
    image.save(plain, "PNG")
    (folder / "z.png").write_bytes(plain.getvalue())


@pytest.mark.skipif(os.name == "nt", reason="memory is capped as Unix does it")
def test_no_upload_takes_the_server_down_or_much_of_it(serve: Serve, tmp_path: Path) -> None:
    """A typed error, under a second of work, under 256 MiB; or it was a picture after all."""
    server = serve().listening().ready()
    work = tmp_path / "work"
    seeds(work / "seeds", server)
    (work / "child.py").write_text(CHILD, "utf-8")
    done = subprocess.run(
        [sys.executable, "child.py", str(40 * EXAMPLES)],
        cwd=work,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-6000:]
    assert float(done.stdout.split()[-1]) < 1.0  # seconds of the processor, not of the wall clock
