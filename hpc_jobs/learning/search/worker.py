"""A worker of a search: takes trials until as many are complete as are wanted.

It trains each as any network is trained, by the training records alone, and measures its speed.
Between two trials, and while it has none, it looks for trials whose worker died.
"""

import logging
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import ValidationError

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.errors import ConfigurationError, HandedOver
from hpc_jobs.contract.layout import RunFolder, SearchFolder
from hpc_jobs.contract.search import Search
from hpc_jobs.contract.training import Network
from hpc_jobs.dataset.dataset import Dataset
from hpc_jobs.learning.errors import Diverged
from hpc_jobs.learning.models.inverse_model import trainable
from hpc_jobs.learning.search import places
from hpc_jobs.learning.search.owner import Owner
from hpc_jobs.learning.search.places import Cause, Note
from hpc_jobs.learning.search.space import suggest
from hpc_jobs.learning.search.study import Begun, Study
from hpc_jobs.learning.search.throughput import samples_per_s
from hpc_jobs.learning.training.experiment import fit_network
from hpc_jobs.learning.training.team import Team
from hpc_jobs.tracking.spool import Spool

log = logging.getLogger(__name__)

SHORTEST_WAIT_S, LONGEST_WAIT_S = 0.1, 15.0
MISTAKES = (Diverged, torch.OutOfMemoryError, ValidationError)
"""What a choice of hyper-parameters may be at fault for."""


@dataclass(frozen=True)
class Worker:
    """Everything that one worker needs."""

    run: RunFolder[Path]
    folder: SearchFolder[Path]
    campaign: Campaign
    search: Search
    dataset: Dataset
    study: Study
    owner: Owner
    spool: Callable[[int], Spool]  # of the trial of that origin
    progress: Callable[[int, int, str], None]
    stop: Callable[[], bool]
    team: Team

    def work(self) -> int:
        """Work until the study is complete; returns how many trials this worker has completed.

        Raises HandedOver when told to stop before, and ConfigurationError where more trials fail
        by themselves than are wanted.
        """
        self.study.reap(self._end_of_my_own)
        mine, wait_s = 0, SHORTEST_WAIT_S
        while not self.study.is_complete:
            self._tell(mine)
            for number in self.study.reap(lambda owner: owner.end(self.run)):
                log.info("trial %d lost its worker and is done again", number)
            if self.stop():
                raise HandedOver(f"told to stop after {self.study.complete} complete trials")
            begun = self.study.begin(self.owner)
            if begun is None:
                time.sleep(wait_s)
                wait_s = min(2 * wait_s, LONGEST_WAIT_S)
                continue
            mine, wait_s = mine + self._run(begun), SHORTEST_WAIT_S
            self._require_some_success()
        self._tell(mine)
        return mine

    def _end_of_my_own(self, owner: Owner) -> str:
        """Judge when a worker starts: what its element left running was left by an earlier try."""
        return "its element is tried again" if owner.is_same_element(self.owner) else ""

    def _run(self, begun: Begun) -> bool:
        """Run one trial to its end; returns whether it is complete."""
        log.info("trial %d begins, seed %d", begun.number, begun.seed)
        with self.spool(begun.origin) as spool:
            try:
                error, speed = self._objectives(begun, spool)
            except HandedOver as words:
                self.study.fail(begun.number, Cause.HANDED_OVER, str(words))
                raise
            except Exception as error_:
                known = isinstance(error_, MISTAKES)
                cause = Cause.DIVERGED if isinstance(error_, Diverged) else Cause.BROKEN
                reason = f"{type(error_).__name__}: {error_}"
                self.study.fail(begun.number, cause, reason)
                spool.tags({"state": cause, "reason": reason[:500]})
                spool.end("FAILED")
                if not known:
                    raise
                log.warning("trial %d failed: %s", begun.number, reason)
                return False
            return self._finish(begun, spool, error, speed)

    def _objectives(self, begun: Begun, spool: Spool) -> tuple[float, float]:
        """Train and measure: validation error, and samples/s."""
        network = self._network(begun)
        fitted = fit_network(
            self.dataset,
            self.campaign,
            network,
            self.folder.trial(begun.origin),
            spool=spool,
            progress=lambda *_: None,
            stop=self.stop,
            team=self.team,
        )
        self.study.note(begun, "best_epoch", fitted.trainer.state.best_epoch)
        self.study.note(begun, "weights", trainable([fitted.model.network]))
        speed = samples_per_s(fitted.model, fitted.validation, self.search.batch, self.team.device)
        shutil.rmtree(self.folder.trial(begun.origin), ignore_errors=True)
        return fitted.trainer.state.best_loss, speed

    def _network(self, begun: Begun) -> Network:
        network = suggest(begun.trial, self.search, f"trial-{begun.origin}", begun.seed)
        self.study.note(begun, Note.NETWORK, network.model_dump(mode="json"))
        return network

    def _finish(self, begun: Begun, spool: Spool, error: float, speed: float) -> bool:
        # The spool first: should this process die here, the trial is done again and says the same.
        spool.metrics({"objective/error": error, "objective/samples_per_s": speed}, 0)
        spool.tags({"state": "complete", "trial": str(begun.number)})
        spool.end("FINISHED")
        if not self.study.finish(begun, error, speed):
            log.warning("trial %d was given to another worker meanwhile", begun.number)
            return False
        log.info("trial %d: error %.4g, %.4g samples/s", begun.number, error, speed)
        return True

    def _tell(self, mine: int) -> None:
        """Progress that adds up over the workers: what each has done, and its share of the rest."""
        rest = max(0, self.search.trials - self.study.complete)
        self.progress(mine, mine + -(-rest // self.search.workers), "trials")

    def _require_some_success(self) -> None:
        failed = places.failures(self.study.trials())
        if len(failed) > max(self.search.trials, 10):
            last = failed[-1].user_attrs.get(Note.REASON, "")
            raise ConfigurationError(
                f"{len(failed)} trials failed, the last one: {last}; narrow search.space"
            )
