"""Every path in the workspace, built here; those of one array job in hpc_jobs.job_folder.

    <workspace>/code/<sha256>/             hpc_jobs as it ran
    <workspace>/code/kernels/              compiled kernels, keyed by their sources
    <workspace>/code/native/               the native library, keyed by its sources and machine
    <workspace>/<run_id>/
      campaign.json
      design/round-000.npz, .json
      rounds/000/shards/shard-00000.h5, .json
      dataset/manifest.json, packed/, packing/
      models/<name>/
      validation/<name>/
      search/<name>/
      turns/000001.json             whose turn it is to write here
      jobs/<token>/
    <workspace>/sealed/<question>/v0001.json, ...npz    test sets that no network trains on
    <workspace>/champions/<sha256>/<name>/    networks whose runs have expired, from MLflow

The control host builds the same paths with PurePosixPath, the jobs with Path.
"""

from dataclasses import dataclass
from pathlib import PurePath
from typing import Generic, TypeVar

from hpc_jobs.job_folder import names
from hpc_jobs.job_folder.folder import JobFolder

P = TypeVar("P", bound=PurePath)  # Path on the cluster, PurePosixPath on the control host


def manifest_of(path: P) -> P:
    """Path of the manifest whose existence says that `path` is complete."""
    return path.with_suffix(".json")


@dataclass(frozen=True, slots=True)
class Workspace(Generic[P]):
    """One allocated workspace."""

    root: P

    def run(self, run_id: str) -> "RunFolder[P]":
        """Folder of one run of a campaign."""
        return RunFolder(self.root / run_id)

    def code(self, sha256: str) -> P:
        """Folder of one version of hpc_jobs; goes on PYTHONPATH."""
        return self.root / "code" / sha256

    def sealed(self, question: str) -> P:
        """Folder of the sealed test sets of all campaigns that ask the same question."""
        return self.root / "sealed" / question

    def champion(self, sha256: str) -> P:
        """Folder of a network that outlived its run; sha256: of its manifest."""
        return self.root / "champions" / sha256


