"""The native API over a library and a queue whose jobs nobody draws."""

from __future__ import annotations

import io
import json
import threading
import time
import zipfile
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from sfumato.errors import StorageError
from sfumato.gallery import Library, Picture
from sfumato.generate import generate
from sfumato.registry import CHECKS, own_models_folder
from sfumato.request import GenerationPlan
from sfumato.server.keeping import read_json

DRAW = {"prompt": "a fox", "model": "fake", "width": 32, "height": 32}


def png(width: int = 8, height: int = 8) -> bytes:
    """A plain picture without a recipe."""
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), "red").save(buffer, "PNG")
    return buffer.getvalue()


# ---------------------------------------------------------------- jobs


def test_a_job_is_queued_listed_cancelled_and_tried_again(client: TestClient) -> None:
    answer = client.post("/api/v1/jobs", json={**DRAW, "num_images": 2, "priority": 3})
    job = answer.json()["job"]
    assert (answer.status_code, job["state"], job["position"]) == (202, "queued", 0)
    assert job["request"]["seed"] is not None  # fixed, so that every attempt is the same
    behind = client.post("/api/v1/jobs", json=DRAW).json()["job"]
    listed = client.get("/api/v1/jobs").json()
    assert [entry["id"] for entry in listed["jobs"]] == [behind["id"], job["id"]]
    assert [entry["position"] for entry in listed["jobs"]] == [1, 0]
    assert listed["counts"]["queued"] == 2
    page = client.get("/api/v1/jobs", params={"limit": 1}).json()
    following = client.get("/api/v1/jobs", params={"limit": 1, "cursor": page["next"]}).json()
    assert following["jobs"][0]["id"] == job["id"]
    stopped = client.post(f"/api/v1/jobs/{job['id']}/cancel").json()["job"]
    assert stopped["state"] == "cancelled"
    again = client.post(f"/api/v1/jobs/{job['id']}/retry").json()["job"]
    assert again["state"] == "queued"
    assert client.post(f"/api/v1/jobs/{job['id']}/retry").status_code == 409
    assert client.get("/api/v1/jobs", params={"state": "flying"}).status_code == 422


def test_a_plan_is_drawn_as_it_is_and_nothing_beside_it_is_dropped(
    client: TestClient, picture: Picture
) -> None:
    assert picture.plan is not None
    plan = picture.plan.to_dict()
    sent = {"plan": plan, "priority": 2, "collection": "again", "num_images": 1}
    job = client.post("/api/v1/jobs", json=sent).json()["job"]
    assert (job["request"]["seed"], job["priority"], job["collection"]) == (7, 2, "again")
    for beside in ({"seed": 8}, {"prompt": "an owl"}, {"num_images": 2}, {"width": 512}):
        answer = client.post("/api/v1/jobs", json={"plan": plan, **beside})
        assert answer.status_code == 422
        assert next(iter(beside)) in answer.json()["error"]["message"]


def test_a_damaged_model_hides_no_other(client: TestClient) -> None:
    folder = own_models_folder() / "mine"
    folder.mkdir(parents=True)
    (folder / "model.json").write_text("{}")
    client.patch("/api/v1/settings", json={"model": "fake"})
    for path in ("/api/v1/models", "/v1/models", "/sdapi/v1/sd-models"):
        answer = client.get(path)
        assert answer.status_code == 200, path
        assert "chiaro" in answer.text and "mine" not in answer.text
    assert client.get("/sdapi/v1/options").status_code == 200
    chosen = {"sd_model_checkpoint": "mine"}
    assert client.post("/sdapi/v1/options", json=chosen).status_code == 404
    kept = client.app.state.server.library.folder.root / "settings.json"
    kept.write_text('{"model": "mine"}')
    assert client.get("/sdapi/v1/prompt-styles").status_code == 200
    changed = client.patch("/api/v1/settings", json={"num_images": 2})
    assert changed.json()["model"] is None


