"""Errors of the contract; each message names the thing, the value and the remedy."""


class ContractError(Exception):
    """Base of the errors below."""


class ConfigurationError(ContractError):
    """A campaign or cluster description that must not be used."""


class CorruptFile(ContractError):
    """A published file that is missing, truncated, altered or foreign."""
