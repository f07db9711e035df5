"""How long an import takes and how much memory: frames of many points, read from text.

    python -m benchmarks.import_dic [--frames 100] [--points 100000] [--folder FOLDER]

Frames in the layout of VIC-3D are written first; then one specimen is imported as import_dic does
it, in a process of its own whose largest resident set is printed. Of the frames so many are
different as a machine writes in a minute or two; the rest are links to them, each read in full.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.geometry import Geometry
from hpc_jobs.contract.loading import load
from hpc_jobs.fem.specimen.mesh import half_width

CAMPAIGN = Path(__file__).parents[1] / "dags" / "campaigns" / "single_sheet.yaml"
NAMES = ("X", "Y", "Z", "U", "V", "W", "exx", "eyy", "exy", "e1", "e2", "gamma", "sigma")
UNLOADED = 6
NOISE_MM = 4e-4
STRETCH = 0.075  # of the middle, at the end
MARGIN_MM = 0.3
LOST = 0.03
DIFFERENT = 20  # frames that are written; the others are links to the one before
GOAL_S, GOAL_MIB = 60.0, 500.0


def write_frames(folder: Path, geometry: Geometry, frames: int, points: int) -> int:
    """Write frames of a strip that stretches most in its notch; returns points per frame.

    The unloaded ones and DIFFERENT more are written, at even steps and at the end; what lies
    between repeats the frame before.
    """
    written = {*range(UNLOADED), *np.linspace(UNLOADED, frames - 1, DIFFERENT).astype(int).tolist()}
    name = "frame_{:04d}_0.csv".format
    spacing = np.sqrt(52 * 15 / points)
    x, y = np.meshgrid(np.arange(-26, 26, spacing), np.arange(-10, 10, spacing), indexing="ij")
    inside = np.abs(y) < half_width(geometry, x) - MARGIN_MM
    x, y = x[inside], y[inside]
    random = np.random.default_rng(1)
    shape = np.exp(-((x / 9) ** 2))
    for number in range(frames):
        if number not in written:
            (folder / name(number)).hardlink_to(folder / name(number - 1))
            continue
        share = max(0, number - UNLOADED + 1) / (frames - UNLOADED)
        u = share * STRETCH * 9 * np.sqrt(np.pi) / 2 * np.tanh(x / 8)
        v = -0.45 * share * STRETCH * shape * y
        sigma = np.where(random.random(len(x)) < LOST, -1.0, 0.015)
        noisy = [part + NOISE_MM * random.standard_normal(len(x)) for part in (u, v, 0 * u)]
        zero = np.zeros(len(x))
        # VIC's axes: the tensile one is y
        columns = [-y, x, zero, -noisy[1], noisy[0], noisy[2], *[zero] * 6, sigma]
        table = pa.table(dict(zip(NAMES, (c.astype(np.float32) for c in columns), strict=True)))
        arrow_csv.write_csv(table, folder / name(number))
    return len(x)


def import_one(folder: Path) -> None:
    """Read and strain one specimen's frames, as import_dic does; prints time and memory."""
    from hpc_jobs.measurement.frames import watch
    from hpc_jobs.measurement.noise import noise_of
    from hpc_jobs.measurement.series import SpecimenFiles

    campaign = load(Campaign, CAMPAIGN)
    test = campaign.specimens.tests[0]
    files = SpecimenFiles(frames="frame_*.csv", unloaded_frames=UNLOADED)
    began, used = time.perf_counter(), time.process_time()
    watched = watch(test, files, folder, campaign.specimens.patches)
    noise = noise_of(watched.strains, UNLOADED)
    wall_s, cpu_s = time.perf_counter() - began, time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    size = sum(path.stat().st_size for path in folder.glob("frame_*.csv"))
    verdict = "met" if wall_s <= GOAL_S and peak <= GOAL_MIB else "NOT met"
    print(
        f"{len(watched.names)} frames of {int(np.median(watched.kept + watched.lost)):,} points, "
        f"{size / 1e9:.2f} GB of text: {wall_s:.1f} s ({cpu_s:.1f} s of processors), "
        f"{peak:.0f} MiB at most; noise of a patch {np.nanmedian(noise.deviation):.1e}. Goal "
        f"{GOAL_S:.0f} s and {GOAL_MIB:.0f} MiB: {verdict}"
    )


def main() -> None:
    """Write the frames, then import them in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--points", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, help="where frames are, or are written")
    parser.add_argument("--import-only", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.import_only:
        import_one(options.folder)
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        if not any(folder.glob("frame_*.csv")):
            geometry = load(Campaign, CAMPAIGN).specimens.geometries[0]
            write_frames(folder, geometry, options.frames, options.points)
        command = [sys.executable, "-m", "benchmarks.import_dic", "--import-only"]
        subprocess.run([*command, "--folder", str(folder)], check=True)


if __name__ == "__main__":
    main()
