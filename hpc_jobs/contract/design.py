"""Where in parameter space the simulations are placed."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from hpc_jobs.contract.frozen import Fraction, Interval, Setting
from hpc_jobs.contract.geometry import mesh_level

AIMS = ("posteriors", "disagreement", "calibration", "edges")
"""What a later round's points may be aimed at."""
SPACE_FILLING = 0.2
"""Share of every round that fills the box, at least."""
R_VALUES, STRESS_RATIOS = (0.05, 10.0), (0.3, 3.0)
NARROWEST = 1e-3
"""Width of a range of the box: in less there is nothing to learn."""


class MechanicalBox(Setting):
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
            least, most = R_VALUES if name.startswith("r_value") else STRESS_RATIOS
            if not 0 < low < high:
                raise ValueError(
                    f"{name} is [{low}, {high}]; give two positive numbers, the smaller one first"
                )
            if not least <= low < high <= most:
                raise ValueError(
                    f"{name} is [{low}, {high}], and no sheet is known beyond {least:g} to "
                    f"{most:g}; keep it within these"
                )
            if high - low < NARROWEST:
                raise ValueError(
                    f"{name} is [{low}, {high}], next to empty; let it be {NARROWEST:g} wide or "
                    "more"
                )
        return self


class Targeting(Setting):
    """What later rounds are made of: shares of their records; the rest fills the box.

    A share whose reason is missing (nothing measured yet, no record failed) fills the box, too.
    """

    posteriors: Annotated[
        Fraction, Field(description="around the sheets found behind measurements")
    ] = 0.0
    disagreement: Annotated[
        Fraction, Field(description="where surrogate and champion contradict each other most")
    ] = 0.0
    calibration: Annotated[
        Fraction, Field(description="where the champion's intervals hold less than they promise")
    ] = 0.0
    edges: Annotated[
        Fraction, Field(description="at the edges of regions whose records failed or necked")
    ] = 0.0
    widening: Annotated[
        float, Field(ge=1, le=10, description="of a posterior's width, around its sheet")
    ] = 1.5
    fine_share: Annotated[
        Fraction,
        Field(
            description="of the points around measured sheets, on the last of design.mesh_shares: "
            "there the mesh's bias counts"
        ),
    ] = 0.0
    least_gain: Annotated[
        Fraction,
        Field(
            description="share by which a round must be expected to lower the error at the "
            "measured sheets; else it is left out, and its budget kept. 0: never"
        ),
    ] = 0.0
    skip_within: Annotated[
        float,
        Field(
            ge=0,
            le=10,
            description="points that fill the box are not simulated where the surrogate misses its "
            "neighbours by less than so many noise units; 0: none is skipped",
        ),
    ] = 0.0
    audit_share: Annotated[
        float, Field(gt=0, le=1, description="of what would be skipped, simulated anyway")
    ] = 0.1

    @model_validator(mode="after")
    def _fills_space_too(self) -> Self:
        aimed = sum(self.shares.values())
        if aimed > 1 - SPACE_FILLING + 1e-9:
            raise ValueError(
                f"the shares {self.shares} leave {1 - aimed:.0%} of a round to filling the box; "
                f"let their sum be {1 - SPACE_FILLING:g} or less, or what nobody aimed at is never "
                "looked at"
            )
        return self

    @property
    def looks(self) -> bool:
        """Whether a round asks the run's results for anything."""
        return bool(self.shares or self.skip_within or self.least_gain)

    @property
    def shares(self) -> dict[str, float]:
        """Share of each aim, by name, those of zero left out."""
        every = {name: float(getattr(self, name)) for name in AIMS}
        return {name: share for name, share in every.items() if share > 0}


class Design(Setting):
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
    later_rounds: Targeting = Targeting()

    @model_validator(mode="after")
    def _finer_mesh_is_named(self) -> Self:
        if self.later_rounds.fine_share and not self.mesh_shares:
            raise ValueError(
                "later_rounds.fine_share asks for records on a finer mesh, but mesh_shares names "
                "none; give one, such as mesh_shares: {fine: 0.05}"
            )
        return self

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
