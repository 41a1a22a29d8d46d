"""Full and read-only disks, damaged files, clients that leave: a live server says what is wrong."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import socket
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import sfumato
from sfumato.models.catalogue import WEIGHTS

Serve = Callable[..., Any]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="mounts and signals as Unix has them"),
]


def drawn(server: Any, **fields: Any) -> dict[str, str]:
    """Pictures of a finished job: id and sha256 of the file."""
    job = server.finished(server.draw(**fields).json()["job"]["id"])
    assert job["state"] == "done", job
    return {picture: digest(server, picture) for picture in job["pictures"]}


def digest(server: Any, picture: str) -> str:
    answer = server.call("GET", f"/api/v1/pictures/{picture}/file")
    assert answer.status == 200, answer
    return hashlib.sha256(answer.body).hexdigest()


def upload(server: Any, path: str, name: str, data: bytes) -> Any:
    """A multipart form with one file, as curl sends it."""
    head = f'--x\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    return server.call(
        "POST",
        path,
        head.encode() + data + b"\r\n--x--\r\n",
        headers={"Content-Type": "multipart/form-data; boundary=x"},
    )


def png(seed: int, side: int = 256) -> bytes:
    """A picture that does not compress."""
    buffer = BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


# ---------------------------------------------------------------- disks


def mount(*arguments: str) -> None:
    """Skips where mounting is not allowed."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root may mount disks")
    if subprocess.run(["mount", *arguments], check=False, capture_output=True).returncode != 0:
        pytest.skip("mounting is not allowed here")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """``disk("8m")`` mounts a disk of that size."""
    places: list[Path] = []

    def make(size: str) -> Path:
        place = tmp_path / f"disk-{len(places)}"
        place.mkdir()
        mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place))
        places.append(place)
        return place

    yield make
    for place in places:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_tiny_disk_refuses_drawings_and_keeps_every_upload_it_took(
    serve: Serve, disk: Callable[[str], Path]
) -> None:
    place = disk("8m")
    server = serve(place / "library").listening()
    refused = server.draw()
    assert (refused.status, refused.json()["error"]["code"]) == (507, "disk_full")
    assert int(refused.headers["retry-after"]) > 0
    assert server.call("GET", "/healthz").status == 200
    not_ready = server.call("GET", "/readyz")
    assert not_ready.status == 503
    assert "too little room" in not_ready.json()["reason"]

    kept: dict[str, str] = {}
    for seed in range(60):  # the disk holds about thirty
        answer = upload(server, "/api/v1/import", f"{seed}.png", png(seed))
        assert answer.status == 200, answer
        for picture in answer.json()["imported"]:
            kept[picture["id"]] = digest(server, picture["id"])
        if answer.json()["skipped"]:
            break
    (skipped,) = answer.json()["skipped"]
    assert re.search("No space left|no room", skipped["reason"])
    assert "Traceback" not in server.said()
    assert kept
    for picture, expected in kept.items():
        assert digest(server, picture) == expected
    assert server.call("GET", "/api/v1/pictures").json()["total"] == len(kept)
    assert server.stop() == 0


def test_a_disk_that_fills_up_pauses_the_queue_and_room_resumes_it(
    serve: Serve, disk: Callable[[str], Path]
) -> None:
    place = disk("1060m")
    server = serve(place / "library").listening().ready()
    before = drawn(server, num_images=2)
    long = {"num_images": 64, "num_inference_steps": 150, "width": 512, "height": 512}
    first = server.draw("an owl", **long).json()["job"]["id"]
    second = server.draw("a boat").json()["job"]["id"]
    server.until(lambda: server.job(first)["state"] == "running")
    filler = place / "filler"
    filler.write_bytes(bytes(60 * 1024 * 1024))  # below 1 GiB are free now
    assert server.call("POST", f"/api/v1/jobs/{first}/cancel").status == 200
    assert server.finished(first)["state"] == "cancelled"
    assert server.draw().status == 507
    assert server.call("GET", "/readyz").status == 503
    assert server.job(second)["state"] == "queued"
    filler.unlink()
    assert server.finished(second)["state"] == "done"
    assert server.call("GET", "/readyz").status == 200
    assert {picture: digest(server, picture) for picture in before} == before


