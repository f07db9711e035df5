"""The stages of the experiment; each DAG is a sequence of them.

A stage takes and returns what travels between tasks: the run's handle, names of models and
validations, reports (hpc_jobs.contract.report). Nothing here knows a host, a path or a scheduler.

A DAG run is red when work of it failed, and green otherwise: what only tells others or tidies up
never decides, and nothing is skipped because all is well.
"""
