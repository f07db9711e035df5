"""A trained network as a file that other programs can run: torch.export and ONNX.

Both take raw strains (records, strain_values) float32 and answer physical targets (records,
targets): the scaling is inside. Neither holds pickled code.
"""

import logging
import warnings
from pathlib import Path

import torch
from torch.export import Dim, ExportedProgram

from hpc_jobs.contract.records import publish
from hpc_jobs.learning.models.inverse_model import InverseModel

INPUT, OUTPUT = "strains", "parameters"
EXAMPLES = 4  # records of the example input; any number may follow


def exported_program(model: InverseModel) -> ExportedProgram:
    """Trace the network for any number of records."""
    model.eval()
    example = torch.zeros(EXAMPLES, len(model.network.inputs.mean))
    shapes = {INPUT: {0: Dim("records", min=1)}}
    return torch.export.export(model, (example,), dynamic_shapes=shapes)


def export_program(model: InverseModel, path: Path) -> None:
    """Write <path>.pt2 for torch.export.load."""
    with publish(path) as temporary:
        torch.export.save(exported_program(model), temporary)


def export_onnx(model: InverseModel, path: Path) -> None:
    """Write <path>.onnx, weights inside."""
    model.eval()
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    example = torch.zeros(EXAMPLES, len(model.network.inputs.mean))
    with publish(path) as temporary, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter about itself
        torch.onnx.export(
            model,
            (example,),
            temporary,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes={INPUT: {0: Dim("records", min=1)}},
            dynamo=True,
            external_data=False,
            verbose=False,
        )
