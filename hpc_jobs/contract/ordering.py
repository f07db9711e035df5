"""The order in which tables and pages have networks and records; of quantities see `answers`.

A mapping that went through a database comes back in an order of the database's own (PostgreSQL's
JSONB sorts keys by their length), so that no table may trust the order of a mapping.
"""

from collections.abc import Mapping

from hpc_jobs.contract.report import ErrorsByTarget, NetworkErrors


def best_first(networks: Mapping[str, NetworkErrors]) -> dict[str, NetworkErrors]:
    """Return networks by their error, the lowest first.

    A mapping that a database has kept comes back in an order of the database's own.
    """
    names = sorted(networks, key=lambda name: (networks[name].sum, name))
    return {name: networks[name] for name in names}


def error_columns(networks: Mapping[str, NetworkErrors]) -> dict[str, ErrorsByTarget]:
    """Name the columns of a table of errors: networks, then baselines, each once, best first.

    A baseline that is another beside each network, as with and without forces, bears its name.
    """
    ordered = best_first(networks)
    columns: dict[str, ErrorsByTarget] = dict(ordered)
    for baseline in sorted({name for one in networks.values() for name in one.baselines}):
        found = {n: o.baselines[baseline] for n, o in ordered.items() if baseline in o.baselines}
        first, *others = found.values()
        if all(errors == first for errors in others):
            columns[baseline] = first
        else:
            columns |= {f"{baseline} ({name})": errors for name, errors in found.items()}
    return columns


def by_status(records: Mapping[str, int]) -> dict[str, int]:
    """Return counts of records, the good ones first, then the most frequent failure."""
    names = sorted(records, key=lambda name: (name != "ok", -records[name], name))
    return {name: records[name] for name in names if records[name]}
