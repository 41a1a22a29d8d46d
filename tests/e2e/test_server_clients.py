"""Programs that know nothing of sfumato draw with it: unmodified, against a live server."""

from __future__ import annotations

import base64
import io
import json
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import openai
import pytest
import webuiapi
from PIL import Image, ImageDraw

pytestmark = pytest.mark.slow
Serve = Callable[..., Any]
SIZE = "64x64"


@pytest.fixture(scope="module")
def server(serve_module: Serve) -> Any:
    """One server for all clients, drawing test cards."""
    live = serve_module().listening().ready()
    answer = live.call("PATCH", "/api/v1/settings", {"model": "fake"})
    assert answer.status == 200
    return live


def opened(data: str | bytes) -> Image.Image:
    """A picture from base64 or bytes."""
    return Image.open(io.BytesIO(base64.b64decode(data) if isinstance(data, str) else data))


def recipe(picture: Image.Image) -> dict[str, Any]:
    """The plan inside a picture of ours."""
    plan: dict[str, Any] = json.loads(picture.info["sfumato"])
    return plan


# ---------------------------------------------------------------- the openai package


@pytest.fixture
def client(server: Any) -> Iterator[openai.OpenAI]:
    """OpenAI's own client."""
    base = f"http://127.0.0.1:{server.port}/v1"
    with openai.OpenAI(base_url=base, api_key="none is needed", max_retries=0) as made:
        yield made


def test_openai_lists_models(client: openai.OpenAI) -> None:
    assert {"chiaro", "fake"} <= {model.id for model in client.models.list()}
    assert client.models.retrieve("fake").owned_by == "sfumato"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("dall-e-2")


def test_openai_draws(client: openai.OpenAI) -> None:
    seed = {"seed": 7}
    drawn = client.images.generate(
        prompt="a red fox", model="fake", n=2, size=SIZE, extra_body=seed, user="somebody"
    )
    pictures = [opened(datum.b64_json) for datum in drawn.data]
    assert [picture.size for picture in pictures] == [(64, 64)] * 2
    assert "sfumato" in pictures[0].info  # the recipe is inside
    assert (drawn.size, drawn.output_format, drawn.background) == (SIZE, "png", "transparent")
    again = client.images.generate(prompt="a red fox", model="fake", size=SIZE, extra_body=seed)
    assert opened(again.data[0].b64_json).tobytes() == pictures[0].tobytes()


@pytest.mark.parametrize("form", ["png", "jpeg", "webp"])
def test_openai_is_given_addresses(client: openai.OpenAI, form: str) -> None:
    drawn = client.images.generate(
        prompt="an owl", model="fake", size=SIZE, response_format="url", output_format=form
    )
    answer = httpx.get(drawn.data[0].url)
    assert answer.headers["content-type"] == f"image/{form}"
    assert opened(answer.content).format == form.upper()
    forged = drawn.data[0].url.replace(f"?f={form}", "?f=webp-1")
    assert httpx.get(forged).status_code == 404


def test_openai_streams_partial_pictures(client: openai.OpenAI) -> None:
    stream = client.images.generate(
        prompt="an owl", model="fake", size="512x512", n=4, stream=True, partial_images=2,
        extra_body={"num_inference_steps": 150},
    )  # fmt: skip
    events = list(stream)
    partial = [event for event in events if event.type == "image_generation.partial_image"]
    completed = [event for event in events if event.type == "image_generation.completed"]
    assert len(partial) <= 2 and len(completed) == 4
    assert events[-1] is completed[-1]
    assert [event.partial_image_index for event in partial] == list(range(len(partial)))
    assert {opened(event.b64_json).size for event in completed} == {(512, 512)}


def test_openai_varies_and_edits_our_own_pictures(client: openai.OpenAI) -> None:
    drawn = client.images.generate(prompt="a red fox", model="fake", size=SIZE, output_format="png")
    file = ("fox.png", base64.b64decode(drawn.data[0].b64_json))
    with pytest.deprecated_call():
        varied = client.images.create_variation(image=file, n=2, size=SIZE)
    before = recipe(opened(file[1]))
    first, second = (recipe(opened(datum.b64_json)) for datum in varied.data)
    assert first["seeds"] == second["seeds"] == before["seeds"]
    assert first["variation_seeds"] != second["variation_seeds"] != before["variation_seeds"]
    edited = client.images.edit(image=file, prompt="a blue fox", model="fake")
    plan = recipe(opened(edited.data[0].b64_json))
    assert (plan["prompt"], plan["seeds"], plan["width"]) == ("a blue fox", before["seeds"], 64)


