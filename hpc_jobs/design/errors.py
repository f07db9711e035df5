"""Errors of the design; each message names the thing, the value and the remedy."""


class DesignError(Exception):
    """Base of the errors below."""


class EmptyBox(DesignError):
    """A box in which next to no point is a material."""


class MissingRecords(DesignError):
    """A later round was asked for without saying how many records it has."""
