"""Exported networks answer as eager float32 does, and one that does not is not used."""

import gc
import weakref

import numpy as np
import pytest
import torch

from hpc_jobs.contract.errors import ConfigurationError
from hpc_jobs.contract.training import Mlp
from hpc_jobs.learning.models.export import export_program
from hpc_jobs.learning.models.inverse_model import InverseModel
from hpc_jobs.learning.models.runtimes import (
    AGREEMENT,
    CPU,
    RUNTIMES,
    Disagrees,
    Subject,
    check_agreement,
    eager,
    missing,
    open_runtime,
    precision,
    widths,
)
from hpc_jobs.learning.models.static_buckets import Recording, StaticBuckets, called_again
from hpc_jobs.learning.models.trained_model import load_model

HERE = [name for name in RUNTIMES if name not in ("compiled", "cuda_graph", "tensorrt")]


@pytest.fixture(scope="module")
def model(trained):
    return load_model(trained[0]).module


@pytest.fixture(scope="module")
def strains(trained):
    values = trained[1].specimens.strain_values
    return (0.05 + 0.01 * np.random.default_rng(1).normal(size=(37, values))).astype(np.float32)


@pytest.fixture(scope="module")
def published(model):
    return Subject(model).onnx


@pytest.mark.parametrize("name", HERE)
def test_every_runtime_answers_as_eager_float32(name, model, published, strains):
    assert not missing(name)
    predict = open_runtime(name, Subject(model, published=published), strains)
    kept = AGREEMENT[precision(name)]
    assert check_agreement(model, predict, strains, precision=precision(name)) <= kept
    np.testing.assert_allclose(predict(strains[:1]), predict(strains)[:1], atol=10 * kept)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the compiler, of torch itself
def test_the_compiled_network_answers_as_eager_float32(model, strains):
    predict = open_runtime("compiled", Subject(model), strains)
    assert check_agreement(model, predict, strains) <= AGREEMENT["float32"]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", ["eager", "exported", "compiled", "cuda_graph"])
def test_on_a_gpu_every_runtime_of_torch_answers_as_the_processor(name, model, strains):
    predict = open_runtime(name, Subject(model, torch.device("cuda")), strains)
    for _ in range(3):  # memory that a runtime has let go of is overwritten between the answers
        assert check_agreement(model, predict, strains) <= AGREEMENT["float32"]
        taken = [torch.full((size,), torch.nan, device="cuda") for size in (64, 4096, 1 << 20) * 8]
        del taken


@pytest.mark.parametrize(
    ("name", "reason"), [("cuda_graph", "needs an NVIDIA GPU"), ("tensorrt", "pip install")]
)
def test_a_runtime_that_cannot_run_here_says_what_it_needs(name, reason, model, strains):
    with pytest.raises(ConfigurationError, match=reason):
        open_runtime(name, Subject(model), strains)
    with pytest.raises(ConfigurationError, match="no runtime 'caffe'; choose one of eager,"):
        open_runtime("caffe", Subject(model), strains)


@pytest.mark.parametrize("records", [1, 3, 4, 5, 37])
def test_batches_of_any_size_go_into_the_recorded_sizes(model, strains, records):
    """The same code as with CUDA graphs, but for the recording itself."""
    recorded = []

    def record(module, inputs):
        recorded.append(called_again(module, inputs))
        return recorded[-1]

    with torch.no_grad():
        buckets = StaticBuckets(model, widths(model), CPU, sizes=(16, 4), record=record)
        for start in (0, 1):  # what an earlier batch left behind must not show
            asked = torch.from_numpy(np.roll(strains, start, axis=0)[:records])
            answers = buckets(asked)
            torch.testing.assert_close(answers, model(asked))
    assert sorted(len(one.inputs[0]) for one in recorded) == [4, 16]
    assert answers.data_ptr() not in [one.output.data_ptr() for one in recorded]


def test_a_recording_keeps_the_network_whose_memory_it_reads():
    """A CUDA graph knows addresses alone: weights that are freed are others' memory."""

    def record(module, inputs):  # like a graph, holds nothing of the module
        return Recording(inputs, torch.zeros(len(inputs[0]), 1), lambda: None)

    network = torch.nn.Linear(3, 1)
    weights = weakref.ref(network.weight)
    buckets = StaticBuckets(network, [3], CPU, sizes=(4,), record=record)
    del network
    gc.collect()
    assert weights() is not None
    del buckets
    gc.collect()
    assert weights() is None


def test_a_runtime_that_answers_otherwise_is_refused(model, strains):
    right = eager(Subject(model))
    with pytest.raises(Disagrees, match=r"differ from eager float32 by up to 0\.01"):
        check_agreement(model, lambda x: right(x) + 0.01 * model.span.numpy(), strains)
    asked = iter((right, lambda x: right(x) + np.float32(np.nan)))
    with pytest.raises(Disagrees, match="nan of the range"):  # right once is not enough
        check_agreement(model, lambda x: next(asked)(x), strains)
    with pytest.raises(Disagrees, match="shape"):
        check_agreement(model, lambda x: right(x)[:, :2], strains)


def unfitted(spec, campaign, scaler):
    """A network whose inputs let everything through."""
    torch.manual_seed(1)
    network = InverseModel(spec, campaign.specimens.strain_shape, scaler, 4)
    for inputs in (network.network.inputs, network.network.force_inputs):
        if inputs is not None:
            torch.nn.init.normal_(inputs.project, std=0.1)
            torch.nn.init.normal_(inputs.vectors, std=0.1)
            torch.nn.init.ones_(inputs.gain)
    return network


def test_the_cnn_is_exported_for_any_number_of_records(trained, strains):
    campaign = trained[1]
    cnn = unfitted(campaign.training.networks[0], campaign, load_model(trained[0]).card.scaler)
    open_runtime("onnxruntime", Subject(cnn), strains)
    assert eager(Subject(cnn))(strains).std(0).min() > 0  # what was compared is not constant


def test_a_network_that_takes_forces_takes_them_in_every_runtime(trained, strains):
    campaign = trained[1]
    spec = Mlp(kind="mlp", hidden=(32,), components=16, forces=True)
    mlp = unfitted(spec, campaign, load_model(trained[0]).card.scaler)
    forces = 5e3 + 1e3 * np.random.default_rng(2).random((37, campaign.specimens.force_values))
    forces = forces.astype(np.float32)
    written = Subject(mlp).onnx
    for name in ("eager", "onnxruntime", "openvino"):
        predict = open_runtime(name, Subject(mlp, published=written), strains, forces)
        assert np.abs(predict(strains, forces) - predict(strains, 2 * forces)).min() > 0


def test_the_exported_program_is_loaded_without_our_code(model, strains, tmp_path):
    path = tmp_path / "network.pt2"
    export_program(model, path)
    program = torch.export.load(path).module()
    with torch.no_grad():
        answer = program(torch.from_numpy(strains)).numpy()
    np.testing.assert_allclose(answer, eager(Subject(model))(strains), rtol=1e-5)
