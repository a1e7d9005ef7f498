"""The purpose of a link decides the limit it counts against and what it is used for."""

from enum import StrEnum


class LinkKind(StrEnum):
    """A link exists for this reason, as seen from this side."""

    STATIC = "static"
    """The user named the peer, so this node dials it again whenever the link ends."""
    OUTBOUND = "outbound"
    """This node dialled an address of the book to fill one of its outbound slots."""
    FEELER = "feeler"
    """This node dials to learn whether an address is true, and closes the link at once."""
    SHORT = "short"
    """This node dialled for a few requests, and closes the link when it is idle."""
    INBOUND = "inbound"
    """The other side dialled; its hello says whether the link serves a few requests only."""

    @property
    def is_brief(self) -> bool:
        """The property is True if the dialler tells the other side that it wants answers and no notices."""
        return self in (LinkKind.FEELER, LinkKind.SHORT)
