"""The loop: resumed it is the same to the last bit, stopped it says so, diverged it fails."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from hpc_jobs.contract.errors import ConfigurationError, CorruptFile, HandedOver
from hpc_jobs.contract.training import Cosine
from hpc_jobs.dataset.dataset import open_dataset, validation_examples
from hpc_jobs.dataset.pack import publish_dataset
from hpc_jobs.learning.errors import Diverged, Interrupted
from hpc_jobs.learning.feed.order import Order, Share
from hpc_jobs.learning.feed.ram import RamSource
from hpc_jobs.learning.feed.source import Records
from hpc_jobs.learning.networks import NETWORKS
from hpc_jobs.learning.training.checkpoint import Checkpoints
from hpc_jobs.learning.training.interruption import stop_on_signals
from hpc_jobs.learning.training.settings import Settings
from hpc_jobs.learning.training.team import Team
from hpc_jobs.learning.training.trainer import Trainer

EPOCHS, BATCH = 5, 64


def trainer(run, campaign, *, network=0, forces=False, seed=3, **changes):
    dataset = open_dataset(run, 0.2)
    facts = dataset.facts
    spec = campaign.training.networks[network].model_copy(update={"forces": forces})
    torch.manual_seed(seed)
    built = NETWORKS[spec.kind](spec, facts.strain_shape, facts.scaler.targets)
    built.fit(dataset.spectra)
    settings = {
        "epochs": EPOCHS,
        "batch_size": BATCH,
        "learning_rate": 1e-3,
        "weight_decay": 0.01,
        "schedule": campaign.training.schedule,
        "seed": seed,
        "settle_after": 0.5,
        "checkpoint_every_epochs": 2,
    }
    order = Order(records=len(dataset.fit_rows), batch_size=BATCH, seed=seed)
    device = torch.device("cpu")
    source = RamSource(
        Records(dataset.train, order, facts.scaler, device, spec.components, spec.forces)
    )
    settings = Settings(**(settings | changes))
    return Trainer(built, source, validation_examples(dataset), settings)


def ignore(*_):
    pass


def after(steps):
    """Stop before step number `steps`, counted over all epochs."""
    calls = iter(range(10_000))
    return lambda: next(calls) >= steps


@pytest.fixture
def packed(run, campaign):
    publish_dataset(run, campaign)
    return run


def weights(one):
    return {name: value.clone() for name, value in one.network.state_dict().items()}


@pytest.mark.parametrize("network", [0, 1], ids=["cnn", "mlp with forces"])
def test_interrupted_equals_uninterrupted_bitwise(packed, campaign, tmp_path, network):
    kind = {"network": network, "forces": network == 1}
    whole = trainer(packed, campaign, **kind)
    whole.fit(Checkpoints(tmp_path / "whole", "a"), lambda: False, ignore)
    steps = whole.source.order.steps
    checkpoints = Checkpoints(tmp_path / "cut", "a")
    for stop_after in (steps + 2, steps - 2, 4, 1):  # mid-epoch, between epochs, and at once
        with pytest.raises(Interrupted, match="run again to resume from epoch-"):
            trainer(packed, campaign, **kind).fit(checkpoints, after(stop_after), ignore)
        torch.manual_seed(99)  # what another process would have left
    cut = trainer(packed, campaign, **kind)
    seen = []
    cut.fit(checkpoints, lambda: False, lambda epoch, _: seen.append(epoch))
    assert seen == [4, 5]
    assert cut.state.history == whole.state.history
    assert len(cut.state.history) == EPOCHS
    for name, value in weights(whole).items():
        assert torch.equal(value, weights(cut)[name]), name


def test_a_killed_training_loses_no_more_than_since_its_last_checkpoint(packed, campaign, tmp_path):
    whole = trainer(packed, campaign)
    whole.fit(Checkpoints(tmp_path / "whole", "a"), lambda: False, ignore)

    def die(epoch, _):
        if epoch == 3:
            raise KeyboardInterrupt

    checkpoints = Checkpoints(tmp_path / "killed", "a")
    with pytest.raises(KeyboardInterrupt):
        trainer(packed, campaign).fit(checkpoints, lambda: False, die)
    again, seen = trainer(packed, campaign), []
    again.fit(checkpoints, lambda: False, lambda epoch, _: seen.append(epoch))
    assert seen == [3, 4, 5]
    assert all(torch.equal(value, weights(again)[name]) for name, value in weights(whole).items())


def test_two_checkpoints_are_kept_and_a_torn_one_is_passed_over(packed, campaign, tmp_path):
    checkpoints = Checkpoints(tmp_path / "c", "a")
    trainer(packed, campaign, checkpoint_every_epochs=1).fit(checkpoints, lambda: False, ignore)
    older, newest = sorted((tmp_path / "c").iterdir())
    assert newest.name.startswith("epoch-000005")
    newest.write_bytes(newest.read_bytes()[:1000])
    assert checkpoints.latest()["epoch"] == 4
    older.write_bytes(b"not a checkpoint")
    assert checkpoints.latest() is None


def test_a_checkpoint_of_another_training_is_not_resumed(packed, campaign, tmp_path):
    checkpoints = Checkpoints(tmp_path / "c", "a")
    with pytest.raises(Interrupted):
        trainer(packed, campaign).fit(checkpoints, after(3), ignore)
    assert checkpoints.latest() is not None
    assert Checkpoints(tmp_path / "c", "b").latest() is None


def test_a_checkpoint_holds_no_code(packed, campaign, tmp_path):
    class Evil:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "executed"),))

    folder = tmp_path / "c"
    folder.mkdir()
    torch.save({"identity": "a", "x": Evil()}, folder / "epoch-000001-step-00000000.pt")
    assert Checkpoints(folder, "a").latest() is None
    assert not (tmp_path / "executed").exists()


def test_the_best_epoch_is_what_remains(packed, campaign, tmp_path):
    one = trainer(packed, campaign, learning_rate=0.03, schedule=Cosine(kind="cosine"))
    one.fit(Checkpoints(tmp_path / "c", "a"), lambda: False, ignore)
    losses = {seen.epoch: seen.val_loss for seen in one.state.history}
    assert one.state.best_loss == min(losses.values())
    assert losses[one.state.best_epoch] == one.state.best_loss
    again = float(one._validation_mse().sum())
    assert again == pytest.approx(one.state.best_loss, rel=1e-6)


def test_it_ends_early_when_nothing_better_comes_and_resumed_it_ends_there_too(
    packed, campaign, tmp_path
):
    settings = {"epochs": 9, "learning_rate": 1e-30, "patience": 3, "checkpoint_every_epochs": 1}
    one = trainer(packed, campaign, network=1, **settings)
    one.fit(Checkpoints(tmp_path / "c", "a"), lambda: False, ignore)
    assert (one.state.best_epoch, one.state.epoch) == (1, 1 + 3)
    again, seen = trainer(packed, campaign, network=1, **settings), []
    again.fit(Checkpoints(tmp_path / "c", "a"), lambda: False, lambda epoch, _: seen.append(epoch))
    assert seen == [] and again.state.history == one.state.history


def test_bfloat16_learns_as_float32_does_and_stores_float32(packed, campaign, tmp_path):
    losses = {}
    for precision in ("float32", "bf16"):
        one = trainer(packed, campaign, network=1, epochs=15, precision=precision)
        one.fit(Checkpoints(tmp_path / precision, "a"), lambda: False, ignore)
        losses[precision] = one.state.best_loss
        assert {value.dtype for value in one.network.parameters()} == {torch.float32}
    assert losses["bf16"] != losses["float32"]
    assert losses["bf16"] == pytest.approx(losses["float32"], rel=0.1)


def test_a_checkpoint_of_another_architecture_under_this_ones_name_is_refused(
    packed, campaign, tmp_path
):
    checkpoints = Checkpoints(tmp_path / "c", "a")
    with pytest.raises(Interrupted):
        trainer(packed, campaign, network=0).fit(checkpoints, after(3), ignore)
    with pytest.raises(CorruptFile, match="remove the folder to begin anew"):
        trainer(packed, campaign, network=1).fit(checkpoints, after(3), ignore)


def test_batches_too_small_for_the_ranks_are_refused(packed, campaign):
    one = trainer(packed, campaign)
    team = Team(Share(0, BATCH + 1))
    with pytest.raises(ConfigurationError, match=r"for 65 ranks; raise training\.batch_size"):
        Trainer(
            one.network,
            one.source,
            validation_examples(open_dataset(packed, 0.2)),
            one.settings,
            team,
        )


def test_training_learns(packed, campaign, tmp_path):
    one = trainer(packed, campaign, network=1, epochs=60, learning_rate=3e-3)
    one.fit(Checkpoints(tmp_path / "c", "a"), lambda: False, ignore)
    first, last = one.state.history[0], one.state.history[-1]
    variance = float(one._targets.var(0).sum())
    assert last.val_loss < 0.3 * variance < first.val_loss


def test_a_diverged_loss_fails_at_once_and_names_the_remedy(packed, campaign, tmp_path):
    one = trainer(packed, campaign, network=1, learning_rate=1e30)
    with pytest.raises(Diverged, match=r"lower training\.learning_rate"):
        one.fit(Checkpoints(tmp_path / "c", "a"), lambda: False, ignore)


def test_a_signal_only_sets_the_flag():
    before = signal.getsignal(signal.SIGTERM)
    with stop_on_signals() as stop:
        assert not stop()
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop() and stop.signal is signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_rank_that_is_done_is_not_ended_while_the_leader_publishes():
    """Its interpreter takes seconds to leave; a handler of Python's would be gone by then."""
    code = (
        "import os\n"
        "from hpc_jobs.learning.training.interruption import stop_on_signals\n"
        "class Late:\n"
        "    kill = staticmethod(os.kill)\n"
        "    def __del__(self): self.kill(os.getpid(), 15); print('alive')\n"
        "late = Late()\n"
        "with stop_on_signals(last=True): raise SystemExit(75)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (75, "alive\n"), done.stderr


def test_the_clock_stops_a_training_as_a_signal_does(packed, campaign, tmp_path):
    with stop_on_signals(time.monotonic() + 3600) as stop:
        assert not stop()
    with (
        stop_on_signals(time.monotonic() - 1) as stop,
        pytest.raises(HandedOver, match="run again to resume"),
    ):
        trainer(packed, campaign).fit(Checkpoints(tmp_path / "c", "a"), stop, ignore)


def test_many_epochs_are_evaluated_two_hundred_times_at_most(packed, campaign):
    settings = trainer(packed, campaign, epochs=1001).settings
    assert settings.evaluate_every_epochs == 6
    assert np.ceil(1001 / settings.evaluate_every_epochs) <= 200


def test_a_network_may_have_its_own_pace(campaign):
    own = campaign.training.networks[0].model_copy(update={"epochs": 7, "weight_decay": 0.0})
    settings = Settings.of(campaign.training, own)
    assert (settings.epochs, settings.weight_decay) == (7, 0.0)
    assert (settings.batch_size, settings.learning_rate) == (32, campaign.training.learning_rate)
