"""Verify all shards of a run and pack them, globally permuted, into its dataset."""

from hpc_jobs.contract.facts import PackedFacts
from hpc_jobs.contract.records import sha256_of
from hpc_jobs.dataset.pack import publish_dataset
from hpc_jobs.dataset.shards import take_inventory
from hpc_jobs.identification.by_fem import adopt
from hpc_jobs.identification.quantities import derived_of
from hpc_jobs.runtime import element
from hpc_jobs.runtime.element import Element


def work(element: Element) -> PackedFacts:
    """Publish dataset/manifest.json; say what the next tasks need to know."""
    campaign = element.campaign
    take_inventory(element.run, campaign.execution.allowed_loss)  # judged before it is added to
    adopt(element.run, element.frozen)
    facts = publish_dataset(element.run, campaign, derived_of(campaign))
    return PackedFacts(
        generation=facts.generation,
        train=facts.train,
        test=facts.test,
        by_status=facts.by_status,
        missing_shards=len(facts.missing_shards),
        sha256=sha256_of(element.run.dataset_manifest),
    )


if __name__ == "__main__":
    element.main(work)