def plain() -> tuple[str, bytes]:
    """A picture that carries no recipe."""
    buffer = io.BytesIO()
    Image.new("RGB", (32, 32)).save(buffer, "PNG")
    return "plain.png", buffer.getvalue()


@pytest.mark.parametrize(
    ("call", "param"),
    [
        (lambda c: c.images.generate(prompt="x", model="fake", n=11), "n"),
        (lambda c: c.images.generate(prompt="x", model="fake", size="big"), "size"),
        (lambda c: c.images.generate(prompt=" ", model="fake"), None),
        (lambda c: c.images.generate(prompt="x", model="gpt-image-1"), None),
        (lambda c: c.images.generate(prompt="x", extra_body={"lora": 1}), "lora"),
        (lambda c: c.images.edit(image=plain(), prompt="x", model="fake"), "image"),
        (lambda c: c.images.edit(image=plain(), mask=plain(), prompt="x"), "mask"),
    ],
)
def test_openai_reads_our_errors(
    client: openai.OpenAI, call: Callable[[openai.OpenAI], Any], param: str | None
) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        call(client)
    assert caught.value.param == param
    assert caught.value.type == "invalid_request_error"
    assert caught.value.code
    assert caught.value.response.headers["x-should-retry"] == "false"


def test_openai_tries_again_without_drawing_twice(server: Any, client: openai.OpenAI) -> None:
    def total() -> int:
        return int(server.call("GET", "/api/v1/pictures?limit=1").json()["total"])

    asked = {"prompt": "a key", "model": "fake", "size": SIZE}
    key = {"Idempotency-Key": "the same order"}
    before = total()
    first, second = (client.images.generate(**asked, extra_headers=key) for _ in range(2))
    assert first.data[0].b64_json == second.data[0].b64_json
    assert total() == before + 1
    with pytest.raises(openai.ConflictError):
        client.images.generate(**{**asked, "prompt": "another"}, extra_headers=key)


@pytest.mark.parametrize(
    ("path", "stream"),
    [
        ("/v1/images/generations", {}),
        ("/v1/images/generations", {"stream": True}),
        ("/sdapi/v1/txt2img", None),
    ],
)
def test_a_client_that_leaves_takes_its_drawing_along(
    server: Any, path: str, stream: dict[str, bool] | None
) -> None:
    body: dict[str, Any] = {"prompt": "many owls", "steps": 150, "batch_size": 64, "width": 2048}
    if stream is not None:
        many = {"n": 10, "size": "2048x2048", "num_inference_steps": 150}
        body = {"prompt": "many owls", "model": "fake", **many, **stream}
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}") as web:
        asked = web.build_request("POST", path, json=body, timeout=1.0)
        with pytest.raises(httpx.ReadTimeout):
            web.send(asked)
    newest = server.call("GET", "/api/v1/jobs?limit=1").json()["jobs"][0]
    assert server.finished(newest["id"])["state"] == "cancelled"


# ---------------------------------------------------------------- the webuiapi package


@pytest.fixture
def webui(server: Any) -> webuiapi.WebUIApi:
    """AUTOMATIC1111's best-known client."""
    return webuiapi.WebUIApi(host="127.0.0.1", port=server.port)


def test_webuiapi_finds_its_lists(webui: webuiapi.WebUIApi) -> None:
    assert any(title.startswith("chiaro [") for title in webui.util_get_model_names())
    assert {"Euler", "Euler a", "Heun", "DPM++ 2M"} == set(webui.util_get_sampler_names())
    assert "automatic" in webui.util_get_scheduler_names()
    assert webui.get_cmd_flags()["api"] is True
    for look in ("loras", "hypernetworks", "face_restorers", "realesrgan_models", "sd_vae"):
        assert getattr(webui, f"get_{look}")() == []
    assert webui.get_embeddings() == {"loaded": {}, "skipped": {}}
    assert {"flat", "striped"} == {style["name"] for style in webui.get_prompt_styles()}
    assert "cuda" in webui.get_memory() and webui.refresh_checkpoints() == {}
    webui.util_wait_for_ready()


