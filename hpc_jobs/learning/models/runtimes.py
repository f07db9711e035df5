"""Who evaluates a trained network: torch itself, or a runtime that it is exported for.

Every runtime must agree with eager float32 before its speed counts for anything.
"""

import importlib.util
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hpc_jobs.learning.errors import BadInput
from hpc_jobs.learning.models.export import FORCES, INPUT, export_onnx, exported_program
from hpc_jobs.learning.models.inverse_model import InverseModel

Strains = NDArray[np.float32]
Predict = Callable[..., NDArray[np.float32]]
"""Raw strains (n, strain_values), and forces (n, force_values) in N for a network that takes them,
to physical targets (n, targets)."""

AGREEMENT = 1e-4
"""Largest difference from eager float32, share of the target's range."""


class Disagrees(Exception):
    """A backend whose answers are not those of eager float32."""


def eager(model: InverseModel) -> Predict:
    """Evaluate with plain torch."""
    model.eval()
    return _torch(model)


def exported(model: InverseModel) -> Predict:
    """Evaluate the torch.export program."""
    return _torch(exported_program(model).module())


def compiled(model: InverseModel) -> Predict:
    """Evaluate with torch.compile; needs a C++ compiler where it runs."""
    model.eval()
    return _torch(torch.compile(model, dynamic=False))


def onnxruntime(model: InverseModel) -> Predict:
    """Evaluate with ONNX Runtime on the processor."""
    import onnxruntime as runtime

    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    session = runtime.InferenceSession(_onnx(model), options, providers=["CPUExecutionProvider"])

    def predict(*inputs: Strains) -> NDArray[np.float32]:
        named = dict(zip((INPUT, FORCES), inputs, strict=False))
        return np.asarray(session.run(None, named)[0])

    return predict


def openvino(model: InverseModel) -> Predict:
    """Evaluate with OpenVINO on the processor."""
    import openvino as runtime

    core = runtime.Core()
    network = core.compile_model(
        core.read_model(_onnx(model)), "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    )

    def predict(*inputs: Strains) -> NDArray[np.float32]:
        return np.asarray(network(list(inputs))[0])

    return predict


BACKENDS: dict[str, Callable[[InverseModel], Predict]] = {
    "eager": eager,
    "exported": exported,
    "compiled": compiled,
    "onnxruntime": onnxruntime,
    "openvino": openvino,
}
NEEDS: dict[str, tuple[str, ...]] = {
    "onnxruntime": ("onnx", "onnxscript", "onnxruntime"),
    "openvino": ("onnx", "onnxscript", "openvino"),
}
"""Packages beyond the `jobs` extra; those of the `inference` extra suffice for ONNX Runtime."""


def missing(name: str) -> str:
    """Say why a backend cannot run here, with the remedy; empty if it can."""
    absent = [package for package in NEEDS.get(name, ()) if not importlib.util.find_spec(package)]
    return f"{name} needs {', '.join(absent)}: pip install {' '.join(absent)}" if absent else ""


def check_agreement(model: InverseModel, predict: Predict, *inputs: Strains) -> float:
    """Return the largest difference from eager float32, share of the range; raises Disagrees.

    inputs: raw strains, and forces for a network that takes them.
    """
    if not inputs or not len(inputs[0]):
        raise BadInput("no strains to compare a backend on; give some test records")
    expected, found = eager(model)(*inputs), predict(*inputs)
    if found.shape != expected.shape:
        raise Disagrees(f"answers have shape {found.shape}, eager float32's {expected.shape}")
    difference = float(np.abs((found - expected) / model.span.numpy()).max())
    if not difference <= AGREEMENT:
        raise Disagrees(
            f"answers differ from eager float32 by up to {difference:.2g} of the range, more than "
            f"{AGREEMENT:g}; do not use this backend for this network"
        )
    return difference


def _torch(module: Any) -> Predict:
    @torch.no_grad()
    def predict(*inputs: Strains) -> NDArray[np.float32]:
        answer: torch.Tensor = module(*map(torch.from_numpy, inputs))
        return answer.numpy()

    return predict


def _onnx(model: InverseModel) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        export_onnx(model, path)
        return path.read_bytes()
