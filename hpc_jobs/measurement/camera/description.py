"""The description file of a filmed series: what a test house knows, and nothing else."""

from pathlib import Path
from typing import Any

import yaml

from hpc_jobs.measurement.camera.series import Series, Told


def describe(series: Series, source: str = "virtual camera") -> dict[str, Any]:
    """Return the description of a series, file names relative to its folder."""
    return {
        "schema_version": 1,
        "source": source,
        "specimens": {told.specimen: _entry(told) for told in series.told},
    }


def write_description(series: Series, source: str = "virtual camera") -> Path:
    """Write series.yaml into the series' folder."""
    path = series.folder / "series.yaml"
    path.write_text(yaml.safe_dump(describe(series, source), sort_keys=False))
    return path


def _entry(told: Told) -> dict[str, Any]:
    camera: dict[str, Any] = {"rate_hz": told.frames_per_s}
    if told.camera_log:
        camera = {"log": f"{told.folder}/{told.camera_log}"}
    entry = {
        "frames": f"{told.folder}/{told.frames}",
        "format": told.format,
        "tensile_axis": told.tensile_axis,
        "unloaded_frames": told.unloaded_frames,
        "camera": camera,
        "machine": {"file": f"{told.folder}/{told.machine}", "format": told.machine_format},
        "preload_n": told.preload_n,
        "measured": {
            "notch_width_mm": told.notch_width_mm,
            "width_mm": told.width_mm,
            "thickness_mm": told.thickness_mm,
        },
    }
    if told.pixel_mm is not None:
        entry["scale_mm_per_pixel"] = told.pixel_mm
    return entry
