"""What is wrong with a measurement: every defect, its size, and the set that is usual.

REALISTIC                                   # all of them, of usual size
NONE                                        # a perfect camera and machine
replace(NONE, compliance=0.03)              # one alone (dataclasses.replace)
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Optics:
    """How a camera sees; not defects but facts of a set-up."""

    pixel_mm: float = 0.040  # of the sheet
    subset_px: int = 21
    step_px: int = 7
    view_mm: tuple[float, float] = (24.0, 21.0)  # along and across the specimen
    unloaded_frames: int = 6  # the first of them is the reference
    strain_window: int = 5  # points per direction of the exported strains


@dataclass(frozen=True, slots=True, kw_only=True)
class Defects:
    """Sizes of all defects; what is drawn at random is drawn from the series' seed.

    Lengths in mm or in pixels (px), forces in N; "up to" is the half-width of a uniform law.
    """

    # Camera
    noise_px: float  # of a displacement, one standard deviation; half its variance the reference's
    distortion_px: float  # at the picture's corner, smooth
    lost_first: float  # share of points lost in the first frame
    lost_last: float  # and in the last; in between as the time goes
    rotation_deg: float  # rigid, from the first frame to the last, up to
    translation_mm: float  # likewise, each direction
    tilt_deg: float  # of the tensile axis in the picture, up to
    scale: float  # relative error of the pixel's size as told
    # Clocks
    camera_hz: float
    machine_hz: float
    clock_offset_s: float  # up to
    clock_drift: float  # up to
    # Machine
    force_noise: float  # of the load cell's range, one standard deviation
    force_range_n: float
    force_offset_n: float  # up to
    force_gain: float  # one standard deviation
    preload_n: float  # held while the unloaded frames are taken
    compliance: float  # share of the crosshead's travel at the end
    slip_mm: float  # of the grips, at the start
    # Specimen: how far from nominal it is, and how well it was measured
    notch_sd_mm: float
    notch_calliper_mm: float  # one standard deviation
    thickness_sd_mm: float
    thickness_calliper_mm: float  # one standard deviation
    angle_deg: float  # cut that far from its nominal angle, up to


REALISTIC = Defects(
    noise_px=0.015,
    distortion_px=0.05,
    lost_first=0.02,
    lost_last=0.15,
    rotation_deg=1.0,
    translation_mm=0.5,
    tilt_deg=2.0,
    scale=0.0,
    camera_hz=2.0,
    machine_hz=50.0,
    clock_offset_s=1.0,
    clock_drift=1e-4,
    force_noise=0.002,
    force_range_n=10_000.0,
    force_offset_n=50.0,
    force_gain=0.005,
    preload_n=20.0,
    compliance=0.03,
    slip_mm=0.03,
    notch_sd_mm=0.05,
    notch_calliper_mm=0.02,
    thickness_sd_mm=0.01,
    thickness_calliper_mm=0.005,
    angle_deg=1.0,
)
"""What a careful test house has."""

NONE = Defects(
    noise_px=0.0,
    distortion_px=0.0,
    lost_first=0.0,
    lost_last=0.0,
    rotation_deg=0.0,
    translation_mm=0.0,
    tilt_deg=0.0,
    scale=0.0,
    camera_hz=2.0,
    machine_hz=50.0,
    clock_offset_s=0.0,
    clock_drift=0.0,
    force_noise=0.0,
    force_range_n=10_000.0,
    force_offset_n=0.0,
    force_gain=0.0,
    preload_n=0.0,
    compliance=0.0,
    slip_mm=0.0,
    notch_sd_mm=0.0,
    notch_calliper_mm=0.0,
    thickness_sd_mm=0.0,
    thickness_calliper_mm=0.0,
    angle_deg=0.0,
)
"""A camera and a machine without fault, and a specimen as drawn."""
