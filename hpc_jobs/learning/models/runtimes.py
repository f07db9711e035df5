"""Who evaluates a trained network: torch itself, or a runtime that it is exported for.

Every runtime must agree with eager float32 before its speed counts for anything.
"""

import copy
import importlib.util
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.export.passes import move_to_device_pass

from hpc_jobs.contract.errors import BadInput, ConfigurationError, ContractError
from hpc_jobs.learning.models.export import export_onnx, exported_program
from hpc_jobs.learning.models.inverse_model import InverseModel
from hpc_jobs.learning.models.static_buckets import StaticBuckets

Values = NDArray[np.float32]
Predict = Callable[..., Values]
"""Raw strains (n, strain_values), and forces (n, force_values) in N for a network that takes them,
to physical targets (n, targets); all in the host's memory."""

CPU = torch.device("cpu")
AGREEMENT = {"float32": 1e-4, "tf32": 1e-2, "bfloat16": 3e-2}
"""Largest difference from eager float32 by precision, share of the target's range."""


class Disagrees(ContractError):
    """A runtime whose answers are not those of eager float32."""


class OnDevice:
    """A module of torch's, asked with arrays in memory; `resident` asks it without transfers."""

    def __init__(self, module: Any, device: torch.device) -> None:
        self._module, self.device = module, device

    def __call__(self, *inputs: Values) -> Values:
        """Send, answer, fetch."""
        answer = self.resident(*self.sent(*inputs))
        return np.asarray(answer.cpu().numpy())

    def sent(self, *inputs: Values) -> tuple[Tensor, ...]:
        """Copy the inputs to the device; on a CPU they stay where they are."""
        return tuple(torch.from_numpy(values).to(self.device) for values in inputs)

    @torch.no_grad()
    def resident(self, *inputs: Tensor) -> Tensor:
        """Answer what lies on the device already; a GPU may still be working on it."""
        with _full_precision(self.device):
            answer: Tensor = self._module(*inputs)
        return answer


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """What a runtime is made of: the network, where to run it, its ONNX file if published."""

    model: InverseModel
    device: torch.device = CPU
    published: bytes | None = None

    @property
    def placed(self) -> InverseModel:
        """The network on the device; the caller's stays where it is."""
        return _placed(self.model, self.device)

    @property
    def onnx(self) -> bytes:
        """The ONNX file, written now if none was published."""
        if self.published is not None:
            return self.published
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "network.onnx"
            export_onnx(_placed(self.model, CPU), path)
            return path.read_bytes()


def eager(subject: Subject) -> Predict:
    """Evaluate with plain torch."""
    return OnDevice(subject.placed, subject.device)


def exported(subject: Subject) -> Predict:
    """Evaluate the torch.export program."""
    program = exported_program(_placed(subject.model, CPU))
    return OnDevice(move_to_device_pass(program, subject.device).module(), subject.device)


def compiled(subject: Subject) -> Predict:
    """Evaluate with torch.compile, which compiles anew for another number of records."""
    return OnDevice(torch.compile(subject.placed, dynamic=False), subject.device)


def cuda_graph(subject: Subject) -> Predict:
    """Evaluate CUDA graphs of fixed batch sizes; padding fills them."""
    with torch.no_grad(), _full_precision(subject.device):
        buckets = StaticBuckets(subject.placed, widths(subject.model), subject.device)
    return OnDevice(buckets, subject.device)


def onnxruntime(subject: Subject) -> Predict:
    """Evaluate with ONNX Runtime on the processor."""
    return _onnx_session(subject.onnx, "CPUExecutionProvider")


def tensorrt(subject: Subject) -> Predict:
    """Evaluate with TensorRT, as a provider of ONNX Runtime's."""
    return _onnx_session(subject.onnx, "TensorrtExecutionProvider")


def openvino(subject: Subject) -> Predict:
    """Evaluate with OpenVINO on the processor."""
    return _openvino(subject.onnx, "f32")


def openvino_bf16(subject: Subject) -> Predict:
    """Evaluate with OpenVINO in bfloat16: eight bits of each number, half the memory."""
    return _openvino(subject.onnx, "bf16")


RUNTIMES: dict[str, Callable[[Subject], Predict]] = {
    "eager": eager,
    "exported": exported,
    "compiled": compiled,
    "cuda_graph": cuda_graph,
    "onnxruntime": onnxruntime,
    "openvino": openvino,
    "openvino_bf16": openvino_bf16,
    "tensorrt": tensorrt,
}
PRECISIONS = {"openvino_bf16": "bfloat16", "tensorrt": "tf32"}
"""Of those that do not keep float32."""
NEEDS: dict[str, tuple[str, ...]] = {
    "onnxruntime": ("onnx", "onnxscript", "onnxruntime"),
    "openvino": ("onnx", "onnxscript", "openvino"),
    "openvino_bf16": ("onnx", "onnxscript", "openvino"),
    "tensorrt": ("onnx", "onnxscript", "onnxruntime", "tensorrt"),
}
"""Packages beyond the `jobs` extra; those of the `inference` extra suffice for ONNX Runtime."""


