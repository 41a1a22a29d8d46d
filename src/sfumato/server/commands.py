"""A picture's recipe as something to type elsewhere: a command line, Python, ``curl``.

Each draws the same pixels. What the model decides by itself is written out as well, so that the
text still draws this picture when a default changes.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import fields
from typing import Any

from sfumato.errors import SfumatoError
from sfumato.models import spec_of
from sfumato.plan import request_of
from sfumato.request import GenerationPlan, GenerationRequest

_FLAGS = {
    "seed": "--seed",
    "num_inference_steps": "--steps",
    "guidance_scale": "--guidance",
    "temperature": "--temperature",
    "negative_prompt": "--negative",
    "style": "--style",
    "background": "--background",
    "model": "--model",
    "sampler": "--sampler",
    "scheduler": "--scheduler",
}


def commands_of(
    plan: GenerationPlan, *, file_name: str, base: str, with_key: bool = False
) -> dict[str, str] | None:
    """``cli``, ``python`` and ``curl``; None where no request draws the plan.

    ``base`` is this server's address with a slash at its end, ``file_name`` what the picture is
    called when it is downloaded: the command line varies a file, not a seed. ``with_key``: the
    server wants a key. Only ``curl`` asks it, and takes the key from the shell's ``SFUMATO_KEY``.
    """
    try:
        request = request_of(plan, spec_of(plan.model))
    except SfumatoError:
        return None  # edited by hand, drawn by another version, or its model is not here
    options = _given(request)
    arguments = ", ".join(f"{name}={value!r}" for name, value in options.items())
    # double quotes: the shell puts the key in, and no text that is passed around holds it
    key = '-H "Authorization: Bearer $SFUMATO_KEY" ' if with_key else ""
    body = json.dumps({"prompt": request.prompt, **options}, ensure_ascii=False)
    return {
        "cli": _again(file_name) if plan.variation_seeds else _shell(request, options),
        "python": f"import sfumato\n\nsfumato.generate({request.prompt!r}, {arguments})"
        '.images[0].save("picture.png")',
        "curl": f"curl {shlex.quote(base + 'api/v1/jobs')} {key}"
        f"-H 'Content-Type: application/json' -d {shlex.quote(body)}",
    }


def _given(request: GenerationRequest) -> dict[str, Any]:
    """The fields but the prompt that are not what leaving them out would mean."""
    blank = GenerationRequest(prompt=request.prompt)
    values = {field.name: getattr(request, field.name) for field in fields(request)}
    return {name: value for name, value in values.items() if value != getattr(blank, name)}


def _shell(request: GenerationRequest, options: dict[str, Any]) -> str:
    words = ["sfumato", "draw", "--size", f"{request.width}x{request.height}"]
    for name, flag in _FLAGS.items():
        if name in options:
            words += [flag, str(options[name])]
    # words that begin with a dash are no option
    return shlex.join([*words, *(["--"] if request.prompt.startswith("-") else []), request.prompt])


def _again(file_name: str) -> str:
    """A variation has no options on the command line: it is drawn again from the file."""
    return shlex.join(["sfumato", "redo", file_name, "-o", "again.png"])
