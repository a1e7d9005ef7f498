"""What is wrong with a run or a record, and what cannot be checked yet. The two are never mixed up."""

from inos.primitives.errors import InosError


class InvalidRun(InosError):
    """The description of a run, its programs or its data can never be computed."""


class InvalidRecord(InosError):
    """A record is false for ever: anybody who has the data finds the same."""


class Missing(InosError):
    """A file is not at hand, so nothing can be said about what names it: it may come later.

    Args:
        file: the file's id.
    """

    def __init__(self, file: bytes, what: str) -> None:
        super().__init__("file-missing", f"{what} is not at hand: {file.hex()}")
        self.file = file


class Unchecked(InosError):
    """This machine cannot compute what a record claims, and another one may."""
