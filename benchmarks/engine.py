"""How near the networks come to the machine's matmul peak, and what the engine adds around them.

    python benchmarks/engine.py [--model chiaro] [--runs 9]

Three questions, one run, so that each answer is a ratio on the same machine:

- **peak**: what a 1024x1024x1024 float32 product reaches in ONNX Runtime on one thread and on all;
- **networks**: what each network of the model reaches, as a share of the one-thread peak (sfumato
  draws a picture on one thread), and which share of its time plain float32 products of its own
  shapes would take. A network that sees one row at a time is bound by memory, not by arithmetic:
  the second figure says how much of its time is anything but reading weights;
- **engine**: one sampling loop of ours beside a diffusers pipeline, both with guidance, over a
  residual MLP with random weights that costs as much as the model's denoiser; then over a network
  that costs nothing, which leaves the engine alone. Pictures are not compared.

stable-diffusion.cpp runs its own architectures only, so it is compared where one network fits both:
a random-weight ESRGAN upscaler, there and in ONNX Runtime (see ``engine_cpp.py``).

Needs the ``dev`` extra. Operations are counted by running each network once with every product's
shape exposed; a multiply-add is two.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from engine_cpp import compare_with_cpp
from engine_diffusers import DiffusersLoop
from record import ROOT, median, record, seconds_of

sys.path.insert(0, str(ROOT / "src"))

from sfumato.diffusion import guided, initial_noise, noise_for, sample
from sfumato.models import spec_of
from sfumato.models.catalogue import WEIGHTS

SIDE = 1024  # of the product that defines the peak
TOKENS = 8  # words of a prompt
FREE_WIDTH, FREE_COST = 1024, 62e6  # stands in where a model has no network file
BLOCKS = 8
# where each operator has its left and right factors
_PRODUCTS = {
    **dict.fromkeys(("MatMul", "Gemm", "MatMulInteger", "DynamicQuantizeMatMul"), (0, 1)),
    **dict.fromkeys(("MatMulNBits", "Conv", "ConvInteger", "ConvTranspose"), (0, 1)),
    **dict.fromkeys(("QLinearMatMul", "QLinearConv", "QGemm"), (0, 3)),
}

Feed = dict[str, NDArray[Any]]


def make_session(model: onnx.ModelProto, threads: int = 1) -> onnxruntime.InferenceSession:
    """A CPU session with ``threads`` threads (0: one a core)."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def time_runs(work: Callable[[], object], runs: int) -> float:
    """Median seconds of ``work``, after two warm-ups."""
    for _ in range(2):
        work()
    return median([seconds_of(work) for _ in range(runs)])


# ---------------------------------------------------------------- peak


def time_product(rows: int, inner: int, columns: int, runs: int, threads: int = 1) -> float:
    """Seconds of a float32 product (rows, inner) x (inner, columns) with a constant right side."""
    weight = np.random.default_rng(0).standard_normal((inner, columns), dtype=np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "product",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [rows, inner])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [rows, columns])],
        [numpy_helper.from_array(weight, "w")],
    )
    session = make_session(_model(graph), threads)
    x = np.random.default_rng(1).standard_normal((rows, inner), dtype=np.float32)
    return time_runs(lambda: session.run(None, {"x": x}), runs)


def measure_peak(runs: int) -> dict[str, float]:
    """GFLOP/s of the large square product."""
    work = 2 * SIDE**3 / 1e9
    return {
        "one_thread_gflops": round(work / time_product(SIDE, SIDE, SIDE, runs), 1),
        "all_threads_gflops": round(work / time_product(SIDE, SIDE, SIDE, runs, threads=0), 1),
    }


# ---------------------------------------------------------------- networks


def measure_network(path: Path, peak_gflops: float, runs: int) -> dict[str, Any]:
    """Operations, seconds a call and shares of the peak of one ONNX file on one thread."""
    model = onnx.load(path)
    session = make_session(model)
    feed = random_feed(session)
    products = count_products(model, feed)
    operations = sum(2 * count * math.prod(shape) for shape, count in products.items())
    seconds = time_runs(lambda: session.run(None, feed), runs)
    # only two-dimensional products have a plain float32 twin: convolutions are left out
    twins = [(s, c) for s, c in products.items() if len(s) == 3 and min(s[1:]) > 1]
    plain = sum(count * time_product(*shape, runs=runs) for shape, count in twins)
    gflops = operations / seconds / 1e9
    return {
        "mflop": round(operations / 1e6, 1),
        "ms": float(f"{seconds * 1000:.4g}"),
        "gflops": round(gflops, 2),
        "share_of_peak": round(gflops / peak_gflops, 3),
        "plain_fp32_products_ms": float(f"{plain * 1000:.4g}"),
        "megabytes": round(path.stat().st_size / 1e6, 2),
    }


