"""What a test house knows of sheet and specimens, by the names of a family's coordinates."""

from collections.abc import Iterable, Mapping

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.errors import BadInput, ConfigurationError
from hpc_jobs.contract.examination import NuisancePriors
from hpc_jobs.contract.measurement import Known
from hpc_jobs.measurement.frames import Watched
from hpc_jobs.measurement.series import SpecimenFiles

LEAST_AXIS_DEG = 0.03
FARTHEST_DEG = 10.0  # by which a specimen differs from its drawing
FARTHEST_SHARE = 0.3  # likewise, of a notch's width
THICKER = 4.0  # times the drawn one or a share of it; forces are scaled by it
LEAST_CENTRE_MM = 0.03  # of a centre found at edges that are ragged by a point spacing


def known_of_sheet(told: Mapping[str, Known], campaign: Campaign, source: str) -> dict[str, Known]:
    """Check what was told of a family's coordinates; raises ConfigurationError naming `source`."""
    coordinates = {one.name: one for one in campaign.family.coordinates}
    for name, (value, _) in told.items():
        if name not in coordinates:
            raise ConfigurationError(
                f"{source}: knowledge.{name} is no coordinate of campaign '{campaign.name}', which "
                f"has {', '.join(coordinates) or 'none: all is fixed'}"
            )
        one = coordinates[name]
        if not one.low <= value <= one.high:
            raise ConfigurationError(
                f"{source}: knowledge.{name} is {value:g} {one.unit}, but campaign "
                f"'{campaign.name}' is of sheets between {one.low:g} and {one.high:g}; correct "
                "it, or use a campaign made for such sheets"
            )
    return dict(told)


def not_told(told: Iterable[str], campaign: Campaign) -> list[str]:
    """Return a note on each given coordinate of which nothing is known but the range."""
    return [
        f"{one.name} is not told: all that is known of it is the campaign's range, {one.low:g} to "
        f"{one.high:g} {one.unit}"
        for one in campaign.family.coordinates
        if one.role == "given" and one.name not in set(told)
    ]


def _check_size(name: str, found: float, drawn: float, label: str) -> None:
    """Raise BadInput for a size that cannot be of this specimen: others were meant."""
    away = abs(found - drawn)
    near = {
        "angle_deg": away <= FARTHEST_DEG,
        "thickness_mm": drawn / THICKER <= found <= THICKER * drawn,
    }
    if near.get(name, away <= FARTHEST_SHARE * drawn):
        return
    unit = "degrees" if name == "angle_deg" else "mm"
    raise BadInput(
        f"specimen {label}: measured.{name} is {found:g} {unit}, the campaign's specimen has "
        f"{drawn:g}; are sizes or specimens swapped, or is the unit another? Correct it, or use a "
        "campaign of such specimens"
    )


def known_of_specimen(
    files: SpecimenFiles, travel_sd: float, watched: Watched, campaign: Campaign
) -> dict[str, Known]:
    """Collect what was measured on the specimen and in its pictures, by nuisance@specimen.

    Differences from the drawing. Forces are scaled to the nominal thickness, so its difference is
    0; what the field's lines tell of the ends' displacement is as sure as isotropic sheets agree.
    """
    test, place = watched.test, watched.placement
    drawn = {"notch_width_mm": test.geometry.notch_width_mm, "angle_deg": test.angle_deg}
    known = dict[str, Known]()
    for name, nominal in drawn.items():
        size = files.measured.known(name)
        if size is not None:
            _check_size(name, size[0], nominal, test.label)
            known[name] = (size[0] - nominal, size[1])
    thickness = files.measured.known("thickness_mm")
    if thickness is not None:
        _check_size("thickness_mm", thickness[0], test.geometry.thickness_mm, test.label)
        known["thickness_mm"] = (0.0, thickness[1])
    if place.margin_mm is not None:
        along, across = max(place.centre_sd_mm, LEAST_CENTRE_MM), LEAST_CENTRE_MM
        if place.across_sd_mm is not None:
            along, across = place.centre_sd_mm, place.across_sd_mm
        known |= {"patch_along_mm": (0.0, along), "patch_across_mm": (0.0, across)}
        known["axis_deg"] = (0.0, max(place.angle_sd_deg, LEAST_AXIS_DEG))
    known["displacement_share"] = (0.0, travel_sd)
    label = test.label.replace(" ", "-")
    named = {f"{name}@{label}": value for name, value in known.items()}
    usable = {*campaign.family.names, *(f"{name}@{label}" for name in NuisancePriors.model_fields)}
    return {name: value for name, value in named.items() if name in usable}
