"""ONNX Runtime sessions as sfumato uses them: on the CPU, one thread each, errors in our words.

Several pictures or texts are worked on side by side instead; so the number of threads changes
nothing in a result.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfumato.errors import BackendError, ModelError


def open_session(network: bytes) -> Any:
    """A one-thread session on the CPU.

    Raises: ModelError: ONNX Runtime cannot start the network.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own errors share no public base class
        raise ModelError(
            f"ONNX Runtime cannot start the model: {error}.",
            hint="Upgrade it: pip install -U onnxruntime",
        ) from error


def run_session(session: Any, **feed: NDArray[Any]) -> NDArray[np.float32]:
    """The first output of a session.

    Raises: BackendError: ONNX Runtime stopped.
    """
    try:
        result: NDArray[np.float32] = session.run(None, feed)[0]
    except Exception as error:  # as above
        raise BackendError(
            f"ONNX Runtime stopped: {error}.", hint="Run 'sfumato doctor' to check the install."
        ) from error
    return result