def random_feed(session: onnxruntime.InferenceSession) -> Feed:
    """One row of plausible input for every input of a network."""
    rng = np.random.default_rng(0)
    feed: Feed = {}
    for wanted in session.get_inputs():
        # the first free dimension is the batch, a second one is the length of the text
        free = iter((1, TOKENS, TOKENS))
        shape = [side if isinstance(side, int) else next(free) for side in wanted.shape]
        if "int" in wanted.type:
            feed[wanted.name] = np.ones(shape, np.int64)
        else:
            feed[wanted.name] = rng.random(shape, dtype=np.float32)
    return feed


def count_products(model: onnx.ModelProto, feed: Feed) -> Counter[tuple[int, ...]]:
    """How often each product is computed in one call.

    A matrix product is (rows, inner, columns); a convolution (outputs, multiplications each).
    """
    shapes = find_shapes(model, feed)
    found: Counter[tuple[int, ...]] = Counter()
    for node in model.graph.node:
        if node.op_type not in _PRODUCTS:
            continue
        left, right = (shapes[node.input[at]] for at in _PRODUCTS[node.op_type])
        out = shapes[node.output[0]]
        if node.op_type == "ConvTranspose":
            found[math.prod(left), math.prod(right[1:])] += 1
        elif "Conv" in node.op_type:
            found[math.prod(out), math.prod(right[1:])] += 1
        else:
            found[math.prod(out[:-1]), left[-1], out[-1]] += 1
    return found


def find_shapes(model: onnx.ModelProto, feed: Feed) -> dict[str, tuple[int, ...]]:
    """The shape of every tensor that a product reads or writes, found by running the network."""
    shapes = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    shapes |= {name: value.shape for name, value in feed.items()}
    shapes |= {
        node.output[0]: numpy_helper.to_array(node.attribute[0].t).shape
        for node in model.graph.node
        if node.op_type == "Constant" and node.attribute[0].name == "value"
    }
    wanted = {
        name
        for node in model.graph.node
        if node.op_type in _PRODUCTS
        for name in (*(node.input[at] for at in _PRODUCTS[node.op_type]), node.output[0])
        if name not in shapes
    }
    exposed = onnx.ModelProto()
    exposed.CopyFrom(model)
    there = {output.name for output in exposed.graph.output}
    exposed.graph.output.extend(onnx.ValueInfoProto(name=name) for name in wanted - there)
    options = onnxruntime.SessionOptions()
    # optimised graphs fuse the products that are to be counted
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        exposed.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]
    values = session.run(names, feed)
    return shapes | {name: value.shape for name, value in zip(names, values, strict=True)}


# ---------------------------------------------------------------- engine


def make_weights(width: int, operations: float) -> list[tuple[NDArray[Any], NDArray[Any]]]:
    """Random weights of a residual MLP that costs ``operations`` a row: (in, out) a block."""
    hidden = max(1, round(operations / (4 * width * BLOCKS)))
    rng = np.random.default_rng(0)

    def matrix(rows: int, columns: int) -> NDArray[np.float32]:
        return rng.standard_normal((rows, columns), dtype=np.float32) / np.float32(rows**0.5)

    return [(matrix(width, hidden), matrix(hidden, width) * 0.1) for _ in range(BLOCKS)]


