"""Pictures of AUTOMATIC1111, ComfyUI and InvokeAI, as those programs write them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from sfumato.files import Recipe, read_recipe

CHECKPOINT = {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "v1-5.safetensors"}}
LATENT = {"class_type": "EmptyLatentImage", "inputs": {"width": 512, "height": 768}}


def _text(words: Any) -> dict[str, Any]:
    return {"class_type": "CLIPTextEncode", "inputs": {"text": words, "clip": ["4", 1]}}


def _sampler(**inputs: Any) -> dict[str, Any]:
    links = {"model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0]}
    settings = {"seed": 42, "steps": 20, "cfg": 8.0, "sampler_name": "euler", "scheduler": "normal"}
    return {
        "class_type": "KSampler",
        "inputs": {"latent_image": ["5", 0], **links, **settings, **inputs},
    }


BASE = {"4": CHECKPOINT, "5": LATENT, "6": _text("a fox"), "7": _text("blurry")}
EXPECTED = {
    "prompt": "a fox",
    "negative_prompt": "blurry",
    "seed": 42,
    "steps": 20,
    "cfg_scale": 8.0,
    "sampler": "euler",
    "scheduler": "normal",
    "model": "v1-5.safetensors",
    "width": 512,
    "height": 768,
}


def _png(folder: Path, **texts: str) -> Recipe:
    chunks = PngImagePlugin.PngInfo()
    for key, text in texts.items():
        chunks.add_text(key.replace("sd_metadata", "sd-metadata"), text)
    Image.new("RGB", (8, 8)).save(folder / "x.png", pnginfo=chunks)
    return read_recipe(folder / "x.png")


def test_comfyui_plain(tmp_path: Path) -> None:
    graph = json.dumps({"3": _sampler(), **BASE})
    recipe = _png(tmp_path, prompt=graph, workflow='{"nodes": []}')
    assert recipe.source == "comfyui"
    assert recipe.parameters == EXPECTED
    assert (recipe.text, recipe.plan) == (graph, None)


def test_comfyui_refining_workflow_counts_the_first_pass(tmp_path: Path) -> None:
    upscale = {"class_type": "LatentUpscale", "inputs": {"samples": ["3", 0], "width": 2048}}
    second = _sampler(latent_image=["10", 0], seed=1, denoise=0.5)
    for graph in (
        {"9": second, "10": upscale, "3": _sampler(), **BASE},
        {"3": _sampler(), **BASE, "9": second, "10": upscale},
    ):
        assert _png(tmp_path, prompt=json.dumps(graph)).parameters == EXPECTED


def test_comfyui_texts_behind_other_nodes(tmp_path: Path) -> None:
    control = {
        "class_type": "ControlNetApplyAdvanced",
        "inputs": {"negative": ["7", 0], "positive": ["6", 0], "strength": 1.0},
    }
    graph = {
        "3": _sampler(positive=["8", 0], negative=["8", 1]),
        **BASE,
        "8": control,
        "6": _text(["11", 0]),
        "11": {"class_type": "PrimitiveString", "inputs": {"value": "a fox"}},
    }
    assert _png(tmp_path, prompt=json.dumps(graph)).parameters == EXPECTED


def test_comfyui_custom_sampler(tmp_path: Path) -> None:
    graph = {
        "1": {
            "class_type": "SamplerCustomAdvanced",
            "inputs": {
                "noise": ["2", 0],
                "guider": ["3", 0],
                "sampler": ["8", 0],
                "sigmas": ["9", 0],
                "latent_image": ["5", 0],
            },
        },
        "2": {"class_type": "RandomNoise", "inputs": {"noise_seed": 9}},
        "3": {
            "class_type": "BasicGuider",
            "inputs": {"model": ["12", 0], "conditioning": ["6", 0]},
        },
        "8": {"class_type": "KSamplerSelect", "inputs": {"sampler_name": "heun"}},
        "9": {"class_type": "BasicScheduler", "inputs": {"steps": 4, "scheduler": "simple"}},
        "12": {"class_type": "UNETLoader", "inputs": {"unet_name": "flux.safetensors"}},
        "5": LATENT,
        "6": _text("a fox"),
    }
    assert _png(tmp_path, prompt=json.dumps(graph)).parameters == {
        "prompt": "a fox",
        "seed": 9,
        "steps": 4,
        "sampler": "heun",
        "scheduler": "simple",
        "model": "flux.safetensors",
        "width": 512,
        "height": 768,
    }


def test_comfyui_webp(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0110] = "prompt:" + json.dumps({"3": _sampler(), **BASE})
    Image.new("RGB", (8, 8)).save(tmp_path / "x.webp", exif=exif)
    recipe = read_recipe(tmp_path / "x.webp")
    assert (recipe.source, recipe.parameters) == ("comfyui", EXPECTED)


@pytest.mark.parametrize(
    "graph",
    [
        {"3": _sampler(positive=["3", 0], negative=["8", 0]), "8": _sampler(positive=["3", 0])},
        {"3": {"class_type": "KSampler", "inputs": {"positive": [], "latent_image": [None]}}},
        {"3": {"class_type": 5, "inputs": {"text": ["4", 0]}}, "4": "text", "5": {"inputs": []}},
    ],
)
def test_comfyui_odd_graphs_are_read_as_far_as_they_go(
    graph: dict[str, Any], tmp_path: Path
) -> None:
    recipe = _png(tmp_path, prompt=json.dumps(graph))
    assert recipe.source == "comfyui"
    assert "prompt" not in recipe.parameters


def test_comfyui_workflow_alone(tmp_path: Path) -> None:
    recipe = _png(tmp_path, workflow='{"nodes": []}')
    assert (recipe.source, recipe.parameters, recipe.text) == ("comfyui", {}, '{"nodes": []}')


@pytest.mark.parametrize("text", ["a fox", "[1]", '{"a": 1}', "[" * 100_000])
def test_other_prompts_are_not_comfyui(text: str, tmp_path: Path) -> None:
    assert _png(tmp_path, prompt=text).source == "none"


def test_invokeai_current(tmp_path: Path) -> None:
    values = {
        "app_version": "5.6.0",
        "generation_mode": "sdxl_txt2img",
        "positive_prompt": "a fox",
        "negative_prompt": "",
        "width": 1024,
        "height": 512,
        "seed": 5,
        "cfg_scale": 5.5,
        "steps": 30,
        "scheduler": "dpmpp_2m",
        "model": {"key": "k", "hash": "blake3:0", "name": "Juggernaut"},
    }
    recipe = _png(tmp_path, invokeai_metadata=json.dumps(values))
    assert recipe.source == "invokeai"
    assert recipe.parameters == {
        "prompt": "a fox",
        "negative_prompt": "",
        "seed": 5,
        "steps": 30,
        "sampler": "dpmpp_2m",
        "cfg_scale": 5.5,
        "width": 1024,
        "height": 512,
        "version": "5.6.0",
        "model": "Juggernaut",
    }


def test_invokeai_second(tmp_path: Path) -> None:
    picture = {
        "prompt": [{"prompt": "a fox", "weight": 1.0}, {"prompt": "in snow", "weight": 0.5}],
        "steps": 50,
        "cfg_scale": 7.5,
        "sampler": "k_lms",
        "seed": 8,
        "width": 512,
        "height": 512,
    }
    values = {"model": "stable diffusion", "model_weights": "sd-1.5", "image": picture}
    recipe = _png(tmp_path, sd_metadata=json.dumps(values), Dream='"other" -s 1')
    assert recipe.source == "invokeai"
    assert recipe.parameters["prompt"] == "a fox in snow"
    assert recipe.parameters["model"] == "sd-1.5"
    assert recipe.parameters["sampler"] == "k_lms"


def test_invokeai_first(tmp_path: Path) -> None:
    recipe = _png(
        tmp_path, Dream='"a \\"fox\\" -S 3, day" -s 50 -S 1234 -W 512 -H 640 -C 7.5 -A k_lms'
    )
    assert recipe.source == "invokeai"
    assert recipe.parameters == {
        "prompt": 'a "fox" -S 3, day',
        "steps": 50,
        "seed": 1234,
        "width": 512,
        "height": 640,
        "cfg_scale": 7.5,
        "sampler": "k_lms",
    }


@pytest.mark.parametrize(
    "texts",
    [
        {"invokeai_metadata": "not JSON"},
        {"sd_metadata": '{"image": "none"}'},
        {"Dream": "no quotes -s 50"},
    ],
)
def test_invokeai_damaged_reads_as_nothing(texts: dict[str, str], tmp_path: Path) -> None:
    assert _png(tmp_path, **texts).source == "none"


def test_invokeai_leaves_out_what_is_odd(tmp_path: Path) -> None:
    values = {"positive_prompt": ["a"], "seed": {}, "steps": 3, "model": {"model_name": "old"}}
    recipe = _png(tmp_path, invokeai_metadata=json.dumps(values))
    assert recipe.parameters == {"steps": 3, "model": "old"}
    assert _png(tmp_path, Dream='"fox" -s many -S 1').parameters == {"prompt": "fox", "seed": 1}
    picture = json.dumps({"image": {"prompt": "a fox", "seed": 2}})
    assert _png(tmp_path, sd_metadata=picture).parameters == {"prompt": "a fox", "seed": 2}


@pytest.mark.parametrize(("kind", "source"), [(b"ASCII\0\0\0", "automatic1111"), (b"JIS", "none")])
def test_other_exif_comments(kind: bytes, source: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x8769] = {0x9286: kind + b"a fox\nSteps: 20, CFG scale: 7, Seed: 1\0"}
    Image.new("RGB", (8, 8)).save(tmp_path / "x.jpg", exif=exif)
    recipe = read_recipe(tmp_path / "x.jpg")
    assert recipe.source == source
    assert recipe.parameters.get("seed") == (1 if source == "automatic1111" else None)


@pytest.mark.parametrize("order", ["utf-16-be", "utf-16-le"])
@pytest.mark.parametrize("suffix", ["jpg", "webp"])
def test_automatic1111_in_exif(order: str, suffix: str, tmp_path: Path) -> None:
    text = "a fox\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1"
    exif = Image.Exif()
    exif[0x8769] = {0x9286: b"UNICODE\0" + text.encode(order)}
    Image.new("RGB", (8, 8)).save(tmp_path / f"x.{suffix}", exif=exif)
    recipe = read_recipe(tmp_path / f"x.{suffix}")
    assert (recipe.source, recipe.text) == ("automatic1111", text)
    assert recipe.parameters["sampler"] == "euler_ancestral"


def test_automatic1111_png(tmp_path: Path) -> None:
    recipe = _png(tmp_path, parameters="a fox\nNegative prompt: dog\nSteps: 2, Seed: 1, Size: 8x8")
    assert recipe.source == "automatic1111"
    assert recipe.parameters == {
        "prompt": "a fox",
        "negative_prompt": "dog",
        "steps": 2,
        "seed": 1,
        "width": 8,
        "height": 8,
    }


def test_a_photograph_has_no_recipe(tmp_path: Path) -> None:
    recipe = _png(tmp_path, Comment="holiday")
    assert (recipe.source, recipe.plan, recipe.parameters, recipe.text) == ("none", None, {}, "")
    assert recipe.pixel_sha256 is not None
    assert (recipe.width, recipe.height, recipe.format) == (8, 8, "png")