def test_a_key_makes_one_job(client: TestClient) -> None:
    sent = {"Idempotency-Key": "order 1"}
    first, second = (client.post("/api/v1/jobs", json=DRAW, headers=sent) for _ in range(2))
    assert first.json()["job"]["id"] == second.json()["job"]["id"]
    other = client.post("/api/v1/jobs", json={**DRAW, "prompt": "an owl"}, headers=sent)
    assert other.status_code == 409
    assert other.json()["error"]["code"] == "idempotency_mismatch"


@pytest.mark.parametrize(
    "body",
    [
        {"prompt": ""}, {"prompt": "a\x00b"}, {"prompt": "x" * 10_001}, {}, {"prompt": 5},
        {**DRAW, "num_images": 65}, {**DRAW, "num_images": True}, {**DRAW, "width": 15},
        {**DRAW, "width": 32.5}, {**DRAW, "guidance_scale": 31}, {**DRAW, "model": "none"},
        {**DRAW, "sampler": "none"}, {**DRAW, "style": "none"}, {**DRAW, "seed": -1},
        {**DRAW, "priority": 1000}, {**DRAW, "device": "cuda"}, {**DRAW, "output": "/etc"},
        {"plan": {}}, {"plan": {"schema": 1}}, {"plan": []},
    ],
)  # fmt: skip
def test_what_cannot_be_drawn_is_refused_and_never_queued(client: TestClient, body: Any) -> None:
    answer = client.post("/api/v1/jobs", json=body)
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert error["code"] and error["message"]
    assert client.app.state.server.queue.counts()["queued"] == 0


def test_a_recipe_is_drawn_again(client: TestClient, picture: Picture) -> None:
    assert picture.plan is not None
    answer = client.post("/api/v1/jobs", json={"plan": picture.plan.to_dict()})
    asked = answer.json()["job"]["request"]
    assert (asked["seed"], asked["width"], asked["style"]) == (7, 64, picture.plan.styles[0])


@pytest.mark.parametrize(
    "path", ["jobs/none", "jobs/none/events", "jobs/none/preview/0", "pictures/none", "sweeps/none"]
)
def test_what_is_not_there_is_404(client: TestClient, path: str) -> None:
    answer = client.get(f"/api/v1/{path}")
    assert answer.status_code == 404
    assert set(answer.json()["error"]) == {"code", "message", "hint"}


# ---------------------------------------------------------------- pictures


def test_a_picture_is_told_with_its_recipe_and_commands(
    client: TestClient, picture: Picture
) -> None:
    found = client.get(f"/api/v1/pictures/{picture.id}").json()
    assert GenerationPlan.from_json(json.dumps(found["plan"])) == picture.plan
    assert found["urls"]["file"] == f"/api/v1/pictures/{picture.id}/file"
    for name, seed in (("cli", "--seed 7 "), ("python", "seed=7,"), ("curl", '"seed": 7,')):
        assert "a red fox" in found["commands"][name] and seed in found["commands"][name]
    listed = client.get("/api/v1/pictures").json()
    assert (listed["total"], listed["pictures"][0]["id"]) == (1, picture.id)
    assert listed["pictures"][0]["subject"] == found["plan"]["subject"]


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"q": "fox"}, 1), ({"q": "owl"}, 0), ({"model": "fake"}, 1), ({"model": "chiaro"}, 0),
        ({"style": "flat"}, 0), ({"style": "striped"}, 1), ({"style": "a%"}, 0),
        ({"favourite": "1"}, 0), ({"trash": "1"}, 0), ({"after": "2001-01-01"}, 1),
        ({"before": "2001-01-01T00:00:00Z"}, 0), ({"source": "sfumato"}, 1),
    ],
)  # fmt: skip
def test_filters_narrow(
    client: TestClient, picture: Picture, query: dict[str, str], count: int
) -> None:
    assert picture.plan is not None and picture.plan.styles == ("striped",)
    assert client.get("/api/v1/pictures", params=query).json()["total"] == count


