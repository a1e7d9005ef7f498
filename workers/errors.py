"""Errors of the worker protocol."""

from inos.primitives.errors import InosError


class WorkerError(InosError):
    """A node or a worker cannot go on with the other one, or one of them cannot begin."""


class Offence(WorkerError):
    """A worker broke a rule. Its connection ends, and `inos.workers.limits.OFFENCES` says for how long it is banned."""