def open_runtime(name: str, subject: Subject, *inputs: Values) -> Predict:
    """Make a runtime ready and compare it with eager float32 on some inputs.

    Raises ConfigurationError where it cannot run here, Disagrees where its answers differ.
    """
    if name not in RUNTIMES:
        raise ConfigurationError(f"no runtime '{name}'; choose one of {', '.join(RUNTIMES)}")
    if reason := missing(name, subject.device):
        raise ConfigurationError(reason)
    predict = RUNTIMES[name](subject)
    check_agreement(subject.model, predict, *inputs, precision=precision(name))
    return predict


def missing(name: str, device: torch.device = CPU) -> str:
    """Say why a runtime cannot run here, with the remedy; empty if it can."""
    absent = [package for package in NEEDS.get(name, ()) if not importlib.util.find_spec(package)]
    if absent:
        return f"{name} needs {', '.join(absent)}: pip install {' '.join(absent)}"
    if device.type == "cuda" and not torch.cuda.is_available():
        return f"{name} on a GPU: torch {torch.__version__} sees none here; choose the device cpu"
    if name == "cuda_graph" and device.type != "cuda":
        return f"{name} needs an NVIDIA GPU, this is a {device.type}: choose another runtime"
    if name == "tensorrt":
        import onnxruntime as runtime

        if "TensorrtExecutionProvider" not in runtime.get_available_providers():
            return f"{name} needs ONNX Runtime built for GPUs: pip install onnxruntime-gpu"
    return ""


def precision(name: str) -> str:
    """In which a runtime calculates."""
    return PRECISIONS.get(name, "float32")


def check_agreement(
    model: InverseModel, predict: Predict, *inputs: Values, precision: str = "float32"
) -> float:
    """Return the largest difference from eager float32, share of the range; raises Disagrees.

    Asked twice: a runtime that is right once may still answer from memory that it does not own.
    """
    if not inputs or not len(inputs[0]):
        raise BadInput("no strains to compare a runtime on; give some test records")
    expected, differences = eager(Subject(model))(*inputs), []
    for _ in range(2):
        found = predict(*inputs)
        if found.shape != expected.shape:
            raise Disagrees(f"answers have shape {found.shape}, eager float32's {expected.shape}")
        differences.append(np.abs((found - expected) / model.span.cpu().numpy()).max())
    difference = float(np.max(differences))  # NaN if one is
    if not difference <= AGREEMENT[precision]:
        raise Disagrees(
            f"answers differ from eager float32 by up to {difference:.2g} of the range, more than "
            f"{AGREEMENT[precision]:g} for {precision}; do not use this runtime for this network"
        )
    return difference


def widths(model: InverseModel) -> list[int]:
    """Values of one record in each input: strains, forces and given values if it takes them."""
    inputs = (model.network.inputs, model.network.force_inputs)
    known = [model.network.known_values] if model.network.known_values else []
    return [*(len(one.mean) for one in inputs if one is not None), *known]


def _placed(model: InverseModel, device: torch.device) -> InverseModel:
    """Return the model on the device, leaving the caller's where it is."""
    here = model.low.device == device
    return (model if here else copy.deepcopy(model).to(device)).eval()


@contextmanager
def _full_precision(device: torch.device) -> Iterator[None]:
    """Keep cuDNN from rounding a convolution's inputs to TF32, as it does by default."""
    if device.type != "cuda":
        yield
        return
    convolutions = torch.backends.cudnn.conv  # type: ignore[attr-defined]
    before = convolutions.fp32_precision
    convolutions.fp32_precision = "ieee"
    try:
        yield
    finally:
        convolutions.fp32_precision = before


def _onnx_session(network: bytes, provider: str) -> Predict:
    import onnxruntime as runtime

    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    session = runtime.InferenceSession(network, options, providers=[provider])
    if session.get_providers()[0] != provider:
        raise ConfigurationError(
            f"ONNX Runtime fell back to {session.get_providers()[0]}: {provider} cannot be loaded; "
            "see that its libraries are found"
        )
    names = [one.name for one in session.get_inputs()]

    def predict(*inputs: Values) -> Values:
        return np.asarray(session.run(None, dict(zip(names, inputs, strict=True)))[0])

    return predict


def _openvino(network: bytes, precision: str) -> Predict:
    import openvino as runtime

    core = runtime.Core()
    hints = {
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
    }
    ready = core.compile_model(core.read_model(network), "CPU", hints)

    def predict(*inputs: Values) -> Values:
        return np.asarray(ready(list(inputs))[0])

    return predict
