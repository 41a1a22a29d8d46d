"""Turn a picture-text run into the folder that ``clip.sguardo`` reads.

Normalisation is folded into the convolutions, weights are stored in 8 bits with one scale an
output channel and computed with in float32, and the finished file is held against the network that
was trained. The calibration is fitted through the finished files, on pictures nobody trained on.
"""

from __future__ import annotations

import copy
import hashlib
import json
import shutil
import tempfile
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import nn

from sfumato.clip.calibration import Calibration, fit_calibration
from sfumato.clip.framing import SIDE
from sfumato.clip.sentences import WIDTH, open_encoder
from sfumato.clip.sessions import open_session, run_session
from sfumato.clip.sguardo import TEXT_FILES, TEXT_FOLDER
from sfumato.errors import StorageError
from sfumato.training.corpus import Corpus, read_corpus
from sfumato.training.export import averaged_weights, forget_origin
from sfumato.training.picture_text import QUESTIONS, Gallery, make_gallery, split_corpus
from sfumato.training.picture_text_net import (
    Convolution,
    PictureNet,
    PictureTextConfig,
    PictureTextNet,
)
from sfumato.training.picture_text_reading import kept_reading, take_reading

_OPSET = 21
_FILES = ("picture.onnx", "reading.onnx")
_LARGE = 2048  # numbers from which on a weight is stored in 8 bits
_WRONG = 20  # wrong subjects that each picture is calibrated against
_FEWEST = 30  # pictures without which a calibration would say nothing


class Framed(nn.Module):
    """The picture half as it ships: from framed pixels to unit vectors."""

    def __init__(self, picture: PictureNet) -> None:
        super().__init__()
        self.picture = fold_normalisation(picture)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """(B, 64, 64, 4) uint8 premultiplied to (B, D) unit vectors."""
        return self.picture(pictures.permute(0, 3, 1, 2).float() / 255.0)


