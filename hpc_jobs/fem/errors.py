"""Errors of the engine; each message names the thing, the value and the remedy."""

from hpc_jobs.contract.errors import ConfigurationError


class FemError(Exception):
    """Base of the errors below."""


class UnsupportedMaterial(FemError):
    """A yield function, exponent or parameter array that the engine cannot evaluate."""


class SolverMissing(FemError):
    """The solver that a campaign names is not known, or cannot work on this machine."""


class SolverUnknown(SolverMissing, ConfigurationError):
    """A campaign names a solver that nobody can import: trying again is in vain."""


class SolverFailed(FemError):
    """An external solver ended in a way that is not the material's doing; carries its words."""