def test_a_pictures_folder_that_becomes_read_only_fails_the_job_and_harms_nothing(
    serve: Serve, tmp_path: Path
) -> None:
    library = tmp_path / "library"
    server = serve(library).listening().ready()
    before = drawn(server)
    folder = str(library / "pictures")
    mount("--bind", folder, folder)
    try:
        mount("-o", "remount,bind,ro", folder)
        job = server.finished(server.draw("an owl").json()["job"]["id"])
        assert job["state"] == "failed"
        assert "could not be written" in job["error"]["message"]
        assert job["error"]["hint"]
        assert {picture: digest(server, picture) for picture in before} == before
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)  # a reader may be in it still
    assert server.call("POST", f"/api/v1/jobs/{job['id']}/retry").status == 202
    assert server.finished(job["id"])["state"] == "done"
    assert {picture: digest(server, picture) for picture in before} == before


def test_a_read_only_library_is_refused_in_one_line(
    serve: Serve, disk: Callable[[str], Path]
) -> None:
    place = disk("16m")
    assert serve(place / "library").listening().stop() == 0
    mount("-o", "remount,ro", str(place))
    server = serve(place / "library")
    assert server.process.wait(60) != 0
    (line,) = server.said().splitlines()
    assert line.startswith("sfumato: ")
    assert "could not be written" in line


# ---------------------------------------------------------------- damaged files


