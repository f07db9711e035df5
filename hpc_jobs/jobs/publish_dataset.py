"""Verify all shards of a run and pack them, in a random order, into its dataset."""

from hpc_jobs.contract.facts import PackedFacts
from hpc_jobs.contract.records import sha256_of
from hpc_jobs.dataset.pack import is_begun, publish_dataset
from hpc_jobs.dataset.shards import take_inventory
from hpc_jobs.design.failures import failures_by_third
from hpc_jobs.identification.by_fem import adopt
from hpc_jobs.identification.quantities import derived_of
from hpc_jobs.runtime import element
from hpc_jobs.runtime.element import Element


def work(element: Element) -> PackedFacts:
    """Publish dataset/manifest.json; say what the next tasks need to know."""
    campaign, run = element.campaign, element.run
    take_inventory(run, campaign.execution.allowed_loss)  # judged before it is added to

    def progress(done: int, total: int) -> None:
        element.progress(done, total, "files")

    if is_begun(run):  # other elements have dealt what was there: first things first
        publish_dataset(run, campaign, derived_of(campaign), progress=progress)
    adopt(run, element.frozen)
    facts = publish_dataset(run, campaign, derived_of(campaign), progress=progress)
    return PackedFacts(
        generation=facts.generation,
        train=facts.train,
        test=facts.test,
        by_status=facts.by_status,
        missing_shards=len(facts.missing_shards),
        sha256=sha256_of(run.dataset_manifest),
        uncarried=facts.parts[-1].uncarried,
        anew=facts.anew,
        failed_in=failures_by_third(run, campaign),
    )


if __name__ == "__main__":
    element.main(work)