def test_webuiapi_draws_redraws_and_reads(webui: webuiapi.WebUIApi) -> None:
    drawn = webui.txt2img(
        prompt="(red fox:1.2)", negative_prompt="ugly", seed=5, batch_size=2, width=64, height=64
    )
    assert [picture.size for picture in drawn.images] == [(64, 64)] * 2
    assert drawn.info["all_seeds"] == [5, 6] and drawn.info["sd_model_name"] == "fake"
    assert drawn.info["prompt"] == "red fox"
    assert drawn.parameters["steps"] == 20
    redrawn = webui.img2img([drawn.image], denoising_strength=0.3, width=64, height=64)
    assert redrawn.info["subseed_strength"] == 0.3 and redrawn.info["seed"] == 5
    assert recipe(redrawn.image)["variation_seeds"] and not recipe(drawn.image)["variation_seeds"]
    assert "Seed: 5," in webui.png_info(drawn.image).info
    for upscaler, size in (("Lanczos", 128), ("Nearest", 128), ("sfumato", 128), ("None", 64)):
        assert webui.extra_single_image(drawn.image, upscaler_1=upscaler).image.size == (size, size)


def test_webuiapi_has_pictures_described(webui: webuiapi.WebUIApi) -> None:
    said = {}
    for colour in ("red", "blue"):
        disc = Image.new("RGBA", (256, 256))
        ImageDraw.Draw(disc).ellipse((40, 40, 216, 216), fill=colour)
        said[colour] = webui.interrogate(disc).info
    assert "red" in said["red"] and "blue" not in said["red"]
    assert "blue" in said["blue"] and "red" not in said["blue"]
    with pytest.raises(RuntimeError) as caught:
        webui.interrogate(disc, model="blip-2")
    assert caught.value.args[0] == 404


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"tiling": True}, 422),
        ({"sampler_name": "UniPC"}, 404),
        ({"steps": 1000}, 422),
        ({"alwayson_scripts": {"ControlNet": {"args": [{"model": "canny"}]}}}, 422),
    ],
)
def test_webuiapi_is_told_what_cannot_be(
    webui: webuiapi.WebUIApi, fields: dict[str, Any], status: int
) -> None:
    with pytest.raises(RuntimeError) as caught:
        webui.txt2img(prompt="a fox", **fields)
    assert caught.value.args[0] == status
    assert set(json.loads(caught.value.args[1])) == {"error", "detail", "body", "errors"}


def test_webuiapi_follows_and_interrupts(server: Any, webui: webuiapi.WebUIApi) -> None:
    finished: list[int] = []

    def draw() -> None:
        own = webuiapi.WebUIApi(host="127.0.0.1", port=server.port)
        many = {"batch_size": 64, "steps": 150, "width": 1024, "height": 1024}
        finished.append(len(own.txt2img(prompt="an owl", **many).images))

    drawing = threading.Thread(target=draw)
    drawing.start()
    seen: list[dict[str, Any]] = []

    def has_begun() -> bool:
        seen.append(webui.get_progress())
        return bool(seen[-1]["state"]["job_no"])  # the first picture is finished

    server.until(has_begun)
    assert seen[-1]["state"]["job_count"] == 64
    assert 0 < seen[-1]["progress"] < 1
    assert webui.interrupt() == {}
    drawing.join()
    assert 1 <= finished[0] < 64  # what was finished is answered
    assert webui.get_progress()["progress"] == 0


# ---------------------------------------------------------------- Open WebUI, in its own words


def test_open_webui_draws_over_automatic1111(server: Any) -> None:
    """What backend/open_webui/routers/images.py sends with the engine automatic1111, in order."""
    base, auth = f"http://127.0.0.1:{server.port}", {"authorization": "Basic bm9uZTpub25l"}
    with httpx.Client(base_url=base, headers=auth, timeout=60) as web:
        assert web.get("/sdapi/v1/options").is_success  # verify_url
        listed = [(m["title"], m["model_name"]) for m in web.get("/sdapi/v1/sd-models").json()]
        chosen = next(title for title, name in listed if name == "chiaro")
        options = web.get("/sdapi/v1/options").json()  # set_image_model
        before = options["sd_model_checkpoint"]
        assert before != chosen
        for model in (chosen, before):
            options["sd_model_checkpoint"] = model
            assert web.post("/sdapi/v1/options", json=options).is_success
            assert web.get("/sdapi/v1/options").json()["sd_model_checkpoint"] == model
        data = {
            "prompt": "a fox",
            "batch_size": 2,
            "width": 64,
            "height": 64,
            "steps": 50,
            "negative_prompt": "text",
        }
        answer = web.post("/sdapi/v1/txt2img", json=data).json()
        assert [opened(image).size for image in answer["images"]] == [(64, 64)] * 2
        assert json.loads(answer["info"])["steps"] == 50