@pytest.fixture
def damaged_model(tmp_path: Path) -> Path:
    """A data folder with a copy of the built-in model, one bit of its weights flipped."""
    data = tmp_path / "data"
    folder = data / "sfumato" / "models" / "bruised"
    folder.mkdir(parents=True)
    for path in (WEIGHTS / "chiaro").iterdir():
        if path.name != "flow.onnx":
            (folder / path.name).symlink_to(path)
    weights = bytearray((WEIGHTS / "chiaro" / "flow.onnx").read_bytes())
    weights[len(weights) // 2] ^= 1
    (folder / "flow.onnx").write_bytes(weights)
    return data


def test_a_damaged_model_fails_its_own_job_and_the_worker_lives(
    serve: Serve, damaged_model: Path
) -> None:
    server = serve(None, env={"XDG_DATA_HOME": str(damaged_model)}).listening().ready()
    (worker,) = server.workers()
    jobs = [server.draw(model=model).json()["job"]["id"] for model in ("bruised", "fake")]
    bad, good = (server.finished(job) for job in jobs)
    assert (bad["state"], bad["attempt"]) == ("failed", 1)
    assert bad["error"]["code"] == "model_error"
    assert "is damaged: sha256" in bad["error"]["message"]
    assert good["state"] == "done"
    assert server.workers() == [worker]


@pytest.mark.parametrize("damage", ["the schema", "all of it"])
def test_a_damaged_database_is_healed_when_the_server_starts(
    serve: Serve, tmp_path: Path, damage: str
) -> None:
    library = tmp_path / "library"
    server = serve(library).listening().ready()
    before = drawn(server, num_images=3)
    assert server.stop() == 0
    path = library / "library.db"
    data = bytearray(path.read_bytes())
    end = 612 if damage == "the schema" else len(data)
    data[100:end] = b"\xa5" * (end - 100)
    path.write_bytes(data)

    server = serve(library).listening().ready()
    page = server.call("GET", "/api/v1/pictures").json()
    assert {picture["id"] for picture in page["pictures"]} == set(before)
    assert all(picture["prompt"] == "a red fox" for picture in page["pictures"])
    assert {picture: digest(server, picture) for picture in before} == before
    assert len(list((library / "set-aside").glob("library-*.db"))) == 1
    drawn(server, prompt="an owl")


def test_stars_and_tags_outlive_a_destroyed_header(serve: Serve, tmp_path: Path) -> None:
    library = tmp_path / "library"
    server = serve(library).listening().ready()
    (picture,) = drawn(server, num_images=1)
    said = {"favourite": True, "rating": 5, "tags": ["wild"], "collections": ["best"]}
    assert server.call("PATCH", f"/api/v1/pictures/{picture}", said).status == 200

    def is_copied() -> bool:
        for copy in (library / "backups").glob("library-*.db"):
            with closing(sqlite3.connect(f"file:{copy}?mode=ro", uri=True)) as opened:
                return opened.execute("SELECT max(rating) FROM pictures").fetchone() == (5,)
        return False

    assert server.stop() == 0
    server = serve(library).listening().ready()
    server.until(is_copied)
    newer = drawn(server, prompt="an owl")
    server.kill()
    with (library / "library.db").open("rb+") as file:
        file.write(os.urandom(4096))

    server = serve(library).listening().ready()
    found = server.call("GET", f"/api/v1/pictures/{picture}").json()
    assert {name: found[name] for name in said} == said
    assert {name: digest(server, name) for name in newer} == newer
    assert "rebuilt from its copy" in server.said()
    assert len(list((library / "set-aside").glob("library-*.db"))) == 1


def test_a_damaged_list_of_keys_lets_nobody_in(serve: Serve, tmp_path: Path) -> None:
    library = tmp_path / "library"
    server = serve(library).listening()
    (library / "keys.json").write_text("[{", "utf-8")
    answer = server.call("GET", "/api/v1/pictures")
    assert answer.status == 500
    assert "list of keys" in answer.json()["error"]["message"]
    (library / "keys.json").unlink()
    assert server.call("GET", "/api/v1/pictures").status == 200


# ---------------------------------------------------------------- clients that leave


def half_read(server: Any, request: str, wanted: bytes) -> bytes:
    """Send a request, read until ``wanted`` has come, and hang up."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(request.encode())
        seen = b""
        while wanted not in seen:
            piece = connection.recv(65536)
            assert piece, seen
            seen += piece
    return seen


def test_a_client_that_leaves_its_stream_harms_neither_job_nor_server(serve: Serve) -> None:
    server = serve().listening().ready()
    job = server.draw(num_images=16, num_inference_steps=40).json()["job"]["id"]
    follow = f"GET /api/v1/jobs/{job}/events HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n"
    everything = follow.replace(f"jobs/{job}/events", "events")
    descriptors = Path(f"/proc/{server.process.pid}/fd")
    before = len(list(descriptors.iterdir()))
    for _ in range(20):
        half_read(server, follow, b"event: job")
        half_read(server, everything, b"retry:")
    assert server.finished(job)["state"] == "done"
    assert len(server.job(job)["pictures"]) == 16
    server.until(lambda: len(list(descriptors.iterdir())) <= before + 2)  # no line is left open
    assert "Traceback" not in server.said()


def test_an_openai_client_that_leaves_takes_its_drawing_along(serve: Serve) -> None:
    server = serve().listening().ready()
    body = {"prompt": "a fox", "model": "fake", "n": 10, "size": "1024x1024", "stream": True}
    text = json.dumps({**body, "partial_images": 3, "num_inference_steps": 150})
    half_read(
        server,
        f"POST /v1/images/generations HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n{text}",
        b"HTTP/1.1 200",
    )
    (job,) = server.call("GET", "/api/v1/jobs").json()["jobs"]
    assert server.finished(job["id"])["state"] == "cancelled"
    assert "Traceback" not in server.said()


def test_what_the_server_drew_is_what_the_library_draws(serve: Serve) -> None:
    """Promise 2 over HTTP: the same recipe, the same pixels, in another process."""
    server = serve().listening().ready()
    (picture,) = drawn(server, seed=11)
    recipe = server.call("GET", f"/api/v1/pictures/{picture}").json()
    plan = sfumato.GenerationPlan.from_json(json.dumps(recipe["plan"]))
    assert sfumato.generate(plan).images[0].pixel_sha256 == recipe["pixel_sha256"]
