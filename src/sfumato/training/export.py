"""From a training run to the files that ship: ONNX, small, checked against torch.

``text.onnx``, ``flow.onnx`` and ``decoder.onnx`` (weights in 8 and 4 bits), ``vocab.txt``,
``concepts.npz`` (what the model was shown) and ``model.json``, which names every file's sha256.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import warnings
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from safetensors.torch import load_file
from torch import nn

from sfumato.errors import StorageError
from sfumato.training.corpus import Corpus, read_corpus
from sfumato.training.refiner import Refiner
from sfumato.training.text import encode_texts
from sfumato.training.whole_picture import (
    Flow,
    NetConfig,
    PictureBasis,
    WholePictureNet,
    planes_to_pixels,
)

_INDEX_WIDTH = 192  # numbers a caption in the concept index keeps, of 384
# Components of the basis that are stored in 8 bits; the others hold a seventh of a drawing's
# energy and are stored in 4, where they stay 48 dB near and weigh half.
_MAIN_COMPONENTS = 128
_FLOW_INPUTS = ("latents", "sigma", "text", "style")
_OPSET = 21
_FILES = ("text.onnx", "vocab.txt", "flow.onnx", "decoder.onnx", "concepts.npz")
# how an exported model draws when nothing else is asked, and what it says of itself
DRAWING_DEFAULTS = {
    "summary": "trained with 'sfumato train chiaro'",
    "licence": "that of the pictures it was trained on",
    "num_inference_steps": 16,
    "guidance_scale": 1.5,
    "temperature": 0.5,  # from all of the noise more synonyms go astray (evals/temperature.py)
    "sampler": "euler",
    "scheduler": "uniform",
}


class Decoder(nn.Module):
    """Latents (B, K) to premultiplied RGBA (B, 4, 256, 256) clipped to 0..1.

    The basis is two matrices here, ``main`` and ``detail``, so that each can have its own bits.
    """

    def __init__(
        self, basis: PictureBasis, refiner: Refiner, main_components: int = _MAIN_COMPONENTS
    ) -> None:
        super().__init__()
        self.refiner = refiner
        self.register_buffer("mean", basis.mean)
        self.register_buffer("scale", basis.scale)
        self.register_buffer("main", basis.basis[:main_components])
        self.register_buffer("detail", basis.basis[main_components:])

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        """See the class."""
        scaled = latents * self.scale
        split = self.main.shape[0]
        planes = self.mean + scaled[:, :split] @ self.main
        if self.detail.shape[0]:  # a basis of few pictures has none
            planes = planes + scaled[:, split:] @ self.detail
        return self.refiner(planes_to_pixels(planes), latents).clamp(0.0, 1.0)


def export(
    *,
    run: Path,
    out: Path,
    data: Path,
    name: str = "chiaro",
    version: str = "1",
    about: Mapping[str, Any] | None = None,
    say: Callable[[str], None] = print,
) -> dict[str, float]:
    """Write the shipped form of ``run`` into ``out``; returns the largest differences to torch.

    Args:
        run: folder of a finished whole-picture run with its refiner in ``run/refiner``.
        data: the training set, for the list of subjects the model knows.
        about: more fields for ``model.json`` (summary, measured quality, training budget).

    Raises: StorageError: the run is incomplete.
    """
    card = json.loads(_need(run / "run.json").read_text("utf-8"))
    network, basis, refiner = load_run(run)
    corpus = read_corpus(data)
    out.mkdir(parents=True, exist_ok=True)

    say("text encoder")
    for file in ("text.onnx", "vocab.txt"):  # the very files the run was trained with
        shutil.copyfile(_need(run / "text" / file), out / file)
    say("flow")
    errors = {"flow": export_flow(network, out / "flow.onnx")}
    say("decoder")
    errors["decoder"] = export_decoder(basis, refiner, out / "decoder.onnx")
    say("concepts")
    write_concepts(corpus, out)
    shutil.copyfile(_need(data / "ATTRIBUTION.md"), out / "ATTRIBUTION.md")
    sheet = {
        "format": 1,
        "kind": "whole-picture",
        "name": name,
        "version": version,
        "components": network.config.components,
        "net": card["net"],
        "styles": card["styles"],
        "native_size": 256,
        "parameters": sum(p.numel() for module in (network, refiner) for p in module.parameters()),
        "export_error": errors,
        **DRAWING_DEFAULTS,
        **(about or {}),
    }
    write_sheet(out, sheet)
    return errors


def export_flow(network: WholePictureNet, path: Path) -> float:
    """Write ``flow.onnx``; returns the largest difference to torch.

    The body is stored in 4 bits, which moves a drawing by half a per cent of its square; the
    refiner learns from such drawings. The edges, where numbers enter and leave, keep 8.
    """
    sample = (
        torch.randn(2, network.config.components),
        torch.tensor([0.9, 0.4]),
        nn.functional.normalize(torch.randn(2, 384), dim=-1),
        torch.zeros(2, dtype=torch.int64),
    )
    body = [name for name, _ in network.named_parameters() if name.startswith("body.")]
    return _export(network, sample, list(_FLOW_INPUTS), "clean", path, four_bits=body)


def shipped_flow(network: WholePictureNet) -> Flow:
    """``network`` as it ships, few bits and all, to be called like the network itself."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "flow.onnx"
        export_flow(network, path)
        session = onnxruntime.InferenceSession(path)

    def flow(*given: torch.Tensor) -> torch.Tensor:
        named = zip(_FLOW_INPUTS, given, strict=True)
        (clean,) = session.run(None, {name: value.numpy() for name, value in named})
        return torch.from_numpy(clean)

    return flow


