"""Training has one error."""

from inos.primitives.errors import InosError


class LearnError(InosError):
    """A model, data, or a run cannot be used; the message says what is wrong with it, and where."""
