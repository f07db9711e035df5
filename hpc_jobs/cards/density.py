"""The density that explicit codes ask for, which no identification tells."""

from hpc_jobs.contract.errors import BadInput

METALS: dict[str, tuple[float, float, float]] = {
    "magnesium": (38e3, 50e3, 1.78e-9),
    "aluminium": (60e3, 85e3, 2.70e-9),
    "titanium": (95e3, 125e3, 4.45e-9),
    "steel": (165e3, 235e3, 7.85e-9),
}
"""Metal -> bounds of Young's modulus in MPa, between which it is taken for it; density, t/mm^3."""
LIGHTEST, HEAVIEST = 1e-9, 2.5e-8


def metal_of(youngs_modulus_mpa: float) -> str | None:
    """Name the metal of that modulus; none if it might be several or is none of them."""
    for metal, (low, high, _) in METALS.items():
        if low <= youngs_modulus_mpa <= high:
            return metal
    return None


def density_of(youngs_modulus_mpa: float, given: float | None) -> float:
    """Return the density in t/mm^3: the given one, or that of the metal with this modulus.

    Raises BadInput where neither tells it.
    """
    if given is not None:
        if not LIGHTEST <= given <= HEAVIEST:
            raise BadInput(
                f"density is {given:g} t/mm^3, and no metal's is; steel has 7.85e-9 (7,850 kg/m^3)"
            )
        return given
    metal = metal_of(youngs_modulus_mpa)
    if metal is None:
        raise BadInput(
            f"Young's modulus is {youngs_modulus_mpa:g} MPa, which tells no metal's density; give "
            "--density in t/mm^3 (steel 7.85e-9, aluminium 2.7e-9)"
        )
    return METALS[metal][2]