def export_decoder(basis: PictureBasis, refiner: Refiner, path: Path) -> float:
    """Write ``decoder.onnx``; returns the largest difference to torch."""
    # real latents are small where the basis is fine; noise there would test nothing
    latents = torch.randn(2, len(basis.scale)) * 0.5
    decoder = Decoder(basis, refiner).eval()
    four_bits = ("detail", "refiner.hint.2.weight")
    return _export(decoder, (latents,), ["latents"], "pixels", path, 128, four_bits)


def load_run(run: Path) -> tuple[WholePictureNet, PictureBasis, Refiner]:
    """The averaged networks and the basis of a run.

    Raises: StorageError: a file is missing.
    """
    card = json.loads(_need(run / "run.json").read_text("utf-8"))
    network = WholePictureNet(NetConfig(**card["net"]))
    network.load_state_dict(averaged_weights(run))
    tensors = load_file(_need(run / "basis.safetensors"))
    basis = PictureBasis(tensors["mean"].numel(), tensors["scale"].numel())
    basis.load_state_dict(tensors)
    refiner = Refiner(len(basis.scale))
    refiner.load_state_dict(averaged_weights(run / "refiner"))
    return network.eval(), basis.eval(), refiner.eval()


def averaged_weights(folder: Path) -> dict[str, torch.Tensor]:
    """The moving average stored in a run's checkpoint.

    Raises: StorageError: there is no checkpoint.
    """
    tensors = load_file(_need(folder / "state.safetensors"))
    return {k.removeprefix("ema."): v for k, v in tensors.items() if k.startswith("ema.")}


def write_concepts(corpus: Corpus, out: Path) -> None:
    """``concepts.npz``: captions, the subject and styles behind each, int8 vectors to compare.

    Vectors are projected onto their own first 192 principal directions and normalised again;
    nearest neighbours stay what they are and the file halves.
    """
    styles: dict[str, set[str]] = {}  # of every caption: a subject may be shown in some alone
    captions: dict[str, str] = {row["concept"]: row["concept"] for row in corpus.rows}
    for row in corpus.rows:
        for caption in dict.fromkeys([row["concept"], *row["captions"][:4]]):
            captions.setdefault(caption, row["concept"])
            styles.setdefault(caption, set()).add(row["style"])
    texts = sorted(captions)
    vectors = encode_texts(out, texts)
    _, _, directions = np.linalg.svd(vectors, full_matrices=False)
    directions = directions[:_INDEX_WIDTH].astype(np.float16)
    small = vectors @ directions.T.astype(np.float32)
    small /= np.linalg.norm(small, axis=1, keepdims=True)
    concepts = sorted(set(captions.values()))
    np.savez_compressed(
        out / "concepts.npz",
        captions=np.array("\n".join(texts)),
        concept_of=np.array([concepts.index(captions[t]) for t in texts], np.int16),
        concepts=np.array("\n".join(concepts)),
        styles=np.array("\n".join(",".join(sorted(styles[t])) for t in texts)),
        directions=directions,
        vectors=np.round(small * 127 / np.abs(small).max()).astype(np.int8),
    )


