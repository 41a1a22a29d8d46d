"""models, doctor, train and completion: what is here and what works."""

from __future__ import annotations

import importlib
import inspect
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from sfumato import clip
from sfumato.cli import doctor as doctor_module
from sfumato.cli import train as train_module
from sfumato.cli.speed import Speed, known_looking_speed, known_speed
from sfumato.errors import MissingExtraError, ModelError
from sfumato.models import spec_of
from sfumato.registry import MODELS, PICTURE_TEXT_MODELS
from sfumato.request import Finding

Sfumato = Callable[..., Any]  # the fixture: its arguments in, what the call left behind out


# ---------------------------------------------------------------- models


def test_models_says_what_each_is(sfumato: Sfumato) -> None:
    page = sfumato("models").text
    for name in MODELS.names():
        assert f"{name}\n" in page
    for words in ("test cards", "licence MIT", "flat, striped", "speed not measured"):
        assert words in page
    named = [(sheet["kind"], sheet["name"]) for sheet in sfumato("models", "--json").json]
    assert named == [
        *(("drawing", name) for name in MODELS.names()),
        *(("picture-text", name) for name in PICTURE_TEXT_MODELS.names()),
    ]


def test_models_lists_what_looks_with_size_and_licence(sfumato: Sfumato) -> None:
    page = sfumato("models", "sguardo").text
    assert "Models that draw" not in page
    assert "MB · licence MIT · speed not measured" in page
    (sheet,) = sfumato("models", "SGUARDO", "--json").json
    assert sheet["kind"] == "picture-text"
    assert sheet["size_bytes"] == clip.load("sguardo").spec.size_bytes > 0


def test_a_name_of_both_kinds_shows_both(sfumato: Sfumato) -> None:
    assert [sheet["kind"] for sheet in sfumato("models", "fake", "--json").json] == [
        "drawing",
        "picture-text",
    ]


def test_a_path_is_a_checkpoint_that_looks(sfumato: Sfumato, tmp_path: Path) -> None:
    (sheet,) = sfumato("models", str(tmp_path), "--json").json
    assert (sheet["kind"], sheet["name"]) == ("picture-text", str(tmp_path))
    assert sheet["problem"]
    missing = sfumato("models", str(tmp_path / "no"))
    assert missing.code == ModelError("").exit_code
    assert "Choose one of: chiaro, fake, sguardo; or the path" in missing.err


def test_speed_is_measured_when_asked_and_remembered(sfumato: Sfumato) -> None:
    before = sfumato("models", "fake", "--json").json
    assert [sheet["speed"] for sheet in before] == [None, None]
    measured = sfumato("models", "fake", "--measure", "--json").json
    assert measured[0]["speed"]["seconds"] > 0
    assert measured[1]["speed"]["pictures_per_s"] > 0
    assert measured[1]["speed"]["texts_per_s"] > 0
    assert sfumato("models", "fake", "--json").json == measured
    page = sfumato("models", "fake").text
    assert "s a picture on these" in page
    assert "pictures/s, " in page


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{",
        '{"fake": {"seconds": 1}}',
        '{"fake": null}',
        '{"fake": {"model_sha256": "other", "seconds": 1.0, "cores": 2}}',
        '{"picture-text/fake": {"model_sha256": "other"}}',
    ],
)
def test_a_stale_or_damaged_measurement_is_not_shown(home: Path, content: str) -> None:
    path = home / ".cache" / "sfumato" / "speed.json"
    path.parent.mkdir(parents=True)
    path.write_text(content, "utf-8")
    assert known_speed(spec_of("fake")) is None
    assert known_looking_speed(clip.load("fake").spec) is None


def test_a_measurement_of_these_weights_is_shown(home: Path) -> None:
    spec = spec_of("fake")
    path = home / ".cache" / "sfumato" / "speed.json"
    path.parent.mkdir(parents=True)
    speed = {"model_sha256": spec.sha256, "seconds": 1.5, "cores": 2}
    path.write_text(json.dumps({"fake": speed}), "utf-8")
    assert known_speed(spec) == Speed(**speed)


