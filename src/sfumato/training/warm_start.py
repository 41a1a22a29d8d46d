"""Start from a shipped model: its ONNX weights back in torch, for fine-tuning.

What ships is stored in blocks of 8 or 4 bits (``training/export.py``). Expanding them loses nothing
that matters to further training, so no second, larger copy of the weights has to ship.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from sfumato.atomic import replacing
from sfumato.errors import ModelError
from sfumato.models.catalogue import read_sheet, weight_bytes
from sfumato.training.refiner import Refiner
from sfumato.training.whole_picture import NetConfig, PictureBasis, WholePictureNet


def expand_weights(content: bytes) -> dict[str, NDArray[np.float32]]:
    """Weights of an exported model by their torch names, float32, matrices as (out, in).

    ``MatMulNBits`` stores 8-bit numbers around 128 in (out, blocks, block size), or 4-bit ones
    around 8 in pairs, the lower half of a byte first, and one scale a block (ONNX Runtime contrib
    operator of that name, symmetric form).
    """
    graph = onnx.load_model_from_string(content).graph
    stored = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    widths = {  # numbers a row has; the last block is filled up with zeros
        node.input[1]: onnx.helper.get_node_attr_value(node, "K")
        for node in graph.node
        if node.op_type == "MatMulNBits"
    }
    result: dict[str, NDArray[np.float32]] = {}
    for name, values in stored.items():
        if name.endswith(("_Q8", "_Q4")):
            plain = name[: -len("_Q8")]
            scales = stored[f"{plain}_scales"].reshape(*values.shape[:2], 1)
            if name.endswith("_Q4"):
                values = np.stack([values & 15, values >> 4], axis=-1).reshape(
                    *values.shape[:2], -1
                )
            middle = 128.0 if name.endswith("_Q8") else 8.0
            blocks = (values.astype(np.float32) - middle) * scales
            result[plain] = blocks.reshape(len(values), -1)[:, : widths[name]]
        elif name.endswith("_int8"):
            plain = name.removesuffix("_int8")
            result[plain] = values * stored[f"{plain}_scale"][:, None, None, None]
        elif not name.endswith(("_scale", "_scales")) and values.dtype == np.float32:
            result[name] = values
    return result


def keep_text_encoder(folder: Path, out: Path) -> None:
    """Copy a model's text encoder into a run: what is fine-tuned must read words as it did.

    Raises: ModelError: ``folder`` is no model, or its files are damaged.
    """
    sheet = read_sheet(folder)
    content = {file: weight_bytes(folder, sheet, file) for file in ("text.onnx", "vocab.txt")}
    out.mkdir(parents=True, exist_ok=True)
    for file, whole in content.items():
        with replacing(out / file) as temporary:
            temporary.write_bytes(whole)


def load_shipped(folder: Path, styles: list[str]) -> tuple[WholePictureNet, PictureBasis, Refiner]:
    """Network, basis and refiner of a model folder, ready to train on ``styles``.

    A style the model has keeps its meaning; a new one starts as the mean of those it has; the last
    row ("no style") is kept.

    Raises: ModelError: the folder holds no whole-picture model, or its files are damaged.
    """
    sheet = read_sheet(folder)
    if sheet.get("kind") != "whole-picture":
        raise ModelError(
            f"{folder} is not a whole-picture model, so it cannot be fine-tuned here.",
            hint="Use --from-weights chiaro or a folder written by 'sfumato train export'.",
        )
    flow = expand_weights(weight_bytes(folder, sheet, "flow.onnx"))
    decoder = expand_weights(weight_bytes(folder, sheet, "decoder.onnx"))
    known = flow["style_embed.weight"]  # (styles + 1, cond)
    rows = [
        known[sheet["styles"].index(style)] if style in sheet["styles"] else known[:-1].mean(0)
        for style in styles
    ]
    flow["style_embed.weight"] = np.stack([*rows, known[-1]])

    network = WholePictureNet(NetConfig(**{**sheet["net"], "styles": len(styles) + 1}))
    _fill(network, flow)
    # the operator's (out, in) is the transpose of (components, planes)
    parts = [decoder[name].T for name in ("main", "detail") if name in decoder]
    decoder["basis"] = np.concatenate(parts)
    basis = PictureBasis(decoder["mean"].size, decoder["scale"].size)
    _fill(basis, decoder)
    refiner = Refiner(len(basis.scale))
    _fill(
        refiner, {k.removeprefix("refiner."): v for k, v in decoder.items() if k[:8] == "refiner."}
    )
    return network, basis, refiner


def _fill(module: torch.nn.Module, weights: dict[str, NDArray[np.float32]]) -> None:
    """Load every weight of ``module`` from ``weights``; extras (constants) are left out.

    Raises: ModelError: a weight is missing or has another shape.
    """
    try:
        module.load_state_dict(
            {
                name: torch.from_numpy(np.array(weights[name], order="C"))  # writable
                for name in module.state_dict()
            }
        )
    except (KeyError, RuntimeError) as error:
        raise ModelError(
            f"The model's weights do not fit this version's network: {error}.",
            hint="Use the version of sfumato that exported it.",
        ) from None