def write_sheet(out: Path, sheet: dict[str, Any]) -> None:
    """``model.json`` with the sha256 and size of every file that drawing reads."""
    files = [out / name for name in sorted(_FILES)]
    sheet["files"] = {
        p.name: {"sha256": hashlib.sha256(p.read_bytes()).hexdigest(), "bytes": p.stat().st_size}
        for p in files
    }
    text = json.dumps(sheet, indent=1, ensure_ascii=False)
    (out / "model.json").write_text(text + "\n", "utf-8")


def _export(
    module: nn.Module,
    sample: tuple[torch.Tensor, ...],
    names: list[str],
    output: str,
    path: Path,
    block_size: int = 64,
    four_bits: Collection[str] = (),
) -> float:
    """Export, shrink, and return the largest difference to torch on ``sample``."""
    batch = torch.export.Dim("batch", min=1, max=256)
    with tempfile.TemporaryDirectory() as scratch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's exporter warns about itself
        full = Path(scratch) / "full.onnx"
        torch.onnx.export(
            module,
            sample,
            full,
            dynamo=True,
            input_names=names,
            output_names=[output],
            dynamic_shapes=tuple({0: batch} for _ in sample),
            opset_version=_OPSET,
            external_data=False,
            verbose=False,
        )
        onnx.save(shrink(onnx.load(str(full)), block_size, four_bits), str(path))
    session = onnxruntime.InferenceSession(str(path))
    feed = {name: value.numpy() for name, value in zip(names, sample, strict=True)}
    with torch.no_grad():
        expected = module(*sample).numpy()
    found = session.run(None, feed)[0]
    size = np.sqrt(np.mean(expected**2))  # nothing, for a network that has not begun to learn
    return float(np.sqrt(np.mean((found - expected) ** 2)) / max(size, 1e-12))


def shrink(
    model: onnx.ModelProto, block_size: int = 64, four_bits: Collection[str] = ()
) -> onnx.ModelProto:
    """Matrices to 8 bits in blocks of ``block_size``, one scale each; convolutions to 8 too.

    Args:
        four_bits: names of matrices that do with 4 bits.
    """
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
    from onnxruntime.quantization.onnx_model import ONNXModel

    wrapped = ONNXModel(model)
    wrapped.replace_gemm_with_matmul()
    del wrapped.model.graph.value_info[:]
    small = wrapped.model
    coarse = [n.name for n in small.graph.node if n.op_type == "MatMul" and n.input[1] in four_bits]
    for bits, left_out in ((8, coarse), (4, [])):  # what is done is no MatMul any more
        quantiser = MatMulNBitsQuantizer(
            small,
            bits=bits,
            block_size=block_size,
            is_symmetric=True,
            accuracy_level=4,
            nodes_to_exclude=left_out,
        )
        quantiser.process()
        small = quantiser.model.model
    _shrink_convolutions(small)
    forget_origin(small)
    onnx.checker.check_model(small, full_check=False)
    return small


def forget_origin(model: onnx.ModelProto) -> None:
    """Remove the exporter's notes: they hold stack traces with the paths of this machine."""
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.input, *graph.output, *graph.initializer):
        del part.metadata_props[:]
        part.doc_string = ""


def _shrink_convolutions(model: onnx.ModelProto) -> None:
    """Store convolution weights in 8 bits, one scale an output channel, expanded at run time."""
    used = {n.input[1] for n in model.graph.node if n.op_type == "Conv"}
    expanding = []
    for tensor in list(model.graph.initializer):
        if tensor.name not in used:
            continue
        values = onnx.numpy_helper.to_array(tensor)
        scale = np.abs(values).max(axis=(1, 2, 3)) / 127.0 + 1e-12
        whole = np.round(values / scale[:, None, None, None]).astype(np.int8)
        name = tensor.name
        tensor.CopyFrom(onnx.numpy_helper.from_array(whole, f"{name}_int8"))
        model.graph.initializer.append(
            onnx.numpy_helper.from_array(scale.astype(np.float32), f"{name}_scale")
        )
        expanding.append(
            onnx.helper.make_node(
                "DequantizeLinear", [f"{name}_int8", f"{name}_scale"], [name], axis=0
            )
        )
    nodes = [*expanding, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _need(path: Path) -> Path:
    if not path.exists():
        raise StorageError(
            f"{path} is missing, so this run cannot be exported.",
            hint="Finish the training first: sfumato train chiaro --out RUN --data DIR",
        )
    return path
