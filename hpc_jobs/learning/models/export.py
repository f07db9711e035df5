"""A trained network as a file that other programs can run: torch.export and ONNX.

Both take raw strains (records, strain_values) float32, and forces (records, force_values) in N if
the network does; one of a family also what is known (records, 2 given + displacements): given
values, their standard deviations, displacements of the output times in mm. They answer physical
targets (records, targets): the scaling is inside. ONNX holds no code; torch.export.load may
unpickle what it is given, so load a .pt2 only if it is vouched for.
"""

import logging
import warnings
from pathlib import Path
from typing import Any

import torch
from torch.export import Dim, ExportedProgram

from hpc_jobs.contract.records import publish
from hpc_jobs.learning.models.inverse_model import InverseModel

INPUT, FORCES, KNOWN, OUTPUT = "strains", "forces", "known", "parameters"
EXAMPLES = 4  # records of the example input; any number may follow


def exported_program(model: InverseModel) -> ExportedProgram:
    """Trace the network for any number of records."""
    model.eval()
    example, shapes = _example(model)
    return torch.export.export(model, tuple(example.values()), dynamic_shapes=shapes)


def export_program(model: InverseModel, path: Path) -> None:
    """Write <path>.pt2 for torch.export.load."""
    with publish(path) as temporary:
        torch.export.save(exported_program(model), temporary)


def export_onnx(model: InverseModel, path: Path) -> None:
    """Write <path>.onnx, weights inside."""
    model.eval()
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    example, shapes = _example(model)
    with publish(path) as temporary, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter about itself
        torch.onnx.export(
            model,
            tuple(example.values()),
            temporary,
            input_names=list(example),
            output_names=[OUTPUT],
            dynamic_shapes=shapes,
            dynamo=True,
            external_data=False,
            verbose=False,
        )


def _example(model: InverseModel) -> tuple[dict[str, torch.Tensor], tuple[dict[int, Any], ...]]:
    """Give inputs by name, and say that each may have any number of records."""
    network, records = model.network, Dim("records", min=1)
    example = {INPUT: torch.zeros(EXAMPLES, len(network.inputs.mean))}
    if network.force_inputs:
        example[FORCES] = torch.ones(EXAMPLES, len(network.force_inputs.mean))
    if network.known_values:
        example[KNOWN] = torch.ones(EXAMPLES, network.known_values)
    return example, tuple({0: records} for _ in example)
