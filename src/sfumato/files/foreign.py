"""Recipes of ComfyUI and InvokeAI, as far as a picture of theirs tells.

Both store JSON that users and extensions extend freely, so nothing is required to be there: what
is found is returned under our names, what is not is left out. Damaged JSON reads as no recipe.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

# ---------------------------------------------------------------- ComfyUI

_Graph = Mapping[str, Mapping[str, Any]]

# The first of these found while walking up from the sampler is the one that counts.
_COMFY_INPUTS = {
    "seed": "seed",
    "noise_seed": "seed",
    "steps": "steps",
    "cfg": "cfg_scale",
    "guidance": "cfg_scale",
    "sampler_name": "sampler",
    "scheduler": "scheduler",
    "denoise": "denoising_strength",
    "width": "width",
    "height": "height",
    "ckpt_name": "model",
    "unet_name": "model",
}
_COMFY_TEXT = ("text", "text_g", "t5xxl", "clip_l", "string", "value", "prompt")


def read_comfyui(texts: Mapping[str, str]) -> tuple[dict[str, Any], str] | None:
    """Parameters and raw JSON from the keywords ``prompt`` (the executed graph) and ``workflow``.

    In a workflow that refines, the sampler that counts is the first pass: the one farthest up.
    """
    graph = _graph(texts.get("prompt", ""))
    workflow = _object(texts.get("workflow", ""))
    if not graph:
        return ({}, texts["workflow"]) if "nodes" in workflow else None
    sampler = next((node for node in graph if _is_sampler(graph, node)), None)
    if sampler is None:
        return {}, texts["prompt"]
    earlier = [node for node in _above(graph, sampler) if _is_sampler(graph, node)]
    return _comfy_parameters(graph, earlier[-1] if earlier else sampler), texts["prompt"]


def _comfy_parameters(graph: _Graph, sampler: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for role, name in (("positive", "prompt"), ("negative", "negative_prompt")):
        text = _comfy_text(graph, sampler, role)
        if text is not None:
            found[name] = text
    for node in (sampler, *_above(graph, sampler)):
        for key, value in graph[node]["inputs"].items():
            name = _COMFY_INPUTS.get(key, "")
            if name and isinstance(value, (str, int, float)):
                found.setdefault(name, value)
    return found


def _comfy_text(graph: _Graph, sampler: str, role: str) -> str | None:
    """The nearest text up the sampler's ``positive`` or ``negative`` link.

    Where a node has inputs for both roles (a ControlNet, a guider), only ours is followed.
    """
    for node in (sampler, *_above(graph, sampler, role)):
        inputs = graph[node]["inputs"]
        for key in _COMFY_TEXT:
            if node != sampler and isinstance(inputs.get(key), str):
                return str(inputs[key])
    return None


def _above(graph: _Graph, start: str, role: str | None = None) -> Iterator[str]:
    """Every node that ``start`` depends on, nearest first, each once."""
    seen, queue = {start}, deque([start])
    while queue:
        node = queue.popleft()
        if node != start:
            yield node
        inputs = graph[node]["inputs"]
        wanted = inputs
        if role is not None:
            # a guider has "conditioning" alone: that is the positive one
            roles = {"positive", "negative"} & inputs.keys()
            if roles:
                wanted = {role: inputs[role]} if role in roles else {}
            elif "guider" in inputs:
                wanted = {"guider": inputs["guider"]}
            elif "conditioning" in inputs and role == "negative" and "Guider" in _kind(graph, node):
                wanted = {}
        for value in wanted.values():
            if isinstance(value, list) and value and str(value[0]) in graph:
                above = str(value[0])
                if above not in seen:
                    seen.add(above)
                    queue.append(above)


def _is_sampler(graph: _Graph, node: str) -> bool:
    inputs = graph[node]["inputs"]
    return "Sampler" in _kind(graph, node) and ("latent_image" in inputs or "positive" in inputs)


def _kind(graph: _Graph, node: str) -> str:
    return str(graph[node].get("class_type", ""))


def _graph(text: str) -> dict[str, dict[str, Any]]:
    """The executed graph: nodes by id, those without a table of inputs left out."""
    return {
        name: node
        for name, node in _object(text).items()
        if isinstance(node, dict) and isinstance(node.get("inputs"), dict) and "class_type" in node
    }


# ---------------------------------------------------------------- InvokeAI

_INVOKE_NAMES = {
    "positive_prompt": "prompt",
    "negative_prompt": "negative_prompt",
    "seed": "seed",
    "steps": "steps",
    "scheduler": "sampler",  # InvokeAI's word for the update rule
    "sampler": "sampler",
    "cfg_scale": "cfg_scale",
    "width": "width",
    "height": "height",
    "strength": "denoising_strength",
    "app_version": "version",
}
_DREAM = re.compile(r'^\s*"((?:\\.|[^"\\])*)"(.*)', re.DOTALL)
_DREAM_FLAG = re.compile(r"(?:^|\s)-([sSWHCA])\s*(\S+)")
_DREAM_NAMES: dict[str, tuple[str, type]] = {
    "s": ("steps", int),
    "S": ("seed", int),
    "W": ("width", int),
    "H": ("height", int),
    "C": ("cfg_scale", float),
    "A": ("sampler", str),
}


def read_invokeai(texts: Mapping[str, str]) -> tuple[dict[str, Any], str] | None:
    """Parameters and raw text of InvokeAI 3+, 2.x (``sd-metadata``) or 1.x (``Dream``)."""
    for key, read in (
        ("invokeai_metadata", _invoke_current),
        ("sd-metadata", _invoke_second),
        ("Dream", _invoke_first),
    ):
        if key in texts and (parameters := read(texts[key])):
            return parameters, texts[key]
    return None


def _invoke_current(text: str) -> dict[str, Any]:
    values = _object(text)
    found = _renamed(values)
    model = values.get("model")
    if isinstance(model, dict):
        model = model.get("name") or model.get("model_name")
    if isinstance(model, str):
        found["model"] = model
    return found


def _invoke_second(text: str) -> dict[str, Any]:
    values = _object(text)
    picture = values.get("image")
    if not isinstance(picture, dict):
        return {}
    found = _renamed({**picture, "app_version": values.get("app_version")})
    prompt = picture.get("prompt")
    if isinstance(prompt, list):  # weighted parts
        parts = [part.get("prompt") for part in prompt if isinstance(part, dict)]
        prompt = " ".join(part for part in parts if isinstance(part, str))
    if isinstance(prompt, str):
        found["prompt"] = prompt
    if isinstance(values.get("model_weights"), str):
        found["model"] = values["model_weights"]
    return found


def _invoke_first(text: str) -> dict[str, Any]:
    """A command line: ``"a prompt" -s 50 -S 1234 -W 512 -H 512 -C 7.5 -A k_lms``."""
    line = _DREAM.match(text)
    if line is None:
        return {}
    found: dict[str, Any] = {"prompt": re.sub(r"\\(.)", r"\1", line[1])}
    for flag, value in _DREAM_FLAG.findall(line[2]):
        name, convert = _DREAM_NAMES[flag]
        try:
            found[name] = convert(value.rstrip(","))
        except ValueError:
            continue
    return found


def _renamed(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        ours: values[theirs]
        for theirs, ours in _INVOKE_NAMES.items()
        if isinstance(values.get(theirs), (str, int, float))
    }


def _object(text: str) -> dict[str, Any]:
    """A JSON object, or an empty one where the text is anything else."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}