def export_picture_text(
    *,
    run: Path,
    out: Path,
    data: Path,
    name: str = "sguardo",
    about: Mapping[str, Any] | None = None,
    say: Callable[[str], None] = print,
) -> dict[str, float]:
    """Write the shipped form of ``run`` into ``out``; returns how far it is from the network.

    Args:
        run: folder of a run of ``sfumato train clip``.
        data: what it was trained on: the calibration uses what was held out of it.
        about: more fields for ``model.json`` (summary, licence, measured quality).

    Raises: StorageError: the run is incomplete.
    """
    card_path = run / "run.json"
    if not card_path.exists():
        raise StorageError(
            f"{card_path} is missing, so this run cannot be exported.",
            hint="Train first: sfumato train clip --data DIR --out RUN",
        )
    card = json.loads(card_path.read_text("utf-8"))
    network = load_picture_text(run)
    out.mkdir(parents=True, exist_ok=True)
    random = torch.Generator().manual_seed(0)
    say("picture half")
    framed = Framed(copy.deepcopy(network.picture)).eval()
    # real pictures are smooth, noise is not: blocks of one colour come nearer to them
    blocks = torch.randint(0, 256, (4, 4, 4, 4), generator=random, dtype=torch.uint8)
    pictures = blocks.repeat_interleave(SIDE // 4, 1).repeat_interleave(SIDE // 4, 2)
    errors = {"picture": _export(framed, pictures, "pictures", out / "picture.onnx")}
    say("text half")
    sentences = nn.functional.normalize(torch.randn(4, WIDTH, generator=random), dim=-1)
    errors["reading"] = _export(network.read, sentences, "sentences", out / "reading.onnx")
    if not (data / "manifest.jsonl").exists():
        data = run / "data"  # somebody's own folder: the set that was made of it
    attribution = data / "ATTRIBUTION.md"
    if attribution.exists():
        shutil.copyfile(attribution, out / "ATTRIBUTION.md")
    say("calibration")
    calibration = _calibrate(out, data)
    sheet = {
        "format": 1,
        "kind": "picture-text",
        "name": name,
        "summary": "trained with 'sfumato train clip'",
        "licence": "that of the pictures it was trained on",
        "dimensions": network.config.dimensions,
        "picture_size": SIDE,
        "logit_scale": round(float(network.scale().detach()), 4),
        "parameters": sum(p.numel() for p in network.parameters()),
        "net": card["net"],
        "trained_on": {key: card[key] for key in ("pictures", "concepts", "packs")},
        "export_error": errors,
        "text": {file: _sha256(TEXT_FOLDER / file) for file in TEXT_FILES},
        "calibration": None if calibration is None else calibration.to_sheet(),
        **(about or {}),
        "files": {
            file: {"sha256": _sha256(out / file), "bytes": (out / file).stat().st_size}
            for file in _FILES
        },
    }
    text = json.dumps(sheet, indent=1, ensure_ascii=False)
    (out / "model.json").write_text(text + "\n", "utf-8")
    return errors


def load_picture_text(run: Path) -> PictureTextNet:
    """The averaged network of a run, ready to look.

    Raises: StorageError: there is no checkpoint.
    """
    card = json.loads((run / "run.json").read_text("utf-8"))
    sizes = {k: tuple(v) if isinstance(v, list) else v for k, v in card["net"].items()}
    network = PictureTextNet(PictureTextConfig(**sizes))
    network.load_state_dict(averaged_weights(run))
    reading = kept_reading(run)
    if reading is not None:
        take_reading(network, reading)
    return network.eval()


def fold_normalisation(module: nn.Module) -> nn.Module:
    """Replace each ``Convolution`` inside by a plain one that does the same, in place.

    What batch normalisation does at inference is a scale and a shift of each channel.
    """
    for name, child in module.named_children():
        if isinstance(child, Convolution):
            norm = child.norm
            scale = norm.weight / (norm.running_var + norm.eps).sqrt()  # (out,)
            plain = nn.Conv2d(child.inputs, len(scale), 3, child.stride, padding=1)
            weight = child.matrix.view(plain.weight.shape) * scale[:, None, None, None]
            plain.weight.data = weight.detach().clone()
            plain.bias.data = (norm.bias - norm.running_mean * scale).detach().clone()
            setattr(module, name, plain)
        else:
            fold_normalisation(child)
    return module


def shrink_weights(model: onnx.ModelProto) -> None:
    """Store large constant factors in 8 bits, one scale an output channel, in place."""
    outputs = {}  # initializer: the axis that its products' outputs run along
    for node in model.graph.node:
        if node.op_type == "Conv":
            outputs[node.input[1]] = 0
        elif node.op_type == "Gemm":
            flipped = any(a.name == "transB" and a.i for a in node.attribute)
            outputs[node.input[1]] = 0 if flipped else 1
        elif node.op_type == "MatMul":
            outputs[node.input[1]] = 1
    expanding = []
    for tensor in list(model.graph.initializer):
        values = onnx.numpy_helper.to_array(tensor)
        if tensor.name not in outputs or values.size < _LARGE:
            continue
        axis, name = outputs[tensor.name], tensor.name
        others = tuple(i for i in range(values.ndim) if i != axis)
        scale = np.abs(values).max(axis=others) / 127.0 + 1e-12
        shape = [-1 if i == axis else 1 for i in range(values.ndim)]
        whole = np.round(values / scale.reshape(shape)).astype(np.int8)
        tensor.CopyFrom(onnx.numpy_helper.from_array(whole, f"{name}_int8"))
        scales = onnx.numpy_helper.from_array(scale.astype(np.float32), f"{name}_scale")
        model.graph.initializer.append(scales)
        inputs = [f"{name}_int8", f"{name}_scale"]
        expanding.append(onnx.helper.make_node("DequantizeLinear", inputs, [name], axis=axis))
    nodes = [*expanding, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _export(module: nn.Module, sample: torch.Tensor, name: str, path: Path) -> float:
    """Write one ONNX file; the root mean square error of its unit vectors on ``sample``."""
    batch = torch.export.Dim("batch", min=1, max=4096)
    with tempfile.TemporaryDirectory() as scratch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's exporter warns about itself
        full = Path(scratch) / "full.onnx"
        torch.onnx.export(
            module,
            (sample,),
            full,
            dynamo=True,
            input_names=[name],
            output_names=["vectors"],
            dynamic_shapes=({0: batch},),
            opset_version=_OPSET,
            external_data=False,
            verbose=False,
        )
        model = onnx.load(str(full))
    del model.graph.value_info[:]
    shrink_weights(model)
    forget_origin(model)
    onnx.checker.check_model(model, full_check=False)
    onnx.save(model, str(path))
    with torch.no_grad():
        expected = module(sample).numpy()
    found = run_session(open_session(path.read_bytes()), **{name: sample.numpy()})
    return float(np.sqrt(np.mean((found - expected) ** 2) / np.mean(expected**2)))


def _calibrate(out: Path, data: Path) -> Calibration | None:
    """Through the files in ``out``, on subjects that the model knows from several packs.

    Of a subject it was never shown it cannot say much, and icons of the interface are called
    anything; fitted to those, no score would ever be doubtful. Where too few are left all that was
    held out is taken, and none where that is too little.
    """
    learnt, kept = split_corpus(read_corpus(data, None))
    drawn: dict[str, set[str]] = {}
    for row in learnt.rows:
        drawn.setdefault(row["concept"], set()).add(row["pack"])
    known = [i for i, row in enumerate(kept.rows) if len(drawn.get(row["concept"], ())) > 1]
    if len(known) >= _FEWEST:
        kept = Corpus(
            [kept.rows[i] for i in known], kept.pictures[known], kept.styles, kept.numbers[known]
        )
    if len(kept.rows) < _FEWEST:
        return None
    encoder = open_encoder(TEXT_FOLDER)
    gallery = make_gallery(kept, encoder.encode_all)
    session = open_session((out / "picture.onnx").read_bytes())
    parts = range(0, len(gallery.pictures), 64)
    seen = np.concatenate(
        [run_session(session, pictures=gallery.pictures[i : i + 64]) for i in parts]
    )
    reading = open_session((out / "reading.onnx").read_bytes())
    return calibrate(
        seen, run_session(reading, sentences=gallery.questions.reshape(-1, WIDTH)), gallery
    )


def calibrate(
    seen: NDArray[np.float32], asked: NDArray[np.float32], gallery: Gallery
) -> Calibration:
    """Each picture with its own subject and with random wrong ones, in every phrasing.

    Args:
        seen: (N, D) unit vectors of the gallery's pictures.
        asked: (S * Q, D) unit vectors of its questions.
    """
    cosines = (seen @ asked.T).reshape(len(seen), len(gallery.subjects), len(QUESTIONS))
    rows = np.arange(len(seen))
    random = np.random.default_rng(0)
    away = random.integers(1, len(gallery.subjects), (len(seen), _WRONG))
    wrong = (gallery.labels[:, None] + away) % len(gallery.subjects)  # (N, W)
    return fit_calibration(
        cosines[rows, gallery.labels].ravel(), cosines[rows[:, None], wrong].ravel()
    )


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
