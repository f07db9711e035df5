"""Where in parameter space the simulations are placed."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from hpc_jobs.contract.frozen import Fraction, Frozen, Interval
from hpc_jobs.contract.specimen import mesh_level


class MechanicalBox(Frozen):
    """Ranges of what a materials engineer measures; stresses relative to the rolling direction.

    The points of a yld2000_2d campaign fill all seven, those of hill48 and barlat89 the r-values
    at 0, 45 and 90 degrees; sheets whose other values, which follow, lie outside are left out.
    """

    stress_ratio_45: Interval = (0.9, 1.1)
    stress_ratio_90: Interval = (0.9, 1.1)
    stress_ratio_biaxial: Interval = (0.9, 1.2)
    r_value_0: Interval = (0.4, 2.5)
    r_value_45: Interval = (0.4, 2.5)
    r_value_90: Interval = (0.4, 2.5)
    r_value_biaxial: Interval = (0.5, 1.5)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for name in type(self).model_fields:
            low, high = getattr(self, name)
            if not 0 < low < high:
                raise ValueError(
                    f"{name} is [{low}, {high}]; give two positive numbers, the smaller one first"
                )
        return self


class Design(Frozen):
    """A scrambled Sobol sequence; test points come from a second, independent scramble."""

    generator: Literal["sobol"] = "sobol"
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    box: MechanicalBox = MechanicalBox()
    train_records: Annotated[int, Field(ge=8, le=100_000_000)]
    test_records: Annotated[int, Field(ge=8, le=10_000_000)]
    records_per_shard: Annotated[int, Field(ge=1, le=100_000)]
    mesh_shares: Annotated[
        dict[str, Annotated[Fraction, Field(gt=0)]],
        Field(description="mesh level -> share of each round's training points on that mesh"),
    ] = {}

    @model_validator(mode="after")
    def _shares_of_levels(self) -> Self:
        for name in self.mesh_shares:
            try:
                mesh_level(name)
            except ValueError as error:
                raise ValueError(f"mesh_shares: {error}") from None
        if sum(self.mesh_shares.values()) >= 1:
            raise ValueError(
                f"mesh_shares {self.mesh_shares} leave nothing to specimens.mesh; let their sum be "
                "below 1"
            )
        return self

    @property
    def records(self) -> int:
        """Points of the first round, test points included."""
        return self.train_records + self.test_records

    def shards(self, records: int | None = None) -> int:
        """Shards, and so array elements, of a round of that many records."""
        return -(-(self.records if records is None else records) // self.records_per_shard)