@pytest.mark.parametrize("form", ["png", "webp", "jpeg", "svg", "pdf", "ico"])
def test_a_picture_comes_in_every_format(client: TestClient, picture: Picture, form: str) -> None:
    answer = client.get(f"/api/v1/pictures/{picture.id}/file", params={"format": form, "size": 128})
    assert answer.status_code == 200
    assert "immutable" in answer.headers["cache-control"]
    if form in ("png", "webp", "jpeg"):
        with Image.open(io.BytesIO(answer.content)) as opened:
            assert (opened.size, opened.format) == ((128, 96), form.upper())
    if form == "svg":
        assert b'width="128" height="96"' in answer.content
        assert "sandbox" in answer.headers["content-security-policy"]
    again = {"If-None-Match": answer.headers["etag"]}
    same = client.get(f"/api/v1/pictures/{picture.id}/file?format={form}&size=128", headers=again)
    assert (same.status_code, same.content) == (304, b"")


def test_the_stored_file_is_answered_as_it_is(client: TestClient, picture: Picture) -> None:
    answer = client.get(f"/api/v1/pictures/{picture.id}/file", params={"download": "1"})
    assert answer.content == picture.path.read_bytes()
    assert answer.headers["content-disposition"] == 'attachment; filename="a-red-fox-7.png"'


def test_a_variation_is_called_as_the_command_line_calls_it(
    client: TestClient, library: Library, tmp_path: Path
) -> None:
    asked = {"seed": 7, "variation_seed": 12, "variation_strength": 0.3}
    image = generate("a red fox", model="fake", width=64, height=48, **asked).images[0]
    picture, saved = library.add(image), image.save(f"{tmp_path}/out/").name
    assert saved == "a-red-fox-7-v12.png"
    home = f"/api/v1/pictures/{picture.id}"
    headers = client.get(f"{home}/file", params={"download": "1"}).headers
    assert headers["content-disposition"] == f'attachment; filename="{saved}"'
    assert saved in client.get(home).json()["commands"]["cli"]
    answer = client.post("/api/v1/export", json={"ids": [picture.id]})
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        names = [name.rpartition("/")[2] for name in archive.namelist()]
    assert f"a-red-fox-7-v12-{picture.id}.png" in names


def test_a_larger_drawing_is_rendered_from_its_paths(client: TestClient, picture: Picture) -> None:
    def at(size: int) -> Any:
        data = client.get(f"/api/v1/pictures/{picture.id}/file?format=png&size={size}").content
        with Image.open(io.BytesIO(data)) as opened:
            return np.asarray(opened.convert("RGBA"), int)

    large = at(1024)
    # a resampled picture of 64 pixels has soft edges sixteen pixels wide; paths have sharp ones
    soft = ((large[..., 3] > 8) & (large[..., 3] < 247)).mean()
    assert soft < 0.005
    assert (large[..., 3] >= 247).mean() > 0.05  # and there is something to see


def test_marks_trash_and_purge(client: TestClient, picture: Picture, library: Library) -> None:
    home = f"/api/v1/pictures/{picture.id}"
    marked = client.patch(home, json={"favourite": True, "rating": 4, "tags": ["a", "b"]}).json()
    assert (marked["favourite"], marked["rating"], marked["tags"]) == (True, 4, ["a", "b"])
    assert client.patch(home, json={"tags": ["b", "c"]}).json()["tags"] == ["b", "c"]
    assert client.get("/api/v1/tags").json() == {"b": 1, "c": 1}
    assert client.patch(home, json={"rating": 6}).status_code == 422
    assert client.delete(home).json()["trashed"]
    assert client.get("/api/v1/pictures").json()["total"] == 0
    assert not client.post(f"{home}/restore").json()["trashed"]
    ids = {"ids": [picture.id]}
    assert client.post("/api/v1/pictures/purge", json=ids).status_code == 422
    client.delete(home)
    assert client.post("/api/v1/pictures/purge", json=ids).json() == {"purged": 1}
    assert client.get(home).status_code == 404


def test_vary_and_upscale_queue_the_recipe(client: TestClient, picture: Picture) -> None:
    home = f"/api/v1/pictures/{picture.id}"
    varied = client.post(f"{home}/vary", json={"strength": "strong", "num_images": 3})
    asked = varied.json()["job"]["request"]
    assert (asked["variation_strength"], asked["num_images"], asked["seed"]) == (0.6, 3, 7)
    larger = client.post(f"{home}/upscale", json={"size": 512}).json()["job"]["request"]
    assert (larger["width"], larger["height"], larger["seed"]) == (512, 384, 7)
    for body in ({"strength": "wild"}, {"strength": 0}, {"strength": 2.0}):
        assert client.post(f"{home}/vary", json=body).status_code == 422
    for size in (5000, 0, -512, 10**400):
        assert client.post(f"{home}/upscale", json={"size": size}).status_code == 422, size


