"""Errors of the contract; each message names the thing, the value and the remedy."""


class ContractError(Exception):
    """Base of the errors below."""


class ConfigurationError(ContractError):
    """A campaign or cluster description that must not be used."""


class CorruptFile(ContractError):
    """A published file that is missing, truncated, altered or foreign."""


class HandedOver(Exception):
    """Not an error: work that stopped in time, kept what it has, and asks to be continued."""
