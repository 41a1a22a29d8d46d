"""sguardo's training: which pairs are no mismatch, the loss, a run from folder to model."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from safetensors import safe_open

from sfumato import clip
from sfumato.clip.framing import frame
from sfumato.errors import RequestError, StorageError
from sfumato.registry import PICTURE_TEXT_MODELS, own_picture_text_folder
from sfumato.training.corpus import Corpus
from sfumato.training.loop import LoopConfig
from sfumato.training.picture_text import PRESETS, split_corpus, train
from sfumato.training.picture_text_data import (
    Feed,
    Recipes,
    is_kept_away,
    related_concepts,
)
from sfumato.training.picture_text_export import (
    Framed,
    export_picture_text,
    load_picture_text,
)
from sfumato.training.picture_text_net import (
    Gradients,
    PictureTextConfig,
    PictureTextNet,
    contrastive_loss,
)
from sfumato.training.picture_text_reading import look_once, refit_reading
from sfumato.training.picture_text_views import vary

SHAPES = ("disc", "box", "ring", "bar", "cross", "roof")
TINY = PRESETS["sguardo-tiny"].net


def draw(shape: str, colour: str = "#000", side: int = 64) -> np.ndarray:
    """One shape on nothing."""
    image = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    pen = ImageDraw.Draw(image)
    s = side / 64
    if shape == "disc":
        pen.ellipse((10 * s, 10 * s, 54 * s, 54 * s), colour)
    elif shape == "box":
        pen.rectangle((12 * s, 12 * s, 52 * s, 52 * s), colour)
    elif shape == "ring":
        pen.ellipse((8 * s, 8 * s, 56 * s, 56 * s), outline=colour, width=round(7 * s))
    elif shape == "bar":
        pen.rectangle((6 * s, 26 * s, 58 * s, 38 * s), colour)
    elif shape == "cross":
        pen.rectangle((6 * s, 26 * s, 58 * s, 38 * s), colour)
        pen.rectangle((26 * s, 6 * s, 38 * s, 58 * s), colour)
    else:
        pen.polygon(((32 * s, 8 * s), (58 * s, 52 * s), (6 * s, 52 * s)), colour)
    return np.asarray(image)


def corpus_of(concepts: Sequence[str] = SHAPES) -> Corpus:
    """A black glyph and a red drawing of each shape."""
    rows, pictures = [], []
    for style, colour in (("glyph", "#000"), ("flat", "#d02a2a")):
        for i, concept in enumerate(concepts):
            rows.append(
                {
                    "id": f"{style}:{concept}", "concept": concept, "captions": [concept],
                    "style": style, "pack": style, "split": "train",
                }
            )  # fmt: skip
            pictures.append(draw(SHAPES[i % len(SHAPES)], colour))
    return Corpus(rows, np.stack(pictures), ["flat", "glyph"], np.arange(len(rows)))


def hashed(texts: Sequence[str]) -> np.ndarray:
    """A stand-in for the text encoder: any vector, the same for the same text."""
    return np.stack([np.random.default_rng(list(t.encode())).normal(size=384) for t in texts])


@pytest.fixture(scope="module")
def recipes() -> Recipes:
    return Recipes(corpus_of(), 1500, 0, hashed)


# ---------------------------------------------------------------- which pairs are no mismatch


def find(recipes: Recipes, wanted: Callable[[str], bool]) -> int:
    return next(i for i, s in enumerate(recipes.shown) if wanted(s.recipe.caption))


def test_a_text_about_something_else_is_wrong(recipes: Recipes) -> None:
    disc, box = (find(recipes, lambda c, n=n: c == n) for n in ("disc", "box"))
    table = recipes.no_mismatch(torch.tensor([disc, box]), torch.tensor([disc, box]))
    assert table.tolist() == [[True, False], [False, True]]


def test_another_colour_is_wrong_and_no_colour_is_right(recipes: Recipes) -> None:
    red, blue, plain = (find(recipes, lambda c, n=n: c == n) for n in
                        ("red disc", "blue disc", "disc"))  # fmt: skip
    table = recipes.no_mismatch(torch.tensor([red]), torch.tensor([red, blue, plain]))
    assert table.tolist() == [[True, False, True]]


def test_a_drawing_s_own_colour_counts_although_the_caption_is_silent(recipes: Recipes) -> None:
    drawn = next(
        i for i, s in enumerate(recipes.shown)
        if s.recipe.caption == "disc" and s.recipe.style == "flat" and s.recipe.parts[0].row >= 6
    )  # fmt: skip
    red, blue = (find(recipes, lambda c, n=n: c == n) for n in ("red disc", "blue disc"))
    table = recipes.no_mismatch(torch.tensor([drawn]), torch.tensor([red, blue]))
    assert table.tolist() == [[True, False]]


def test_a_count_that_is_not_there_is_wrong_even_of_a_plain_picture(recipes: Recipes) -> None:
    plain = next(
        i for i, s in enumerate(recipes.shown)
        if s.recipe.caption == "disc" and s.shows == 0
    )  # fmt: skip
    several = find(recipes, lambda c: c.startswith(("two ", "three ")) and "disc" in c)
    red = find(recipes, lambda c: c == "red disc")
    table = recipes.no_mismatch(torch.tensor([plain]), torch.tensor([several, red]))
    assert table.tolist() == [[False, True]]  # it may be red: nobody wrote its colour down


def test_kinds_and_shared_captions_are_related() -> None:
    rows = [
        {"concept": "tree", "captions": ["tree"]},
        {"concept": "palm tree", "captions": ["palm tree", "palm"]},
        {"concept": "beach", "captions": ["beach", "palm"]},
        {"concept": "street", "captions": ["street"]},
    ]
    number = {row["concept"]: i for i, row in enumerate(rows)}
    related = related_concepts(rows, number)
    assert related.tolist() == related.T.tolist()
    assert related[0].tolist() == [True, True, False, False]
    assert related[1].tolist() == [True, True, True, False]
    assert related[3].tolist() == [False, False, False, True]


def test_captions_are_true_of_what_is_painted(recipes: Recipes) -> None:
    for shown in recipes.shown[:300]:
        for number in shown.concepts:
            assert number < 0 or recipes.concepts[number].rstrip("s") in shown.recipe.caption


# ---------------------------------------------------------------- batches


def test_a_batch_fits_together(recipes: Recipes) -> None:
    pictures, texts, masked = Feed(recipes, batch_size=24, others=40, seed=1).batch()
    assert pictures.shape == (24, 4, 64, 64)
    assert texts.shape == (64, 384)
    assert masked.shape == (24, 64)
    assert not masked.diagonal().any()
    assert masked.any()  # six subjects: some of the sixty-four texts are true of a picture
    assert float(pictures.min()) >= 0.0
    assert float((pictures[:, :3] - pictures[:, 3:]).max()) < 1e-5  # premultiplied


def test_batches_are_named_by_their_seed(recipes: Recipes) -> None:
    first, again, other = (
        Feed(recipes, batch_size=8, others=8, seed=s).batch()[0] for s in (3, 3, 4)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_varied_pictures_stay_near_what_a_user_will_show() -> None:
    """The middle of the variations is the framing that looking applies."""
    picture = draw("disc", "#d02a2a")
    random = np.random.default_rng(0)
    varied = vary(np.stack([picture] * 200), [None] * 200, random).mean(0)  # (4, 64, 64)
    framed = torch.from_numpy(frame(picture).copy()).permute(2, 0, 1).float() / 255.0
    assert float((varied - framed).abs().mean()) < 0.09


def test_a_ground_is_opaque_and_never_swallows_the_drawing() -> None:
    red, white = np.float32([[0.82, 0.16, 0.16]] * 2), np.ones((2, 3), np.float32)
    picture = np.stack([draw("disc", "#d02a2a")] * 2)
    on_red, on_white = vary(picture, [red, white], np.random.default_rng(0))
    assert float(on_white[3].min()) == 1.0
    assert float(on_red[3].min()) == 0.0  # too much alike: left transparent


def test_concepts_are_kept_away_by_their_names_alone() -> None:
    kept = [name for name in map(str, range(5000)) if is_kept_away(name)]
    assert 30 <= len(kept) <= 90  # 12 per mille of 5000
    rows = [{"concept": c, "split": "train"} for c in (kept[0], "0 no", kept[1])]
    rows[1]["split"] = "heldout" if is_kept_away("0 no") else "train"
    rows.append({"concept": "fox", "split": "heldout"})
    corpus = Corpus(rows, np.zeros((4, 64, 64, 4), np.uint8), [], np.arange(4))
    _, held = split_corpus(corpus)
    assert [row["concept"] for row in held.rows] == [kept[0], kept[1], "fox"]


# ---------------------------------------------------------------- network and loss


def test_the_loss_is_small_for_the_right_pairs_alone() -> None:
    vectors = torch.eye(8)
    free = torch.zeros(8, 8, dtype=torch.bool)
    scale = torch.tensor(20.0)
    assert float(contrastive_loss(vectors, vectors, scale, free)) < 1e-4
    assert float(contrastive_loss(vectors, vectors.roll(1, 0), scale, free)) > 10


def test_a_masked_pair_does_not_push() -> None:
    pictures = torch.nn.functional.normalize(torch.randn(2, 4), dim=1)
    texts = torch.cat([pictures, pictures[:1]])  # the third text is as right as the first
    masked = torch.zeros(2, 3, dtype=torch.bool)
    scale = torch.tensor(50.0)
    pushed = float(contrastive_loss(pictures, texts, scale, masked))
    masked[0, 2] = True
    assert float(contrastive_loss(pictures, texts, scale, masked)) < pushed - 0.1


def test_gradients_see_shape_and_not_colour() -> None:
    see = Gradients()

    def seen(colour: str, shape: str = "cross") -> torch.Tensor:
        planes = torch.from_numpy(frame(draw(shape, colour)).copy()).permute(2, 0, 1)
        return see(planes[None].float() / 255.0)

    assert seen("#000").shape == (1, 18, 16, 16)
    other = (seen("#000", "disc") - seen("#000")).abs().mean()
    assert float((seen("#2a62d6") - seen("#000")).abs().mean()) < float(other) / 5


def test_folding_changes_nothing() -> None:
    torch.manual_seed(0)
    network = PictureTextNet(PictureTextConfig(widths=(32, 40, 48), blocks=(1, 1, 1))).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.5)
            module.running_var.uniform_(0.5, 2)
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.normal_()
    pictures = torch.randint(0, 256, (3, 64, 64, 4), dtype=torch.uint8)
    with torch.no_grad():
        expected = network.picture(pictures.permute(0, 3, 1, 2).float() / 255.0)
        found = Framed(network.picture).eval()(pictures)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


# ---------------------------------------------------------------- a whole run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty-four drawings with captions in their names."""
    folder = tmp_path_factory.mktemp("mine")
    for shape in SHAPES:
        for name, colour in (("red", "#d02a2a"), ("blue", "#2a62d6"), ("green", "#2e9e45"),
                             ("black", "#111")):  # fmt: skip
            Image.fromarray(draw(shape, colour)).save(folder / f"{name}-{shape}.png")
    return folder