def test_export_is_a_zip_of_those_pictures(client: TestClient, picture: Picture) -> None:
    answer = client.post("/api/v1/export", json={"ids": [picture.id]})
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        manifest = json.loads(archive.read("manifest.json"))
        assert archive.read(manifest["pictures"][0]["file"]) == picture.path.read_bytes()
    found = client.post("/api/v1/export", json={"query": {"q": "fox", "after": "2001-01-01"}})
    assert (found.status_code, found.headers["content-type"]) == (200, "application/zip")
    assert client.post("/api/v1/export", json={"query": {"q": "owl"}}).status_code == 422
    assert client.post("/api/v1/export", json={"ids": ["none"]}).status_code == 404
    assert client.post("/api/v1/export", json={}).status_code == 422


def test_a_search_by_looks_has_one_page(client: TestClient, picture: Picture) -> None:
    for wanted in ({"text": "a fox"}, {"like": picture.id}):
        answer = client.get("/api/v1/pictures", params={**wanted, "cursor": picture.id})
        assert (answer.status_code, answer.json()["error"]["hint"]) == (
            422, "Ask for a longer list.",
        )  # fmt: skip


def test_few_pictures_are_in_memory_at_once(
    client: TestClient, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_now, most = 0, 0
    counting = threading.Lock()

    def slowly(*_: Any) -> Any:
        nonlocal open_now, most
        with counting:
            open_now += 1
            most = max(most, open_now)
        time.sleep(0.05)
        with counting:
            open_now -= 1
        return []

    monkeypatch.setattr("sfumato.server.pictures.encode_image", lambda *_: bytes(slowly()))
    monkeypatch.setattr("sfumato.server.pictures.check_one", slowly)
    file = ("fox.png", picture.path.read_bytes(), "image/png")
    with ThreadPoolExecutor(16) as pool:
        for _ in range(8):
            pool.submit(client.get, f"/api/v1/pictures/{picture.id}/file?format=webp")
            pool.submit(client.post, "/api/v1/check", files={"file": file})
    assert 1 <= most <= 4


# ---------------------------------------------------------------- uploads


def test_a_recipe_is_read_and_nothing_kept(client: TestClient, picture: Picture) -> None:
    file = {"file": ("fox.png", picture.path.read_bytes(), "image/png")}
    found = client.post("/api/v1/recipe", files=file).json()
    assert (found["source"], found["plan"]["seeds"], found["width"]) == ("sfumato", [7], 64)
    plain = client.post("/api/v1/recipe", files={"file": ("a.png", png(), "image/png")}).json()
    assert (plain["source"], plain["plan"]) == ("none", None)
    assert client.get("/api/v1/pictures").json()["total"] == 1


def test_pictures_from_elsewhere_are_kept_once(client: TestClient) -> None:
    sent = [
        ("file", ("../../etc/red.png", png(), "image/png")),
        ("file", ("red again.png", png(), "image/png")),
        ("file", ("notes.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml")),
    ]
    answer = client.post("/api/v1/import", files=sent).json()
    assert [entry["new"] for entry in answer["imported"]] == [True, False]
    assert answer["imported"][0]["original_name"] == "red.png"
    assert answer["skipped"][0]["name"] == "notes.svg"
    identity = answer["imported"][0]["id"]
    for form in ("webp", "ico", "pdf", "jpeg"):
        path = f"/api/v1/pictures/{identity}/file?format={form}&size=32"
        assert client.get(path).status_code == 200
    assert client.get(f"/api/v1/pictures/{identity}/file?format=svg").status_code == 422
    assert client.post(f"/api/v1/pictures/{identity}/vary", json={}).status_code == 422
    assert client.get(f"/api/v1/pictures/{identity}/overlay").status_code == 200
    assert client.get(f"/api/v1/pictures/{identity}").json()["commands"] is None


def test_limits_are_checked_before_decoding(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    bomb = bytearray(png())
    bomb[16:24] = (60_000).to_bytes(4, "big") * 2  # the header alone claims 3.6 gigapixels
    bomb[29:33] = zlib.crc32(bomb[12:29]).to_bytes(4, "big")
    decoded: list[str] = []

    def decode(picture: Any) -> None:
        decoded.append(picture.filename)
        raise OSError("decoded")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", decode)
    for route in ("recipe", "check"):
        file = {"file": ("bomb.png", bytes(bomb), "image/png")}
        answer = client.post(f"/api/v1/{route}", files=file)
        assert answer.status_code == 413, answer.text
    assert decoded == []


@pytest.mark.parametrize(
    "name", ["🦊" * 70 + ".png", "ж" * 300, "/" * 300, "..", "a" * 400 + ".png"]
)
def test_an_upload_may_have_any_name(client: TestClient, name: str) -> None:
    file = {"file": (name, png(64, 64), "image/png")}
    for route in ("recipe", "check", "import"):
        answer = client.post(f"/api/v1/{route}", files=file)
        assert answer.status_code == 200, (route, answer.text)
    assert answer.json()["skipped"] == []


# ---------------------------------------------------------------- files that are gone


def test_a_lost_file_is_told_as_lost(client: TestClient, picture: Picture) -> None:
    home = f"/api/v1/pictures/{picture.id}"
    picture.path.unlink()
    for path in ("file", "file?format=webp", "thumbnail", "overlay"):
        answer = client.get(f"{home}/{path}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "file_missing"), path
    assert client.get(home).status_code == 200
    assert client.get(f"{home}/file?format=webp&size=128").status_code == 200  # from its paths


def test_where_only_the_paths_are_lost_the_pixels_are_answered(
    client: TestClient, picture: Picture
) -> None:
    assert picture.svg_path is not None
    picture.svg_path.unlink()
    home = f"/api/v1/pictures/{picture.id}/file"
    for path in ("", "?format=webp", "?format=png&size=128"):
        assert client.get(home + path).status_code == 200, path
    svg = client.get(f"{home}?format=svg")
    assert (svg.status_code, svg.json()["error"]["code"]) == (404, "file_missing")


def test_a_lost_picture_from_elsewhere_is_still_told(client: TestClient, library: Library) -> None:
    file = {"file": ("red.png", png(64, 64), "image/png")}
    identity = client.post("/api/v1/import", files=file).json()["imported"][0]["id"]
    library.get(identity).path.unlink()
    answer = client.get(f"/api/v1/pictures/{identity}")
    assert (answer.status_code, answer.json()["recipe_text"]) == (200, "")


def test_an_upload_is_checked(client: TestClient) -> None:
    file = {"file": ("red.png", png(64, 64), "image/png")}
    found = client.post("/api/v1/check", files=file, data={"prompt": "a blue fox"}).json()
    assert {"blank"} <= {finding["check"] for finding in found["findings"]}
    assert all("mask" not in finding for finding in found["findings"])


def test_words_that_come_with_an_upload_win_over_its_recipe(
    client: TestClient, picture: Picture
) -> None:
    def found(**words: str) -> list[str]:
        file = {"file": ("fox.png", picture.path.read_bytes(), "image/png")}
        answer = client.post("/api/v1/check", files=file, data=words).json()
        return [finding["check"] for finding in answer["findings"]]

    assert "wrong_colour" not in found()
    assert "wrong_colour" in found(prompt="a plain thing in lime green")


# ---------------------------------------------------------------- facts, settings, sweeps


def test_the_page_of_the_apis_names_every_route_and_runs_nothing(client: TestClient) -> None:
    page = client.get("/api/docs").text
    for path in client.get("/api/openapi.json").json()["paths"]:
        assert f">{path}<" in page
    assert "<script" not in page and "style=" not in page
    assert client.get("/api/docs.css").headers["content-type"].startswith("text/css")


def test_models_and_about_say_what_a_request_may_use(client: TestClient) -> None:
    about = client.get("/api/v1/about").json()
    assert about["limits"]["max_side"] == 4096 and about["auth"] == "none"
    models = client.get("/api/v1/models").json()
    assert [m["name"] for m in models["models"] if m["default"]] == ["chiaro"]
    assert {"euler", "heun"} <= {entry["name"] for entry in models["samplers"]}
    assert [entry["name"] for entry in models["checks"]] == [entry.name for entry in CHECKS]


def test_settings_are_kept_and_checked(client: TestClient, library: Library) -> None:
    assert client.get("/api/v1/settings").json()["num_images"] == 4
    changed = client.patch("/api/v1/settings", json={"model": "fake", "style": "striped"}).json()
    assert (changed["model"], changed["style"]) == ("fake", "striped")
    assert client.patch("/api/v1/settings", json={"theme": "dark"}).json()["style"] == "striped"
    for wrong in ({"theme": "pink"}, {"model": "none"}, {"format": "gif"}, {"folder": "/etc"}):
        assert client.patch("/api/v1/settings", json=wrong).status_code == 422
    (library.folder.root / "settings.json").write_text('{"theme": "pink", "num_images": 2}')
    assert client.get("/api/v1/settings").json()["theme"] == "auto"
    assert client.get("/api/v1/settings").json()["num_images"] == 2


def test_a_setting_is_set_back_by_null(client: TestClient, library: Library) -> None:
    defaults = client.get("/api/v1/settings").json()
    changed = {
        "model": "fake", "num_images": 2, "width": 256, "height": 128, "style": "striped",
        "background": "red", "format": "webp", "theme": "dark",
    }  # fmt: skip
    assert client.patch("/api/v1/settings", json=changed).json() == changed
    one = client.patch("/api/v1/settings", json={"num_images": None, "theme": None})
    assert one.status_code == 200
    assert one.json() == {**changed, "num_images": 4, "theme": "auto"}
    everything = dict.fromkeys(changed)
    assert client.patch("/api/v1/settings", json=everything).json() == defaults
    assert json.loads((library.folder.root / "settings.json").read_text()) == {}


def test_settings_changed_at_the_same_time_are_all_kept(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slowly(path: Path) -> dict[str, Any] | None:
        found = read_json(path)
        time.sleep(0.2)
        return found

    monkeypatch.setattr("sfumato.server.routes.native_studio.read_json", slowly)
    monkeypatch.setattr("sfumato.server.routes.automatic1111_facts.read_json", slowly)
    calls: list[Callable[[], Any]] = [
        lambda: client.patch("/api/v1/settings", json={"width": 256}),
        lambda: client.patch("/api/v1/settings", json={"num_images": 2}),
        lambda: client.post("/sdapi/v1/options", json={"sd_model_checkpoint": "fake"}),
    ]
    with ThreadPoolExecutor(3) as pool:
        answers = [future.result() for future in [pool.submit(call) for call in calls]]
    assert [answer.status_code for answer in answers] == [200] * 3
    kept = client.get("/api/v1/settings").json()
    assert (kept["width"], kept["num_images"], kept["model"]) == (256, 2, "fake")


def test_a_kept_style_or_model_that_is_gone_is_in_nobodys_way(
    client: TestClient, library: Library
) -> None:
    client.patch("/api/v1/settings", json={"model": "fake", "style": "striped"})
    assert client.patch("/api/v1/settings", json={"model": "chiaro"}).json()["style"] is None
    (library.folder.root / "settings.json").write_text('{"model": "gone", "style": 5}')
    changed = client.patch("/api/v1/settings", json={"theme": "dark"}).json()
    assert (changed["model"], changed["style"], changed["theme"]) == (None, None, "dark")


def test_a_sweep_is_a_grid_of_jobs_from_one_seed(client: TestClient) -> None:
    body = {
        "request": DRAW,
        "x": {"field": "style", "values": ["flat", "striped"]},
        "y": {"field": "num_inference_steps", "values": [2, 4, 8]},
    }
    sweep = client.post("/api/v1/sweeps", json=body).json()["sweep"]
    assert [len(row) for row in sweep["jobs"]] == [2, 2, 2]
    requests = [
        client.get(f"/api/v1/jobs/{job}").json()["job"]["request"]
        for row in sweep["jobs"]
        for job in row
    ]
    assert len({request["seed"] for request in requests}) == 1
    assert [r["style"] for r in requests] == ["flat", "striped"] * 3
    assert [r["num_inference_steps"] for r in requests] == [2, 2, 4, 4, 8, 8]
    again = client.get(f"/api/v1/sweeps/{sweep['id']}").json()["sweep"]
    assert (again["jobs"], again["done"], again["total"]) == (sweep["jobs"], 0, 6)
    sheet = client.get(f"/api/v1/sweeps/{sweep['id']}/sheet.png")
    with Image.open(io.BytesIO(sheet.content)) as opened:
        assert opened.width > 2 * 256 and opened.height > 3 * 256


def test_however_many_cells_a_sweep_has_the_queue_is_asked_once(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = {"request": DRAW, "x": {"field": "num_inference_steps", "values": [1, 2, 3, 4]}}
    sweep = client.post("/api/v1/sweeps", json=body).json()["sweep"]
    queue = client.app.state.server.queue
    queue.cancel(sweep["jobs"][0][1])
    home = f"/api/v1/sweeps/{sweep['id']}"
    monkeypatch.setattr(queue, "get", None)
    shown = client.get(home).json()["sweep"]
    assert (shown["states"], shown["done"]) == ([["queued", "cancelled", "queued", "queued"]], 1)

    def busy(_: object) -> None:
        raise StorageError("The database is busy.", code="busy")

    monkeypatch.setattr(queue, "get_many", busy)  # not the same as jobs that are forgotten
    assert client.get(home).status_code == 503


@pytest.mark.parametrize(
    "x",
    [
        {"field": "num_images", "values": [1, 2]},
        {"field": "style", "values": ["flat", "none"]},
        {"field": "seed", "values": ["one"]},
        {"field": "nothing", "values": [1]},
        {"field": "seed", "values": []},
    ],
)
def test_a_sweep_that_cannot_be_queues_nothing(client: TestClient, x: dict[str, Any]) -> None:
    answer = client.post("/api/v1/sweeps", json={"request": DRAW, "x": x})
    assert answer.status_code == 422
    assert client.app.state.server.queue.counts()["queued"] == 0


def test_a_sweep_is_queued_whole_or_not_at_all(
    client: TestClient, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = {"request": DRAW, "x": {"field": "num_inference_steps", "values": [1, 2, 3, 4]}}
    queue = client.app.state.server.queue
    with monkeypatch.context() as patch:
        patch.setattr(queue, "_max_unfinished", 3)
        assert client.post("/api/v1/sweeps", json=body).status_code == 429
    assert sum(queue.counts().values()) == 0
    (library.folder.root / "sweeps").write_text("in the way of the folder")
    assert client.post("/api/v1/sweeps", json=body).status_code == 500
    assert queue.counts()["queued"] == 0


def test_a_sweep_over_strengths_begins_with_the_picture_itself(client: TestClient) -> None:
    asked = {
        "request": {**DRAW, "variation_seed": 1},
        "x": {"field": "variation_strength", "values": [0, 0.5]},
    }
    sweep = client.post("/api/v1/sweeps", json=asked).json()["sweep"]
    requests = [
        client.get(f"/api/v1/jobs/{job}").json()["job"]["request"] for job in sweep["jobs"][0]
    ]
    assert [request["variation_strength"] for request in requests] == [0, 0.5]
    assert [request["variation_seed"] for request in requests] == [None, 1]


def test_a_sweep_is_drawn_as_its_request_says(client: TestClient) -> None:
    x = {"field": "num_inference_steps", "values": [1, 2]}
    asked = {**DRAW, "priority": 7, "collection": "tried"}
    sweep = client.post("/api/v1/sweeps", json={"request": asked, "x": x}).json()["sweep"]
    for identity in sweep["jobs"][0]:
        job = client.get(f"/api/v1/jobs/{identity}").json()["job"]
        assert (job["priority"], job["collection"]) == (7, "tried")
    several = client.post("/api/v1/sweeps", json={"request": {**DRAW, "num_images": 2}, "x": x})
    assert several.status_code == 422
