"""The full model's run, at its smallest: stages, resumption, pieces, packing."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

torch = pytest.importorskip("torch")

from safetensors.torch import load_file

from sfumato.clip.sentences import SentenceEncoder
from sfumato.errors import RequestError, StorageError
from sfumato.training import bank as bank_module
from sfumato.training import full as full_module
from sfumato.training.bank import Bank, BankPlan, prepare_bank
from sfumato.training.feed import Feed, TextTable
from sfumato.training.full import FULL_PRESETS, stage_at, train_full
from sfumato.training.pack import (
    draw_pictures,
    join_pieces,
    main,
    pack,
    split_file,
    unpack,
)

COLOURS = ("#000", "#000", "#c22", "#28c", "#000", "#2a4")
NAMES = ("disc", "hat", "red ball", "blue box", "bell", "green leaf")


def quiet(_: str) -> None:
    return


@pytest.fixture(autouse=True)
def encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for the text encoder: states that depend on each word alone."""

    class Encoder(SentenceEncoder):
        def __init__(self, _: Path) -> None:
            pass

        def states(self, text: str) -> np.ndarray:
            words = text.split()[:24]
            digests = [hashlib.sha256(word.encode()).digest() for word in words]
            seeds = [int.from_bytes(d[:4], "big") for d in digests]
            rows = [np.random.default_rng(s).normal(size=384) for s in seeds]
            return np.array(rows, np.float32)

    monkeypatch.setattr("sfumato.training.bank.open_encoder", Encoder)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Six SVGs with a manifest, and a text folder that says the encoder is there."""
    folder = tmp_path / "data"
    (folder / "text").mkdir(parents=True)
    for name in ("text.onnx", "vocab.txt"):
        (folder / "text" / name).write_bytes(name.encode())
    rows, svgs = [], []
    for i, (name, colour) in enumerate(zip(NAMES, COLOURS, strict=True)):
        style = "glyph" if colour == "#000" else "flat"
        rows.append({"captions": [name], "concept": name, "style": style, "split": "train"})
        shape = f'<circle cx="32" cy="32" r="{12 + 3 * i}" fill="{colour}"/>'
        svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64">{shape}</svg>'
        svgs.append({"id": str(i), "svg": svg})
    (folder / "manifest.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    with gzip.open(folder / "svg.jsonl.gz", "wt") as lines:
        lines.writelines(json.dumps(s) + "\n" for s in svgs)
    return folder


def train(data: Path, out: Path, **changes: object):
    given = {"preset": "full-tiny", "steps": 6, "batch_size": 4, "say": quiet, **changes}
    return train_full(data=data, out=out, **given)


# ---------------------------------------------------------------- the run


def test_a_run_goes_through_all_stages_and_leaves_what_it_promises(
    data: Path, tmp_path: Path
) -> None:
    out, said = tmp_path / "run", []
    loop = train(data, out, say=said.append)
    assert loop.step == 6
    assert [line for line in said if line.startswith("stage")] == [
        "stage: 16 px",
        "stage: 32 px",
        "stage: curated, distilled",
    ]
    card = json.loads((out / "run.json").read_text())
    assert card["kind"] == "transformer"
    assert card["distilled"] is True
    assert card["styles"] == ["flat", "glyph"]
    assert card["net"]["styles"] == 3
    weights = load_file(out / "ema.safetensors")
    assert {v.dtype for v in weights.values()} == {torch.float16}
    for name, value in loop.ema_state().items():
        assert torch.equal(weights[name], value.half()), name
    with Image.open(out / "sheet.png") as sheet:
        assert sheet.size == (len(full_module.SHEET_PROMPTS) * 32, 2 * 32)
    assert (out / "teacher.safetensors").exists()


def stop_after(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Send this process SIGTERM while it fetches the batch of that step."""
    original, calls = Feed.next, []

    def next_then_signal(feed: Feed):
        calls.append(1)
        if len(calls) == steps:
            os.kill(os.getpid(), signal.SIGTERM)
        return original(feed)

    monkeypatch.setattr(Feed, "next", next_then_signal)


