"""The training loop: exact resumption, averaging, a kill at any moment, several processes."""

from __future__ import annotations

import json
import os
import pickle
import socket
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from safetensors import safe_open
from safetensors.torch import load_file

from sfumato.training import loop as loop_module
from sfumato.training.loop import Ema, Loop, LoopConfig, rate_factor


def make_loop(out: Path, steps: int, **changes: object) -> Loop:
    """A loop over a network of two layers whose weights come from a fixed seed."""
    torch.manual_seed(3)
    network = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.SiLU(), torch.nn.Linear(8, 2))
    config = {"steps": steps, "warmup_steps": 2, "bf16": False, "ema_every": 2, **changes}
    return Loop(network, out, LoopConfig(**config), "cpu")


def loss_of(loop: Loop):
    """A loss whose data depends on the step alone, so that a resumed run sees the same."""

    def loss() -> torch.Tensor:
        random = torch.Generator().manual_seed(loop.step)
        x = torch.randn(16, 4, generator=random)
        return (loop.network(x) - x[:, :2].square()).square().mean()

    return loss


def run(loop: Loop) -> Loop:
    loop.run(loss_of(loop), batch_size=16, say=lambda _: None)
    return loop


class Killed(Exception):
    """Stands for a process that ends between two steps."""


@pytest.mark.parametrize("optimiser", ["adamw", "muon"])
def test_a_resumed_run_has_exactly_the_weights_of_an_uninterrupted_one(
    tmp_path: Path, optimiser: str
) -> None:
    whole = run(make_loop(tmp_path / "whole", 20, optimiser=optimiser))

    first = make_loop(tmp_path / "cut", 20, optimiser=optimiser)

    def until_nine() -> torch.Tensor:
        if first.step == 9:
            raise Killed
        return loss_of(first)()

    with pytest.raises(Killed):
        first.run(until_nine, batch_size=16, say=lambda _: None)
    first.save()
    second = make_loop(tmp_path / "cut", 20, optimiser=optimiser)
    assert second.resume()
    assert second.step == 9
    run(second)

    for name, value in whole.network.state_dict().items():
        assert torch.equal(value, second.network.state_dict()[name]), name
        assert torch.equal(whole.ema_state()[name], second.ema_state()[name]), name


def test_nothing_is_resumed_from_an_empty_folder(tmp_path: Path) -> None:
    loop = make_loop(tmp_path, 3)
    assert not loop.resume()
    assert loop.step == 0


def test_the_average_follows_its_formula() -> None:
    network = torch.nn.Linear(1, 1, bias=False)
    ema = Ema(network, 0.9)
    expected = network.weight.item()
    for update, value in enumerate([1.0, 3.0, -2.0], start=1):
        with torch.no_grad():
            network.weight.fill_(value)
        ema.update(network)
        decay = min(0.9, (1 + update) / (10 + update))
        expected = decay * expected + (1 - decay) * value
    assert ema.weights["weight"].item() == pytest.approx(expected, rel=1e-6)


def test_the_average_is_kept_in_float32() -> None:
    network = torch.nn.Linear(2, 2).to(torch.bfloat16)
    ema = Ema(network, 0.5)
    ema.update(network)
    assert all(v.dtype == torch.float32 for v in ema.weights.values())


def test_the_rate_warms_up_stays_and_falls_to_zero() -> None:
    config = LoopConfig(warmup_steps=10, decay_share=0.5)
    assert rate_factor(0.0, 0, config) == pytest.approx(0.1)
    assert rate_factor(0.3, 50, config) == 1.0
    assert rate_factor(0.75, 90, config) == pytest.approx(0.5)
    assert rate_factor(1.0, 100, config) == 0.0


def test_a_checkpoint_is_tensors_and_json_and_nothing_is_pickled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a checkpoint went through pickle")

    for module, name in ((pickle, "dump"), (pickle, "load"), (torch, "save"), (torch, "load")):
        monkeypatch.setattr(module, name, refuse)
    out = tmp_path / "run"
    run(make_loop(out, 4))
    assert make_loop(out, 8).resume()
    assert {p.name for p in out.iterdir()} <= {"state.safetensors", "curve.png"}
    with safe_open(out / "state.safetensors", "pt") as opened:
        assert json.loads(opened.metadata()["progress"])["step"] == 4


def test_half_a_file_of_a_killed_process_does_not_stop_resumption(tmp_path: Path) -> None:
    run(make_loop(tmp_path, 4))
    left = tmp_path / ".sfumato-0123456789abcdef.tmp"
    left.write_bytes(b"\x00" * 100)
    loop = make_loop(tmp_path, 6)
    assert loop.resume()
    assert loop.step == 4
    run(loop)
    assert not left.exists()


def test_a_failure_while_saving_keeps_the_last_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(make_loop(tmp_path, 4))
    before = (tmp_path / "state.safetensors").read_bytes()

    def fill_the_disk(_: object, path: Path, **__: object) -> None:
        Path(path).write_bytes(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr(loop_module, "save_file", fill_the_disk)
    loop = make_loop(tmp_path, 8)
    assert loop.resume()
    with pytest.raises(OSError, match="no space left"):
        run(loop)
    assert (tmp_path / "state.safetensors").read_bytes() == before
    assert not list(tmp_path.glob(".*"))


def test_a_loss_that_is_not_finite_ends_the_run(tmp_path: Path) -> None:
    loop = make_loop(tmp_path, 4)

    def loss() -> torch.Tensor:
        return next(loop.network.parameters()).sum() * float("nan")

    with pytest.raises(RuntimeError, match="not finite at step 0"):
        loop.run(loss, batch_size=1, say=lambda _: None)


_PROCESS = """
import sys, warnings
warnings.simplefilter("ignore")
import torch
from pathlib import Path
from safetensors.torch import save_file
from sfumato.training.loop import Loop, LoopConfig

torch.set_num_threads(1)
out, size, start = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
torch.manual_seed(3)
network = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.SiLU(), torch.nn.Linear(8, 2))
config = LoopConfig(steps=1, bf16=False, clip_norm=1e9)
loop = Loop(network, out, config, "cpu")
x = torch.randn(16, 4, generator=torch.Generator().manual_seed(0))[start : start + size]
loop.run(lambda: (network(x) - x[:, :2]).square().mean(), batch_size=size, say=lambda _: None)
gradients = {name: p.grad for name, p in network.named_parameters()}
save_file(gradients, out.with_suffix(f".{loop.rank}"))
"""


@pytest.mark.slow
def test_two_processes_have_the_gradient_of_one_with_the_doubled_batch(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])

    def start(name: str, rank: int, world: int, size: int, first: int) -> subprocess.Popen[bytes]:
        distributed = {"RANK": str(rank), "WORLD_SIZE": str(world), "LOCAL_RANK": str(rank)}
        environment = {**os.environ, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, **distributed}
        environment["PYTHONPATH"] = os.pathsep.join(p for p in sys.path if p)
        arguments = [sys.executable, "-c", _PROCESS, str(tmp_path / name), str(size), str(first)]
        return subprocess.Popen(arguments, env=environment)

    both = [start("two", 0, 2, 8, 0), start("two", 1, 2, 8, 8)]
    alone = start("one", 0, 1, 16, 0)
    assert [p.wait(timeout=300) for p in (*both, alone)] == [0, 0, 0]
    one = load_file(tmp_path / "one.0")
    first, second = load_file(tmp_path / "two.0"), load_file(tmp_path / "two.1")
    for name, gradient in one.items():
        assert torch.equal(first[name], second[name]), name
        torch.testing.assert_close(first[name], gradient, rtol=1e-5, atol=1e-7)
