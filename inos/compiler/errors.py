"""The error of the compiler."""

from inos.primitives.errors import InosError


class CannotCompile(InosError):
    """The module holds something that has no integer form; the message names the operation and its place."""
