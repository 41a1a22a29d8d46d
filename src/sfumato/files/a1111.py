"""The ``parameters`` text that AUTOMATIC1111's web UI made common: print it and parse it.

    <prompt, any number of lines>
    Negative prompt: <text, any number of lines>
    Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x512, Model: name

Printing what was parsed gives a text that parses to the same thing. Source:
``modules/infotext_utils.py`` of stable-diffusion-webui (grammar only; the code is our own and
bounded in its work, because the text comes from strangers' files).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

NEGATIVE = "Negative prompt:"
_FEWEST_PAIRS = 3  # fewer on the last line and the line is part of the prompt
_MOST_PAIRS, _LONGEST_LINE = 256, 64 * 1024  # a line beyond either is prose, not parameters
_PAIR = re.compile(r'\s*(\w[\w \-/]*[\w\-/])\s*:\s*("(?:\\.|[^\\"])*"\s*|[^,]*)(?:,|$)')

# Their names for the samplers we have too.
SAMPLER_NAMES = {
    "euler": "Euler",
    "euler_ancestral": "Euler a",
    "heun": "Heun",
    "dpmpp_2m": "DPM++ 2M",
}
_OUR_SAMPLERS = {theirs: ours for ours, theirs in SAMPLER_NAMES.items()}


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


_FIELDS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "Steps": ("steps", int),
    "Sampler": ("sampler", lambda name: _OUR_SAMPLERS.get(name, name)),
    "Schedule type": ("scheduler", str.lower),
    "CFG scale": ("cfg_scale", _finite),
    "Seed": ("seed", int),
    "Model hash": ("model_hash", str),
    "Model": ("model", str),
    "Variation seed": ("variation_seed", int),
    "Variation seed strength": ("variation_strength", _finite),
    "Denoising strength": ("denoising_strength", _finite),
    "Version": ("version", str),
}
_SIZE = re.compile(r"(\d{1,6})x(\d{1,6})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """The three parts of the text. ``values`` keeps the order and the names of the file."""

    prompt: str = ""
    negative_prompt: str = ""
    values: Mapping[str, str] = field(default_factory=dict)


def print_parameters(parameters: Parameters) -> str:
    """The text, without a line for an empty negative prompt or for no values."""
    lines = [parameters.prompt]
    if parameters.negative_prompt:
        lines.append(f"{NEGATIVE} {parameters.negative_prompt}")
    if parameters.values:
        lines.append(", ".join(f"{key}: {_quote(v)}" for key, v in parameters.values.items()))
    return "\n".join(lines)


def parse_parameters(text: str) -> Parameters:
    """Split a ``parameters`` text; never fails, because every text is at least a prompt."""
    lines = text.strip().split("\n")
    values = _parse_values(lines[-1])
    if values:
        lines.pop()
    for number, line in enumerate(lines):
        if line.lstrip().startswith(NEGATIVE):
            first = line.lstrip()[len(NEGATIVE) :]
            negative = "\n".join([first, *lines[number + 1 :]])
            prompt = "\n".join(lines[:number])
            return Parameters(
                prompt=prompt.strip(), negative_prompt=negative.strip(), values=values
            )
    return Parameters(prompt="\n".join(lines).strip(), values=values)


def normalise(parameters: Parameters) -> dict[str, Any]:
    """Our names and Python's types; a value that does not convert stays under its own name."""
    found: dict[str, Any] = {
        "prompt": parameters.prompt,
        "negative_prompt": parameters.negative_prompt,
    }
    for key, value in parameters.values.items():
        size = _SIZE.fullmatch(value)
        if key == "Size" and size:
            found["width"], found["height"] = int(size[1]), int(size[2])
            continue
        name, convert = _FIELDS.get(key, (key, str))
        try:
            found[name] = convert(value)
        except ValueError:
            found[key] = value
    return found


def _parse_values(line: str) -> dict[str, str]:
    """The ``key: value`` pairs of one line, or nothing when it does not look like parameters."""
    values: dict[str, str] = {}
    position = 0
    if len(line) > _LONGEST_LINE:
        return {}
    for _ in range(_MOST_PAIRS):
        pair = _PAIR.match(line, position)
        if pair is not None:
            values[pair[1]] = _unquote(pair[2].strip())
            position = pair.end()
        else:
            position = line.find(",", position) + 1 or len(line)
        if position == len(line):
            return values if len(values) >= _FEWEST_PAIRS else {}
    return {}


def _quote(value: str) -> str:
    plain = value == value.strip() and not value.startswith('"')
    if value and plain and not any(mark in value for mark in ",:\n"):
        return value
    return json.dumps(value, ensure_ascii=False)


def _unquote(value: str) -> str:
    if len(value) < 2 or not (value.startswith('"') and value.endswith('"')):
        return value
    try:
        plain = json.loads(value)
    except ValueError:
        return value
    return plain if isinstance(plain, str) else value
