"""The errors of programs."""

from inos.primitives.errors import InosError


class InvalidProgram(InosError):
    """The program breaks a rule of the language; the message names the node and the rule."""


class InvalidInput(InosError):
    """A matrix given to a program does not have the type that the program declares for it."""
