"""The stream of production measurements, and what its control charts say of it."""

from typing import Annotated, Literal

from pydantic import Field, FiniteFloat

from hpc_jobs.contract.frozen import Frozen, Slug


class Observation(Frozen):
    """One measurement of the stream, as a validation answered it."""

    at: Annotated[str, Field(description="ISO 8601, UTC: when it was answered")]
    validation: Slug
    measurement: Slug
    answered: bool
    values: Annotated[
        dict[str, FiniteFloat],
        Field(description="novelty (over its limit), residual, width_..., r_value_..."),
    ]


class Stream(Frozen):
    """drift/stream.json: all observations of a campaign, in the order of time."""

    schema_version: Literal[1] = 1
    campaign: Slug
    observations: tuple[Observation, ...] = ()


class Chart(Frozen):
    """One value over time, with its control limits; as many of each as observations."""

    measurement: Slug
    value: str
    at: tuple[str, ...]
    observed: tuple[FiniteFloat, ...]
    smoothed: Annotated[tuple[FiniteFloat, ...], Field(description="EWMA, once limits are known")]
    low: tuple[FiniteFloat, ...] = ()
    high: tuple[FiniteFloat, ...] = ()
    learned_from: Annotated[int, Field(description="first observations, which set the limits")]
    alarm: Annotated[str, Field(description="what left its limits last; empty: nothing")] = ""


class DriftReport(Frozen):
    """What the stream says now."""

    campaign: Slug
    alarms: Annotated[tuple[str, ...], Field(description="of the newest observations")]
    observations: int
    sentence: str