@dataclass(frozen=True, slots=True)
class RunFolder(Generic[P]):
    """Everything that one run of a campaign reads and writes."""

    root: P

    @property
    def campaign(self) -> P:
        """The frozen contract."""
        return self.root / "campaign.json"

    def turn(self, number: int) -> P:
        """Which DAG run took the run's n-th turn to write here; the highest number is at it."""
        return self.root / "turns" / f"{number:06d}.json"

    def design(self, number: int) -> P:
        """Parameter points of a round."""
        return self.root / "design" / f"round-{number:03d}.npz"

    @property
    def rounds(self) -> P:
        """Folder of all rounds."""
        return self.root / "rounds"

    def shards(self, number: int) -> P:
        """Folder of a round's shards."""
        return self.rounds / f"{number:03d}" / "shards"

    def shard(self, number: int, index: int) -> P:
        """One shard of a round."""
        return self.shards(number) / f"shard-{index:05d}.h5"

    def parts(self, number: int, index: int) -> P:
        """Folder of a shard's records so far, removed once the shard is published."""
        return self.shards(number) / f".shard-{index:05d}.parts"

    @property
    def dataset(self) -> P:
        """Folder of the packed dataset."""
        return self.root / "dataset"

    @property
    def dataset_manifest(self) -> P:
        """Manifest of the packed dataset, rewritten whenever it grows."""
        return self.dataset / "manifest.json"

    def packing(self, generation: int) -> P:
        """Folder of what a generation of the dataset is made from; removed once it is published."""
        return self.dataset / "packing" / f"g{generation:04d}"

    def model(self, name: str) -> P:
        """Folder of one trained network."""
        return self.root / "models" / name

    @property
    def measurements(self) -> P:
        """Folder of the measurements that were staged for validation."""
        return self.root / "measurements"

    def measurement(self, name: str) -> P:
        """One staged measurement."""
        return self.measurements / f"{name}.h5"

    def picture(self, name: str) -> P:
        """Picture of one measurement's import, where it was imported."""
        return self.measurements / f"{name}.png"

    @property
    def mesh_bias(self) -> P:
        """What the campaign's mesh does to an isotropic sheet's strains and forces."""
        return self.root / "validation" / "mesh-bias.h5"

    def validation(self, name: str) -> P:
        """Folder of one inverse validation."""
        return self.root / "validation" / name

    def estimates(self, validation: str) -> P:
        """Path of what a network said of each measurement."""
        return self.validation(validation) / "estimates.json"

    def field(self, validation: str, measurement: str) -> P:
        """Strains and forces simulated again with the identified parameters."""
        return self.validation(validation) / "fields" / f"{measurement}.h5"

    def refined_field(self, validation: str, measurement: str) -> P:
        """As `field`, with the refinement's parameters."""
        return self.validation(validation) / "refined" / "fields" / f"{measurement}.h5"

    def refined_figure(self, validation: str, measurement: str) -> P:
        """As `figure`, of the refinement."""
        return self.validation(validation) / "refined" / "figures" / f"{measurement}.png"

    def outside(self, validation: str, measurement: str) -> P:
        """Path of what the engine itself said of a measurement outside the box."""
        return self.validation(validation) / "outside" / f"{measurement}.json"

    def verdict(self, validation: str) -> P:
        """Whether an inverse validation passed, and why."""
        return self.validation(validation) / "verdict.json"

    def comparison(self, validation: str) -> P:
        """Path of what challenger and champion answered: the gate's evidence."""
        return self.validation(validation) / "comparison.json"

    def figure(self, validation: str, measurement: str) -> P:
        """One measurement against its re-simulation, for people."""
        return self.validation(validation) / "figures" / f"{measurement}.png"

    def sheet(self, validation: str, measurement: str) -> P:
        """Path of what was identified of one measurement, in full; absent if it is not answered."""
        return self.validation(validation) / "sheets" / f"{measurement}.json"

    def cards(self, validation: str, measurement: str) -> P:
        """Folder of one identified sheet's material cards."""
        return self.validation(validation) / "cards" / measurement

    def page(self, validation: str, measurement: str) -> P:
        """One measurement's page, for people."""
        return self.validation(validation) / "pages" / f"{measurement}.html"

    def search(self, name: str) -> "SearchFolder[P]":
        """Folder of one hyper-parameter search."""
        return SearchFolder(self.root / "search" / name)

    @property
    def jobs(self) -> P:
        """Folder of all array jobs."""
        return self.root / names.JOBS

    def job(self, token: str) -> JobFolder[P]:
        """Folder of one array job."""
        return JobFolder(self.jobs / token)


@dataclass(frozen=True, slots=True)
class SearchFolder(Generic[P]):
    """One hyper-parameter search; many workers append to its journal."""

    root: P

    @property
    def settings(self) -> P:
        """What is searched: frozen before the first trial."""
        return self.root / "search.json"

    @property
    def journal(self) -> P:
        """Every trial, as the workers told it, line by line."""
        return self.root / "journal.log"

    def trial(self, origin: int) -> P:
        """Checkpoints of a trial and of those that repeat it."""
        return self.root / "trials" / f"{origin:05d}"

    @property
    def finalists(self) -> P:
        """Which networks are trained over several seeds."""
        return self.root / "finalists.json"

    def training(self, number: int) -> P:
        """Checkpoints of one of those trainings."""
        return self.root / "seeds" / f"{number:03d}"

    def trained(self, number: int) -> P:
        """Path of what came of one of those trainings."""
        return self.root / "seeds" / f"{number:03d}.json"

    @property
    def choice(self) -> P:
        """Which finalist is better than the present network, and how surely."""
        return self.root / "choice.json"

    def figure(self, name: str) -> P:
        """Path of a figure of the search, for people."""
        return self.root / "figures" / f"{name}.png"
