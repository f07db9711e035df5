"""The machine's record of a specimen, and when its frames were taken."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from hpc_jobs.contract.errors import BadInput
from hpc_jobs.contract.specimen import FromYield
from hpc_jobs.fem.specimen.output_times import output_displacements
from hpc_jobs.measurement.clocks import Joined, join
from hpc_jobs.measurement.formats.machine import read_machine
from hpc_jobs.measurement.formats.table import read_rows
from hpc_jobs.measurement.formats.text import layout_of
from hpc_jobs.measurement.frames import Watched
from hpc_jobs.measurement.isotropic import Curve
from hpc_jobs.measurement.outputs import zero_of
from hpc_jobs.measurement.series import CameraClock, SpecimenFiles

Values = NDArray[np.float64]

CLOCK_COLUMNS = ("time_0_0", "time_0", "time", "zeit", "t")
MOST_PRELOAD = 0.2  # of the span of the forces
LAST_PART = 0.01  # of a curve; a largest force in it is no peak


@dataclass(frozen=True, slots=True, eq=False)
class MachineRecord:
    """Forces by one clock, frames by another; one clock where forces came with the frames."""

    frame_s: Values  # (frames,)
    machine_s: Values  # (rows,)
    force_n: Values  # (rows,) tension positive, as recorded
    own: bool  # a file of the machine's, with its own clock

    def joined(
        self, files: SpecimenFiles, extensions: Values, curve: Curve, *, drifting: bool = True
    ) -> Joined:
        """Join both by extensions (frames,) mm; raises BadInput."""
        if not self.own:
            return Joined(self.force_n, 0.0, 0.0, np.nan, ("forces come with the frames",))
        clocks = self.frame_s, extensions, self.machine_s, self.force_n
        return join(*clocks, files.synchronisation, curve, drifting=drifting)

    def zeroed(self, joined: Joined, files: SpecimenFiles) -> Values:
        """Return forces at the frames without the load cell's zero, N, (frames,)."""
        return joined.forces - zero_of(
            joined.machine_time(self.frame_s),
            self.machine_s,
            self.force_n,
            files.unloaded_frames,
            files.preload_n,
            zero=files.zero_force,
        )


def machine_record(files: SpecimenFiles, folder: Path, watched: Watched) -> MachineRecord | None:
    """Read what was recorded of the force, None if nothing was; raises BadInput."""
    if files.machine is None:
        if watched.forces is None:
            return None
        own = watched.times
        times = own if own is not None else np.arange(len(watched.names), dtype=np.float64)
        return MachineRecord(times, times, watched.forces, own=False)
    times = _frame_times(files, folder, watched)
    given = files.machine
    machine = read_machine(folder / given.file, given.columns, given.format)
    machine_s, force = machine.need("time", "force")
    largest = float(np.ptp(force))
    if files.preload_n > MOST_PRELOAD * largest:
        raise BadInput(
            f"preload_n is {files.preload_n:g} N, of {largest:.4g} N that the record spans; "
            "specimens that bear so much are not unloaded: give the preload in N, and see "
            "whether the record is in N"
        )
    return MachineRecord(times, machine_s, _tension_positive(force), own=True)


def times_in_curve(
    record: MachineRecord,
    joined: Joined,
    files: SpecimenFiles,
    displacements: Values,
    limit_mm: float,
    timing: FromYield,
    count: int,
) -> tuple[Values, list[str]]:
    """Find a test's output times in its own force-displacement curve: (count,) mm, and notes.

    displacements (frames,) mm of the ends, NaN where unknown; between frames the machine's rows
    refine the curve, because few frames see a notch's elastic part. limit_mm is as far as the
    campaign pulls. Raises BadInput where the curve shows no elastic part or no yield.
    """
    known = np.isfinite(displacements)
    moments = joined.machine_time(record.frame_s)[known]
    inside = (record.machine_s >= moments[0]) & (record.machine_s <= moments[-1])
    inside &= np.isfinite(record.force_n)
    u = PchipInterpolator(moments, displacements[known])(record.machine_s[inside])
    f = record.force_n[inside] - zero_of(
        joined.machine_time(record.frame_s),
        record.machine_s,
        record.force_n,
        files.unloaded_frames,
        files.preload_n,
        zero=files.zero_force,
    )
    reached = u <= limit_mm
    u, f = u[reached], f[reached]
    found = output_displacements(u, f, timing, count)
    notes = [
        f"output times from {found[0]:.4g} to {found[-1]:.4g} mm between the ends, by the force: "
        f"from general yield to {timing.peak_share:g} of its peak"
    ]
    if reached.all() and int(f.argmax()) >= (1 - LAST_PART) * len(f) - 1:
        notes.append(
            "the record ends while the force still rises, so its last force counts as the peak: "
            "simulated sheets are pulled to theirs; pull further next time"
        )
    return found, notes


def _tension_positive(force: Values) -> Values:
    """Turn the sign of a machine that counts tension negative: its largest force pulls."""
    return -force if abs(force.min()) > 2 * abs(force.max()) else force


def _frame_times(files: SpecimenFiles, folder: Path, watched: Watched) -> Values:
    """Camera times of the frames, s; raises BadInput where nothing says them."""
    frames = len(watched.names)
    if files.camera is not None and files.camera.rate_hz is not None:
        return watched.places / files.camera.rate_hz
    if files.camera is not None:
        return _logged(files.camera, folder, frames)
    if watched.times is not None:
        return watched.times
    raise BadInput(
        f"nothing says when the frames were taken, so forces cannot be joined: {files.frames} "
        "carries no time; give camera: {rate_hz: ...} or camera: {log: FILE}"
    )


def _logged(clock: CameraClock, folder: Path, frames: int) -> Values:
    path = folder / (clock.log or "")
    layout = layout_of(path)
    names = [column.name.lower() for column in layout.columns]
    wanted = [clock.column.lower()] if clock.column else list(CLOCK_COLUMNS)
    place = next((names.index(name) for name in wanted if name in names), None)
    if place is None:
        raise BadInput(
            f"{path}: no column of times ({', '.join(wanted)}); it has {', '.join(names)}; name it "
            "in camera.column"
        )
    rows = read_rows(path, layout)
    rows.check(path, layout, place, "export the log again")
    times = np.asarray(rows.values[:, place])
    if len(times) != frames:
        raise BadInput(f"{path}: {len(times)} rows for {frames} frames; give a row per frame")
    if not np.isfinite(times).all():
        raise BadInput(
            f"{path}: row {int(np.isfinite(times).argmin()) + 1} of the table says no "
            f"{layout.columns[place].written}; give a row per frame with its time"
        )
    return times
