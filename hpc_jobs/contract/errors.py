"""Errors of the contract; each message names the thing, the value and the remedy."""

import zlib
from tokenize import TokenError
from zipfile import BadZipFile


class ContractError(Exception):
    """Base of the errors below."""


class ConfigurationError(ContractError):
    """A campaign or cluster description that must not be used."""


class CorruptFile(ContractError):
    """A published file that is missing, truncated, altered or foreign."""


class BadInput(ContractError):
    """Measured values that must not be answered: wrong shape, not finite, no forces."""


UNREADABLE_ARRAYS = (
    *(OSError, EOFError, ValueError, TypeError, KeyError, SyntaxError, TokenError),
    *(BadZipFile, zlib.error, RuntimeError, ArithmeticError, MemoryError),
)
"""What numpy.load raises for .npy and .npz files, depending on where a damaged byte leads it."""


class HandedOver(Exception):
    """Not an error: work that stopped in time, kept what it has, and asks to be continued."""