def test_a_signal_saves_and_the_same_call_continues(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    before = signal.getsignal(signal.SIGTERM)
    with monkeypatch.context() as patch:
        stop_after(2, patch)
        loop = train(data, tmp_path / "run", say=said.append)
    assert loop.step == 2
    assert said[-1].startswith("stopped at step 2")
    assert signal.getsignal(signal.SIGTERM) is before
    said.clear()
    assert train(data, tmp_path / "run", say=said.append).step == 6
    assert "continuing at step 2" in said
    assert train(data, tmp_path / "run", steps=2, resume=False).step == 2


def test_a_cut_in_the_last_stage_keeps_its_teacher(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        stop_after(9, patch)
        assert train(data, out, steps=10).step == 9
    teacher = (out / "teacher.safetensors").read_bytes()
    train(data, out, steps=10)
    assert (out / "teacher.safetensors").read_bytes() == teacher
    # a longer budget goes back to an earlier stage and then takes a teacher of its own
    train(data, out, steps=40)
    assert (out / "teacher.safetensors").read_bytes() != teacher


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"preset": "huge"}, "no preset 'huge'"), ({"batch_size": 5}, "cannot be shared")],
)
def test_what_cannot_be_trained_is_refused(
    data: Path, tmp_path: Path, changes: dict, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(full_module, "join_processes", lambda device: device)
    with pytest.raises(RequestError, match=message):
        train(data, tmp_path / "run", **changes)


@pytest.mark.parametrize("name", FULL_PRESETS)
def test_stages_share_the_whole_budget_and_only_the_last_one_distils(name: str) -> None:
    preset = FULL_PRESETS[name]
    assert sum(s.share for s in preset.stages) == pytest.approx(1.0)
    assert [s.distil for s in preset.stages] == [False, False, True]
    assert preset.loop.decay_share == pytest.approx(preset.stages[-1].share)
    assert preset.stages[-1].side == preset.net.side
    edge = preset.stages[0].share
    assert stage_at(preset.stages, 0.0) is preset.stages[0]
    assert stage_at(preset.stages, edge - 1e-3) is preset.stages[0]
    assert stage_at(preset.stages, edge) is preset.stages[1]
    assert stage_at(preset.stages, 1.0) is preset.stages[-1]


# ---------------------------------------------------------------- words and batches


def test_the_bank_gives_every_recipe_the_states_of_its_caption(data: Path, tmp_path: Path) -> None:
    draw_pictures(data, (64,))
    plan = BankPlan(recipes=40, curated=10, seed=5, extra=("red fox",))
    bank = prepare_bank(data, tmp_path / "bank", data / "text", plan, say=quiet)
    encoder, table = bank_module.open_encoder(data / "text"), TextTable(bank, "cpu")
    for number in (0, 7, 39, 40, 49):
        text, mask = table.look_up(torch.tensor([number]))
        expected = encoder.states(bank.recipe(number).caption).astype(np.float16)
        assert int(mask.sum()) == len(expected)
        assert torch.equal(text[0, : len(expected)], torch.from_numpy(expected).float())
    text, _ = table.look_up(torch.from_numpy(bank.extra_numbers()))
    assert torch.equal(text[0, :2], torch.from_numpy(encoder.states("red fox")).half().float())


def test_a_bank_is_made_again_only_for_another_plan(data: Path, tmp_path: Path) -> None:
    draw_pictures(data, (64,))
    said: list[str] = []
    plan = BankPlan(recipes=10, curated=2, seed=5)
    for wanted in (plan, plan, BankPlan(recipes=11, curated=2, seed=5)):
        prepare_bank(data, tmp_path / "bank", data / "text", wanted, say=said.append)
    assert len(said) == 2
    assert Bank(tmp_path / "bank").plan.recipes == 11


def test_a_bank_cut_short_is_made_again(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw_pictures(data, (64,))
    plan, other = (BankPlan(recipes=10, curated=2, seed=seed) for seed in (5, 6))
    folder = tmp_path / "bank"
    prepare_bank(data, folder, data / "text", plan, say=lambda _: None)
    whole = {path.name: path.read_bytes() for path in folder.iterdir()}

    def killed(*_: object) -> None:
        raise OSError("killed")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="killed"):
        patch.setattr(bank_module, "_plain", killed)  # the states of the other are there
        prepare_bank(data, folder, data / "text", other, say=lambda _: None)
    prepare_bank(data, folder, data / "text", plan, say=lambda _: None)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == whole


def test_several_processes_draw_and_list_what_one_does(data: Path, tmp_path: Path) -> None:
    draw_pictures(data, (64,))
    one = np.load(data / "pictures-64.npy")
    (data / "pictures-64.npy").unlink()
    draw_pictures(data, (64, 32), processes=2)
    assert np.array_equal(np.load(data / "pictures-64.npy"), one)
    subjects = bank_module.read_subjects(bank_module.read_manifest(data), one)
    plan = BankPlan(recipes=700, curated=0, seed=1)
    listed = bank_module._list_captions(subjects, plan, 2)
    assert listed == bank_module._list_captions(subjects, plan, 1)


def test_a_batch_follows_the_stage(data: Path, tmp_path: Path) -> None:
    draw_pictures(data, (64, 32, 16))
    plan = BankPlan(recipes=30, curated=10, seed=5)
    prepare_bank(data, tmp_path / "bank", data / "text", plan, say=quiet)
    feed = Feed(
        data,
        tmp_path / "bank",
        ["flat", "glyph"],
        batch_size=5,
        seed=(1, 2),
        device="cpu",
        workers=0,
    )
    for side, curated in ((16, False), (32, True)):
        feed.set_stage(side, curated)
        batch = feed.next()
        assert batch.pictures.shape == (5, side, side, 4)
        assert batch.pictures.dtype == torch.uint8
        assert batch.text.shape == (5, 24, 384)
        assert set(batch.style.tolist()) <= {0, 1}
    feed.close()


def test_pictures_without_vectors_are_averaged_down(data: Path) -> None:
    draw_pictures(data, (64,))
    (data / "svg.jsonl.gz").unlink()
    draw_pictures(data, (32,))
    small, large = np.load(data / "pictures-32.npy"), np.load(data / "pictures-64.npy")
    alpha = large[..., 3].reshape(6, 32, 2, 32, 2).mean((2, 4))
    assert np.abs(small[..., 3] - alpha).max() <= 0.5
    with pytest.raises(StorageError, match="128 px"):
        draw_pictures(data, (128,))


# ---------------------------------------------------------------- packing


def test_what_is_unpacked_is_what_was_packed(data: Path, tmp_path: Path) -> None:
    draw_pictures(data, (64,))
    size = pack(data, tmp_path / "pack", encoder=data / "text")
    assert size == sum(p.stat().st_size for p in (tmp_path / "pack").iterdir())
    unpack(tmp_path / "pack", tmp_path / "again", sides=(64,))
    for name in ("manifest.jsonl", "pictures-64.npy", "text/text.onnx"):
        assert (tmp_path / "again" / name).read_bytes() == (data / name).read_bytes()


def test_a_damaged_pack_is_refused(data: Path, tmp_path: Path) -> None:
    pack(data, tmp_path / "pack", encoder=data / "text")
    (tmp_path / "pack" / "svg.jsonl.xz").write_bytes(b"\x00")
    with pytest.raises(StorageError, match="missing or damaged"):
        unpack(tmp_path / "pack", tmp_path / "again")
    with pytest.raises(StorageError, match="is not a pack"):
        unpack(data, tmp_path / "again")
    card = tmp_path / "pack" / "pack.json"
    digests = json.loads(card.read_text("utf-8"))
    for listed in ({**digests, "svg.jsonl.xz": "0"}, {"vocab.txt": digests["vocab.txt"]}, {}):
        card.write_text(json.dumps(listed), "utf-8")
        with pytest.raises(StorageError, match="missing or damaged"):
            unpack(tmp_path / "pack", tmp_path / "again")
    card.write_text("[]", "utf-8")
    with pytest.raises(StorageError, match="is not a pack"):
        unpack(tmp_path / "pack", tmp_path / "again")


def test_a_pack_above_the_limit_is_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="limit"):
        pack(data, tmp_path / "pack", encoder=data / "text", limit=100)


def test_a_file_comes_back_from_its_pieces(tmp_path: Path) -> None:
    path = tmp_path / "ema.safetensors"
    path.write_bytes(bytes(range(250)))
    (tmp_path / "ema.safetensors.009").write_bytes(b"left over from a larger file")
    pieces = split_file(path, limit=100)
    assert [p.stat().st_size for p in pieces] == [100, 100, 50]
    path.unlink()
    assert join_pieces(path).read_bytes() == bytes(range(250))
    pieces[1].unlink()
    with pytest.raises(StorageError, match="not complete"):
        join_pieces(path)


def test_the_suitcase_has_a_command_line(data: Path, tmp_path: Path) -> None:
    runner = CliRunner()
    encoder = ["--encoder", str(data / "text")]
    packed = runner.invoke(main, ["pack", str(data), str(tmp_path / "pack"), *encoder])
    assert packed.exit_code == 0, packed.output
    again = ["unpack", str(tmp_path / "pack"), str(tmp_path / "again"), "--side", "64"]
    unpacked = runner.invoke(main, [*again, "--processes", "1"])
    assert unpacked.exit_code == 0, unpacked.output
    assert "6 pictures" in unpacked.output
