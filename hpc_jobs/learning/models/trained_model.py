"""A published network, verified and ready to be asked."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from hpc_jobs.contract.errors import BadInput, CorruptFile
from hpc_jobs.contract.records import read_manifest, read_model, sha256_of
from hpc_jobs.learning.models.calibration import Calibration
from hpc_jobs.learning.models.inverse_model import CARD, WEIGHTS, InverseModel, ModelCard, model_of
from hpc_jobs.learning.models.novelty import LIMIT
from hpc_jobs.learning.tensor_file import UnreadableTensors, safe_load

CHUNK = 4096
UNIT_RATIO = 20.0
"""In root mean square: below it another specimen or material, beyond it another unit."""
SURE = 0.05
"""Deviation of a given value, in spreads of its box, up to which it counts as exactly known."""
UNITS = {
    "in per cent": 1e2,
    "in per mille": 1e3,
    "in microstrain": 1e6,
    "divided by a hundred once too often": 1e-2,
}


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """Physical targets from raw strains, and from raw forces if the network takes them.

    sha256 is that of the manifest, which vouches for everything else.
    """

    card: ModelCard
    sha256: str
    _model: InverseModel

    novelty_limit: float = LIMIT

    @property
    def name(self) -> str:
        """Name of the model's folder when it was trained."""
        return self.card.name

    @property
    def targets(self) -> tuple[str, ...]:
        """Names of the targets, in the order of the answers."""
        return self.card.scaler.targets

    @property
    def module(self) -> InverseModel:
        """The network itself, to be exported or asked by another runtime."""
        return self._model

    @property
    def strain_values(self) -> int:
        """Length of a strain record."""
        return int(np.prod(self.card.strain_shape))

    @property
    def forces(self) -> bool:
        """Whether it must be given the forces, too; otherwise it does not look at them."""
        return self.card.network.forces

    @property
    def given(self) -> tuple[str, ...]:
        """Names of the values that a measurement may know; see `inputs`."""
        return self.card.given.names

    @property
    def told(self) -> tuple[str, ...]:
        """Names of the displacements of its output times, which a measurement must say."""
        return self.card.given.displacements

    @property
    def known_values(self) -> int:
        """Values of a record in what is known: given ones, their deviations, displacements."""
        return self._model.network.known_values

    def predict(
        self, strains: ArrayLike, forces: ArrayLike | None = None, known: ArrayLike | None = None
    ) -> NDArray[np.float64]:
        """Identify (B, strain_values) strains, (B, force_values) N: (B, targets), physical.

        known (B, 2 g + d): the given values, then their standard deviations, infinite where nothing
        is known, then displacements of the output times, mm; none: nothing is, which will do where
        d is 0. Raises BadInput.
        """
        return self._ask(self._model, *self.inputs(strains, forces, known))

    @property
    def gaussian(self) -> bool:
        """Whether it answers a variance beside each mean: a Gaussian network, or a committee."""
        return self._model.network.gaussian

    def deviations(
        self, strains: ArrayLike, forces: ArrayLike | None = None, known: ArrayLike | None = None
    ) -> NDArray[np.float64]:
        """Give standard deviations (B, targets), physical; raises BadInput.

        Its own where it is Gaussian, else the rms errors of its calibration, alike for all records.
        """
        inputs = self.inputs(strains, forces, known)
        if self.gaussian:
            return self._ask(self._model.deviations, *inputs)
        return np.tile(self.card.calibration.residuals, (len(inputs[0]), 1))

    def intervals(
        self, strains: ArrayLike, forces: ArrayLike | None = None, known: ArrayLike | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Lower and upper ends (B, targets), physical, of intervals of the calibration's level.

        Raises BadInput. They hold for materials like those trained on: heed the novelty.
        """
        deviations = self.deviations(strains, forces, known)
        answers = self.predict(strains, forces, known)
        return self.calibration(known).intervals(answers, deviations)

    def calibration(self, known: ArrayLike | None = None) -> Calibration:
        """Return the calibration for what is known: for all given values exactly, or for less."""
        if not self.given or self.card.calibration_unknown is None:
            return self.card.calibration
        told = _numbers(np.zeros((1, 0)) if known is None else known, "known values")
        given = len(self.given)
        sure = told[:, given : 2 * given] <= SURE * np.array(self.card.given.spread)
        if told.shape[1] and sure.all():
            return self.card.calibration
        return self.card.calibration.widest(self.card.calibration_unknown)

    def covariances(
        self, strains: ArrayLike, forces: ArrayLike | None = None, known: ArrayLike | None = None
    ) -> NDArray[np.float64]:
        """Covariances (B, targets, targets) of normal laws with these intervals; raises BadInput.

        How the errors of the targets hang together is known on average over all materials only.
        """
        return self.calibration(known).covariances(self.deviations(strains, forces, known))

    def novelty(self, strains: ArrayLike, forces: ArrayLike | None = None) -> NDArray[np.float64]:
        """Score (B,) how unlike the training records; above novelty_limit, do not answer.

        Of forces too, where they are given and the network looks at them.
        """
        checked = self._checked(strains)
        score = self._ask(self._model.novelty, checked)
        if not self.forces or forces is None:
            return score
        pulled = self._checked_forces(forces, len(checked))
        return np.maximum(score, self._ask(self._model.force_novelty, pulled))

    @torch.no_grad()
    def _ask(
        self, part: Callable[..., torch.Tensor], *values: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        chunks = zip(*(torch.split(torch.from_numpy(v), CHUNK) for v in values), strict=True)
        return torch.cat([part(*chunk) for chunk in chunks]).numpy().astype(np.float64)

    def inputs(
        self, strains: ArrayLike, forces: ArrayLike | None, known: ArrayLike | None = None
    ) -> tuple[NDArray[np.float32], ...]:
        """Check raw measurements and return what the network takes of them; raises BadInput."""
        checked = [self._checked(strains)]
        if self.forces:
            checked.append(self._checked_forces(forces, len(checked[0])))
        if self.known_values:
            checked.append(self._checked_knowledge(known, len(checked[0])))
        return tuple(checked)

    def _checked_knowledge(self, known: ArrayLike | None, records: int) -> NDArray[np.float32]:
        """Fill in the box where nothing is known; refuse what is no value with its deviation."""
        given, box = len(self.given), self.card.given
        if known is None and not self.told:
            unknown = np.array([*box.centre, *[np.inf] * given], np.float32)
            return np.tile(unknown, (records, 1))
        if known is None:
            raise BadInput(
                f"{self.name} must know where the output times lie: give known values, "
                f"{self.known_names}"
            )
        values = _numbers(known, "known values")
        if values.shape != (records, self.known_values):
            raise BadInput(
                f"known values have shape {values.shape}; {self.name} takes ({records}, "
                f"{self.known_values}): {self.known_names}"
            )
        finite, deviations = np.isfinite(values[:, :given]).all(), values[:, given : 2 * given]
        if not finite or not (deviations >= 0).all():
            raise BadInput(
                f"known values of {', '.join(self.given)} must be finite and their standard "
                "deviations 0 or more, infinite where nothing is known"
            )
        displacements = values[:, 2 * given :]
        if not (np.isfinite(displacements) & (displacements > 0)).all():
            raise BadInput(
                f"displacements {', '.join(self.told)} must be positive and finite; give them in mm"
            )
        return values

    @property
    def known_names(self) -> str:
        """What is known of a record, in words, in its order."""
        given = [f"{', '.join(self.given)}, then their standard deviations"] if self.given else []
        return ", then ".join([*given, *([f"{', '.join(self.told)} in mm"] if self.told else [])])

    def _checked_forces(self, forces: ArrayLike | None, records: int) -> NDArray[np.float32]:
        shape = (records, self.card.force_values)
        if forces is None:
            raise BadInput(
                f"{self.name} was trained with forces and was given none; give {shape} of them in "
                "N, or ask a network without forces"
            )
        values = _numbers(forces, "forces")
        if values.shape != shape:
            raise BadInput(
                f"forces have shape {values.shape}; {self.name} takes {shape} in N for as many "
                "records of strains, laid out as [specimen, time]"
            )
        bad = np.flatnonzero(~(np.isfinite(values) & (values > 0)).all(axis=1))
        if bad.size:
            first = values[bad[0]]
            worst = float(first[~(np.isfinite(first) & (first > 0))][0])
            raise BadInput(
                f"forces of record {bad[0]} ({bad.size} of {records} records) are not all positive "
                f"and finite, one is {worst:g} N; tension is positive: measure it again"
            )
        self._check_force_units(values)
        return values

    def _check_force_units(self, values: NDArray[np.float32]) -> None:
        """Refuse forces so large or small that another unit is likelier than another sheet."""
        inputs = self._model.network.force_inputs
        assert inputs
        ratios = np.exp(np.log(values).mean(axis=1) - float(inputs.mean.mean()))
        odd = np.flatnonzero((ratios > UNIT_RATIO) | (ratios < 1 / UNIT_RATIO))
        if odd.size:
            raise BadInput(
                f"forces of record {odd[0]} ({odd.size} of {len(values)} records) are "
                f"{ratios[odd[0]]:.3g} times those that {self.name} was trained on (geometric "
                "mean); give them in N"
            )

    def _checked(self, strains: ArrayLike) -> NDArray[np.float32]:
        values = _numbers(strains, "strains")
        if values.ndim != 2 or values.shape[1] != self.strain_values or not len(values):
            raise BadInput(
                f"strains have shape {values.shape}; {self.name} takes (records, "
                f"{self.strain_values}), laid out {self.card.strain_shape} as "
                "[component, specimen, patch, time]"
            )
        bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
        if bad.size:
            raise BadInput(
                f"strains of record {bad[0]} ({bad.size} of {len(values)} records) are not all "
                "finite; a patch that was lost cannot be answered"
            )
        self._check_units(values)
        return values

    def _check_units(self, values: NDArray[np.float32]) -> None:
        """Refuse records so large or small that another unit is likelier than another material."""
        trained = float(self._model.network.inputs.mean.square().mean().sqrt())
        ratios = np.sqrt(np.square(values, dtype=np.float64).mean(axis=1)) / trained
        odd = np.flatnonzero((ratios > UNIT_RATIO) | ((ratios > 0) & (ratios < 1 / UNIT_RATIO)))
        if odd.size:
            ratio = float(ratios[odd[0]])
            unit = min(UNITS, key=lambda name: abs(math.log(ratio / UNITS[name])))
            raise BadInput(
                f"strains of record {odd[0]} ({odd.size} of {len(values)} records) are "
                f"{ratio:.3g} times those that {self.name} was trained on (root mean square), as "
                f"if {unit}; give logarithmic strains as plain numbers: 0.05 is five per cent"
            )


def _numbers(given: ArrayLike, what: str) -> NDArray[np.float32]:
    """Copy to float32, for torch wants to be able to write; what overflows becomes infinite."""
    if np.ma.is_masked(given):
        raise BadInput(f"{what} are masked in places; a value that was lost cannot be answered")
    try:
        values = np.asarray(given)
    except ValueError as error:
        raise BadInput(f"{what} are no table of numbers: {error}; give equal rows") from None
    if values.dtype.kind not in "fiu":
        raise BadInput(
            f"{what} are of type {values.dtype}, not numbers; give floating point values"
        )
    with np.errstate(over="ignore"):
        return values.astype(np.float32)


def load_model(folder: Path) -> TrainedModel:
    """Verify and load models/<name>; raises CorruptFile for what is incomplete or foreign."""
    manifest_path = folder / "manifest.json"
    manifest = read_manifest(manifest_path, "model")
    vouched = {entry.path for entry in manifest.files}
    for name in (CARD, WEIGHTS):
        if name not in vouched:
            raise CorruptFile(f"{manifest_path}: does not vouch for {name}; train it again")
    card = read_model(ModelCard, folder / CARD)
    _check_size(card, folder / WEIGHTS)
    model = model_of(card)
    _load_weights(model, folder / WEIGHTS)
    model.eval()
    return TrainedModel(card=card, sha256=sha256_of(manifest_path), _model=model)


def _check_size(card: ModelCard, path: Path) -> None:
    """Refuse a card that describes more weights than there are, before memory is taken for them."""
    try:
        with torch.device("meta"):
            described = sum(value.nbytes for value in model_of(card).state_dict().values())
    except (RuntimeError, ValueError, TypeError, ArithmeticError) as error:
        reason = str(error).splitlines()[0]
        raise CorruptFile(f"{path.parent / CARD}: describes no network: {reason}") from None
    if described > path.stat().st_size:
        raise CorruptFile(
            f"{path.parent / CARD}: describes {described / 1e6:,.3f} MB of weights, {path.name} is "
            f"{path.stat().st_size / 1e6:,.3f} MB; one of them is another model's: train it again"
        )


def _load_weights(model: InverseModel, path: Path) -> None:
    try:
        state = safe_load(path)
        model.load_state_dict(state)
    except (UnreadableTensors, RuntimeError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise CorruptFile(f"{path}: not the weights that {CARD} describes: {reason}") from None
    for name, value in model.state_dict().items():
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise CorruptFile(f"{path}: '{name}' is not finite; train it again")