def make_mlp(weights: list[tuple[NDArray[Any], NDArray[Any]]]) -> onnx.ModelProto:
    """``x + sigma``, then ``x + relu(x A) B`` for every block, as ONNX."""
    width = weights[0][0].shape[0]
    nodes = [helper.make_node("Add", ["x", "sigma"], ["h0"])]
    constants = []
    for i, (inwards, outwards) in enumerate(weights):
        constants += [numpy_helper.from_array(inwards, f"a{i}")]
        constants += [numpy_helper.from_array(outwards, f"b{i}")]
        nodes += [
            helper.make_node("MatMul", [f"h{i}", f"a{i}"], [f"u{i}"]),
            helper.make_node("Relu", [f"u{i}"], [f"r{i}"]),
            helper.make_node("MatMul", [f"r{i}", f"b{i}"], [f"d{i}"]),
            helper.make_node("Add", [f"h{i}", f"d{i}"], [f"h{i + 1}"]),
        ]
    last = f"h{len(weights)}"
    graph = helper.make_graph(
        nodes,
        "mlp",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", width]),
            helper.make_tensor_value_info("sigma", TensorProto.FLOAT, [1]),
        ],
        [helper.make_tensor_value_info(last, TensorProto.FLOAT, ["batch", width])],
        constants,
    )
    return _model(graph)


def measure_engine(
    width: int, operations: float, steps: int, scale: float, runs: int
) -> dict[str, Any]:
    """Seconds a picture of our loop and of diffusers', over equal networks, taken in turn."""
    weights = make_weights(width, operations)
    session = make_session(make_mlp(weights))
    theirs = DiffusersLoop(weights)

    def network(x: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
        feed = {"x": x, "sigma": np.array([sigma], np.float32)}
        result: NDArray[np.float32] = session.run(None, feed)[0]
        return result

    def ours(
        predict: Callable[[NDArray[np.float32], float], NDArray[np.float32]],
    ) -> NDArray[np.float32]:
        generators = [noise_for(1)]
        return sample(
            # two calls, as the built-in model does it: each picture is a batch of one
            lambda x, sigma: guided(predict(x, sigma), predict(x, sigma), scale),
            initial_noise(generators, (width,)),
            sampler="euler",
            scheduler="uniform",
            num_inference_steps=steps,
            rngs=generators,
            on_step=lambda step, total, clean: None,
        )

    cases: dict[str, Callable[[], object]] = {
        "sfumato": lambda: ours(network),
        "diffusers_one_thread": lambda: theirs.draw(steps, scale, threads=1),
        "diffusers_all_threads": lambda: theirs.draw(steps, scale, threads=os.cpu_count() or 1),
        "sfumato_free_network": lambda: ours(lambda x, sigma: x),
        "diffusers_free_network": lambda: theirs.draw(steps, scale, threads=1, free=True),
    }
    times: dict[str, list[float]] = {name: [] for name in cases}
    for run in range(runs + 1):
        for name, work in cases.items():
            took = seconds_of(work)
            if run:
                times[name].append(took)

    def ratio(one: str, other: str) -> float:
        return median([b / a for a, b in zip(times[one], times[other], strict=True)])

    return {
        "network_mflop": round(operations / 1e6, 1),
        "steps": steps,
        "guidance": scale,
        "ms_a_picture": {name: median([1000 * t for t in taken]) for name, taken in times.items()},
        "overhead_us_a_step": {
            "sfumato": median([1e6 * t / steps for t in times["sfumato_free_network"]]),
            "diffusers": median([1e6 * t / steps for t in times["diffusers_free_network"]]),
        },
        "diffusers_over_sfumato_one_thread": ratio("sfumato", "diffusers_one_thread"),
        "diffusers_over_sfumato_all_threads": ratio("sfumato", "diffusers_all_threads"),
    }


def _model(graph: onnx.GraphProto) -> onnx.ModelProto:
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    )  # old enough for every ONNX Runtime we support


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="chiaro")
    parser.add_argument("--runs", type=int, default=9)
    options = parser.parse_args()
    spec = spec_of(options.model)
    peak = measure_peak(options.runs)
    networks = {
        path.stem: measure_network(path, peak["one_thread_gflops"], options.runs)
        for path in sorted((WEIGHTS / spec.name).glob("*.onnx"))
    }
    # the denoiser is the one called flow; a model without files gets the stand-in's cost
    denoiser = networks.get("flow")
    figures = {
        "runs": options.runs,
        "peak_fp32": peak,
        "networks": networks or "none: this model has no network files",
        "engine": measure_engine(
            math.prod(spec.latent_shape) if denoiser else FREE_WIDTH,
            1e6 * denoiser["mflop"] if denoiser else FREE_COST,
            spec.num_inference_steps,
            spec.guidance_scale,
            options.runs,
        ),
        "stable_diffusion_cpp": compare_with_cpp(options.runs),
    }
    record("engine", figures, model=options.model)


if __name__ == "__main__":
    main()