def quiet(_: str) -> None:
    return


@pytest.fixture(scope="module")
def run(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("run") / "clip"
    train(data=folder, out=run, preset="sguardo-tiny", steps=60, device="cpu", say=quiet)
    return run


@pytest.mark.slow
def test_a_run_learns_and_writes_down_what_it_knows(run: Path) -> None:
    lines = [json.loads(line) for line in (run / "figures.jsonl").read_text().splitlines()]
    assert lines[-1]["step"] == 60
    assert lines[-1]["learnt"]["top1"] > 3 / 24  # chance is 1 in 24
    assert (run / "curve.png").exists()
    assert json.loads((run / "run.json").read_text())["kind"] == "picture-text"


@pytest.mark.slow
def test_a_run_is_gone_on_with(run: Path, folder: Path, tmp_path: Path) -> None:
    said: list[str] = []
    with pytest.raises(StorageError, match="holds a run already"):
        train(data=folder, out=run, preset="sguardo-tiny", device="cpu", say=quiet)
    loop = train(
        data=folder, out=run, preset="sguardo-tiny", steps=64, resume=True, device="cpu",
        say=said.append,
    )  # fmt: skip
    assert loop.step == 64
    assert any("continuing at step 60" in line for line in said)
    # what it reads is fitted to what it sees now, and is not begun again for nothing
    assert {folder.name for folder in (run / "reading").iterdir()} == {"60", "64"}
    said.clear()
    train(
        data=folder, out=run, preset="sguardo-tiny", steps=64, resume=True, device="cpu",
        say=said.append,
    )  # fmt: skip
    assert not any("once more" in line for line in said)


def test_the_last_stage_moves_words_to_their_pictures_and_leaves_the_pictures(
    recipes: Recipes, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    network = PictureTextNet(TINY)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_var.fill_(0.1)  # random weights, yet pictures that differ
    network.eval()
    pictures = {k: v.clone() for k, v in network.picture.state_dict().items()}

    def mean_cosine() -> float:
        seen = look_once(network, recipes, 64, 5)
        with torch.no_grad():
            read = network.read(torch.from_numpy(recipes.vectors[recipes.caption_of]))
        return float((seen * read).sum(1).mean())

    before = mean_cosine()
    config = LoopConfig(steps=60, learning_rate=3e-3, warmup_steps=5, bf16=False, ema_decay=0.9)
    refit_reading(network, recipes, tmp_path, config, batch_size=64, others=64, say=quiet)
    assert mean_cosine() > before + 0.1
    for name, value in network.picture.state_dict().items():
        assert torch.equal(value, pictures[name]), name


@pytest.mark.slow
def test_a_run_becomes_a_model_that_is_found_by_name(run: Path, folder: Path) -> None:
    out = own_picture_text_folder() / "mine"
    errors = export_picture_text(run=run, out=out, data=folder, name="mine", say=quiet)
    assert errors["picture"] < 0.05
    assert "mine" in PICTURE_TEXT_MODELS
    model = PICTURE_TEXT_MODELS.resolve("mine")("mine")
    assert isinstance(model, clip.PictureTextModel)
    assert model.calibration is None  # 24 pictures: none was held out
    network = load_picture_text(run)
    shown = [draw(shape, "#2a62d6", 128) for shape in SHAPES]
    planes = torch.from_numpy(np.stack([frame(p) for p in shown])).permute(0, 3, 1, 2)
    with torch.no_grad():
        expected = network.picture(planes.float() / 255.0).numpy()
    cosines = (model.encode_pictures(shown) * expected).sum(1)
    assert cosines.min() > 0.995
    sheet = json.loads((out / "model.json").read_text())
    assert sheet["dimensions"] == TINY.dimensions == model.spec.dimensions
    assert sheet["trained_on"]["pictures"] == 24
    for name in sheet["files"]:
        content = (out / name).read_bytes()
        assert str(Path.cwd().anchor + "work").encode() not in content
        assert b"site-packages" not in content


def test_what_cannot_be_trained_or_exported_is_said(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="no preset 'huge'"):
        train(data=folder, out=tmp_path / "r", preset="huge", say=quiet)
    with pytest.raises(StorageError, match=r"run\.json is missing"):
        export_picture_text(run=tmp_path, out=tmp_path / "m", data=folder, say=quiet)
    assert not (tmp_path / "m").exists()


@pytest.mark.slow
def test_two_processes_share_a_run(folder: Path, tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    command = [
        *(sys.executable, "-m", "sfumato", "train", "clip", "--data", str(folder), "--steps", "6"),
        *("--out", str(tmp_path / "shared"), "--preset", "sguardo-tiny", "--device", "cpu"),
    ]

    def start(rank: int) -> subprocess.Popen[bytes]:
        distributed = {"RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_RANK": str(rank)}
        environment = {**os.environ, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, **distributed}
        environment |= {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)

    said = [process.communicate(timeout=300)[0] for process in (start(0), start(1))]
    assert b"finished" in said[0]
    assert said[1] == b""
    lines = (tmp_path / "shared" / "figures.jsonl").read_text().splitlines()
    assert json.loads(lines[-1])["step"] == 6
    with safe_open(tmp_path / "shared" / "state.safetensors", "pt") as opened:
        progress = json.loads(opened.metadata()["progress"])
    assert progress["samples"] == 6 * 2 * PRESETS["sguardo-tiny"].batch_size
