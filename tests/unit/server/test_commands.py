"""A recipe as commands: each draws the picture that it stands beside."""

from __future__ import annotations

import json
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sfumato.cli.main import run
from sfumato.files import read_recipe
from sfumato.generate import generate
from sfumato.models import spec_of
from sfumato.plan import make_plan, vary_plan
from sfumato.request import GenerationPlan, GenerationRequest
from sfumato.server.commands import commands_of

BASE = "http://127.0.0.1:7860/"
REQUESTS: list[dict[str, Any]] = [
    {"prompt": "a red fox"},
    {"prompt": "-dash and 'quotes' \"both\" $HOME", "num_inference_steps": 2},
    {"prompt": "app icon of a rocket", "background": "#1d4ed8", "style": "striped"},
    {"prompt": "a fox on a navy circle", "negative_prompt": "text", "guidance_scale": 3.0},
    {"prompt": "two\nlines", "sampler": "heun", "scheduler": "cosine", "background": "white"},
    {"prompt": "eine Füchsin, 狐", "width": 64, "height": 32},
]


def plan_of(**values: Any) -> GenerationPlan:
    request = GenerationRequest(model="fake", seed=7, **{"width": 48, "height": 48, **values})
    return make_plan(request, spec_of("fake"))


def told(plan: GenerationPlan) -> dict[str, str]:
    found = commands_of(plan, file_name="a-fox-7.png", base=BASE)
    assert found is not None
    return found


def typed(line: str) -> Any:
    """The exit code of a command line."""
    program, *arguments = shlex.split(line)
    assert program == "sfumato"
    with pytest.raises(SystemExit) as ended:
        run(arguments)
    return ended.value.code


@pytest.mark.parametrize("values", REQUESTS, ids=lambda values: values["prompt"][:12])
def test_every_command_draws_the_same_pixels(
    values: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_of(**values)
    wanted = generate(plan).images[0].pixel_sha256
    commands = told(plan)
    monkeypatch.chdir(tmp_path)

    assert typed(commands["cli"]) == 0
    (drawn,) = Path().glob("*.png")
    assert read_recipe(drawn).pixel_sha256 == wanted

    exec(commands["python"], {})
    assert read_recipe(Path("picture.png")).pixel_sha256 == wanted

    words = shlex.split(commands["curl"])
    assert words[:2] == ["curl", f"{BASE}api/v1/jobs"]
    body = json.loads(words[words.index("-d") + 1])
    assert generate(GenerationRequest(**body)).images[0].pixel_sha256 == wanted


def test_a_variation_is_drawn_again_from_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = vary_plan(plan_of(prompt="a red fox"), strength=0.25, num_images=1, seed=3)
    image = generate(plan).images[0]
    monkeypatch.chdir(tmp_path)
    image.save("a-fox-7.png")
    assert typed(told(plan)["cli"]) == 0
    assert read_recipe(Path("again.png")).pixel_sha256 == image.pixel_sha256
    exec(told(plan)["python"], {})
    assert read_recipe(Path("picture.png")).pixel_sha256 == image.pixel_sha256


def test_only_curl_shows_a_key_and_only_its_name() -> None:
    plan = plan_of(prompt="a red fox for $SFUMATO_KEY")
    open_, locked = (
        commands_of(plan, file_name="f.png", base=BASE, with_key=wanted) for wanted in (False, True)
    )
    assert open_ is not None and locked is not None
    said = subprocess.run(
        ["sh", "-c", f"curl() {{ printf '%s\\n' \"$@\"; }}; {locked['curl']}"],
        env={"SFUMATO_KEY": "sf-secret"}, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    assert said[said.index("-H") + 1] == "Authorization: Bearer sf-secret"
    assert json.loads(said[-1])["prompt"] == "a red fox for $SFUMATO_KEY"  # the words stay words
    assert "Authorization" not in open_["curl"]
    assert (locked["cli"], locked["python"]) == (open_["cli"], open_["python"])


def test_a_recipe_that_no_request_gives_has_no_commands() -> None:
    plan = plan_of(prompt="a red fox")
    assert commands_of(replace(plan, subject="a hen"), file_name="f.png", base=BASE) is None
    assert commands_of(replace(plan, model="gone"), file_name="f.png", base=BASE) is None
