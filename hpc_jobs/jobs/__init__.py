"""One module for each cluster job: arguments, the contract's models, a call of the library."""

import os

if "HPC_TOKEN" in os.environ:  # under a scheduler, where somebody will ask what the time went into
    from hpc_jobs.contract.phases import watch_imports

    watch_imports()