def test_a_model_that_cannot_be_used_does_not_hide_the_others(
    sfumato: Sfumato, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sfumato.errors import ModelError

    def damaged(name: str) -> Any:
        if name == "fake":
            return real(name)
        raise ModelError("The weights are damaged.")

    real = spec_of
    monkeypatch.setattr("sfumato.models.spec_of", damaged)
    page = sfumato("models").text
    assert "cannot be used: The weights are damaged." in page
    assert "flat, striped" in page


# ---------------------------------------------------------------- doctor


def only_fake(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [MODELS.get("fake")]
    monkeypatch.setattr("sfumato.registry.MODELS", entries)


def test_doctor_of_a_healthy_machine(sfumato: Sfumato, monkeypatch: pytest.MonkeyPatch) -> None:
    only_fake(monkeypatch)
    outcome = sfumato("doctor")
    assert outcome.code == 0, outcome.text
    for words in ("python", "numpy", "cores", "drawing with fake", "training", "Everything works."):
        assert words in outcome.text
    found = sfumato("doctor", "--json").json
    assert found["healthy"] is True
    drawn = next(f for f in found["findings"] if f["what"] == "drawing with fake")
    assert drawn["seconds"] > 0


def test_doctor_says_that_it_drew_not_what_the_checks_found(
    sfumato: Sfumato, monkeypatch: pytest.MonkeyPatch
) -> None:
    only_fake(monkeypatch)
    generation = importlib.import_module("sfumato.generate")  # the package shows the function
    found = [Finding(check="near_copy", severity="note", message="Close to 'apple'.")]
    monkeypatch.setattr(generation, "run_checks", lambda *looked_at: found)
    lines = sfumato("doctor").text.splitlines()
    (line,) = (line for line in lines if "drawing with fake" in line)
    assert re.search(r"drew 512×512 \([\d.]+ s\)$", line)


def test_doctor_names_what_is_broken_and_examines_the_rest(
    sfumato: Sfumato, monkeypatch: pytest.MonkeyPatch
) -> None:
    only_fake(monkeypatch)
    monkeypatch.setattr(doctor_module, "PACKAGES", ("numpy", "sfumato-nonsense"))

    def broken(name: str, **options: Any) -> Any:
        raise RuntimeError("no such instruction")

    monkeypatch.setattr(importlib.import_module("sfumato.generate"), "load", broken)
    outcome = sfumato("doctor")
    assert outcome.code == 1
    assert "broken  sfumato-nonsense" in outcome.text
    assert "RuntimeError: no such instruction" in outcome.text
    assert "training" in outcome.text  # what comes after is still examined
    assert "Broken: 2." in outcome.text


def test_doctor_without_the_training_extra_is_healthy(
    sfumato: Sfumato, monkeypatch: pytest.MonkeyPatch
) -> None:
    only_fake(monkeypatch)
    monkeypatch.setattr("sfumato.cli.doctor.util.find_spec", lambda name: None)
    outcome = sfumato("doctor")
    assert outcome.code == 0
    assert "pip install 'sfumato[train]'" in outcome.text


# ---------------------------------------------------------------- train


def fake_room(monkeypatch: pytest.MonkeyPatch, module: str, function: str) -> list[dict[str, Any]]:
    """Put a module in the place of a training module and record what it is called with."""
    calls: list[dict[str, Any]] = []
    room = ModuleType(module)
    setattr(room, function, lambda **options: calls.append(options))
    monkeypatch.setitem(sys.modules, module, room)
    return calls


def test_training_without_torch_names_the_extra(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("needs_torch.py").write_text("import torch\n", "utf-8")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setitem(sys.modules, "torch", None)  # as if it were not installed
    with pytest.raises(MissingExtraError) as missing:
        train_module.call("needs_torch:train")
    assert "pip install 'sfumato[train]'" in missing.value.hint


def test_a_fault_in_training_is_not_mistaken_for_a_missing_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(ModuleNotFoundError, match="nonsense"):
        train_module.call("sfumato.training.nonsense:train")


def test_training_data_is_built_as_asked(
    sfumato: Sfumato, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = fake_room(monkeypatch, "sfumato.training.data.icons", "build_data")
    assert sfumato("train", "data", "icons", "--out", "d", "--preset", "judge").code == 0
    (options,) = calls
    assert (options["out"], options["preset"]) == (Path("d"), "judge")
    assert options["cache"] == Path("d-packs")


def test_export_is_called_as_asked(
    sfumato: Sfumato, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = fake_room(monkeypatch, "sfumato.training.export", "export")
    Path("run").mkdir()
    Path("d").mkdir()
    args = ("train", "export", "run", "--data", "d", "--out", "model", "--name", "mine")
    assert sfumato(*args).code == 0
    assert calls == [{"run": Path("run"), "data": Path("d"), "out": Path("model"), "name": "mine"}]


def test_train_reaches_training_with_every_option(
    sfumato: Sfumato, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = fake_room(monkeypatch, "sfumato.training.run", "train")
    Path("d").mkdir()
    outcome = sfumato(
        *("train", "chiaro", "--data", "d", "--out", "r", "--preset", "tiny", "--minutes", "1.5"),
        *("--steps", "9", "--batch-size", "4", "--device", "cpu", "--from-weights", "chiaro"),
        *("--resume", "--yes"),
    )
    assert outcome.code == 0, outcome.err
    assert calls == [
        {
            "data": Path("d"),
            "out": Path("r"),
            "preset": "tiny",
            "minutes": 1.5,
            "steps": 9,
            "batch_size": 4,
            "device": "cpu",
            "from_weights": "chiaro",
            "resume": True,
            "yes": True,
        }
    ]


@pytest.mark.parametrize(
    ("target", "options"),
    [
        ("sfumato.training.data.icons:build_data", ["out", "preset", "cache", "on_progress"]),
        ("sfumato.training.export:export", ["run", "data", "out", "name"]),
    ],
)
def test_the_real_functions_take_what_the_commands_give(target: str, options: list[str]) -> None:
    pytest.importorskip("torch", reason="the training extra is not installed")
    module, _, function = target.partition(":")
    signature = inspect.signature(getattr(importlib.import_module(module), function))
    signature.bind(**dict.fromkeys(options))


@pytest.mark.parametrize(
    "args",
    [
        ["train", "chiaro", "--data", "missing", "--out", "r"],
        ["train", "chiaro", "--out", "r"],
        ["train", "data", "icons", "--out", "d", "--preset", "nobody"],
        ["train", "nobody"],
    ],
)
def test_mistakes_in_training_commands_are_one_line(
    sfumato: Sfumato, folder: Path, args: list[str]
) -> None:
    outcome = sfumato(*args)
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1


# ---------------------------------------------------------------- completion


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_call_back_into_sfumato(sfumato: Sfumato, shell: str) -> None:
    outcome = sfumato("completion", shell)
    assert outcome.code == 0
    assert f"_SFUMATO_COMPLETE={shell}_complete" in outcome.text


def test_completion_for_an_unknown_shell_is_refused(sfumato: Sfumato) -> None:
    assert sfumato("completion", "tcsh").code == 2


@pytest.mark.parametrize(
    ("words", "incomplete", "expected"),
    [
        ("sfumato draw --sampler", "he", "heun"),
        ("sfumato draw --format", "s", "svg"),
        ("sfumato draw --model fake --style", "str", "striped"),
        ("sfumato --model fake --style", "str", "striped"),
        ("sfumato", "com", "compare"),
        ("sfumato", "--back", "--background"),
    ],
)
def test_names_are_completed(words: str, incomplete: str, expected: str) -> None:
    from click.shell_completion import ShellComplete

    from sfumato.cli.main import cli

    completer = ShellComplete(cli, {}, "sfumato", "_SFUMATO_COMPLETE")
    found = completer.get_completions(words.split()[1:], incomplete)
    assert expected in [item.value for item in found]


def test_bash_completes_through_the_real_program() -> None:
    import os

    answer = subprocess.run(
        [sys.executable, "-m", "sfumato"],
        env={
            **os.environ,
            "_SFUMATO_COMPLETE": "bash_complete",
            "COMP_WORDS": "sfumato draw --scheduler co",
            "COMP_CWORD": "3",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.stdout.strip() == "plain,cosine"