def test_open_webui_without_a_login_sends_an_empty_one(server: Any) -> None:
    url = f"http://127.0.0.1:{server.port}/sdapi/v1/options"
    assert httpx.get(url, headers={"authorization": ""}).is_success


@pytest.mark.parametrize("form", [{"response_format": "b64_json"}, {"response_format": "url"}])
def test_open_webui_draws_over_openai(server: Any, form: dict[str, str]) -> None:
    """The same file's requests with the engine openai."""
    base = f"http://127.0.0.1:{server.port}/v1"
    headers = {"Authorization": "Bearer x", "Content-Type": "application/json"}
    data = {"model": "fake", "prompt": "a fox", "n": 1, "size": SIZE, **form}
    url = f"{base}/images/generations?api-version=2025-04-01-preview"
    answer = httpx.post(url, json=data, headers=headers, timeout=60).json()
    for image in answer["data"]:
        if link := image.get("url"):
            fetched = httpx.get(link, headers={"Authorization": "Bearer x"})
            assert fetched.headers["content-type"].split("/")[0] == "image"
            assert opened(fetched.content).size == (64, 64)
        else:
            assert opened(image["b64_json"]).size == (64, 64)


@pytest.mark.parametrize("name", ["image", "image[]"])
def test_open_webui_edits_our_own_pictures(server: Any, name: str) -> None:
    """And the forms that it sends to edit one picture, or a list of one."""
    base = f"http://127.0.0.1:{server.port}/v1/images"
    body = {"model": "fake", "prompt": "a fox", "n": 1, "size": SIZE}
    drawn = httpx.post(f"{base}/generations", json=body, timeout=60).json()
    png = base64.b64decode(drawn["data"][0]["b64_json"])
    data = {**body, "prompt": "an owl", "n": "1", "response_format": "b64_json"}
    files = [(name, ("a1b2.png", png, "image/png"))]
    answer = httpx.post(f"{base}/edits", data=data, files=files, timeout=60).json()
    after, before = recipe(opened(answer["data"][0]["b64_json"])), recipe(opened(png))
    assert (after["prompt"], after["seeds"]) == ("an owl", before["seeds"])


# ---------------------------------------------------------------- curl


def curl(*args: str) -> bytes:
    """What curl prints."""
    program = shutil.which("curl")
    if program is None:
        pytest.skip("curl is not installed")
    done = subprocess.run([program, "-sS", "--fail-with-body", *args], capture_output=True)
    assert done.returncode == 0, done
    return done.stdout


def test_curl_draws_follows_and_downloads(server: Any) -> None:
    base = f"http://127.0.0.1:{server.port}/api/v1"
    body = json.dumps({"prompt": "a fox", "model": "fake", "width": 64, "height": 64})
    job = json.loads(curl(f"{base}/jobs", "--json", body))["job"]
    events = curl("-N", f"{base}/jobs/{job['id']}/events").decode()  # ends when the job has
    names = [line.partition(": ")[2] for line in events.splitlines() if line.startswith("event:")]
    assert names[0] == "job" and names[-1] == "job" and "picture" in names
    last = [line for line in events.splitlines() if line.startswith("data:")][-1]
    done = json.loads(last.partition(": ")[2])
    assert done["state"] == "done"
    picture = f"{base}/pictures/{done['pictures'][0]}"
    assert opened(curl(f"{picture}/file")).size == (64, 64)
    assert curl(f"{picture}/file?format=svg").startswith(b"<svg")
    command = json.loads(curl(picture))["commands"]["curl"]
    assert base in command


def test_curl_reads_the_figures(server: Any) -> None:
    base = f"http://127.0.0.1:{server.port}"
    figures = curl(f"{base}/metrics").decode()
    assert 'sfumato_answers_total{method="GET",status="200"}' in figures
    assert "sfumato_workers 1" in figures
    paths = json.loads(curl(f"{base}/api/openapi.json"))["paths"]
    assert {"/api/v1/jobs", "/v1/images/generations", "/sdapi/v1/txt2img", "/healthz"} <= set(paths)
